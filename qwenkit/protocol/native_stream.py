"""A native stream is a fold over frames, cumulative or incremental, of any of the three shapes.

Every frame is a whole object, so a frame becomes a chunk of a chat stream. How replies grow from chunks, and what is
taken off when they repeat, is `ChatFold`'s, which this is one of.
"""

from __future__ import annotations

from typing import Any

import msgspec

from qwenkit.protocol import billing
from qwenkit.protocol.chat import WireChoice, WireMessage, ending
from qwenkit.protocol.chat_stream import ChatFold, WireChunk, WireChunkChoice, WireDelta
from qwenkit.protocol.native import ANSWER, WireAnswer
from qwenkit.types.message import text_of
from qwenkit.types.reply import Piece


class NativeFold(ChatFold):
    """The fold of a native stream."""

    def __init__(self, *, model: str, **facts: Any) -> None:
        super().__init__(**facts)
        self.model = model

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
        self._head = WireChunk(id=self.request_id, model=self.model)
        self.keep(data)
        pieces = [piece for each in answer.output.all() for piece in self._grow(_chunk(each))]
        usage = billing.usage(answer.usage)
        if usage is not None:  # every frame has one: it rides along
            self.usage = usage
            pieces = pieces or [Piece()]
            pieces[-1].usage = usage
        return pieces


def _chunk(wire: WireChoice) -> WireChunkChoice:
    said = wire.message or WireMessage(wire.text)
    delta = WireDelta(text_of(said.content), said.reasoning_content, said.tool_calls)
    return WireChunkChoice(wire.index or 0, delta, ending(wire.finish_reason), wire.logprobs)
