"""Processes on cores: the server on one, each contestant fresh on another, neither inheriting a proxy or a key."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_FOREIGN = ("DASHSCOPE", "OPENAI", "QWEN", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "COVERAGE", "PYTHONDONTWRITE")


class Failed(Exception):
    """A contestant's process ended badly; the text is its last line."""


def cores() -> tuple[set[int], set[int]]:
    """(the server's, the client's): one each where there are two, else whatever there is."""
    free = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ({free[0]}, {free[-1]}) if len(free) > 1 else (set(), set())


@contextmanager
def pinned(where: set[int]) -> Iterator[None]:
    """Processes started inside inherit these cores; this one returns to its own."""
    if not where:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, where)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
    return {**kept, "NO_PROXY": "*", "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}


@contextmanager
def server() -> Iterator[str]:
    """The peer server's root URL, for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.bench.server"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with pinned(cores()[0]):
        process = subprocess.Popen(command, cwd=ROOT, env=environment(), text=True, **pipes)
    with process:
        assert process.stdout
        assert process.stdin
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()


def fresh(*arguments: str) -> tuple[str, float]:
    """(the last line a fresh, pinned Python printed, seconds from its start until then)."""
    with pinned(cores()[1]):
        began = time.perf_counter()
        command = [sys.executable, *arguments]
        run = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600)
        wall = time.perf_counter() - began
    if run.returncode or not run.stdout.strip():
        raise Failed((run.stderr.strip() or "printed nothing").splitlines()[-1])
    return run.stdout.strip().splitlines()[-1], wall
