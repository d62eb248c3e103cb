"""A thread with a loop of its own, and the way in: what a live session needs inside a notebook's cell.

A kernel has loops enough, none of them ours to hold up. Whoever owns a portal calls coroutines from any thread and
waits for them, or leaves them to run. An interrupted wait cancels what it waited for. `close` always returns, and
nobody waits for a thread that is gone. After a fork the child has no such thread; asking it to work is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from qwenkit.errors import ConfigError, SessionClosed

T = TypeVar("T")
_ENDING_SECONDS = 1.0  # for what is cancelled to have ended


def closed(why: str = "is closed") -> SessionClosed:
    return SessionClosed(f"this session {why}", hint="open another; what came before stays in this one")


class Portal:
    """One thread, one loop."""

    def __init__(self, name: str = "qwenkit-session") -> None:
        self._process = os.getpid()
        self._ending = False
        self._lock = threading.RLock()  # a finalizer may want to end it in the middle of a call
        self._waited: set[Future[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._workers = ThreadPoolExecutor(thread_name_prefix=f"{name}-work")  # for tools; begun when there are some
        self._loop.set_default_executor(self._workers)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            with self._lock:  # what was spawned before is ended below, and nothing is spawned after
                self._ending = True
            with contextlib.suppress(Exception):  # whatever ends badly here has nobody left to hear of it
                self._loop.run_until_complete(_ended(self._loop))
            self._workers.shutdown(wait=False, cancel_futures=True)  # what a tool still does, it does alone
            self._loop.close()
            for future in list(self._waited):  # of what would not end
                future.cancel()

    @property
    def open(self) -> bool:
        return self._process == os.getpid() and self._thread.is_alive() and not self._ending

    @property
    def inside(self) -> bool:
        """Whether this is the portal's own thread, which can wait for nothing."""
        return threading.current_thread() is self._thread

    def waits(self) -> None:
        """Somebody is about to wait for what happens over there."""
        if self.inside:
            raise ConfigError("a callback cannot wait for its own session", hint="wait in another thread")

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that runs over there."""
        if self.inside:
            work.close()
        self.waits()
        future = self.spawn(work)
        try:
            return future.result()
        except CancelledError:  # closed, by somebody else
            raise closed() from None
        except BaseException:
            if not future.done():  # interrupted: what was waited for ends too, before anything else begins
                future.cancel()
                with contextlib.suppress(Exception, CancelledError):
                    self.spawn(asyncio.sleep(0)).result(_ENDING_SECONDS)
            raise

    def spawn(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Let a coroutine run over there."""
        with self._lock if self._process == os.getpid() else contextlib.nullcontext():  # held for ever in a child
            if self.open:
                future = asyncio.run_coroutine_threadsafe(work, self._loop)
                self._waited.add(future)
                future.add_done_callback(self._waited.discard)
                return future
        work.close()
        raise closed("is closed" if self._process == os.getpid() else "belongs to another process")

    def soon(self, work: Callable[..., object], *args: Any) -> None:
        """Call a function over there, without waiting for it."""
        if self.open:
            with contextlib.suppress(RuntimeError):  # it closes at this very moment
                self._loop.call_soon_threadsafe(work, *args)

    def close(self) -> None:
        """End the loop and wait for the thread; never for long."""
        self.abandon()
        if self._process == os.getpid() and not self.inside:
            self._thread.join(3 * _ENDING_SECONDS)

    def abandon(self) -> None:
        """End the loop without waiting; for whoever may not wait, such as a finalizer."""
        self.soon(self._loop.stop)
        self._ending = True


async def _ended(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel all that still runs, and give it a moment to end."""
    for _ in range(2):  # what was handed over at the last moment has begun behind the first
        tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
        for task in tasks:
            task.cancel()
        await asyncio.wait([*tasks, loop.create_task(asyncio.sleep(0))], timeout=_ENDING_SECONDS)
    await loop.shutdown_asyncgens()
