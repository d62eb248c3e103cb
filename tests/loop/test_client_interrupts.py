"""Stopping a cell: whenever it happens, the client stays usable, the books are right, and nothing is left behind."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from remains import tasks, threads
from wayward import WORDS, Wayward, answers, half, refuses, stalls, streams

import qwenkit as qk
from qwenkit.protocol.flow import Request

pytestmark = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="interrupts another thread by signal")

LATER = refuses(429, "limit_requests", retry_after="30")
STALLED = streams(*WORDS[:2], then=stalls)
# Where a call is when it is stopped: what the server does, and whether the call is a stream.
STATES: dict[str, tuple[Any, bool]] = {
    "before the headers": (stalls, False),
    "before the headers of a stream": (stalls, True),
    "in the middle of a body": (half, False),
    "in the middle of a stream": (STALLED, True),
    "in a pause between two tries": (LATER, False),
    "in a pause before a stream": (LATER, True),
}


class Moment:
    """Knows when a call is where it should be stopped: an observer, and the jitter that a pause asks for."""

    def __init__(self) -> None:
        self.come = threading.Event()
        self.awaited = ""

    def sending(self, request: Request) -> Moment:
        self._happens("sent")
        return self

    def answered(self, status: int, headers: Any) -> None:
        self._happens("answered")

    def received(self, chunk: bytes) -> None:
        if b"turns" in chunk:
            self._happens("received")

    def finished(self) -> None: ...

    def failed(self, error: BaseException) -> None: ...

    def paused(self) -> float:
        self._happens("paused")
        return 0.0

    def _happens(self, what: str) -> None:
        if what == self.awaited:
            self.come.set()


def moment_of(state: str) -> Moment:
    moment = Moment()
    moment.awaited = {"before": "sent", "body": "answered", "stream": "received"}.get(
        "before" if state.startswith("before") else "body" if state.endswith("body") else "stream", ""
    )
    if "pause" in state:
        moment.awaited = "paused"
    return moment


@contextmanager
def client(server: Wayward, moment: Moment) -> Iterator[qk.Client]:
    qwen = qk.Client(api_key="sk-0123456789abcdef", base_url=server.url, budget=1, timeout=8)

    def wait(retry: int, asked: float | None) -> float:
        moment.paused()
        return 30.0

    class Slow(type(qwen._core.patience)):  # type: ignore[misc]
        def pause(self, retry: int, asked: float | None) -> float:
            return wait(retry, asked)

    facts = msgspec.structs.asdict(qwen._core.patience)
    qwen._core.patience = Slow(**facts)
    qwen._core.observers.append(moment)
    before = threads()
    with qwen:
        yield qwen
    assert threads() <= before


def check(qwen: qk.Client, server: Wayward) -> None:
    """The stopped call is booked as failed, its reservation is gone, and so is its connection."""
    assert [entry.ok for entry in qwen.usage] == [False]
    assert qwen._core.accounts._reserved == 0.0
    assert server.open <= 1  # a pause leaves the finished exchange's connection idle, which is right


@contextmanager
def stopped(moment: Moment) -> Iterator[None]:
    """Interrupts the main thread, as Jupyter's stop button does, a little after the moment has come."""

    def press() -> None:
        if moment.come.wait(8):
            time.sleep(0.03)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    finger = threading.Thread(target=press, daemon=True)
    finger.start()
    with pytest.raises(KeyboardInterrupt):
        yield
    finger.join()


@pytest.mark.parametrize("state", STATES)
def test_the_stop_button_leaves_a_usable_client(state: str):
    act, streamed = STATES[state]
    moment = moment_of(state)
    with Wayward(act, answers()) as server, client(server, moment) as qwen:
        with stopped(moment):
            if streamed:
                with qwen.chat.stream("Hi") as stream:
                    list(stream)
            else:
                qwen.chat("Hi")
        check(qwen, server)
        assert "pause" in state or server.all_hung_up()
        assert qwen.chat("Hi").text == "Seven."
        assert [entry.ok for entry in qwen.usage] == [False, True]
        qwen.close()
        assert server.all_hung_up()


def test_a_stopped_stream_keeps_what_had_arrived():
    moment = moment_of("in the middle of a stream")
    with Wayward(STALLED) as server, client(server, moment) as qwen:
        stream = qwen.chat.stream("Hi")
        with stopped(moment):
            stream.finish()
        assert stream.reply.text == "The tide turns."
        assert server.all_hung_up()


def test_an_error_in_the_users_own_loop_lets_the_connection_go():
    with Wayward(STALLED, answers()) as server, client(server, Moment()) as qwen:
        with pytest.raises(KeyboardInterrupt), qwen.chat.stream("Hi") as stream:
            _stop_at(stream)
        assert server.all_hung_up()
        check(qwen, server)
        assert qwen.chat("Hi").text == "Seven."


def _stop_at(stream: Any) -> None:
    for _ in stream:
        raise KeyboardInterrupt


