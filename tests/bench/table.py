"""Results as a compact table, and as JSON. Ratios are medians of same-round ratios, with the range beside them."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from tests.bench.measures import AGAIN, Goal, Result

_NOTES = {"modules": "{:.0f} modules", "rss": "{:.0f} MB", "p50": "p50 {:.0f} ms", "p99": "p99 {:.0f} ms",
          "growth": "grew {:.1f} MB", "text": "beside {:.1f} MB of text", "messages": "{:.0f} messages",
          "notebook": "{:.1f} kB of notebook", "error": "{:.2f} % wrong", "false": "{:.0f} false accepts",
          "heard": "of {:.0f} sounds", "lag": "{:.0f} µs on the way", "slow": "p99 {:.0f} µs",
          "late": "{:.0f} late", "built": "{:.0f} s in all", "sandbox": "{:.0f} s of it the sandbox embedding",
          "rest": "{:.0f} s without embedding", "opened": "opened and first search {:.0f} ms",
          "search": "search p50 {:.1f} ms", "computed": "{:.1f} ms of CPU",
          "asked": "{:.1f} ms with its embedding", "resident": "{:.0f} MB of memory",
          "file": "{:.0f} MB of file", "exact": "{:.1f} % of the true ten",
          "killed": "{:.0f} chunks left by the killed"}  # fmt: skip
_COLUMNS = "{:<18} {:>8} {:>8}  {:<22} {:<23} {:<24} {}"


def lines(result: Result) -> Iterator[str]:
    """One measure: a row per contestant, its goals beside it."""
    measure = result.measure
    yield f"{measure.name}: {measure.title} ({measure.unit}, {len(result.rounds)} rounds)"
    yield _row("contestant", "CPU", "wall", f"x {measure.floor}" if measure.floor else "", "goal", "reached")
    for name in measure.contestants:
        if name in result.failures:
            yield _row(name, "failed", "", result.failures[name][:100])
        elif cpu := _figure(result, name, "cpu"):
            wall = _figure(result, name, "wall")
            times = [_number(statistics.median(each)) if each else "" for each in (cpu, wall)]
            first, *others = [_goal(result, goal) for goal in measure.goals if goal.contestant == name] or [("", "")]
            yield _row(name, *times, _ratio(result, name), *first, _notes(result, name))
            yield from (_row("", "", "", "", *other) for other in others)


def document(results: list[Result]) -> dict[str, Any]:
    """The same as one JSON document: every round, and each goal with what was reached."""
    return {"machine": machine(), "measures": [_measure(each) for each in results]}


def machine() -> dict[str, str]:
    peers = ("qwenkit", "httpx", "openai", "dashscope")
    return {"python": platform.python_version(), **{peer: _version(peer) for peer in peers}}


def _measure(result: Result) -> dict[str, Any]:
    told = {key: getattr(result.measure, key) for key in ("name", "title", "unit", "floor")}
    goals = [dict(zip(("goal", "reached"), _goal(result, goal), strict=True)) for goal in result.measure.goals]
    return {**told, "goals": goals, "failures": result.failures, "rounds": result.rounds}


def _row(*cells: str) -> str:
    return _COLUMNS.format(*cells, *[""] * (7 - len(cells))).rstrip()


def _figure(result: Result, contestant: str, key: str) -> list[float]:
    return result.each(lambda each: each[contestant][key])


def _goal(result: Result, goal: Goal) -> tuple[str, str]:
    values = result.each(goal.figure)
    if not values:
        return goal.text, "not judged"
    return goal.text, f"{'✓' if goal.met(statistics.median(values)) else '✗'} {_range(values)}"


def _ratio(result: Result, contestant: str) -> str:
    floor = result.measure.floor or contestant
    values = result.each(lambda each: each[contestant]["cpu"] / each[floor]["cpu"])
    if contestant == floor or not values:
        return ""
    return f"{_range(values)}{' A/A' if contestant.endswith(AGAIN) else ''}"


def _range(values: list[float]) -> str:
    return f"{_number(statistics.median(values))} ({_number(min(values))}..{_number(max(values))})"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _notes(result: Result, contestant: str) -> str:
    values = {key: _figure(result, contestant, key) for key in _NOTES}
    return ", ".join(_NOTES[key].format(statistics.median(each)) for key, each in values.items() if each)


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "from the checkout" if package == "qwenkit" else "absent"
