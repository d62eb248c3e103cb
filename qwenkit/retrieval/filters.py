"""`where={…}`: which chunks a search looks at, checked once and told each engine in its own words.

A value stands for itself, a list for any of its values, and `{"gte": …, "lt": …}` for a range of numbers or of dates.
`document` and `title` are the chunk's own; any other name is a key of `meta`, whose lists match by any element.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from qwenkit.errors import ConfigError

OWN = ("document", "title")
BOUNDS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
_HINT = 'such as {"document": "a.md"}, {"topic": ["tides", "bread"]}, {"year": {"gte": 2024}}'


class Test(NamedTuple):
    """One condition: the value is any of `values`, or lies within `bounds` (by `gte`, `gt`, `lte`, `lt`)."""

    field: str
    values: list[Any]
    bounds: dict[str, Any]


def tests(where: Any) -> list[Test]:
    """The conditions of a filter, all of which must hold."""
    if where is None:
        return []
    if not isinstance(where, Mapping):
        raise ConfigError(f"where cannot be {type(where).__name__}", hint=f"it is a dict, {_HINT}")
    return [_test(str(field), wanted) for field, wanted in where.items()]


def _test(field: str, wanted: Any) -> Test:
    if isinstance(wanted, Mapping):
        bounds = dict(wanted)
        kinds = {str if isinstance(each, str) else float if _number(each) else None for each in bounds.values()}
        if not bounds or not bounds.keys() <= BOUNDS.keys() or len(kinds) != 1 or None in kinds:
            hint = "a range has gte, gt, lte or lt, each a number, or each a date as text"
            raise ConfigError(f"where[{field!r}] cannot be {wanted!r:.80}", hint=hint)
        return Test(field, [], bounds)
    values = list(wanted) if isinstance(wanted, list | tuple | set | frozenset) else [wanted]
    if not values or not all(isinstance(each, str | bool) or _number(each) for each in values):
        raise ConfigError(f"where[{field!r}] cannot be {wanted!r:.80}", hint=f"texts, numbers or a range, {_HINT}")
    return Test(field, values, {})


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
