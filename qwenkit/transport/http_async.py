"""The awaited driver: the same short loop, on whichever event loop awaits it. See `qwenkit.transport.http`."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import httpx

from qwenkit.errors import QwenError
from qwenkit.protocol.flow import Answer, Flow, Pause, Request
from qwenkit.transport.crossing import bare, encoded, outgoing, told, translated
from qwenkit.transport.observer import Observer, Watches
from qwenkit.transport.pools import ManyPools

T = TypeVar("T")


class AsyncDriver:
    """Runs flows on whichever loop awaits it. Each loop has its own connections, so `asyncio.run` twice is fine."""

    def __init__(self, url: str, observers: list[Observer]) -> None:
        self._url = url
        self._observers = observers
        self._transports: weakref.WeakKeyDictionary[Any, ManyPools] = weakref.WeakKeyDictionary()

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
        finally:
            flow.close()  # an interrupted call books itself as failed now, not when the traceback is forgotten

    async def _take(self, step: Request | Pause) -> Answer | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        watches = Watches(tuple(self._observers), step)
        try:
            response = await self._transport().handle_async_request(outgoing(step))
            watches.answered(response.status_code, response.headers)
            if step.stream and response.status_code < 300:
                return Answer(response.status_code, response.headers, opened=AsyncOpenBody(response, watches))
            body = told(await _aread(response), response.status_code, step)
        except httpx.HTTPError as error:
            watches.failed(error)
            raise translated(error, step) from bare(error)
        except BaseException as error:
            watches.failed(error)
            raise bare(error)  # noqa: B904 - the same error, without the frames below
        watches.received(body)
        watches.finished()
        return Answer(response.status_code, response.headers, body)

    def _transport(self) -> ManyPools:
        loop = asyncio.get_running_loop()
        transport = self._transports.get(loop)
        if transport is None:
            transport = self._transports[loop] = ManyPools(self._url)
        return transport

    async def close(self) -> None:
        transport = self._transports.pop(asyncio.get_running_loop(), None)
        if transport is not None:
            await transport.aclose()


class AsyncOpenBody:
    """The awaited twin of `OpenBody`."""

    def __init__(self, response: httpx.Response, watches: Watches) -> None:
        self._response = response
        self._watches = watches

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: Any = self._response.aiter_bytes() if encoded(self._response) else self._response.stream
        try:
            async for chunk in chunks:
                if self._watches:
                    self._watches.received(chunk)
                yield chunk
            self._watches.finished()
        except httpx.HTTPError as error:
            self._watches.failed(error)
            raise translated(error) from bare(error)
        finally:
            await self.close()

    async def close(self) -> None:
        await self._response.aclose()


async def _aread(response: httpx.Response) -> bytes:
    try:
        if encoded(response):
            return await response.aread()
        chunks: Any = response.stream
        return b"".join([chunk async for chunk in chunks])
    finally:
        await response.aclose()
