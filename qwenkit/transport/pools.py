"""Connections: where httpx begins and ends.

The drivers talk to httpx's transports directly, below its `Client`: redirects, cookies and auth flows are not wanted
here, and a third of the time of a short call goes with them. Proxies and certificates come from the environment, the
way every other tool on the machine reads them.

The async pool of httpx walks all its connections on each request, so one large pool costs more the busier it is.
`ShardedTransport` keeps several small ones behind one face and sends each request to the first with room.
"""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx

SHARD_SIZE = 8  # connections per pool; the walk stays short
MOST_SHARDS = 32  # 256 connections; past that requests share the least busy pool and wait there


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


class ShardedTransport:
    """Several small async pools behind one face."""

    def __init__(self, url: str) -> None:
        self._proxy = proxy_for(url)
        self._tls = tls_for(url, self._proxy)
        self._shards: list[_Shard] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        shard = self._roomy()
        shard.busy += 1
        try:
            response = await shard.transport.handle_async_request(request)
        except BaseException:
            shard.busy -= 1
            raise
        response.stream = _Counted(response.stream, shard)
        return response

    async def aclose(self) -> None:
        shards, self._shards = self._shards, []
        for shard in shards:
            await shard.transport.aclose()

    def _roomy(self) -> _Shard:
        for shard in self._shards:
            if shard.busy < SHARD_SIZE:
                return shard
        if len(self._shards) < MOST_SHARDS:
            self._shards.append(_Shard(self._tls, self._proxy))
            return self._shards[-1]
        return min(self._shards, key=lambda shard: shard.busy)


class _Shard:
    __slots__ = ("busy", "transport")

    def __init__(self, tls: ssl.SSLContext | bool, proxy: str | None) -> None:
        limits = httpx.Limits(max_connections=SHARD_SIZE, max_keepalive_connections=SHARD_SIZE)
        self.transport = httpx.AsyncHTTPTransport(verify=tls, proxy=proxy, limits=limits)
        self.busy = 0


class _Counted(httpx.AsyncByteStream):
    """An answer's body that gives its place back when it is closed, once."""

    def __init__(self, stream: Any, shard: _Shard) -> None:
        self._stream = stream
        self._shard: _Shard | None = shard

    def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: AsyncIterator[bytes] = self._stream.__aiter__()
        return chunks

    async def aclose(self) -> None:
        shard, self._shard = self._shard, None
        if shard is not None:
            shard.busy -= 1
        await self._stream.aclose()
