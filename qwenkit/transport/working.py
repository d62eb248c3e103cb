"""Tools at work: how the two drivers call the functions that a model asked for.

Blocking: plain functions run one after another in the calling thread, because it is the one that owns a notebook's
plots and connections; async ones run together on a loop of their own in a helper thread, because a notebook's loop is
already running. Awaited: async functions run together on the caller's loop, plain ones in threads beside it. Results
come in the order of the calls either way. An interrupt or a cancellation ends what can be ended: a plain function in a
thread runs on, and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, wait
from typing import Any

Job = Callable[[], Any]
_STARTED = 1.0  # seconds; an interrupt may come before the thread has begun, and then it never will


def work(jobs: Sequence[Job]) -> list[Any]:
    """What each function gives, in order."""
    found: list[Any] = []
    try:
        for job in jobs:
            found.append(job())
    except BaseException:
        for begun in filter(inspect.iscoroutine, found):
            begun.close()
        raise
    waiting = [place for place, value in enumerate(found) if inspect.isawaitable(value)]
    for place, value in zip(waiting, _elsewhere([found[place] for place in waiting]), strict=True):
        found[place] = value
    return found


async def work_async(jobs: Sequence[Job]) -> list[Any]:
    """What each function gives, in order, all at once."""
    return await _together([_begun(job) for job in jobs])


async def _begun(job: Job) -> Any:
    value = await asyncio.to_thread(job)  # calling an async function only begins it
    return await value if inspect.isawaitable(value) else value


async def _together(waiting: Sequence[Awaitable[Any]]) -> list[Any]:
    """Like `asyncio.gather`, but when one is interrupted the others are too."""
    tasks = [asyncio.ensure_future(each) for each in waiting]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _elsewhere(waiting: Sequence[Awaitable[Any]]) -> list[Any]:
    """Await them on a loop of their own. Who interrupts the cell cancels them, and waits until they have ended."""
    if not waiting:
        return []
    begun: Future[Any] = Future()
    over: Future[list[Any]] = Future()

    async def main() -> list[Any]:
        begun.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await _together(waiting)

    def thread() -> None:
        try:
            over.set_result(asyncio.run(main()))
        except BaseException as error:  # carried over, to be raised where the user is
            over.set_exception(error)

    helper = threading.Thread(target=contextvars.copy_context().run, args=(thread,), name="qwenkit-tools")
    try:
        helper.start()
        wait([over])  # not join: an interrupted join takes the thread for ended
    except BaseException:
        with contextlib.suppress(TimeoutError, RuntimeError):  # never begun, or ended by itself meanwhile
            loop, task = begun.result(_STARTED)
            loop.call_soon_threadsafe(task.cancel)
            wait([over])
        raise
    helper.join()
    return over.result()
