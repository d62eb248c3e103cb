"""Prefix continuation: the answer begins with words of ours, and the model goes on from there.

On the wire the prefix is a last assistant message marked `partial`; the answer holds only what follows it. So does
`reply.text`; `reply.whole` joins the two, and that is what a conversation remembers and a card shows.
"""

from __future__ import annotations

from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.errors import ConfigError

_OFFERED = 3


def ask(body: dict[str, Any], prefix: str, facts: Model | None) -> None:
    """Put the beginning of the answer behind the messages, if the model can go on from it."""
    if not isinstance(prefix, str):
        raise ConfigError(
            f"prefix cannot be of type {type(prefix).__name__}", hint="it is the text an answer begins with"
        )
    if facts is not None and not facts.partial:
        able = ", ".join(
            [catalogue.DEFAULTS["chat"], *(each.name for each in catalogue.models() if each.partial)][:_OFFERED]
        )
        raise ConfigError(f"{facts.name} cannot continue a prefix", hint=f"use a model that can, such as {able}")
    if body.get("enable_thinking") or body.get("reasoning_effort") not in (None, "none"):
        raise ConfigError("a prefix and thinking do not go together", hint="leave one of the two out")
    body["messages"] = [*body["messages"], {"role": "assistant", "content": prefix, "partial": True}]
