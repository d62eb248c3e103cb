"""The Responses API, on both of its addresses: create, whole or as a stream, then retrieve, delete and list the input.

A response is stored when it is complete: as a stream, just before its last event. A refused request is an error body;
asked as a stream it is a stream all the same, whose only event tells the failure.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit.sandbox import response_events
from qwenkit.sandbox.chat import EVENT_STREAM, paced
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.responding import respond
from qwenkit.sandbox.response_events import Event
from qwenkit.sandbox.response_items import Json
from qwenkit.sandbox.response_order import Asked, read
from qwenkit.sandbox.routing import ANY, Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.turns import Conversations, Kept, Turns, page

PREFIXES = ("/compatible-mode/v1", "/api/v2/apps/protocols/compatible-mode/v1")
SESSION_CACHE = "x-dashscope-session-cache"
_UNSPOKEN = ("input", "model", "stream", "enable_thinking", "conversation")  # fields that no answer echoes
_USUAL: Json = {
    "background": False,
    "frequency_penalty": 0.0,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": False,
    "presence_penalty": 0.0,
    "reasoning": None,
    "service_tier": "default",
    "store": True,
    "temperature": None,
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
}
_MADE = ("id", "object", "created_at", "completed_at", "status", "model", "output", "usage", "incomplete_details")
_KEPT = {*_USUAL, *_MADE, "instructions", "previous_response_id", "conversation"}


async def create(service: Service, request: Request) -> Response:
    body, seed = json_body(request), request.state.request_id
    opening = _opening(body, seed, int(service.clock()))
    try:
        asked = read(service, body, seed)
        produced, made = await respond(service, asked, seed, request.headers.get(SESSION_CACHE) == "enable", request)
    except Refusal as refusal:
        if body.get("stream") is not True:
            raise
        error = {"code": refusal.code, "message": str(refusal)}
        return _stream(service, response_events.failed({**opening, "status": "failed", "error": error}))
    answer = _answer(asked, opening, {**made, "completed_at": int(service.clock()), "background": False})
    if asked.order.stream:
        told = response_events.events(opening, produced)
        return _stream(service, response_events.framed(_ended(service, asked, told, answer)))
    _keep(service, asked, answer)
    return JSONResponse(answer)


def _stream(service: Service, events: Iterator[bytes]) -> Response:
    return StreamingResponse(paced(events, service.pace), headers=EVENT_STREAM)


def _ended(service: Service, asked: Asked, told: Iterator[Event], answer: Json) -> Iterator[Event]:
    """The events and the last one. Whoever has read that one finds the response stored."""
    yield from told
    _keep(service, asked, answer)
    yield f"response.{answer['status']}", {"response": answer}


def _opening(body: Json, seed: str, now: int) -> Json:
    """What a response is before anything of it has been made."""
    echoed = {name: body.get(name) for name in ("tools", "tool_choice", "parallel_tool_calls")}
    return {
        "id": f"resp_{seed}",
        "object": "response",
        "created_at": now,
        "status": "queued",
        "model": body.get("model") or "",
        "output": [],
        **{name: _USUAL[name] if value is None else value for name, value in echoed.items()},
    }


def _answer(asked: Asked, opening: Json, made: Json) -> Json:
    """The whole object: the usual fields, whatever was sent, and what neither may change."""
    temperature, top_p, _ = asked.model.sampling(asked.order.thinking)
    echo = {name: value for name, value in asked.body.items() if value is not None and name not in _UNSPOKEN}
    told = {"conversation": {"id": asked.conversation}} if asked.conversation else {}
    return {**_USUAL, "temperature": temperature, "top_p": top_p, **echo, **opening, **made, **told}


def _keep(service: Service, asked: Asked, answer: Json) -> None:
    """Only what the API knows is stored; the echo of anything else is not."""
    if asked.conversation:
        service.shelf(Conversations).add(asked.conversation, [*asked.items, *answer["output"]])
    if asked.stored:
        kept = {name: value for name, value in answer.items() if name in _KEPT} | {"metadata": {}}
        service.shelf(Turns).keep(kept, asked.items, asked.previous, service.clock())


def _kept(service: Service, request: Request) -> Kept:
    name = request.path_params["id"]
    kept = service.shelf(Turns).get(name, service.clock())
    if kept is None:
        raise Refusal("InvalidParameter", f"Response with id '{name[:80]}' not found.", status=404)
    return kept


async def retrieve(service: Service, request: Request) -> Response:
    return JSONResponse(_kept(service, request).answer)


async def delete(service: Service, request: Request) -> Response:
    name = _kept(service, request).answer["id"]
    service.shelf(Turns).delete(name)
    return JSONResponse({"id": name, "deleted": True})


async def input_items(service: Service, request: Request) -> Response:
    """What this request brought, not what the chain brought before it."""
    kept = _kept(service, request)
    about = {"id": kept.answer["id"], "model": kept.answer["model"], "created_at": kept.answer["created_at"] * 1000}
    about |= {"previous_response_id": kept.previous} if kept.previous else {}
    return JSONResponse({**page(kept.input, request.query_params), **about})


async def lost(service: Service, request: Request) -> Response:
    raise Refusal("Not Found")


def on_both(*verbs: Verb) -> list[Verb]:
    """The routes under the present address and the older one."""
    return [(method, prefix + path, endpoint) for prefix in PREFIXES for method, path, endpoint in verbs]


ROUTES = on_both(
    ("POST", "/responses", create),
    ("GET", "/responses/{id}", retrieve),
    ("DELETE", "/responses/{id}", delete),
    ("GET", "/responses/{id}/input_items", input_items),
    (ANY, "/responses/{rest:path}", lost),
)
