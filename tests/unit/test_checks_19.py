"""The checks of lesson 19: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.app import AppReply, Reference, Thought

COMPUTED = AppReply(text="18.", thoughts=[Thought(action="calculator", kind="api", observation="3 × 6 = 18")])
BROKEN = AppReply(text="No.", thoughts=[Thought(action="locker", kind="api", observation='{"error": "no token"}')])
CITED = AppReply(text="A week.<ref>[1]</ref>", references=[Reference(number=1, title="Loans")])


def held(*replies: AppReply) -> SimpleNamespace:
    return SimpleNamespace(replies=list(replies))


def sources(reply: AppReply) -> list[str]:
    return list(dict.fromkeys(each.title for each in reply.cited))


def folded(frames: list[dict[str, Any]], incremental: bool) -> str:
    texts = [frame["output"].get("text", "") for frame in frames]
    return "".join(texts) if incremental else "".join(texts[-1:])


@pytest.mark.parametrize(
    ("number", "answer"),
    [("19.1", sources), ("19.2", folded), ("19.3", held(COMPUTED, CITED))],
    ids=["19.1", "19.2", "19.3"],
)
def test_right_answers_pass(number: str, answer: Any):
    assert check(number, answer)


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [
        ("19.1", lambda reply: None, "nothing yet"),
        ("19.1", lambda reply: "Loans", "list of titles"),
        ("19.1", lambda reply: [each.title for each in reply.references], "mark in the text"),
        ("19.1", lambda reply: [each.title for each in reply.references if each in reply.cited], "order is that"),
        ("19.1", lambda reply: [each.title for each in reply.cited], "only once"),
        ("19.1", lambda reply: sources(reply) or ["nothing"], "need not have sources"),
        ("19.2", lambda frames, incremental: None, "nothing yet"),
        ("19.2", lambda frames, incremental: folded(frames, False), "what is new"),
        ("19.2", lambda frames, incremental: folded(frames, True), "Frames repeat"),
        (
            "19.2",
            lambda frames, incremental: (
                "".join(dict.fromkeys(frame["output"].get("text", "") for frame in frames))
                if incremental
                else folded(frames, False)
            ),
            "look like the one before",
        ),
        ("19.2", lambda frames, incremental: "".join(frame["output"]["text"] for frame in frames), "in place of"),
        ("19.2", lambda frames, incremental: folded(frames, incremental) or "?", "can be empty"),
        ("19.3", CITED, "a reply"),
        ("19.3", [CITED], "with the session"),
        ("19.3", held(CITED), "No answer shows a tool"),
        ("19.3", held(BROKEN, CITED), "only reported an error"),
        ("19.3", held(COMPUTED), "No answer cites"),
    ],
)
def test_near_misses_are_told_what_is_missing(number: str, answer: Any, hint: str):
    assert hint in check(number, answer).hint


def test_a_function_that_stumbles_over_news_of_a_node_is_told_so():
    def stumbling(frames: list[dict[str, Any]], incremental: bool) -> str:
        texts = [frame["output"]["text"] for frame in frames]
        return "".join(texts) if incremental else texts[-1]

    assert "KeyError" in check("19.2", stumbling).hint
