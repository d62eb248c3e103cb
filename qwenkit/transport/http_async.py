"""The awaited driver: the same short loop, on whichever event loop awaits it. See `qwenkit.transport.http`."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, TypeAlias, TypeVar

import httpx

from qwenkit.errors import QwenError
from qwenkit.protocol.flow import Answer, Flow, Pause, Request, Run, Step, Together
from qwenkit.transport.crossing import Crossing, encoded, outgoing, told, within
from qwenkit.transport.observer import Observer, Watches
from qwenkit.transport.pools import ManyPools
from qwenkit.transport.working import work_async

T = TypeVar("T")
_Homes: TypeAlias = "weakref.ref[weakref.WeakKeyDictionary[Any, _Home]]"


class AsyncDriver:
    """Runs flows on whichever loop awaits it. Each loop has its own connections, so `asyncio.run` twice is fine.

    Connections live in an async generator, because a loop ends those it has begun: they close with `asyncio.run`, with
    `close`, or when the driver is forgotten, whichever comes first.
    """

    def __init__(self, url: str, observers: list[Observer]) -> None:
        self._url = url
        self._observers = observers
        self._homes: weakref.WeakKeyDictionary[Any, _Home] = weakref.WeakKeyDictionary()

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

    async def _take(self, step: Step) -> Any:
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        if isinstance(step, Together):
            return await self._together(step)
        if isinstance(step, Run):
            return await work_async(step.jobs)
        return await self._exchange(step)

    async def _together(self, step: Together) -> list[Any]:
        outcomes: dict[int, Any] = {}
        waiting = enumerate(step.flows)

        async def work() -> None:
            for place, flow in waiting:
                try:
                    outcomes[place] = await self.run(flow)
                except Exception as error:
                    outcomes[place] = error

        async with asyncio.TaskGroup() as group:  # whoever is cancelled cancels, and waits for, them all
            for _ in range(step.most):
                group.create_task(work())
        return [outcomes[place] for place in sorted(outcomes)]

    async def _exchange(self, step: Request) -> Answer:
        watches = Watches(tuple(self._observers), step)
        with Crossing(watches, step):
            transport = await self._transport()
            response = await transport.handle_async_request(outgoing(step))
            watches.answered(response.status_code, response.headers)
            if step.stream and response.status_code < 300:
                return Answer(response.status_code, response.headers, opened=AsyncOpenBody(response, watches))
            body = told(await _aread(response, step.most), step)
        watches.received(body)
        watches.finished()
        return Answer(response.status_code, response.headers, body)

    async def _transport(self) -> ManyPools:
        loop = asyncio.get_running_loop()
        home = self._homes.get(loop)
        if home is None:
            home = self._homes[loop] = _Home(self._url, weakref.ref(self._homes))
            await anext(home.life)
        return home.pools

    async def close(self) -> None:
        home = self._homes.pop(asyncio.get_running_loop(), None)
        if home is not None:
            await home.life.aclose()


class _Home:
    """The connections of one loop, and the generator whose end closes them."""

    __slots__ = ("life", "pools")

    def __init__(self, url: str, homes: _Homes) -> None:
        self.pools = ManyPools(url)
        self.life = _life(self.pools, homes)


async def _life(pools: ManyPools, homes: _Homes) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        # A begun generator holds its loop; it must leave the book itself, or no ended loop would ever be let go.
        if (held := homes()) is not None:
            held.pop(asyncio.get_running_loop(), None)
        await pools.aclose()


class AsyncOpenBody:
    """The awaited twin of `OpenBody`."""

    def __init__(self, response: httpx.Response, watches: Watches) -> None:
        self._response = response
        self._watches = watches

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks: Any = aiter(self._response.aiter_bytes() if encoded(self._response) else self._response.stream)  # type: ignore[arg-type]
        try:
            with Crossing(self._watches):
                async for chunk in chunks:
                    if self._watches:
                        self._watches.received(chunk)
                    yield chunk
                self._watches.finished()
        finally:
            await chunks.aclose()  # left to itself it would be closed by a task, later
            await self.close()

    async def close(self) -> None:
        await self._response.aclose()


async def _aread(response: httpx.Response, most: int | None) -> bytes:
    try:
        within(response.headers.get("content-length"), most)
        if encoded(response):
            return await response.aread()
        stream: Any = response.stream
        chunks, size = [], 0
        async for chunk in stream:
            chunks.append(chunk)
            size += len(chunk)
            within(size, most)
        return b"".join(chunks)
    finally:
        await response.aclose()
