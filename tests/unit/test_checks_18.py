"""The checks of lesson 18: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.tools import ToolRun
from qwenkit.types.turn import Turn

RUN, BROKEN = ToolRun(name="weather", result="rain"), ToolRun(name="weather", error="LookupError: silent")


def frames(times: list[float], a_second: float = 1) -> list[float]:
    kept: list[float] = []
    for time in times:
        if not kept or time - kept[-1] >= 1 / a_second:
            kept.append(time)
    return kept


def neighbours(times: list[float], a_second: float = 1) -> list[float]:
    pairs = zip([-9.0, *times], times, strict=False)
    return [time for before, time in pairs if time - before >= 1 / a_second]


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("18.1", [Turn(runs=[RUN], text="It rains.")]),
        ("18.2", [frames]),
        ("18.3", ["车站在哪里？", "车站在哪里"]),
    ],
    ids=["18.1", "18.2", "18.3"],
)
def test_right_answers_pass(number: str, answer: list[Any]):
    assert check(number, *answer)


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [
        ("18.1", ["It rains."], "the turn"),
        ("18.1", [Turn(text="It rains.")], "No function ran"),
        ("18.1", [Turn(text="It rains.", runs=[BROKEN])], "function failed"),
        ("18.1", [Turn(runs=[RUN])], "in words yet"),
        ("18.2", [lambda times, a_second=1: None], "nothing yet"),
        ("18.2", [neighbours], "not with the last taken"),
        ("18.2", [lambda times, a_second=1: frames(times)], "half a second"),
        ("18.2", [lambda times, a_second=2: frames(times, a_second)], "one a second"),
        ("18.3", [3, "车站"], "two texts"),
        ("18.3", ["Where is it?", "Where is it?"], "in Chinese"),
        ("18.3", ["车站在哪里？", ""], "Nothing was heard"),
        ("18.3", ["车站在哪里？", "车站在那里"], "is not what was said"),
    ],
)
def test_near_misses_are_told_what_is_missing(number: str, answer: list[Any], hint: str):
    assert hint in check(number, *answer).hint
