"""What every stream fold shares: the raw events kept, the errors raised, and the reply so far carried by each.

A fold takes one event's bytes at a time and gives the pieces it brings; `reply` is everything so far as one value.
Chat, the native API and Responses each have their own; the code that reads sockets knows only this class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from qwenkit.errors import QwenError, StreamBroken
from qwenkit.protocol import failures
from qwenkit.protocol.sse import EventDecoder
from qwenkit.types.usage import Usage

Piece = TypeVar("Piece")
Result = TypeVar("Result")
E = TypeVar("E", bound=QwenError)

MOST_EVENTS = 4096  # raw events kept for `reply.raw`: about a megabyte, so that endless streams stay flat in memory


class Fold(ABC, Generic[Piece, Result]):
    """Events in, pieces out, and the whole reply at any time."""

    def __init__(self, *, request: str = "") -> None:
        self.request = request
        self.request_id = ""
        self.done = False  # the end marker came: how the connection ends no longer matters
        self.usage: Usage | None = None
        self._events: list[bytes] = []

    @property
    @abstractmethod
    def begun(self) -> bool:
        """Whether anything of the answer has come."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether the answer is complete."""

    @abstractmethod
    def add(self, data: bytes) -> list[Piece]:
        """Fold one event in. Raises the typed error when the event is one, `StreamBroken` when it is not readable."""

    @abstractmethod
    def reply(self) -> Result:
        """Everything so far, as one value."""

    @abstractmethod
    def words(self) -> str:
        """All the model wrote so far, thinking included: what an abandoned stream is billed by."""

    def keep(self, data: bytes) -> None:
        """Remember an event for `reply.raw`."""
        if len(self._events) < MOST_EVENTS:
            self._events.append(data)

    def unreadable(self, data: bytes, why: Exception) -> StreamBroken:
        broken = self.broken(f"the stream sent something that is not JSON: {data[:60]!r}")
        broken.__cause__ = why
        return broken

    def broken(self, why: str) -> StreamBroken:
        """The error for a stream that cannot go on, carrying what had arrived."""
        hint = "what had arrived is in error.reply; ask again, or continue from it with a partial message"
        return self.carry(StreamBroken(why, hint=hint, request=self.request, request_id=self.request_id))

    def carry(self, error: E) -> E:
        """The error with the reply so far on it."""
        carried: Any = self.reply()
        error.reply = carried
        return error

    def refuse(self, data: bytes) -> None:
        """Raise the typed error when the event is one."""
        error = failures.from_event(data, status=None, request=self.request, request_id=self.request_id)
        if error is not None:
            raise self.carry(error)


def read_whole(make: Callable[[], Fold[Any, Result]], data: bytes, *, request: str, request_id: str) -> Result:
    """The reply in a stream that was read to its end at once: how a model that only streams answers a plain call."""
    fold, decoder = make(), EventDecoder()
    fold.request, fold.request_id = request, request_id
    for event in [*decoder.feed(data), *decoder.close()]:
        fold.add(event.data)
    if not fold.begun:
        raise failures.unreadable("a stream", data, request=request, request_id=request_id)
    if not fold.ended:
        raise fold.broken("the stream ended before the answer did")
    return fold.reply()
