"""Awaited work in a blocking call: on an event loop of its own, in a thread of its own.

The caller's thread waits and draws; its loop, if it has one (a notebook's kernel does), is never touched. An interrupt
reaches the caller as always: the work is cancelled, what it had opened is closed, and the thread is gone before the
interrupt goes on.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

TICK = 0.1  # seconds between two looks at the work


def run_apart(work: Callable[[], Coroutine[Any, Any, None]], tick: Callable[[], None]) -> None:
    """Run the work to its end, calling `tick` now and then; raises what the work raised."""
    task = _Apart(work)
    try:
        while not task.done.wait(TICK):
            tick()
    except BaseException:
        task.cancel()
        raise
    finally:
        task.thread.join()
    if task.problem is not None:
        raise task.problem


class _Apart:
    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.done = threading.Event()
        self._work = work
        self._lock = threading.Lock()
        self._cancelled = False
        self._cancel: Callable[[], object] | None = None
        self.problem: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name="qwenkit-map", daemon=True)
        self.thread.start()

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._cancel is not None:
                self._cancel()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(self._main())
        except BaseException as problem:
            self.problem = problem
        finally:
            self.done.set()

    async def _main(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        with self._lock:
            if self._cancelled:
                return
            self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            await self._work()
        finally:
            with self._lock:
                self._cancel = None
