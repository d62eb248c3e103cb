"""What a realtime session costs: blocks of sound received as PCM, sound sent, how late a block is handled, and whether
fifty sessions of one process keep every speaker fed.

`python -m tests.bench.calls WORK CONTESTANT URL SIZE` opens a session, warms it up, does the work once and prints its
figures as a JSON line. CPU is user + system time of this whole process over the work alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench.callers import CALLERS, AsyncCaller
from tests.bench.phone import BLOCKS_PER_SECOND, expected
from tests.bench.processes import fresh
from tests.bench.works import Figures, answer, clocked

SESSIONS = 50
PACE = 100  # blocks of sound per second, when it is lateness that counts
CUSHION_S = 0.15  # what a player holds back before it starts
POOL = ThreadPoolExecutor(SESSIONS)


class Heard:
    """What arrived, and when; called for every event, so it does next to nothing."""

    def __init__(self) -> None:
        self.size, self.text = 0, ""
        self.blocks: list[tuple[str, int]] = []

    def __call__(self, event_id: str, pcm: bytes, text: str) -> None:
        if pcm:
            self.size += len(pcm)
            self.blocks.append((event_id, time.perf_counter_ns()))
        else:
            self.text += text

    def check(self, count: int) -> None:
        if (self.size, self.text) != expected(count):
            raise SystemExit(f"heard {self.size} bytes of {expected(count)[0]}, and {len(self.text)} characters")

    def late(self) -> int:
        """Blocks that came after the player needed them; it waits for such a block and goes on from there."""
        needed, late = self.blocks[0][1] / 1e9 + CUSHION_S, 0
        for _, moment in self.blocks:
            late += moment / 1e9 > needed
            needed = max(needed, moment / 1e9) + 1 / BLOCKS_PER_SECOND
        return late


async def hear(caller: Any, size: int) -> Figures:
    """A block of sound and a piece of transcript are two events."""
    await answer(caller.hear("deltas=100", Heard()))
    heard = Heard()
    with clocked(2 * size) as figures:
        await answer(caller.hear(f"deltas={size}", heard))
    heard.check(size)
    return figures


async def append(caller: Any, size: int) -> Figures:
    await answer(caller.append(50))
    with clocked(size) as figures:
        await answer(caller.append(size))
    return figures


async def lag(caller: Any, size: int) -> Figures:
    await answer(caller.hear(f"deltas=30 pace={PACE}", Heard()))
    return await _together([caller], size, PACE)


async def speakers(caller: Any, size: int) -> Figures:
    """`SESSIONS` at once, each paced like speech: awaited on one loop, or in a thread each."""
    others = [type(caller)() for _ in range(SESSIONS - 1)]
    for other in others:
        await answer(other.open(caller.url))
    return await _together([caller, *others], size, BLOCKS_PER_SECOND)


def _hearing(caller: Any, wish: str, heard: Heard) -> Any:
    if isinstance(caller, AsyncCaller):
        return caller.hear(wish, heard)
    return asyncio.get_running_loop().run_in_executor(POOL, caller.hear, wish, heard)


async def _together(callers: list[Any], size: int, pace: float) -> Figures:
    heard = {caller: Heard() for caller in callers}
    with clocked(len(callers) * size) as figures:
        await asyncio.gather(*(_hearing(caller, f"deltas={size} pace={pace}", to) for caller, to in heard.items()))
    for each in heard.values():
        each.check(size)
    lags = [moment - int(event_id[6:]) for each in heard.values() for event_id, moment in each.blocks]
    cuts = statistics.quantiles(lags, n=100)
    late = sum(each.late() for each in heard.values())
    return {**figures, "lag": cuts[49] / 1e3, "slow": cuts[98] / 1e3, "late": late}


def calls(work: str, contestant: str, url: str, size: int) -> Figures:
    figures: Figures = json.loads(fresh("-m", "tests.bench.calls", work, contestant, url, str(size))[0])
    return figures


async def main(work: str, contestant: str, url: str, size: str) -> None:
    caller = CALLERS[contestant]()
    caller.url = url
    await answer(caller.open(url))
    print(json.dumps(await globals()[work](caller, int(size))), flush=True)
    os._exit(0)  # how a library tears down is not the question here


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
