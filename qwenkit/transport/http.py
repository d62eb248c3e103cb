"""The two drivers: short loops that run a flow, one blocking, one awaited.

A flow yields requests and pauses; a driver sends and sleeps. Everything that decides anything is in the flow. The only
other duty here is to say in our own words why no answer came.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import Any, TypeVar

import httpx

from qwenkit.errors import QwenError, TransportError
from qwenkit.protocol.flow import Answer, Flow, Pause, Request
from qwenkit.transport import pools
from qwenkit.transport.observer import Observer, Watches

T = TypeVar("T")


class Driver:
    """Runs flows in the calling thread. Safe to share between threads; needs no loop and starts no thread."""

    def __init__(self, url: str, observers: list[Observer]) -> None:
        self._observers = observers
        self._transport = pools.sync_transport(url)

    def run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._take(step)
                except QwenError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as over:
            result: T = over.value
            return result

    def _take(self, step: Request | Pause) -> Answer | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        watches = Watches(tuple(self._observers), step)
        try:
            response = self._transport.handle_request(_outgoing(step))
            watches.answered(response.status_code, response.headers)
            if step.stream and response.status_code < 300:
                return Answer(response.status_code, response.headers, opened=OpenBody(response, watches))
            body = _read(response)
        except httpx.HTTPError as error:
            watches.failed(error)
            raise _translated(error, step) from error
        except BaseException as error:
            watches.failed(error)
            raise
        watches.received(body)
        watches.finished()
        return Answer(response.status_code, response.headers, body)

    def close(self) -> None:
        self._transport.close()


class AsyncDriver:
    """Runs flows on whichever loop awaits it. Each loop has its own connections, so `asyncio.run` twice is fine."""

    def __init__(self, url: str, observers: list[Observer]) -> None:
        self._url = url
        self._observers = observers
        self._transports: weakref.WeakKeyDictionary[Any, pools.ManyPools] = weakref.WeakKeyDictionary()

    async def run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._take(step)
                except QwenError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as over:
            result: T = over.value
            return result

    async def _take(self, step: Request | Pause) -> Answer | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        watches = Watches(tuple(self._observers), step)
        try:
            response = await self._transport().handle_async_request(_outgoing(step))
            watches.answered(response.status_code, response.headers)
            if step.stream and response.status_code < 300:
                return Answer(response.status_code, response.headers, opened=AsyncOpenBody(response, watches))
            body = await _aread(response)
        except httpx.HTTPError as error:
            watches.failed(error)
            raise _translated(error, step) from error
        except BaseException as error:
            watches.failed(error)
            raise
        watches.received(body)
        watches.finished()
        return Answer(response.status_code, response.headers, body)

    def _transport(self) -> pools.ManyPools:
        loop = asyncio.get_running_loop()
        transport = self._transports.get(loop)
        if transport is None:
            transport = self._transports[loop] = pools.ManyPools(self._url)
        return transport

    async def close(self) -> None:
        transport = self._transports.pop(asyncio.get_running_loop(), None)
        if transport is not None:
            await transport.aclose()


class OpenBody:
    """The open body of a streamed answer: iterate it once for byte chunks; `close` is always safe."""

    def __init__(self, response: httpx.Response, watches: Watches) -> None:
        self._response = response
        self._watches = watches

    def __iter__(self) -> Iterator[bytes]:
        chunks: Any = self._response.iter_bytes() if _encoded(self._response) else self._response.stream
        try:
            for chunk in chunks:
                if self._watches:
                    self._watches.received(chunk)
                yield chunk
            self._watches.finished()
        except httpx.HTTPError as error:
            self._watches.failed(error)
            raise _translated(error) from error
        finally:
            self.close()

    def close(self) -> None:
        self._response.close()


class AsyncOpenBody:
    """The awaited twin of `OpenBody`."""

    def __init__(self, response: httpx.Response, watches: Watches) -> None:
        self._response = response
        self._watches = watches

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: Any = self._response.aiter_bytes() if _encoded(self._response) else self._response.stream
        try:
            async for chunk in chunks:
                if self._watches:
                    self._watches.received(chunk)
                yield chunk
            self._watches.finished()
        except httpx.HTTPError as error:
            self._watches.failed(error)
            raise _translated(error) from error
        finally:
            await self.close()

    async def close(self) -> None:
        await self._response.aclose()


def _outgoing(request: Request) -> httpx.Request:
    """The request as httpx sends it. The key enters here and nowhere else."""
    headers = request.headers
    if request.key:
        headers = {**headers, "Authorization": f"Bearer {request.key.reveal()}"}
    seconds = request.timeout
    patience = {"connect": min(seconds, 15.0), "read": seconds, "write": seconds, "pool": seconds}
    url = _parsed(request.url)
    return httpx.Request(request.method, url, headers=headers, content=request.body, extensions={"timeout": patience})


@lru_cache(maxsize=64)
def _parsed(url: str) -> httpx.URL:
    """Parsing an address costs as much as reading a short answer; a client uses the same few again and again."""
    return httpx.URL(url)


def _encoded(response: httpx.Response) -> bool:
    return "content-encoding" in response.headers


def _read(response: httpx.Response) -> bytes:
    if _encoded(response):
        return response.read()
    try:
        chunks: Any = response.stream
        return b"".join(chunks)
    finally:
        response.close()


async def _aread(response: httpx.Response) -> bytes:
    if _encoded(response):
        return await response.aread()
    try:
        chunks: Any = response.stream
        return b"".join([chunk async for chunk in chunks])
    finally:
        await response.aclose()


def _translated(error: httpx.HTTPError, request: Request | None = None) -> TransportError:
    """Our error for what httpx says."""
    told = str(error) or type(error).__name__
    kind = _kind(error, told)
    message, hint = _WORDS[kind]
    return TransportError(message.format(told=told), kind=kind, hint=hint, request=request.name if request else "")


def _kind(error: httpx.HTTPError, told: str) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "connect"
    if isinstance(error, httpx.TimeoutException):
        return "timeout"
    if isinstance(error, httpx.ProxyError):
        return "proxy"
    if isinstance(error, httpx.ConnectError):
        if any(sign in told for sign in _NAME_SIGNS):
            return "dns"
        return "tls" if "SSL" in told or "CERTIFICATE" in told.upper() else "connect"
    if isinstance(error, httpx.ReadError | httpx.WriteError | httpx.RemoteProtocolError):
        return "reset"
    return "protocol"


_NAME_SIGNS = ("Name or service", "getaddrinfo", "nodename", "name resolution", "No address associated")

_WORDS = {
    "dns": (
        "the host name could not be found ({told})",
        "check the network and base_url; without a network use qk.sandbox()",
    ),
    "tls": ("the secure connection failed ({told})", "a proxy may replace certificates: set SSL_CERT_FILE to its root"),
    "proxy": ("the proxy refused ({told})", "check HTTPS_PROXY; set NO_PROXY for hosts that need none"),
    "connect": ("no connection could be made ({told})", "check base_url and the network; is the service running?"),
    "timeout": ("no answer came in time ({told})", "raise timeout=…, or stream so that words come as they are made"),
    "reset": (
        "the connection broke before the answer was whole ({told})",
        "try again; a stream keeps what had arrived",
    ),
    "protocol": ("the answer could not be read ({told})", "something between you and the service rewrites its answers"),
}
