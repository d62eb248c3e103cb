"""A turn in the making, and the microphone it is cut out of."""

from __future__ import annotations

from typing import Any

import msgspec

from qwenkit.types.realtime import ItemEvent, text_in
from qwenkit.types.reply import ToolCall
from qwenkit.types.tools import ToolRun
from qwenkit.types.turn import Turn
from qwenkit.types.usage import Usage

_MIC_SECONDS = 120  # of sound kept until it is known whose it is


class Work(msgspec.Struct, eq=False):
    """A turn, and what is known of it that is no part of it."""

    turn: Turn
    asked: bool = False
    settled: bool = False  # a speech that the service is going to answer by itself
    named: bool = False  # whether the service has an item for it
    active: str | None = None  # the answer under way
    waits: bool = False  # for the results of calls
    begin_ms: float = 0.0  # of the speech
    words: dict[str, str] = {}  # yours, by item
    parts: dict[tuple[str, str, int], str] = {}  # of the answer
    calls: dict[str, ToolCall] = {}
    drafts: dict[str, str] = {}  # their arguments as they grow
    called: list[str] = []  # by the answer under way

    @property
    def gathers(self) -> bool:
        """Whether nothing has answered it yet."""
        return not self.turn.response_ids

    @property
    def takes(self) -> bool:
        """Whether more may be said in it."""
        return self.gathers and not self.asked and not self.settled

    @property
    def has_begun(self) -> bool:
        """Whether there is more of it than a microphone that is on."""
        return bool(self.asked or self.settled or self.words or self.turn.said or not self.gathers)

    def hear(self, item_id: str, text: str) -> None:
        """Words of yours; a later version of an item replaces it."""
        self.words[item_id] = text
        self.turn.user = " ".join(each for each in self.words.values() if each)

    def write(self, key: tuple[str, str, int], whole: str) -> None:
        """Words of the answer; `whole` is all of a part so far."""
        if whole:
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


class Microphone:
    """What was sent, as far back as it may still be asked for. Times are in milliseconds since the session began."""

    def __init__(self) -> None:
        self.bytes_per_second = 32_000
        self._sound, self._gone = bytearray(), 0

    def __len__(self) -> int:
        return len(self._sound)

    def add(self, pcm: bytes | bytearray | memoryview) -> None:
        self._sound += pcm
        most = _MIC_SECONDS * self.bytes_per_second
        if len(self._sound) > 2 * most:
            self._forget(len(self._sound) - most)

    def cut(self, begin_ms: float = 0.0, end_ms: float | None = None) -> bytes:
        """The sound between two times. What came before them is forgotten."""
        end = len(self._sound) if end_ms is None else min(self._place(end_ms), len(self._sound))
        sound = bytes(self._sound[self._place(begin_ms) : end])
        self._forget(end)
        return sound

    def _place(self, ms: float) -> int:
        return max(0, int(ms * self.bytes_per_second / 2000) * 2 - self._gone)

    def _forget(self, length: int) -> None:
        del self._sound[:length]
        self._gone += length


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two bills as one, part by part."""
    total = {**one, **other}
    for name in one.keys() & other.keys():
        if isinstance(one[name], dict):
            total[name] = _added(one[name], other[name])
        elif isinstance(one[name], int | float):
            total[name] = one[name] + other[name]
    return total
