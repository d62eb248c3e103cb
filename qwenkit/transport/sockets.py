"""Where websockets begins and ends: a socket that is dialled, sends text, gives back bytes, and says why it closed.

Frames come as the bytes they are, because what reads them wants no text. A refused handshake is the API's typed error
with its status; no connection at all is a `TransportError`. Who traces sees every frame, and may begin to look while
the socket is open already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from qwenkit.errors import APIError, ConfigError, TransportError
from qwenkit.protocol import failures
from qwenkit.protocol.flow import Request
from qwenkit.transport.observer import Observer, Watch

MAX_FRAME = 32 * 1024 * 1024
_QUEUED_FRAMES = 256  # read ahead of whoever receives; then the service has to wait
_PING_SECONDS = 20.0
_CLOSING_SECONDS = 0.5
_LOST = 1006  # the connection broke: nobody said goodbye
_GOING = {1001, _LOST, 1011, 1012, 1013, 1014}  # closed in a way that may be better the next time
IDLE = "no response was generated"


class Closed(Exception):
    """The socket is closed: its code and the reason the other side gave. 1006 when it just broke."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


def may_heal(gone: Closed) -> bool:
    """Whether a new socket may do better: broken ones, overloaded ones, and sessions that had been idle."""
    return gone.code in _GOING or (gone.code == 1007 and IDLE in gone.reason)


class Socket:
    """An open WebSocket. `closed` is its code and reason once it is not."""

    def __init__(self, connection: Any, request: Request, observers: list[Observer]) -> None:
        self._connection = connection
        self._request = request
        self._observers = observers
        self._watches: dict[int, Watch | None] = {}
        self.closed: tuple[int, str] | None = None
        if observers:
            self._watching()

    async def send(self, text: str) -> None:
        """Send one frame; waits while the other side does not read."""
        if self._observers:
            self._tell(text.encode(), sent=True)
        try:
            await self._connection.send(text)
        except Exception as error:
            raise self._gone(error) from None

    async def receive(self) -> bytes:
        """The next frame. `Closed` when there are no more."""
        try:
            frame: bytes = await self._connection.recv(decode=False)
        except Exception as error:
            raise self._gone(error) from None
        if self._observers:
            self._tell(frame, sent=False)
        return frame

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye, and go whether or not anyone answers."""
        try:
            await asyncio.wait_for(self._connection.close(code, reason), 2 * _CLOSING_SECONDS)
        except TimeoutError:
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Let go of the connection without a word."""
        self._connection.transport.abort()
        self._over(1000, "")

    def _gone(self, error: Exception) -> Closed:
        told = getattr(error, "rcvd", None) or getattr(error, "sent", None)
        self._over(*(self.closed or ((told.code, told.reason) if told is not None else (_LOST, ""))))
        return Closed(*(self.closed or (_LOST, "")))

    def _over(self, code: int, reason: str) -> None:
        if self.closed is not None:
            return
        self.closed = (code, reason)
        for watch in filter(None, self._watches.values()):
            watch.finished()

    def _tell(self, frame: bytes, *, sent: bool) -> None:
        for watch in self._watching():
            noted = getattr(watch, "frame", None)
            if noted is not None:
                noted(frame, sent)

    def _watching(self) -> list[Watch | None]:
        for each in list(self._observers):
            if id(each) not in self._watches:
                watch = self._watches[id(each)] = each.sending(self._request)
                if watch is not None:
                    watch.answered(101, self._connection.response.headers)
        return [self._watches.get(id(each)) for each in self._observers]


async def dial(url: str, *, key: Any, headers: Mapping[str, str], timeout: float, observers: list[Observer]) -> Socket:
    """Open a socket. Proxies and certificates come from the environment, as for every other call."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    from qwenkit.transport.crossing import bare, proxy_for, tls_for

    request = Request("GET", url, dict(headers), key=key, timeout=timeout)
    address = "http" + url.removeprefix("ws")
    proxy = proxy_for(address)
    carried = {**headers, "Authorization": f"Bearer {key.reveal()}"} if key else dict(headers)
    agent = carried.pop("User-Agent", "qwenkit")
    options: dict[str, Any] = {"ssl": tls_for(address, proxy)} if url.startswith("wss:") else {}
    options |= {"compression": None, "max_size": MAX_FRAME, "max_queue": _QUEUED_FRAMES, "open_timeout": timeout}
    options |= {"ping_interval": _PING_SECONDS, "ping_timeout": _PING_SECONDS, "close_timeout": _CLOSING_SECONDS}
    try:
        connection = await connect(url, additional_headers=carried, user_agent_header=agent, proxy=proxy, **options)
    except InvalidStatus as refused:
        raise _told(_refused(refused.response, request), request, observers) from None
    except ImportError as missing:
        raise ConfigError("a socket cannot go through this proxy", hint=str(missing)) from None
    except Exception as error:
        bare(error)  # the frames below hold the headers, and so the key
        raise _told(_failure(error, request), request, observers) from error
    return Socket(connection, request, observers)


def _refused(response: Any, request: Request) -> APIError:
    from qwenkit.transport.crossing import told

    body = told(bytes(response.body or b""), request)
    return failures.build(response.status_code, response.headers, body, request=request.name)


def _told(error: APIError | TransportError, request: Request, observers: list[Observer]) -> APIError | TransportError:
    """The error, after whoever traces has seen it."""
    for watch in filter(None, [each.sending(request) for each in list(observers)]):
        if isinstance(error, APIError) and error.status:
            watch.answered(error.status, {})
            watch.received(error.raw.encode())
        watch.failed(error)
    return error


def _failure(error: Exception, request: Request) -> TransportError:
    """Our error for what the network says."""
    from qwenkit.transport.crossing import nameless, worded

    told, name = str(error) or type(error).__name__, type(error).__name__
    kinds = {
        "timeout": isinstance(error, TimeoutError),
        "proxy": name.startswith(("InvalidProxy", "ProxyError")),
        "tls": "SSL" in name or "CERTIFICATE" in told.upper(),
        "reset": isinstance(error, EOFError | ConnectionResetError) or isinstance(error.__cause__, EOFError | OSError),
        "dns": isinstance(error, OSError) and nameless(told),
        "connect": isinstance(error, OSError),
    }
    return worded(next((kind for kind, is_it in kinds.items() if is_it), "protocol"), told, request)
