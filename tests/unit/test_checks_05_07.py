"""The checks of lessons 05 and 07: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.reply import Choice, Receipt, Reply
from qwenkit.types.usage import CompletionDetails, Cost, Usage


@dataclass
class Trip:
    place: str = "Kyoto"
    date: str = "2026-07-18"
    people: int = 5


def said(text: str, prefix: str = "") -> Reply:
    return Reply(choices=[Choice(text=text)], prefix=prefix)


def thought(tokens: int) -> Reply:
    details = CompletionDetails(reasoning_tokens=tokens)
    return Reply(usage=Usage(prompt_tokens=9, completion_tokens=tokens + 3, completion_tokens_details=details))


def sort(message: str) -> str:
    return "urgent" if "urgent" in message else "later"


def taken_apart(stream: Any) -> tuple[str, str]:
    pieces = list(stream)
    return "".join(piece.thinking for piece in pieces), "".join(piece.text for piece in pieces)


def part(reply: Reply) -> float:
    return reply.thinking_cost.amount / reply.cost.amount if reply.thinking_cost and reply.cost else 0.0


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("05.1", (Trip(),)),
        ("05.1", (Trip("Kyoto, Japan", "18.07.2026"),)),
        ("05.2", (sort,)),
        ("05.3", (said(' "age": 36}', '{"name": "Ada",'),)),
        ("07.1", (taken_apart,)),
        ("07.2", (12, thought(12))),
        ("07.3", (part,)),
    ],
)
def test_right_answers_pass(exercise: str, answer: tuple[Any, ...]):
    assert check(exercise, *answer)


@pytest.mark.parametrize(
    ("exercise", "answer", "hint"),
    [
        ("05.1", ({"place": "Kyoto"},), "That is a dict"),
        ("05.1", (sort,), "no field 'place'"),
        ("05.1", (Trip("Nara"),), "Kyoto"),
        ("05.1", (Trip(people=3),), "5 people"),
        ("05.1", (Trip(date="soon"),), "2026-07-18"),
        ("05.2", (lambda message: None,), "nothing yet"),
        ("05.2", (lambda message: "It is urgent.",), "Literal"),
        ("05.2", (lambda message: "urgent",), "called this urgent"),
        ("05.3", (said("{}"),), "no prefix"),
        ("05.3", (said("{}", "Here: "),), "alone is JSON"),
        ("05.3", (said(" calm.", "The sea is"),), "not JSON"),
        ("07.1", (lambda stream: None,), "nothing yet"),
        ("07.1", (lambda stream: "one",), "two texts"),
        ("07.1", (lambda stream: taken_apart(stream)[::-1],), "thinking first"),
        ("07.1", (lambda stream: ("", ""),), "every piece"),
        ("07.2", ("twelve", thought(12)), "number"),
        ("07.2", (12, said("391")), "no thoughts"),
        ("07.2", (50, thought(12)), "give it less"),
        ("07.2", (5, thought(12)), "asked with"),
        ("07.3", (lambda reply: None,), "nothing yet"),
        ("07.3", (lambda reply: 0.25,), "0.75"),
        ("07.3", (lambda reply: reply.thinking_cost.amount / reply.cost.amount,), "share is 0"),
    ],
)
def test_near_misses_are_told_what_is_missing(exercise: str, answer: tuple[Any, ...], hint: str):
    result = check(exercise, *answer)
    assert not result
    assert hint in result.hint


@pytest.mark.parametrize("exercise", ["05.1", "05.2", "05.3", "07.1", "07.2", "07.3"])
def test_stubs_get_the_task_and_nothing_raises(exercise: str):
    result = check(exercise, ...)
    assert not result
    assert result.hint
    odd: list[Callable[..., Any] | Any] = [7, "x", [], {}, print]
    assert not any(check(exercise, thing) for thing in odd)


def test_a_receipt_without_thoughts_has_no_share():
    assert part(Reply(receipt=Receipt(cost=Cost(1.0)))) == 0
