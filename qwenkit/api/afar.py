"""A run on other machines: chunks of prompts go to the workers of an executor, light outcomes come back.

The executor is a Dask client or anything of `concurrent.futures`. Each chunk makes a client of its own and is a small
`map` there, with its share of the limits; this side keeps the order, the ledger, the budget and the checkpoint, which
gets a chunk's lines when the chunk is done.

The key travels to the workers inside the chunks, as a `Handed`: it prints as a mask, and no other key of this package
lets itself be pickled. Who may read the cluster's traffic may read the key; a temporary key (`qwen.temporary_key`) or
TLS between the machines is the answer where that matters.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import msgspec

from qwenkit.api.asked import Asked, Item, longest
from qwenkit.api.core import Core
from qwenkit.config import Config
from qwenkit.errors import QwenError
from qwenkit.protocol import checkpoint
from qwenkit.secret import Secret
from qwenkit.types.reply import Reply

if TYPE_CHECKING:
    from qwenkit.api.many import Run

CHUNK = 64  # prompts that travel together; a run that is killed loses at most those that are on their way
AHEAD = 2  # chunks sent for each place at a worker, so that none waits for this side


class Handed(Secret):
    """A key on its way to a worker: the only one that lets itself be pickled."""

    __slots__ = ()

    def __reduce__(self) -> Any:
        return Handed, (self.reveal(),)


class Chunk(msgspec.Struct, frozen=True):
    """What a worker needs to know."""

    key: Handed
    place: dict[str, Any]  # the configuration without its keys
    asked: Asked
    how: dict[str, Any]
    prompts: list[Any]


def answer(chunk: Chunk) -> list[bytes]:
    """At the worker: ask the prompts and give back a line for each, as a checkpoint has them."""
    from qwenkit.api.client import Client

    config = Config(key=Secret(chunk.key.reveal()), **chunk.place)
    with Client.of(Core(config)) as client:
        results = client.map(
            chunk.prompts,
            model=chunk.asked.model,
            system=chunk.asked.system,
            progress=False,
            **chunk.how,
            **chunk.asked.options,
        )
    return [checkpoint.pack(at, "", outcome) for at, outcome in enumerate(results) if outcome is not None]


async def work(run: Run) -> None:
    """Keep the executor's workers busy until the prompts are used up."""
    errand = _Errand(run, await _slots(run.settings.executor))
    under_way: set[asyncio.Task[None]] = set()
    try:
        while items := errand.take():
            under_way.add(asyncio.ensure_future(errand.carry(items)))
            if len(under_way) >= AHEAD * errand.slots:
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        await asyncio.gather(*under_way)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        run.leave(errand.left)


class _Errand:
    """One run from this side. `slots` is how many chunks can be worked on at once."""

    def __init__(self, run: Run, slots: int) -> None:
        self.run, self.slots = run, slots
        self.left: list[Item] = []

    def take(self) -> list[Item]:
        """The next chunk: items that no checkpoint answers and the budget allows. Empty at the end."""
        items: list[Item] = []
        while len(items) < CHUNK and self.run.results.stopped is None and (item := self.run.take()):
            try:
                if not self.run.found(item):
                    asked = self.run.asked
                    tokens, most = asked.tokens(item.prompt), longest(asked.options)
                    item.opened = self.run.core.accounts.open("chat", asked.model, tokens, most)
                    items.append(item)
            except QwenError as error:
                self.run.note(item, error)
        return items

    async def carry(self, items: list[Item]) -> None:
        """A chunk there and back. What comes back without an outcome can be sent again."""
        future = self._submit([item.prompt for item in items])
        outcomes: dict[int, Reply | QwenError] = {}
        try:
            lines = map(checkpoint.read, await _result(future))
            outcomes = {line.position: checkpoint.outcome(line) for line in lines}
        except asyncio.CancelledError:
            future.cancel()
            raise
        except Exception as lost:  # a worker that died, or that lacks something
            said = f"the worker failed: {type(lost).__name__}: {lost}"
            outcomes = {at: QwenError(said, hint="results.retry() sends it again") for at in range(len(items))}
        finally:
            for at, item in enumerate(items):
                self._note(item, outcomes.get(at))

    def _submit(self, prompts: list[Any]) -> Any:
        settings, config = self.run.settings, self.run.core.config
        place = {name: getattr(config, name) for name in Config.__struct_fields__ if name not in ("key", "access_key")}
        shares = {name: (getattr(settings, name) or 0) / self.slots for name in ("rpm", "tpm")}
        how = {"concurrency": settings.concurrency, "stop_on": settings.stop_on, **shares}
        chunk = Chunk(Handed(config.key.reveal()), place, self.run.asked, how, prompts)
        # Dask would take equal tasks for one; `concurrent.futures` knows no such thing.
        pure = {"pure": False} if hasattr(settings.executor, "ncores") else {}
        return settings.executor.submit(answer, chunk, **pure)

    def _note(self, item: Item, outcome: Reply | QwenError | None) -> None:
        assert item.opened is not None
        error = outcome if isinstance(outcome, QwenError) else None
        reply = error.reply if error else outcome
        if isinstance(reply, Reply):  # the ledger is here; how long the call took is known at the worker
            there = self.run.asked.dressed(reply).receipt
            told: dict[str, Any] = {"model": there.model, "request_id": there.request_id, "tries": there.tries}
            reply.receipt = item.opened.finished(reply.usage, streamed=False, **told)
            reply.receipt.latency = there.latency
            self.run.results.tries += there.tries
        else:
            item.opened.failed(error)
            self.run.results.tries += error.tries if error else 0
        if outcome is None:
            self.left.append(item)
        else:
            self.run.note(item, outcome)


async def _slots(executor: Any) -> int:
    if not hasattr(executor, "ncores"):
        return max(1, int(getattr(executor, "_max_workers", 1)))
    cores = executor.ncores()
    by_worker: dict[str, int] = await cores if inspect.isawaitable(cores) else cores
    return max(1, sum(by_worker.values()))


async def _result(future: Any) -> list[bytes]:
    """Wait for a future of either kind, without holding up the loop."""
    if inspect.isawaitable(future) and getattr(getattr(future, "client", None), "asynchronous", False):
        lines: list[bytes] = await future
        return lines
    if hasattr(future, "set_running_or_notify_cancel"):
        return await asyncio.wrap_future(future)
    return await asyncio.to_thread(future.result)
