"""Does a value satisfy a JSON schema? The subset the mind can fill: it never hands out what it did not check."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from typing import Any

Schema = dict[str, Any]
_TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool}
_TYPES |= {"number": (int, float), "null": type(None)}
_DEEPEST = 60
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
_FORMS = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "date-time": re.compile(rf"\d{{4}}-\d\d-\d\d[Tt ]{_CLOCK}(?:[Zz]|[+-]\d\d:\d\d)"),
    "time": re.compile(rf"{_CLOCK}(?:[Zz]|[+-]\d\d:\d\d)?"),
    "email": re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+"),
    "uri": re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+"),
    "uuid": re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "ipv4": re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}"),
}


def types(schema: Schema) -> list[str]:
    given = schema.get("type", [])
    return [given] if isinstance(given, str) else list(given)


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: true is not 1, but 1.0 is."""
    return canonical(left) == canonical(right)


def canonical(value: Any) -> str:
    def plain(each: Any) -> Any:
        if isinstance(each, dict):
            return {key: plain(item) for key, item in each.items()}
        if isinstance(each, list):
            return [plain(item) for item in each]
        return int(each) if isinstance(each, float) and each.is_integer() else each

    return json.dumps(plain(value), sort_keys=True, ensure_ascii=False)


def target(ref: Any, root: Any) -> Any:
    """What a local reference (#/$defs/node) points to; True, which allows anything, if it leads nowhere."""
    node = root
    for step in str(ref).removeprefix("#").strip("/").split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if not key:
            continue
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            return True
    return node


def valid(value: Any, schema: Any, root: Any, depth: int = 0) -> bool:
    if not isinstance(schema, dict):
        return schema is not False
    if depth > _DEEPEST:
        return False

    def fits(part: Any) -> bool:
        return valid(value, part, root, depth + 1)

    return (
        ("$ref" not in schema or fits(target(schema["$ref"], root)))
        and (not types(schema) or any(_is(value, name) for name in types(schema)))
        and ("const" not in schema or same(value, schema["const"]))
        and ("enum" not in schema or any(same(value, each) for each in schema["enum"]))
        and all(map(fits, schema.get("allOf", ())))
        and ("anyOf" not in schema or any(map(fits, schema["anyOf"])))
        and ("oneOf" not in schema or sum(map(fits, schema["oneOf"])) == 1)
        and ("not" not in schema or not fits(schema["not"]))
        and _shape(value, schema, root, depth)
    )


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int | float) and float(value).is_integer()
    return isinstance(value, _TYPES.get(kind, object))


def _shape(value: Any, schema: Schema, root: Any, depth: int) -> bool:
    if isinstance(value, str):
        return _string(value, schema)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value, schema)
    if isinstance(value, list):
        return _array(value, schema, root, depth)
    return _object(value, schema, root, depth) if isinstance(value, dict) else True


def _string(value: str, schema: Schema) -> bool:
    return (
        schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", math.inf)
        and ("pattern" not in schema or matches(schema["pattern"], value))
        and _formed(schema.get("format"), value)
    )


def _formed(name: Any, value: str) -> bool:
    """Whether a text has the form its schema names; forms nobody listed restrict nothing."""
    try:
        if name in ("date", "date-time"):
            datetime.fromisoformat(value)
        return name not in _FORMS or bool(_FORMS[name].fullmatch(value))
    except (ValueError, TypeError):
        return False


def matches(pattern: str, value: str) -> bool:
    try:
        return bool(re.search(pattern, value))
    except re.error:
        return True  # a pattern nobody can read restricts nothing


def _number(value: float, schema: Schema) -> bool:
    low, high = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    step = schema.get("multipleOf")
    return (
        schema.get("minimum", -math.inf) <= value <= schema.get("maximum", math.inf)
        and (not isinstance(low, int | float) or isinstance(low, bool) or value > low)
        and (not isinstance(high, int | float) or isinstance(high, bool) or value < high)
        and (not step or (value / step).is_integer() if isinstance(value / (step or 1), float) else True)
    )


def _array(value: list[Any], schema: Schema, root: Any, depth: int) -> bool:
    prefix = schema.get("prefixItems", [])
    fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", math.inf)
    unique = not schema.get("uniqueItems") or len(set(map(canonical, value))) == len(value)
    rules = [prefix[at] if at < len(prefix) else schema.get("items", True) for at in range(len(value))]
    return fits and unique and all(valid(each, rule, root, depth + 1) for each, rule in zip(value, rules, strict=True))


def _object(value: Schema, schema: Schema, root: Any, depth: int) -> bool:
    known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
    return (
        schema.get("minProperties", 0) <= len(value) <= schema.get("maxProperties", math.inf)
        and all(key in value for key in schema.get("required", ()))
        and all(valid(each, known.get(key, other), root, depth + 1) for key, each in value.items())
    )
