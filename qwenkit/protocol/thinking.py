"""Thinking, as one option: `thinking=True | False | a budget | an effort`, and what each model allows.

What is certain to be refused is refused here, before anything is sent, with the cure; the facts are the catalogue's.
A model it does not know is taken at its word, and what comes in `extra={…}` is never questioned.
"""

from __future__ import annotations

from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.errors import ConfigError

_FIELDS = ("enable_thinking", "thinking_budget", "reasoning_effort")


def wire(thinking: bool | int | str | None, facts: Model | None = None) -> dict[str, Any]:
    """`True` or `False` switches thinking, a number is a token budget, a word an effort."""
    if thinking is None or (thinking is False and facts is not None and facts.thinking == "no"):
        return {}  # a model without the switch refuses to be told
    if isinstance(thinking, bool):
        return {"enable_thinking": thinking}
    if isinstance(thinking, int):
        return {"enable_thinking": True, "thinking_budget": thinking}
    if isinstance(thinking, str) and thinking:
        return {"reasoning_effort": thinking}
    raise ConfigError(f"thinking cannot be {thinking!r}", hint="use True, False, a number of tokens, or an effort word")


def hush(body: dict[str, Any], facts: Model | None) -> None:
    """Switch thinking off, for answers it would get in the way of, unless the call says how it should be."""
    if facts is not None and facts.thinking == "on" and not any(name in body for name in _FIELDS):
        body["enable_thinking"] = False


def check(body: dict[str, Any], facts: Model | None, stream: bool) -> None:
    """Refuse what this model would refuse."""
    if body.get("thinking_budget") is not None and body.get("reasoning_effort") is not None:
        raise ConfigError("a thinking budget and an effort cannot be set together", hint="keep one of the two")
    if facts is None:
        return
    name, wanted, hybrid = facts.name, _wanted(body), catalogue.DEFAULTS["thinking"]
    if wanted is False and facts.thinking == "always":
        raise ConfigError(f"{name} always thinks", hint=f"use a model that need not, such as {hybrid}")
    if wanted and facts.thinking == "no":
        raise ConfigError(f"{name} does not think", hint=f"use a model that can, such as {hybrid}")
    if facts.thinking_needs_stream and not stream and (facts.thinking == "on" if wanted is None else wanted):
        raise ConfigError(f"{name} thinks only in a stream", hint="use .stream(…), or switch it off: thinking=False")
    budget = body.get("thinking_budget")
    if isinstance(budget, int) and budget < 1:
        raise ConfigError(f"a thinking budget cannot be {budget}", hint="use at least 1, or thinking=False")
    if isinstance(budget, int) and facts.max_thinking and budget > facts.max_thinking:
        most = f"at most {facts.max_thinking:,} tokens"
        raise ConfigError(f"{name} thinks {most}, not {budget:,}", hint=f"set thinking to {most}")


def _wanted(body: dict[str, Any]) -> bool | None:
    """Whether thinking is asked for; None when nothing is said about it."""
    said, effort = body.get("enable_thinking"), body.get("reasoning_effort")
    if said is None:
        return None if effort is None else effort != "none"
    return bool(said)
