"""A turn in the making, and the microphone it is cut out of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from qwenkit.types.realtime import ArgumentsEvent, AudioEvent, ItemEvent, ResponseEvent, TextEvent, text_in
from qwenkit.types.reply import ToolCall
from qwenkit.types.tools import ToolRun
from qwenkit.types.turn import Turn
from qwenkit.types.usage import Usage

_MIC_SECONDS = 120  # of sound kept until it is known whose it is
_LIVE = 0.8  # of the pace of speech, at least
_FAILINGS = ("cancelled", "failed", "incomplete", "interrupted")
_REASONS = {"turn_detected": "interrupted", "client_cancelled": "cancelled"}


class Work(msgspec.Struct, eq=False):
    """A turn, and what is known of it that is no part of it."""

    turn: Turn
    asked: bool = False
    settled: bool = False  # a speech that the service is going to answer by itself
    named: bool = False  # whether the service has an item for it
    active: str | None = None  # the answer under way
    waits: bool = False  # for the results of calls
    begin_ms: float = 0.0  # of the speech
    end_ms: float = 0.0  # where it was heard last
    words: dict[str, str] = {}  # yours, by item
    parts: dict[tuple[str, str, int], str] = {}  # of the answer
    calls: dict[str, ToolCall] = {}
    drafts: dict[str, str] = {}  # their arguments as they grow
    called: list[str] = []  # by the answer under way
    served: bool = False  # whether it is nothing yet but calls that the service carried out

    @property
    def gathers(self) -> bool:
        """Whether nothing has answered it yet."""
        return not self.turn.response_ids

    @property
    def takes(self) -> bool:
        """Whether more may be said in it."""
        return self.gathers and not self.asked and not self.settled

    @property
    def speaks(self) -> bool:
        """Whether the service hears you speak, and not yet the end of it."""
        at = self.turn.moments
        return at.speech_started is not None and at.speech_stopped is None and at.committed is None

    @property
    def has_begun(self) -> bool:
        """Whether there is more of it than a microphone that is on."""
        return bool(self.asked or self.settled or self.words or self.turn.said or not self.gathers)

    def hear(self, item_id: str, text: str) -> None:
        """Words of yours; a later version of an item replaces it."""
        self.words[item_id] = text
        self.turn.user = " ".join(each for each in self.words.values() if each)

    def text(self, event: TextEvent) -> None:
        key = (event.response_id, event.item_id, event.content_index)
        so_far = self.parts.get(key, "")
        self.write(key, so_far + event.delta if event.type.endswith(".delta") else event.full or so_far)
        if self.turn.moments.first_text is None and self.turn.text:
            self.turn.moments.first_text = event.at

    def audio(self, event: AudioEvent) -> None:
        self.turn.pcm += event.pcm
        if self.turn.moments.first_audio is None and event.pcm:
            self.turn.moments.first_audio = event.at

    def arguments(self, event: ArgumentsEvent) -> None:
        if ".mcp_" not in event.type:
            call = event.call
            self.drafts[call.id] = self.drafts.get(call.id, "") + event.delta
            self.call(call, final=event.done)

    def complete(self, event: ResponseEvent) -> None:
        """What only the end of an answer tells."""
        for item in event.items:
            if item.kind == "function_call":
                self.call(item.call, final=True)
            elif item.kind == "message" and not any(key[0] == event.id for key in self.parts):
                self.write((event.id, item.id, 0), item.text)

    def write(self, key: tuple[str, str, int], whole: str) -> None:
        """Words of the answer; `whole` is all of a part so far."""
        if whole:
            self.served = False
            self.parts[key] = whole
            self.turn.text = whole if len(self.parts) == 1 else "\n".join(self.parts.values())

    def call(self, call: ToolCall, final: bool) -> None:
        """A call, known at once, and complete when its arguments are: those that come last, in one piece."""
        known = self.calls.setdefault(call.id, call)
        if known is call:
            self.turn.calls.append(call)
        known.name = known.name or call.name
        known.arguments = call.arguments if final and call.arguments else known.arguments
        if known.name and known.name not in self.called:
            self.called.append(known.name)

    def ran(self, event: ItemEvent) -> None:
        """A call that the service carried out itself."""
        call, said = event.call, text_in(event.item, "output")
        wrong = text_in(event.item.get("error"), "message") or text_in(event.item, "error")
        run = ToolRun(id=event.id, name=call.name, arguments=call.arguments, result=said or wrong, error=wrong)
        self.turn.runs.append(run)
        self.served = not any(key[0] == event.response_id for key in self.parts)

    def answered(self) -> list[str]:
        """One answer is over; the functions it called, with the arguments they are going to have."""
        for call in self.calls.values():
            call.arguments = call.arguments or self.drafts.get(call.id, "")
        called, self.called, self.active = self.called, [], None
        return called

    def pay(self, bill: Usage | None) -> None:
        if bill is not None:
            before = msgspec.to_builtins(self.turn.usage) if self.turn.usage else {}
            self.turn.usage = msgspec.convert(_added(before, msgspec.to_builtins(bill)), Usage)


PIECES: dict[str, Callable[[Work, Any], None]] = {
    "text": Work.text,
    "audio": Work.audio,
    "arguments": Work.arguments,
}


class Microphone:
    """What was sent, as far back as it may still be asked for. Times are in milliseconds since the session began."""

    def __init__(self) -> None:
        self.bytes_per_second = 32_000
        self._pieces: deque[bytes] = deque()
        self._size = self._gone = 0
        self._sent: deque[tuple[float, float]] = deque(maxlen=10 * _MIC_SECONDS)  # places, and when they were sent

    def __len__(self) -> int:
        return self._size

    @property
    def at_ms(self) -> float:
        """How much was sent."""
        return (self._gone + self._size) * 1000 / self.bytes_per_second

    def add(self, pcm: bytes | bytearray | memoryview, at: float) -> None:
        self._sent.append((self.at_ms, at))
        self._pieces.append(bytes(pcm))
        self._size += len(self._pieces[-1])
        while self._size - len(self._pieces[0]) > _MIC_SECONDS * self.bytes_per_second:
            self._forget(len(self._pieces.popleft()))

    def when(self, ms: float | None, now: float) -> float | None:
        """When this place of the sound was sent; None where nobody knows, or what follows came faster than speech."""
        for begin, at in reversed(self._sent):
            if ms is not None and begin <= ms:
                sent = min(at + (ms - begin) / 1000, now)
                return sent if now - sent > _LIVE * (self.at_ms - ms) / 1000 else None
        return None

    def cut(self, begin_ms: float = 0.0, end_ms: float | None = None) -> bytes:
        """The sound between two times. What came before them is forgotten."""
        whole = b"".join(self._pieces)
        end = len(whole) if end_ms is None else min(self._place(end_ms), len(whole))
        sound = whole[self._place(begin_ms) : end]
        self._pieces = deque([whole[end:]])
        self._forget(end)
        return sound

    def _place(self, ms: float) -> int:
        return max(0, int(ms * self.bytes_per_second / 2000) * 2 - self._gone)

    def _forget(self, length: int) -> None:
        self._size -= length
        self._gone += length


def ending(status: Any, otherwise: str, reason: str = "") -> str:
    """How an answer ended."""
    return _REASONS.get(reason, status) if status == "cancelled" else status if status in _FAILINGS else otherwise


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two bills as one, part by part."""
    total = {**one, **other}
    for name in one.keys() & other.keys():
        if isinstance(one[name], dict):
            total[name] = _added(one[name], other[name])
        elif isinstance(one[name], int | float):
            total[name] = one[name] + other[name]
    return total
