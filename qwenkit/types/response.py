"""What the Responses API gives back: a list of items, of which the answer's text is only one kind.

A `Response` is a `Reply` (text, thinking, tool_calls, usage, cost, …) that was made of items. An `Item` holds what the
service sent in `raw` and reads the known fields from it on demand: a field that is missing or of another type is empty,
and an item of a kind nobody knows yet is an item all the same. `qwenkit.display.response` draws.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.files import Rows
from qwenkit.types.reply import Choice, Receipt, Reply, ToolCall, ToolFragment
from qwenkit.types.usage import Usage


class Source(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """Something a built-in tool found: a page, a picture, a passage of a file. `title` may be a file's name."""

    url: str = ""
    title: str = ""
    text: str = ""
    score: float | None = None


class _Word:
    """A text that an item has under one of these names."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __get__(self, item: Item | None, owner: type) -> str:
        return next((text for name in self._names if item and (text := _text(item.raw, name))), "")


class Item(Shown, msgspec.Struct, frozen=True):
    """One item of a response or a conversation; `raw` is all of it, the properties are what is known by name."""

    raw: dict[str, Any] = {}

    id = _Word("id")
    status = _Word("status")
    role = _Word("role")
    name = _Word("name")
    arguments = _Word("arguments", "input")  # what a tool was called with, as JSON text
    call_id = _Word("call_id")
    goal = _Word("goal")
    code = _Word("code")
    server = _Word("server_label")  # the MCP server a call went to

    @property
    def type(self) -> str:
        """`message`, `reasoning`, `function_call`, `web_search_call`, …; messages may come without it."""
        return _text(self.raw, "type") or ("message" if "role" in self.raw else "")

    @property
    def text(self) -> str:
        """The words of a message."""
        content = self.raw.get("content")
        return content if isinstance(content, str) else _joined(content) if self.type == "message" else ""

    @property
    def thinking(self) -> str:
        """The words of a reasoning item."""
        thought = _joined(self.raw.get("summary")) or _joined(self.raw.get("content"))
        return thought if self.type == "reasoning" else ""

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
        places = (self._action, self.raw, _parsed(self.arguments))
        return next((found for each in places if (found := _texts(each.get("queries") or [each.get("query")]))), [])

    @property
    def sources(self) -> list[Source]:
        """What a search found: pages, pictures, or passages of files."""
        found = self._action.get("sources") or self.raw.get("results") or _parsed(self.output, list)
        return [_source(each) for each in dicts(found)]

    @property
    def urls(self) -> list[str]:
        """The pages an extractor read."""
        return _texts(self.raw.get("urls"))

    @property
    def logs(self) -> str:
        """What the code printed."""
        return "\n".join(_text(part, "logs") for part in dicts(self.raw.get("outputs"))).strip("\n")

    @property
    def _action(self) -> dict[str, Any]:
        action = self.raw.get("action")
        return action if isinstance(action, dict) else {}

    def __repr__(self) -> str:
        told = self.text or self.thinking or self.name or ", ".join(self.queries) or self.goal or self.code
        told = told if len(told) <= 60 else told[:59] + "…"
        return f"Item({self.type}{f': {told!r}' if told else ''})"


class Items(Rows[Item]):
    """Items in a row, as a response was given them or a conversation holds them."""

    kinds = ("item", "items")


class Failure(msgspec.Struct, frozen=True):
    """Why a response failed, in the service's words."""

    code: str = ""
    message: str = ""


class Response(Reply):
    """A finished answer of the Responses API: a reply, with everything it was made of in `output`."""

    __slots__ = ("conversation", "output", "previous", "wire")

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
        self.previous = _text(self.wire, "previous_response_id")
        told, created = self.wire.get("conversation"), self.wire.get("created_at")
        self.conversation = _text({"id": told} if isinstance(told, str) else told, "id")
        super().__init__(
            choices=[_choice(self.output, self.status)],
            usage=usage,
            id=_text(self.wire, "id"),  # what `previous=`, `get` and `delete` go by; an opaque text
            model=_text(self.wire, "model"),
            created=int(created) if isinstance(created, int | float) else 0,
            receipt=receipt,
            body=body,
            events=events,
        )

    @property
    def status(self) -> str:
        """`completed`, `incomplete`, `failed`, or `in_progress` while it is still being streamed."""
        return _text(self.wire, "status")

    @property
    def incomplete(self) -> str:
        """Why the answer was cut, such as `max_output_tokens`; empty when it was not."""
        told = _text(self.wire.get("incomplete_details"), "reason")
        return told or ("unknown" if self.status == "incomplete" else "")

    @property
    def error(self) -> Failure | None:
        """Why it failed; None when it did not."""
        told = self.wire.get("error")
        return Failure(_text(told, "code"), _text(told, "message")) if isinstance(told, dict) else None

    @property
    def raw(self) -> Any:
        """The answer as the service sent it: a dict, or for a stream the list of its event dicts."""
        return super().raw or self.wire or None

    def result(self, call: ToolCall | str, output: Any) -> dict[str, Any]:
        """The result of one of its `tool_calls`, for `qwen.responses([reply.result(call, …)], previous=reply)`."""
        text = import_module("qwenkit.protocol.results").text_of(output)
        return {"type": "function_call_output", "call_id": call if isinstance(call, str) else call.id, "output": text}

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
    created: int = msgspec.field(name="created_at", default=0)
    metadata: dict[str, str] = {}
    deleted: bool = False

    def __repr__(self) -> str:
        gone = ", deleted" if self.deleted else ""
        return f"ConversationObject(metadata={self.metadata}{gone})"


def _choice(output: list[Item], status: str) -> Choice:
    """The items as a chat answer has them. Built-in tools have run already: only functions are left to call."""
    calls = [call for item in output if (call := item.tool_call)]
    ended = {"completed": "tool_calls" if calls else "stop", "incomplete": "length"}
    return Choice(
        text="".join(item.text for item in output),
        thinking="\n\n".join(item.thinking.strip("\n") for item in output if item.thinking),
        finish_reason=ended.get(status),
        tool_calls=[msgspec.structs.replace(call, index=at) for at, call in enumerate(calls)],
    )


def dicts(value: Any) -> list[dict[str, Any]]:
    """The dicts in what should be a list of them."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(place: Any, name: str) -> str:
    value = place.get(name) if isinstance(place, Mapping) else None
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str) and each] if isinstance(value, list) else []


def _joined(parts: Any) -> str:
    return "".join(_text(part, "text") or _text(part, "refusal") for part in dicts(parts))


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
