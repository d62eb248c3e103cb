"""A run on other machines: chunks of prompts go to the workers of an executor, light outcomes come back.

The executor is a Dask client or anything of `concurrent.futures`. Each chunk makes a client of its own and is a small
`map` there, with its share of the limits; this side keeps the order, the ledger, the budget and the checkpoint, which
gets a chunk's lines when the chunk is done.

The key travels to the workers, inside the chunks: they pickle it through `Handed`, which prints as a mask, and nothing
else of this package lets a key be pickled. Who may read the cluster's traffic may read the key; a temporary key
(`qwen.temporary_key`) or TLS between the machines is the answer where that matters.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import msgspec

from qwenkit.api.accounts import OpenCall
from qwenkit.api.asked import Asked, Item
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


class Handed:
    """A key on its way to a worker."""

    __slots__ = ("_key",)

    def __init__(self, key: Secret) -> None:
        self._key = key

    def taken(self) -> Secret:
        return self._key

    def __repr__(self) -> str:
        return f"Handed({self._key.masked})"

    def __reduce__(self) -> Any:
        return _handed, (self._key.reveal(),)


def _handed(value: str) -> Handed:
    return Handed(Secret(value))


class Chunk(msgspec.Struct, frozen=True):
    """What a worker needs to know."""

    key: Handed
    place: dict[str, Any]  # the configuration without its key
    asked: Asked
    how: dict[str, Any]
    prompts: list[Any]


def answer(chunk: Chunk) -> list[bytes]:
    """At the worker: ask the prompts and give back a line for each, as a checkpoint has them."""
    from qwenkit.api.client import Client

    config = Config(key=chunk.key.taken(), **chunk.place)
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
        while len(items) < CHUNK and self.run.results.stopped is None:
            pair = next(self.run.source, None)
            if pair is None:
                break
            item = Item(*pair)
            try:
                if not self.run.found(item):
                    item.opened = self._open(item.prompt)
                    items.append(item)
            except QwenError as error:
                self.run.note(item, error)
        return items

    def _open(self, prompt: Any) -> OpenCall:
        asked, most = self.run.asked, ("max_tokens", "max_completion_tokens")
        longest = next((asked.options[name] for name in most if asked.options.get(name)), None)
        return self.run.core.accounts.open("chat", asked.model, asked.tokens(prompt), longest)

    async def carry(self, items: list[Item]) -> None:
        """A chunk there and back."""
        future = self._submit([item.prompt for item in items])
        try:
            lines = map(checkpoint.read, await _result(future))
            outcomes = {line.position: checkpoint.outcome(line) for line in lines}
        except asyncio.CancelledError:
            future.cancel()
            self._leave(items)
            raise
        except Exception as lost:  # a worker that died, or that lacks something: its items can be sent again
            said = f"the worker failed: {type(lost).__name__}: {lost}"
            outcomes = {at: QwenError(said, hint="results.retry() sends it again") for at in range(len(items))}
        for at, item in enumerate(items):
            if (outcome := outcomes.get(at)) is not None:
                self._note(item, outcome)
            else:
                self._leave([item])

    def _submit(self, prompts: list[Any]) -> Any:
        settings, config = self.run.settings, self.run.core.config
        place = {name: getattr(config, name) for name in Config.__struct_fields__ if name != "key"}
        how = {
            "concurrency": settings.concurrency,
            "rpm": (settings.rpm or 0) / self.slots,
            "tpm": (settings.tpm or 0) / self.slots,
            "stop_on": settings.stop_on,
        }
        chunk = Chunk(Handed(config.key), place, self.run.asked, how, prompts)
        return settings.executor.submit(answer, chunk, **_again(settings.executor))

    def _leave(self, items: list[Item]) -> None:
        self.left += items
        for item in items:
            if item.opened is not None:
                item.opened.failed(None)

    def _note(self, item: Item, outcome: Reply | QwenError) -> None:
        assert item.opened is not None
        if isinstance(outcome, Reply):
            self._book(item.opened, self.run.asked.dressed(outcome))
        else:
            item.opened.failed(outcome)
        self.run.results.tries += outcome.receipt.tries if isinstance(outcome, Reply) else outcome.tries
        self.run.note(item, outcome)

    def _book(self, opened: OpenCall, reply: Reply) -> None:
        """The ledger is here; how long the call took is known at the worker."""
        there = reply.receipt
        reply.receipt = opened.finished(
            reply.usage, model=there.model, request_id=there.request_id, tries=there.tries, streamed=False
        )
        reply.receipt.latency = there.latency


def _again(executor: Any) -> dict[str, Any]:
    """Dask would take equal tasks for one; `concurrent.futures` knows no such thing."""
    return {"pure": False} if hasattr(executor, "ncores") else {}


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
