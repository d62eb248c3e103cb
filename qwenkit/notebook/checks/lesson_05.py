"""Lesson 05: a class to fill, a classifier, and an answer whose beginning is one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

_MESSAGES = {
    "urgent": "This is urgent! Water is coming into the engine room. Call me now.",
    "later": "Nothing important, you can answer it later: which paint do you use for the boats?",
}


def exercise_1(trip: Any) -> str | None:
    """Let a model fill a dataclass Trip with place, date and people from the note, and hand in reply.value."""
    missing = [name for name in ("place", "date", "people") if not hasattr(trip, name)]
    if isinstance(trip, dict):
        return "That is a dict: give the class itself as schema, and the value is an instance of it."
    if missing:
        return f"It has no field {missing[0]!r}: the class needs place, date and people."
    if "kyoto" not in str(trip.place).lower():
        return "The place should be Kyoto: ask about the note."
    if trip.people != 5:
        return "5 people are going: annotate people as int, and ask about the note."
    if "07" not in str(trip.date) or "18" not in str(trip.date):
        return "The date should be the one in the note, 2026-07-18."
    return None


def exercise_2(urgent: Callable[[str], Any]) -> str | None:
    """Write urgent(message), which asks a model and gives back "urgent" or "later"."""
    for wanted, message in _MESSAGES.items():
        said = urgent(message)
        if said is None:
            return "urgent returns nothing yet: give back the value of the reply."
        if said not in _MESSAGES:
            return 'It should give back "urgent" or "later" and nothing else: a Literal makes sure of that.'
        if said != wanted:
            return f"It called this {said}: {message}"
    return None


def exercise_3(reply: Any) -> str | None:
    """Begin a JSON object with prefix=…, let the model complete it, and hand in the reply."""
    if not getattr(reply, "prefix", ""):
        return 'This reply has no prefix: call qwen.chat(…, prefix=…), with something like {"name": in it.'
    if _is_json(reply.text):
        return "The text alone is JSON already: let the prefix hold the beginning of the object."
    if not _is_json(reply.whole):
        return "The whole is not JSON: ask for JSON in the prompt, and begin the object in the prefix."
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
