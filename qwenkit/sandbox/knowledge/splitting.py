"""A document in chunks: by its headings, by length, by pages, by one level of headings, or where an expression matches.

Sizes are tokens. A chunk ends between sentences; one that grows out of another begins with what the settings let
overlap. The smart way, which is the usual one, begins a chunk at every heading. Modes that follow the document cut only
what is longer than a chunk may be at all. A table repeats its row of titles, or is cut into rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from qwenkit.catalogue import tokens
from qwenkit.sandbox.knowledge.limits import expression
from qwenkit.sandbox.knowledge.values import Settings

LONGEST = 6000
_LONGEST_PART = 1000  # characters of a sentence that is looked at as a whole
_GAP = re.compile(r"\n(?:[ \t\r]*+\n){2,}")
_HEADING = re.compile(r"(#{1,6}) +(.{1,200})")
_SENTENCE = re.compile(r"(?:[^.!?。！？；]++|[.!?](?!\s|$))*+[.!?。！？；]*+[”\"’」）)\s]*+")
_TABLES = ("csv", "xlsx", "xlsm")


class Piece(NamedTuple):
    """One chunk: what it says, the headings it stands under, its page, 0 where there are none, and its cells by
    column where it is a row."""

    text: str
    headings: str = ""
    page: int = 0
    cells: Mapping[str, str] = {}


class _Part(NamedTuple):
    """A sentence, or a heading of a level."""

    text: str
    tokens: int
    page: int
    level: int
    headings: str


def split(text: str, ending: str, settings: Settings) -> Iterator[Piece]:
    """The chunks of a text whose pages are set apart by form feeds."""
    if ending in _TABLES and (settings.headers or settings.structure == "structured"):
        yield from _table(text, settings)
        return
    free = settings.mode in ("", "length")
    size, overlap = (settings.size, settings.overlap or 0) if free else (LONGEST, 0)
    for section in _cut(text, settings.separator) if settings.mode == "regex" else [text]:
        yield from _packed(_parts(section), size, overlap, _starts(settings.mode))


def _cut(text: str, pattern: str) -> Iterator[str]:
    place = 0
    for found in expression(pattern, "Separator").finditer(text):
        if found.end() > found.start():
            yield text[place : found.start()]
            place = found.end()
    yield text[place:]


def _starts(mode: str) -> Callable[[_Part, _Part], bool]:
    """Whether a chunk begins between two parts, whatever its size."""
    if mode == "page":
        return lambda one, other: one.page != other.page
    if mode == "" or mode[0] == "h":
        deepest = int(mode[1:] or 6)
        return lambda one, other: 0 < other.level <= deepest and not 0 < one.level < other.level
    return lambda one, other: False


def _parts(text: str) -> Iterator[_Part]:
    """Headings, and the sentences of each line."""
    path: list[tuple[int, str]] = []
    told = ""
    pages = text.split("\f")
    for number, page in enumerate(pages, 1):
        for line in _GAP.sub("\n\n", f"{page}\n\n").splitlines(keepends=True):
            level = 0
            if heading := _HEADING.match(line):
                level = len(heading[1])
                path = [*(each for each in path if each[0] < level), (level, heading[2].strip())]
                told = " > ".join(title for _, title in path)
            for sentence in [line] if level else _SENTENCE.findall(line):
                for at in range(0, len(sentence), _LONGEST_PART):
                    part = sentence[at : at + _LONGEST_PART]
                    yield _Part(part, tokens.count(part), number * (len(pages) > 1), level * (not at), told)


def _packed(parts: Iterator[_Part], size: int, overlap: int, starts: Callable[[_Part, _Part], bool]) -> Iterator[Piece]:
    held: list[_Part] = []
    count, last, fresh = 0, None, False  # tokens held; the last part with words, and whether no chunk has it yet
    for part in (small for whole in parts for small in _small(whole, size)):
        begins = last is not None and starts(last, part)
        if fresh and (begins or count + part.tokens > size):
            yield _piece(held)
            held = [] if begins else _tail(held, min(overlap, size - part.tokens))
            count, fresh = sum(each.tokens for each in held), False
        held.append(part)
        count += part.tokens
        if part.text.strip():
            last, fresh = part, True
    if fresh:
        yield _piece(held)


def _small(part: _Part, size: int) -> Iterator[_Part]:
    """A part that no chunk could hold is cut by tokens."""
    if part.tokens <= size:
        yield part
        return
    pieces = tokens.split(part.text)
    for at in range(0, len(pieces), size):
        some = pieces[at : at + size]
        yield part._replace(text="".join(some), tokens=len(some), level=part.level * (not at))


def _tail(held: list[_Part], overlap: int) -> list[_Part]:
    """The last sentences of a chunk, as many as may come again in the next."""
    first = len(held)
    while first and overlap >= held[first - 1].tokens:
        first -= 1
        overlap -= held[first].tokens
    return held[first:]


def _piece(held: list[_Part]) -> Piece:
    said = [part for part in held if part.text.strip()]
    body = next((part for part in said if not part.level), said[-1])
    return Piece("".join(part.text for part in held).strip(), body.headings, said[0].page)


def _table(text: str, settings: Settings) -> Iterator[Piece]:
    """Each sheet below its row of titles: row by row where it is structured, else as many as fit."""
    sheet = ""
    for block in text.replace("\f", "\n\n").split("\n\n"):
        names, *rows = [line for line in block.splitlines() if line.strip()] or [""]
        if not rows:
            sheet = names
        elif settings.structure == "structured":
            for row in rows:
                cells = dict(zip(names.split(" | "), row.split(" | "), strict=False))
                yield Piece("\n".join(f"{name}: {cell}" for name, cell in cells.items()), sheet, 0, cells)
        else:
            parts = (_Part(f"{row}\n", tokens.count(row) + 1, 0, 0, sheet) for row in rows)
            for piece in _packed(parts, max(settings.size - tokens.count(names), 1), 0, _starts("length")):
                yield piece._replace(text=f"{names}\n{piece.text}")
