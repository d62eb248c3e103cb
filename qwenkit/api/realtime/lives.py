"""What sessions that do one thing have in common: how they open, are fed, read, finished and left, in both flavours."""

from __future__ import annotations

import asyncio
import inspect
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from functools import cached_property
from math import inf
from typing import Any, ClassVar, Generic, Self

from qwenkit import catalogue
from qwenkit.api.core import Core
from qwenkit.api.realtime import opening
from qwenkit.api.realtime.both import Awaited, Waiting, flowing, plain, talk
from qwenkit.api.realtime.engine import Engine, refusal
from qwenkit.config import seconds
from qwenkit.errors import ConfigError, QwenError
from qwenkit.protocol.realtime import commands
from qwenkit.protocol.realtime.live import LiveFold, Piece, Result
from qwenkit.protocol.realtime.live_settings import Asked
from qwenkit.transport.portal import Portal


class LiveCalls(Generic[Piece, Result]):
    """What the three have in common. `engine` is the session underneath, with its events and their callbacks."""

    _FOLD: ClassVar[type[LiveFold[Any, Any]]]
    _BUFFER: ClassVar[str] = "input_audio_buffer"
    _FEEDING: ClassVar[str] = "append(sound)"
    _listens = True
    _call: Any = None  # its place in the accounts
    _feeding: asyncio.Task[None] | None = None  # texts on their way
    _ender: asyncio.Task[None] | None = None
    _ending = False
    _fed = _loose = False  # whether anything was sent, and whether some of it is not committed
    _hand: Any = None  # the thread or task that fed it last
    _here: Callable[[], Any]  # the one that runs
    _whole: Result | None = None

    def __init__(self, core: Core, asked: Asked) -> None:
        self._fold: Any = self._FOLD(asked)
        self._lock = asyncio.Lock()
        self._broken: deque[Exception] = deque()  # in the background; told once, and then it may go on
        wait = core.config.timeout if asked.timeout is None else seconds(asked.timeout)
        self.engine = Engine(core, asked.model, asked.session, fold=self._fold, reconnect=False, timeout=wait)
        self.engine.usual = catalogue.DEFAULTS[f"{asked.family}_live"]

    @property
    def reply(self) -> Result:
        """All that has come so far; the whole at the end."""
        return self._fold.reply() if self._whole is None else self._whole

    def _begin(self, made: Any) -> Any:
        if not inspect.isasyncgen(made):
            self._hand = self._here()
        return super()._begin(made)  # type: ignore[misc]  # the flavour's

    def __repr__(self) -> str:
        state = "closed" if self.engine.closed else "open" if self._call else "not open yet"
        return f"{type(self).__name__}({self.engine.model}, {state})"

    @talk
    async def open(self) -> None:
        """Connect. Every other method does so by itself."""
        await self._opened()

    @talk
    async def commit(self) -> None:
        """What was sent so far is complete."""
        if self._listens and self.engine.machine.detection is not None:
            hint = 'leave commit() out, or open it with turn_detection="manual"'
            raise ConfigError("the service listens for the end of a sentence by itself", hint=hint)
        await self._settle("commit", self._fold.committed)

    @talk
    async def clear(self) -> None:
        """Take back what was sent and not committed."""
        await self._settle("clear", self._fold.cleared)

    @talk
    async def send(self, type: str | Mapping[str, Any], /, **fields: Any) -> None:
        """Any command, as on the wire: its name and its fields, or a dict of all."""
        told, engine = opening.event(type, fields), await self._line()
        self._fed = True
        await engine.send(**told)

    @flowing
    async def pieces(self, *, end: bool = False) -> AsyncIterator[Piece]:
        """What comes, as it comes, until the session ends; `end` asks for that. Others may go on sending meanwhile."""
        if end and (self._ender is None or self._ender.done()):
            self._ender = (await self._opened()).task(self._aside(self._end()))
        waiting = self._fold.pieces
        while waiting or not self._fold.finished:
            await self._until(lambda: waiting or self._fold.finished)
            while waiting:
                yield waiting.popleft()
        self._booked()

    @talk
    async def finish(self) -> Result:
        """Send nothing more, wait for the rest, and give the whole."""
        if self._whole is None:
            await self._end()
            await self._until(lambda: self._fold.finished)
        await self.engine.close()
        return self._booked()

    def _booked(self) -> Result:
        """The whole, which is billed once."""
        if self._whole is None:
            self._whole = whole = self._fold.reply()
            told = {"model": whole.model, "request_id": self._fold.session_id}
            whole.receipt = self._call.finished(whole.usage, **told, tries=1, streamed=True)
        return self._whole

    async def _opened(self) -> Engine:
        engine = self.engine
        async with self._lock:
            if self._call is None:
                self._call = engine.core.accounts.open(self._fold.asked.family, engine.model, 0, 0)
                try:
                    await engine.open()
                except QwenError as error:
                    raise self._told(error) from error.__cause__
                self._fold.input_hz, self._fold.output_hz = engine.machine.input_hz, engine.machine.output_hz
        return engine

    async def _line(self) -> Engine:
        """The session, once all that was to be sent before is sent."""
        engine = await self._opened()
        if self._feeding is not None:
            await self._feeding
        if self._broken:
            raise self._broken.popleft()
        if self._ending and not engine.closed:
            raise ConfigError("this session was told that nothing more comes", hint="open another for that")
        return engine

    async def _settle(self, verb: str, folded: Callable[[], None]) -> None:
        engine = await self._line()
        self._fed, self._loose = True, False
        folded()
        await engine.send(f"{self._BUFFER}.{verb}")

    async def _end(self) -> None:
        if not self._ending:
            engine = await self._line()
            if not self._fed:
                raise ConfigError("nothing was sent to this session", hint=f"{self._FEEDING} first")
            if self._loose and self._listens and engine.machine.detection is None:  # else nobody hears it
                await self._settle("commit", self._fold.committed)
            self._ending = True
            await engine.send(**commands.finish())

    async def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Something in the background: who waits or sends next is told what goes wrong in it."""
        try:
            await work
        except Exception as error:
            self._broken.append(error)

    async def _until(self, done: Callable[[], Any]) -> None:
        """Wait. What was refused, or went wrong in the background, is raised, with all that has come."""
        engine, refused = await self._opened(), self._fold.errors

        def found() -> bool | None:
            if refused:
                raise refusal(refused.popleft(), engine)
            if self._broken:
                raise self._broken.popleft()
            return True if done() else None

        try:
            await engine.until(found, engine.timeout if self._ending else inf)
        except QwenError as error:
            raise self._told(refusal(refused.popleft(), engine) if refused else error) from error.__cause__

    def _told(self, error: Any) -> Any:
        """The error; if it was the last, what came before it is billed."""
        if self.engine.closed and self._call is not None:
            self._ending = True
            self._call.failed(error, self._fold.usage)
        return error


class BlockingLive(LiveCalls[Piece, Result], Waiting):
    _here = staticmethod(threading.get_ident)

    @cached_property
    def _portal(self) -> Portal:  # type: ignore[override]
        portal = Portal("qwenkit-live")
        weakref.finalize(self, portal.abandon)
        return portal

    def _begin(self, made: Any) -> Any:
        try:
            return super()._begin(made)
        except QwenError:
            if self.engine.closed:  # it never opened, or broke: there is nothing left to do
                self._portal.close()
            raise

    @plain
    def finish(self) -> Any:
        """Send nothing more, wait for the rest, and give the whole."""
        over = self._whole is not None and self.engine.closed
        return self._whole if over else self._begin(LiveCalls.finish.flow(self))

    def close(self) -> None:
        """Let go of the connection at once. What has come stays in `reply`."""
        if self._portal.open and not self._portal.inside:
            self._portal.call(self.engine.close())
        self._portal.close()
        self._told(self.engine.error)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: object = None, *raised: object) -> None:
        try:
            if kind is None and self._portal.open and not self._ending:
                self._fed = True  # who only opened it is told nothing
                self.finish()
        finally:
            self.close()

    def __iter__(self) -> Iterator[Piece]:
        return self.pieces(end=self._hand == self._here()) if self._portal.open else iter(list(self._fold.pieces))


class AwaitedLive(LiveCalls[Piece, Result], Awaited):
    _here = staticmethod(asyncio.current_task)

    async def close(self) -> None:
        """Let go of the connection. What has come stays in `reply`."""
        await self.engine.close()
        self._told(self.engine.error)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: object = None, *raised: object) -> None:
        try:
            if kind is None and not self._ending:
                self._fed = True
                await self.finish()
        finally:
            await self.close()

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self.pieces(end=self._hand is self._here())
