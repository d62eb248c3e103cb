"""Failing on demand, seen from the socket: every fault does what its text says, as often as asked and no more."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

import httpx
import pytest
from bare_sandbox import bare

from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.faults import Fault, parse

CHAT = "/compatible-mode/v1/chat/completions"
BODY = {"model": "qwen-plus", "messages": [{"role": "user", "content": "Hello, how are you today?"}]}


@pytest.fixture(scope="module")
def box():
    with Sandbox() as running:
        yield running


@pytest.fixture
def client(box):
    with bare(box) as open_client:
        yield open_client
    box.clear_faults()


def ask(client: httpx.Client, fault: str | None = None, *, stream: bool = False, path: str = CHAT) -> httpx.Response:
    headers = {"X-Sandbox-Fault": fault} if fault else {}
    return client.post(path, json={**BODY, "stream": stream}, headers=headers)


def events(client: httpx.Client, fault: str) -> tuple[list[str], httpx.HTTPError | None]:
    """What arrived of a stream, and how it broke."""
    arrived: list[str] = []
    try:
        headers = {"X-Sandbox-Fault": fault}
        with client.stream("POST", CHAT, json={**BODY, "stream": True}, headers=headers) as response:
            arrived.extend(line for line in response.iter_lines() if line)
    except httpx.HTTPError as problem:
        return arrived, problem
    return arrived, None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("400", 400, "invalid_parameter_error"),
        ("401", 401, "invalid_api_key"),
        ("403", 403, "access_denied"),
        ("404", 404, "NotFound"),
        ("408", 408, "RequestTimeOut"),
        ("409", 409, "Conflict"),
        ("429", 429, "limit_requests"),
        ("429:insufficient_quota", 429, "insufficient_quota"),
        ("429:Throttling.BurstRate", 429, "limit_burst_rate"),
        ("400:Arrearage", 400, "Arrearage"),
        ("400:SomethingNew", 400, "SomethingNew"),
        ("500", 500, "internal_error"),
        ("502", 502, "internal_error"),
        ("503", 503, "ModelUnavailable"),
    ],
)
def test_a_status_comes_with_its_code(client, fault, status, code, stream):
    answer = ask(client, fault, stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert "retry-after" not in answer.headers


def test_a_native_path_fails_in_the_native_shape(client):
    answer = client.get("/api/v1/models", headers={"X-Sandbox-Fault": "429:limit_requests"})
    assert (answer.status_code, answer.json()["code"]) == (429, "Throttling.RateQuota")


def test_retry_after_is_sent_when_asked_for(client):
    assert ask(client, "429;retry-after=0.2").headers["retry-after"] == "0.2"
    assert ask(client, "503:ModelUnavailable;retry-after=3").headers["retry-after"] == "3"


@pytest.mark.parametrize("count", range(6))
def test_a_cut_lets_so_many_events_through_and_closes(client, count):
    arrived, problem = events(client, f"cut:{count}")
    assert len(arrived) == count
    assert isinstance(problem, httpx.RemoteProtocolError)
    assert ask(client).status_code == 200


def test_a_cut_plain_answer_ends_in_the_middle(client):
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        ask(client, "cut:0")


def test_an_error_event_ends_a_stream_in_good_order(client):
    arrived, problem = events(client, "error:3")
    assert problem is None
    assert len(arrived) == 4
    assert json.loads(arrived[-1].removeprefix("data: "))["error"]["code"] == "internal_error"
    assert ask(client, "error:3").status_code == 500


def test_garbage_is_one_broken_line_or_a_broken_body(client):
    arrived, problem = events(client, "garbage")
    broken = [line for line in arrived if not line.endswith(("}", "[DONE]"))]
    assert problem is None
    assert len(broken) == 1
    with pytest.raises(json.JSONDecodeError):
        json.loads(broken[0].removeprefix("data: "))
    answer = ask(client, "garbage")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize("stream", [False, True])
def test_a_reset_comes_before_any_byte(box, stream):
    with raw(box, "reset", stream) as connection, pytest.raises(ConnectionResetError):
        connection.recv(10)


@pytest.mark.parametrize("stream", [False, True])
def test_a_reset_after_the_headers_lets_them_through(box, stream):
    received = b""
    with raw(box, "reset:headers", stream) as connection:
        while not received.endswith(b"\r\n\r\n"):
            received += connection.recv(10_000)
        with pytest.raises(ConnectionResetError):
            connection.recv(10_000)
    assert received.startswith(b"HTTP/1.1 200")


def raw(box: Sandbox, fault: str, stream: bool) -> socket.socket:
    """A request by hand: an HTTP client would hide which error the socket gave."""
    body = json.dumps({**BODY, "stream": stream}).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {box.key}\r\n"
        f"X-Sandbox-Fault: {fault}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", int(box.url.rpartition(":")[2])), timeout=5)
    connection.sendall(head.encode() + body)
    return connection


def test_slow_delays_the_answer(client):
    began = time.monotonic()
    assert ask(client, "slow:0.2").status_code == 200
    assert time.monotonic() - began >= 0.2
    with pytest.raises(httpx.ReadTimeout):
        client.post(CHAT, json=BODY, headers={"X-Sandbox-Fault": "slow:30"}, timeout=0.05)


def test_an_error_may_come_framed_as_an_event(client):
    answer = ask(client, "sse400", stream=True)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/event-stream;charset=UTF-8")
    body = json.loads(answer.text.strip().removeprefix("data: "))
    assert body["error"]["code"] == "data_inspection_failed"
    assert body["id"].startswith("chatcmpl-")


def test_a_proxy_may_answer_in_html_and_something_with_nothing(client):
    page = ask(client, "html")
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (502, "text/html")
    empty = ask(client, "empty")
    assert (empty.status_code, empty.content) == (200, b"")


def test_faults_set_from_python_are_used_up_in_order(box, client):
    box.fault("429", times=2)
    box.fault("500")
    assert [ask(client).status_code for _ in range(5)] == [429, 429, 500, 200, 200]


def test_a_fault_waits_for_its_path(box, client):
    box.fault("503", path="/models")
    assert ask(client).status_code == 200
    assert client.get("/api/v1/models").status_code == 503
    assert client.get("/api/v1/models").status_code == 200


def test_a_fault_may_last_until_it_is_cleared(box, client):
    box.fault("503", times=None)
    assert [ask(client).status_code for _ in range(3)] == [503] * 3
    box.clear_faults()
    assert ask(client).status_code == 200


def test_the_header_counts_for_its_request_only(client):
    assert ask(client, "503").status_code == 503
    assert ask(client).status_code == 200


def test_the_header_is_ignored_where_it_is_not_allowed_but_python_still_decides():
    headers = {"Authorization": "Bearer k"}
    with Sandbox(key="k", faults=False) as box, httpx.Client(base_url=box.url, headers=headers) as client:
        assert ask(client, "503").status_code == 200
        box.fault("503")
        assert ask(client).status_code == 503


UNKNOWN = [
    "",
    "42",
    "200",
    "600",
    "cut",
    "cut:",
    "cut:x",
    "slow",
    "slow:x",
    "slow:-1",
    "garbage:1",
    "reset:body",
    "429;x",
    "42 9",
]


@pytest.mark.parametrize("spec", UNKNOWN)
def test_an_unknown_fault_is_a_clear_error(box, spec):
    with pytest.raises(ValueError, match=r"unknown fault .* cut:5, error:5, slow:2\.5"):
        box.fault(spec)


def test_an_unknown_fault_in_the_header_is_a_400(client):
    answer = ask(client, "explode")
    assert answer.status_code == 400
    assert "unknown fault 'explode'" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("429", Fault("status", "", 429)),
        (" 429:insufficient_quota;retry-after=2 ", Fault("status", "insufficient_quota", 429, "2")),
        ("401:NOT AUTHORIZED", Fault("status", "NOT AUTHORIZED", 401)),
        ("cut:5", Fault("cut", "5")),
        ("slow:2.5", Fault("slow", "2.5")),
        ("reset", Fault("reset")),
        ("reset:headers", Fault("reset", "headers")),
    ],
)
def test_a_fault_is_read_from_its_text(spec: str, fault: Fault) -> None:
    assert parse(spec) == fault


def test_faults_come_before_the_key_is_looked_at(box):
    answer = httpx.post(box.url + CHAT, json=BODY, headers={"X-Sandbox-Fault": "503"}, trust_env=False)
    assert answer.status_code == 503


def test_nothing_hangs_after_many_broken_connections(client, box):
    for fault in ("reset", "cut:1", "reset:headers", "garbage", "empty") * 5:
        stream: dict[str, Any] = {**BODY, "stream": True}
        try:
            client.post(CHAT, json=stream, headers={"X-Sandbox-Fault": fault})
        except httpx.HTTPError:
            continue
    assert ask(client).status_code == 200
