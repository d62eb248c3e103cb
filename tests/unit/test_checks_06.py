"""The checks of lesson 06: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.message import Message


def whole(country: str, year: int = 2025) -> str:
    """How many people live in a country.

    Args:
        country: English name of the country
        year (int): The year to look up
    """
    return country + str(year)


def sphinx(country: str, year: int = 2025) -> str:
    """How many people live in a country.

    :param country: its name
    :param year: the year
    """
    return country + str(year)


def reordered(year: int = 2025, country: str = "") -> None: ...
def bare(country, year=2025): ...
def no_default(country: str, year: int): ...
def silent(country: str, year: int = 2025): ...


def half(country: str, year: int = 2025) -> None:
    """How many people live in a country.

    Args:
        country: its name
    """


def begins_with_arguments(country: str, year: int = 2025) -> None:
    """Args:
    country: its name
    year: the year
    """


@pytest.mark.parametrize("function", [whole, sphinx])
def test_a_function_that_explains_itself_passes(function: Any):
    assert check("06.1", function)


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (reordered, "in this order"),
        (bare, "Annotate country"),
        (no_default, "has a default: 2025"),
        (silent, "what the function is for"),
        (half, "Explain year"),
        (begins_with_arguments, "what the function is for"),
        ("population", "expected something else"),
    ],
)
def test_a_function_that_leaves_something_out_is_told_what(function: Any, hint: str):
    result = check("06.1", function)
    assert not result
    assert hint in result.hint


def calls(*cities: str) -> Message:
    made = [
        {"id": f"call_{city}", "function": {"name": "weather", "arguments": json.dumps({"city": city})}}
        for city in cities
    ]
    return Message("assistant", "", tool_calls=made)


def result(city: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{city}", "content": "sun"}


ASK, SAY = {"role": "user", "content": "Lima? Rome?"}, Message.assistant("Sun in both.")
LIMA, ROME = result("Lima"), result("Rome")


@pytest.mark.parametrize(
    "messages",
    [[ASK, calls("Lima", "Rome"), LIMA, ROME, SAY], [ASK, calls("Lima"), LIMA, calls("Rome"), ROME, SAY]],
    ids=["one round", "two rounds"],
)
def test_a_loop_that_answers_every_call_passes(messages: list[Any]):
    assert check("06.2", messages)


@pytest.mark.parametrize(
    ("messages", "hint"),
    [
        ([], "begins with your question"),
        ([calls("Lima"), LIMA, SAY], "begins with your question"),
        ([ASK, SAY], "for Lima and for Rome"),
        ([ASK, calls("Lima"), LIMA, SAY], "for Lima and for Rome"),
        ([ASK, LIMA, calls("Lima", "Rome"), SAY], "tool_call_id"),
        ([ASK, calls("Lima", "Rome"), LIMA, SAY], "Every call needs its tool message"),
        ([ASK, calls("Lima", "Rome"), LIMA, ROME], "Go on until the model answers"),
        ([ASK, calls("Lima", "Rome")], "Go on until the model answers"),
        (["Lima?", 7], "expected something else"),
    ],
)
def test_a_loop_with_a_gap_is_told_where(messages: list[Any], hint: str):
    told = check("06.2", messages)
    assert not told
    assert hint in told.hint


class Talk:
    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages)


PAY = Message("assistant", "", tool_calls=[{"id": "call_1", "function": {"name": "pay", "arguments": "{}"}}])
NO, PAID = Message.tool("PermissionError: no", "call_1"), Message.tool("paid 30 to Ada", "call_1")


@pytest.mark.parametrize(
    ("messages", "hint"),
    [
        ([], "has not asked for a payment"),
        ([PAY], "still waits"),
        ([PAY, PAID, SAY], "This was paid"),
        ([PAY, NO], "talk() lets it go on"),
        ([PAY, NO, SAY], ""),
    ],
)
def test_a_payment_must_be_refused_and_the_model_must_know(messages: list[Message], hint: str):
    told = check("06.3", Talk(Message.user("Pay 30 to Ada"), *messages))
    assert bool(told) is not bool(hint)
    assert hint in told.hint
