"""The stream of a response, event by event, in the service's framing.

    id:1
    event:response.created
    :HTTP_STATUS/200
    data:{"sequence_number":0,"type":"response.created",...}

No blank after the colons and no `[DONE]` at the end. `added` events come densely and in order, because the official
SDK finds its items by their index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from qwenkit.sandbox.response_items import FUNCTION_CALL, Json, Produced

Event = tuple[str, Json]
# What an item tells between `added` and `done`; what `added` does not have yet, and what it has as yet empty.
_STAGES = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "mcp_call": ("in_progress", "completed"),
}
_LATER = ("output", "outputs", "results")
_EMPTY: Json = {"message": {"content": []}, "reasoning": {"summary": []}, "function_call": {"arguments": ""}}


def framed(events: Iterable[Event], first: int = 0) -> Iterator[bytes]:
    """Events as they go over the wire, numbered."""
    for number, (kind, told) in enumerate(events, first):
        data = {"sequence_number": number, "type": kind, **told}
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        yield f"id:{number + 1}\nevent:{kind}\n:HTTP_STATUS/200\ndata:{text}\n\n".encode("utf-8", "replace")


def failed(response: Json, first: int = 0) -> Iterator[bytes]:
    """A request that was refused, or an answer that broke off, told in a stream."""
    return framed([("response.failed", {"response": response})], first)


def events(opening: Json, produced: Iterable[Produced]) -> Iterator[Event]:
    """A response from its creation to its last item; the caller adds how it ended."""
    yield "response.created", {"response": opening}
    yield "response.in_progress", {"response": {**opening, "status": "in_progress"}}
    for index, each in enumerate(produced):
        item, at = each.item, {"item_id": each.item["id"], "output_index": index}
        if item["type"] == "mcp_call":  # whose arguments are told before the item itself
            told = item["arguments"]
            yield from _written("mcp_call_arguments", [told], at, {"arguments": told})
        yield "response.output_item.added", {"output_index": index, "item": _begun(item)}
        yield from _between(each, at)
        yield "response.output_item.done", {"output_index": index, "item": item}


def _begun(item: Json) -> Json:
    begun = {name: value for name, value in item.items() if name not in _LATER}
    if "action" in item:
        begun["action"] = {name: value for name, value in item["action"].items() if name != "sources"}
    if "status" in item:
        begun["status"] = "in_progress"
    return {**begun, **_EMPTY.get(item["type"], {})}


def _between(each: Produced, at: Json) -> Iterator[Event]:
    item, part_at = each.item, {**at, "content_index": 0}
    if item["type"] == "message":
        part = item["content"][0]
        yield "response.content_part.added", {**part_at, "part": {**part, "text": ""}}
        yield from _written("output_text", each.pieces, part_at, {"text": part["text"], "logprobs": []}, logprobs=[])
        yield "response.content_part.done", {**part_at, "part": part}
    elif item["type"] == "reasoning":
        yield from _written("reasoning_text", each.pieces, part_at, {"text": "".join(each.pieces)})
    elif item["type"] == FUNCTION_CALL:
        whole = {"name": item["name"], "arguments": item["arguments"]}
        yield from _written("function_call_arguments", each.pieces, at, whole)
    for stage in _STAGES.get(item["type"], ()):
        yield f"response.{item['type']}.{stage}", at


def _written(name: str, pieces: list[str], at: Json, whole: Json, **beside: Any) -> Iterator[Event]:
    """A text in pieces, then all of it."""
    for piece in pieces:
        yield f"response.{name}.delta", {**at, "delta": piece, **beside}
    yield f"response.{name}.done", {**at, **whole}
