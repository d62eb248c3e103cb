"""Markdown that is still being written: what is finished is rendered once, only the open end again and again.

A block is finished when a blank line follows it and the next line opens something new at the margin: then nothing that
comes later can change it. An open fence, formula or list is not finished, and is drawn as far as it goes. The drawing
of a running answer is thus cheap and nearly right; the last drawing renders the whole text and is right.
"""

from __future__ import annotations

import re

from qwenkit.display.markdown import MAX_CHARS, markdown
from qwenkit.display.page import note
from qwenkit.display.rounds import body, thinking
from qwenkit.types.reply import Choice

# A line that cannot belong to the list, quote or table before it: it starts at the margin and with none of their signs.
_FRESH = re.compile(r"[^\s*+>|\d-]|\*\*\S")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_FORMULAS = {"$$": "$$", r"\[": r"\]"}


class Growing:
    """One text as it grows. `html` takes the whole text so far and does only the work that is new."""

    def __init__(self) -> None:
        self._done = ""
        self._seen = 0

    def html(self, text: str) -> str:
        tail = text[self._seen :]
        cut = finished(tail) if self._seen < MAX_CHARS else 0
        if cut:
            self._done += markdown(tail[:cut])
            self._seen += cut
            tail = tail[cut:]
        if self._seen >= MAX_CHARS:
            return self._done + note(f"… {len(tail):,} more characters")
        return self._done + (markdown(tail, chars=MAX_CHARS - self._seen) if tail else "")


class Draft:
    """One choice as it grows. Its thinking stands open until the answer begins."""

    def __init__(self) -> None:
        self._thinking = Growing()
        self._text = Growing()

    def html(self, choice: Choice) -> str:
        thought = self._thinking.html(choice.thinking)
        return thinking(thought, open=not choice.text) + body(self._text.html(choice.text))


def finished(text: str) -> int:
    """How far from its start the text is finished: a position after a blank line, or 0."""
    if "\n\n" not in text:
        return 0
    cut = at = 0
    close, blank = "", False
    for row in text.split("\n"):
        if blank and not close and _FRESH.match(row):
            cut = at
        close = _after(row, close)
        blank = not row.strip()
        at += len(row) + 1
    return cut


def _after(row: str, close: str) -> str:
    """What still has to close after this line: a fence, a formula, or nothing."""
    fence = _FENCE.match(row)
    if close:
        shut = row.strip().startswith(close) if close[0] in "`~" else close in row
        return "" if shut else close
    if fence:
        return fence[1]
    start = row.strip()[:2]
    open_formula = start in _FORMULAS and _FORMULAS[start] not in row.strip()[2:]
    return _FORMULAS[start] if open_formula else ""
