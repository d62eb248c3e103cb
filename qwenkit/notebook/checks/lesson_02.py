"""Lesson 02: a history kept by hand, a way of forgetting, and two endings of one conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Wire = dict[str, Any]
_CODE_WORD = "lighthouse"


def _message(role: str, content: str) -> Wire:
    return {"role": role, "content": content}


_SYSTEM = _message("system", "Be kind.")
_TURNS = [
    [_message("user", "Hello!"), _message("assistant", "Hello to you.")],
    [
        _message("user", "How warm is it?"),
        _message("assistant", ""),
        _message("tool", "21 degrees"),
        _message("assistant", "21 degrees."),
    ],
    [_message("user", "Thank you."), _message("assistant", "With pleasure.")],
]
_TALK = [_SYSTEM, *(message for turn in _TURNS for message in turn)]
# The list given, how many turns to keep, what should remain.
_CASES = [
    (_TALK, 1, [_SYSTEM, *_TURNS[2]], "Keep the system message, and after it only the last turn."),
    (_TALK, 2, [_SYSTEM, *_TURNS[1], *_TURNS[2]], "A turn may hold more than two messages: cut where a user speaks."),
    (_TALK, 9, _TALK, "When there are fewer turns than asked for, keep all of them."),
    (_TALK[1:], 1, _TURNS[2], "Not every list begins with a system message."),
    (_TALK, 0, [_SYSTEM], "With no turns only the system message stays; mind that messages[-0:] is everything."),
]


def exercise_1(history: Sequence[Mapping[str, Any]]) -> str | None:
    """Keep a list by hand: tell the model the code word, ask for it, and put both answers into the list."""
    roles = [message["role"] for message in history if message["role"] != "system"]
    if len(roles) < 4:
        return f"The list holds {len(roles)} messages: two of yours, and two answers, are needed."
    if roles != ["user", "assistant"] * (len(roles) // 2):
        return "Your messages and the model's should take turns, and the last word is the model's."
    if any(not isinstance(message["content"], str) or not message["content"].strip() for message in history):
        return "Every message needs its words under content: from a reply they are reply.text."
    question, answer = (message["content"].lower() for message in history[-2:])
    if _CODE_WORD in question:
        return "Your last question gives the code word away: ask for it."
    if _CODE_WORD not in answer:
        return "The last answer does not name the code word: did the whole list go into the call?"
    return None


def exercise_2(keep_last: Callable[[list[Wire], int], Any]) -> str | None:
    """Write keep_last(messages, turns), which keeps the system message and the last turns."""
    for messages, turns, right, hint in _CASES:
        given = [dict(message) for message in messages]
        try:
            found = keep_last(given, turns)
        except Exception as failure:
            return f"{hint} A test list gave {type(failure).__name__}: {failure}"
        if found is None:
            return "keep_last returns nothing yet: give back a list."
        if given != messages:
            return "Make a new list: the one that was handed in has changed."
        if list(found) != right:
            return hint
    return None


def exercise_3(start: Any, left: Any, right: Any) -> str | None:
    """Let two forks of one conversation answer two different questions: the beginning, then both forks."""
    beginning = _said(start)
    if not any(role == "assistant" for role, _ in beginning):
        return "The beginning is empty: say something in it before you fork."
    for name, fork in (("left", left), ("right", right)):
        if _said(fork)[: len(beginning)] != beginning:
            return f"The {name} one does not begin as the first conversation does: make it with fork()."
        if len(_said(fork)) == len(beginning):
            return f"The {name} one has not gone on yet: ask it something."
    if _said(left)[len(beginning)] == _said(right)[len(beginning)]:
        return "Both were asked the same: let them go two ways."
    return None


def _said(talk: Any) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in talk.messages]
