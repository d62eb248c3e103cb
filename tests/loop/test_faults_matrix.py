"""The fault matrix: whatever breaks, in either flavour, plain or streamed, ends in a healed call or the right error.

Each cell also checks that nothing hangs (every call has a bound), nothing is left behind (the `client` fixture looks
for connections, threads and tasks), and that the books say what happened.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flavours import hurried
from remains import settled, tasks
from wayward import WORDS, Line, Wayward, answers, streams

import qwenkit as qk
from qwenkit.sandbox import Sandbox
from qwenkit.types.reply import Reply

BOUND = 20.0  # seconds any single cell may take before it counts as hung
TRIES = 3
STORY = {"prompt": "Tell me a long story about a cat.", "seed": 4, "temperature": 1.0}
SHAPES = ("plain", "stream")


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def ask(qwen: Any, shape: str) -> Callable[..., Any]:
    """One call of the cell's flavour and shape, bounded."""
    return lambda **options: bounded(qwen, shape, **options)


async def bounded(qwen: Any, shape: str, **options: Any) -> Reply:
    facts = {**STORY, **options}
    prompt = facts.pop("prompt")

    def call() -> Any:
        return qwen.chat(prompt, **facts) if shape == "plain" else qwen.chat.stream(prompt, **facts).finish()

    if isinstance(qwen, qk.AsyncClient):
        return await asyncio.wait_for(call(), BOUND)
    return await asyncio.wait_for(asyncio.to_thread(call), BOUND)


async def heals(ask: Callable[..., Any], client: qk.Client, tries: int = 2) -> None:
    reply = await ask()
    assert reply.finish_reason == "stop"
    assert reply.receipt.tries == tries
    assert [entry.ok for entry in client.usage] == [True]


async def fails(ask: Callable[..., Any], client: qk.Client, kind: type[qk.QwenError], **options: Any) -> Any:
    with pytest.raises(kind) as raised:
        await ask(**options)
    assert type(raised.value) is kind
    assert raised.value.request == "POST /compatible-mode/v1/chat/completions"
    assert raised.value.hint
    assert [entry.ok for entry in client.usage] == [False]
    return raised.value


async def works_again(ask: Callable[..., Any], box: Sandbox) -> None:
    box.clear_faults()
    assert (await ask()).finish_reason == "stop"


# -- refusals that may pass ---------------------------------------------------------------------------------------

PASSING = {
    "429": qk.RateLimited,
    "500": qk.ServerError,
    "503": qk.ServerError,
    "408": qk.ServerError,
    "html": qk.ServerError,
}


@pytest.mark.parametrize("fault", PASSING)
async def test_a_refusal_that_passes_is_healed(ask: Any, client: qk.Client, box: Sandbox, fault: str):
    box.fault(fault)
    await heals(ask, client)


@pytest.mark.parametrize(("fault", "kind"), PASSING.items())
async def test_a_refusal_that_stays_is_raised_after_all_tries(
    ask: Any, client: qk.Client, box: Sandbox, fault: str, kind: type[qk.QwenError]
):
    box.fault(fault, times=None)
    before = len(box.requests)
    error = await fails(ask, client, kind)
    assert error.status == {"html": 502}.get(fault) or error.status == int(fault)
    assert error.tries == len(box.requests) - before == TRIES
    await works_again(ask, box)


async def test_retry_after_is_waited_for(ask: Any, client: qk.Client, box: Sandbox):
    box.fault("429;retry-after=0.05")
    await heals(ask, client)


async def test_a_retry_after_beyond_the_budget_is_raised_at_once(ask: Any, client: qk.Client, box: Sandbox):
    box.fault("429;retry-after=3600", times=None)
    assert (await fails(ask, client, qk.RateLimited)).tries == 1


# -- resets -------------------------------------------------------------------------------------------------------


async def test_a_reset_before_the_headers_is_healed(ask: Any, client: qk.Client, box: Sandbox):
    box.fault("reset")
    await heals(ask, client)


