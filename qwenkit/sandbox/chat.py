"""`POST /compatible-mode/v1/chat/completions`: check the order, ask the mind, bill it, answer whole or as a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit.catalogue import tokens
from qwenkit.sandbox.answers import Letterhead, usage
from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.order import Body, Order
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.rules import check
from qwenkit.sandbox.service import Service

if TYPE_CHECKING:
    from qwenkit.sandbox.mind import Answer
    from qwenkit.sandbox.web import Page

Json = dict[str, Any]
EVENT_STREAM = {"content-type": "text/event-stream;charset=UTF-8", "cache-control": "no-cache"}


class Answered(NamedTuple):
    """What was made of an order, and what its prompt cost; translation models have no details of that."""

    answers: list[Answer]
    tokens: int
    details: Json | None
    pages: list[Page]


async def completions(service: Service, request: Request) -> Response:
    order = check(json_body(request))
    head, answers, bill = _written(service, order, request.state.request_id)
    if not order.stream:
        return JSONResponse(head.completion(answers, bill))
    events = head.events(answers, bill if order.include_usage else None)
    return StreamingResponse(paced(events, service.pace), headers=EVENT_STREAM)


def completed(service: Service, body: Body, request_id: str) -> Json:
    """The whole answer, also of a model that only streams: batches have no stream to read."""
    head, answers, bill = _written(service, check({**body, "stream": True}), request_id)
    return head.completion(answers, bill)


def answered(service: Service, order: Order) -> Answered:
    """Search, read what is attached, ask the mind: for every protocol that chats."""
    from qwenkit.sandbox.asking import ask
    from qwenkit.sandbox.attached import attached
    from qwenkit.sandbox.searching import found, grounded

    pages = found(order)
    order = grounded(order, pages)
    read = attached(service, order)
    count = _prompt_tokens(order) + read.tokens
    answers, details = ask(service, read.order), None
    if order.model.family != "mt":
        details = service.cache.details(order.model.line, order.messages, count, service.clock())
    return Answered(answers, count, details, pages)


def _written(service: Service, order: Order, request_id: str) -> tuple[Letterhead, list[Answer], Json]:
    done = answered(service, order)
    head = Letterhead(
        request_id,
        order.model.name,
        int(service.clock()),
        order.thinking,
        order.logprobs,
        order.model.cumulative_stream,
    )
    return head, done.answers, usage(done.answers, done.tokens, done.details, order.thinking)


async def paced(events: Iterator[bytes], pace: float | None) -> AsyncIterator[bytes]:
    """The events, `pace` of them a second. Without a pace others still get their turn between two of them."""
    clock = asyncio.get_running_loop().time
    due = clock()
    for event in events:
        yield event
        due += 1 / pace if pace else 0.0
        await asyncio.sleep(max(due - clock(), 0.0))


def _prompt_tokens(order: Order) -> int:
    tools = order.several("tools")
    count = tokens.count_messages(order.messages)
    count += tokens.count(json.dumps(tools, ensure_ascii=False)) if tools else 0
    if order.max_input and count > order.max_input:
        raise invalid(f"Range of input length should be [1, {order.max_input}]")
    return count


ROUTES: list[Verb] = [("POST", "/compatible-mode/v1/chat/completions", completions)]
