"""Lesson 21: an answer out of a document, a result file joined by hand, a batch about a document."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_DOCUMENT = 900  # tokens that a question about the handbook counts at least
_FIVE = 5


def _line(name: str, text: str | None, *, cut: bool = False) -> str:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    error = {"code": "invalid_parameter_error", "message": "Range of n should be [1, 4]"}
    good = {"status_code": 200, "request_id": "r", "body": {"choices": [choice]}}
    bad = {"status_code": 400, "request_id": "r", "body": {"error": error}}
    response = None if cut else bad if text is None else good
    return json.dumps({"id": "r", "custom_id": name, "response": response, "error": error if text is None else None})


_FILES: list[tuple[list[str], list[str | None], str]] = [
    ([_line("row-0", "a"), _line("row-1", "b")], ["a", "b"], "Take choices[0].message.content out of response.body."),
    ([_line("row-1", "b"), _line("row-0", "a")], ["a", "b"], "Lines come in any order: go by custom_id."),
    ([_line(f"row-{n}", str(n)) for n in (10, 2, 1)], [None, "1", "2"], "row-10 is not row-1: compare whole names."),
    ([_line("row-2", "c"), _line("row-0", "a")], ["a", None, "c"], "A line that is missing leaves None in its place."),
    ([_line("row-0", None), _line("row-1", "b")], [None, "b"], "A line that failed has a body without choices."),
    ([_line("row-0", None, cut=True), _line("row-1", "b")], [None, "b"], "response may be null as well."),
    ([_line("row-0", "一"), "", _line("row-1", "二"), ""], ["一", "二"], "Empty lines say nothing: skip them."),
]


def exercise_1(reply: Any) -> str | None:
    """Ask the handbook how quickly the rescue boat must be in the water, and answer with the reply."""
    if reply.usage is None or reply.usage.prompt < _DOCUMENT:
        return "The handbook was not part of this call: upload it and put it before the question."
    if "four" not in reply.text.lower() and "4" not in reply.text:
        return "That is not what the handbook says: ask about the rescue boat and the water."
    return None


def exercise_2(joined: Callable[[str, int], list[str | None]]) -> str | None:
    """Write joined(text, count), which gives the answers of a result file in the order of the prompts."""
    for lines, wanted, hint in _FILES:
        found = _tried(joined, "\n".join(lines), len(wanted))
        if found is None:
            return "joined returns nothing yet: give back a list of answers."
        if found != wanted:
            return f"{hint} A test file gave {found!r:.80}, not {wanted!r}."
    return None


def exercise_3(results: Any) -> str | None:
    """Ask the handbook five questions in one batch, and answer with the results."""
    failed = results.failed
    if len(results) < _FIVE:
        return f"This batch has {len(results)} of five questions."
    if failed:
        return f"{len(failed)} of the lines failed: results.failed says why."
    if any(reply.usage.prompt < _DOCUMENT for reply in results):
        return "Some lines came without the document: make every prompt a list of its message and the question."
    if len(set(results.texts)) < _FIVE:
        return "Some answers are the same: ask five different questions."
    return None


def _tried(function: Callable[[str, int], Any], text: str, count: int) -> Any:
    """What a learner's function returns, or the error it raised, in words."""
    try:
        return function(text, count)
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"
