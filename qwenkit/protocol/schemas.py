"""Does a value fit a JSON schema? The documented subset, and one exact line about the first thing that does not.

Read as the standard says: a keyword speaks only about values of its own type, unknown keywords and formats say nothing.
`misfit` gives the place as a path from the root, `$.guests[2].age`, and what was expected there.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

from qwenkit.errors import ConfigError

_DEEPEST = 100
_SHOWN = 60


class Misfit(NamedTuple):
    """Where a value does not fit, and what was expected there."""

    path: str
    expected: str

    def __str__(self) -> str:
        return f"at {self.path}: {self.expected}"


def misfit(value: Any, schema: Any) -> Misfit | None:
    """The first thing that does not fit, None when all does."""
    try:
        return next(_misfits(value, schema, schema, "$", 0), None)
    except (TypeError, AttributeError) as odd:
        raise ConfigError(f"the schema is no JSON schema ({odd})", hint="or pass a type, and let it be made") from odd


def _misfits(value: Any, schema: Any, root: Any, path: str, depth: int) -> Iterator[Misfit]:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        if schema is False:
            yield Misfit(path, "nothing is allowed here")
        return
    if "$ref" in schema:
        yield from _misfits(value, target(schema["$ref"], root), root, path, depth + 1)
    if said := _said(value, schema):
        yield Misfit(path, f"{said}, got {_shown(value)}")
        return
    yield from _branches(value, schema, root, path, depth)
    if isinstance(value, list):
        yield from _items(value, schema, root, path, depth)
    if isinstance(value, dict):
        yield from _fields(value, schema, root, path, depth)


def _branches(value: Any, schema: Mapping[str, Any], root: Any, path: str, depth: int) -> Iterator[Misfit]:
    def first(branch: Any) -> Misfit | None:
        return next(_misfits(value, branch, root, path, depth + 1), None)

    for branch in schema.get("allOf", ()):
        yield from _misfits(value, branch, root, path, depth + 1)
    found = [first(branch) for branch in schema.get("anyOf", ())]
    if found and None not in found:
        yield max((each for each in found if each), key=lambda each: len(each.path))  # the branch that came furthest
    fitting = [first(branch) for branch in schema.get("oneOf", ())].count(None)
    if "oneOf" in schema and fitting != 1:
        yield Misfit(path, f"expected exactly one of {len(schema['oneOf'])} shapes, {fitting} fit {_shown(value)}")
    if "not" in schema and first(schema["not"]) is None:
        yield Misfit(path, f"{_shown(value)} is what it must not be")


def _items(value: list[Any], schema: Mapping[str, Any], root: Any, path: str, depth: int) -> Iterator[Misfit]:
    prefix = schema.get("prefixItems", ())
    for at, item in enumerate(value):
        rule = prefix[at] if at < len(prefix) else schema.get("items", True)
        yield from _misfits(item, rule, root, f"{path}[{at}]", depth + 1)


def _fields(value: dict[str, Any], schema: Mapping[str, Any], root: Any, path: str, depth: int) -> Iterator[Misfit]:
    known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield Misfit(path, f"the field {name!r} is missing")
    for name, item in value.items():
        if name not in known and other is False:
            yield Misfit(path, f"the field {name!r} is not in the schema")
        else:
            yield from _misfits(item, known.get(name, other), root, _step(path, name), depth + 1)


def target(ref: Any, root: Any) -> Any:
    """What a local reference (`#/$defs/Node`) points to; True, which allows anything, if it leads nowhere."""
    node = root
    for step in filter(None, str(ref).removeprefix("#").split("/")):
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, Mapping) and key in node:
            node = node[key]
        else:
            return True
    return node


def _step(path: str, name: str) -> str:
    return f"{path}.{name}" if name.isidentifier() else f"{path}[{json.dumps(name, ensure_ascii=False)}]"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


# -- what one value must be, whatever is inside it ------------------------------------------------------------------

_KINDS: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value),
    "integer": lambda value: _KINDS["number"](value) and value == math.floor(value),
}


def _is_one(value: Any, names: Any) -> bool:
    given = [names] if isinstance(names, str) else list(names)
    return not given or any(_KINDS.get(name, lambda _: True)(value) for name in given)


def _matches(value: str, pattern: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # written for another engine
        return True


def _differ(items: list[Any]) -> bool:
    return len(set(map(_canonical, items))) == len(items)


# A keyword, the type of value it speaks about, whether a value obeys it, and what to say when not.
_RULES: tuple[tuple[str, str, Callable[[Any, Any], bool], str], ...] = (
    ("type", "", _is_one, "{}"),
    ("const", "", lambda value, only: _same(value, only), "{}"),
    ("enum", "", lambda value, each: any(_same(value, one) for one in each), "one of {}"),
    ("minimum", "number", lambda value, bound: value >= bound, "at least {}"),
    ("maximum", "number", lambda value, bound: value <= bound, "at most {}"),
    ("exclusiveMinimum", "number", lambda value, bound: value > bound, "more than {}"),
    ("exclusiveMaximum", "number", lambda value, bound: value < bound, "less than {}"),
    ("minLength", "string", lambda value, bound: len(value) >= bound, "at least {} characters"),
    ("maxLength", "string", lambda value, bound: len(value) <= bound, "at most {} characters"),
    ("minItems", "array", lambda value, bound: len(value) >= bound, "at least {} items"),
    ("maxItems", "array", lambda value, bound: len(value) <= bound, "at most {} items"),
    ("minProperties", "object", lambda value, bound: len(value) >= bound, "at least {} fields"),
    ("maxProperties", "object", lambda value, bound: len(value) <= bound, "at most {} fields"),
    ("pattern", "string", _matches, "text that matches {}"),
    ("multipleOf", "number", lambda value, step: not Fraction(str(value)) % Fraction(str(step)), "a multiple of {}"),
    ("uniqueItems", "array", lambda value, on: not on or _differ(value), "items that differ"),
)


def _said(value: Any, schema: Mapping[str, Any]) -> str:
    """What the first rule that the value breaks expects; a rule that makes no sense says nothing."""
    for keyword, kind, obeys, words in _RULES:
        if keyword not in schema or not (kind == "" or _KINDS[kind](value)):
            continue
        bound = schema[keyword]
        try:
            fits = obeys(value, bound)
        except (TypeError, ValueError, ArithmeticError):
            continue
        if not fits:
            shown = bound if keyword == "pattern" else _shown(bound)
            if keyword == "type":
                shown = " or ".join([bound] if isinstance(bound, str) else map(str, bound))
            return f"expected {words.format(shown)}"
    return ""


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON: true is not 1, but 1.0 is."""
    return _canonical(left) == _canonical(right)


def _canonical(value: Any) -> str:
    def plain(each: Any) -> Any:
        if isinstance(each, dict):
            return {key: plain(item) for key, item in each.items()}
        if isinstance(each, list):
            return [plain(item) for item in each]
        return int(each) if isinstance(each, float) and each.is_integer() else each

    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False)
