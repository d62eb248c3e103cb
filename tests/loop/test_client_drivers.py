"""The two drivers under hand-made flows, against a server that does what it is told."""

from __future__ import annotations

import asyncio
import gzip
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from flavours import FLAVOURS, done
from remains import settled, tasks
from wayward import WORDS, Line, Wayward, answers, half, head, refuses, stalls, streams

import qwenkit as qk
from qwenkit import errors
from qwenkit.protocol.flow import Answer, Flow, Pause, Request
from qwenkit.secret import Secret
from qwenkit.transport.http import Driver
from qwenkit.transport.http_async import AsyncDriver


class Running:
    """A driver of either flavour, and the server it talks to."""

    def __init__(self, flavour: str, server: Wayward) -> None:
        self.server = server
        self.observers: list[Any] = []
        self.driver: Any = (Driver if flavour == "sync" else AsyncDriver)(server.url, self.observers)

    async def run(self, flow: Flow[Any]) -> Any:
        return await asyncio.wait_for(self._run(flow), 20)

    async def _run(self, flow: Flow[Any]) -> Any:
        return await done(self.driver.run(flow))

    async def close(self) -> None:
        await done(self.driver.close())

    def request(self, path: str = "/x", **facts: Any) -> Request:
        return Request("POST", self.server.url + path, **{"timeout": 5.0, **facts})


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    return request.param


@contextmanager
def serving(flavour: str, *acts: Any) -> Iterator[Running]:
    with Wayward(*acts) as server:
        yield Running(flavour, server)


def once(request: Request) -> Flow[Answer]:
    return (yield request)


# -- flows --------------------------------------------------------------------------------------------------------


async def test_a_flow_runs_from_step_to_step_and_its_result_comes_back(flavour: str):
    def flow() -> Flow[list[Any]]:
        first = yield running.request("/one", body=b"1")
        waited = yield Pause(0.001)
        second = yield running.request("/two", body=b"22", headers={"X-Odd": "yes"})
        return [first.body, waited, second.status]

    with serving(flavour, answers(b"first"), answers(b"second", 418)) as running:
        assert await running.run(flow()) == [b"first", None, 418]
        await running.close()
        assert [(line.path, line.body) for line in running.server.lines] == [("/one", b"1"), ("/two", b"22")]
        assert running.server.lines[1].headers["x-odd"] == "yes"
        assert running.server.accepted == 1  # the connection was kept and used again


async def test_a_flow_that_ends_at_once_sends_nothing(flavour: str):
    def flow() -> Flow[str]:
        return "at once"
        yield

    with serving(flavour, answers()) as running:
        assert await running.run(flow()) == "at once"
        assert running.server.accepted == 0


async def test_a_failure_of_the_wire_is_thrown_into_the_flow_which_may_go_on(flavour: str):
    def flow() -> Flow[list[Any]]:
        try:
            yield running.request()
        except errors.TransportError as error:
            kind = error.kind
        answer = yield running.request()
        return [kind, answer.body]

    with serving(flavour, Line.reset, answers(b"healed")) as running:
        assert await running.run(flow()) == ["reset", b"healed"]
        await running.close()


async def test_what_a_flow_raises_comes_out(flavour: str):
    def flow() -> Flow[None]:
        yield running.request()
        raise ZeroDivisionError

    with serving(flavour, answers()) as running:
        with pytest.raises(ZeroDivisionError):
            await running.run(flow())
        await running.close()
        assert running.server.all_hung_up()


async def test_a_flow_is_closed_even_when_the_wire_raises_what_is_no_error(
    flavour: str, monkeypatch: pytest.MonkeyPatch
):
    ended = []

    def flow() -> Flow[None]:
        try:
            yield running.request()
        finally:
            ended.append(True)

    class Careless:
        def sending(self, request: Request) -> None:
            raise KeyboardInterrupt

    with serving(flavour, answers()) as running:
        running.observers.append(Careless())
        held = flow()
        with pytest.raises(KeyboardInterrupt):
            await running._run(held)
        assert ended == [True]


