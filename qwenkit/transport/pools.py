"""Async connections: many pools of one connection each, behind one face.

The async pool of httpx walks all its connections at the start and end of each request, so one large pool costs more
the busier it is. With one connection per pool there is nothing to walk. Who comes when all are taken waits in line and
gets the next one that is given back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx

from qwenkit.transport.crossing import proxy_for, tls_for

MOST_CONNECTIONS = 256
MOST_IDLE = 64  # connections kept warm between bursts
_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)

Pool = httpx.AsyncHTTPTransport


class ManyPools:
    """One-connection pools, the warmest used first. Lives on one event loop."""

    def __init__(self, url: str) -> None:
        self._proxy = proxy_for(url)
        self._tls = tls_for(url, self._proxy)
        self._idle: list[Pool] = []
        self._busy: set[Pool] = set()
        self._waiting: deque[asyncio.Future[Pool]] = deque()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        pool = await self._take()
        try:
            response = await pool.handle_async_request(request)
        except BaseException:
            await self._give_back(pool)
            raise
        stream: Any = response.stream
        response.stream = _Lent(stream, lambda: self._give_back(pool))
        return response

    async def aclose(self) -> None:
        pools, self._idle, self._busy = [*self._idle, *self._busy], [], set()
        for pool in pools:
            await pool.aclose()

    async def _take(self) -> Pool:
        if self._idle:
            pool = self._idle.pop()
        elif len(self._busy) < MOST_CONNECTIONS:
            pool = Pool(verify=self._tls, proxy=self._proxy, limits=_ONE)
        else:
            pool = await self._in_line()
        self._busy.add(pool)
        return pool

    async def _in_line(self) -> Pool:
        place: asyncio.Future[Pool] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # our turn came in the same moment: pass it on
                await self._give_back(place.result())
            raise

    async def _give_back(self, pool: Pool) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(pool)
                return
        if pool not in self._busy:  # closed with all the others meanwhile
            return
        self._busy.discard(pool)
        if len(self._idle) < MOST_IDLE:
            self._idle.append(pool)
        else:
            await pool.aclose()


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
