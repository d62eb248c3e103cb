"""The checks of lesson 21: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.batch import Batch, BatchResults
from qwenkit.types.reply import Choice, Reply
from qwenkit.types.usage import Usage


def reply(text: str, prompt: int = 1200) -> Reply:
    return Reply(choices=[Choice(text=text)], usage=Usage(prompt_tokens=prompt))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [(reply("within four minutes", 20), "not part of this call"), (reply("60 days"), "not what the handbook says")],
)
def test_an_answer_must_come_from_the_handbook(answer: Reply, hint: str):
    assert hint in check("21.1", answer).hint


def test_the_rescue_boat_is_quick():
    assert check("21.1", reply("It must be in the water within four minutes."))


def joined(text: str, count: int, *, whole: bool = True, null: bool = True, blank: bool = True) -> list[Any]:
    """A joiner that can be made to forget one thing."""
    answers = {}
    for line in text.splitlines():
        if blank and not line.strip():
            continue
        row = json.loads(line)
        response = row["response"] or {} if null else row["response"]
        for choice in response.get("body", {}).get("choices", []):
            answers[row["custom_id"]] = choice["message"]["content"]
    if whole:
        return [answers.get(f"row-{n}") for n in range(count)]
    return [answers[name] for name in sorted(answers)]


def test_a_careful_joiner_passes():
    assert check("21.2", joined)


@pytest.mark.parametrize(("forgotten", "hint"), [("whole", "whole names"), ("null", "null"), ("blank", "Empty lines")])
def test_a_joiner_that_forgets_something_is_told_what(forgotten: str, hint: str):
    result = check("21.2", lambda text, count: joined(text, count, **{forgotten: False}))
    assert not result
    assert hint in result.hint


def in_file_order(text: str, count: int) -> list[Any]:
    rows = [json.loads(line) for line in text.splitlines() if line]
    return [row["response"]["body"]["choices"][0]["message"]["content"] for row in rows]


@pytest.mark.parametrize(
    ("function", "hint"), [(lambda text, count: None, "nothing yet"), (in_file_order, "any order")]
)
def test_the_simplest_mistakes_are_named(function: Any, hint: str):
    assert hint in check("21.2", function).hint


def results(*outcomes: Any) -> BatchResults:
    return BatchResults(Batch("b", "completed"), {f"row-{n}": each for n, each in enumerate(outcomes)})


FIVE = [reply(f"answer {n}") for n in range(5)]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (results(*FIVE[:3]), "3 of five"),
        (results(*FIVE, ValueError("no")), "1 of the lines failed"),
        (results(*FIVE[:4], reply("answer 9", 20)), "without the document"),
        (results(*[FIVE[0]] * 5), "five different"),
    ],
)
def test_half_a_batch_is_told_what_is_missing(answer: BatchResults, hint: str):
    assert hint in check("21.3", answer).hint


def test_five_answers_about_the_document_pass():
    assert check("21.3", results(*FIVE))
