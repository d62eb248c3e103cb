"""The exercises of lessons 01 and 02: what is right, and which hint each likely mistake gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

import qwenkit as qk
from qwenkit.types.reply import Choice
from qwenkit.types.wire import Exchange, Wire


def reply(finish: str, tokens: int) -> qk.Reply:
    return qk.Reply(choices=[Choice(text="…", finish_reason=finish)], usage=qk.Usage(completion_tokens=tokens))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (reply("length", 10), ""),
        (reply("length", 11), "after 11 tokens"),
        (reply("stop", 3), "its own end"),
        ("length", "type str"),
        (..., "finish_reason is 'length'"),
    ],
)
def test_a_reply_cut_short(answer: Any, hint: str):
    assert judged("01.1", hint, answer)


def calls_for(reply: qk.Reply, amount: float) -> int | None:
    return None if reply.cost is None else int(amount / reply.cost.amount)


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (calls_for, ""),
        (lambda reply, amount: None, "returns nothing yet"),
        (lambda reply, amount: reply.cost.amount * amount, "Divide"),
        (lambda reply, amount: amount / reply.cost.amount, "whole number"),
        (lambda reply, amount: max(1, int(amount / reply.cost.amount)), "that is 0"),
        (lambda reply, amount: int(amount / reply.cost.amount), "give back None"),
        (lambda reply: 1, "TypeError"),
    ],
)
def test_the_calls_an_amount_buys(function: Any, hint: str):
    assert judged("01.2", hint, function)


def wire(*contents: str, roles: tuple[str, ...] = ("system", "user"), status: int = 200, times: int = 1) -> Wire:
    messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
    traced = Wire()
    traced.exchanges = [Exchange(request_body=json.dumps({"messages": messages}), status=status)] * times
    return traced


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (wire("Be brief.", "你是谁？"), ""),
        (wire("Be brief.", "Who are you?"), "no Chinese"),
        (wire("你是谁？", roles=("user",)), "system="),
        (wire("Be brief.", "你是谁？", times=2), "2 exchanges"),
        (wire("Be brief.", "你是谁？", status=400), "did not succeed"),
        (reply("stop", 3), "qk.trace"),
    ],
)
def test_a_chinese_call_on_the_wire(answer: Any, hint: str):
    assert judged("01.3", hint, answer)


def history(*contents: str, roles: str = "uaua") -> list[dict[str, str]]:
    names = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": names[role], "content": content} for role, content in zip(roles, contents, strict=True)]


TOLD = "The code word is lighthouse."


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (history(TOLD, "Noted.", "What is the code word?", "Lighthouse."), ""),
        (history("Be brief.", TOLD, "Noted.", "Which word?", "lighthouse", roles="suaua"), ""),
        (history(TOLD, "Noted.", roles="ua"), "2 messages"),
        (history(TOLD, "Which word?", "Noted.", "Lighthouse.", roles="uuaa"), "take turns"),
        (history(TOLD, "", "Which word?", "Lighthouse."), "reply.text"),
        (history(TOLD, "Noted.", "Is it lighthouse?", "Lighthouse, yes."), "gives the code word away"),
        (history(TOLD, "Noted.", "Which word?", "I do not know."), "whole list"),
        (["What is the code word?"], "type list"),
    ],
)
def test_a_history_kept_by_hand(answer: Any, hint: str):
    assert judged("02.1", hint, answer)


def keep_last(messages: list[dict[str, Any]], turns: int) -> list[dict[str, Any]]:
    starts = [at for at, message in enumerate(messages) if message["role"] == "user"]
    kept = starts[-turns:] if turns else []
    system = [message for message in messages if message["role"] == "system"]
    return system + (messages[kept[0] :] if kept else [])


def forget_in_place(messages: list[dict[str, Any]], turns: int) -> list[dict[str, Any]]:
    kept = keep_last(messages, turns)
    messages.clear()
    return kept


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (keep_last, ""),
        (lambda messages, turns: None, "returns nothing yet"),
        (lambda messages, turns: messages[-2 * turns :], "Keep the system message"),
        (lambda messages, turns: messages[:1] + messages[-2 * turns :], "more than two messages"),
        (lambda messages, turns: messages[:1] + keep_last(messages[1:], turns), "Not every list"),
        (lambda messages, turns: keep_last(messages, turns or 9), "only the system message"),
        (lambda messages, turns: messages[turns + 99], "IndexError"),
        (forget_in_place, "Make a new list"),
    ],
)
def test_the_last_turns(function: Any, hint: str):
    assert judged("02.2", hint, function)


@pytest.fixture
def start() -> Any:
    """A conversation with one turn; nothing is ever sent."""
    talk = qk.Client(api_key="sk-none", base_url="http://127.0.0.1:9").conversation(system="Be brief.")
    return went_on(talk, "Hello!")


def went_on(talk: Any, question: str) -> Any:
    talk.messages += [qk.Message.user(question), qk.Message.assistant("Well.")]
    return talk


def test_two_endings(start: Any):
    left, right = went_on(start.fork(), "Tea?"), went_on(start.fork(), "Coffee?")
    assert judged("02.3", "", start, left, right)
    assert judged("02.3", "the same", start, left, went_on(start.fork(), "Tea?"))
    assert judged("02.3", "right one has not gone on", start, left, start.fork())
    start.messages[1] = qk.Message.user("Good morning!")
    assert judged("02.3", "left one does not begin", start, left, right)
    start.undo()
    assert judged("02.3", "beginning is empty", start, left, right)


def judged(exercise: str, hint: str, *answer: Any) -> bool:
    """Whether the check says what it should: right without a hint, else a hint with these words."""
    result = qk.check(exercise, *answer)
    assert result.solved is (hint == ""), result
    assert hint in result.hint, result
    return True