# -- bodies -------------------------------------------------------------------------------------------------------


async def test_a_compressed_body_is_unpacked(flavour: str):
    with serving(flavour, answers(gzip.compress(b"small"), content_encoding="gzip")) as running:
        assert (await running.run(once(running.request()))).body == b"small"
        await running.close()


async def test_a_body_that_cannot_be_unpacked_is_a_failure_of_the_wire_and_leaks_nothing(flavour: str):
    with serving(flavour, answers(b"no gzip at all", content_encoding="gzip"), answers(b"fine")) as running:
        with pytest.raises(errors.TransportError) as raised:
            await running.run(once(running.request()))
        assert raised.value.kind == "protocol"
        for _ in range(3):
            assert (await running.run(once(running.request()))).body == b"fine"
        assert running.server.open <= 1
        await running.close()
        assert running.server.all_hung_up()


async def test_redirects_are_not_followed(flavour: str):
    with serving(flavour, answers(b"", 302, location="/elsewhere")) as running:
        assert (await running.run(once(running.request()))).status == 302
        await running.close()


async def test_a_refused_stream_comes_back_with_its_body(flavour: str):
    with serving(flavour, refuses(429, "limit_requests")) as running:
        answer = await running.run(once(running.request(stream=True)))
        assert (answer.status, answer.opened) == (429, None)
        assert b"limit_requests" in answer.body
        await running.close()


async def test_a_stream_is_left_open_and_closing_it_is_always_safe(flavour: str):
    with serving(flavour, streams(*WORDS, then=stalls)) as running:
        answer = await running.run(once(running.request(stream=True)))
        assert running.server.open == 1
        for _ in range(3):
            await done(answer.opened.close())
        assert running.server.all_hung_up()
        await running.close()


# -- connections --------------------------------------------------------------------------------------------------


async def test_a_connection_the_server_closed_meanwhile_is_replaced(flavour: str):
    def then_leaves(line: Line) -> None:
        answers(b"bye")(line)
        line.hang_up()

    with serving(flavour, then_leaves, answers(b"again")) as running:
        assert (await running.run(once(running.request()))).body == b"bye"
        assert running.server.all_hung_up()
        assert (await running.run(once(running.request()))).body == b"again"
        await running.close()


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (Line.reset, "reset"),
        (Line.hang_up, "reset"),
        (stalls, "timeout"),
        (half, "timeout"),
        (lambda line: (line.send(head(content_length="99") + b"so f"), line.hang_up()), "reset"),
        (lambda line: (line.send(head(content_length="99")), line.reset()), "reset"),
        (lambda line: (line.send(b"SMTP 220 hello\r\n\r\n"), line.hang_up()), "reset"),
    ],
    ids=["reset", "hang up", "no answer", "half an answer", "cut body", "reset after headers", "no http"],
)
async def test_failures_of_the_wire_have_their_kind_and_leave_nothing(flavour: str, act: Any, kind: str):
    with serving(flavour, act, answers(b"fine")) as running:
        with pytest.raises(errors.TransportError) as raised:
            await running.run(once(running.request(timeout=0.15 if kind == "timeout" else 5.0)))
        assert raised.value.kind == kind
        assert raised.value.hint
        assert (await running.run(once(running.request()))).body == b"fine"
        await running.close()
        assert running.server.all_hung_up()
        assert not await tasks()


async def test_nobody_listening_is_a_connect_failure(flavour: str):
    with serving(flavour, answers()) as running:
        pass  # and gone again
    with pytest.raises(errors.TransportError) as raised:
        await running.run(once(running.request()))
    assert raised.value.kind == "connect"
    assert "base_url" in raised.value.hint


async def test_a_host_name_that_cannot_be_one_is_a_name_failure(flavour: str):
    with serving(flavour, answers()) as running:
        with pytest.raises(errors.TransportError) as raised:
            await running.run(once(Request("GET", "http://\u00ad.example/x")))
        assert raised.value.kind == "dns"


