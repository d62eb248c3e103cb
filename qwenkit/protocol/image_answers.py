"""Answers with pictures: addresses and failures in order, whichever family wrote them.

Newer models answer with choices whose content holds pictures and texts, older ones with a list of results, where a
failure stands in its place. What a bill says is read as an open table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qwenkit.protocol import billing, failures
from qwenkit.protocol.images import Order
from qwenkit.protocol.sse import EventDecoder
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Usage

Json = dict[str, Any]
_MOST = 100  # failures that are only counted: no order is for more pictures


class Found(msgspec.Struct):
    """One picture: where it is, or why it is not there, and what the service says about it."""

    url: str = ""
    code: str = ""
    message: str = ""
    facts: Json = {}


class Answered:
    """What an answer holds, before the pictures are fetched."""

    def __init__(self, found: list[Found], usage: Usage | None, model: str, raw: Any) -> None:
        self.found = found
        self.usage = usage
        self.model = model
        self.raw = raw
        self.receipt = Receipt()


def read(data: bytes, /, *, order: Order, request: str = "", request_id: str = "") -> Answered:
    """The pictures in an answer that came at once; the frames of an interleaved one are put together."""
    framed = data.lstrip()[:1] != b"{"
    wires = [_object(event.data) for event in EventDecoder().feed(data)] if framed else [_object(data)]
    found = pictures(_whole(wires), order.line)
    if not found:
        failed = next((msgspec.json.encode(wire) for wire in wires if wire.get("code")), data)
        raise failures.unreadable("one with pictures", failed, request=request, request_id=request_id)
    return Answered(found, billing.usage(wires[-1].get("usage")), order.model, wires if framed else wires[0])


def _whole(wires: list[Json]) -> Json:
    """The output of an answer; of several frames one with all their content."""
    outputs = [wire["output"] for wire in wires if isinstance(wire.get("output"), dict)]
    if len(outputs) < 2:
        return outputs[0] if outputs else {}
    content = [item for output in outputs for choice in _list(output.get("choices")) for item in _content(choice)]
    return {"choices": [{"message": {"content": content}}]}


def _object(data: bytes | str) -> Json:
    try:
        wire = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        wire = None
    return wire if isinstance(wire, dict) else {}


def pictures(output: Mapping[str, Any], line: str = "") -> list[Found]:
    """Every picture and failure of an output, in order. Failures that are only counted come last."""
    found = [_result(each) for each in _list(output.get("results")) if isinstance(each, Mapping)]
    found += [each for choice in _list(output.get("choices")) for each in _choice(_content(choice), line)]
    metrics = output.get("task_metrics") or output.get("task_metric")
    failed = metrics.get("FAILED") if isinstance(metrics, Mapping) else 0
    silent = (failed if isinstance(failed, int) else 0) - sum(not each.url for each in found)
    return found + [Found(code="Failed", message="The service does not say why.")] * min(max(silent, 0), _MOST)


def _result(result: Mapping[str, Any]) -> Found:
    url = result.get("url")
    if not isinstance(url, str) or not url:
        return Found(code=str(result.get("code") or "Failed"), message=str(result.get("message") or ""))
    told = {"orig_prompt": "prompt", "actual_prompt": "revised_prompt"}
    return Found(url, facts={ours: str(result[name]) for name, ours in told.items() if result.get(name)})


def _choice(items: list[Mapping[str, Any]], line: str) -> Iterator[Found]:
    """The pictures of a choice. A text before a picture is its own; z-image says after it what it really drew."""
    drew = next((str(item["text"]) for item in items if item.get("text")), "") if line.startswith("z-image") else ""
    told = ""
    for item in items:
        if isinstance(item.get("image"), str) and item["image"]:
            yield Found(item["image"], facts={"revised_prompt": drew} if drew else {"text": told} if told else {})
            told = ""
        elif item.get("text"):
            told += str(item["text"])


def _content(choice: Any) -> list[Mapping[str, Any]]:
    message = choice.get("message") if isinstance(choice, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    return [item for item in _list(content) if isinstance(item, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
