"""Lesson 06: a function that a model understands, the loop of calls by hand, a call that a person refuses."""

from __future__ import annotations

import inspect
import json
import re
import typing
from collections.abc import Callable
from typing import Any

from qwenkit.types.message import Message

_KINDS: dict[str, Any] = {"country": str, "year": int}


def exercise_1(population: Callable[..., Any]) -> str | None:
    """Write population(country, year), annotated, with a default for the year and a docstring that explains all."""
    parameters, hints = inspect.signature(population).parameters, typing.get_type_hints(population)
    if list(parameters) != list(_KINDS):
        return f"The parameters are country and year, in this order; these are {', '.join(parameters) or 'none'}."
    for name, kind in _KINDS.items():
        if hints.get(name) is not kind:
            return f"Annotate {name}: a model should know that it is of type {kind.__name__}."
    if parameters["country"].default is not inspect.Parameter.empty or parameters["year"].default != 2025:
        return "The year, and only the year, has a default: 2025."
    docstring = inspect.getdoc(population) or ""
    if not docstring or re.match(r"(Args|Parameters|:param|参数)", docstring):
        return "Begin the docstring with what the function is for: by this a model chooses."
    missing = [name for name in _KINDS if not re.search(rf"^.*\b{name}\b[^\n:：]*[:：]\s*\S", docstring, re.MULTILINE)]
    return f"Explain {missing[0]} in the docstring, for example below a line 'Args:'." if missing else None


def exercise_2(messages: list[Any]) -> str | None:
    """Let the model call weather for Lima and for Rome, answer every call, and keep the list until it has words."""
    turns = [Message.of(message) for message in messages]
    if not turns or turns[0].role != "user":
        return "The list begins with your question."
    waiting: list[str] = []
    cities = set()
    for turn in turns[1:]:
        if turn.role == "tool" and turn.tool_call_id not in waiting:
            return "A tool message answers a call of the message before it: its tool_call_id is the id of that call."
        if turn.role == "tool":
            waiting.remove(turn.tool_call_id or "")
        elif waiting:
            return "Every call needs its tool message before the model goes on."
        for call in turn.tool_calls or []:
            waiting.append(call["id"])
            cities.add(json.loads(call["function"]["arguments"]).get("city"))
    if not {"Lima", "Rome"} <= cities:
        return "The model should have called weather for Lima and for Rome: ask for both, and go on while it calls."
    if waiting or turns[-1].role != "assistant" or not turns[-1].text:
        return "Go on until the model answers in words, and put that answer into the list too."
    return None


def exercise_3(talk: Any) -> str | None:
    """Start a conversation with pay and run_tools=False, refuse the call with tool_result, and let the model go on."""
    calls = [call for message in talk.messages for call in message.tool_calls or []]
    paying = {call["id"] for call in calls if call["function"]["name"] == "pay"}
    if not paying:
        return "The model has not asked for a payment yet: give the conversation the tool pay, and say whom to pay."
    results = [message.text for message in talk.messages if message.tool_call_id in paying]
    if not results:
        return "The call still waits: answer it with talk.tool_result(call, …)."
    if any(text.startswith("paid") for text in results):
        return "This was paid: with run_tools=False nothing is called before you say so."
    if talk.messages[-1].role != "assistant" or not talk.messages[-1].text:
        return "The model does not know yet: talk() lets it go on."
    return None
