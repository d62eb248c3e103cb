"""Which response went on from which: the turns of a session as a tree, forks and all. It keeps words, not replies."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.response import Response

MOST_TURNS = 2_000
MOST_WORDS = 200


class Turn(msgspec.Struct, frozen=True, repr_omit_defaults=True):
    """One turn. `after` is the number of the turn it goes on from: 0 for none, -1 for one from before this session."""

    number: int
    asked: str = ""
    said: str = ""
    after: int = 0
    tools: list[str] = []


class ResponseTree(Shown):
    """The turns of a session in the order they were answered; `after(turn)` walks them as a tree, from None."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._numbers: dict[str, int] = {}  # by id of a response
        self._latest: dict[str, int] = {}  # by id of a conversation
        self._lock = threading.Lock()

    def add(self, asked: str, reply: Response) -> None:
        """Note a finished turn. In a conversation each turn goes on from the one before it."""
        with self._lock:
            if len(self.turns) >= MOST_TURNS:
                return
            number = len(self.turns) + 1
            after = self._numbers.get(reply.previous, -1) if reply.previous else self._latest.get(reply.conversation, 0)
            tools = [
                item.name or item.type.removesuffix("_call") for item in reply.output if item.type.endswith("_call")
            ]
            self.turns.append(Turn(number, asked[:MOST_WORDS], reply.text[:MOST_WORDS], after, tools))
            self._numbers[reply.id] = number
            if reply.conversation:
                self._latest[reply.conversation] = number

    def after(self, turn: Turn | None) -> list[Turn]:
        """The turns that go on from this one; from None, those that begin a chain."""
        return [each for each in self.turns if max(each.after, 0) == (turn.number if turn else 0)]

    def __len__(self) -> int:
        return len(self.turns)

    def __iter__(self) -> Iterator[Turn]:
        return iter(list(self.turns))

    def __repr__(self) -> str:
        return f"ResponseTree({len(self)} turns)"
