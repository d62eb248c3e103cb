"""Python types as JSON schemas.

A shape is a dataclass, a msgspec struct, a TypedDict, or any annotation msgspec understands (Literal, Enum, Optional,
lists, unions, …). Its schema is flat: references are written out, because models read a schema from top to bottom.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from qwenkit.errors import ConfigError

_PREFIX = "#/$defs/"
_DATA = ("enum", "const", "default")  # values, in which "$ref" is only a word


def schema_of(shape: Any, *, closed: bool = False) -> dict[str, Any]:
    """The JSON schema of a type, references written out; `closed` allows no fields but those listed.

    A type that contains itself keeps its references.
    """
    try:
        (schema,), defs = msgspec.json.schema_components([shape], ref_template=_PREFIX + "{name}")
    except (TypeError, RuntimeError) as unfit:
        hint = "use annotations JSON can hold: str, int, float, bool, list, dict, Literal, Enum, dataclasses"
        name = getattr(shape, "__name__", None) or repr(shape)
        raise ConfigError(f"{name} has no JSON schema ({unfit})", hint=hint) from unfit
    flat: dict[str, Any] = _inline(schema, defs, (), closed)
    kept = {name: _inline(each, {}, (), closed) for name, each in defs.items()}
    return {**flat, "$defs": kept} if _PREFIX in str(flat) else flat


def _inline(schema: Any, defs: Mapping[str, Any], inside: tuple[str, ...], closed: bool) -> Any:
    if isinstance(schema, list):
        return [_inline(each, defs, inside, closed) for each in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).removeprefix(_PREFIX)
    if name in defs and name not in inside:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return {**_inline(defs[name], defs, (*inside, name), closed), **beside}
    flat = {key: value if key in _DATA else _inline(value, defs, inside, closed) for key, value in schema.items()}
    listed = closed and schema.get("type") == "object" and isinstance(schema.get("properties"), dict)
    return {**flat, "additionalProperties": False} if listed else flat
