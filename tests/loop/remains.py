"""What a test leaves behind: threads, tasks, and this process's connections to a port."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENING, _CLOSED = "0A", {"06", "07"}  # TIME_WAIT and CLOSE belong to the kernel, not to us


def connections(port: int) -> int:
    """This process's sockets that are connected to a local port, as the kernel tells (0 where it does not)."""
    if not _TABLES[0].exists():
        return 0
    ours = set()
    for fd in Path("/proc/self/fd").iterdir():
        try:
            ours.add(os.readlink(fd))
        except OSError:
            continue
    found = 0
    for table in _TABLES:
        for row in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = row.split()
            remote, state, inode = int(fields[2].rpartition(":")[2], 16), fields[3], f"socket:[{fields[9]}]"
            found += remote == port and state not in {_LISTENING, *_CLOSED} and inode in ours
    return found


def settled(port: int, most: int = 0) -> bool:
    """Whether no more than so many connections to the port remain, waiting for it a while."""
    give_up = time.monotonic() + 5
    while connections(port) > most and time.monotonic() < give_up:
        time.sleep(0.005)
    return connections(port) <= most


async def tasks() -> set[asyncio.Task[object]]:
    """Tasks that are still there after garbage and callbacks have had their turn."""
    gc.collect(1)  # what a test has just left is young
    for _ in range(20):
        await asyncio.sleep(0)
        left = {task for task in asyncio.all_tasks() if task is not asyncio.current_task() and not task.done()}
        if not left:
            break
    return left


def threads() -> set[str]:
    """Names of all threads but the main one and those of the loop's own executor, which looks up host names."""
    others = (thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
    return {name for name in others if not name.startswith("asyncio_")}


def left(before: set[str]) -> set[str]:
    """Threads that were not there before and do not end in a while: a server of the test's own may still be closing."""
    give_up = time.monotonic() + 5
    while threads() - before and time.monotonic() < give_up:
        time.sleep(0.005)
    return threads() - before