async def test_resets_before_the_headers_that_stay_are_raised_after_all_tries(
    ask: Any, client: qk.Client, box: Sandbox
):
    box.fault("reset", times=None)
    error = await fails(ask, client, qk.TransportError)
    assert (error.kind, error.tries) == ("reset", TRIES)
    await works_again(ask, box)


async def test_a_reset_after_the_headers_is_healed_or_breaks_the_stream(
    ask: Any, client: qk.Client, box: Sandbox, shape: str
):
    """A reset may overtake the headers on their way; then it is one before the headers, and healed."""
    box.fault("reset:headers")
    try:
        reply = await ask()
    except qk.StreamBroken as broken:
        reply = broken.reply
    assert [entry.ok for entry in client.usage] == [reply.text != ""]
    assert reply.receipt.tries == (2 if reply.text else 1)
    assert reply.text or shape == "stream"
    await works_again(ask, box)


async def test_a_stream_reset_when_its_headers_were_read_is_broken(flavour: str):
    with Wayward(streams(then=_reset_when_read)) as server, qk.Client(base_url=f"{server.url}/v1") as client:
        noun: Any = client if flavour == "sync" else client.aio
        client._core.observers.append(_ReadHeaders)
        with pytest.raises(qk.StreamBroken) as raised:
            await bounded(noun, "stream")
        assert raised.value.reply.text == ""
        assert [entry.ok for entry in client.usage] == [False]
        await client.aio.close()
        assert server.all_hung_up()
    _ReadHeaders.read.clear()


class _ReadHeaders:
    """An observer that knows when the client has read the headers."""

    read = threading.Event()

    @classmethod
    def sending(cls, request: Any) -> type[_ReadHeaders]:
        return cls

    @classmethod
    def answered(cls, status: int, headers: Any) -> None:
        cls.read.set()

    @staticmethod
    def received(chunk: bytes) -> None: ...

    @staticmethod
    def finished() -> None: ...

    @staticmethod
    def failed(error: BaseException) -> None: ...


def _reset_when_read(line: Line) -> None:
    _ReadHeaders.read.wait(BOUND)
    line.reset()


# -- cuts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(20))
async def test_a_cut_is_healed_or_breaks_the_stream_with_what_had_arrived(
    ask: Any, client: qk.Client, box: Sandbox, shape: str, at: int
):
    box.fault(f"cut:{at}")
    if shape == "plain":
        await heals(ask, client)
        return
    error = await fails(ask, client, qk.StreamBroken)
    box.clear_faults()
    whole = await ask()
    assert whole.text.startswith(error.reply.text)
    assert [event["choices"] for event in error.reply.raw or ()] == [event["choices"] for event in whole.raw[:at]]
    assert bool(error.reply.text) is (at > 1)  # the first event brings only the role
    assert error.reply.finish_reason is None
    assert error.request_id


# -- rubbish ------------------------------------------------------------------------------------------------------


async def test_garbage_is_the_servers_fault_or_breaks_the_stream(ask: Any, client: qk.Client, box: Sandbox, shape: str):
    box.fault("garbage")
    if shape == "plain":
        error = await fails(ask, client, qk.ServerError)
        assert (error.status, error.tries) == (200, 1)
        assert error.raw.startswith('{"choices"')
    else:
        error = await fails(ask, client, qk.StreamBroken)
        assert "not JSON" in error.message
    await works_again(ask, box)


async def test_an_answer_with_nothing_in_it(ask: Any, client: qk.Client, box: Sandbox, shape: str):
    box.fault("empty")
    await fails(ask, client, qk.ServerError if shape == "plain" else qk.StreamBroken)
    await works_again(ask, box)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"<html><title>Sign in to HotelNet</title></html>", qk.ServerError, "Sign in to HotelNet"),
        (b'{"error": {"code": "limit_requests", "message": "slow down"}}', qk.RateLimited, "slow down"),
        (b'{"code": "InvalidParameter", "message": "no"}', qk.InvalidRequest, "no"),
        (b'{"choices": [{"message": {"content": "whole"}}]}', qk.ServerError, "not in the service's form"),
        (b"", qk.StreamBroken, "ended before the answer did"),
    ],
)
async def test_what_comes_in_place_of_a_stream_says_what_it_is(
    flavour: str, body: bytes, kind: type[qk.QwenError], words: str
):
    with Wayward(answers(body)) as server, qk.Client(base_url=f"{server.url}/v1") as client:
        noun: Any = client if flavour == "sync" else client.aio
        with pytest.raises(kind) as raised:
            await bounded(noun, "stream")
        assert words in raised.value.message
        assert raised.value.hint
        assert [entry.ok for entry in client.usage] == [False]
        await client.aio.close()
        assert server.all_hung_up()


