"""Text that somebody else wrote, made safe to look at: the first step of every display.

A model, a server or a tool may send anything: terminal codes, invisible characters that turn a line around, half a
surrogate pair, a line of a megabyte. Here it becomes text that shows what it is and has an end. It knows no HTML.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence

# Terminal sequences: colours and cursor moves (CSI), titles and links (OSC and its kin), two-character escapes.
_ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-Z\\-~]"
)

# Characters that draw nothing and yet change what is read: control codes, direction overrides and isolates, halves of
# surrogate pairs, interlinear marks, and the tag characters that can carry a hidden message (but spell flags after 🏴).
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]"
    "|(?<![\U0001f3f4\U000e0000-\U000e007f])[\U000e0000-\U000e007f]+"
)
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")


def clean(text: str) -> str:
    """The text without terminal codes, with one kind of line end, and every unseen character spelled out."""
    return reveal(_ANSI.sub("", _LINE_ENDS.sub("\n", text)))


def reveal(text: str) -> str:
    """Unseen characters as ⟦U+202E⟧. Takes nothing away and adds nothing that HTML reads, so it may run on markup."""
    return _UNSEEN.sub(_spell, text)


def _spell(found: re.Match[str]) -> str:
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else f"⟦U+{ord(char):04X}⟧" for char in found[0])


def clip(text: str, chars: int, lines: int | None = None) -> tuple[str, str]:
    """The beginning of a text within both limits, and a note about the rest (empty when all of it fits)."""
    shown = text[:chars]
    if lines is not None and shown.count("\n") >= lines:
        shown = "\n".join(shown.split("\n", lines)[:lines])
    rest = text[len(shown) :]
    if not rest:
        return shown, ""
    more = rest.count("\n")
    return shown, f"… {more:,} more lines" if more else f"… {len(rest):,} more characters"


def line(text: str, chars: int) -> str:
    """The text on one line of at most `chars` characters."""
    flat = " ".join(clean(text[: chars * 4]).split())
    return flat if len(flat) <= chars and len(text) <= chars * 4 else flat[: chars - 1] + "…"


# Shorter JSON stays on one line.
ONE_LINE = 76


def pretty(data: str) -> str:
    """JSON text set out to be read: on one line when it fits, else indented. Anything else comes back as it is."""
    try:
        value = json.loads(data)
        flat = json.dumps(value, ensure_ascii=False)
        return flat if len(flat) <= ONE_LINE else json.dumps(value, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return data


def width(text: str) -> int:
    """Columns that a text takes in a terminal; Chinese and emoji take two."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def columns(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Rows as an aligned plain-text table; the columns in `right` are set flush right."""
    if not rows:
        return ""
    widths = [max(width(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(_row(row, widths, right) for row in rows)


def _row(row: Sequence[str], widths: list[int], right: frozenset[int]) -> str:
    cells = []
    for place, (cell, wide) in enumerate(zip(row, widths, strict=True)):
        gap = " " * (wide - width(cell))
        cells.append(gap + cell if place in right else cell + gap)
    return "  ".join(cells).rstrip()
