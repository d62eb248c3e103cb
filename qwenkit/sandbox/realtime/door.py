"""The door of the realtime socket: who may enter, and which kind of session the model asked for has.

Whoever may not is refused in the handshake, with a plain HTTP answer. A model that nobody knows is let in, greeted,
and left without a word, as the service does.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from importlib import import_module

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.catalogue.realtime import RealtimeFacts, realtime
from qwenkit.sandbox import auth
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.faults import Fault, parse
from qwenkit.sandbox.misbehave import misbehave
from qwenkit.sandbox.realtime.line import Line
from qwenkit.sandbox.service import Service

SESSIONS = {"realtime": "omni", "tts-realtime": "tts", "asr-realtime": "asr", "livetranslate": "translate"}
# Faults of HTTP streams, as what they are in a session.
_INSIDE = {"cut": "ws-reset:{}", "error": "ws-close:1011:{}", "garbage": "ws-garbage:1"}
_STRANGER = RealtimeFacts("unknown", [])


async def enter(service: Service, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse in the handshake, or serve one session to its end."""
    request_id = scope["state"]["request_id"] = service.ids.next()
    try:
        await receive()  # that it wants to connect
        await _admit(service, scope, receive, send)
    except asyncio.CancelledError:
        return  # the sandbox is stopping
    except Refusal as refusal:
        headers = {"content-type": "application/json", "x-request-id": request_id, **refusal.headers}
        await Response(refusal.body(scope["path"], request_id), refusal.status, headers)(scope, receive, send)


async def _admit(service: Service, scope: Scope, receive: Receive, send: Send) -> None:
    headers, path = Headers(scope=scope), scope["path"]
    auth.check_neighbour(headers)
    query, request_id = QueryParams(scope["query_string"]), scope["state"]["request_id"]
    seen = service.journal.note("WS", path, query, dict(headers.items()), request_id, b"")
    fault = _fault(service, headers, path)

    async def session(scope: Scope, receive: Receive, send: Send) -> None:
        auth.check_key(service, path, headers)
        name = query.get("model", "")
        model, facts = catalogue.model(name), realtime(name)
        await send({"type": "websocket.accept", "headers": [(b"x-request-id", request_id.encode())]})
        inside = fault if fault and fault.kind.startswith("ws-") else None
        line = Line(service, scope, receive, send, model or Model(name), facts or _STRANGER, seen, inside)
        await _serve(line, known=model is not None and facts is not None)

    if fault and not fault.kind.startswith("ws-"):
        await misbehave(fault, session, scope, receive, send)
    else:
        await session(scope, receive, send)


def _fault(service: Service, headers: Headers, path: str) -> Fault | None:
    asked = headers.get("x-sandbox-fault") if service.header_faults else None
    try:
        fault = parse(asked) if asked else service.faults.take(path)
    except ValueError as problem:
        raise Refusal("InvalidParameter", f"X-Sandbox-Fault: {problem}") from None
    if fault and fault.kind == "reset" and fault.detail:
        return parse("ws-reset:0")  # after the headers
    return parse(_INSIDE[fault.kind].format(fault.detail)) if fault and fault.kind in _INSIDE else fault


async def _serve(line: Line, *, known: bool) -> None:
    """One session, from its greeting to the end of the socket."""
    try:
        if known:
            await import_module(f"qwenkit.sandbox.realtime.{SESSIONS[line.model.family]}").serve(line)
        else:
            session = {"id": line.id("sess"), "object": "realtime.session", "model": line.model.name}
            await line.send("session.created", session=session)
        await line.close()
    except Exception:
        traceback.print_exc(file=sys.stderr)
        await line.refuse("Internal service error: null", "InternalError", kind="server_error")
        await line.close(1011, "Internal service error: null")
    finally:
        await line.done()