async def test_a_stream_under_another_name_is_read_all_the_same(flavour: str):
    events = b"".join(b"data: " + word + b"\n\n" for word in WORDS)
    with Wayward(answers(events)) as server, qk.Client(base_url=f"{server.url}/v1") as client:
        noun: Any = client if flavour == "sync" else client.aio
        assert (await bounded(noun, "stream")).text == "The tide turns."
        await client.aio.close()


# -- slow ---------------------------------------------------------------------------------------------------------


async def test_a_server_slower_than_the_timeout_is_not_asked_again(ask: Any, client: qk.Client, box: Sandbox):
    box.fault("slow:5", times=None)
    before = len(box.requests)
    error = await fails(ask, client, qk.TransportError, timeout=0.1)
    assert (error.kind, error.tries, len(box.requests) - before) == ("timeout", 1, 1)
    assert "timeout=" in error.hint
    await works_again(ask, box)


async def test_a_slow_server_within_the_timeout_is_waited_for(ask: Any, client: qk.Client, box: Sandbox):
    box.fault("slow:0.05")
    await heals(ask, client, tries=1)


# -- names and certificates ---------------------------------------------------------------------------------------


def elsewhere(url: str, flavour: str) -> tuple[qk.Client, Any]:
    client = qk.Client(api_key="sk-0123456789abcdef", base_url=url, timeout=5)
    hurried(client._core)
    return client, client if flavour == "sync" else client.aio


async def test_a_name_nobody_knows_is_said_so(shape: str, flavour: str, monkeypatch: pytest.MonkeyPatch):
    asked = []

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    client, qwen = elsewhere("http://nowhere.invalid", flavour)
    error = await fails(lambda: bounded(qwen, shape), client, qk.TransportError)
    assert (error.kind, error.tries, len(asked)) == ("dns", 1, 1)
    assert "base_url" in error.hint
    assert "qk.sandbox()" in error.hint
    await client.aio.close()
    assert not await tasks()


@pytest.fixture(scope="module")
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's context with a certificate nobody vouches for, made on the fly."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.fixture(params=["self-signed", "no tls at all"])
def bad_tls(request: pytest.FixtureRequest, self_signed: ssl.SSLContext) -> Iterator[Wayward]:
    with Wayward(answers(), tls=self_signed if request.param == "self-signed" else None) as server:
        yield server


async def test_a_certificate_nobody_vouches_for_is_refused(shape: str, flavour: str, bad_tls: Wayward):
    client, qwen = elsewhere(bad_tls.url.replace("http://", "https://"), flavour)
    error = await fails(lambda: bounded(qwen, shape), client, qk.TransportError)
    assert (error.kind, error.tries, bad_tls.accepted) == ("tls", 1, 1)
    assert "SSL_CERT_FILE" in error.hint
    assert bad_tls.lines == []  # nothing was said, the key least of all
    await client.aio.close()
    assert bad_tls.all_hung_up()
    assert not await tasks()


async def test_nobody_listening_is_tried_again_and_then_said(shape: str, flavour: str):
    with Wayward(answers()) as server:
        url = server.url
    client, qwen = elsewhere(url, flavour)
    error = await fails(lambda: bounded(qwen, shape), client, qk.TransportError)
    assert (error.kind, error.tries) == ("connect", TRIES)
    await client.aio.close()
    assert settled(server.port)
