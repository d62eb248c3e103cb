"""Connections: where httpx begins and ends.

The drivers talk to httpx's transports directly, below its `Client`: redirects, cookies and auth flows are not wanted
here, and a third of the time of a short call goes with them. Proxies and certificates come from the environment, the
way every other tool on the machine reads them.

The async pool of httpx walks all its connections at the start and end of each request, so one large pool costs more
the busier it is. `ManyPools` keeps pools of a single connection each behind one face, which leaves nothing to walk.
"""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx

MOST_CONNECTIONS = 256  # past that a request waits inside a busy pool
MOST_IDLE = 64  # connections kept warm between bursts


def proxy_for(url: str) -> str | None:
    """The proxy the environment names for this address, or None."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")


def tls_for(url: str, proxy: str | None) -> ssl.SSLContext | bool:
    """A verifying context for https. Plain http to this machine never needs the (slow to load) certificates."""
    if url.startswith("https") or proxy:
        return httpx.create_ssl_context()
    return False


def sync_transport(url: str) -> httpx.HTTPTransport:
    proxy = proxy_for(url)
    return httpx.HTTPTransport(verify=tls_for(url, proxy), proxy=proxy)


class ManyPools:
    """Many one-connection pools behind one face, the warmest used first."""

    def __init__(self, url: str) -> None:
        self._proxy = proxy_for(url)
        self._tls = tls_for(url, self._proxy)
        self._idle: list[_Pool] = []
        self._busy: dict[_Pool, None] = {}  # in the order they were last given out

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        pool = self._take()
        try:
            response = await pool.transport.handle_async_request(request)
        except BaseException:
            await self._give_back(pool)
            raise
        stream: Any = response.stream
        response.stream = _Lent(stream, lambda: self._give_back(pool))
        return response

    async def aclose(self) -> None:
        pools, self._idle = {*self._idle, *self._busy}, []
        self._busy.clear()
        for pool in pools:
            await pool.transport.aclose()

    def _take(self) -> _Pool:
        """The pool used last, a new one, or, when there are enough, one that is busy: the request waits inside it."""
        if self._idle:
            pool = self._idle.pop()
        elif len(self._busy) < MOST_CONNECTIONS:
            pool = _Pool(self._tls, self._proxy)
        else:
            pool = next(iter(self._busy))
            del self._busy[pool]
        self._busy[pool] = None
        pool.users += 1
        return pool

    async def _give_back(self, pool: _Pool) -> None:
        pool.users -= 1
        if pool.users or pool not in self._busy:  # still in use, or closed with the rest meanwhile
            return
        del self._busy[pool]
        if len(self._idle) < MOST_IDLE:
            self._idle.append(pool)
        else:
            await pool.transport.aclose()


class _Pool:
    """One connection, and how many requests are using or awaiting it."""

    __slots__ = ("transport", "users")

    def __init__(self, tls: ssl.SSLContext | bool, proxy: str | None) -> None:
        self.transport = httpx.AsyncHTTPTransport(verify=tls, proxy=proxy, limits=_ONE)
        self.users = 0


_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)


class _Lent(httpx.AsyncByteStream):
    """An answer's body that gives its connection back when it is closed, once."""

    def __init__(self, stream: httpx.AsyncByteStream, give_back: Callable[[], Awaitable[None]]) -> None:
        self._stream = stream
        self._give_back: Callable[[], Awaitable[None]] | None = give_back

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._stream.__aiter__()

    async def aclose(self) -> None:
        give_back, self._give_back = self._give_back, None
        try:
            await self._stream.aclose()
        finally:
            if give_back is not None:
                await give_back()
