"""Answering a Responses request: first the functions, then the built-in tools, then the words, and the bill.

The mind is asked with the functions; if it calls one, that is the answer. Else the built-in tools do what they can,
what they found is put before the question, and the mind answers. Everything is decided before a stream begins.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from qwenkit.catalogue import tokens
from qwenkit.sandbox import builtin
from qwenkit.sandbox.answers import usage
from qwenkit.sandbox.briefing import briefed
from qwenkit.sandbox.identity import tool_call_id
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.response_items import FUNCTION_CALL, Json, Produced, item_id
from qwenkit.sandbox.response_order import Asked
from qwenkit.sandbox.service import Service

if TYPE_CHECKING:
    from qwenkit.sandbox.builtin import Step
    from qwenkit.sandbox.mind import Answer

_MARKED = 4  # as many prefixes as the cache looks at


class Answered(NamedTuple):
    """The output, whether it is all of it, and what it costs."""

    produced: list[Produced]
    whole: bool
    usage: Json


def respond(service: Service, asked: Asked, seed: str, session_cache: bool) -> Answered:
    from qwenkit.sandbox.asking import ask

    order, steps = asked.order, list["Step"]()
    (answer,) = ask(service, order)
    if not answer.calls and (steps := builtin.steps(service, asked, seed)):
        told = briefed(order.messages, steps, date.fromtimestamp(service.clock()))
        order = replace(order, body={**order.body, "messages": told})
        (answer,) = ask(service, order)
    plan = tokens.split("\n".join(step.thought for step in steps)) if order.thinking else []
    produced = [
        *_reasoning(plan),
        *(Produced(step.item) for step in steps),
        *_reasoning(answer.thinking),
        *_spoken(answer),
        *_called(answer, seed),
    ]
    named = [Produced({"id": item_id(seed, at), **each.item}, each.pieces) for at, each in enumerate(produced)]
    bill = _bill(service, asked, order, replace(answer, thinking=[*plan, *answer.thinking]), session_cache)
    return Answered(named, answer.finish_reason != "length", _usage(bill, builtin.counts(steps)))


def _reasoning(pieces: list[str]) -> list[Produced]:
    summary = [{"type": "summary_text", "text": "".join(pieces)}]
    return [Produced({"type": "reasoning", "summary": summary}, pieces)] if pieces else []


def _spoken(answer: Answer) -> list[Produced]:
    """The message; a cut answer may not have come to it."""
    cut = answer.finish_reason == "length"
    if not answer.tokens and (answer.calls or cut):
        return []
    part: Json = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": None}
    status = "incomplete" if cut else "completed"
    item: Json = {"type": "message", "role": "assistant", "status": status, "content": [part]}
    return [Produced(item, [token.text for token in answer.tokens])]


def _called(answer: Answer, seed: str) -> list[Produced]:
    return [
        Produced(
            {
                "type": FUNCTION_CALL,
                "status": "completed",
                "name": call.name,
                "arguments": call.arguments,
                "call_id": tool_call_id(seed, 0, at),
            },
            tokens.split(call.arguments),
        )
        for at, call in enumerate(answer.calls)
    ]


def _bill(service: Service, asked: Asked, order: Order, answer: Answer, session_cache: bool) -> Json:
    tools = asked.body.get("tools") or []
    count = tokens.count_messages(order.messages)
    count += tokens.count(json.dumps(tools, ensure_ascii=False)) if tools else 0
    shown = _marked(order.messages) if session_cache else order.messages
    details = service.cache.details(order.model.line, shown, count, service.clock())
    return usage([answer], count, details, True)


def _marked(messages: list[Json]) -> list[Json]:
    """The messages with a cache mark at the end of each of the latest turns, where earlier requests ended."""
    ends = [at for at, message in enumerate(messages) if message["role"] in ("user", "tool")][-_MARKED:]
    return [_mark(message) if at in ends else message for at, message in enumerate(messages)]


def _mark(message: Json) -> Json:
    content = message["content"]
    parts: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return {**message, "content": [*parts[:-1], {**parts[-1], "cache_control": {"type": "ephemeral"}}]}


def _usage(bill: Json, used: Json) -> Json:
    """A chat's bill in the words of this API, with what the built-in tools did."""
    cached = bill["prompt_tokens_details"]
    counted = {
        "input_tokens": bill["prompt_tokens"],
        "output_tokens": bill["completion_tokens"],
        "output_tokens_details": bill["completion_tokens_details"],
        "total_tokens": bill["total_tokens"],
    }
    part: Json = {**counted, "prompt_tokens_details": cached, "x_billing_type": "response_api"}
    part |= {"plugins": used} if used else {}
    return {**counted, "input_tokens_details": cached, "x_details": [part], **({"x_tools": used} if used else {})}
