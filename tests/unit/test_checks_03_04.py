"""The checks of lessons 03 and 04: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.reply import Choice, Reply


def read(lines: list[str], *, done: bool = True, null: bool = True, comments: bool = True, empty: bool = True) -> str:
    """A reader of streams that can be made to forget one thing."""
    said = ""
    for line in lines:
        if line.startswith("data: [DONE]"):
            if done:
                break
        elif line and (line.startswith("data: ") or not comments):
            choices = json.loads(line.removeprefix("data: "))["choices"]
            content = [choice["delta"].get("content") for choice in (choices if empty else [choices[0]])]
            said += "".join([text or "" for text in content] if null else content)
    return said


def test_a_careful_reader_passes():
    assert check("03.1", read)


@pytest.mark.parametrize(
    ("forgotten", "hint"), [("done", "[DONE]"), ("null", "null"), ("comments", "colon"), ("empty", "choices")]
)
def test_a_reader_that_forgets_something_is_told_what(forgotten: str, hint: str):
    result = check("03.1", lambda lines: read(lines, **{forgotten: False}))
    assert not result
    assert hint in result.hint


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("It was. So", None, "does not end"),
        ("It was. So.", None, "More than one"),
        ("It was.", "stop", "to its end"),
        ("", None, "not end"),
    ],
)
def test_more_or_less_than_one_sentence_is_not_one(text: str, reason: str | None, hint: str):
    assert hint in check("03.2", Reply(choices=[Choice(text=text, finish_reason=reason)])).hint


@pytest.mark.parametrize("text", ["It was hers. ", "阳光是路过的。"])
def test_one_sentence_passes(text: str):
    assert check("03.2", Reply(choices=[Choice(text=text)]))


@pytest.mark.parametrize(
    ("arrived", "whole", "hint"),
    [
        ("", "The end.", "Nothing had arrived"),
        ("The end.", "The end.", "not broken"),
        ("The cat", "A dog slept.", "begin with"),
        ("The cat", "The catThe cat slept.", "twice"),
        ("The cat", "The cat", "no end"),
    ],
)
def test_half_a_rescue_is_told_what_is_missing(arrived: str, whole: str, hint: str):
    assert hint in check("03.3", arrived, whole).hint


def test_a_whole_rescue_passes():
    assert check("03.3", "The cat", "The cat slept.")


def sharpened(shares: dict[str, float], temperature: float) -> dict[str, float]:
    powers = {name: share ** (1 / temperature) for name, share in shares.items()}
    return {name: power / sum(powers.values()) for name, power in powers.items()}


def kept(shares: dict[str, float], top_p: float) -> list[str]:
    names = sorted(shares, key=lambda name: -shares[name])
    return [name for at, name in enumerate(names) if sum(shares[each] for each in names[:at]) < top_p]


@pytest.mark.parametrize(("exercise", "answer"), [("04.1", sharpened), ("04.2", kept)])
def test_the_right_arithmetic_passes(exercise: str, answer: Callable[..., Any]):
    assert check(exercise, answer)


@pytest.mark.parametrize(
    ("exercise", "answer", "hint"),
    [
        ("04.1", lambda shares, temperature: None, "nothing yet"),
        ("04.1", lambda shares, temperature: shares, "power"),
        ("04.1", lambda shares, temperature: {"red": 1.0}, "Every name"),
        ("04.1", lambda shares, temperature: dict.fromkeys(shares, 1.0), "add up"),
        ("04.2", lambda shares, top_p: None, "nothing yet"),
        ("04.2", lambda shares, top_p: sorted(shares), "likeliest first"),
        ("04.2", lambda shares, top_p: kept(shares, 0.9), "stop once"),
    ],
)
def test_near_misses_get_their_hint(exercise: str, answer: Callable[..., Any], hint: str):
    assert hint in check(exercise, answer).hint


@pytest.mark.parametrize(
    ("settings", "texts", "hint"),
    [
        ({"temperature": 0}, ["Blue"] * 10, "Leave temperature"),
        ({"top_k": 1}, ["Blue"], "ten"),
        ({}, ["Blue"] * 10, "add one"),
        ({"top_k": 2}, ["Blue"] * 9 + ["Red"], "2 ways"),
    ],
)
def test_settings_that_leave_a_choice_are_told_so(settings: dict[str, Any], texts: list[str], hint: str):
    assert hint in check("04.3", settings, texts).hint


def test_settings_without_a_choice_pass():
    assert check("04.3", {"top_k": 1}, ["Blue"] * 10)
