"""Answering a Responses request: first the functions, then the built-in tools, then the words, and the bill.

The mind is asked with the functions; if it calls one, that is the answer. Else the built-in tools do what they can,
what they found is put before the question, and the mind answers. Everything is decided before a stream begins.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qwenkit.catalogue import tokens
from qwenkit.sandbox import builtin
from qwenkit.sandbox.answers import usage
from qwenkit.sandbox.caching import MOST_MARKS
from qwenkit.sandbox.identity import tool_call_id
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.response_items import FUNCTION_CALL, Json, Produced, item_id
from qwenkit.sandbox.response_order import Asked
from qwenkit.sandbox.service import Service

if TYPE_CHECKING:
    from starlette.requests import Request

    from qwenkit.sandbox.builtin import Step
    from qwenkit.sandbox.mind import Answer
    from qwenkit.sandbox.perceiving import Perception


async def respond(
    service: Service, asked: Asked, seed: str, session_cache: bool, request: Request
) -> tuple[list[Produced], Json]:
    """The items of the output, and what the response says of them: how it ended, and what it costs."""
    from qwenkit.sandbox.asking import ask
    from qwenkit.sandbox.perceiving import perceived

    seen = await perceived(service, asked.order, request)
    order, steps = seen.order, list["Step"]()
    (answer,) = ask(service, order)
    if not answer.calls and (steps := builtin.steps(service, asked, seed)):
        searched = any(step.item["type"] == "web_search_call" for step in steps)
        messages = builtin.briefed(order.messages, steps)
        order = replace(order, body={**order.body, "messages": messages, "enable_search": searched})
        (answer,) = ask(service, order)
    plan = tokens.split("\n".join(step.thought for step in steps)) if order.thinking else []
    produced = [
        *_reasoning(plan),
        *(Produced(step.item) for step in steps),
        *_reasoning(answer.thinking),
        *_said(answer, seed),
    ]
    named = [Produced({"id": item_id(seed, at), **each.item}, each.pieces) for at, each in enumerate(produced)]
    thought = replace(answer, thinking=[*plan, *answer.thinking])
    told: Json = {"status": "completed", "output": [each.item for each in named]}
    if answer.finish_reason == "length":
        told |= {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    return named, told | {"usage": _usage(service, asked, order, seen, thought, session_cache, builtin.counts(steps))}


def _reasoning(pieces: list[str]) -> list[Produced]:
    summary = [{"type": "summary_text", "text": "".join(pieces)}]
    return [Produced({"type": "reasoning", "summary": summary}, pieces)] if pieces else []


def _said(answer: Answer, seed: str) -> Iterator[Produced]:
    """The message and the calls; a cut answer may not have come to them."""
    cut = answer.finish_reason == "length"
    if answer.tokens or not (answer.calls or cut):
        part: Json = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": None}
        status = "incomplete" if cut else "completed"
        item: Json = {"type": "message", "role": "assistant", "status": status, "content": [part]}
        yield Produced(item, [token.text for token in answer.tokens])
    for at, call in enumerate(answer.calls):
        named = {"name": call.name, "arguments": call.arguments, "call_id": tool_call_id(seed, 0, at)}
        yield Produced({"type": FUNCTION_CALL, "status": "completed", **named}, tokens.split(call.arguments))


def _usage(
    service: Service, asked: Asked, order: Order, seen: Perception, answer: Answer, session_cache: bool, used: Json
) -> Json:
    """A chat's bill in the words of this API, with what the built-in tools did."""
    tools = asked.body.get("tools") or []
    text = tokens.count_messages(order.messages)
    text += tokens.count(json.dumps(tools, ensure_ascii=False)) if tools else 0
    count = text + seen.tokens
    shown = _marked(order.messages) if session_cache else order.messages
    cached = service.cache.details(order.model.line, shown, count, service.clock()) | seen.details(text)
    bill = usage([answer], count, cached, True)
    counted = {
        "input_tokens": bill["prompt_tokens"],
        "output_tokens": bill["completion_tokens"],
        "output_tokens_details": bill["completion_tokens_details"],
        "total_tokens": bill["total_tokens"],
    }
    part: Json = {**counted, "prompt_tokens_details": cached, "x_billing_type": "response_api"}
    part |= {"plugins": used} if used else {}
    return {**counted, "input_tokens_details": cached, "x_details": [part], **({"x_tools": used} if used else {})}


def _marked(messages: list[Json]) -> list[Json]:
    """The messages with a cache mark at the end of each of the latest turns, where earlier requests ended."""
    ends = [message for message in messages if message["role"] in ("user", "tool")][-MOST_MARKS:]
    return [_mark(message) if any(message is end for end in ends) else message for message in messages]


def _mark(message: Json) -> Json:
    content = message["content"]
    parts: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return {**message, "content": [*parts[:-1], {**parts[-1], "cache_control": {"type": "ephemeral"}}]}
