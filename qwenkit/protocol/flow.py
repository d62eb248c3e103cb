"""A call, written once.

A call is a plain generator: it yields a `Request` and receives an `Answer`, or yields a `Pause` and receives nothing.
It opens no socket and reads no clock, so the same lines serve the blocking client, the awaited one, and the tests,
which answer by hand. `qwenkit.transport.http` and `http_async` hold the two drivers that run it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec

T = TypeVar("T")


class Request(msgspec.Struct, frozen=True):
    """One HTTP request to send. `stream` asks for the answer's body to stay open."""

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes | None = None
    key: Any = None
    stream: bool = False
    timeout: float = 300.0

    @property
    def name(self) -> str:
        """`POST /path`, the way errors and traces call it."""
        path = self.url.split("://", 1)[-1]
        return f"{self.method} /{path.split('/', 1)[-1].split('?', 1)[0]}" if "/" in path else f"{self.method} /"

    def __repr__(self) -> str:
        return f"Request({self.name}, {len(self.body or b'')} bytes)"


class Answer(msgspec.Struct):
    """What came back. For a stream `body` is empty and `opened` is the driver's open response."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    opened: Any = None
    tries: int = 1


class Pause(msgspec.Struct, frozen=True):
    """Wait this many seconds, then go on."""

    seconds: float


Step: TypeAlias = "Request | Pause"
Flow: TypeAlias = Generator["Request | Pause", Any, T]
