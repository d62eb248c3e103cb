"""What went over the wire, as a sequence diagram: you on the left, the service on the right, time downwards.

Arrows are words and borders, not pictures, so that the diagram survives a host that strips styles. Headers, bodies and
events are folded away under their arrow. Whatever changes from run to run (times, ids, dates, ports) is marked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import groupby
from typing import NamedTuple
from urllib.parse import urlsplit

from qwenkit.display.page import Bundle, address, escape, facts, fold, note, page, portless, seconds, volatile
from qwenkit.display.text import clean, clip, line
from qwenkit.types.wire import Exchange, Wire, WireEvent

MAX_EXCHANGES = 12
MAX_HEADERS = 40
# Many exchanges share the room of a few, so that a long trace does not make a heavy notebook.
MAX_BODY = 6_000
ALL_BODIES = 24_000
MAX_EVENTS = 24
ALL_EVENTS = 72
LAST_EVENTS = 3
MAX_EVENT = 600
MAX_URL = 300
_SWITCHED = 101  # to a socket
_NAMED = re.compile(r'^\{(?:"(?:type|event_id)": "[^"]*"(?:, )?)+')  # what leads a frame of a socket
_TYPE = re.compile(r'"type"\s*:\s*"([\w.]+)"')
EMPTY = "Nothing went over the wire."

# Headers whose values are the same for every run of the same program; any other value is marked.
_STEADY = {"accept", "cache-control", "content-type", "retry-after", "transfer-encoding"}
_STEADY_PREFIXES = ("x-dashscope-workspace", "x-dashscope-sse", "x-dashscope-async", "x-sandbox-")
# What differs from run to run: values of JSON fields of these names; addresses of uploads and results; marks of a form.
_FIELDS = "id|request_id|created|created_at|expires_at|upload_dir|upload_host"
_FIELDS += "|(?:event|item|previous_item|response|call|conversation)_id"
_PASSING = re.compile(
    rf'(?P<name>"(?:{_FIELDS})": ?)(?P<value>"(?:[^"\\\n]|\\.)*"|\d+)'
    r"|(?:oss://)?dashscope-instant/[^\s\"]+|(?:--|boundary=)[0-9a-f]{32}(?:--)?|Expires=\d+"
)


def wire(value: Wire) -> Bundle:
    return _draw(list(value))


def exchange(value: Exchange) -> Bundle:
    return _draw([value])


def _draw(exchanges: list[Exchange]) -> Bundle:
    if not exchanges:
        return {"text/plain": EMPTY, "text/html": page("wire", note(EMPTY))}
    shown = exchanges[:MAX_EXCHANGES]
    room = Room(min(MAX_BODY, ALL_BODIES // len(shown)), min(MAX_EVENTS, ALL_EVENTS // len(shown)))
    more = f"… {len(exchanges) - len(shown):,} more exchanges" if len(exchanges) > len(shown) else ""
    server = f'<span class="qk-sign">⇄</span> <strong>{address(_server(exchanges[0]))}</strong>'
    steps = "\n".join(step for number, each in enumerate(shown, 1) for step in _steps(number, each, room) if step)
    html = page(
        "wire",
        f'<p class="qk-lanes"><strong>qwenkit</strong> {server}</p>',
        f'<div class="qk-lane">{steps}</div>',
        note(more),
    )
    lines = [_line(number, each) for number, each in enumerate(shown, 1)]
    return {"text/plain": "\n".join([*lines, more]).rstrip(), "text/html": html}


class Room(NamedTuple):
    """How much of each exchange is shown: characters of a body, number of events."""

    body: int
    events: int


def _server(each: Exchange) -> str:
    return line(urlsplit(each.url).netloc or "server", MAX_URL)


def _steps(number: int, each: Exchange, room: Room) -> list[str]:
    return [_request(number, each, room), _answer(each, room), _events(each, room), _failure(each)]


def _request(number: int, each: Exchange, room: Room) -> str:
    again = f' <span class="qk-soft">attempt {each.attempt}</span>' if each.attempt > 1 else ""
    what = f"<strong>{number}</strong> {escape(line(each.method, 20))} <code>{address(_path(each))}</code>{again}"
    return _arrow("out", what, None, _headers(each.request_headers) + _body(each.request_body, room))


def _path(each: Exchange) -> str:
    parts = urlsplit(each.url)
    query = re.sub(r"Expires=\d+", "Expires=…", parts.query)
    return line(parts.path + (f"?{query}" if query else ""), MAX_URL)


def _answer(each: Exchange, room: Room) -> str:
    if each.status is None:
        return ""
    kind = "qk-bad" if each.status >= 400 else "qk-good"
    what = f'<span class="{kind}"><strong>{each.status}</strong></span> {escape(_content_type(each))}'
    when = each.headers_after if each.events else each.finished_after or each.headers_after
    return _arrow("in", what, when, _headers(each.response_headers) + _body(each.response_body, room))


def _content_type(each: Exchange) -> str:
    found = next((text for name, text in each.response_headers.items() if name.lower() == "content-type"), "")
    return line(found.partition(";")[0], 60)


def _events(each: Exchange, room: Room) -> str:
    """The first events and the last, which carry the end and the bill. Frames of a socket that repeat are one row."""
    runs = _runs(each.events) if each.status == _SWITCHED else [(event, 1) for event in each.events]
    whole = len(runs) <= room.events
    first = runs if whole else runs[: room.events - LAST_EVENTS]
    last = [] if whole else runs[-LAST_EVENTS:]
    gap = "" if whole else note(f"… {len(runs) - room.events:,} more events")
    draw = _frame if each.status == _SWITCHED else _event
    rows = "\n".join([*(draw(*run) for run in first), gap, *(draw(*run) for run in last)])
    what, words = _counted(each), "frames" if each.status == _SWITCHED else "events"
    return _arrow("in", f"<strong>{what}</strong>", each.finished_after, fold(words, rows)) if runs else ""


def _counted(each: Exchange) -> str:
    count, sent = len(each.events), sum(event.sent for event in each.events)
    if each.status == _SWITCHED:
        return f"{sent:,} frames sent, {count - sent:,} received"
    return "1 event" if count == 1 else f"{count:,} events"


def _runs(frames: list[WireEvent]) -> list[tuple[WireEvent, int]]:
    """Frames that follow each other, of one kind or all of them deltas: the first of each kind, and how many."""
    found: list[tuple[WireEvent, int]] = []
    for _, run in groupby(frames, lambda frame: (frame.sent, re.sub(r".*\.delta", "", _kind(frame)))):
        kinds: dict[str, list[WireEvent]] = {}
        for frame in run:
            kinds.setdefault(_kind(frame), []).append(frame)
        found += [(same[0], len(same)) for same in kinds.values()]
    return found


def _kind(frame: WireEvent) -> str:
    known = _TYPE.search(frame.data)
    return known[1] if known else frame.data


def _event(each: WireEvent, count: int = 1) -> str:
    data, rest = clip(clean(each.data[: MAX_EVENT * 2]), MAX_EVENT)
    mark = f" {rest}" if rest else ""
    return f'<pre class="qk-event">{volatile(f"{each.at:7.3f}")} <code>{_steady(data)}{mark}</code></pre>'


def _frame(each: WireEvent, count: int) -> str:
    """A frame of a socket: which way it went, what it is, and then, in grey, what is in it."""
    kind = _kind(each)
    data = _NAMED.sub("{", _json(each.data, None)[: MAX_EVENT * 2])
    shown, rest = clip(clean(data), MAX_EVENT)
    named = f"<strong>{escape(line(kind, 80))}</strong> " if kind != each.data else ""
    times = f" × {count:,}" if count > 1 else ""
    told = "" if shown in ("{}", "") else f' <code><span class="qk-soft">{_steady(shown)}</span></code>'
    return (
        f'<pre class="qk-event">{volatile(f"{each.at:7.3f}")} {"→" if each.sent else "←"} {named.strip()}{times}'
        f"{told}{f' {rest}' if rest else ''}</pre>"
    )


def _failure(each: Exchange) -> str:
    what = f'<span class="qk-bad">✗ {address(line(each.error, MAX_URL))}</span>'
    return _arrow("in", what, each.finished_after, "") if each.error else ""


def _arrow(side: str, what: str, when: float | None, more: str) -> str:
    """One step between the lanes: `out` to the right, `in` to the left."""
    sign = f'<span class="qk-sign">{"→" if side == "out" else "←"}</span>'
    time = volatile(seconds(when)) if when is not None else ""
    return f'<div class="qk-step qk-{side}"><p class="qk-arrow">{sign} {what} {time}</p>{more}</div>'


def _headers(headers: Mapping[str, str]) -> str:
    if not headers:
        return ""
    rows = {name: _header(name, text) for name, text in list(headers.items())[:MAX_HEADERS]}
    return fold("headers", facts(rows))


def _header(name: str, text: str) -> str:
    steady = name.lower() in _STEADY or name.lower().startswith(_STEADY_PREFIXES)
    shown = line(text, MAX_URL)
    return _steady(shown) if steady else volatile(shown)


def _body(text: str, room: Room) -> str:
    if not text:
        return ""
    shown, rest = clip(clean(_json(text, 2)), room.body)
    return fold("body", f'<pre class="qk-code"><code class="language-json">{_steady(shown)}</code></pre>{note(rest)}')


def _json(text: str, indent: int | None) -> str:
    """Written so that lines can be broken between its words."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=indent)
    except (ValueError, RecursionError):
        return text[: MAX_BODY * 2]


