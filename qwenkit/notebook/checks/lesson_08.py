"""Lesson 08: a fork, a stream of events read by hand, and the round trip of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Event = dict[str, Any]


def _said(text: str, kind: str = "output_text", step: str = "delta") -> Event:
    return {"type": f"response.{kind}.{step}", "delta" if step == "delta" else "text": text}


_OPENING: list[Event] = [
    {"type": "response.created", "response": {}},
    {"type": "response.output_item.added", "item": {}},
]
_WORDS = [_said("Two "), _said("cats.")]
_END: list[Event] = [{"type": "response.completed", "response": {}}]
_STREAMS: list[tuple[list[Event], tuple[str, str], str]] = [
    ([*_OPENING, *_WORDS, *_END], ("", "Two cats."), "Join the delta of every response.output_text.delta."),
    (
        [*_OPENING, *_WORDS, _said("Two cats.", step="done"), *_END],
        ("", "Two cats."),
        "The event that ends in done repeats the words: only the deltas count.",
    ),
    (
        [*_OPENING, _said("H", "reasoning_text"), _said("m.", "reasoning_text"), *_WORDS, *_END],
        ("Hm.", "Two cats."),
        "What was thought comes as response.reasoning_text.delta.",
    ),
    (
        [*_OPENING, _said("Hm.", "reasoning_summary_text"), *_WORDS, *_END],
        ("Hm.", "Two cats."),
        "Thoughts may also come as response.reasoning_summary_text.delta.",
    ),
    (
        [*_OPENING, {"type": "response.function_call_arguments.delta", "delta": "{}"}, *_WORDS, *_END],
        ("", "Two cats."),
        "Other events have a delta too, such as the arguments of a function: leave them out.",
    ),
]


def exercise_1(start: Any, left: Any, right: Any) -> str | None:
    """Ask something, then let two questions go on from that one answer: all three replies."""
    if not start.id or start.previous:
        return "The first reply should begin a chain of its own: ask it without previous."
    for name, reply in (("second", left), ("third", right)):
        if reply.previous != start.id:
            return f"The {name} reply does not go on from the first one: pass it as previous."
    if left.id == right.id:
        return "The second and the third are the same reply: ask twice."
    if left.text == right.text:
        return "Both ways lead to the same words: ask two different questions."
    return None


def exercise_2(read: Callable[[list[Event]], Any]) -> str | None:
    """Write read(events), which returns what was thought and what was said, as two texts."""
    for events, right, hint in _STREAMS:
        try:
            found = read([dict(event) for event in events])
        except Exception as failure:
            return f"{hint} A test stream gave {type(failure).__name__}: {failure}"
        if found is None:
            return "read returns nothing yet: give back two texts."
        if not isinstance(found, tuple | list) or len(found) != 2:
            return "read should return two texts: what was thought, then what was said."
        if tuple(found) != right:
            return f"{hint} A test stream gave {tuple(found)!r:.80}."
    return None


def exercise_3(asking: Any, knowing: Any) -> str | None:
    """Let the model ask for a function of yours, call it, and send back what it returned: both replies."""
    if not asking.tool_calls:
        return "The first reply asks for nothing: pass a function as a tool, and ask what only it can tell."
    if knowing.previous != asking.id:
        return "The second reply does not go on from the first: send the result with previous."
    if knowing.rounds:
        return "Here qwenkit ran the function: leave out run_tools and call it yourself."
    if not knowing.text.strip():
        return "The second reply has no words yet: did every call get its result?"
    return None
