"""Awaited work in a blocking call: on an event loop of its own, in a thread of its own.

The caller's thread waits and draws; its loop, if it has one (a notebook's kernel does), is never touched. An interrupt
reaches the caller as always: the work is cancelled, what it had opened is closed, and the thread is gone before the
interrupt goes on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

TICK = 0.1  # seconds between two looks at the work


def run_apart(work: Coroutine[Any, Any, None], tick: Callable[[], None]) -> None:
    """Run the work to its end, calling `tick` now and then; raises what the work raised."""
    runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
    loop = runner.get_loop()
    task, done = loop.create_task(work), threading.Event()

    def run() -> None:
        with suppress(BaseException), runner:  # what the work raised is in its task
            runner.run(_ended(task))
        done.set()

    thread = threading.Thread(target=run, name="qwenkit-map", daemon=True)
    thread.start()
    try:
        while not done.wait(TICK):
            tick()
    except BaseException:
        with suppress(RuntimeError):  # the loop has just been closed
            loop.call_soon_threadsafe(task.cancel)
        raise
    finally:
        thread.join()
    task.result()


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
