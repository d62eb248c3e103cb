"""The socket side: uvicorn with a prompt goodbye, and connections that a fault can reach. Imported only at start.

Stock uvicorn looks ten times a second whether it should leave and then waits for its connections; here an event wakes
it, open connections are dropped and running answers cancelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from concurrent.futures import Future
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

SOCKET = "/api-ws/v1/realtime"
LARGEST_FRAME = 24 * 1024 * 1024  # an append of 15 MiB, in base64
_QUIET = logging.getLogger("qwenkit.sandbox")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False  # a malformed request is answered with 400, and is nobody's log line


class Connection(H11Protocol):
    """One client. Requests find its transport in their state, which is how a fault closes or resets it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.access_log = False
        self.logger = _QUIET

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)

    def _should_upgrade(self) -> bool:
        """Only one path has a socket; a handshake anywhere else is a request like any other."""
        return self.scope["path"] == SOCKET and super()._should_upgrade()


class Talk(WebSocketsSansIOProtocol):
    """One realtime socket. What goes wrong with it is told by the session, or is the client's to know."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.logger = _QUIET


class Listener(uvicorn.Server):
    """A uvicorn server that leaves when told to. `leave` belongs to its loop: call it there."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                interface="asgi3",
                http=Connection,
                ws=Talk,
                ws_max_size=LARGEST_FRAME,
                ws_ping_interval=None,
                ws_per_message_deflate=False,
                loop="asyncio",
                lifespan="off",
                log_config=None,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=75,
            )
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = asyncio.Event()

    async def listen(self, bound: socket.socket, started: Future[None]) -> None:
        """Serve on a bound socket until `leave`; tells `started` when it does."""
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(started.set_result, None)
        await self.serve(sockets=[bound])

    def leave(self) -> None:
        """Ask it to stop, from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # its loop has ended already
                self._loop.call_soon_threadsafe(self._leaving.set)

    async def main_loop(self) -> None:
        await self._leaving.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in self.servers:
            await server.wait_closed()
