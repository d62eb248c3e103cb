"""The heart of a live session: one socket, read by one task; what comes is folded and told to whoever listens.

It lives on one loop, the caller's or that of a portal. Nothing here depends on what kind of session it is: a machine
knows the protocol, a fold makes values of events, `TalkEngine` adds what a conversation needs. The socket may break
and be dialled again; then the settings and what was typed are said again, and a `LocalEvent` says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

from qwenkit import catalogue
from qwenkit.api.core import Core
from qwenkit.api.realtime.feeds import Feed, Waits
from qwenkit.errors import APIError, ConfigError, QwenError, SessionClosed, TransportError
from qwenkit.protocol import failures, retry
from qwenkit.protocol.realtime.machine import Machine
from qwenkit.transport.portal import closed
from qwenkit.transport.sockets import IDLE, Closed, Socket, dial, may_heal
from qwenkit.types.realtime import ErrorEvent, Event, LocalEvent

T = TypeVar("T")
Callback = Callable[[Event], object]

TRIES = 4  # to dial again, and sockets in a row that broke before anything was answered
OPENING_SECONDS = 15.0
_TICK = 0.5
_READING = (1.0, 10.0)  # seconds a reader may take nothing while the socket waits: if others wait for it, and if not


class Engine:
    """A session as it runs. `Session` gives it a face; a widget or another kind of session may give it another.

    `fold.add(event)` makes values of events. Events go to `feed` and the callbacks.
    """

    cures: ClassVar[dict[str, str]] = {  # by words in the reason of a close
        IDLE: "it was idle; open another",
        "good standing": "look at the account's balance in the console",
        "throttled": "wait a little, or open fewer sessions at once",
    }

    def __init__(
        self, core: Core, model: str, session: Any, *, fold: Any, reconnect: bool = True, timeout: float = 60.0
    ) -> None:
        self.core, self.model, self.fold = core, model, fold
        self.usual = catalogue.DEFAULTS["realtime"]  # the model for what this does
        self.reconnect, self.timeout = reconnect, timeout
        self.machine, self.feed = Machine(model, session), Feed()
        self.error: QwenError | None = None  # what ended the session
        self.reconnects = self._fruitless = 0  # in all, and in a row without an answer
        self._echoes = 0  # items said again, which the service will say it has
        self._ready, self._waits = asyncio.Event(), Waits()
        self._begun = self._closing = False
        self._socket: Socket | None = None
        self._ticker: asyncio.TimerHandle | None = None
        self._callbacks: list[Callback] = []
        self._blamed: list[Callback] = []  # those that failed, and were told of
        self._tasks: set[asyncio.Task[Any]] = set()
        self._began = self._latest = time.perf_counter()

    async def open(self) -> None:
        """Dial, greet, and begin to read. Once: what is open stays as it is."""
        if self._begun:
            await self.ready()
            return
        self._begun = True
        self._loop = asyncio.get_running_loop()
        self._began = self._latest = time.perf_counter()
        try:
            await self._connected(self.core.patience.max_retries + 1)
        except BaseException:
            await self.close()
            raise
        self.task(self._read())
        self._tick()

    async def _connected(self, tries: int) -> int:
        """Dial until it works; after how many tries. What will not heal is raised at once."""
        for attempt in range(tries):
            try:
                await self._connect()
            except Closed as gone:
                error: QwenError = self._ended_by(gone)
                worth = may_heal(gone)
            except QwenError as refused:
                error, worth = refused, isinstance(refused, APIError | TransportError) and retry.may_heal(refused)
            else:
                return attempt + 1
            error.tries = attempt + 1
            if not worth or attempt + 1 == tries:
                raise error from None
            await asyncio.sleep(self.core.patience.pause(attempt, getattr(error, "retry_after", None)))
        raise AssertionError("no try was made")

    async def _connect(self) -> None:
        """A socket whose session has its settings."""
        config = self.core.config
        headers = {"X-DashScope-WorkSpace": config.workspace} if config.workspace else {}
        url = f"{config.url('realtime')}?model={quote(self.model, safe='')}"
        wait = min(self.timeout, OPENING_SECONDS)
        socket = await dial(url, key=config.key, headers=headers, timeout=wait, observers=self.core.observers)
        self._socket = socket
        try:
            async with asyncio.timeout(wait):
                await self._until_event("session.created")
                frames = self.machine.replay()
                self._echoes = len(frames) - 1
                for frame in frames:
                    await socket.send(frame)
                await self._until_event("session.updated")
        except BaseException as failed:
            self._socket = None
            socket.abort()
            if isinstance(failed, TimeoutError):
                hint = "the service took the connection and then said nothing; try again"
                raise TransportError("no session was opened in time", kind="timeout", hint=hint) from None
            raise
        self._ready.set()

    async def _until_event(self, type: str) -> None:
        while self._socket is not None:
            for event in self._received(await self._socket.receive()):
                if event.type == type:
                    return
                if isinstance(event, ErrorEvent):
                    raise refusal(event, self)

    async def close(self) -> None:
        """Say goodbye and end all that runs. It returns in any case, and can be called twice."""
        self._closing = True
        socket, self._socket = self._socket, None
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        try:
            if socket is not None:
                await socket.close()
            if tasks:
                await asyncio.wait(tasks, timeout=0.5)
        finally:
            self._over(closed())

    def _over(self, error: QwenError) -> None:
        """No more events: whoever waits hears why."""
        if self.error is not None:
            return
        self.error = error
        if self._ticker is not None:
            self._ticker.cancel()
        self.lost(error)
        self._waits.fail(error)
        self.feed.end()
        self._ready.set()  # who waits to send is told as well

    @property
    def closed(self) -> bool:
        return self.error is not None

    @property
    def connected(self) -> bool:
        """Whether the socket is there, and not being dialled again."""
        return self.error is None and self._ready.is_set()

    @property
    def now(self) -> float:
        """Seconds since the session opened."""
        return time.perf_counter() - self._began

    def task(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let something run as long as the session does."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _read(self) -> None:
        """All that comes, until the session is over."""
        try:
            while self._socket is not None:
                try:
                    while True:
                        self._received(await self._socket.receive())
                        if self.feed.full:
                            await self.feed.room(_READING[not self._waits.waiting])
                            self._latest = time.perf_counter()
                except Closed as gone:
                    if self._closing or not await self._healed(gone):
                        return
        except asyncio.CancelledError:
            if self._socket is not None:  # the loop ends under us: nobody will say goodbye
                self._socket.abort()
            raise
        except Exception as broken:  # ours to mend, but nobody may wait for ever because of it
            self._over(SessionClosed(f"the session broke: {type(broken).__name__}: {broken}"))
            raise

    def _received(self, frame: bytes) -> list[Event]:
        self._latest = now = time.perf_counter()
        events = self.machine.receive(frame, now - self._began)
        for event in events:
            self.take(event)
        if self._waits.waiting:
            self._waits.look()
        return events

    def take(self, event: Event) -> None:
        """Fold an event and tell it to whoever listens."""
        again = self._echoes > 0 and event.type == "conversation.item.created"
        self._echoes -= again  # of what was said again after a reconnect: it was folded once
        over = not again and self.gather(event)
        self.feed.put(event)
        for callback in self._callbacks:
            try:
                callback(event)
            except Exception as broken:
                if callback not in self._blamed:
                    self._blamed.append(callback)
                    told = "a callback of a session failed, which is told once"
                    self._loop.call_exception_handler({"message": told, "exception": broken})
        if over:
            self.settle()

    def gather(self, event: Event) -> bool:
        """Fold an event. Whether there is something to settle behind it."""
        self.fold.add(event)
        return False

    def settle(self) -> None:
        """What is over by an event, once everybody was told of that."""

    def tell(self, kind: str, **detail: Any) -> None:
        """Something the client itself has to say."""
        self.take(LocalEvent(type=f"local.{kind}", at=self.now, detail=detail))

    def lost(self, error: QwenError) -> None:
        """The socket is gone, and with it what was under way."""

    def on(self, callback: Callback) -> Callable[[], None]:
        """Call this for every event, on the session's thread; it must be quick. Gives what ends it."""
        if not callable(callback):
            raise ConfigError("a callback is called with each event", hint="session.on(lambda event: …)")
        self._callbacks = [*self._callbacks, callback]

        def off() -> None:
            self._callbacks = [each for each in self._callbacks if each is not callback]

        return off

    async def ready(self) -> None:
        """Wait while the socket is dialled again."""
        if not self._begun and self.error is None:
            raise ConfigError("this session is not open yet", hint="async with qwen.aio.realtime.connect(…) as session")
        if not self._ready.is_set() and self.error is None:
            await self._ready.wait()
        if self.error is not None:
            raise self.error

    async def send(self, type: str, **fields: Any) -> str:
        """Say something; waits while the service does not read, and while the socket is dialled again."""
        if not self.connected:
            await self.ready()
        frame = self.machine.encode(type, at=self.now, **fields)
        socket = self._socket
        try:
            if socket is not None:
                await socket.send(frame)
        except Closed:  # whoever reads sees it too, and sees to it
            if self.error is None and socket is self._socket:
                self._ready.clear()
        return frame

    async def until(self, done: Callable[[], T | None], timeout: float | None = None) -> T:
        """What `done` finds, looked for whenever something has come; it may raise.

        A service that says nothing at all for so many seconds is not waited for.
        """
        if (found := done()) is not None:
            return found
        if self.error is not None:
            raise self.error
        result: T = await self._waits.wait(done, timeout or self.timeout)
        return result

    def _tick(self) -> None:
        """What only the clock tells: limits that come near, answers that never end, a service that says nothing."""
        for event in [*self.machine.expire(self.now), *self.machine.due(self.now)]:
            self.take(event)
        self._waits.look()
        self._waits.expire(self._latest, self._silent)
        self._ticker = self._loop.call_later(min(_TICK, self._waits.patience / 4), self._tick)

    def _silent(self, seconds: float) -> QwenError:
        hint = "raise timeout=… where you open it, or close the session and try again"
        error = TransportError(f"the service has said nothing for {seconds:g} s", kind="timeout", hint=hint)
        error.reply = getattr(self.fold, "current", None)
        return error

    async def _healed(self, gone: Closed) -> bool:
        """Dial again, if that may help."""
        self._ready.clear()
        error: QwenError = self._ended_by(gone)
        if not self.reconnect or not may_heal(gone) or self._fruitless >= TRIES:
            self._over(error)
            return False
        self._fruitless += 1
        self.lost(error)
        self.tell("lost", code=gone.code, reason=gone.reason)
        await asyncio.sleep(self.core.patience.pause(0, None))
        try:
            tries = await self._connected(TRIES)
        except QwenError as failed:
            failed.reply = failed.reply or error.reply
            failed.__cause__ = error
            self._over(failed)
            return False
        self.reconnects += 1
        self.tell("reconnected", code=gone.code, reason=gone.reason, tries=tries)
        self._waits.look()
        return True

    def _ended_by(self, gone: Closed) -> SessionClosed:
        """Why the session is over, in words, with what was under way."""
        reason = gone.reason or ("the connection broke" if gone.code == 1006 else "no reason was given")
        hint = next((cure for sign, cure in self.cures.items() if sign in reason), "open another")
        if not gone.reason and catalogue.model(self.model) is None:  # of a model it does not have it says no more
            family = {each.name: each.family for each in catalogue.models()}
            near = [name for name in catalogue.suggest(self.model) if family.get(name) == family[self.usual]]
            hint = f"is there a model {self.model!r}? try {', '.join(near) or self.usual}"
        what = "the session is over" if self.machine.ready or self.reconnects else "the service opened no session"
        error = SessionClosed(f"{what}: {reason}", code=gone.code, reason=gone.reason, hint=hint)
        error.reply = getattr(self.fold, "current", None)
        return error


def refusal(event: ErrorEvent, engine: Engine) -> APIError:
    """The error an event tells of, typed."""
    status = 400 if event.kind in ("invalid_request_error", "") else 500
    error = failures.build(status, {}, event.source, request=f"realtime {engine.model}", request_id=engine.machine.id)
    error.status, error.reply = None, getattr(engine.fold, "current", None)
    return error
