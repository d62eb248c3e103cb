"""Lesson 18: a turn with a tool, frames in time, an interpreter whose words are heard again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_CHINESE = re.compile(r"[\u3400-\u9fff]")


def exercise_1(turn: Any) -> str | None:
    """Hold a session whose model calls a function, and answer with the turn."""
    if not hasattr(turn, "runs"):
        return "Answer with the turn, what session.say gives."
    if not turn.runs:
        return "No function ran in it: pass tools=[…] and ask for what only it can know."
    if turn.runs[-1].error:
        return f"The function failed ({turn.runs[-1].error:.60}): mend it."
    if not turn.text:
        return "The model has not answered in words yet."
    return None


_TIMES: tuple[tuple[list[float], float, list[float], str], ...] = (
    ([0, 0.4, 1.0, 1.2, 2.5], 1, [0, 1.0, 2.5], "Compare with the last frame that was sent, not with the last taken."),
    ([3.0], 1, [3.0], "The first always goes."),
    ([], 1, [], "No frames, nothing to send."),
    ([0, 0.5, 1.0, 1.5], 2, [0, 0.5, 1.0, 1.5], "Two a second are half a second apart."),
    ([0, 0.9, 1.8, 2.7], 1, [0, 1.8], "2.7 is too early: 1.8 was sent, and 0.9 was not."),
)


def exercise_2(frames: Callable[..., Any]) -> str | None:
    """Write frames(times, a_second=1): the times of the frames that may be sent."""
    for times, rate, kept, hint in _TIMES:
        given = frames(list(times), rate)
        if given is None:
            return "frames returns nothing yet: give back the times that go."
        if list(given) != kept:
            return f"{hint} Of {times} at {rate} a second it kept {list(given)}."
    return None if list(frames([0, 0.5, 1.0])) == [0, 1.0] else "Without a_second it is one a second."


def exercise_3(said: Any, heard: Any) -> str | None:
    """Have an English sentence interpreted, have that heard, and answer with both texts."""
    if not isinstance(said, str) or not isinstance(heard, str):
        return "Answer with two texts."
    if not _CHINESE.search(said):
        return "The first text is what the interpreter said, in Chinese."
    if not heard:
        return "Nothing was heard: give the interpreter's audio to the ears."
    if _letters(said) != _letters(heard):
        return f"What was heard, {heard!r:.40}, is not what was said, {said!r:.40}."
    return None


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text).lower()
