"""What happens to a request, from the door to the route.

    name it -> a neighbour's? -> read and note it -> a fault waiting? -> a valid key? -> the route -> or a refusal

Route modules offer a list ROUTES; a new API family is one more name in `_LATER`. Every answer carries
`x-request-id`. Whatever goes wrong ends in the documented error body; what should not happen is printed to stderr too.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from importlib import import_module

from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Router
from starlette.types import Message, Receive, Scope, Send

from qwenkit.sandbox import auth, chat, listing
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.faults import Fault, parse
from qwenkit.sandbox.misbehave import error_event, misbehave
from qwenkit.sandbox.routing import Verb, routes
from qwenkit.sandbox.service import Service

LARGEST_BODY = 16 * 1024 * 1024  # the shared hosts' limit
LARGEST_OF_WORKSPACE = 64 * 1024 * 1024  # of a workspace's host, for which its header stands here
LARGEST_UPLOAD = 151 * 1024 * 1024  # a file of 150 MB and the form around it
UPLOADS = ("/compatible-mode/v1/files", "/oss-upload", "/bailian-upload/")
WHAT = (
    "This is the qwenkit sandbox, a small program on this machine that speaks the DashScope protocols for lessons and "
    "tests. It is not Qwen and sends nothing anywhere."
)
_FAMILIES = (auth, chat, listing)
# Loaded when a path is asked for that the first ones do not have, so that a notebook's sandbox is there at once.
_LATER = (
    *("completions", "responses", "conversations", "native", "tasks", "embeddings", "rerank", "files", "batches"),
    *("uploads", "drawing", "filming", "speaking", "customizing", "recognising", "transcribing"),
    *("apps.routes", "knowledge.rag", "knowledge.memory", "knowledge.openapi"),
)
_PREFIXES = ("/compatible-mode/", "/compatible-api/", "/api/")


class App:
    """The ASGI application of one sandbox."""

    def __init__(self, service: Service) -> None:
        self.service = service
        verbs = [verb for family in _FAMILIES for verb in family.ROUTES]
        self.router = Router(routes(service, verbs), redirect_slashes=False, default=self._later)
        self._rest: Router | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            from qwenkit.sandbox.realtime.door import enter

            await enter(self.service, scope, receive, send)
            return
        if scope["type"] != "http":
            return
        door = _Door(send, self.service.ids.next())
        scope["state"]["request_id"] = door.request_id
        try:
            await self._admit(scope, receive, door)
        except (ClientDisconnect, asyncio.CancelledError):
            return  # the client has left, or the sandbox is stopping
        except Refusal as refusal:
            await door.refuse(refusal, scope, receive)
        except Exception:
            traceback.print_exc(file=sys.stderr)
            await door.refuse(Refusal("InternalError"), scope, receive)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        auth.check_neighbour(headers)
        most = LARGEST_OF_WORKSPACE if headers.get("x-dashscope-workspace") else LARGEST_BODY
        body = await _read(receive, LARGEST_UPLOAD if path.startswith(UPLOADS) else most)
        scope["state"]["body"] = body
        query = QueryParams(scope["query_string"])
        self.service.journal.note(
            scope["method"], path, query, dict(headers.items()), scope["state"]["request_id"], body
        )
        fault = self._fault(headers, path)
        if fault:
            await misbehave(fault, self._answer, scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    def _fault(self, headers: Headers, path: str) -> Fault | None:
        asked = headers.get("x-sandbox-fault") if self.service.header_faults else None
        if not asked:
            return self.service.faults.take(path)
        try:
            return parse(asked)
        except ValueError as problem:
            raise Refusal("InvalidParameter", f"X-Sandbox-Fault: {problem}") from None

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path == "/":
            await _about(Headers(scope=scope))(scope, receive, send)
            return
        if path.startswith(_PREFIXES):
            auth.check_key(self.service, path, Headers(scope=scope))
        await self.router(scope, receive, send)

    async def _later(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._rest is None:
            self._rest = Router(routes(self.service, _later_verbs()), redirect_slashes=False, default=_lost)
        await self._rest(scope, receive, send)


def _later_verbs() -> list[Verb]:
    families = [import_module(f"qwenkit.sandbox.{name}") for name in _LATER]
    return [verb for family in families for verb in family.ROUTES]


class _Door:
    """The way out: puts the request id on every answer, and knows whether one has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send = send
        self.request_id = request_id
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            name = (b"x-request-id", self.request_id.encode())
            message = {**message, "headers": [*message["headers"], name, (b"x-dashscope-call-gateway", b"true")]}
        await self.send(message)

    async def refuse(self, refusal: Refusal, scope: Scope, receive: Receive) -> None:
        if self.begun:
            await self.send({"type": "http.response.body", "body": error_event(refusal, scope), "more_body": False})
            return
        kind = "text/event-stream;charset=UTF-8" if refusal.framed else "application/json"
        body = refusal.body(scope["path"], self.request_id)
        headers = {"content-type": kind, **refusal.headers}
        await Response(body, refusal.status, headers)(scope, receive, self)


async def _read(receive: Receive, most: int) -> bytes:
    """The whole body, which is then at hand for the journal and the route."""
    pieces: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            raise Refusal("BadRequest.TooLarge")
        more = message.get("more_body", False)
    return b"".join(pieces)


async def _lost(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"].startswith("/api/"):
        raise Refusal("InvalidParameter", "url error, please check url！")
    raise Refusal("NotFound")


def _about(headers: Headers) -> Response:
    if "text/html" in headers.get("accept", ""):
        return HTMLResponse(f"<!doctype html><title>qwenkit sandbox</title><h1>qwenkit sandbox</h1><p>{WHAT}</p>")
    verbs = [*(verb for family in _FAMILIES for verb in family.ROUTES), *_later_verbs()]
    paths = [*(f"{method} {path}" for method, path, _ in verbs), "WS /api-ws/v1/realtime"]
    return JSONResponse({"service": "qwenkit sandbox", "what": WHAT, "paths": paths})
