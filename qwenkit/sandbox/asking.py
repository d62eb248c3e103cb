"""Asking the mind: from an order to a prompt, and back to answers no longer than allowed.

The mind is imported with this module, which is when the first question comes and not when the sandbox starts.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from qwenkit.catalogue import tokens
from qwenkit.sandbox.mind import Answer, Prompt, Sampling, Token, answer
from qwenkit.sandbox.order import EFFORTS, Order
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.translating import translated

USUAL_SEED = 1234
_DEPTHS = {"minimal": "low", "low": "low", "high": "high", "xhigh": "high", "max": "high"}


def ask(service: Service, order: Order) -> list[Answer]:
    """One answer for each choice that was ordered."""
    if order.model.family == "mt":
        return [_capped(written(translated(order), order.body.get("max_tokens")), order)]
    prompt = _prompt(service, order)
    return [_capped(answer(prompt, index), order) for index in range(order.choices)]


def written(text: str, most: int | None = None) -> Answer:
    """An answer that is settled word for word: nothing about it is drawn."""
    pieces = tokens.split(text)
    said = [Token(piece, 0.0, []) for piece in pieces[:most]]
    return Answer(said, finish_reason="stop" if len(said) == len(pieces) else "length")


def _prompt(service: Service, order: Order) -> Prompt:
    body = order.body
    stop = body.get("stop") or []
    return Prompt(
        messages=order.messages,
        model=order.model.name,
        tools=order.several("tools"),
        tool_choice=body.get("tool_choice") or "auto",
        parallel_tool_calls=bool(body.get("parallel_tool_calls")),
        response_format=body.get("response_format"),
        thinking=order.thinking,
        thinking_budget=_budget(order),
        effort=_DEPTHS.get(body.get("reasoning_effort") or "", ""),
        sampling=_sampling(service, order),
        max_tokens=body.get("max_tokens"),
        stop=[stop] if isinstance(stop, str) else [each for each in stop if isinstance(each, str) and each],
        top_logprobs=body.get("top_logprobs") or 0,
        partial=_prefix(order),
        searched=bool(body.get("enable_search")),
        today=date.fromtimestamp(service.clock()),
        aloud=order.aloud,
    )


def _sampling(service: Service, order: Order) -> Sampling:
    """As asked, else as the model is set by default. Without a seed of its own a call takes the sandbox's."""
    model, asked = order.model, order.body.get
    usual: dict[str, Any] = {
        "temperature": (order.thinking and model.thinking_temperature) or model.temperature,
        "top_p": (order.thinking and model.thinking_top_p) or model.top_p,
        "top_k": model.top_k,
        "seed": USUAL_SEED + service.seed,
        "repetition_penalty": None,
        "presence_penalty": None,
    }
    given = {name: default if asked(name) is None else asked(name) for name, default in usual.items()}
    return Sampling(**{name: value for name, value in given.items() if value is not None})


def _budget(order: Order) -> int | None:
    effort = order.body.get("reasoning_effort")
    budget: int | None = order.body.get("thinking_budget")
    return (EFFORTS[effort] if effort and budget is None else budget) or None


def _prefix(order: Order) -> str | None:
    if not order.partial:
        return None
    content = order.messages[-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _capped(whole: Answer, order: Order) -> Answer:
    """`max_completion_tokens` counts the thinking too; what is left of it is for the answer."""
    most = order.body.get("max_completion_tokens")
    if most is None or len(whole.thinking) + len(whole.tokens) <= most:
        return whole
    thinking = whole.thinking[:most]
    written = whole.tokens[: most - len(thinking)]
    return replace(whole, thinking=thinking, tokens=written, calls=[], finish_reason="length")
