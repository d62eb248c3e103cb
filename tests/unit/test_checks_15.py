"""The checks of lesson 15: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.audio import Audio
from qwenkit.types.reply import Choice, Reply
from qwenkit.types.usage import CompletionDetails, PromptDetails, Usage


def take(voice: str, text: str = "Hello.") -> Audio:
    return Audio(np.zeros(2400, np.float32), 24_000, voice=voice, text=text)


def cast(*names: str, **odd: Any) -> dict[str, Any]:
    return {**{name: take(name) for name in names}, **odd}


def reply(heard: int = 0, spoken: int = 0, text: str = "Paris.") -> Reply:
    usage = Usage(
        prompt_tokens_details=PromptDetails(audio_tokens=heard),
        completion_tokens_details=CompletionDetails(audio_tokens=spoken),
    )
    return Reply(choices=[Choice(text=text)], usage=usage, audio=take("Cherry") if spoken else None)


def right(seconds: float, a_second: float) -> int:
    return ceil(ceil(seconds) * a_second)


def test_right_answers_pass():
    assert check("15.1", cast("Cherry", "Ethan", "Serena"))
    assert check("15.2", right)
    assert check("15.3", reply(heard=25, spoken=38))


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [
        ("15.1", cast("Cherry", "Ethan"), "here are 2"),
        ("15.1", cast("Cherry", "Ethan", Serena=reply()), "no qk.Audio"),
        ("15.1", cast("Cherry", "Ethan", "Nobody"), "No voice is called Nobody"),
        ("15.1", cast("Cherry", "Ethan", Serena=take("Cherry")), "another voice"),
        ("15.1", cast("Cherry", "Ethan", Serena=take("Serena", "Hi.")), "the same question"),
        ("15.3", reply(heard=25), "silent"),
        ("15.3", reply(spoken=38), "heard nothing"),
        ("15.3", reply(heard=25, spoken=38, text=""), "said nothing"),
        ("15.3", "Paris", "str"),
    ],
)
def test_near_misses_are_told_what_is_missing(number: str, answer: Any, hint: str):
    judged = check(number, answer)
    assert not judged
    assert hint in judged.hint


@pytest.mark.parametrize(
    ("function", "hint"),
    [(lambda seconds, a_second: None, "nothing yet"), (lambda s, a: ceil(s * a), "has begun"),
     (lambda s, a: ceil(s) * a, "A token is whole"), (lambda s, a: ceil(ceil(s) * 12.5), "0.2 s at 25"),
     (lambda s, a: max(ceil(ceil(s) * a), a), "costs nothing")],
)  # fmt: skip
def test_functions_in_a_hurry(function: Callable[[float, float], Any], hint: str):
    assert hint in check("15.2", function).hint
