"""The checks of lesson 17: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.turn import Turn

ANSWERED, SILENT = Turn(text="At nine.", ended="completed"), Turn(ended="lost")


def session(*turns: Turn, state: str = "ended") -> Any:
    return SimpleNamespace(turns=list(turns), state=state)


def heard_seconds(turns: list[Any]) -> float:
    cut = [turn for turn in turns if turn.played_ms is not None]
    whole = [turn for turn in turns if turn.played_ms is None and turn.audio]
    return sum(turn.played_ms for turn in cut) / 1000 + sum(turn.audio.duration for turn in whole)


def careless(turns: list[Any]) -> float:
    return sum(turn.played_ms / 1000 if turn.played_ms else turn.audio.duration for turn in turns)


def rash(turns: list[Any]) -> float:
    return sum(turn.audio.duration if turn.played_ms is None else turn.played_ms / 1000 for turn in turns)


BOTH = ["What is the capital of France? How many days has a leap year?"]


@pytest.mark.parametrize(
    ("number", "answer"),
    [("17.1", [session(ANSWERED, ANSWERED)]), ("17.2", [heard_seconds]), ("17.3", [800, BOTH])],
    ids=["17.1", "17.2", "17.3"],
)
def test_right_answers_pass(number: str, answer: list[Any]):
    assert check(number, *answer)


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [
        ("17.1", [[ANSWERED, ANSWERED]], "the session itself"),
        ("17.1", [session(ANSWERED, ANSWERED, state="live")], "still open"),
        ("17.1", [session(ANSWERED)], "Two turns or more"),
        ("17.1", [session(ANSWERED, SILENT)], "no answer"),
        ("17.2", [lambda turns: None], "nothing yet"),
        ("17.2", [len], "Without played_ms"),
        ("17.2", [careless], "0 ms is a number"),
        ("17.2", [rash], "`turn.audio` is None"),
        ("17.3", ["800", BOTH], "whole number"),
        ("17.3", [1500, BOTH], "200 to 1000"),
        ("17.3", [200, ["What is the capital", "of France?"]], "pause for breath"),
        ("17.3", [800, ["What is the capital of France?"]], "both sentences"),
    ],
)
def test_near_misses_are_told_what_is_missing(number: str, answer: list[Any], hint: str):
    assert hint in check(number, *answer).hint
