"""Input that is too long for a model, as the Responses API treats it: cut without a word.

A fifth of the context window is kept for tools and reasoning. The oldest messages go first, then the beginning of the
latest; instructions stay.
"""

from __future__ import annotations

from typing import Any

from qwenkit.catalogue import Model, tokens

SHARE = 0.8
Message = dict[str, Any]


def fitted(messages: list[Message], model: Model) -> list[Message]:
    """The messages that a model gets to see."""
    if not messages or not model.context:
        return messages
    instructions = messages[:1] if messages[0]["role"] == "system" else []
    left = int(model.context * SHARE) - tokens.count_messages(instructions)
    kept: list[Message] = []
    for message in reversed(messages[len(instructions) :]):
        size = tokens.count_messages([message])
        if size > left:
            break
        kept.insert(0, message)
        left -= size
    while len(kept) > 1 and kept[0]["role"] == "tool":
        kept.pop(0)  # its call did not fit
    if not kept and isinstance(messages[-1]["content"], str):  # its end is where a question usually stands
        kept = [{**messages[-1], "content": "".join(tokens.split(messages[-1]["content"])[-max(left, 1) :])}]
    return [*instructions, *(kept or messages[-1:])]
