"""What waits to be looked at: events and turns, in the order they came, for whoever reads them.

A feed is bounded. While somebody reads it, the service has to wait for a slow reader; what nobody reads goes, oldest
first, and never silently: in its place stands a `LocalEvent` that says how many there were. Turns are folded elsewhere
and are not lost with their events. `Waits` holds those who wait for something in particular.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import WeakSet

from qwenkit.errors import QwenError
from qwenkit.transport.portal import Portal
from qwenkit.types.realtime import LocalEvent

T = TypeVar("T")
MOST_EVENTS = 2_000
_LOOKING_SECONDS = 0.5  # whether the loop is still there


class Feed:
    """A queue filled from the session's loop, and read there or from another thread."""

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self.items: deque[Any] = deque()
        self.over = False
        self.readers: WeakSet[Reading[Any]] = WeakSet()
        self._most = most
        self._dropped = 0
        self._given_up = False  # on who is called a reader and reads nothing
        self._some, self._room, self._woken = asyncio.Event(), asyncio.Event(), threading.Event()
        self._awaited = False  # whether somebody waits for one of the first and the last of them
        self._held: asyncio.AbstractEventLoop | None = None  # whose socket waits for room

    @property
    def full(self) -> bool:
        """Whether somebody reads, and there is more to read than there should be."""
        return len(self.items) >= self._most and bool(self.readers) and not self._given_up

    def put(self, item: Any) -> None:
        if len(self.items) >= self._most and not self.full:
            self.items.popleft()
            self._dropped += 1
        self.items.append(item)
        if self._awaited:  # many come at once: only the first of them wakes whoever reads
            self._awaited = False
            self._woken.set()
            self._some.set()

    def take(self) -> Any:
        """What waits longest; None when another reader was faster."""
        try:
            if self._dropped:
                missing, self._dropped = self._dropped, 0
                at = getattr(self.items[0], "at", 0.0)
                return LocalEvent(type="local.dropped", at=at, detail={"events": missing})
            item = self.items.popleft()
        except IndexError:
            return None
        self._given_up = False
        if self._held is not None and len(self.items) < self._most // 2:
            with contextlib.suppress(RuntimeError):  # it closes at this very moment
                self._held.call_soon_threadsafe(self._room.set)
        return item

    async def some(self) -> bool:
        """Wait until there is something; False when there will be nothing more."""
        while not self.items and not self.over:
            self._some.clear()
            self._awaited = True
            await self._some.wait()
        return bool(self.items)

    def come(self, portal: Portal) -> bool:
        """The same from another thread. One that waits for the loop itself would ask it for each of many events."""
        portal.waits()
        while not self.items and not self.over and portal.open:
            self._woken.clear()
            self._awaited = True
            if not self.items:
                self._woken.wait(_LOOKING_SECONDS)
        return bool(self.items)

    async def room(self, patience: float) -> None:
        """Wait until the reader has caught up. Who takes nothing for so many seconds is waited for no longer."""
        self._held = asyncio.get_running_loop()
        while self.full:
            oldest = self.items[0]
            self._room.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._room.wait()
            except TimeoutError:
                self._given_up = bool(self.items) and self.items[0] is oldest
        self._held = None

    def end(self) -> None:
        """Nothing more comes; what waits can still be read."""
        self.over = True
        self._woken.set()
        self._some.set()
        self._room.set()

    def clear(self) -> None:
        """Take all that waits as read, unless somebody is reading it."""
        if not self.readers:
            self.items.clear()
            self._dropped = 0


class Reading(AsyncIterator[T], Generic[T]):
    """Somebody who reads a feed: those that are `wanted`, to the `last`."""

    def __init__(
        self, feed: Feed, wanted: Callable[[Any], bool] | None = None, last: Callable[[Any], bool] | None = None
    ) -> None:
        self._feed, self._wanted, self._last = feed, wanted, last
        feed.readers.add(self)

    def _taken(self) -> Any:
        """The next item if it is for this reader; None if it is not."""
        item = self._feed.take()
        if item is None or (self._wanted is not None and not self._wanted(item)):
            return None
        if self._last is not None and self._last(item):
            self._feed.readers.discard(self)
            self._feed = _READ
        return item

    async def __anext__(self) -> T:
        while self._feed.items or await self._feed.some():
            if (item := self._taken()) is not None:
                found: T = item
                return found
        raise StopAsyncIteration

    def blocking(self, portal: Portal) -> Iterator[T]:
        """The same for another thread."""
        while self._feed.items or self._feed.come(portal):
            if (item := self._taken()) is not None:
                yield item


_READ = Feed(0)
_READ.end()


class _Wait(NamedTuple):
    done: Callable[[], Any]
    future: asyncio.Future[Any]
    since: float
    patience: float


class Waits:
    """Who waits for what: each says how to find it, and how long the service may say nothing meanwhile."""

    def __init__(self) -> None:
        self.waiting: list[_Wait] = []

    @property
    def patience(self) -> float:
        return min((wait.patience for wait in self.waiting), default=float("inf"))

    async def wait(self, done: Callable[[], Any], patience: float) -> Any:
        wait = _Wait(done, asyncio.get_running_loop().create_future(), time.perf_counter(), patience)
        self.waiting.append(wait)
        try:
            return await wait.future
        finally:
            self.waiting.remove(wait)

    def look(self) -> None:
        """Something has come: whoever waited for it goes on."""
        for wait in self.waiting:
            if wait.future.done():
                continue
            try:
                found = wait.done()
            except Exception as error:  # for whoever waits
                wait.future.set_exception(error)
            else:
                if found is not None:
                    wait.future.set_result(found)

    def fail(self, error: QwenError) -> None:
        for wait in self.waiting:
            if not wait.future.done():
                wait.future.set_exception(error)

    def expire(self, latest: float, silent: Callable[[float], QwenError]) -> None:
        """Nothing has come since: who has waited long enough is told so."""
        now = time.perf_counter()
        for wait in self.waiting:
            if now - max(wait.since, latest) > wait.patience and not wait.future.done():
                wait.future.set_exception(silent(wait.patience))
