"""Two JSON schemas as one that asks for both: how allOf, references and branches become a single dict."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .check import Schema, same, types
from .scalars import common, plain

_MOST_BRANCHES = 30


def merged(left: Schema, right: Schema) -> Schema:
    both = {**right, **left}
    for name in left.keys() & right.keys():
        rule = _RULES.get(name)
        both[name] = rule(left[name], right[name]) if rule else left[name]
    return both


def _types(left: Any, right: Any) -> list[str]:
    ours, theirs = types({"type": left}), types({"type": right})
    kept = [kind for kind in ours if kind in theirs or (kind == "integer" and "number" in theirs)]
    return kept or (["integer"] if "integer" in theirs else ours)


def _items(left: Any, right: Any) -> Any:
    return False if False in (left, right) else {"allOf": [left, right]}


def _properties(left: Schema, right: Schema) -> Schema:
    return {**right, **left} | {key: {"allOf": [left[key], right[key]]} for key in left.keys() & right.keys()}


def _branches(left: list[Any], right: list[Any]) -> list[Any]:
    return [{"allOf": [ours, theirs]} for ours in left for theirs in right][:_MOST_BRANCHES]


_RULES: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
    "type": _types,
    "enum": lambda left, right: [each for each in left if any(same(each, other) for other in right)],
    "required": lambda left, right: list(dict.fromkeys([*left, *right])),
    "multipleOf": lambda left, right: plain(common(Fraction(str(left)), Fraction(str(right)))),
    "uniqueItems": lambda left, right: left or right,
    "properties": _properties,
    "items": _items,
    "additionalProperties": _items,
    "anyOf": _branches,
    "oneOf": _branches,
}
