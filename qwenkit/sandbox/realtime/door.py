"""The door of the realtime socket: who may enter, and which kind of session the model asked for has."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from qwenkit.sandbox.service import Service


async def enter(service: Service, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse in the handshake, or serve one session to its end."""
    await receive()
    await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})
