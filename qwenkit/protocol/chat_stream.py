"""A chat stream is a fold: event after event into one growing reply.

`ChatFold.add` takes one event's bytes and gives the pieces it brings; `ChatFold.reply` is the reply so far, at any
moment. The same fold serves blocking and awaited clients, live drawing, traces and tests. It reads both dialects:
incremental deltas, and the cumulative ones some translation models send, where every event repeats the whole text.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any, TypeVar

import msgspec

from qwenkit.errors import QwenError, StreamBroken
from qwenkit.protocol import failures
from qwenkit.protocol.chat import WireLogprobs, WireToolCall
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.reply import Choice, Piece, Reply, TokenLogprob, ToolCall, ToolFragment
from qwenkit.types.usage import Usage


class WireDelta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[WireToolCall] | None = None


class WireChunkChoice(msgspec.Struct, gc=False):
    index: int = 0
    delta: WireDelta | None = None
    finish_reason: str | None = None
    logprobs: WireLogprobs | None = None


class WireChunk(msgspec.Struct, gc=False):
    choices: list[WireChunkChoice] = []
    usage: Usage | None = None
    id: str | None = None
    model: str | None = None
    created: int | None = None
    error: Any = None
    code: Any = None


E = TypeVar("E", bound=QwenError)

_CHUNK = Lenient.of(WireChunk)
_DONE = b"[DONE]"
_MOST_EVENTS = 4096  # raw events kept for `reply.raw`: about a megabyte, so that endless streams stay flat in memory


class Text:
    """A text that grows by small pieces. Kept as bytes: a list of a hundred thousand short strings weighs far more."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = BytesIO()

    def write(self, piece: str) -> None:
        self._bytes.write(piece.encode("utf-8", "surrogatepass"))

    def getvalue(self) -> str:
        return self._bytes.getvalue().decode("utf-8", "surrogatepass")


class _Growing:
    """One choice as it grows. Texts are written to a buffer and read only when somebody asks."""

    __slots__ = ("finish_reason", "index", "logprobs", "text", "thinking", "tools")

    def __init__(self, index: int) -> None:
        self.index = index
        self.text = Text()
        self.thinking = Text()
        self.finish_reason: str | None = None
        self.logprobs: list[TokenLogprob] = []
        self.tools: dict[int, ToolCall] = {}

    def choice(self) -> Choice:
        return Choice(
            index=self.index,
            text=self.text.getvalue(),
            thinking=self.thinking.getvalue(),
            finish_reason=self.finish_reason,
            tool_calls=[msgspec.structs.replace(call) for _, call in sorted(self.tools.items())],
            logprobs=list(self.logprobs) or None,
        )

    def add_tool(self, wire: WireToolCall) -> ToolFragment:
        """Join one fragment. A later empty id or name never overwrites the known one."""
        index = wire.index or 0
        call = self.tools.setdefault(index, ToolCall(index=index))
        name = (wire.function.name if wire.function else None) or ""
        arguments = (wire.function.arguments if wire.function else None) or ""
        call.id = wire.id or call.id
        call.name = name or call.name
        call.arguments += arguments
        return ToolFragment(index=index, id=call.id, name=call.name, arguments=arguments)


class ChatFold:
    """Events in, pieces out, and the whole reply at any time."""

    def __init__(self, *, cumulative: bool = False, request: str = "") -> None:
        self.cumulative = cumulative
        self.request = request
        self.request_id = ""
        self.done = False
        self._events: list[bytes] = []
        self._growing: dict[int, _Growing] = {}
        self.usage: Usage | None = None
        self._head: WireChunk | None = None

    @property
    def begun(self) -> bool:
        return self._head is not None

    @property
    def ended(self) -> bool:
        """Whether the answer is complete: the end marker came, or every choice said why it stopped."""
        choices = self._growing.values()
        return self.done or (bool(choices) and all(choice.finish_reason for choice in choices))

    def add(self, data: bytes) -> list[Piece]:
        """Fold one event in. Raises the typed error when the event is one, `StreamBroken` when it is not readable."""
        if self.done or data.startswith(_DONE):
            self.done = True
            return []
        if not data:  # a keep-alive comment, or a named event without data
            return []
        try:
            chunk: WireChunk = _CHUNK.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as broken:
            raise self.broken(f"the stream sent something that is not JSON: {data[:60]!r}") from broken
        if chunk.error or (chunk.code and not chunk.choices):
            self._refuse(data)
        if self._head is None:
            self._head = chunk
        if len(self._events) < _MOST_EVENTS:
            self._events.append(data)
        pieces = [piece for choice in chunk.choices for piece in self._grow(choice)]
        if chunk.usage is not None:
            self.usage = chunk.usage
            pieces.append(Piece(usage=chunk.usage))
        return pieces

    def _grow(self, wire: WireChunkChoice) -> list[Piece]:
        growing = self._growing.get(wire.index) or self._growing.setdefault(wire.index, _Growing(wire.index))
        delta = wire.delta or WireDelta()
        piece = Piece(index=wire.index)
        if delta.content:
            piece.text = self._new_text(growing, delta.content)
        if delta.reasoning_content:
            piece.thinking = delta.reasoning_content
            growing.thinking.write(delta.reasoning_content)
        if wire.logprobs is not None and wire.logprobs.content:
            piece.logprobs = wire.logprobs.content
            growing.logprobs.extend(wire.logprobs.content)
        if wire.finish_reason:
            piece.finish_reason = growing.finish_reason = wire.finish_reason
        if delta.tool_calls:
            return self._with_tools(piece, growing, delta.tool_calls)
        return [piece] if piece.text or piece.thinking or piece.finish_reason else []

    def _with_tools(self, piece: Piece, growing: _Growing, calls: list[WireToolCall]) -> list[Piece]:
        """One piece per fragment; what else the event said rides on the first."""
        fragments = [growing.add_tool(call) for call in calls]
        piece.tool = fragments[0]
        return [piece, *(Piece(index=piece.index, tool=fragment) for fragment in fragments[1:])]

    def _new_text(self, growing: _Growing, content: str) -> str:
        if self.cumulative:
            known = growing.text.getvalue()
            if content.startswith(known):
                content = content[len(known) :]
        growing.text.write(content)
        return content

    def reply(self) -> Reply:
        """Everything so far, as one value."""
        head = self._head or WireChunk()
        return Reply(
            choices=[growing.choice() for _, growing in sorted(self._growing.items())],
            usage=self.usage,
            id=head.id or "",
            model=head.model or "",
            created=head.created or 0,
            events=list(self._events),
        )

    def broken(self, why: str) -> StreamBroken:
        """The error for a stream that cannot go on, carrying what had arrived."""
        hint = "what had arrived is in error.reply; ask again, or continue from it with a partial message"
        return self.carry(StreamBroken(why, hint=hint, request=self.request, request_id=self.request_id))

    def carry(self, error: E) -> E:
        """The error with the reply so far on it."""
        error.reply = self.reply()
        return error

    def _refuse(self, data: bytes) -> None:
        error = failures.from_event(data, status=None, request=self.request, request_id=self.request_id)
        if error is not None:
            raise self.carry(error)
