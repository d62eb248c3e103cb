"""Search filters: groups of conditions, every one of which a chunk must fit.

A value is wanted as it is, as one of a list, in a range, not at all, or like a pattern; it may come as JSON written
into a string, because the official SDK has nothing but strings for it. Groups may be alternatives, as in the RAG API.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from qwenkit.sandbox.knowledge.limits import of_index

LARGEST = 80_000  # bytes
_DEEPEST = 8
_RANGES = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def check(filters: Sequence[Any]) -> list[Any]:
    """The groups with what was written into strings read; refused if one is no group or has an unknown operator."""
    size = len(json.dumps(filters, ensure_ascii=False, default=str).encode("utf-8", "replace"))
    of_index(size <= LARGEST, "SearchFilters", f"They may have {LARGEST} bytes.")
    groups = [_native(group) for group in filters]
    for group in groups:
        fits(group, {})
    return groups


def fits(group: Any, facts: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether what is known of a chunk fits one group. Everything is looked at, so that every mistake is found."""
    of_index(isinstance(group, Mapping) and depth < _DEEPEST, "SearchFilters", "It is a list of objects.")
    if "_conditions" not in group:
        return False not in [_meets(facts.get(key), _native(wanted)) for key, wanted in group.items()]
    of_index(isinstance(group["_conditions"], list), "SearchFilters", "_conditions is a list.")
    told = [fits(_native(each), facts, depth + 1) for each in group["_conditions"]]
    return any(told) if str(group.get("_operator")).upper() == "OR" else all(told)


def _native(value: Any) -> Any:
    """JSON that was written into a string."""
    try:
        return json.loads(value) if isinstance(value, str) and value.strip()[:1] in ("[", "{") else value
    except (ValueError, RecursionError):
        return value


def _meets(has: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_meets(has, each) for each in wanted if not isinstance(each, list | dict))
    if isinstance(wanted, Mapping):
        return bool(wanted) and False not in [_operates(has, str(name), asked) for name, asked in wanted.items()]
    return any(_same(each, wanted) for each in (has if isinstance(has, list) else [has]))


def _operates(has: Any, name: str, asked: Any) -> bool:
    if name in ("eq", "neq"):
        of_index(not isinstance(asked, Mapping), "SearchFilters", f"{name} takes a value.")
        return _meets(has, asked) == (name == "eq")
    if name == "like":
        return isinstance(has, str) and _like(has, str(asked))
    number, bound = _number(has), _number(asked)
    of_index(
        name in _RANGES and bound is not None, "SearchFilters", f"{name[:40]!r} is no operator, or takes a number."
    )
    return number is not None and bound is not None and bool(_RANGES[name](number, bound))


def _same(one: Any, other: Any) -> bool:
    """Numbers may come as text."""
    number = _number(one)
    return one is not None and (str(one) == str(other) or (number is not None and number == _number(other)))


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _like(text: str, pattern: str) -> bool:
    """Whether a text is what a pattern says, `%` standing for anything."""
    first, *rest = pattern.split("%")
    if not rest or not text.startswith(first):
        return text == pattern
    place = len(first)
    for part in rest[:-1]:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return text.endswith(rest[-1]) and len(text) - len(rest[-1]) >= place
