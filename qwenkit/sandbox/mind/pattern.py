"""A text that matches a regular expression, built by walking the expression's own parse tree."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]  # what the parser of this Python reads, its `re` reads
from typing import Any

from .check import matches

_MORE = 3  # an open repetition goes this far beyond its minimum
_PRINTABLE = string.ascii_lowercase + string.digits + string.ascii_uppercase + "-_ .,:;/@#!?"
_CLASSES = {
    op.CATEGORY_DIGIT: string.digits,
    op.CATEGORY_WORD: string.ascii_lowercase + string.digits,
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_DIGIT: string.ascii_lowercase,
    op.CATEGORY_NOT_WORD: " -.",
    op.CATEGORY_NOT_SPACE: string.ascii_lowercase + string.digits,
}


def text_for(pattern: str, low: int, high: float, salt: int = 0) -> str | None:
    """A matching text of `low` to `high` characters, another for another `salt`; None if none was found."""
    for attempt in _attempts(pattern, low, salt):
        if low <= len(attempt) <= high and matches(pattern, attempt):
            return attempt
    return None


def _attempts(pattern: str, low: int, salt: int) -> Iterator[str]:
    try:
        tree = _parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return
    for attempt in range(60):
        dice = random.Random(f"{salt}/{attempt}")
        built = _built(tree, dice, _MORE + (low if attempt % 2 else 0))
        yield built
        if not pattern.endswith("$"):
            yield built + "a" * (low - len(built))


def _built(tree: Any, dice: random.Random, more: int, groups: dict[int, str] | None = None) -> str:
    groups = {} if groups is None else groups
    return "".join(_node(code, given, dice, more, groups) for code, given in tree)


def _node(code: Any, given: Any, dice: random.Random, more: int, groups: dict[int, str]) -> str:
    if code is op.LITERAL:
        return chr(given)
    if code is op.NOT_LITERAL:
        return dice.choice([sign for sign in _PRINTABLE if sign != chr(given)])
    if code is op.ANY:
        return dice.choice(string.ascii_lowercase)
    if code is op.IN:
        return dice.choice(_members(given))
    if code is op.BRANCH:
        return _built(dice.choice(given[1]), dice, more, groups)
    if code is op.SUBPATTERN:
        groups[given[0] or 0] = _built(given[-1], dice, more, groups)
        return groups[given[0] or 0]
    if code is op.GROUPREF:
        return groups.get(given, "")
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        low, high, body = given
        times = dice.randint(low, min(int(high), low + more))
        return "".join(_built(body, dice, more, groups) for _ in range(min(times, 2000)))
    return _built(given, dice, more, groups) if code is op.ATOMIC_GROUP else ""  # anchors and look-arounds say nothing


def _members(given: Any) -> str:
    """The characters of a [class]; of a negated one, those of a printable alphabet that are not in it."""
    chosen = ""
    for code, value in given:
        if code is op.LITERAL:
            chosen += chr(value)
        elif code is op.RANGE:
            chosen += "".join(map(chr, range(value[0], min(value[1], value[0] + 200) + 1)))
        elif code is op.CATEGORY:
            chosen += _CLASSES.get(value, "a")
    if given[0][0] is op.NEGATE:
        return "".join(sign for sign in _PRINTABLE if sign not in chosen) or "\u00e9"
    return chosen or "a"
