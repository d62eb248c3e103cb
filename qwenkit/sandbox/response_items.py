"""The items of the Responses and Conversations APIs: what comes in, how it is kept, and what a chat makes of it.

An item is a message, a function call or its output, or a trace of something else that happened (reasoning, a search).
Messages and function calls become chat messages; traces are kept and shown, and say nothing to the model.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from qwenkit.catalogue import Model
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.identity import digest

Json = dict[str, Any]
ROLES = ("user", "assistant", "system", "developer")
FUNCTION_CALL, FUNCTION_OUTPUT = "function_call", "function_call_output"
_NEEDED = {FUNCTION_CALL: ("call_id", "name", "arguments"), FUNCTION_OUTPUT: ("call_id",)}
_TEXTS = ("input_text", "output_text", "text")
_MEDIA = {  # where a part has its address, and what chat calls it
    "input_image": ("image_url", "image_url"),
    "input_file": ("file_url", "image_url"),
    "input_video": ("video_url", "video_url"),
}
_READER = "qwen3.5-ocr"  # the one model that reads `input_file`


class Produced(NamedTuple):
    """One item of an output, whole, and the pieces in which a stream tells its text."""

    item: Json
    pieces: list[str] = []


def item_id(*parts: object) -> str:
    """Items of every type are called `msg_…`."""
    return f"msg_{digest('/'.join(map(str, parts)))[:24]}"


def received(given: Any, name: str, seed: str) -> list[Json]:
    """The items of a request as they are kept: checked, each with an id, content as a list of parts."""
    if isinstance(given, str) and given:
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise invalid(f"Invalid '{name}': must be a string or an array of items, and not empty.")
    items = [_kept(item, f"{name}[{at}]", item_id(seed, name, at)) for at, item in enumerate(given)]
    seen: set[str] = set()  # an id that comes twice could not be paged past
    for at, item in enumerate(items):
        item["id"] = item_id(seed, name, at) if item["id"] in seen else item["id"]
        seen.add(item["id"])
    return items


def _kept(item: Any, name: str, fresh: str) -> Json:
    if not isinstance(item, dict):
        raise invalid(f"Invalid '{name}': must be an object.")
    given = {key: value for key, value in item.items() if value is not None}
    kind = str(given.get("type", "message" if "role" in given else None))
    known = {"id": given["id"] if isinstance(given.get("id"), str) and given["id"] else fresh, "type": kind}
    if kind == "message":
        return {**known, **_message(given, name)}
    if kind not in (*_NEEDED, "reasoning") and not kind.endswith("_call"):
        raise invalid(f"Invalid '{name}.type': {kind}. This type of item is not supported.")
    for field in _NEEDED.get(kind, ()):
        if not isinstance(given.get(field), str):
            raise invalid(f"Invalid '{name}.{field}': must be a string.")
    return {**given, **known} if kind == "reasoning" else {"status": "completed", **given, **known}


def _message(given: Json, name: str) -> Json:
    role, content = given.get("role"), given.get("content")
    if role not in ROLES:
        raise invalid(f"Invalid '{name}.role': {role}. Supported values are: {ROLES}.".replace(", ", ","))
    kind = "output_text" if role == "assistant" else "input_text"
    if isinstance(content, str):
        content = [{"type": kind, "text": content}]
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise invalid(f"Invalid '{name}.content': must be a string or an array of parts.")
    parts = [{**part, "type": kind} if part.get("type") == "text" else part for part in content]
    return {"role": role, "status": given.get("status", "completed"), "content": parts}


def messages(items: list[Json], model: Model) -> list[Json]:
    """The items as chat messages. A function's output must directly follow its call."""
    written: list[Json] = []
    waiting: set[str] = set()  # calls of the present round
    for item in items:
        if item["type"] == "message":
            waiting = set()
            written.append(_said(item, model))
        elif item["type"] == FUNCTION_CALL:
            waiting.add(item["call_id"])
            function = {"name": item["name"], "arguments": item["arguments"]}
            call = {"id": item["call_id"], "type": "function", "function": function}
            written.append({"role": "assistant", "content": "", "tool_calls": [call]})
        elif item["type"] == FUNCTION_OUTPUT:
            if item["call_id"] not in waiting:
                raise invalid(f"No tool call found for function call output with call_id {item['call_id']}.")
            written.append({"role": "tool", "tool_call_id": item["call_id"], "content": _output(item)})
    return written


def _said(item: Json, model: Model) -> Json:
    role = "system" if item["role"] == "developer" else item["role"]
    parts = [_part(part, model) for part in item["content"]]
    if all(part["type"] == "text" for part in parts):
        return {"role": role, "content": "".join(part["text"] for part in parts)}
    return {"role": role, "content": parts}


def _part(part: Json, model: Model) -> Json:
    """A part as chat spells it; what cannot be read is left to the chat's own rules to refuse."""
    kind = str(part.get("type"))
    if kind in _TEXTS and isinstance(part.get("text"), str):
        return {"type": "text", "text": part["text"]}
    place, name = _MEDIA.get(kind, ("", ""))
    if isinstance(part.get(place), str) and (kind != "input_file" or model.line == _READER):
        knobs = {name: part[name] for name in ("fps", "min_pixels", "max_pixels") if part.get(name) is not None}
        return {"type": name, name: {"url": part[place]}, **knobs}
    if kind == "input_audio":
        told = part.get("audio_url") or part.get("data")
        return {"type": "input_audio", "input_audio": {"data": told, "format": part.get("format")}}
    return {"type": "unknown"}


def _output(item: Json) -> str:
    output = item.get("output")
    if isinstance(output, list):
        return "".join(str(part.get("text", "")) for part in output if isinstance(part, dict))
    if not isinstance(output, str):
        raise invalid("Invalid 'function_call_output.output': must be a string.")
    return output


def engine(refusal: Refusal) -> Refusal:
    """A refusal of the model's side, as this API passes it on."""
    if refusal.status != 400:
        return refusal
    return Refusal("InvalidParameter", f"<400> InternalError.Algo.InvalidParameter: {refusal}")
