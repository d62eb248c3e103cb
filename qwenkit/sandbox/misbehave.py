"""Carrying a fault out, between the routes and the wire. Routes know nothing of it.

Some faults answer instead of the route; the others let the route answer and spoil what it sends. Closing and resetting
need the socket: `listener` puts the connection's transport into the request's state.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qwenkit.sandbox.errors import Refusal, code_for_status, is_responses, native_code
from qwenkit.sandbox.faults import STATUS, Fault

_BROKEN = b'{"choices": [{"message": {"role": "assistant", "content": "so far so go'
_BROKEN_EVENT = b'data: {"choices":[{"delta":{"content":"so far so go\n\n'
_PROXY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_ARRIVAL = 0.02  # seconds a client gets to read the headers before the reset overtakes them


async def misbehave(fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request with its fault."""
    if fault.kind in _INSTEAD:
        await _INSTEAD[fault.kind](fault, scope, receive, send)
    elif fault.kind == "slow":
        await asyncio.sleep(float(fault.detail))
        await app(scope, receive, send)
    elif fault.kind == "reset" and not fault.detail:
        reset(scope)
        await _gone(receive)
    else:
        await app(scope, receive, _Spoiled(fault, scope, send))


async def _refuse(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    code = native_code(fault.detail) if fault.detail else code_for_status(fault.status)
    headers = {"retry-after": fault.retry_after} if fault.retry_after else {}
    raise Refusal(code, status=fault.status, headers=headers)


async def _framed(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    raise Refusal("DataInspectionFailed", reached=True, framed=True)


async def _proxy_page(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await HTMLResponse(_PROXY_PAGE, 502)(scope, receive, send)


async def _nothing(fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"", media_type="application/json")(scope, receive, send)


_INSTEAD: dict[str, Callable[[Fault, Scope, Receive, Send], Awaitable[None]]] = {
    STATUS: _refuse,
    "sse400": _framed,
    "html": _proxy_page,
    "empty": _nothing,
}


class _Spoiled:
    """A `send` that passes a good beginning on and then does what the fault says. After that it is deaf."""

    def __init__(self, fault: Fault, scope: Scope, send: Send) -> None:
        self.fault = fault
        self.scope = scope
        self.send = send
        self.start: Message = {}
        self.streamed = False
        self.events = 0
        self.over = False

    async def __call__(self, message: Message) -> None:
        if self.over:
            await asyncio.sleep(0)  # lets the loop notice that the connection has gone
        elif message["type"] == "http.response.start":
            await self._begin(message)
        elif self.streamed:
            await self._event(message)
        else:
            await self._plain(message["body"])

    async def _begin(self, start: Message) -> None:
        self.start = start
        self.streamed = any(value.startswith(b"text/event-stream") for _, value in start["headers"])
        if self.fault.kind == "reset":
            await self.send(start)
            self.over = True
            await asyncio.sleep(_ARRIVAL)
            reset(self.scope)
        elif self.streamed:
            await self.send(start)

    async def _event(self, message: Message) -> None:
        if self.fault.kind == "garbage" and self.events == 1:
            await self._pass(_BROKEN_EVENT)
        elif self.fault.kind == "cut" and self.events == int(self.fault.detail):
            self._close()
            return
        elif self.fault.kind == "error" and self.events == int(self.fault.detail):
            self.over = True
            await self._pass(error_event(Refusal("InternalError"), self.scope, self.events + 1), last=True)
            return
        self.events += 1
        await self.send(message)

    async def _plain(self, body: bytes) -> None:
        """A plain answer comes in one piece, and its start was held back until now."""
        if self.fault.kind == "error":
            raise Refusal("InternalError")
        if self.fault.kind == "garbage":
            body = _BROKEN
            length = (b"content-length", str(len(body)).encode())
            self.start["headers"] = [pair for pair in self.start["headers"] if pair[0] != length[0]] + [length]
        await self.send(self.start)
        if self.fault.kind == "cut":
            await self._pass(body[: len(body) // 2])
            self._close()
        else:
            await self._pass(body, last=True)

    async def _pass(self, body: bytes, last: bool = False) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": not last})

    def _close(self) -> None:
        """Send what is written and close, without the end that the body's framing asks for."""
        self.over = True
        _transport(self.scope).close()


def error_event(refusal: Refusal, scope: Scope, number: int = 1) -> bytes:
    """A failure that happens when the stream has begun, as the service reports it on this path."""
    if is_responses(scope["path"]):
        from qwenkit.sandbox.response_events import failed

        told = refusal.flat(scope["state"]["request_id"])
        response = {"id": f"resp_{told.pop('request_id')}", "object": "response", "status": "failed", "output": []}
        return b"".join(failed({**response, "error": told}, number - 1))
    if scope["path"].startswith("/api/v1/"):
        from qwenkit.sandbox.native_answers import frame

        status = f"status:{refusal.status}\n"  # a field only the official SDK knows
        return frame(number, "error", refusal.status, refusal.flat(scope["state"]["request_id"]), status)
    return f"data: {json.dumps({'error': refusal.in_band()}, ensure_ascii=False)}\n\n".encode()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def reset(scope: Scope) -> None:
    """Close with a TCP reset: lingering for zero seconds throws away what is still unsent."""
    transport = _transport(scope)
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _transport(scope: Scope) -> Any:
    return scope["state"]["transport"]
