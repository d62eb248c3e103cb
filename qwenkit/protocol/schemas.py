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

_DEEPEST = 100
_SHOWN = 60


class Misfit(NamedTuple):
    """Where a value does not fit, and what was expected there."""

    path: str
    expected: str

    def __str__(self) -> str:
        return f"at {self.path}: {self.expected}"


def misfit(value: Any, schema: Any, *, root: Any = None) -> Misfit | None:
    """The first thing that does not fit, None when all does."""
    return next(_misfits(value, schema, schema if root is None else root, "$", 0), None)


def _misfits(value: Any, schema: Any, root: Any, path: str, depth: int) -> Iterator[Misfit]:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        if schema is False:
            yield Misfit(path, "nothing is allowed here")
        return
    if "$ref" in schema:
        yield from _misfits(value, target(schema["$ref"], root), root, path, depth + 1)
    said = next((text for test in _SAID if (text := test(value, schema))), "")
    if said:
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
    "number": lambda value: _is_number(value),
    "integer": lambda value: _is_number(value) and value == math.floor(value),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _type(value: Any, schema: Mapping[str, Any]) -> str:
    given = schema.get("type", ())
    names = [given] if isinstance(given, str) else list(given)
    if not names or any(_KINDS.get(name, lambda _: True)(value) for name in names):
        return ""
    return f"expected {' or '.join(map(str, names))}"


def _choice(value: Any, schema: Mapping[str, Any]) -> str:
    if "const" in schema and not _same(value, schema["const"]):
        return f"expected {_shown(schema['const'])}"
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        return f"expected one of {_shown(schema['enum'])}"
    return ""


def _pattern(value: Any, schema: Mapping[str, Any]) -> str:
    pattern = schema.get("pattern")
    try:
        fits = not isinstance(pattern, str) or not isinstance(value, str) or re.search(pattern, value)
    except re.error:  # written for another engine
        fits = True
    return "" if fits else f"expected text that matches {pattern}"


def _step_of(value: Any, schema: Mapping[str, Any]) -> str:
    step = schema.get("multipleOf")
    if not step or not _is_number(value) or not Fraction(str(value)) % Fraction(str(step)):
        return ""
    return f"expected a multiple of {step}"


def _unique(value: Any, schema: Mapping[str, Any]) -> str:
    if not schema.get("uniqueItems") or not isinstance(value, list):
        return ""
    return "" if len(set(map(_canonical, value))) == len(value) else "expected items that differ"


def _bounds(value: Any, schema: Mapping[str, Any]) -> str:
    for measure, name, fits, words in _BOUNDS:
        bound = schema.get(name)
        size = measure(value)
        if size is not None and _is_number(bound) and not fits(size, bound):
            return f"expected {words.format(bound)}"
    return ""


def _number(value: Any) -> Any:
    return value if _is_number(value) else None


def _length(kind: Any) -> Callable[[Any], int | None]:
    return lambda value: len(value) if isinstance(value, kind) else None


_BOUNDS: tuple[tuple[Callable[[Any], Any], str, Callable[[Any, Any], bool], str], ...] = (
    (_number, "minimum", lambda size, bound: size >= bound, "at least {}"),
    (_number, "maximum", lambda size, bound: size <= bound, "at most {}"),
    (_number, "exclusiveMinimum", lambda size, bound: size > bound, "more than {}"),
    (_number, "exclusiveMaximum", lambda size, bound: size < bound, "less than {}"),
    (_length(str), "minLength", lambda size, bound: size >= bound, "at least {} characters"),
    (_length(str), "maxLength", lambda size, bound: size <= bound, "at most {} characters"),
    (_length(list), "minItems", lambda size, bound: size >= bound, "at least {} items"),
    (_length(list), "maxItems", lambda size, bound: size <= bound, "at most {} items"),
    (_length(dict), "minProperties", lambda size, bound: size >= bound, "at least {} fields"),
    (_length(dict), "maxProperties", lambda size, bound: size <= bound, "at most {} fields"),
)
_SAID = (_type, _choice, _bounds, _pattern, _step_of, _unique)


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
