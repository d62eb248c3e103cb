"""Work that must not keep the loop waiting: documents are read and indexed in threads.

A short one is waited for, because it is done at once nearly always; but a small file may be made to take long.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable

SHORT = 256 * 1024  # bytes of what is waited for
PATIENCE = 2.0  # seconds


class Works:
    """What is being worked on, by name, each once at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: dict[str, threading.Event] = {}

    def do(self, name: str, work: Callable[[], None], size: int) -> None:
        """Have it done; when this returns, it is if it was short. `size` is in bytes."""
        with self._lock:
            if name in self._busy:
                return
            done = self._busy[name] = threading.Event()
        threading.Thread(target=self._run, args=(name, work), daemon=True).start()
        if size <= SHORT:
            done.wait(PATIENCE)

    def _run(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except sqlite3.ProgrammingError:
            pass  # the sandbox has stopped; whoever asks for it after the next start has it done then
        finally:
            self._busy.pop(name).set()

    def wait(self, name: str = "") -> None:
        """Until it is done, or everything."""
        for each in [name] if name else list(self._busy):
            if done := self._busy.get(each):
                done.wait()

    @property
    def any(self) -> bool:
        return bool(self._busy)
