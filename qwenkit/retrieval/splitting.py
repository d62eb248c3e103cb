"""A text in pieces of a size, cut at headings and between sentences, Chinese ones too.

A piece never spans two sections; `overlap` repeats the last sentences of the piece before. What has no sentence to cut
at is cut between tokens. `text[piece.start:piece.end] == piece.text`, always.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from qwenkit.catalogue import tokens
from qwenkit.errors import ConfigError
from qwenkit.protocol.options import Range

SIZE, OVERLAP, _LARGEST = 400, 40, 8000
_LONG = 1_000_000  # characters of a sentence that are cut at once: their tokens take fifty times the room
_HEADING = re.compile(r"^#{1,6} +(.+)$|^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,})(.*)$", re.MULTILINE)  # or a fence of code
_BREAK = re.compile(r"(?<=[.!?…])[\"”’')\]]*\s+|(?<=[。！？；])[”’」』）]*\s*|\n+")


class Piece(NamedTuple):
    """A piece of a text, where it stands, and the heading above it."""

    text: str
    start: int
    end: int
    title: str = ""


class _Unit(NamedTuple):
    start: int
    end: int
    tokens: int


def split(text: str, size: int = SIZE, overlap: int | None = None, title: str = "") -> list[Piece]:
    """The pieces of a text, of at most `size` tokens, in order.

    Each repeats at most `overlap` tokens of the piece before, 40 unless told, and has the heading it stands under, or
    else `title`.
    """
    for name, given in (("text", text), ("title", title)):
        if not isinstance(given, str):
            raise ConfigError(f"{name} cannot be {type(given).__name__}", hint="qk.split takes a text")
    size, overlap = cutting(size, overlap)
    pieces: list[Piece] = []
    for start, end, heading in _sections(text, title):
        pieces += _packed(text, _units(text, start, end, size), size, overlap, heading)
    return pieces


def cutting(size: int | None, overlap: int | None) -> tuple[int, int]:
    """How to split, with what is usual in place of None, if that can be done."""
    whole = SIZE if size is None else size
    Range(1, _LARGEST, whole=True).check("size", whole)
    again = min(OVERLAP, whole // 2) if overlap is None else overlap
    Range(0, (_LARGEST if size is None else whole) // 2, "at most half of size", whole=True).check("overlap", again)
    return whole, again


def _sections(text: str, title: str) -> Iterator[tuple[int, int, str]]:
    marks = [(0, title), *_headings(text), (len(text), "")]
    for (start, heading), (end, _) in pairwise(marks):
        if end > start:
            yield start, end, heading


def _headings(text: str) -> list[tuple[int, str]]:
    """Where headings stand. A # in fenced code is none; a fence that never ends fences nothing."""
    heads: list[tuple[int, str]] = []
    fence, before = "", 0  # the one that is open, and how many headings stand above it
    for found in _HEADING.finditer(text):
        heading, mark, rest = found.groups()
        if heading is not None:
            heads.append((found.start(), heading.strip()))
        elif not fence:
            fence, before = mark, len(heads)
        elif mark.startswith(fence) and not rest.strip():
            del heads[before:]
            fence = ""
    return heads


def _units(text: str, start: int, end: int, size: int) -> Iterator[_Unit]:
    """Sentences with what follows them, the long ones in parts."""
    at = start
    for cut in [*(found.end() for found in _BREAK.finditer(text, start, end)), end]:
        for stop in [*range(at + _LONG, cut, _LONG), cut]:
            parts = tokens.split(text[at:stop])
            for place in range(0, len(parts), size):
                some = parts[place : place + size]
                here, at = at, at + sum(map(len, some))
                yield _Unit(here, at, len(some))


def _packed(text: str, units: Iterator[_Unit], size: int, overlap: int, title: str) -> Iterator[Piece]:
    held: list[_Unit] = []
    total, fresh = 0, False  # tokens that are held
    for unit in units:
        if held and total + unit.tokens > size:
            if fresh:
                yield from _piece(text, held, title)
            held, fresh = _tail(held, min(overlap, size - unit.tokens)), False
            total = sum(each.tokens for each in held)
        held.append(unit)
        total, fresh = total + unit.tokens, True
    if fresh:
        yield from _piece(text, held, title)


def _tail(held: list[_Unit], most: int) -> list[_Unit]:
    kept: list[_Unit] = []
    for unit in reversed(held):
        most -= unit.tokens
        if most < 0:
            break
        kept.insert(0, unit)
    return kept


def _piece(text: str, held: list[_Unit], title: str) -> Iterator[Piece]:
    start, end = held[0].start, held[-1].end
    told = text[start:end]
    start, end = end - len(told.lstrip()), start + len(told.rstrip())
    if end > start:
        yield Piece(text[start:end], start, end, title)
