"""The crew that works a run off: so many workers on one event loop, one pace for all of them.

A worker takes the next prompt, waits for the pace, sends, and notes the outcome. What the service refuses for its rate
goes back to the front of the line and everybody slows down; what broke on the way is tried again by its worker. Calls
do not retry on their own here, so nothing multiplies. Errors belong to their item, save those that every other item
would meet as well: they end the run, with what was done.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from typing import TYPE_CHECKING

import msgspec

from qwenkit.api.asked import Books, Item
from qwenkit.api.core import Core
from qwenkit.errors import APIError, QwenError, RateLimited, TransportError
from qwenkit.protocol.pacing import Pace
from qwenkit.protocol.retry import may_heal
from qwenkit.types.reply import Reply

if TYPE_CHECKING:
    from qwenkit.api.many import Run

MOST_BREAKS = 5  # how often an item is sent again after resets and server errors
MOST_REFUSALS = 20  # how often after refusals for the rate: with growing pauses, a quarter of an hour and more
MOST_FAILURES = 50  # breakdowns in a row, nothing answered between: the network or the service is gone


async def work(run: Run) -> None:
    """Work a run off on this loop."""
    from qwenkit.transport.pools import MOST_CONNECTIONS

    settings, patience = run.settings, run.core.patience
    pace = Pace(
        min(settings.concurrency, MOST_CONNECTIONS),
        rpm=settings.rpm,
        tpm=settings.tpm,
        first_pause=patience.first_pause,
        longest_pause=patience.longest_pause,
    )
    await Crew(run, pace).work()


class Crew:
    """The workers of one run."""

    def __init__(self, run: Run, pace: Pace) -> None:
        self.run, self.pace, self.results = run, pace, run.results
        self.core, self.asked = run.core, run.asked
        self._again: deque[Item] = deque()
        self._news = asyncio.Event()  # there may be something to do again
        self._gate = asyncio.Lock()
        self._busy = self._broke = 0
        self._drained = False

    async def work(self) -> None:
        """Run to the end; cancelled, let go of what is under way."""
        self.results.width = self.pace.width
        workers = [asyncio.ensure_future(self._worker(place)) for place in range(self.pace.most)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self.run.leave(self._again)

    async def _worker(self, place: int) -> None:
        core, books = copy.copy(self.core), Books(self.core.accounts)
        core.accounts = books  # type: ignore[assignment]
        core.patience = msgspec.structs.replace(core.patience, max_retries=0)
        while True:
            item = self._take() if place < self.pace.width else None
            if item is None:
                if self._over:
                    self._tell()
                    return
                await self._news.wait()
                continue
            self._busy += 1
            books.item = item
            try:
                await self._serve(item, core)
            except BaseException:
                self._again.append(item)
                if item.opened is not None:
                    item.opened.failed(None)
                raise
            finally:
                self._busy -= 1

    @property
    def _over(self) -> bool:
        """Whether nobody will have anything to do any more."""
        return not self._busy and (self.results.stopped is not None or (self._drained and not self._again))

    def _take(self) -> Item | None:
        if self.results.stopped is not None:
            return None
        if self._again:
            return self._again.popleft()
        item = None if self._drained else self.run.take()
        self._drained = item is None
        return item

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _serve(self, item: Item, core: Core) -> None:
        """Take an item as far as it goes: to its outcome, or back into the line."""
        try:
            if self.run.logbook is not None:
                await asyncio.sleep(0)  # a run of nothing but stored answers must not hold up the loop
                if self.run.found(item):
                    return
            item.tokens = item.tokens or (self.asked.tokens(item.prompt) if self.pace.counts_tokens else 0)
            while True:
                await self._admitted(item)
                if self.results.stopped is not None:  # meanwhile
                    self._again.append(item)
                    return
                started = self.pace.clock()
                try:
                    reply = await self.core.async_driver.run(self.asked.flow(core, item.prompt))
                except (APIError, TransportError) as error:
                    error.tries = item.tries
                    if self._turned_away(item, error, started):
                        return
                    if self._given_up(item, error):
                        raise
                    await asyncio.sleep(self.core.patience.pause(item.breaks - 1, getattr(error, "retry_after", None)))
                else:
                    self._answered(item, reply, started)
                    return
        except QwenError as error:
            self._failed(item, error)

    async def _admitted(self, item: Item) -> None:
        """Wait for the pace, first come first served."""
        if not self._gate.locked() and self.pace.wait(item.tokens) <= 0:
            return
        async with self._gate:
            while (seconds := self.pace.wait(item.tokens)) > 0:
                await asyncio.sleep(seconds)

    def _answered(self, item: Item, reply: Reply, started: float) -> None:
        self._broke = 0
        if self.pace.answered(started, item.tokens, reply.usage.total if reply.usage else 0):
            self.results.width = self.pace.width
            self._tell()
        self._note(item, reply)

    def _turned_away(self, item: Item, error: APIError | TransportError, started: float) -> bool:
        """Whether this was a refusal for the rate, and the item is back in the line."""
        busy = isinstance(error, RateLimited) or getattr(error, "status", None) == 503
        if not busy or not may_heal(error) or item.refusals >= MOST_REFUSALS or self.results.stopped:
            return False
        item.refusals += 1
        self.pace.refused(started, getattr(error, "retry_after", None))
        self.results.width = self.pace.width
        self._again.append(item)
        self._tell()
        return True

    def _given_up(self, item: Item, error: APIError | TransportError) -> bool:
        if not may_heal(error) or item.breaks >= MOST_BREAKS or item.refusals >= MOST_REFUSALS:
            return True
        item.breaks += 1
        return bool(self.results.stopped)

    def _failed(self, item: Item, error: QwenError) -> None:
        if item.opened is not None:
            item.opened.failed(error)
        self._broke += isinstance(error, APIError | TransportError) and may_heal(error)
        if self._broke >= MOST_FAILURES or self.pace.in_a_row >= MOST_REFUSALS:
            self.results.stopped = self.results.stopped or error
        self._note(item, error)
        self._tell()

    def _note(self, item: Item, outcome: Reply | QwenError) -> None:
        self.results.tries += item.tries if item.opened is not None else 0
        self.run.note(item, outcome)
