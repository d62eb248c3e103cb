"""What a realtime session says: some sixty wire names in a dozen shapes, the name kept as data.

An event is what one frame said, decoded straight from its bytes. Fields that the wire does not have (`at`, `source`)
have names that no service gives its fields. Whatever else a frame had stays reachable through `.raw`. A session has
things to say for itself too (it reconnected, a limit is near): those are `LocalEvent`s.
"""

from __future__ import annotations

import reprlib
from importlib import import_module
from typing import Any, ClassVar

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.reply import ToolCall
from qwenkit.types.usage import Usage


class _Terse(reprlib.Repr):
    """Values in short, and without the ids in them, which differ from run to run."""

    def repr_dict(self, x: dict[str, Any], level: int) -> str:
        return super().repr_dict({name: each for name, each in x.items() if not _is_id(str(name))}, level)


_TERSE = _Terse()
_TERSE.maxstring, _TERSE.maxdict, _TERSE.maxlist, _TERSE.maxother = 60, 3, 3, 60
_UNSAID = ("type", "at", "source")


class Inside:
    """A text inside an object of a frame, where it may be missing or something else; the first path that has one."""

    def __init__(self, *paths: str) -> None:
        self.paths = [path.split(".") for path in paths]

    def __get__(self, event: Any, owner: Any) -> str:
        for field, *path in self.paths:
            told = getattr(event, field, None)
            for name in path:
                told = told.get(name) if isinstance(told, dict) else None
            if found := _text(told):
                return found
        return ""


class Ends:
    """Whether the name of an event ends, or goes on, in a certain way."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __get__(self, event: Any, owner: Any) -> bool:
        return getattr(event, "type", "").endswith(self.words)


class Event(Shown, msgspec.Struct, kw_only=True, gc=False):
    """One event. `at` is in seconds since the session opened, `source` the bytes of its frame."""

    family: ClassVar[str] = ""
    type: str = ""
    event_id: str = ""
    at: float = msgspec.field(default=0.0, name=" at")
    source: bytes = msgspec.field(default=b"", name=" source")

    def __init_subclass__(cls, **config: Any) -> None:
        """A family is called as its class is."""
        super().__init_subclass__(**config)
        cls.family = cls.__name__.removesuffix("Event").lower()

    @property
    def raw(self) -> Any:
        """The frame as it came, unknown fields included; its text when it is no JSON, {} when there was no frame."""
        if not self.source:
            return {}
        try:
            return msgspec.json.decode(self.source)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return self.source.decode("utf-8", "replace")

    done = Ends(".done", ".completed")

    def __repr__(self) -> str:
        """The same in every run: no clock, no ids, sound as its size."""
        told = {name: getattr(self, name) for name in self.__struct_fields__ if name not in _UNSAID}
        shown = {name: value for name, value in told.items() if value not in ("", None, b"", 0) and not _is_id(name)}
        said = [f"{name}={_brief(value)}" for name, value in shown.items()]
        return f"{type(self).__name__}({', '.join([self.type or '(no type)', *said])})"


class Placed(Event):
    """What belongs somewhere in an answer."""

    response_id: str = ""
    item_id: str = ""
    output_index: int = 0
    content_index: int = 0


class SessionEvent(Event):
    """The session was created, updated or finished; `session` is its effective configuration."""

    session: dict[str, Any] = {}
    id = Inside("session.id")


class ErrorEvent(Event):
    """Something was refused or broke. `kind` is the error's own type, `about` the client event it answers."""

    error: Any = None
    flat_code: Any = msgspec.field(default=None, name="code")
    flat_message: Any = msgspec.field(default=None, name="message")

    code = Inside("error.code", "flat_code")
    param = Inside("error.param")
    kind = Inside("error.type")
    about = Inside("error.event_id")
    _said = Inside("error.message", "flat_message", "error", "error.code", "flat_code")

    @property
    def message(self) -> str:
        return self._said or "the service says there was an error, and no more"


class SpeechEvent(Event):
    """Somebody began to speak, or stopped; `at_ms` is a place in the sound that was sent."""

    item_id: str = ""
    audio_start_ms: float | None = None
    audio_end_ms: float | None = None
    reason: str = ""
    started = Ends("speech_started")

    @property
    def at_ms(self) -> float | None:
        return self.audio_start_ms if self.started else self.audio_end_ms


class BufferEvent(Event):
    """What was appended, sound or text, was committed or cleared."""

    item_id: str = ""
    previous_item_id: str = ""
    committed = Ends(".committed")


