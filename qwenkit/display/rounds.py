"""Tools at work, drawn: a line for each call with its result, more behind it, rounds in their order.

All of it is bounded together, because a turn may call tools a hundred times and each result may be a page.
"""

from __future__ import annotations

from collections.abc import Sequence

from qwenkit.display.markdown import markdown
from qwenkit.display.page import escape, fold, note, seconds, source, volatile
from qwenkit.display.text import clip, line, pretty
from qwenkit.types.tools import Round, ToolRun

MAX_RUNS = 24
MAX_SAID = 4_000
# What opens behind one call, and behind all calls of a card.
MAX_BEHIND = 2_000
MAX_ALL = 24_000
MAX_LINES = 24
MAX_NAME = 80
# The line of a call: its arguments, then its result.
ARGUMENTS = 48
RESULT = 56
# `text/plain` has the line only, a little longer.
PLAIN = 300


def rounds(given: Sequence[Round]) -> str:
    """The rounds before an answer: what was said and thought in each, and its calls."""
    hidden = max(sum(len(one.runs) for one in given) - MAX_RUNS, 0)
    room, skip = MAX_ALL, hidden
    parts = [note(f"… {hidden:,} earlier calls in reply.rounds")] if hidden else []
    for one in given:
        shown = one.runs[skip:]
        skip = max(skip - len(one.runs), 0)
        if shown or not one.runs:
            parts.append(_said(one))
        for each in shown:
            parts.append(run(each, room))
            room -= min(len(each.arguments), MAX_BEHIND) + min(len(each.result), MAX_BEHIND)
    return "\n".join(part for part in parts if part)


def run(value: ToolRun, room: int = MAX_ALL) -> str:
    """One call: `weather({"city": "Oslo"}) → 12 degrees`, with all of both behind it."""
    kind = "ran qk-bad" if value.error else "ran"
    title = f"<code>{escape(line(value.name, MAX_NAME))}</code> {escape(line(value.arguments, ARGUMENTS))}"
    title += f' → <span class="qk-result">{escape(line(value.result, RESULT))}</span>'
    title += f" {volatile(seconds(value.seconds))}" if value.seconds is not None else ""
    most = min(MAX_BEHIND, max(room, 0) // 2)
    behind = [clip(pretty(text), most, MAX_LINES) if most else ("", "") for text in (value.arguments, value.result)]
    inner = "".join(source(text, "json") + note(rest) for text, rest in behind if text or rest)
    return fold(title, inner or note("in reply.rounds"), kind=kind)


def plain(given: Sequence[Round]) -> str:
    """The calls as text, one a line."""
    runs = [each for one in given for each in one.runs]
    hidden = [f"… {len(runs) - MAX_RUNS:,} earlier calls"] if len(runs) > MAX_RUNS else []
    return "\n".join([*hidden, *map(plain_run, runs[-MAX_RUNS:])])


def plain_run(value: ToolRun) -> str:
    asked = f"{line(value.name, MAX_NAME)}({line(value.arguments, PLAIN)})"
    return f"{asked} → {line(value.result, PLAIN)}"


def thinking(html: str, *, open: bool = False) -> str:
    return fold("Thinking", body(html), open=open, kind="thinking") if html else ""


def body(html: str) -> str:
    return f'<div class="qk-body" dir="auto">\n{html}</div>' if html else ""


def _said(one: Round) -> str:
    return thinking(markdown(one.thinking, chars=MAX_SAID)) + body(markdown(one.text, chars=MAX_SAID))
