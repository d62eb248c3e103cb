"""A native stream is a fold over frames, cumulative or incremental, of any of the three shapes.

Every frame is a whole object, so a frame becomes a chunk of a chat stream: what it repeats is taken off first when the
stream is cumulative. How replies grow from chunks is `ChatFold`'s, which this is one of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from qwenkit.protocol import billing
from qwenkit.protocol.chat import WireFunction, WireLogprobs, WireToolCall
from qwenkit.protocol.chat_stream import ChatFold, WireChunk, WireChunkChoice, WireDelta
from qwenkit.protocol.native import ANSWER, WireAnswer, WireChoice, WireMessage, ending
from qwenkit.types.message import text_of
from qwenkit.types.reply import Piece, Reply


class _Known:
    """What of one choice has come so far, for streams that repeat it."""

    __slots__ = ("arguments", "text", "thinking", "weighed")

    def __init__(self) -> None:
        self.text = self.thinking = ""
        self.arguments: dict[int, str] = {}
        self.weighed = 0


class NativeFold(ChatFold):
    """The fold of a native stream. `cumulative` is how it was asked for."""

    def __init__(self, *, model: str, cumulative: bool = False, **facts: Any) -> None:
        super().__init__(**facts)
        self.model = model
        self.repeats = cumulative
        self._known: dict[int, _Known] = {}

    def add(self, data: bytes) -> list[Piece]:
        """Fold one frame in. Raises the typed error when it is one, `StreamBroken` when it is not readable."""
        if not data or data.startswith(b"[DONE]"):
            return []
        try:
            answer: WireAnswer = ANSWER.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as broken:
            raise self.unreadable(data, broken) from broken
        if answer.output is None:
            self.refuse(data)
            return []
        self.request_id = answer.request_id or self.request_id  # it may change from frame to frame; the last one holds
        if self._head is None:
            self._head = WireChunk(id=answer.request_id, model=self.model)
        self.keep(data)
        pieces = [piece for each in answer.output.all() for piece in self._grow(self._chunk(each))]
        usage = billing.usage(answer.usage)
        if usage is not None:  # every frame has one: it rides along
            self.usage = usage
            pieces = pieces or [Piece()]
            pieces[-1].usage = usage
        return pieces

    def reply(self) -> Reply:
        reply = super().reply()
        reply.id = self.request_id or reply.id
        return reply

    def _chunk(self, wire: WireChoice) -> WireChunkChoice:
        said = wire.message or WireMessage()
        delta = WireDelta(text_of(said.content), said.reasoning_content, said.tool_calls)
        chunk = WireChunkChoice(wire.index, delta, ending(wire.finish_reason), wire.logprobs)
        return self._news(chunk, delta) if self.repeats else chunk

    def _news(self, chunk: WireChunkChoice, delta: WireDelta) -> WireChunkChoice:
        """The same chunk without what earlier ones said."""
        known = self._known.setdefault(chunk.index, _Known())
        delta.content, known.text = _tail(delta.content, known.text)
        delta.reasoning_content, known.thinking = _tail(delta.reasoning_content, known.thinking)
        delta.tool_calls = list(self._fragments(delta.tool_calls or [], known))
        weighed = (chunk.logprobs.content if chunk.logprobs else None) or []
        chunk.logprobs = WireLogprobs(weighed[known.weighed :])
        known.weighed = max(known.weighed, len(weighed))
        return chunk

    def _fragments(self, calls: list[WireToolCall], known: _Known) -> Iterator[WireToolCall]:
        for call in calls:
            index, function = call.index or 0, call.function or WireFunction()
            first = index not in known.arguments
            news, known.arguments[index] = _tail(function.arguments, known.arguments.get(index, ""))
            if news or first:
                yield WireToolCall(index, call.id, WireFunction(function.name, news))


def _tail(text: str | None, known: str) -> tuple[str, str]:
    """What is new in a text that may repeat the known one, and all of it."""
    text = text or ""
    news = text[len(known) :] if text.startswith(known) else text
    return news, known + news