class ItemEvent(Placed):
    """An item of the conversation or of a response: a message, a call, or what came of one."""

    item: dict[str, Any] = {}
    previous_item_id: str = ""
    id = Inside("item.id", "item_id")
    kind = Inside("item.type")  # message, function_call, mcp_call, mcp_approval_request, …

    @property
    def yours(self) -> bool:
        """Whether it is a message of the user's. One edition of the pages calls its role assistant."""
        return self.kind == "message" and (
            text_in(self.item, "role") == "user" or any(text_in(part, "type")[:5] == "input" for part in self._parts)
        )

    @property
    def text(self) -> str:
        """Its words, under either name they have."""
        return "".join(text_in(part, "transcript") or text_in(part, "text") for part in self._parts)

    @property
    def call(self) -> ToolCall:
        call_id, name, arguments = (text_in(self.item, name) for name in ("call_id", "name", "arguments"))
        return ToolCall(call_id or self.id, name, arguments, self.output_index)

    @property
    def _parts(self) -> list[Any]:
        content = self.item.get("content")
        return content if isinstance(content, list) else []


class HeardEvent(Event):
    """What the service made of your speech. Each preview replaces the one before, the final one replaces them all."""

    item_id: str = ""
    content_index: int = 0
    fixed: str = msgspec.field(default="", name="text")
    stash: str = ""
    delta: str = ""
    transcript: str = ""
    language: str = ""
    emotion: str = ""
    error: Any = None
    final = Ends(".completed")
    failed = Ends(".failed")

    @property
    def text(self) -> str:
        return self.transcript or self.fixed + self.stash or self.delta

    @property
    def ambient(self) -> bool:
        """Whether it was said by somebody in the room, and not to the model."""
        return ".ambient_" in self.type


class ResponseEvent(Event):
    """An answer began or ended."""

    response: dict[str, Any] = {}
    response_id: str = ""
    id = Inside("response.id", "response_id")
    reason = Inside("response.status_details.reason", "response.status_details.type")  # why it did not complete
    problem = Inside("response.status_details.error.message", "response.status_details.error.code")

    @property
    def ended(self) -> bool:
        return not self.type.endswith(".created")

    @property
    def status(self) -> str:
        return "cancelled" if self.type.endswith(".cancelled") else text_in(self.response, "status")

    @property
    def items(self) -> list[ItemEvent]:
        """What it put out, each as the item it is."""
        output = self.response.get("output")
        given = [each for each in output if isinstance(each, dict)] if isinstance(output, list) else []
        return [ItemEvent(type=self.type, item=each, output_index=index) for index, each in enumerate(given)]

    @property
    def usage(self) -> Usage | None:
        """The bill in either spelling of its parts."""
        told = self.response.get("usage")
        if not isinstance(told, dict):
            return None
        plural = {name.replace("_token_details", "_tokens_details"): part for name, part in told.items()}
        bill: Usage | None = import_module("qwenkit.protocol.billing").usage(plural)
        return bill


class PartEvent(Placed):
    """A part of an item begins or is complete: text, or sound with its words."""

    part: dict[str, Any] = {}
    text = Inside("part.transcript", "part.text")


class TextEvent(Placed):
    """Words of an answer, written or spoken: a `delta` to add, or all of them so far in `full`."""

    delta: str = ""
    text: str = ""
    transcript: str = ""
    stash: str = ""
    cumulative = Ends(".text")

    @property
    def full(self) -> str:
        """All the words, where an event tells all: when done, and in every event of some translators."""
        return (self.transcript or self.text) + self.stash

    @property
    def spoken(self) -> bool:
        return "transcript" in self.type


class AudioEvent(Placed):
    """Sound of an answer, as bytes ready to play; none when it is done."""

    pcm: bytes = msgspec.field(default=b"", name="delta")


class ArgumentsEvent(Placed):
    """Arguments of a call as the model writes them. Those of the `done` event are the ones to use."""

    delta: str = ""
    arguments: str = ""
    name: str = ""
    call_id: str = ""

    @property
    def call(self) -> ToolCall:
        return ToolCall(self.call_id or self.item_id, self.name, self.arguments, self.output_index)


class ProgressEvent(Placed):
    """How far the service is with tools of its own: looking them up, calling one."""

    error: Any = None


class OtherEvent(Event):
    """A frame that nobody here knows; `broken` says what is wrong with one that is no event at all."""

    broken: str = msgspec.field(default="", name=" broken")


class LocalEvent(Event):
    """What the session itself has to say: local.reconnected, local.limit, local.lost, local.ended, local.played, …"""

    detail: dict[str, Any] = {}


def text_in(told: Any, name: str) -> str:
    """A text in an object of the wire; empty where there is none, or something else."""
    return _text(told.get(name)) if isinstance(told, dict) else ""


def _text(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return ""
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else ""


def _is_id(name: str) -> bool:
    return name == "id" or name.endswith("_id")


def _brief(value: Any) -> str:
    return f"{len(value):,} bytes" if isinstance(value, bytes) else _TERSE.repr(value)
