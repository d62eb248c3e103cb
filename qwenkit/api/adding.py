"""How documents get onto a shelf: what is new is split, embedded and written, wave after wave.

While one wave is embedded the one before is written. A document whose last chunk is written takes the place of the old
one; until then the old one is found. What an earlier, interrupted run wrote is not embedded again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow, Run, Together
from qwenkit.retrieval.codes import units
from qwenkit.retrieval.shelves import Row, State
from qwenkit.retrieval.sources import Source, sources
from qwenkit.types.embeddings import Embeddings
from qwenkit.types.retrieval import Added, Held, Skipped
from qwenkit.types.usage import Cost

if TYPE_CHECKING:
    from qwenkit.api.retriever import ShelfCalls

WAVE = 480  # chunks that are embedded, and then written, together
LOOKED_UP = 256  # documents whose state is asked for at once


class Work:
    """A run of `add`: what waits to be embedded, what waits to be written."""

    def __init__(self, shelf: ShelfCalls, concurrency: int, timeout: float | None) -> None:
        if not isinstance(concurrency, int) or concurrency < 1:
            raise ConfigError(f"concurrency cannot be {concurrency!r}", hint="it is how many calls run at once")
        self._shelf, self._concurrency, self._timeout = shelf, concurrency, timeout
        self.added = Added()
        self._seen: dict[str, str] = {}  # digests by name, of this call
        self._rows: list[Row] = []
        self._done: list[Held] = []  # documents without a missing chunk
        self._left: dict[str, tuple[Held, int]] = {}  # and those with so many of them
        self._written: tuple[list[Row], Any, list[Held]] | None = None  # embedded, and not written yet

    def run(self, documents: Any, draw: Callable[[Added], None]) -> Flow[Added]:
        given: Iterator[Any] = sources(documents)
        while batch := list(islice(given, LOOKED_UP)):
            yield from self._plan(batch)
            draw(self.added)
            while len(self._rows) >= WAVE:
                yield from self._wave()
                draw(self.added)
        while self._rows or self._done or self._written:
            yield from self._wave()
            draw(self.added)
        return self.added

    def _plan(self, batch: list[Any]) -> Flow[None]:
        """Read what is new or changed, and queue those of its pieces that are not kept yet."""
        shelf, known = self._shelf, []
        self.added.total += len(batch)
        for each in batch:
            if not isinstance(each, Source):
                self._skip(*each)
                continue
            [(digest, unread)] = yield Run([partial(shelf._split.digest, each)])
            if not unread and self._seen.setdefault(each.name, digest) != digest:
                unread = "another document of this call has the same name"
            if unread:
                self._skip(each.name, unread)
            else:
                known.append((each, digest))
        states = yield from shelf._kept(shelf._store.states([each.name for each, _ in known]))
        for source, digest in known:
            state: State = states[source.name]
            states[source.name] = State(digest)  # given twice, it is there the second time
            if state.digest == digest:
                self.added.unchanged += 1
                self.added.done += 1
            else:
                yield from self._queue(source, state)

    def _queue(self, source: Source, state: State) -> Flow[None]:
        shelf = self._shelf
        [(held, pieces, unread)] = yield Run([partial(shelf._split.pieces, source)])
        if unread:
            return self._skip(source.name, unread)
        resumes = state.draft == held.digest
        yield from shelf._kept(shelf._store.draft(held, fresh=not resumes))
        places = set(state.places) if resumes else set()
        rows = [Row(held.name, place, piece) for place, piece in enumerate(pieces) if place not in places]
        self.added.resumed += len(places)
        self._rows += rows
        self._left[held.name] = held, len(rows)
        self._done += [] if rows else [held]
        return None

    def _skip(self, name: str, reason: str) -> None:
        self.added.skipped.append(Skipped(name, reason))
        self.added.done += 1

    def _wave(self) -> Flow[None]:
        """Embed some chunks while those of the wave before are written."""
        shelf, rows = self._shelf, self._rows[:WAVE]
        written, self._written = self._written or (None if rows else self._batch([], None)), None
        steps: list[Flow[Any]] = [shelf._kept(shelf._store.put(*written))] if written else []
        if rows:
            steps.append(shelf._embedded([row.piece.text for row in rows], self._timeout, self._concurrency))
        outcomes = yield Together(steps, len(steps))
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._rows = self._rows[WAVE:]
        if rows:
            yield from shelf._settle(outcomes[-1])
            self._written = self._batch(rows, outcomes[-1])

    def _batch(self, rows: list[Row], found: Embeddings | None) -> tuple[list[Row], Any, list[Held]]:
        """Chunks that have their vectors, with the documents that are whole with them."""
        added = self.added
        for row in rows:
            held, missing = self._left[row.document]
            self._left[row.document] = held, missing - 1
            self._done += [held] if missing == 1 else []
        done, self._done = self._done, []
        added.chunks += len(rows)
        added.documents += len(done)
        added.done += len(done)
        if found is None:
            return rows, None, done
        added.tokens += found.usage.total if found.usage else 0
        if cost := found.cost:
            added.cost = Cost(cost.amount + (added.cost.amount if added.cost else 0.0), cost.currency, cost.dated)
        return rows, units(found.array), done
