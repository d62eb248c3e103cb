"""Lesson 01: a reply cut short, the price of a call, and a request as it went over the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from qwenkit.types.reply import Receipt, Reply
from qwenkit.types.usage import Cost
from qwenkit.types.wire import Wire

_MOST_TOKENS = 10
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What a call cost, the money at hand, how many such calls it buys.
_PRICES = [
    (Cost(0.25), 1.0, 4, "Divide the amount by what one call cost."),
    (Cost(0.5), 10.2, 20, "The last call has to be paid in full: give back a whole number, rounded down."),
    (Cost(2.0, "USD"), 1.0, 0, "An amount smaller than one call buys none: that is 0."),
    (None, 1.0, None, "When reply.cost is None the price is not known, and neither is the answer: give back None."),
]


def exercise_1(reply: Any) -> str | None:
    """Get a reply whose finish_reason is 'length', with 10 tokens or fewer."""
    if not isinstance(reply, Reply):
        return f"Hand in the reply itself, what qwen.chat gives back, not a value of type {type(reply).__name__}."
    if reply.finish_reason != "length":
        return "This answer came to its own end: ask for more than fits, or allow fewer tokens."
    written = reply.usage.completion if reply.usage else 0
    if written > _MOST_TOKENS:
        return f"It was cut short, but only after {written} tokens: max_tokens sets the limit."
    return None


def exercise_2(calls_for: Callable[[Reply, float], int | None]) -> str | None:
    """Write calls_for(reply, amount), which says how many calls like this one the amount buys."""
    for cost, amount, right, hint in _PRICES:
        found = _tried(calls_for, Reply(receipt=Receipt(cost=cost)), amount)
        if found is None and right is not None:
            return "calls_for returns nothing yet: give back a number."
        if found != right or isinstance(found, bool):
            return f"{hint} A test reply gave {found!r:.80}."
    return None


def exercise_3(wire: Any) -> str | None:
    """Trace one call in Chinese with a system message that wants short answers, and hand in the trace."""
    if not isinstance(wire, Wire):
        return "Hand in what `with qk.trace(qwen) as wire:` names, not the reply."
    if len(wire) != 1:
        return f"The trace holds {len(wire)} exchanges: make exactly one call inside the block."
    messages = json.loads(wire[0].request_body)["messages"]
    if [message["role"] for message in messages] != ["system", "user"]:
        return "Two messages should have gone out, a system message and yours: use system=…"
    if not _CHINESE.search(str(messages[1]["content"])):
        return "Your question holds no Chinese characters."
    return None if wire[0].status == 200 else "The call did not succeed: look at the trace."


def _tried(function: Callable[[Reply, float], Any], reply: Reply, amount: float) -> Any:
    """What a learner's function returns, or the error it raised, in words."""
    try:
        return function(reply, amount)
    except Exception as failure:
        return f"{type(failure).__name__}: {failure}"
