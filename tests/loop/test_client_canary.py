"""A planted key sings nowhere: not in a repr, a traceback, a log record, an error, a card, a trace or a file.

`SONG` is the middle of the key. What may show is the mask: its first three and last four characters.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import subprocess
import sys
import traceback
import types
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from flavours import done
from wayward import WORDS, Line, Wayward, answers, half, head, stalls, streams

import qwenkit as qk
from qwenkit.config import Config, environment
from qwenkit.sandbox import Sandbox
from qwenkit.secret import Secret

SONG = "canary-0123456789-sings"
KEY = f"sk-{SONG}-last"


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is in the environment, so that no frame of a test holds it."""
    monkeypatch.setenv("DASHSCOPE_API_KEY", KEY)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(key=KEY) as running:
        yield running


@pytest.fixture
def box(sandbox: Sandbox) -> Iterator[Sandbox]:
    yield sandbox
    sandbox.clear_faults()


def client(url: str, **options: Any) -> qk.Client:
    made = qk.Client(base_url=url, **{"timeout": 5, **options})
    made._core.patience = msgspec.structs.replace(made._core.patience, first_pause=0.002)
    return made


def silent(*texts: str) -> None:
    for text in texts:
        assert SONG not in text


def test_the_canary_would_be_heard():
    with pytest.raises(AssertionError):
        silent(f"Bearer {KEY}")
    assert Config.resolve().key == Secret(KEY)


# -- reprs --------------------------------------------------------------------------------------------------------

_ENDS = (types.ModuleType, type, types.FunctionType, types.BuiltinFunctionType, types.FrameType, types.CodeType)


def reachable(*roots: object) -> list[object]:
    """Everything that can be got at from here, short of whole modules and classes."""
    seen: dict[int, object] = {}
    waiting: list[object] = list(roots)
    while waiting:
        found = waiting.pop()
        if id(found) not in seen and not isinstance(found, _ENDS):
            seen[id(found)] = found
            closure = getattr(found, "__closure__", None) or ()
            waiting += [*gc.get_referents(found), *closure]
    return list(seen.values())


async def everything(box: Sandbox, flavour: str) -> list[object]:
    """One of each thing a user can hold after a session, streams left open and errors included."""
    made = client(box.url, budget=5, workspace="ws-1")
    qwen: Any = made if flavour == "sync" else made.aio
    with qk.trace(made) as wire:
        talk = qwen.conversation(system="Be kind.")
        stream = qwen.chat.stream("Tell me a story.")
        held: list[object] = [
            made,
            made.config,
            made.connection,
            made.usage,
            wire,
            talk,
            stream,
            await done(qwen.chat("Hi")),
            await done(talk("Hi")),
            await done(stream.finish()),
            await done(qwen.temporary_key()),
            await done(qwen.models.live()),
        ]
        for spoil, kind in (("401", qk.AuthError), ("cut:3", qk.StreamBroken), ("error:3", qk.ServerError)):
            box.fault(spoil)
            with pytest.raises(kind) as raised:
                await done(qwen.chat.stream("Tell me a story.").finish())
            held.append(raised.value)
        box.fault("reset", times=None)
        with pytest.raises(qk.TransportError) as raised:
            await done(qwen.chat("Hi"))
        held.append(raised.value)
        box.clear_faults()
    return held


async def test_nothing_reachable_shows_it(box: Sandbox, flavour: str):
    held = await everything(box, flavour)
    objects = reachable(*held)
    kinds = {type(each).__name__ for each in objects}
    assert {"Config", "Secret", "Core", "Accounts", "Wire", "Exchange", "Reply", "Ledger"} <= kinds
    own = {"HTTPTransport", "Stream"} if flavour == "sync" else {"AsyncHTTPTransport", "AsyncStream"}
    assert own <= kinds
    singing = [
        each for each in objects if not isinstance(each, str | bytes) and (SONG in repr(each) or SONG in str(each))
    ]
    assert singing == []
    holders = [each for each in objects if isinstance(each, str | bytes) and SONG in str(each)]
    assert {each for each in holders if each != KEY} == set()  # the key is one text, in its Secret, and in no header
    await held[0].aio.close()  # type: ignore[attr-defined]


async def test_no_card_shows_it(box: Sandbox, flavour: str):
    held = await everything(box, flavour)
    shown = [json.dumps(each._repr_mimebundle_()) for each in held if hasattr(each, "_repr_mimebundle_")]
    wire = next(each for each in held if type(each).__name__ == "Wire")
    shown += [json.dumps(exchange._repr_mimebundle_()) + exchange.curl() for exchange in wire]  # type: ignore[attr-defined]
    assert len(shown) > 15
    silent(*shown)
    await held[0].aio.close()  # type: ignore[attr-defined]


def test_no_serialisation_gives_it_away(tmp_path: Path):
    config = Config.resolve()
    for attempt in (msgspec.json.encode, msgspec.to_builtins, json.dumps):
        with pytest.raises(TypeError) as raised:
            attempt(config)
        silent(str(raised.value))
    qwen = qk.Client()
    silent(qwen.conversation(system="Be kind.").save(tmp_path / "talk.json").read_text())
    silent(msgspec.json.encode(qwen.connection).decode(), repr(vars(qwen)), repr(vars(qwen._core)))
    silent(repr(environment()), str(environment()))


