"""Many calls at once: `qwen.map(prompts)` gives every answer, in order.

    results = qwen.map(prompts, concurrency=32, checkpoint="run.jsonl")
    results.texts, results.failed, results.cost;  results.retry()

One crew of workers (`qwenkit.api.crew`) serves both flavours: awaited it runs on the caller's loop, otherwise on a loop
of its own in a helper thread, so it works in a notebook's cell and never touches the notebook's loop. An error belongs
to its item. Only what every other item would meet too (a wrong key, no permission, no such model, an allowance or a
budget used up, a service that is gone) ends the run early; what was done is kept. What runs is loaded when it does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from itertools import chain
from time import perf_counter
from typing import TYPE_CHECKING, Any, Unpack, cast

import msgspec

from qwenkit import catalogue
from qwenkit.api.asked import FATAL, Asked, Item
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.waiting import watch
from qwenkit.errors import BudgetExceeded, ConfigError
from qwenkit.protocol import checkpoint as lines
from qwenkit.protocol.flow import Flow
from qwenkit.protocol.media import kept, seeing
from qwenkit.types.many import MapResults
from qwenkit.types.options import ChatOptions

if TYPE_CHECKING:
    from qwenkit.api.logbook import Logbook

_WAYS = {"chat": "crew", "batch": "by_batch"}  # and the module that works each
StopOn = type[Exception] | tuple[type[Exception], ...] | None


class Settings(msgspec.Struct, frozen=True):
    """How a run is carried out."""

    concurrency: int = 16
    rpm: float | None = None
    tpm: float | None = None
    checkpoint: str | os.PathLike[str] | None = None
    progress: bool = True
    executor: Any = None
    via: str = "chat"
    stop_on: tuple[type[Exception], ...] = FATAL

    @property
    def fatal(self) -> tuple[type[Exception], ...]:
        """What ends the run. No call is sent past a budget, whatever `stop_on` says."""
        return (*self.stop_on, BudgetExceeded)


class Run:
    """One run: what is asked of which prompts, how, and what became of them so far."""

    def __init__(self, core: Core, asked: Asked, settings: Settings, source: Any, results: MapResults) -> None:
        self.core, self.asked, self.settings, self.results = core, asked, settings, results
        self.source: Iterator[tuple[int, Any]] = source
        self.logbook: Logbook | None = None
        self._problem: Exception | None = None  # the prompts' own iterator failed
        results.sandbox, results.stopped, results.remark, results.finished = core.sandbox, None, "", False
        results.doing = ""

    async def work(self) -> None:
        """Run to the end. Whatever ends it, what was not sent is left in `results.rest`."""
        from qwenkit.api.logbook import Logbook

        if self.settings.checkpoint is not None:
            self.logbook = Logbook(self.settings.checkpoint)
        way = "afar" if self.settings.executor is not None else _WAYS[self.settings.via]
        begun = perf_counter()
        try:
            await import_module(f"qwenkit.api.{way}").work(self)
            if self._problem is not None:
                raise self._problem
        finally:
            self.results.seconds += perf_counter() - begun
            if self.logbook is not None:
                self.logbook.close()

    def take(self) -> Item | None:
        """The next prompt. None when there is no more; when they failed to come, what was taken is done first."""
        try:
            return Item(*next(self.source))
        except StopIteration:
            pass
        except Exception as broken:
            self._problem = broken
        return None

    def found(self, item: Item) -> bool:
        """Whether an earlier run was answered this very item; then that is its outcome."""
        if self.logbook is None or item.digest:
            return False
        item.digest = self.asked.digest(self.core, item.prompt)
        reply = self.logbook.stored.take(item.position, item.digest)
        if reply is not None:
            self.results.put(item.position, item.prompt, self.asked.dressed(reply))
        return reply is not None

    def note(self, item: Item, outcome: Any) -> None:
        """An item's end, in the results and on file. One that is fatal is the run's end too."""
        if isinstance(outcome, self.settings.fatal) and self.results.stopped is None:
            self.results.stopped = outcome
        self.results.put(item.position, item.prompt, outcome)
        if self.logbook is not None:
            self.logbook.add(lines.pack(item.position, item.digest, outcome))

    def leave(self, items: Iterable[Item]) -> None:
        """What was taken and will not be sent stands before what was never taken."""
        left = sorted(items, key=lambda item: item.position)
        self.results.rest = self.source = chain([(item.position, item.prompt) for item in left], self.source)

    @contextmanager
    def watched(self, last: str) -> Iterator[Callable[[], None]]:
        """Draw the progress, and say at the end how to go on: on the line, and in the error that ended the run."""
        with watch(self.settings.progress, "many:progress") as draw:
            draw(self.results)
            try:
                yield partial(draw, self.results)
                self.results.finished = True
            except BaseException as error:
                if not isinstance(error, ConfigError):
                    self.results.remark = _how_to_go_on(self.results, self.settings.checkpoint, last)
                    error.add_note(self.results.remark)
                    if isinstance(error, KeyboardInterrupt):  # who pressed stop needs no sixty lines of where
                        told = [f"KeyboardInterrupt: {self.results.remark}"]
                        error._render_traceback_ = lambda: told  # type: ignore[attr-defined]
                raise


class MapCalls:
    """The call of both flavours."""

    _core: Core
    _begin: Any  # how a run is begun, by flavour
    last: MapResults | None = None  # of the latest run, also of one that was interrupted

    @call
    def __call__(
        self,
        prompts: Iterable[Any],
        *,
        concurrency: int = 16,
        model: str = "",
        system: str = "",
        rpm: float | None = None,
        tpm: float | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        progress: bool = True,
        executor: Any = None,
        via: str = "chat",
        stop_on: StopOn = None,
        **options: Unpack[ChatOptions],
    ) -> Flow[MapResults]:
        """Ask every prompt and get all answers, in order: texts in `results.texts`, errors in `results.failed`.

        `prompts` is any iterable of what `qwen.chat` takes; a generator is read as far as it is needed (without `await`
        in a helper thread). At most
        `concurrency` calls are under way, fewer after the service says 429. `rpm` and `tpm` limit requests and tokens a
        minute (and a sixtieth of it in a second); left out they are the catalogue's for the model, 0 is no limit.
        `checkpoint` names a file that every answer is written to; the same call with the same file sends only what is
        missing. `stop_on` names the errors that end the run; `()` lets each belong to its item. `executor` is a Dask
        client or a `concurrent.futures` one whose workers make the calls (the key travels to them), `concurrency` then
        counts per worker. `via="batch"` hands the prompts to the Batch API: half the price, hours of time.
        """
        again = kept(options)
        asked = Asked(seeing(model, self._core.model, again), system, again)
        _refuse_wrong(prompts, concurrency, executor, via, checkpoint)
        asked.digest(self._core, "anything")  # what is wrong with the options is wrong for all
        facts = catalogue.model(asked.model) if self._core.config.region and not self._core.sandbox else None
        limits: Mapping[str, Any] = facts.limits if facts else {}
        settings = Settings(
            concurrency=concurrency,
            rpm=_limit("rpm", rpm, limits),
            tpm=_limit("tpm", tpm, limits),
            checkpoint=checkpoint,
            progress=progress,
            executor=executor,
            via=via,
            stop_on=_kinds(stop_on),
        )
        results = MapResults(prompts, partial(self._retry, asked, settings))
        run: Any = Run(self._core, asked, settings, enumerate(prompts), results)
        return cast("Flow[MapResults]", run)  # `_begin` knows what to do with it

    def _retry(self, asked: Asked, settings: Settings, results: MapResults) -> Any:
        failed = {failure.position: failure.prompt for failure in results.failed}
        rest = (pair for pair in results.rest if pair[0] not in failed)  # an interrupted retry left some in both
        return self._begin(Run(self._core, asked, settings, chain(failed.items(), rest), results))


class Map(MapCalls, SyncNoun):
    """`qwen.map(prompts)`. `qwen.map.last` holds the results of the latest run, also of one that was interrupted."""

    def _begin(self, run: Any) -> Any:
        from qwenkit.api.apart import run_apart

        self.last = run.results
        with run.watched("qwen.map.last") as draw:
            run_apart(run.work(), draw)
        return run.results


class AsyncMap(MapCalls, AsyncNoun):
    """`await aqwen.map(prompts)`. `aqwen.map.last` holds the results of the latest run."""

    async def _begin(self, run: Any) -> Any:
        import asyncio

        self.last = run.results
        with run.watched("qwen.aio.map.last") as draw:
            drawing = asyncio.ensure_future(_drawing(draw))
            try:
                await run.work()
            finally:
                drawing.cancel()
        return run.results


async def _drawing(draw: Callable[[], None]) -> None:
    from asyncio import sleep

    from qwenkit.api.apart import TICK

    while True:
        await sleep(TICK)
        draw()


def _how_to_go_on(results: MapResults, checkpoint: Any, last: str) -> str:
    kept = "1 answer is kept" if results.answered == 1 else f"{results.answered:,} answers are kept"
    if checkpoint is not None:
        return f"Ended early: {kept} in {os.path.basename(checkpoint)!r}; the same call again sends only the others."
    return f"Ended early: {kept} in {last}, and {last}.retry() goes on."


def _limit(name: str, given: float | None, known: Mapping[str, Any]) -> float | None:
    value = known.get(name) if given is None else given
    if value is not None and not (isinstance(value, int | float) and value >= 0):
        raise ConfigError(f"{name} cannot be {value!r}", hint="give requests or tokens a minute, 0 for no limit")
    return value if value and value != float("inf") else None


def _kinds(stop_on: Any) -> tuple[type[Exception], ...]:
    kinds = FATAL if stop_on is None else tuple(stop_on) if isinstance(stop_on, Iterable) else (stop_on,)
    if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
        raise ConfigError(f"stop_on cannot be {stop_on!r}", hint="name error classes: stop_on=qk.RateLimited, or ()")
    return kinds


def _refuse_wrong(prompts: Any, concurrency: Any, executor: Any, via: Any, checkpoint: Any) -> None:
    if isinstance(prompts, str | bytes | Mapping) or not isinstance(prompts, Iterable):
        kind = type(prompts).__name__
        raise ConfigError(f"map takes many prompts, not one {kind}", hint='pass a list: qwen.map(["…", "…"])')
    if not isinstance(concurrency, int) or concurrency < 1:
        raise ConfigError(f"concurrency cannot be {concurrency!r}", hint="give a number of calls, such as 16")
    if via not in _WAYS:
        raise ConfigError(f"via cannot be {via!r}", hint=f"one of: {', '.join(_WAYS)}")
    if not isinstance(checkpoint, str | os.PathLike | None):
        raise ConfigError(f"checkpoint cannot be {checkpoint!r}", hint='name a file, such as "run.jsonl"')
    if executor is not None and (not hasattr(executor, "submit") or via != "chat"):
        hint = "pass a dask.distributed.Client or a concurrent.futures executor, with via='chat'"
        raise ConfigError(f"executor cannot be {type(executor).__name__} with via={via!r}", hint=hint)
