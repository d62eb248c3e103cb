"""Applications on the wire: the native completion, whole or in frames, and the Responses API.

What is asked in the background is queued; the first look finds it running, the second finds it done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit.sandbox import response_events
from qwenkit.sandbox.apps.apps import AGENT, WORKFLOW, App, Kept, published
from qwenkit.sandbox.apps.asked import Asked, read, wrong
from qwenkit.sandbox.apps.frames import Outcome, Sheet
from qwenkit.sandbox.chat import EVENT_STREAM, paced
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.response_items import Produced, item_id, received
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.tasks import NO_ASYNC, enabled

Json = dict[str, Any]
RESPONSES = "/api/v2/apps/agent/{app}/compatible-mode/v1/responses"
_BODY = "Required body invalid, please check the request body format."
_ROLES = ("user", "assistant")
_WAITING = ("queued", "running")
_LISTS = {"input_image": ("image_list", "image_url"), "input_file": ("file_list", "file_url")}


def application(service: Service, request: Request) -> App:
    app = published(service, request.path_params["app"], request.headers.get("x-dashscope-workspace", ""))
    if app is None:
        raise Refusal("App.AccessDenied", "App access denied.", status=403)
    return app


def body_of(request: Request) -> Json:
    try:
        return json_body(request)
    except Refusal:
        raise Refusal("InvalidParameter", _BODY) from None


async def answer(service: Service, asked: Asked, request: Request, streamed: bool) -> Outcome:
    """What an application makes of a call. A failure on the way is the last frame of a stream, else a refusal."""
    from qwenkit.sandbox.apps import agent, workflow  # with the mind

    respond = workflow.respond if asked.app.kind == WORKFLOW else agent.respond
    outcome = await respond(service, asked, request)
    if outcome.refusal and not streamed:
        raise outcome.refusal
    return outcome


async def completion(service: Service, request: Request) -> Response:
    if enabled(request, "x-dashscope-async"):
        raise Refusal("AccessDenied", NO_ASYNC)
    arrived, kept, name = service.clock(), service.shelf(Kept), request.state.request_id
    streamed = enabled(request, "x-dashscope-sse") or "text/event-stream" in request.headers.get("accept", "")
    app = application(service, request)
    asked = read(app, body_of(request))
    alone = bool(asked.input.get("messages"))  # which bring a history of their own
    session = asked.input.get("session_id", "")
    rounds = None if alone else kept.rounds(app.id, session, arrived)
    session = digest(f"session/{name}")[:32] if rounds is None else session
    outcome = await answer(service, _going_on(asked, rounds or []), request, streamed)
    if not alone and not outcome.refusal:
        latest = kept.rounds(app.id, session, arrived) or rounds or []  # another call may have gone on meanwhile
        kept.went_on(app.id, session, [*latest, [asked.question, outcome.text]], service.clock())
    sheet = Sheet(name, session, asked.parameters.get("incremental_output", False))
    headers = _headers(arrived, service.clock(), streamed)
    if not streamed:
        return JSONResponse(sheet.whole(outcome), headers=headers)
    return StreamingResponse(paced(sheet.frames(outcome), service.pace), headers={**EVENT_STREAM, **headers})


def _going_on(asked: Asked, rounds: list[list[str]]) -> Asked:
    """The call after the latest rounds of its session, as many as the model is to read."""
    most = max(asked.parameters.get("dialog_round", asked.app.rounds), 0)
    said = [pair for each in rounds[max(len(rounds) - most, 0) :] for pair in zip(_ROLES, each, strict=True)]
    return replace(asked, before=[*({"role": role, "content": text} for role, text in said), *asked.before])


def _headers(arrived: float, now: float, streamed: bool) -> dict[str, str]:
    """What the service tells beside an answer: times in milliseconds, for information."""
    times = {"req-cost-time": now - arrived, "req-arrive-time": arrived, "resp-start-time": now}
    told = {"x-dashscope-timeout": "180", "x-dashscope-finished": "false" if streamed else "true"}
    return told | {name: f"{seconds * 1000:.0f}" for name, seconds in times.items()}


async def create(service: Service, request: Request) -> Response:
    app, body, name = application(service, request), body_of(request), request.state.request_id
    streamed, background = body.get("stream") is True, body.get("background") is True
    if streamed and background:
        raise invalid("stream and background cannot be used together.")
    asked = _read(app, body, name)
    opening: Json = {"id": name, "object": "response", "created_at": int(service.clock()), "model": ""}
    opening |= {"status": "queued", "output": [], "parallel_tool_calls": False, "tool_choice": "auto", "tools": []}
    if background:
        return _keep(service, app, opening, body)
    outcome = await answer(service, asked, request, streamed)
    told = opening | _ended(name, outcome)
    whole = _keep(service, app, told, body)
    if not streamed:
        return whole
    events = [*response_events.events(opening, _produced(name, outcome) if not outcome.refusal else [])]
    framed = response_events.framed([*events, (f"response.{told['status']}", {"response": told})])
    return StreamingResponse(paced(framed, service.pace), headers=EVENT_STREAM)


def _read(app: App, body: Json, name: str) -> Asked:
    """The items of a request as messages; what the latest shows goes beside them."""
    source: Json = {"messages": [], "biz_params": body.get("biz_params")}
    for item in received(body.get("input"), "input", name):
        parts = [(str(part.get("type")), part) for part in item.get("content", [])]
        shown = [(kind, part) for kind, part in parts if kind in _LISTS]
        if item["type"] != "message" or (shown and app.kind != AGENT):
            raise wrong("input")
        texts = [part for kind, part in parts if kind not in _LISTS]
        source["messages"].append({"role": item["role"].replace("developer", "system"), "content": texts})
        source |= {named: [part.get(key) for kind, part in shown if kind == of] for of, (named, key) in _LISTS.items()}
    return read(app, {"input": source, "parameters": {"has_thoughts": True, "flow_stream_mode": "agent_format"}})


def _ended(name: str, outcome: Outcome) -> Json:
    if outcome.refusal:
        return {"status": "failed", "error": {"code": outcome.refusal.code, "message": str(outcome.refusal)}}
    return {"status": "completed", "output": [each.item for each in _produced(name, outcome)]}


def _produced(name: str, outcome: Outcome) -> Iterator[Produced]:
    reasoning = [piece.reasoning for piece in outcome.pieces if piece.reasoning]
    if reasoning:
        summary = [{"type": "summary_text", "text": "".join(reasoning)}]
        yield Produced({"id": item_id(name, 0), "type": "reasoning", "summary": summary}, reasoning)
    part: Json = {"type": "output_text", "text": outcome.text, "annotations": []}
    item = {"id": item_id(name, 1), "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    yield Produced(item, [piece.text for piece in outcome.pieces if piece.text] or [outcome.text])


def _keep(service: Service, app: App, told: Json, body: Json) -> Response:
    left = body if told["status"] in _WAITING else {}
    service.shelf(Kept).put("response", told["id"], {"app": app.id, "told": told, "body": left})
    return JSONResponse(told)


def _kept(service: Service, request: Request) -> tuple[App, Json, Json]:
    """A response of an application, and the body that it answers or is to answer."""
    app, name = application(service, request), request.path_params["id"]
    kept = service.shelf(Kept).get("response", name) or {}
    if kept.get("app") != app.id:
        raise Refusal("NotFound", f"Response with id '{name[:80]}' not found.")
    return app, kept["told"], kept["body"]


async def retrieve(service: Service, request: Request) -> Response:
    app, told, body = _kept(service, request)
    if told["status"] == "running":
        try:
            made = await answer(service, _read(app, body, told["id"]), request, True)
        except Refusal as refusal:
            made = Outcome("", [], refusal=refusal)
        told |= _ended(told["id"], made)
    elif told["status"] == "queued":
        told["status"] = "running"
    return _keep(service, app, told, body)


async def cancel(service: Service, request: Request) -> Response:
    app, told, body = _kept(service, request)
    if told["status"] not in _WAITING:
        raise invalid(f"The response is {told['status']}: only a queued or running one can be cancelled.")
    return _keep(service, app, {**told, "status": "cancelled"}, body)


async def delete(service: Service, request: Request) -> Response:
    _, told, _ = _kept(service, request)
    if told["status"] in _WAITING:
        raise invalid(f"The response is {told['status']}: cancel it first.")
    service.shelf(Kept).put("response", told["id"], None)
    return JSONResponse({"id": told["id"], "object": "response", "deleted": True})


ROUTES: list[Verb] = [
    ("POST", "/api/v1/apps/{app}/completion", completion),
    ("POST", RESPONSES, create),
    ("GET", RESPONSES + "/{id}", retrieve),
    ("DELETE", RESPONSES + "/{id}", delete),
    ("POST", RESPONSES + "/{id}/cancel", cancel),
]