# -- errors and their tracebacks ----------------------------------------------------------------------------------


def told(error: BaseException) -> str:
    """All that Python, a debugger with locals, and IPython at its most talkative would print of an error."""
    from IPython.core.ultratb import VerboseTB

    lines = VerboseTB(long_header=True).structured_traceback(type(error), error, error.__traceback__)
    return "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()) + "\n".join(lines)


def check(error: BaseException) -> None:
    silent(told(error), str(error), repr(error), repr(vars(error)), repr(error.args))
    if isinstance(error, qk.QwenError):
        silent(json.dumps(error._repr_mimebundle_()), *error._render_traceback_())


def echo(line: Line) -> None:
    """A proxy for debugging: it answers with the request it got."""
    answers(b"<pre>" + line.head + b"</pre>", 502)(line)


def echo_as_json(line: Line) -> None:
    answers({"error": {"message": f"cannot forward {line.headers}", "code": "proxy"}}, 400)(line)


Asks = Callable[[Any], Awaitable[Any]]


async def plain(qwen: Any) -> Any:
    return await done(qwen.chat("Hi"))


async def streamed(qwen: Any) -> Any:
    return await done(qwen.chat.stream("Hi").finish())


FAILING: dict[str, tuple[Any, Asks, type[BaseException]]] = {
    "refused": (answers({"error": {"code": "invalid_api_key", "message": "no"}}, 401), plain, qk.AuthError),
    "throttled": (answers({"error": {"code": "limit_requests", "message": "no"}}, 429), streamed, qk.RateLimited),
    "echoed": (echo, plain, qk.ServerError),
    "echoed to a stream": (echo, streamed, qk.ServerError),
    "echoed as json": (echo_as_json, plain, qk.InvalidRequest),
    "reset": (Line.reset, plain, qk.TransportError),
    "reset stream": (Line.reset, streamed, qk.TransportError),
    "slow": (stalls, plain, qk.TransportError),
    "slow in the middle": (half, plain, qk.TransportError),
    "slow stream": (streams(*WORDS[:2], then=stalls), streamed, qk.StreamBroken),
    "broken stream": (streams(*WORDS[:2], then=Line.reset), streamed, qk.StreamBroken),
    "garbage": (answers(b"{"), plain, qk.ServerError),
    "garbage in a stream": (streams(b"{"), streamed, qk.StreamBroken),
    "error in a stream": (streams(WORDS[0], b'{"error": {"message": "no", "code": "x"}}'), streamed, qk.ServerError),
    "not packed": (answers(b"no", content_encoding="gzip"), plain, qk.TransportError),
    "no http": (lambda line: line.send(b"220 mail.example\r\n\r\n"), plain, qk.TransportError),
    "odd headers": (lambda line: line.send(head(odd="\x00")), plain, qk.TransportError),
}


@pytest.mark.parametrize("name", FAILING)
async def test_no_failing_call_shows_it(name: str, flavour: str):
    act, ask, kind = FAILING[name]
    with Wayward(act) as server:
        made = client(server.url, timeout=0.1 if "slow" in name else 5)
        with pytest.raises(kind) as raised:
            await ask(made if flavour == "sync" else made.aio)
        check(raised.value)
        silent(repr(list(made.usage)))
        await made.aio.close()
        assert b"Bearer" in server.lines[0].head


async def test_nobody_there_shows_it_neither(flavour: str, monkeypatch: pytest.MonkeyPatch):
    with Wayward(answers()) as server:
        pass
    addresses = [server.url, "http://nowhere.invalid", server.url.replace("http", "https"), "http://\u00ad.example"]
    monkeypatch.setattr(socket, "getaddrinfo", _nobody(socket.getaddrinfo))
    for url in addresses:
        made = client(url)
        with pytest.raises(qk.TransportError) as raised:
            await plain(made if flavour == "sync" else made.aio)
        check(raised.value)


def _nobody(real: Any) -> Any:
    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        if "invalid" in str(host):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *rest, **options)

    return getaddrinfo


