"""A turn read as it comes: the stream of each round, one after the other.

Between two rounds come pieces whose `ran` is a call with its result. `reply` is at any moment the answer so far, with
the rounds before it. A stream that is left, or breaks, takes its turn with it: the history stays as it was.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import aclosing
from typing import Any, cast

from qwenkit.api.chat import plan
from qwenkit.api.core import Core
from qwenkit.api.rounds import Turn
from qwenkit.api.stream import AsyncChatStream, ChatStream
from qwenkit.errors import QwenError
from qwenkit.types.reply import Piece, Reply
from qwenkit.types.tools import ToolRun


class _Reading:
    """A turn being read. Like any reading it does not know the stream in the user's hand (see `qwenkit.api.stream`)."""

    def __init__(self, core: Core, turn: Turn, kind: Any) -> None:
        self.core = core
        self.turn = turn
        self.reply: Reply | None = None
        self.over = False
        self._kind = kind
        self._ready = None if turn.calls else self._opened()  # what cannot be sent is refused before it is read
        self._last: Any = self._ready

    def _opened(self) -> Any:
        options = self.turn.options
        return self._kind(
            self.core, plan(self.core, self.turn.messages(), "", options["model"], _without_model(options))
        )

    def next(self) -> Any:
        """The stream of the next round."""
        self._last, self._ready = self._ready or self._opened(), None
        return self._last

    @property
    def request_id(self) -> str:
        return self._last.request_id if self._last is not None else ""

    def ran(self, runs: list[ToolRun]) -> Iterator[Piece]:
        self._last = None  # its calls now stand, with their results, in the last round
        return (Piece(ran=run) for run in runs)

    def so_far(self) -> Reply:
        if self.reply is not None:
            return self.reply
        reply: Reply = self._last.reply if self._last is not None else Reply()
        reply.rounds = list(self.turn.rounds)
        return reply

    def failed(self, error: QwenError) -> None:
        if isinstance(error.reply, Reply):
            error.reply.rounds = list(self.turn.rounds)


def _without_model(options: Any) -> Any:
    return {name: value for name, value in options.items() if name != "model"}


def _read(reading: _Reading) -> Generator[Piece, None, None]:
    turn = reading.turn
    try:
        while not turn.over:
            if turn.calls:
                yield from reading.ran(reading.core.driver.run(turn.work()))
            with reading.next() as stream:
                yield from stream
            turn.said(stream.reply)
        reading.reply = stream.reply
    except QwenError as error:
        reading.failed(error)
        raise
    finally:
        reading.over = True


async def _aread(reading: _Reading) -> AsyncGenerator[Piece, None]:
    turn = reading.turn
    try:
        while not turn.over:
            if turn.calls:
                for piece in reading.ran(await reading.core.async_driver.run(turn.work())):
                    yield piece
            async with reading.next() as stream, aclosing(aiter(stream)) as pieces:
                async for piece in pieces:
                    yield piece
            turn.said(stream.reply)
        reading.reply = stream.reply
    except QwenError as error:
        reading.failed(error)
        raise
    finally:
        reading.over = True


class _Talking:
    """What the streams of both flavours say of a turn."""

    _reading: Any

    @property
    def reply(self) -> Reply:
        """The answer so far, its rounds in `reply.rounds`; the last answer once the stream has ended."""
        return cast(Reply, self._reading.so_far())

    @property
    def request_id(self) -> str:
        return cast(str, self._reading.request_id)


class TalkStream(_Talking, ChatStream):
    """A turn that is read as it comes, round after round."""

    def __init__(self, core: Core, turn: Turn) -> None:
        self._reading: Any = _Reading(core, turn, ChatStream)
        self._started = False

    def __iter__(self) -> Iterator[Piece]:
        if self._pieces is None or self._reading.over:
            self._start()
            self._pieces = _read(self._reading)
        return self._pieces


class AsyncTalkStream(_Talking, AsyncChatStream):
    """A turn that is awaited as it comes, round after round."""

    def __init__(self, core: Core, turn: Turn) -> None:
        self._reading: Any = _Reading(core, turn, AsyncChatStream)
        self._started = False

    def __aiter__(self) -> AsyncIterator[Piece]:
        if self._pieces is None or self._reading.over:
            self._start()
            self._pieces = _aread(self._reading)
        return self._pieces
