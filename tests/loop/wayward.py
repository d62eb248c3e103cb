"""A server on loopback that does exactly what a test tells it, byte by byte.

Each request is answered by the next act; the last act answers all that follow. An act gets the `Line` to the client and
may send, stall, reset or hang up. `open` counts connections that are still there, which is how tests see leaks.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

Act = Callable[["Line"], None]
_TLS_HELLO = b"\x16"
PATIENCE = 10.0  # seconds: a bound on how long a test may hang, not a measurement


class Line:
    """The server's end of one connection while it answers one request."""

    def __init__(self, server: Wayward, connection: socket.socket, head: bytes, body: bytes) -> None:
        self.server = server
        self.connection = connection
        self.head = head
        self.body = body
        self.over = False

    @property
    def path(self) -> str:
        return self.head.split(b" ")[1].decode()

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def stall(self) -> None:
        """Do nothing until the client hangs up or the server leaves."""
        while not self.server.leaving.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.02)
            if readable and not self.connection.recv(4096):
                break
        self.over = True

    def hang_up(self) -> None:
        self.over = True

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.over = True


class Wayward:
    """The server. Use it as a context manager."""

    def __init__(self, *acts: Act, tls: ssl.SSLContext | None = None) -> None:
        self.acts = list(acts)
        self.tls = tls
        self.leaving = threading.Event()
        self.accepted = 0
        self.lines: list[Line] = []
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._start(self._accept)

    def __enter__(self) -> Wayward:
        return self

    def __exit__(self, *raised: object) -> None:
        self.leaving.set()
        with socket.socket() as knock:  # wakes the accepting thread
            knock.connect(("127.0.0.1", self.port))
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listening.close()

    @property
    def open(self) -> int:
        return len(self._connections)

    def all_hung_up(self) -> bool:
        """Whether every connection is gone, waiting for it a while."""
        give_up = time.monotonic() + PATIENCE
        while self.open and time.monotonic() < give_up:
            time.sleep(0.005)
        return not self.open

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, name="wayward", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            if self.leaving.is_set():
                connection.close()
                return
            self.accepted += 1
            self._connections.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        plain = connection
        try:
            connection.settimeout(PATIENCE)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            over = False
            while not over and not self.leaving.is_set() and (asked := self._request(connection)):
                line = Line(self, connection, *asked)
                self.lines.append(line)
                act = self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]
                act(line)
                over = line.over
        except OSError:
            pass  # the client has left, or the handshake failed: that is what the tests are about
        finally:
            connection.close()
            self._connections.discard(plain)

    def _request(self, connection: socket.socket) -> tuple[bytes, bytes] | None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not self._readable(connection) or not (more := connection.recv(65536)):
                return None
            data += more
            if data[:1] == _TLS_HELLO:  # somebody wants TLS where there is none
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
                return None
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        return head, body

    def _readable(self, connection: socket.socket) -> bool:
        while not self.leaving.is_set():
            pending = isinstance(connection, ssl.SSLSocket) and connection.pending()
            if pending or select.select([connection], [], [], 0.02)[0]:
                return True
        return False


# -- acts ---------------------------------------------------------------------------------------------------------

COMPLETION = {
    "id": "chatcmpl-1",
    "model": "qwen-plus",
    "created": 1790001234,
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Seven."}}],
    "usage": {"prompt_tokens": 18, "completion_tokens": 2, "total_tokens": 20},
}


def head(status: int = 200, kind: str = "application/json", **headers: str) -> bytes:
    told = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\n{told}\r\n".encode()


def answers(body: Any = None, status: int = 200, **headers: str) -> Act:
    """A whole answer; by default a chat completion."""
    data = body if isinstance(body, bytes) else json.dumps(COMPLETION if body is None else body).encode()
    return lambda line: line.send(head(status, content_length=str(len(data)), **headers) + data)


def refuses(status: int, code: str = "", message: str = "…", **headers: str) -> Act:
    return answers({"error": {"code": code, "message": message}}, status, **headers)


def streams(*events: bytes, then: Act | None = None) -> Act:
    """Events in a chunked stream, then its proper end, or whatever `then` does in its place."""

    def act(line: Line) -> None:
        line.send(head(kind="text/event-stream", transfer_encoding="chunked", x_request_id="r-1"))
        for event in events:
            data = b"data: " + event + b"\n\n"
            line.send(b"%x\r\n%s\r\n" % (len(data), data))
        if then is None:
            line.send(b"0\r\n\r\n")
        else:
            then(line)

    return act


def word(text: str, finish_reason: str | None = None) -> bytes:
    """One event of a chat stream."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return json.dumps({"id": "chatcmpl-1", "model": "qwen-plus", "choices": [choice]}).encode()


WORDS = (word("The tide"), word(" turns."), word("", "stop"), b"[DONE]")


def stalls(line: Line) -> None:
    line.stall()


def half(line: Line) -> None:
    """Half an answer, and then nothing."""
    data = json.dumps(COMPLETION).encode()
    line.send(head(content_length=str(len(data))) + data[: len(data) // 2])
    line.stall()