def test_a_stream_that_is_merely_forgotten_lets_the_connection_go():
    with Wayward(STALLED) as server, client(server, Moment()) as qwen:
        for piece in qwen.chat.stream("Hi"):
            assert piece.text == "The tide"
            break
        assert server.all_hung_up()
        check(qwen, server)


# -- awaited ------------------------------------------------------------------------------------------------------

Call = Callable[[qk.AsyncClient], Awaitable[Any]]


async def ask(aqwen: qk.AsyncClient) -> None:
    await aqwen.chat("Hi")


async def listen(aqwen: qk.AsyncClient) -> None:
    async with aqwen.chat.stream("Hi") as stream:
        async for _ in stream:
            pass


async def when(moment: Moment) -> None:
    while not moment.come.is_set():
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.02)


@pytest.mark.parametrize("state", STATES)
async def test_cancelling_a_task_leaves_a_usable_client(state: str):
    act, streamed = STATES[state]
    moment = moment_of(state)
    with Wayward(act, answers()) as server, client(server, moment) as qwen:
        async with qwen.aio as aqwen:
            task = asyncio.ensure_future((listen if streamed else ask)(aqwen))
            await asyncio.wait_for(when(moment), 8)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            check(qwen, server)
            assert not await tasks()
            assert "pause" in state or server.all_hung_up()
            assert (await aqwen.chat("Hi")).text == "Seven."
        assert server.all_hung_up()
        assert not await tasks()


@pytest.mark.parametrize("call", [ask, listen])
async def test_a_deadline_of_the_callers_is_a_cancellation_like_any_other(call: Call):
    with Wayward(stalls, answers()) as server, client(server, Moment()) as qwen:
        async with qwen.aio as aqwen:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await call(aqwen)
            check(qwen, server)
            assert server.all_hung_up()
            assert (await aqwen.chat("Hi")).text == "Seven."


async def test_cancelling_many_calls_at_once_leaves_none_of_them():
    with Wayward(stalls) as server, client(server, Moment()) as qwen:
        async with qwen.aio as aqwen:
            crowd = [asyncio.ensure_future(ask(aqwen)) for _ in range(20)]
            while server.accepted < 20:
                await asyncio.sleep(0.005)
            for task in crowd:
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
            assert [entry.ok for entry in qwen.usage] == [False] * 20
            assert qwen._core.accounts._reserved == pytest.approx(0.0)
            assert server.all_hung_up()
            assert not await tasks() - set(crowd)


async def test_leaving_an_awaited_stream_early_lets_the_connection_go():
    with Wayward(STALLED, answers()) as server, client(server, Moment()) as qwen:
        async with qwen.aio as aqwen:
            async with aqwen.chat.stream("Hi") as stream:
                async for piece in stream:
                    assert piece.text == "The tide"
                    break
            assert server.all_hung_up()
            assert not await tasks()
            check(qwen, server)
            assert (await aqwen.chat("Hi")).text == "Seven."


async def test_an_awaited_stream_that_is_merely_forgotten_lets_the_connection_go():
    with Wayward(STALLED) as server, client(server, Moment()) as qwen:
        async with qwen.aio as aqwen:
            async for piece in aqwen.chat.stream("Hi"):
                assert piece.text == "The tide"
                break
            assert not await tasks()
            while server.open:
                await asyncio.sleep(0.005)
            check(qwen, server)


@pytest.mark.parametrize("call", [ask, listen])
def test_the_stop_button_under_asyncio_run(call: Call):
    moment = moment_of("before the headers")
    with Wayward(stalls, answers()) as server, client(server, moment) as qwen, warnings.catch_warnings():
        warnings.simplefilter("error")
        with stopped(moment):
            asyncio.run(call(qwen.aio))  # type: ignore[arg-type]
        check(qwen, server)
        assert server.all_hung_up()
        assert asyncio.run(qwen.aio.chat("Hi")).text == "Seven."  # type: ignore[arg-type]
        assert server.all_hung_up()


def test_a_loop_that_ends_while_a_stream_is_open_ends_quietly():
    async def main() -> str:
        async for piece in qwen.aio.chat.stream("Hi"):
            return piece.text
        return ""

    with Wayward(STALLED, STALLED, answers()) as server, client(server, Moment()) as qwen, warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert asyncio.run(main()) == "The tide"
            assert server.all_hung_up()
        assert [entry.ok for entry in qwen.usage] == [False, False]


def test_a_forgotten_client_lets_its_connections_go():
    with Wayward(answers()) as server:
        qwen = qk.Client(api_key="sk-0123456789abcdef", base_url=server.url)
        qwen.chat("Hi")
        assert server.open == 1
        del qwen
        assert server.all_hung_up()


async def test_a_forgotten_awaited_client_lets_its_connections_go():
    with Wayward(answers()) as server:
        qwen = qk.Client(api_key="sk-0123456789abcdef", base_url=server.url)
        await qwen.aio.chat("Hi")
        assert server.open == 1
        del qwen
        assert not await tasks()
        assert server.all_hung_up()
