"""What the Responses API gives back: a list of items, of which the answer's text is only one kind.

`Response` keeps the names of `Reply` where the idea is the same (text, thinking, tool_calls, usage, cost, raw). An
`Item` holds what the service sent in `raw` and reads the known fields from it on demand: a field that is missing or of
another type is empty, and an item of a kind nobody knows yet is an item all the same. `qwenkit.display.response` draws.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.reply import Choice, Receipt, ToolCall, ToolFragment, _plain
from qwenkit.types.tools import Round
from qwenkit.types.usage import Cost, Usage


class Source(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Something a built-in tool found: a page, a picture, a passage of a file. `title` may be a file's name."""

    url: str = ""
    title: str = ""
    text: str = ""
    score: float | None = None


class Item(Shown, msgspec.Struct, frozen=True):
    """One item of a response or a conversation; `raw` is all of it, the properties are what is known by name."""

    raw: dict[str, Any] = {}

    @property
    def type(self) -> str:
        """`message`, `reasoning`, `function_call`, `web_search_call`, …; messages may come without it."""
        return self._word("type") or ("message" if "role" in self.raw else "")

    @property
    def id(self) -> str:
        return self._word("id")

    @property
    def status(self) -> str:
        return self._word("status")

    @property
    def role(self) -> str:
        return self._word("role")

    @property
    def text(self) -> str:
        """The words of a message."""
        content = self.raw.get("content")
        return content if isinstance(content, str) else _joined(content) if self.type == "message" else ""

    @property
    def thinking(self) -> str:
        """The words of a reasoning item."""
        return (
            (_joined(self.raw.get("summary")) or _joined(self.raw.get("content"))) if self.type == "reasoning" else ""
        )

    @property
    def name(self) -> str:
        return self._word("name")

    @property
    def arguments(self) -> str:
        """What a tool was called with, as JSON text."""
        return self._word("arguments") or self._word("input")

    @property
    def call_id(self) -> str:
        return self._word("call_id")

    @property
    def output(self) -> str:
        """What a tool gave back, as text."""
        given = self.raw.get("output")
        return given if isinstance(given, str) else "" if given is None else json.dumps(given, ensure_ascii=False)

    @property
    def tool_call(self) -> ToolCall | None:
        """The function this item asks for, if it is that kind of item."""
        return ToolCall(self.call_id, self.name, self.arguments) if self.type == "function_call" else None

    @property
    def queries(self) -> list[str]:
        """What a search looked for."""
        for place in (self._action, self.raw, _parsed(self.arguments)):
            found = place.get("queries") or [place.get("query")]
            words = [word for word in found if isinstance(word, str) and word] if isinstance(found, list) else []
            if words:
                return words
        return []

    @property
    def sources(self) -> list[Source]:
        """What a search found: pages, pictures, or passages of files."""
        found = self._action.get("sources") or self.raw.get("results") or _parsed(self.output, list)
        return [_source(each) for each in _dicts(found)]

    @property
    def urls(self) -> list[str]:
        """The pages an extractor read."""
        urls = self.raw.get("urls")
        return [url for url in urls if isinstance(url, str)] if isinstance(urls, list) else []

    @property
    def goal(self) -> str:
        return self._word("goal")

    @property
    def code(self) -> str:
        return self._word("code")

    @property
    def logs(self) -> str:
        """What the code printed."""
        return "\n".join(_text(part, "logs") for part in _dicts(self.raw.get("outputs"))).strip("\n")

    @property
    def server(self) -> str:
        """The MCP server a call went to."""
        return self._word("server_label")

    @property
    def _action(self) -> dict[str, Any]:
        action = self.raw.get("action")
        return action if isinstance(action, dict) else {}

    def _word(self, name: str) -> str:
        return _text(self.raw, name)

    def __repr__(self) -> str:
        told = self.text or self.thinking or self.name or ", ".join(self.queries) or self.goal or self.code
        told = told if len(told) <= 60 else told[:59] + "…"
        return f"Item({self.type}{f': {told!r}' if told else ''})"


class Items(Shown):
    """Items in a row, as a response was given them or a conversation holds them."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    def __getitem__(self, position: int) -> Item:
        return self.items[position]

    def __repr__(self) -> str:
        return f"Items({len(self)})"


class Failure(msgspec.Struct, frozen=True):
    """Why a response failed, in the service's words."""

    code: str = ""
    message: str = ""


