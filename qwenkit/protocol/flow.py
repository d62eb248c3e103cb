"""A call, written once.

A call is a plain generator: it yields a `Request` and receives an `Answer`, yields a `Pause` and receives nothing, or
yields `Together`, several flows to run at once, and receives what became of each, or yields `Run`, the tools a model
asked for, and receives their results.
It opens no socket and reads no clock, so the same lines serve the blocking client, the awaited one, and the tests,
which answer by hand. `qwenkit.transport.http` and `http_async` hold the two drivers that run it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

import msgspec

from qwenkit.protocol.upload import Upload

T = TypeVar("T")


class Request(msgspec.Struct, frozen=True):
    """One HTTP request to send. `stream` asks for the answer's body to stay open; an `Upload` can be sent again.

    A body longer than `most` bytes is not read to its end. `renew` makes the request anew for every try: a signature
    holds once.
    """

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes | Upload | None = None
    key: Any = None
    stream: bool = False
    timeout: float = 300.0
    most: int | None = None
    renew: Callable[[], Request] | None = None

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


class Together(msgspec.Struct, frozen=True):
    """Run these flows, at most `most` of them at once, begun in their order and no sooner than there is room.

    The answer is a list in the same order: what each returned, or the exception it ended with. A flow that no longer
    wants to run, because another failed, returns before its first request.
    """

    flows: Iterable[Flow[Any]]
    most: int = 4


class Run(msgspec.Struct, frozen=True):
    """Call these functions of the user's and send back a list of what they return, in the same order.

    What returns an awaitable is awaited. What waits runs together; how the rest runs is the driver's to say.
    """

    jobs: list[Callable[[], Any]]


Step: TypeAlias = "Request | Pause | Together | Run"
Flow: TypeAlias = Generator["Request | Pause | Together | Run", Any, T]
