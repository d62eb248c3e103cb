"""The checks of lesson 09: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qwenkit import catalogue
from qwenkit.notebook.exercises import check
from qwenkit.types.task import Task


def read(output: dict[str, Any], *, bare: bool = True, items: bool = True, null: bool = True) -> str:
    """A reader of outputs that can be made to forget one shape."""
    if not output.get("choices"):
        return output["text"] if bare else ""
    content = output["choices"][0]["message"]["content"]
    if content is None and null:
        return ""
    return "".join(item.get("text", "") for item in content) if isinstance(content, list) and items else content


def greedy(output: dict[str, Any]) -> str:
    """Takes a field of the other shape for the answer, because it is there."""
    return output["text"] if "text" in output else read(output)


def test_a_reader_of_every_shape_passes():
    assert check("09.1", read)


@pytest.mark.parametrize(("forgotten", "hint"), [("bare", "bare text"), ("items", "list of items"), ("null", "null")])
def test_a_reader_that_forgets_a_shape_is_told_which(forgotten: str, hint: str):
    assert hint in check("09.1", lambda output: read(output, **{forgotten: False})).hint


@pytest.mark.parametrize(
    ("text_of", "hint"),
    [
        (lambda output: None, "nothing yet"),
        (lambda output: output["text"], "KeyError"),
        (greedy, "as null"),
        (lambda output: "".join(item["text"] for item in output["choices"][0]["message"]["content"]), "bare text"),
    ],
)
def test_readers_in_a_hurry(text_of: Callable[[dict[str, Any]], str], hint: str):
    assert hint in check("09.1", text_of).hint


def lists() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"text": [], "multimodal": []}
    for model in catalogue.models():
        if model.name.startswith("qwen3.7-"):
            found[model.native].append(model.name)
    return found


def test_the_right_lists_pass():
    assert all(lists().values())
    assert check("09.2", lists())


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda found: found.pop("text"), "two keys"),
        (lambda found: found["text"].append("qwen-plus"), "does not begin"),
        (lambda found: found["text"].append(found["multimodal"].pop()), "does not live on the text path"),
        (lambda found: found["multimodal"].pop(), "lacks 1"),
    ],
)
def test_wrong_lists_are_told_what_is_wrong(change: Callable[[dict[str, list[str]]], Any], hint: str):
    found = lists()
    change(found)
    assert hint in check("09.2", found).hint


DONE = Task("t", "SUCCEEDED")
VECTOR = [0.0] * 1536


@pytest.mark.parametrize(
    ("task", "vectors", "hint"),
    [
        (Task("t", "RUNNING"), [VECTOR] * 3, "wait for it"),
        (Task("t", "FAILED"), [VECTOR] * 3, "did not succeed"),
        (DONE, [VECTOR] * 2, "these are 2"),
        (DONE, [[1], [2], [3]], "1,536"),
        (DONE, 3, "expected something else"),
    ],
)
def test_half_a_task_is_told_what_is_missing(task: Task, vectors: Any, hint: str):
    assert hint in check("09.3", task, vectors).hint


def test_a_whole_task_passes():
    assert check("09.3", DONE, [VECTOR] * 3)
