"""`POST /compatible-mode/v1/chat/completions`: check the order, ask the mind, bill it, answer whole or as a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit import catalogue
from qwenkit.catalogue import tokens
from qwenkit.sandbox.answers import Letterhead, usage
from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.omni import speaks, spoken
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
    body = json_body(request)
    if hears(body):
        from qwenkit.sandbox.recognising import completion

        return await completion(service, request, body)
    order = check(body)
    head, answers, bill = await _written(service, order, request.state.request_id, request)
    if not order.stream:
        return JSONResponse(head.completion(answers, bill))
    if speaks(order):
        events: Any = spoken(service, order, head, answers, bill)
    else:
        events = head.events(answers, bill if order.include_usage else None)
    return StreamingResponse(paced(events, service.pace), headers=EVENT_STREAM)


def hears(body: Body) -> bool:
    """Whether a body is for a model that writes down what it hears."""
    name = body.get("model")
    model = catalogue.model(name) if isinstance(name, str) else None
    return model is not None and model.family == "asr" and model.endpoint == "chat"


async def completed(service: Service, body: Body, request_id: str) -> Json:
    """The whole answer, also of a model that only streams: batches have no stream to read."""
    head, answers, bill = await _written(service, check({**body, "stream": True}), request_id, None)
    return head.completion(answers, bill)


async def answered(service: Service, order: Order, request: Request | None) -> Answered:
    """Look and listen, search, read what is attached, ask the mind: for every protocol that chats."""
    from qwenkit.sandbox.asking import ask
    from qwenkit.sandbox.attached import attached
    from qwenkit.sandbox.perceiving import perceived
    from qwenkit.sandbox.searching import found, grounded

    seen = await perceived(service, order, request)
    order = seen.order
    pages = found(order)
    order = grounded(order, pages)
    read = attached(service, order)
    text = _prompt_tokens(order, seen.tokens) + read.tokens
    count = text + seen.tokens
    answers, details = ask(service, read.order), None
    if order.model.family != "mt":
        details = service.cache.details(order.model.line, order.messages, count, service.clock())
        details |= seen.details(text)
    return Answered(answers, count, details, pages)


async def _written(
    service: Service, order: Order, request_id: str, request: Request | None
) -> tuple[Letterhead, list[Answer], Json]:
    done = await answered(service, order, request)
    head = Letterhead(
        request_id,
        order.model.name,
        int(service.clock()),
        order.thinking,
        order.logprobs,
        order.model.cumulative_stream,
    )
    return head, done.answers, usage(done.answers, done.tokens, done.details, order.thinking)


async def paced(events: Iterator[bytes] | AsyncIterator[bytes], pace: float | None) -> AsyncIterator[bytes]:
    """The events, `pace` of them a second. Without a pace others still get their turn between two of them."""
    clock = asyncio.get_running_loop().time
    due = clock()
    async for event in events if isinstance(events, AsyncIterator) else _given(events):
        yield event
        due += 1 / pace if pace else 0.0
        await asyncio.sleep(max(due - clock(), 0.0))


async def _given(events: Iterator[bytes]) -> AsyncIterator[bytes]:
    for event in events:
        yield event


def _prompt_tokens(order: Order, seen: int = 0) -> int:
    tools = order.several("tools")
    count = tokens.count_messages(order.messages)
    count += tokens.count(json.dumps(tools, ensure_ascii=False)) if tools else 0
    if order.max_input and count + seen > order.max_input:
        raise invalid(f"Range of input length should be [1, {order.max_input}]")
    return count


ROUTES: list[Verb] = [("POST", "/compatible-mode/v1/chat/completions", completions)]