@pytest.mark.parametrize("ask", [plain, streamed])
async def test_an_interrupt_inside_the_http_library_shows_it_neither(
    flavour: str, ask: Asks, monkeypatch: pytest.MonkeyPatch
):
    """Stopped at the worst moment: while the bytes of the request are being written."""
    name = "httpcore._backends.sync.SyncStream" if flavour == "sync" else "httpcore._backends.anyio.AnyIOStream"
    hit = []

    def stopped(self: Any, buffer: bytes, timeout: float | None = None) -> None:
        hit.append(SONG.encode() in buffer)
        raise KeyboardInterrupt if flavour == "sync" else asyncio.CancelledError

    async def astopped(self: Any, buffer: bytes, timeout: float | None = None) -> None:
        stopped(self, buffer, timeout)

    with Wayward(answers()) as server:
        made = client(server.url)
        monkeypatch.setattr(f"{name}.write", stopped if flavour == "sync" else astopped)
        with pytest.raises((KeyboardInterrupt, asyncio.CancelledError)) as raised:
            await ask(made if flavour == "sync" else made.aio)
        monkeypatch.undo()
        assert hit == [True]  # the frames that were cut off did hold it
        check(raised.value)
        await made.aio.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"region": "atlantis"},
        {"region": "frankfurt"},
        {"base_url": "ftp://x"},
        {"workspace": "ws 1"},
        {"budget": "plenty"},
        {"timeout": "soon"},
        {"ws_url": "ftp://x"},
        {"host": "trial", "region": "tokyo"},
    ],
    ids=lambda settings: next(iter(settings)),
)
@pytest.mark.parametrize("source", ["environment", "argument"])
@pytest.mark.parametrize("make", ["Client", "connect"])
def test_no_wrong_setting_shows_it(settings: dict[str, Any], source: str, make: str):
    given = {"api_key": KEY} if source == "argument" else {}
    with pytest.raises(qk.ConfigError) as raised:
        getattr(qk, make)(**given, **settings)
    check(_without_the_test(raised.value))


@pytest.mark.parametrize(
    "spoiled", [f"{KEY} {KEY}", f"{KEY}\u201d", f"{KEY}'{KEY}", f"{KEY}\x07"], ids=["two", "quote", "half", "bell"]
)
@pytest.mark.parametrize("source", ["argument", "environment", "file", ".env"])
def test_not_even_a_key_that_is_none_is_shown(
    spoiled: str, source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    if source != "argument":
        monkeypatch.delenv("DASHSCOPE_API_KEY")
    (tmp_path / ("key" if source == "file" else ".env")).write_text(
        spoiled if source == "file" else f"DASHSCOPE_API_KEY={spoiled}\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    if source == "environment":
        monkeypatch.setenv("DASHSCOPE_API_KEY", spoiled)
    elif source == "file":
        monkeypatch.setenv("DASHSCOPE_API_KEY_FILE_PATH", "key")
    with pytest.raises(qk.ConfigError) as raised:
        qk.Client(api_key=spoiled if source == "argument" else None)
    check(_without_the_test(raised.value))


def _without_the_test(error: BaseException) -> BaseException:
    """The error without pytest's and this file's own frames, which were handed the key."""
    while error.__traceback__ and error.__traceback__.tb_frame.f_code.co_filename == __file__:
        error.__traceback__ = error.__traceback__.tb_next
    return error


@pytest.mark.parametrize("options", [{"temprature": 1}, {"extra": {"bad": object()}}, {"system": "\ud800"}])
async def test_no_refusal_of_ours_shows_it(options: dict[str, Any], flavour: str):
    made = client("http://127.0.0.1:9")
    qwen: Any = made if flavour == "sync" else made.aio
    with pytest.raises(qk.ConfigError) as raised:
        await done(qwen.chat("Hi", **options))
    check(raised.value)
    poor = client("http://127.0.0.1:9", budget="¥0.00001")
    qwen = poor if flavour == "sync" else poor.aio
    with pytest.raises(qk.BudgetExceeded) as refused:
        await done(qwen.chat("Hi"))
    check(refused.value)


# -- logs and output ----------------------------------------------------------------------------------------------


class Ears(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{record.name} {record.getMessage()} {record.args!r} {record.exc_info!r} {vars(record)!r}")


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ears]:
    """Every logger there is, at its most talkative."""
    made = Ears()
    root = logging.getLogger()
    loggers = [logging.getLogger(name) for name in list(logging.Logger.manager.loggerDict)]
    levels = [(logger, logger.level) for logger in (root, *loggers)]
    for logger, _ in levels:
        logger.setLevel(logging.DEBUG)
    root.addHandler(made)
    yield made
    root.removeHandler(made)
    for logger, level in levels:
        logger.setLevel(level)


async def test_no_log_record_shows_it(box: Sandbox, flavour: str, ears: Ears, capfd: pytest.CaptureFixture[str]):
    asyncio.get_running_loop().set_debug(True)
    held = await everything(box, flavour)
    assert any("httpcore" in line for line in ears.heard), "httpcore was really listened to"
    silent(*ears.heard)
    out, err = capfd.readouterr()
    silent(out, err)
    await held[0].aio.close()  # type: ignore[attr-defined]


_SCRIPT = """
import faulthandler, sys, warnings
import qwenkit as qk

faulthandler.enable()
qwen = qk.Client(base_url=sys.argv[1], timeout=0.2, max_retries=0)
print(qwen, qwen.connection, qwen.config)
qwen.chat("Hi")
"""


def test_a_script_that_dies_prints_it_neither():
    with Wayward(echo) as server:
        died = subprocess.run(
            [sys.executable, "-X", "dev", "-c", _SCRIPT, server.url], capture_output=True, text=True, check=False
        )
    assert died.returncode == 1
    assert "ServerError" in died.stderr
    assert "sk-…last" in died.stdout
    silent(died.stdout, died.stderr)
