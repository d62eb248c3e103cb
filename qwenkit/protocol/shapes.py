"""Python types as JSON schemas, and JSON back as Python values.

A shape is a dataclass, a msgspec struct, a TypedDict, or any annotation msgspec understands (Literal, Enum, Optional,
lists, unions, …). Its schema is flat: references are written out, because models read a schema from top to bottom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from qwenkit.errors import ConfigError

_PREFIX = "#/$defs/"
_DATA = ("enum", "const", "default")  # values, in which "$ref" would only be a word


def schema_of(shape: Any) -> dict[str, Any]:
    """The JSON schema of a type, references written out. A type that contains itself keeps its references."""
    try:
        (schema,), defs = msgspec.json.schema_components([shape], ref_template=_PREFIX + "{name}")
    except (TypeError, RuntimeError) as unfit:
        hint = "use annotations JSON can hold: str, int, float, bool, list, dict, Literal, Enum, dataclasses"
        raise ConfigError(f"{_name(shape)} has no JSON schema ({unfit})", hint=hint) from unfit
    flat: dict[str, Any] = _inline(schema, defs, ())
    return {**flat, "$defs": defs} if _refers(flat) else flat


def convert(value: Any, shape: Any) -> Any:
    """Plain JSON data as a value of the type; `msgspec.ValidationError` says what does not fit, and where."""
    return msgspec.convert(value, shape)


def _inline(schema: Any, defs: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    if isinstance(schema, list):
        return [_inline(each, defs, inside) for each in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix(_PREFIX)
    if name in defs and name not in inside:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_inline(defs[name], defs, (*inside, name)), **beside}
    return {
        key: value if key in ("enum", "const", "default") else _inline(value, defs, inside)
        for key, value in schema.items()
    }


def _refers(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_refers, schema))
    return isinstance(schema, dict) and ("$ref" in schema or any(map(_refers, schema.values())))


def _name(shape: Any) -> str:
    return getattr(shape, "__name__", None) or repr(shape)
