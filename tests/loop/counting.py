"""A sandbox in a process of its own that counts: which prompt came how often, and what it met.

`python counting.py RATE` serves, says where on stdout, and answers each line on stdin with its counts as JSON: for
every prompt how often it was answered and how often it met a fault.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FAULTS = ("429", "500", "reset")


def serve(rate: float) -> None:
    from qwenkit.sandbox import Sandbox

    counts: dict[str, list[int]] = {}
    with Sandbox(key="sk-sandbox-of-the-map-tests") as box:
        for fault in FAULTS:
            box.fault(fault, rate=rate / len(FAULTS), path="/chat/completions")
        faults, journal = box._faults, box._journal
        latest: list[str] = []
        take, note = faults.take, journal.note

        def counted_note(method: str, path: str, query: Any, headers: Any, request_id: str, body: bytes) -> None:
            note(method, path, query, headers, request_id, body)
            latest[:] = [json.loads(body)["messages"][-1]["content"]]

        def counted_take(path: str) -> Any:
            fault = take(path)
            counts.setdefault(latest[0], [0, 0])[fault is not None] += 1
            return fault

        faults.take, journal.note = counted_take, counted_note  # type: ignore[method-assign]
        print(json.dumps({"url": box.url, "key": box.key}), flush=True)
        for _ in sys.stdin:
            print(json.dumps(counts), flush=True)


class Counting:
    """The other end: where it is, and its counts so far."""

    def __init__(self, process: Any) -> None:
        self._process = process
        told = json.loads(process.stdout.readline())
        self.url, self.key = told["url"], told["key"]

    def counts(self) -> dict[str, tuple[int, int]]:
        """(answered, met a fault) by prompt."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return {prompt: (good, bad) for prompt, (good, bad) in json.loads(self._process.stdout.readline()).items()}


@contextmanager
def counting(rate: float) -> Iterator[Counting]:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, __file__, str(rate)], **pipes) as process:
        try:
            yield Counting(process)
        finally:
            process.stdin.close()  # type: ignore[union-attr]
            process.wait(10)


if __name__ == "__main__":
    serve(float(sys.argv[1]))
