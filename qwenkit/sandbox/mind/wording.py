"""How things are said: a weighted grammar per language, kept as data so that faculties hold ideas and no sentences.

A data file maps a rule to its alternatives, best first. An alternative may begin with a weight (`4| …`) and may hold
slots: `{value}` is filled by the faculty if it gave one, else it names another rule. `book("en")("sum",
value="391")` is a part that unfolds into those alternatives; nothing is chosen until the sampler draws it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

from .library import load
from .weave import Part, Parts, led

Slots: TypeAlias = Mapping[str, "Part | Parts | int"]
_SLOT = re.compile(r"\{([A-Za-z_.0-9]+)\}")
_WEIGHT = re.compile(r"([\d.]+)\| ?")
Option: TypeAlias = tuple[float, list[str]]


@cache
def book(language: str) -> Book:
    return Book(language, {**load(f"wording.{language}"), **load(f"creative.{language}")})


@dataclass(frozen=True)
class Rule:
    """A grammar rule with the slots it was given; unfolds into its alternatives."""

    book: Book
    name: str
    slots: Slots

    def unfold(self, said: str) -> Iterable[tuple[float, Parts]]:
        return [(weight, self._filled(pieces)) for weight, pieces in self.book.options(self.name)]

    def _filled(self, pieces: list[str]) -> Parts:
        """Pieces alternate between words and slot names; a space before a slot belongs to what fills it."""
        parts: list[Part] = []
        lead = ""
        for at, piece in enumerate(pieces):
            if at % 2:
                parts += led(lead, self._slot(piece))
                lead = ""
            else:
                words = piece.rstrip(" ") if at + 1 < len(pieces) else piece
                lead = piece[len(words) :]
                parts.append(words)
        return tuple(part for part in parts if part != "")

    def _slot(self, name: str) -> Parts:
        if name not in self.slots:
            return (Rule(self.book, name, self.slots),)
        value = self.slots[name]
        return value if isinstance(value, tuple) else (str(value) if isinstance(value, int) else value,)


@dataclass(frozen=True)
class Book:
    """All rules of one language."""

    language: str
    rules: Mapping[str, str | list[str]]
    _cut: dict[str, list[Option]] = field(default_factory=dict, compare=False)

    def __call__(self, name: str, /, **slots: Part | Parts | int) -> Part:
        return Rule(self, name, slots)

    def first(self, name: str) -> str:
        """The plain words of a rule's first alternative."""
        return self.options(name)[0][1][0]

    def __contains__(self, name: str) -> bool:
        return name in self.rules

    def options(self, name: str) -> list[Option]:
        if name not in self._cut:
            given = self.rules[name]
            self._cut[name] = [_option(text) for text in ([given] if isinstance(given, str) else given)]
        return self._cut[name]


def _option(text: str) -> Option:
    weight = _WEIGHT.match(text)
    return (float(weight[1]), _SLOT.split(text[weight.end() :])) if weight else (1.0, _SLOT.split(text))
