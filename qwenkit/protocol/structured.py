"""Structured answers: a schema in, a value out.

A schema is a JSON schema (a dict) or a Python type: a dataclass, a msgspec struct, a TypedDict, or any annotation
`shapes` can describe. Models listed for it get the schema itself (`json_schema`, strict); the others get JSON mode
and the schema in words, as a system instruction. A schema whose root is no object (a list, a number, a Literal) is
wrapped in one and unwrapped again. Whatever the model was told, the value is checked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError, SchemaMismatch
from qwenkit.protocol import arguments, schemas, shapes

_WRAP = "value"
_TOLD = "Answer with one JSON object and nothing else. It must be valid for this JSON schema:\n"
_AT = re.compile(r" - at `(.*)`$")
_CUT = "raise max_tokens, or leave it out"
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_SPEAKING = {"type", "properties", "items", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "additionalProperties"}
_AS_SCHEMA = 'write {"type": "object", "properties": {"name": {"type": "string"}}}, or pass a dataclass'
_ASK_AGAIN = "the answer is in error.reply; ask again, or say in the prompt what was missed"


def response_format(schema: Any, model: str) -> dict[str, Any]:
    """What to send as `response_format`: the schema where the catalogue says the model reads one, else JSON mode."""
    facts = catalogue.model(model)
    if facts is None or not facts.json_schema:
        return {"type": "json_object"}
    named = {"name": _name(schema), "strict": True, "schema": wire_schema(schema)}
    return {"type": "json_schema", "json_schema": named}


def ask(body: dict[str, Any], schema: Any) -> None:
    """Put the wish into a request body. Pictures and the like take the strict mode away, so the words stand in."""
    if body.get("response_format"):
        raise ConfigError("schema and response_format say the same thing twice", hint="leave response_format out")
    facts = catalogue.model(body["model"])
    if facts is not None and not facts.json_object:
        able = f"use {catalogue.DEFAULTS['chat']}"
        raise ConfigError(f"{body['model']} gives no structured answers", hint=f"{able}, or leave schema out")
    wanted = response_format(schema, body["model"])
    if wanted["type"] == "json_schema" and _has_media(body["messages"]):
        wanted = {"type": "json_object"}
    body["response_format"] = wanted
    if wanted["type"] == "json_object":
        body["messages"] = _told(body["messages"], _TOLD + json.dumps(wire_schema(schema), ensure_ascii=False))


def wire_schema(schema: Any) -> dict[str, Any]:
    """The JSON schema as it is sent: of a type, closed to other fields; with an object at its root."""
    whole = _checked(schema) if isinstance(schema, Mapping) else shapes.schema_of(schema, closed=True)
    if _is_object(whole):
        return whole
    defs = {"$defs": whole.pop("$defs")} if "$defs" in whole else {}
    wrapped = {"type": "object", "properties": {_WRAP: whole}, "required": [_WRAP], "additionalProperties": False}
    return {**wrapped, **defs}


def _checked(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A dict that is a JSON schema and not a sketch of one: `{"name": str}` would be answered with anything."""
    kinds = schema.get("type", "object")
    strange = [each for each in (kinds if isinstance(kinds, list) else [kinds]) if each not in _TYPES]
    if not _SPEAKING & schema.keys() or strange:
        said = f"type {strange[0]!r:.40} is none" if strange else "it has neither a type nor properties"
        raise ConfigError(f"this dict is no JSON schema: {said}", hint=_AS_SCHEMA)
    try:
        json.dumps(schema)
    except (TypeError, ValueError, RecursionError) as unfit:
        raise ConfigError(f"this dict is no JSON schema ({unfit})", hint=_AS_SCHEMA) from None
    return dict(schema)


def value(text: str, schema: Any = None, *, cut: bool = False) -> Any:
    """The value in an answer's text: plain data for a dict schema or none, an instance for a type.

    JSON in a code fence or between other words is found too. Raises `SchemaMismatch` when there is none, or when it
    does not fit; `cut` says that the answer had no room to end.
    """
    found = _parsed(text, cut)
    if schema is None:
        return found
    wrapped = not _is_object(schema if isinstance(schema, Mapping) else shapes.schema_of(schema))
    if wrapped and isinstance(found, dict) and list(found) == [_WRAP]:
        found = found[_WRAP]
    return _fitted(found, schema, text)


def of(reply: Any) -> Any:
    """The value of a reply; what is wrong with it carries the reply."""
    try:
        if reply.tool_calls and not reply.text:
            raise SchemaMismatch("the model asks for a tool first; there is no answer yet", hint="answer its call")
        return value(reply.whole, reply.schema, cut=reply.finish_reason == "length")
    except SchemaMismatch as wrong:
        wrong.reply, wrong.request_id = reply, reply.request_id
        raise


def _fitted(found: Any, schema: Any, text: str) -> Any:
    if isinstance(schema, Mapping):
        wrong = schemas.misfit(found, schema)
        if wrong is None:
            return found
        path, said = wrong
    else:
        try:
            msgspec.json.encode(shapes.schema_of(schema))  # until then it misses fields with Chinese names
            return msgspec.convert(found, schema)
        except msgspec.ValidationError as unfit:
            at = _AT.search(str(unfit))
            path = at[1] if at else "$"
            said = _AT.sub("", str(unfit)).replace("`", "")
            said = said[:1].lower() + said[1:]
    name = _title(schema) or "the schema"
    raise SchemaMismatch(f"the answer does not fit {name}: at {path} {said}", path, text, hint=_ASK_AGAIN)


def _parsed(text: str, cut: bool) -> Any:
    for part in arguments.candidates(text.strip().removeprefix("\ufeff")):
        try:
            return json.loads(part, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
    if cut:
        raise SchemaMismatch("the answer was cut at max_tokens before its JSON was complete", "$", text, hint=_CUT)
    hint = "ask for JSON: schema=… or response_format=…" if not text.lstrip().startswith(("{", "[")) else _ASK_AGAIN
    raise SchemaMismatch("the answer is not JSON", "$", text, hint=hint)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _told(messages: list[dict[str, Any]], words: str) -> list[dict[str, Any]]:
    """The messages with an instruction at the end of the first system message."""
    first = messages[0]
    if first.get("role") != "system":
        return [{"role": "system", "content": words}, *messages]
    said = first.get("content") or ""
    content = [*said, {"type": "text", "text": words}] if isinstance(said, list) else f"{said}\n\n{words}"
    return [{**first, "content": content}, *messages[1:]]


def _has_media(messages: list[dict[str, Any]]) -> bool:
    parts = [part for each in messages if isinstance(each.get("content"), list) for part in each["content"]]
    return any(isinstance(part, Mapping) and part.get("type") != "text" for part in parts)


def _is_object(schema: Mapping[str, Any]) -> bool:
    if "$ref" in schema:
        pointed = schemas.target(schema["$ref"], schema)
        return isinstance(pointed, Mapping) and pointed.get("type") == "object"
    return schema.get("type") == "object" or ("type" not in schema and "properties" in schema)


def _title(schema: Any) -> str:
    title = schema.get("title") if isinstance(schema, Mapping) else getattr(schema, "__name__", None) or str(schema)
    return title if isinstance(title, str) else ""


def _name(schema: Any) -> str:
    """A name for the wire: letters, digits, dashes and underscores."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", _title(schema) or "answer").strip("_")
    return plain[:64] or "answer"
