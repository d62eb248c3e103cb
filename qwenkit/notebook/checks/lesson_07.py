"""Lesson 07: a stream taken apart, a budget used up, and the price of thinking."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qwenkit.types.reply import Piece, Receipt, Reply
from qwenkit.types.usage import Cost, Usage

_PIECES = [
    Piece(thinking="Two and "),
    Piece(thinking="three."),
    Piece(text="It is "),
    Piece(text="five."),
    Piece(finish_reason="stop"),
    Piece(usage=Usage(prompt_tokens=9, completion_tokens=8, total_tokens=17)),
]


def exercise_1(split: Callable[[Any], Any]) -> str | None:
    """Write split(stream), which gives back all the thinking and all the text of a stream."""
    said = split(iter(_PIECES))
    if said is None:
        return "split returns nothing yet: give back two texts."
    if not isinstance(said, tuple | list) or len(said) != 2:
        return "split should give back two texts: thinking, text."
    if tuple(said) == ("It is five.", "Two and three."):
        return "The right texts in the wrong order: thinking first."
    if tuple(said) != ("Two and three.", "It is five."):
        return "A test stream came out differently: add piece.thinking and piece.text of every piece."
    return None


def exercise_2(budget: int, reply: Any) -> str | None:
    """Set thinking to a number so small that the thoughts do not fit, and hand in that number and the reply."""
    spent = reply.usage.reasoning if reply.usage else 0
    if isinstance(budget, bool) or not isinstance(budget, int):
        return "The budget is a number of tokens, such as 12."
    if not spent:
        return "This reply has no thoughts: ask with thinking=budget."
    if spent < budget:
        return f"It thought {spent} tokens of {budget} and was done by itself: give it less."
    if spent > budget:
        return f"It thought {spent} tokens, more than {budget}: hand in the budget that this reply was asked with."
    return None


def exercise_3(share: Callable[[Any], Any]) -> str | None:
    """Write share(reply), the part of reply.cost that is reply.thinking_cost."""
    thoughtful = Reply(receipt=Receipt(cost=Cost(0.002), thinking_cost=Cost(0.0015)))
    said = share(thoughtful)
    if said is None:
        return "share returns nothing yet: give back a number."
    if not isinstance(said, int | float) or abs(said - 0.75) > 1e-6:
        return "With a cost of 0.002 and 0.0015 of it for thinking the share is 0.75: divide one amount by the other."
    if _tried(share, Reply(receipt=Receipt(cost=Cost(0.002)))) != 0:
        return "A reply that did not think has thinking_cost None: its share is 0."
    return None


def _tried(function: Callable[[Any], Any], reply: Reply) -> Any:
    try:
        return function(reply)
    except Exception:
        return None