class Response(Shown):
    """A finished answer of the Responses API. `print(reply)` gives the text; a cell that ends in it shows a card."""

    __slots__ = ("body", "conversation", "events", "output", "previous", "receipt", "rounds", "usage", "wire")

    def __init__(
        self,
        wire: Mapping[str, Any] | None = None,
        *,
        output: list[Item] | None = None,
        usage: Usage | None = None,
        receipt: Receipt | None = None,
        body: bytes = b"",
        events: list[bytes] | None = None,
    ) -> None:
        self.wire = dict(wire or {})
        self.output = output or []
        self.usage = usage
        self.previous = _text(self.wire, "previous_response_id")
        self.conversation = _conversation(self.wire.get("conversation"))
        self.receipt = receipt or Receipt()
        self.rounds: list[Round] = []  # the functions of yours that ran before this answer
        self.body = body
        self.events = events or []

    @property
    def id(self) -> str:
        """What `previous=`, `get` and `delete` go by; an opaque text."""
        return _text(self.wire, "id")

    @property
    def model(self) -> str:
        return _text(self.wire, "model")

    @property
    def created(self) -> int:
        """When the service began, in Unix seconds."""
        told = self.wire.get("created_at")
        return int(told) if isinstance(told, int | float) else 0

    @property
    def status(self) -> str:
        """`completed`, `incomplete`, `failed`, or `in_progress` while it is still being streamed."""
        return _text(self.wire, "status")

    @property
    def text(self) -> str:
        """The words of the answer: every message item's, joined."""
        return "".join(item.text for item in self.output)

    @property
    def thinking(self) -> str:
        """What the model reasoned, between its tools too; empty when it did not think."""
        return "\n\n".join(item.thinking.strip("\n") for item in self.output if item.thinking)

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The functions of yours it asks for. Built-in tools have run already: they are in `output`."""
        calls = [call for item in self.output if (call := item.tool_call) is not None]
        return [msgspec.structs.replace(call, index=at) for at, call in enumerate(calls)]

    @property
    def choices(self) -> list[Choice]:
        """The answer in the shape of a chat reply: always one choice, so that code for either reads both."""
        return [Choice(text=self.text, thinking=self.thinking, tool_calls=self.tool_calls)]

    @property
    def incomplete(self) -> str:
        """Why the answer was cut, such as `max_output_tokens`; empty when it was not."""
        details = self.wire.get("incomplete_details")
        told = _text(details, "reason") if isinstance(details, dict) else ""
        return told or ("unknown" if self.status == "incomplete" else "")

    @property
    def error(self) -> Failure | None:
        """Why it failed; None when it did not."""
        told = self.wire.get("error")
        return Failure(_text(told, "code"), _text(told, "message")) if isinstance(told, dict) else None

    @property
    def request_id(self) -> str:
        return self.receipt.request_id

    @property
    def cost(self) -> Cost | None:
        """Estimated from list prices; None when the model has no known price."""
        return self.receipt.cost

    @property
    def raw(self) -> Any:
        """The answer as the service sent it: a dict, or for a stream the list of its event dicts."""
        if self.events:
            return [_plain(event) for event in self.events]
        return _plain(self.body) if self.body else self.wire or None

    def result(self, call: ToolCall | str, output: Any) -> dict[str, Any]:
        """The result of one of its `tool_calls`, for `qwen.responses([reply.result(call, …)], previous=reply)`."""
        text = import_module("qwenkit.protocol.results").text_of(output)
        return {"type": "function_call_output", "call_id": call if isinstance(call, str) else call.id, "output": text}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 60 else self.text[:59] + "…"
        kinds = [item.type for item in self.output if item.type not in ("message", "reasoning")]
        also = f", items={kinds}" if kinds else ""
        return f"Response({text!r}{also}, model={self.model!r}, tokens={self.usage.total if self.usage else 0})"


class ResponseEvent(msgspec.Struct, gc=False, repr_omit_defaults=True):
    """One event of a stream: what it adds to the answer, to the thinking or to a tool call, and all of it in `raw`."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    tool: ToolFragment | None = None
    item: Item | None = None
    raw: dict[str, Any] = {}
    index: int = 0  # of the answer, as in a chat stream: a response has one

    def __repr__(self) -> str:
        told = self.text or self.thinking or (self.tool.arguments if self.tool else "")
        return f"ResponseEvent({self.type}{f': {told!r}' if told else ''})"


class ConversationObject(Shown, msgspec.Struct, frozen=True):
    """A conversation the service keeps. `created` is in Unix milliseconds, as the service has it here."""

    id: str = ""
    created: int = 0
    metadata: dict[str, str] = {}
    deleted: bool = False

    def __repr__(self) -> str:
        gone = ", deleted" if self.deleted else ""
        return f"ConversationObject(metadata={self.metadata}{gone})"


def _text(place: Mapping[str, Any], name: str) -> str:
    value = place.get(name)
    return value if isinstance(value, str) else ""


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _joined(parts: Any) -> str:
    return "".join(_text(part, "text") or _text(part, "refusal") for part in _dicts(parts))


def _parsed(text: str, kind: type = dict) -> Any:
    try:
        value = json.loads(text) if text else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, kind) else kind()


def _source(told: Mapping[str, Any]) -> Source:
    score = told.get("score")
    title = _text(told, "title") or _text(told, "filename")
    return Source(_text(told, "url"), title, _text(told, "text"), score if isinstance(score, int | float) else None)


def _conversation(told: Any) -> str:
    return _text(told, "id") if isinstance(told, dict) else told if isinstance(told, str) else ""