async def test_closing_lets_go_of_idle_connections_and_the_driver_still_works(flavour: str):
    with serving(flavour, answers(b"fine")) as running:
        await running.run(once(running.request()))
        assert running.server.open == 1
        await running.close()
        assert running.server.all_hung_up()


async def test_many_calls_at_once_share_what_connections_there_are():
    with serving("async", answers(b"fine")) as running:
        results = await asyncio.gather(*(running.run(once(running.request())) for _ in range(40)))
        assert [answer.body for answer in results] == [b"fine"] * 40
        assert running.server.accepted <= 40
        before = running.server.accepted
        await asyncio.gather(*(running.run(once(running.request())) for _ in range(10)))
        assert running.server.accepted == before
        await running.close()
        assert running.server.all_hung_up()


def test_each_loop_has_its_own_connections_and_none_outlives_it():
    with serving("async", answers(b"fine")) as running, warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            assert asyncio.run(running.run(once(running.request()))).body == b"fine"
            assert running.server.all_hung_up()
        assert settled(running.server.port)


def test_threads_may_share_a_driver():
    with serving("sync", answers(b"fine")) as running, ThreadPoolExecutor(8) as crowd:
        results = list(crowd.map(lambda _: running.driver.run(once(running.request())), range(40)))
        assert [answer.body for answer in results] == [b"fine"] * 40
        running.driver.close()
        assert running.server.all_hung_up()


def test_threads_that_make_their_first_calls_at_once_share_one_driver(monkeypatch: pytest.MonkeyPatch):
    made = []

    class Slow(Driver):
        def __init__(self, *facts: Any) -> None:
            time.sleep(0.02)
            made.append(self)
            super().__init__(*facts)

    monkeypatch.setattr("qwenkit.transport.http.Driver", Slow)
    with Wayward(answers()) as server, qk.Client(base_url=f"{server.url}/v1") as qwen, ThreadPoolExecutor(8) as crowd:
        assert {reply.text for reply in crowd.map(lambda _: qwen.chat("Hi"), range(16))} == {"Seven."}
        assert len(made) == 1
        qwen.close()
        assert server.all_hung_up()


# -- what leaves, and who sees it -----------------------------------------------------------------------------------


async def test_the_key_goes_into_the_header_and_nowhere_else(flavour: str):
    with serving(flavour, answers()) as running:
        await running.run(once(running.request(key=Secret("sk-0123456789abcdef"))))
        await running.run(once(running.request(key=Secret(""))))
        await running.close()
        assert [line.headers.get("authorization") for line in running.server.lines] == [
            "Bearer sk-0123456789abcdef",
            None,
        ]


class Diary:
    """An observer and its watch in one, noting what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def sending(self, request: Request) -> Diary:
        self.notes.append(f"sending {request.name}")
        return self

    def answered(self, status: int, headers: Any) -> None:
        self.notes.append(f"answered {status}")

    def received(self, chunk: bytes) -> None:
        self.notes.append(f"received {len(chunk)}")

    def finished(self) -> None:
        self.notes.append("finished")

    def failed(self, error: BaseException) -> None:
        self.notes.append(f"failed {type(error).__name__}")


async def test_an_observer_is_told_of_every_stage(flavour: str):
    diary = Diary()
    with serving(flavour, answers(b"fine")) as running:
        running.observers.append(diary)
        await running.run(once(running.request("/a?b=c")))
        await running.close()
    assert diary.notes == ["sending POST /a", "answered 200", "received 4", "finished"]


async def test_an_observer_is_told_of_a_failure(flavour: str):
    diary = Diary()
    with serving(flavour, Line.reset) as running:
        running.observers.append(diary)
        with pytest.raises(errors.TransportError):
            await running.run(once(running.request()))
        await running.close()
    assert diary.notes[0] == "sending POST /x"
    assert diary.notes[-1].startswith("failed ")
    assert len(diary.notes) == 2
