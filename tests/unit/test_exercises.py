"""Exercise checks: neutral until right, never raising, the same card every time."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from qwenkit.notebook.exercises import check


@pytest.fixture(autouse=True)
def _lesson(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lesson 99 with one exercise."""

    def exercise_1(answer: Any) -> str | None:
        """Give the number of seconds in a minute."""
        return None if answer + 0 == 60 else "Count again: <b>not</b> that many."

    lesson = ModuleType("lesson_99")
    lesson.exercise_1 = exercise_1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "qwenkit.notebook.checks.lesson_99", lesson)


def test_a_right_answer_is_true_and_green():
    result = check("99.1", 60)
    assert result
    assert repr(result) == "Exercise 99.1: right"
    assert "var(--good)" in result._repr_mimebundle_()["text/html"]


def test_a_wrong_answer_is_false_and_its_hint_is_escaped():
    result = check("99.1", 61)
    assert not result
    html = result._repr_mimebundle_()["text/html"]
    assert "not yet" in html
    assert "var(--good)" not in html.split("</style>")[1]
    assert "<b>" not in html
    assert "&lt;b&gt;not&lt;/b&gt;" in html


@pytest.mark.parametrize("stub", [(), (None,), (...,), (60, ...)])
def test_a_stub_shows_the_task(stub: tuple[Any, ...]):
    assert check("99.1", *stub).hint == "Give the number of seconds in a minute."


@pytest.mark.parametrize("answer", ["sixty", object(), [60], (60, 60)])
def test_an_answer_the_check_cannot_read_becomes_a_hint_without_its_address(answer: Any):
    result = check("99.1", answer)
    assert not result
    assert type(answer).__name__ in result.hint
    assert "0x" not in repr(result)


def test_too_many_answers_are_a_hint_too():
    assert "int and int" in check("99.1", 60, 60).hint


@pytest.mark.parametrize("name", ["99.7", "98.1", "one", "", "99", "../lesson_99.1"])
def test_an_unknown_exercise_says_so(name: str):
    assert "no exercise" in check(name, 60).hint


def test_the_same_answer_draws_the_same_card():
    assert check("99.1", 3)._repr_mimebundle_() == check("99.1", 3)._repr_mimebundle_()


def test_an_error_in_the_learners_function_is_shown_as_what_it_is():
    told = repr(check("07.3", lambda reply: reply.thinking_cost / reply.cost + None))
    assert "Your function raised TypeError" in told
    assert "value of type" not in told
    assert "expected something else than a value of type int" in repr(check("07.3", 5))
