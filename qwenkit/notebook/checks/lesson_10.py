"""Lesson 10: a limit on what runs together, a limit per minute in slices, a run that goes on from a file."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any

from qwenkit.types.many import MapResults

_SLICES = [(600, 0, 0), (600, 9, 0), (600, 10, 1), (600, 25, 2), (60, 3, 3), (120, 3, 1), (30_000, 499, 0)]


def exercise_1(at_most: Callable[..., Any]) -> str | None:
    """Write at_most(width, calls), which runs asynchronous functions and returns their results in order."""
    if not inspect.iscoroutinefunction(at_most):
        return "Write it with async def: it has to await the calls."
    runs = _Runs()
    found = _apart(at_most, 3, [runs.call(number) for number in range(10)])
    if found is None:
        return "at_most returns nothing yet: give back a list of what the calls returned."
    if runs.most > 3:
        return f"With a width of 3, {runs.most} calls ran together."
    if runs.most == 1:
        return "The calls ran one after another: up to width of them may run together."
    if sorted(found) != list(range(10)):
        return "Every call should run once, and its result come back."
    return None if list(found) == list(range(10)) else "The results should stand in the order of the calls."


def exercise_2(begins: Callable[[int, int], Any]) -> str | None:
    """Write begins(rpm, number), the second at which a call may begin when every second takes a sixtieth of rpm."""
    for rpm, number, second in _SLICES:
        found = begins(rpm, number)
        if found is None:
            return "begins returns nothing yet: give back a number of seconds."
        if found != second:
            return f"With {rpm} a minute a second takes {rpm // 60}, so call {number} begins at second {second}."
    return None


def exercise_3(half: Any) -> str | None:
    """Make a run of at least ten prompts of which exactly half came from a checkpoint, and hand in its results."""
    if not isinstance(half, MapResults):
        return "Hand in what qwen.map gave you."
    if len(half) < 10 or not half.ok:
        return "Let it have at least ten prompts, and an answer to each."
    if half.resumed == 0:
        return "Nothing came from a file: send the first half with checkpoint=…, then all with the same file."
    if half.resumed * 2 != len(half):
        return f"{half.resumed} of {len(half)} came from the file; it should be half. A fresh file helps."
    return None


class _Runs:
    """Calls that notice how many of them run together. Later ones finish sooner."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def call(self, number: int) -> Callable[[], Any]:
        async def run() -> int:
            self.now += 1
            self.most = max(self.most, self.now)
            for _ in range(40 - 3 * number):
                await asyncio.sleep(0)
            self.now -= 1
            return number

        return run


def _apart(function: Callable[..., Any], *facts: Any) -> Any:
    """Run on a loop of its own: the notebook's is busy with this very cell."""
    outcome: list[Any] = []

    def run() -> None:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            outcome.append(runner.run(function(*facts)))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    return outcome[0]
