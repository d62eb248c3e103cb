"""`qk.check("01.2", answer)`: whether an exercise is solved, as a card that stays neutral until it is.

The checks themselves are plain functions in `qwenkit.notebook.checks`, one module per lesson. `check` never raises, so
a notebook whose exercises are still stubs (`answer = ...`) runs from top to bottom; and it shows nothing of an answer
but its type, so the same answer draws the same card everywhere.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from traceback import walk_tb
from typing import Any

import msgspec

_LONGEST = 160


class CheckResult(msgspec.Struct, frozen=True):
    """How an answer did. True when it is right; `hint` says what to try next when it is not."""

    exercise: str
    solved: bool
    hint: str = ""

    def __bool__(self) -> bool:
        return self.solved

    def __repr__(self) -> str:
        return f"Exercise {self.exercise}: right" if self.solved else f"Exercise {self.exercise}: not yet. {self.hint}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        from qwenkit.display.page import head, note, page

        verdict = '<span style="color: var(--good)">✓ right</span>' if self.solved else "not yet"
        return {
            "text/plain": repr(self),
            "text/html": page("check", head(f"Exercise {self.exercise}", verdict), note(self.hint)),
        }


def check(exercise: str, *answer: Any) -> CheckResult:
    """Judge the answer to an exercise, named as in its heading: `check("01.2", answer)`."""
    judge = _judge(str(exercise))
    if judge is None:
        return CheckResult(str(exercise), False, "There is no exercise of this number; see its heading, such as 01.2.")
    if not answer or any(part is None or part is ... for part in answer):
        return CheckResult(exercise, False, _task(judge))
    try:
        hint = judge(*answer)
    except Exception as error:
        hint = f"{_told(error, answer)} {_task(judge)}"
    return CheckResult(exercise, hint is None, hint or "")


def _told(error: Exception, answer: tuple[Any, ...]) -> str:
    """What went wrong: the error of a function that was handed in, or that the answer is another kind of thing."""
    from qwenkit.display.text import line

    rooms = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__)]
    if any(callable(part) for part in answer) and not all(room.startswith("qwenkit.") for room in rooms):
        return f"Your function raised {type(error).__name__}: {line(str(error), _LONGEST)}."
    given = " and ".join(type(part).__name__ for part in answer)
    return f"This check expected something else than a value of type {given}."


def _judge(exercise: str) -> Callable[..., str | None] | None:
    match = re.fullmatch(r"0*(\d+)\.0*(\d+)", exercise.strip())
    if match is None:
        return None
    try:
        lesson = import_module(f"qwenkit.notebook.checks.lesson_{int(match[1]):02}")
    except ModuleNotFoundError:
        return None
    judge: Callable[..., str | None] | None = getattr(lesson, f"exercise_{match[2]}", None)
    return judge


def _task(judge: Callable[..., Any]) -> str:
    return (inspect.getdoc(judge) or "Give it an answer.").splitlines()[0]
