"""The checks of lesson 08: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.response import Item, Response
from qwenkit.types.tools import Round

DELTAS = ("response.reasoning_text.delta", "response.reasoning_summary_text.delta")


def reply(name: str, text: str = "", previous: str = "", call: bool = False) -> Response:
    item = {"type": "function_call", "call_id": "c", "name": "tide", "arguments": "{}"} if call else None
    said = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    return Response({"id": name, "previous_response_id": previous}, output=[Item(item or said)])


def read(events: list[dict[str, Any]], thoughts: tuple[str, ...] = DELTAS, words: str = "output_text.delta") -> Any:
    """A reader that can be made to know too little or too much."""
    thought = [event["delta"] for event in events if event["type"] in thoughts]
    said = [event.get("delta") or event.get("text") for event in events if event["type"].endswith(words)]
    return "".join(thought), "".join(filter(None, said))


def test_two_ways_on_pass():
    assert check("08.1", reply("a"), reply("b", "one", "a"), reply("c", "two", "a"))


@pytest.mark.parametrize(
    ("replies", "hint"),
    [
        ((reply("a", "", "z"), reply("b", "one", "a"), reply("c", "two", "a")), "without previous"),
        ((reply("a"), reply("b", "one"), reply("c", "two", "a")), "second reply"),
        ((reply("a"), reply("b", "one", "a"), reply("c", "two", "b")), "third reply"),
        ((reply("a"), reply("b", "one", "a"), reply("b", "one", "a")), "same reply"),
        ((reply("a"), reply("b", "one", "a"), reply("c", "one", "a")), "different questions"),
        (("a", "b", "c"), "expected something else"),
    ],
)
def test_what_is_no_fork_is_told_why(replies: tuple[Any, ...], hint: str):
    assert hint in check("08.1", *replies).hint


def test_a_careful_reader_passes():
    assert check("08.2", read)


@pytest.mark.parametrize(
    ("reader", "hint"),
    [
        (lambda events: None, "nothing yet"),
        (lambda events: "Two cats.", "two texts"),
        (lambda events: read(events, words="output_text.done"), "output_text.delta"),
        (lambda events: read(events, words=("output_text.delta", "output_text.done")), "done"),
        (lambda events: read(events, thoughts=()), "response.reasoning_text.delta"),
        (lambda events: read(events, thoughts=DELTAS[:1]), "reasoning_summary_text"),
        (lambda events: read(events, words=("output_text.delta", "arguments.delta")), "arguments"),
        (lambda events: ("", "".join(event["delta"] for event in events)), "KeyError"),
    ],
)
def test_a_reader_that_misses_something_is_told_what(reader: Any, hint: str):
    result = check("08.2", reader)
    assert not result
    assert hint in result.hint


def test_a_round_trip_passes():
    assert check("08.3", reply("a", call=True), reply("b", "4.1 metres", "a"))


def test_half_a_round_trip_is_told_what_is_missing():
    by_itself = reply("b", "4.1 metres", "a")
    by_itself.rounds = [Round()]
    for second, hint in (
        (reply("b", "4.1", "z"), "previous"),
        (reply("b", "", "a"), "no words"),
        (by_itself, "run_tools"),
    ):
        assert hint in check("08.3", reply("a", call=True), second).hint
    assert "asks for nothing" in check("08.3", reply("a", "No idea."), reply("b", "4.1", "a")).hint
