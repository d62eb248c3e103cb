"""The units of work a contestant is put to, and the process that does one of them.

`python -m tests.bench.works WORK CONTESTANT URL SIZE` warms up (connection, late imports), does the work once, and
prints its figures as a JSON line. CPU is user + system time of this whole process over the work alone.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import os
import statistics
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench.contestants import CONTESTANTS
from tests.bench.server import expected_text

CONCURRENCY = 50
Figures = dict[str, float]


@contextmanager
def clocked(units: int) -> Iterator[Figures]:
    """CPU and wall time of the block, per unit of work, in microseconds."""
    figures: Figures = {}
    gc.collect()
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    yield figures
    figures["cpu"] = (time.process_time_ns() - cpu) / units / 1e3
    figures["wall"] = (time.perf_counter_ns() - wall) / units / 1e3


async def answer(value: Any) -> Any:
    """One body for both flavours: a plain value is an answer already."""
    return await value if inspect.isawaitable(value) else value


async def stream(contestant: Any, size: int) -> Figures:
    await answer(contestant.stream("chunks=100"))
    with clocked(size) as figures:
        text = await answer(contestant.stream(f"chunks={size}"))
    if text != expected_text(size):
        raise SystemExit(f"received {len(text)} characters of {len(expected_text(size))}")
    return figures


async def sequence(contestant: Any, size: int) -> Figures:
    ask, awaited = contestant.ask, inspect.iscoroutinefunction(contestant.ask)
    for _ in range(20):
        await answer(ask())
    with clocked(size) as figures:
        for _ in range(size):
            (await ask()) if awaited else ask()
    return figures


async def crowd(contestant: Any, size: int) -> Figures:
    """`size` calls, `CONCURRENCY` at a time, after a warm-up that opened the connections."""
    await _in_parallel(contestant.ask, 2 * CONCURRENCY)
    with clocked(size) as figures:
        spans = await _in_parallel(contestant.ask, size)
    cuts = statistics.quantiles(spans, n=100)
    return {**figures, "p50": cuts[49] * 1e3, "p99": cuts[98] * 1e3}


async def many(contestant: Any, size: int) -> Figures:
    """The same crowd with its answers kept, by hand or by `map`."""
    await contestant.many(2 * CONCURRENCY, CONCURRENCY)
    with clocked(size) as figures:
        texts = await contestant.many(size, CONCURRENCY)
    if len(texts) != size or not all(texts):
        raise SystemExit(f"{sum(map(bool, texts))} answers of {size}")
    return figures


async def _in_parallel(ask: Callable[[], Awaitable[str]], calls: int) -> list[float]:
    waiting: Iterator[int] = iter(range(calls))
    spans: list[float] = []

    async def worker() -> None:
        for _ in waiting:
            began = time.perf_counter()
            await ask()
            spans.append(time.perf_counter() - began)

    await asyncio.gather(*(worker() for _ in range(CONCURRENCY)))
    return spans


async def memory(contestant: Any, size: int) -> Figures:
    """What the last nine tenths of a stream leave behind, in MB, beyond the text where a reply keeps it."""
    texts = contestant.texts(f"chunks={size}")
    deque(islice(texts, size // 10), maxlen=0)
    before, length = resident(), 0
    with clocked(size - size // 10) as figures:
        for text in islice(texts, size - size // 10 - 1):
            length += len(text)
    kept = 2 * length / 1e6 if contestant.keeps_text else 0.0  # Python keeps Chinese in two bytes a character
    return {**figures, "growth": resident() - before - kept, "text": kept}


def resident() -> float:
    """This process's memory in MB, after a collection."""
    gc.collect()
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 / 1e6 for line in status.splitlines() if line.startswith("VmRSS"))


async def main(work: str, contestant: str, url: str, size: str) -> None:
    """Sync contestants run here too, with a loop around them, as in a notebook's cell."""
    print(json.dumps(await globals()[work](CONTESTANTS[contestant](url), int(size))), flush=True)
    os._exit(0)  # how a library tears down is not the question here


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