def _steady(data: str) -> str:
    """Data as HTML with what passes marked."""
    parts, at = [], 0
    for found in _PASSING.finditer(data):
        begin = found.end("name") if found["name"] else found.start()
        parts += [escape(data[at:begin]), volatile(data[begin : found.end()])]
        at = found.end()
    return "".join([*parts, escape(data[at:])])


def _line(number: int, each: Exchange) -> str:
    outcome = str(each.status) if each.status is not None else "no answer"
    events = f", {_counted(each)}" if each.events else ""
    again = f" (attempt {each.attempt})" if each.attempt > 1 else ""
    failed = f", {line(each.error, MAX_URL)}" if each.error else ""
    told = portless(f"{number}  {each.method} {_path(each)}{again} → {outcome}{events}{failed}")
    return "\n".join([told, *(_frames(each) if each.status == _SWITCHED else ())])


def _frames(each: Exchange) -> list[str]:
    """What went through a socket, in plain text."""
    runs = _runs(each.events)
    told = [
        f"   {'→' if frame.sent else '←'} {line(_kind(frame), 80)}{f' × {n:,}' if n > 1 else ''}" for frame, n in runs
    ]
    return [*told[:MAX_EVENTS], *([f"   … {len(told) - MAX_EVENTS:,} more"] if len(told) > MAX_EVENTS else [])]
