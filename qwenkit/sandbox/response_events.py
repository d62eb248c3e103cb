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

from qwenkit.sandbox.response_items import Json, Produced

Event = tuple[str, Json]
# What a tool's item tells between `added` and `done`, and what `added` does not have yet.
_STAGES = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "mcp_call": ("in_progress", "completed"),
}
_LATER = ("output", "outputs", "results")


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
        yield from _TELL.get(each.item["type"], _tool)(each, index)


def _message(each: Produced, index: int) -> Iterator[Event]:
    item = each.item
    yield _added(index, {**item, "status": "in_progress", "content": []})
    at = {"item_id": item["id"], "output_index": index, "content_index": 0}
    part = item["content"][0]
    yield "response.content_part.added", {**at, "part": {**part, "text": ""}}
    for piece in each.pieces:
        yield "response.output_text.delta", {**at, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**at, "text": part["text"], "logprobs": []}
    yield "response.content_part.done", {**at, "part": part}
    yield _done(index, item)


def _reasoning(each: Produced, index: int) -> Iterator[Event]:
    yield _added(index, {**each.item, "summary": []})
    at = {"item_id": each.item["id"], "output_index": index, "content_index": 0}
    for piece in each.pieces:
        yield "response.reasoning_text.delta", {**at, "delta": piece}
    yield "response.reasoning_text.done", {**at, "text": "".join(each.pieces)}
    yield _done(index, each.item)


def _function(each: Produced, index: int) -> Iterator[Event]:
    item = each.item
    yield _added(index, {**item, "status": "in_progress", "arguments": ""})
    at = {"item_id": item["id"], "output_index": index}
    for piece in each.pieces:
        yield "response.function_call_arguments.delta", {**at, "delta": piece}
    yield "response.function_call_arguments.done", {**at, "name": item["name"], "arguments": item["arguments"]}
    yield _done(index, item)


def _tool(each: Produced, index: int) -> Iterator[Event]:
    item = each.item
    at = {"item_id": item["id"], "output_index": index}
    if item["type"] == "mcp_call":  # whose arguments are told before the item itself
        yield "response.mcp_call_arguments.delta", {**at, "delta": item["arguments"]}
        yield "response.mcp_call_arguments.done", {**at, "arguments": item["arguments"]}
    begun = {name: value for name, value in item.items() if name not in _LATER}
    if "action" in item:
        begun["action"] = {name: value for name, value in item["action"].items() if name != "sources"}
    yield _added(index, {**begun, "status": "in_progress"})
    for stage in _STAGES.get(item["type"], ()):
        yield f"response.{item['type']}.{stage}", at
    yield _done(index, item)


def _added(index: int, item: Json) -> Event:
    return "response.output_item.added", {"output_index": index, "item": item}


def _done(index: int, item: Json) -> Event:
    return "response.output_item.done", {"output_index": index, "item": item}


_TELL = {"message": _message, "reasoning": _reasoning, "function_call": _function}
