"""Structured answers: a schema in, a value out.

A schema is a JSON schema (a dict) or a Python type: a dataclass, a msgspec struct, a TypedDict, or any annotation
`shapes` can describe. Models listed for it get the schema itself (`json_schema`, strict); the others get JSON mode
and the schema in words, as a system instruction. A schema whose root is no object (a list, a number, a Literal) is
wrapped in one and unwrapped again. Whatever the model was told, the value is checked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError, SchemaMismatch
from qwenkit.protocol import schemas, shapes

_WRAP = "value"
_TOLD = "Answer with one JSON object and nothing else. It must be valid for this JSON schema:\n"
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)
_AT = re.compile(r" - at `(.*)`$")
_CUT = "raise max_tokens, or leave it out"
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
    whole = dict(schema) if isinstance(schema, Mapping) else _closed(shapes.schema_of(schema))
    if _is_object(whole):
        return whole
    defs = {"$defs": whole.pop("$defs")} if "$defs" in whole else {}
    wrapped = {"type": "object", "properties": {_WRAP: whole}, "required": [_WRAP], "additionalProperties": False}
    return {**wrapped, **defs}


def value(text: str, schema: Any = None, *, cut: bool = False) -> Any:
    """The value in an answer's text: plain data for a dict schema or none, an instance for a type.

    JSON in a code fence or between other words is found too. Raises `SchemaMismatch` when there is none, or when it
    does not fit; `cut` says that the answer had no room to end.
    """
    found = _parsed(text, cut)
    if schema is None:
        return found
    wrapped = not _is_object(wire_schema_root(schema))
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


def wire_schema_root(schema: Any) -> Mapping[str, Any]:
    """The schema before any wrapping."""
    return schema if isinstance(schema, Mapping) else shapes.schema_of(schema)


def _fitted(found: Any, schema: Any, text: str) -> Any:
    if isinstance(schema, Mapping):
        wrong = schemas.misfit(found, schema)
        if wrong is None:
            return found
        path, said = wrong
    else:
        try:
            return shapes.convert(found, schema)
        except msgspec.ValidationError as unfit:
            at = _AT.search(str(unfit))
            path = at[1] if at else "$"
            said = _AT.sub("", str(unfit)).replace("`", "")
            said = said[:1].lower() + said[1:]
    raise SchemaMismatch(f"the answer does not fit {_title(schema)}: at {path} {said}", path, text, hint=_ASK_AGAIN)


def _parsed(text: str, cut: bool) -> Any:
    for part in _candidates(text.strip().removeprefix("\ufeff")):
        try:
            return json.loads(part, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
    if cut:
        raise SchemaMismatch("the answer was cut at max_tokens before its JSON was complete", "$", text, hint=_CUT)
    hint = "ask for JSON: schema=… or response_format=…" if not text.lstrip().startswith(("{", "[")) else _ASK_AGAIN
    raise SchemaMismatch("the answer is not JSON", "$", text, hint=hint)


def _candidates(text: str) -> Iterator[str]:
    """The text itself, what stands in a code fence, and what stands from the first brace to the last."""
    yield text
    fenced = _FENCED.search(text)
    if fenced:
        yield fenced[1]
    if "{" in text and "}" in text:
        yield text[text.index("{") : text.rindex("}") + 1]


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


def _closed(schema: Any) -> Any:
    """The same schema with every listed object closed to fields it does not list."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: part if key in ("enum", "const", "default") else _closed(part) for key, part in schema.items()}
    is_list_of_fields = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    return {**inner, "additionalProperties": False} if is_list_of_fields else inner


def _title(schema: Any) -> str:
    if isinstance(schema, Mapping):
        title = schema.get("title")
        return title if isinstance(title, str) and title else "the schema"
    return getattr(schema, "__name__", None) or str(schema)


def _name(schema: Any) -> str:
    """A name for the wire: letters, digits, dashes and underscores."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", _title(schema)).strip("_")
    return plain[:64] if plain and plain != "the_schema" else "answer"
