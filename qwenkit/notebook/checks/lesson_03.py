"""Lesson 03: reading a stream by hand, stopping one early, rescuing one that broke."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_ENDS = ".!?。！？"


def _data(delta: dict[str, Any] | None, **more: Any) -> str:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None}]
    return "data: " + json.dumps({"choices": choices, **more})


_OPENING = [_data({"role": "assistant", "content": ""}), "", _data({"content": "Two "}), ""]
_REST = [_data({"content": "cats."}), "", _data({"content": ""}), ""]
_BILL = [_data(None, usage={"total_tokens": 12}), ""]
_DONE = ["data: [DONE]", ""]
_STREAMS = [
    ([*_OPENING, *_REST, *_DONE], "Join what delta.content says in every event; the empty lines only separate events."),
    ([*_OPENING, *_REST, *_BILL, *_DONE], "A chunk without choices brings the usage: it has nothing to join."),
    ([*_OPENING, ": still here", "", *_REST, *_DONE], "A line that begins with a colon is a comment: skip it."),
    (
        [_data({"content": None, "reasoning_content": "Hm."}), "", *_OPENING, *_REST, *_DONE],
        "While a model thinks, content is null, which Python reads as None.",
    ),
    ([*_OPENING, *_REST, *_DONE, _data({"content": " Three."}), ""], "Nothing after [DONE] belongs to the answer."),
]


def exercise_1(text_of: Callable[[list[str]], str]) -> str | None:
    """Write text_of(lines), which gives the whole answer in the lines of a stream."""
    for lines, hint in _STREAMS:
        said = _tried(text_of, lines)
        if said is None:
            return "text_of returns nothing yet: give back the text of the answer."
        if said != "Two cats.":
            return f"{hint} A test stream gave {said!r:.80}." if isinstance(said, str) else hint
    return None


def exercise_2(reply: Any) -> str | None:
    """Leave a stream as soon as its first sentence is complete, and answer with stream.reply."""
    text = reply.text.strip()
    if reply.finish_reason is not None:
        return "This stream was read to its end: leave the loop earlier."
    if not text or text[-1] not in _ENDS:
        return "What had arrived does not end where a sentence ends."
    if sum(text.count(end) for end in _ENDS) > 1:
        return "More than one sentence had arrived: look at the text after every piece."
    return None


def exercise_3(arrived: str, whole: str) -> str | None:
    """Break a stream with a fault, keep what had arrived, and complete it: the broken text, then the whole one."""
    if not arrived.strip():
        return "Nothing had arrived: let a few more events through before the cut."
    if arrived.rstrip()[-1] in _ENDS and whole.strip() == arrived.strip():
        return "This stream was not broken: plan the fault before you open it."
    if not whole.startswith(arrived):
        return "The whole text should begin with what had arrived."
    rest = whole[len(arrived) :].strip()
    if rest and rest.startswith(arrived.strip()):
        return "The beginning stands there twice: ask for the rest with a partial message, not for all of it again."
    if not rest or rest[-1] not in _ENDS:
        return "The whole text has no end yet: send what had arrived as an assistant message with partial set to True."
    return None


def _tried(function: Callable[[list[str]], str], lines: list[str]) -> Any:
    """What a learner's function returns, or the error it raised, in words."""
    try:
        return function(list(lines))
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"
