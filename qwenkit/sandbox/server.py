"""The embedded sandbox: start it, ask it at `url` with `key`, stop it. Many can run in one process.

    with Sandbox() as box:
        ...  # box.url, box.key

It has a thread and an event loop of its own, so it also runs beside a notebook's loop. The web framework is imported by
`start`. A sandbox that is forgotten (no reference left) or that the process leaves behind stops by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any

from qwenkit.sandbox.faults import Faults
from qwenkit.sandbox.journal import Journal, Seen

if TYPE_CHECKING:
    from qwenkit.sandbox.service import Service

HOST = "127.0.0.1"
_PATIENCE = 5.0  # seconds to wait for the thread's end before giving it up; it is a daemon


class Sandbox:
    """A service on 127.0.0.1 that speaks the DashScope protocols.

    `port` 0 takes any free one; without `key` each start makes a new one. `seed` decides request ids and the answers to
    calls without a seed. `pace` is tokens per second when streaming, None as fast as it goes. `data` is the file that
    state is kept in, None for memory. `faults` allows the X-Sandbox-Fault header. `region` decides the prices in the
    list of models. With `workspaces` only these ids are accepted in X-DashScope-WorkSpace. `speech_pace` 1.0 lets a
    realtime session speak as fast as speech is, None as fast as it goes; `realtime` holds its switches (see
    `realtime.limits.Switches`). `access_key` is the (id, secret) that the knowledge OpenAPI is signed with, made anew
    at each start without it; `check_signatures=False` takes any.
    """

    def __init__(
        self,
        port: int = 0,
        key: str | None = None,
        seed: int = 0,
        pace: float | None = None,
        data: str | PathLike[str] | None = None,
        faults: bool = True,
        region: str | None = None,
        *,
        workspaces: Sequence[str] | None = None,
        speech_pace: float | None = None,
        realtime: Mapping[str, Any] | None = None,
        access_key: tuple[str, str] | None = None,
        check_signatures: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from qwenkit.sandbox.realtime.limits import Switches

        self._port, self._given_key, self._data, self._given_access = port, key, data, access_key
        self._faults, self._journal = Faults(), Journal()
        self._settings: dict[str, Any] = {
            "seed": seed,
            "pace": pace,
            "region": region or "beijing",
            "workspaces": workspaces,
            "speech_pace": speech_pace,
            "realtime": Switches.of(realtime),
            "check_signatures": check_signatures,
            "header_faults": faults,
            "clock": clock,
            "faults": self._faults,
            "journal": self._journal,
        }
        self._stop: Callable[[], object] | None = None
        self._service: Service | None = None
        self._url = ""

    def start(self) -> Sandbox:
        """Listen; returns itself. Starting a running sandbox changes nothing."""
        if self._stop is not None:
            return self
        with contextlib.ExitStack() as undo:
            bound = undo.enter_context(_bind(self._port))
            service = self._open_service()
            undo.callback(service.store.close)
            running = _Running(service, bound)
            undo.pop_all()
        self._service = service
        self._url = f"http://{HOST}:{bound.getsockname()[1]}"
        self._stop = weakref.finalize(self, running.stop)
        return self

    def stop(self) -> None:
        """Close every connection and end the thread. Stopping a stopped sandbox changes nothing."""
        stop, self._stop, self._service, self._url = self._stop, None, None, ""
        if stop is not None:
            stop()

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The root; below it lie the paths of the DashScope hosts."""
        return self._url if self._service else self._absent("url")

    @property
    def key(self) -> str:
        return self._service.key if self._service else self._absent("key")

    @property
    def access_key_id(self) -> str:
        """The AccessKey that the knowledge OpenAPI is signed with."""
        return self._service.access_key_id if self._service else self._absent("access key")

    @property
    def access_key_secret(self) -> str:
        return self._service.access_key_secret if self._service else self._absent("access key")

    @property
    def workspace(self) -> str:
        """The workspace that knowledge bases lie in."""
        return self._service.workspace if self._service else self._absent("workspace")

    @property
    def apps(self) -> dict[str, str]:
        """The applications that exist on start, by name: their ids."""
        from qwenkit.sandbox.apps.apps import EXAMPLES

        return dict(EXAMPLES)

    def add_app(self, name: str, **settings: Any) -> str:
        """One more application; its id. `qwenkit.sandbox.apps.apps.add_app` says what it can be made of."""
        from qwenkit.sandbox.apps.apps import add_app

        return add_app(self._service, name, **settings) if self._service else self._absent("applications")

    @property
    def running(self) -> bool:
        return self._service is not None

    @property
    def requests(self) -> list[Seen]:
        """The latest requests, oldest first, with keys masked."""
        return self._journal.list()

    def clear_requests(self) -> None:
        self._journal.clear()

    def fault(self, spec: str, times: int | None = 1, path: str | None = None, rate: float | None = None) -> None:
        """Let the next `times` requests whose path contains `path` fail; `qwenkit.sandbox.faults` lists the ways.

        `rate=0.05` lets one in twenty fail instead, the same ones every time, until `clear_faults`.
        """
        self._faults.add(spec, times, path, rate)

    def clear_faults(self) -> None:
        self._faults.clear()

    def _open_service(self) -> Service:
        from qwenkit.sandbox.service import Service
        from qwenkit.sandbox.store import Store

        key = self._given_key or f"sk-sandbox-{secrets.token_hex(16)}"
        name, secret = self._given_access or (f"sandbox-{secrets.token_hex(6)}", secrets.token_hex(15))
        return Service(key=key, access_key_id=name, access_key_secret=secret, store=Store(self._data), **self._settings)

    def _absent(self, what: str) -> str:
        raise RuntimeError(f"the sandbox is not running, so it has no {what}: call start() first")

    def __repr__(self) -> str:
        return f"Sandbox({self._url or 'not running'})"


class _Running:
    """The thread of one start. It holds no reference to the `Sandbox`, so that a forgotten one can be collected."""

    def __init__(self, service: Service, bound: socket.socket) -> None:
        from qwenkit.sandbox.app import App
        from qwenkit.sandbox.listener import Listener

        self._service, self._bound, self._process = service, bound, os.getpid()
        self._listener = Listener(App(service))
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="qwenkit-sandbox", daemon=True)
        self._thread.start()
        self._started.result()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(self._listener.listen(self._bound, self._started))
        except BaseException as problem:
            if self._started.done():
                raise
            self._started.set_exception(problem)

    def stop(self) -> None:
        if os.getpid() != self._process:
            return  # a forked child has neither the thread nor a right to the database
        self._listener.leave()
        if threading.current_thread() is not self._thread:
            self._thread.join(_PATIENCE)
        self._bound.close()
        self._service.store.close()
        if voice := sys.modules.get("qwenkit.sandbox.voice"):
            voice.hush()  # its worker; another sandbox that has more to say starts it again


def _bind(port: int) -> socket.socket:
    """A listening socket on the loopback interface; who holds it holds the port, so there is no race for port 0."""
    # Named as TCP, else asyncio leaves Nagle's algorithm on and every answer waits 40 ms for an acknowledgement.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
        bound.listen(1024)
    except OSError as problem:
        bound.close()
        raise OSError(f"port {port} on {HOST} is not free: choose another, or port=0 for any free one") from problem
    return bound
