"""The status card of a client and the check-up table of the doctor.

The status card is the first thing a newcomer sees, so it says plainly who will answer: the service, or the sandbox.
"""

from __future__ import annotations

from qwenkit.display.page import Bundle, address, escape, facts, fold, head, page, portless, table
from qwenkit.display.text import columns
from qwenkit.types.connection import CheckUp, Connection, Finding

SANDBOX = (
    "This is the qwenkit sandbox, a practice service on this machine, not Qwen: no key, no network, no cost. "
    "Set DASHSCOPE_API_KEY to call the real models with the same code."
)

_MARKS = {True: "✓ ok", False: "✗ problem", None: "• note"}


def connection(value: Connection) -> Bundle:
    return {"text/plain": _plain(value), "text/html": _card(value)}


def _card(value: Connection) -> str:
    rows = {name: address(text) for name, text in _facts(value).items()}
    urls = facts({name: f"<code>{address(url)}</code>" for name, url in value.urls.items()})
    banner = f'<p class="qk-banner">{escape(SANDBOX)}</p>' if value.sandbox else ""
    remarks = "".join(f'<p class="qk-note">{address(text)}</p>' for text in value.notes)
    where = fold("Addresses", urls) if urls else ""
    return page("connection", head(_title(value)), banner, facts(rows), remarks, where)


def _title(value: Connection) -> str:
    return "Connected to the sandbox" if value.sandbox else "Connected to Model Studio"


def _facts(value: Connection) -> dict[str, str]:
    """What to know at a glance. The sandbox draws a key for each start; it is nobody's secret and tells nothing."""
    key = f"{value.masked_key} (from {value.key_from})" if value.key_from else value.masked_key
    told = {"model": value.model, "workspace": value.workspace, "budget": value.budget}
    return told if value.sandbox else {"region": value.region, **told, "key": key}


def _plain(value: Connection) -> str:
    lines = [_title(value), *([SANDBOX] if value.sandbox else [])]
    rows = {name: text for name, text in {**_facts(value), **value.urls}.items() if text}
    lines.append(columns(list(rows.items())))
    return portless("\n".join([*lines, *value.notes]))


def checkup(value: CheckUp) -> Bundle:
    rows = [(_mark(each), _name(each), _told(each)) for each in value.findings]
    html = page("checkup", head(_verdict(value)), table(("", "what", "found"), rows) if rows else "")
    plain = columns([(_MARKS[each.ok], each.name, _line(each)) for each in value.findings])
    return {"text/plain": portless(f"{_verdict(value)}\n{plain}".rstrip()), "text/html": html}


def _verdict(value: CheckUp) -> str:
    problems = sum(each.ok is False for each in value.findings)
    return "All is well" if not problems else "1 problem" if problems == 1 else f"{problems} problems"


def _mark(finding: Finding) -> str:
    kind = {True: "good", False: "bad", None: "soft"}[finding.ok]
    return f'<span class="qk-short qk-{kind}">{_MARKS[finding.ok]}</span>'


def _name(finding: Finding) -> str:
    return f'<strong class="qk-short">{escape(finding.name)}</strong>'


def _told(finding: Finding) -> str:
    cure = f'<br><span class="qk-cure">→ {address(finding.cure)}</span>' if finding.cure else ""
    return address(finding.detail) + cure


def _line(finding: Finding) -> str:
    return f"{finding.detail} → {finding.cure}" if finding.cure else finding.detail
