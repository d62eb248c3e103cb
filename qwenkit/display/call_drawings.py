"""What a call looks like over its seconds: both voices, its events lane by lane, and how long you waited.

When things happened differs from run to run, so every drawing here is marked, and so are the figures. What was measured
stands in a table too, for readers without pictures. Colours hold on light and dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from statistics import median
from typing import Any

from msgspec.structs import replace

from qwenkit.display.page import Bundle, escape, fold, head, note, page, table, volatile
from qwenkit.display.sound import clock, outlined, ticks
from qwenkit.display.text import line
from qwenkit.types.call import Call, Latency, Timeline
from qwenkit.types.track import Bar
from qwenkit.types.turn import Turn

MAX_MARKS = 60
MAX_BARS = 360
MAX_NAMES = 60
MAX_NAME = 80
MAX_TURNS = 40
MAX_DOTS = 400
WIDTH, WAITS = 720, 300
YOURS, ITS, WORDS, HEARD, BAD = "#4285d8", "#d9733a", "#8f7fd1", "#3f9a55", "#d32f2f"
# The rows of a timeline: lane, label, colour, how the names of its events begin. The first row that fits, has it.
ROWS = (
    ("client", "you send sound", YOURS, ("input_audio_buffer.append",)),
    ("client", "you send", "#2b97a5", ("",)),
    ("server", "it listens", YOURS, ("input_", "conversation.item.input_", "conversation.item.ambient_")),
    ("server", "it writes", WORDS, ("response.text", "response.audio_transcript", "response.function_call")),
    ("server", "it speaks", ITS, ("response.audio",)),
    ("server", "it does", "#808790", ("",)),
    ("you", "your voice", YOURS, ("",)),
    ("model", "its voice", ITS, ("",)),
)
# What you wait for, one after the other.
STAGES = {"first text": WORDS, "first audio": ITS, "heard": HEARD}


def _plot(label: str, width: int, height: int, inner: str, left: int = 0) -> str:
    """A drawing whose figures differ from run to run; `left` is the room for the names of its rows."""
    return (
        f'<svg class="qk-plot qk-volatile" role="img" aria-label="{escape(label)}" '
        f'viewBox="{-left} 0 {width} {height}" width="{width}" font-size="11" '
        f'style="max-width:100%;height:auto;display:block">{inner}</svg>'
    )


def _box(left: float, top: int, right: float, height: int, colour: str, told: str = "", opacity: str = "1") -> str:
    """A bar from one place to another, and what it says on hover."""
    wide, title = max(right - left, 1), f"<title>{escape(told)}</title>" if told else ""
    place = f'x="{left:.1f}" y="{top}" width="{wide:.1f}" height="{height}"'
    return f'<rect {place} fill="{colour}" fill-opacity="{opacity}">{title}</rect>'


# -- both voices -------------------------------------------------------------------------------------------------------


def voices(value: Call) -> str:
    """One above the other: what is speech, and where each turn begins. Nothing where there is no sound."""
    if value.duration <= 0:
        return ""
    left, top, half, columns = 48, 14, 30, 224
    width, lasts = WIDTH - left, value.duration
    found = zip(("you", "model"), (YOURS, ITS), value.outlines(columns), strict=True)
    shown = [each for each in found if (each[2].high > each[2].low).any()]
    scale, bottom = width / lasts, top + 2 * half * len(shown)
    parts = []
    for begin, end in value.speech[-MAX_MARKS:]:
        places = [max(at - value.begin, 0.0) * scale for at in (begin, min(end, value.begin + lasts))]
        parts.append(_box(places[0], top, places[1], 2 * half, YOURS, "heard as speech", ".14"))
    free = 0  # from here on a number covers none before it
    for turn in value.turns[-MAX_MARKS:]:
        at = round((value.place(turn.moments.began or 0.0) - value.begin) * scale)
        if 0 <= at <= width:
            said = f"<title>{escape(line(f'{turn.number}: {turn.user}', MAX_NAME))}</title>"
            parts.append(f'<path class="qk-tick" stroke="currentColor" d="M{at} 2V{bottom}"/>')
            if at >= free:
                parts.append(f'<text x="{at + 3}" y="10">{turn.number}{said}</text>')
                free = at + 4 + 7 * len(str(turn.number))
    for row, (name, colour, voice) in enumerate(shown):
        middle = top + half * (1 + 2 * row)
        drawn = outlined(voice, width, middle, half - 3, gaps=True)
        parts.append(f'<text x="{-left}" y="{middle + 4}">{name}</text>')
        parts.append(f'<path stroke="{colour}" stroke-width="2" fill="none" d="{drawn}"/>')
    told = f"Sound of {clock(lasts)}: your voice above, the model's below"
    return _plot(told, WIDTH, bottom + 16, "".join([*parts, ticks(lasts, width, bottom + 16)]), left)


# -- events by lane ----------------------------------------------------------------------------------------------------


def timeline(value: Timeline) -> Bundle:
    if not value.seconds:
        empty = "Nothing has happened yet."
        return {"text/plain": empty, "text/html": page("timeline", note(empty))}
    told = [f"{side}: {', '.join(sorted(found)[:MAX_NAMES])}" for side, found in value.counts.items() if found]
    html = page("timeline", head("Timeline", volatile(clock(value.seconds))), events(value), counts(value))
    return {"text/plain": "\n".join(["Timeline of a call", *told]), "text/html": html}


def events(value: Timeline) -> str:
    """A row for each kind, of each the newest bars; every bar says on hover what it is."""
    left, row_height = 92, 17
    width = WIDTH - left
    scale = width / max(value.seconds, 1e-9)
    rows: dict[Any, list[Bar]] = {row: [] for row in ROWS}
    for lane, bars in value.lanes.items():
        for bar in bars:
            rows[next(row for row in ROWS if row[0] == lane and bar.name.startswith(row[3]))].append(bar)
    parts: list[str] = []
    filled = [(row, found) for row, found in rows.items() if found]
    for place, ((_, label, colour, _), found) in enumerate(filled):
        top, high = place * row_height + 2, row_height - 4
        parts += [f'<text x="{-left}" y="{top + 10}">{label}</text>', _box(0, top, width, high, colour, opacity=".08")]
        for bar in _merged(found, 1.5 / scale):
            many = f" ×{bar.count:,}" if bar.count > 1 else ""
            shade = BAD if bar.name == "error" or bar.name.endswith(".failed") else colour
            right = max(bar.end * scale, bar.begin * scale + 2)
            told = f"{clock(bar.begin, True)} {line(bar.name, MAX_NAME)}{many}"
            parts.append(_box(bar.begin * scale, top, right, high, shade, told, ".75"))
    height = row_height * len(filled) + 20
    inner = "".join([*parts, ticks(value.seconds, width, height)])
    return _plot("Timeline of the call by lane", WIDTH, height, inner, left)


def _merged(bars: list[Bar], near: float) -> list[Bar]:
    """Bars of one name too close to be told apart are one; of too many, the newest."""
    kept: list[Bar] = []
    newest: dict[str, Bar] = {}
    for bar in bars:
        last = newest.get(bar.name)
        if last is not None and bar.begin - last.end <= near:
            last.end, last.count = max(last.end, bar.end), last.count + bar.count
        else:
            newest[bar.name] = replace(bar)
            kept.append(newest[bar.name])
    return kept[-MAX_BARS // len(ROWS) :]


def counts(value: Timeline) -> str:
    """How many events of each type, by side; folded."""
    told = [(side, name, many) for side, found in value.counts.items() for name, many in sorted(found.items())]
    rows = [(side, f"<code>{escape(line(name, MAX_NAME))}</code>", f"{many:,}") for side, name, many in told]
    figures = table(["from", "event", "how many"], rows[:MAX_NAMES], right=frozenset({2}))
    rest = note(f"… {len(told) - MAX_NAMES} more types" if len(told) > MAX_NAMES else "")
    return fold("Events by type", f'<div class="qk-volatile">{figures}{rest}</div>')


# -- how long you waited -----------------------------------------------------------------------------------------------


def waterfall(turns: Sequence[Turn]) -> str:
    """A row for each turn: a bar from the end of your part to each stage, and the milliseconds. Nothing unmeasured.

    Your part ends when an answer is asked for; of live speech with its last sound, else when silence was noticed.
    """
    waits = Latency.of(turns)
    found = zip(waits.numbers, zip(*waits.stages.values(), strict=True), strict=True)
    timed = [(number, times) for number, times in found if any(at is not None for at in times)]
    shown = timed[-MAX_TURNS:]
    if not shown:
        return ""
    longest = max(1.0, *(at for _, times in shown for at in times if at is not None))
    rows = [[str(number), _wait(number, times, WAITS / longest), *map(_ms, times)] for number, times in shown]
    rows.append(["", _plot("milliseconds", WAITS, 17, _axis(longest, WAITS, 17)), "", "", ""])
    heads = ["turn", "from the end of your turn, in ms", *STAGES]
    more = f"… {len(timed) - len(shown):,} earlier turns" if len(timed) > len(shown) else ""
    return f'<div class="qk-waits">{table(heads, rows, right=frozenset({2, 3, 4}))}</div>{note(more)}'


def _ms(value: float | None) -> str:
    return volatile(f"{value:,.0f}") if value is not None else "–"


def _wait(number: int, times: Sequence[float | None], scale: float) -> str:
    """A thin bar for each stage, one below the other; all turns have one scale."""
    found = enumerate(zip(times, STAGES, strict=True))
    known = [(row, at, f"{stage} after {at:,.0f} ms", STAGES[stage]) for row, (at, stage) in found if at is not None]
    bars = [_box(0, 4 * row + 1, at * scale, 3, colour, told) for row, at, told, colour in known]
    return _plot(f"Turn {number}: {', '.join(told for *_, told, _ in known)}", WAITS, 14, "".join(bars))


def _axis(longest: float, width: int, height: int) -> str:
    """Milliseconds along the lower edge, as SVG."""
    step = next(each for power in count() for each in (10**power, 2 * 10**power, 5 * 10**power) if longest / each <= 5)
    places = [(at, round(at / longest * width)) for at in range(0, int(longest) + 1, step)]
    lines = "".join(f"M{x} {height - 14}v3" for _, x in places)
    texts = "".join(f'<text x="{x + 2}" y="{height - 3}">{at:,}</text>' for at, x in places if x < width - 30)
    return f'<path class="qk-tick" stroke="currentColor" d="{lines}"/>{texts}'


def latency(value: Latency) -> Bundle:
    """A dot for each turn, a line at the median, stage by stage; and the least, the median and the most as figures."""
    stages: dict[str, list[tuple[int, float]]] = {}
    for name in STAGES:
        pairs = zip(value.numbers, value.stages.get(name, []), strict=False)
        if known := [(number, at) for number, at in pairs if at is not None]:
            stages[name] = known[-MAX_DOTS:]
    if not stages:
        empty = "No turn was answered yet."
        return {"text/plain": empty, "text/html": page("latency", note(empty))}
    spread = {name: [of([at for _, at in found]) for of in (min, median, max)] for name, found in stages.items()}
    named = {name: f'<span style="color:{STAGES[name]}">●</span> {name}' for name in stages}
    rows = [[named[name], *map(_ms, figures)] for name, figures in spread.items()]
    figures = table(["ms from the end of your turn", "least", "median", "most"], rows, right=frozenset({1, 2, 3}))
    turns = f"{len(value.numbers):,} turn{'s' * (len(value.numbers) != 1)}"
    dots = _dots(stages, {name: middle for name, (_, middle, _) in spread.items()})
    html = page("latency", head("Latency", turns), dots, figures)
    return {"text/plain": f"Latency of {turns}: {', '.join(stages)}", "text/html": html}


def _dots(stages: dict[str, list[tuple[int, float]]], medians: dict[str, float]) -> str:
    width, room, left = 600, 34, 76
    longest = max(1.0, *(at * 1.05 for found in stages.values() for _, at in found))
    scale, height, parts = (width - left) / longest, room * len(stages) + 18, []
    for row, (name, found) in enumerate(stages.items()):
        middle, colour = row * room + room // 2, STAGES[name]
        half = f'stroke="{colour}" stroke-width="2" d="M{medians[name] * scale:.1f} {middle - 11}v22"'
        parts.append(f'<text x="{-left}" y="{middle + 4}">{name}</text><path {half}><title>median</title></path>')
        for number, at in found:
            place = f'cx="{at * scale:.1f}" cy="{middle}" r="4" fill="{colour}" fill-opacity=".6"'
            parts.append(f"<circle {place}><title>turn {number}: {at:,.0f} ms</title></circle>")
    inner = "".join([*parts, _axis(longest, width - left, height)])
    return _plot(f"Latency of each turn, by stage: {', '.join(stages)}", width, height, inner, left)
