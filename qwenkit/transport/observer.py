"""The one seam through which the wire can be watched.

An observer is told of each request before it is sent and may hand back a `Watch`, which then sees the answer's head,
every body chunk, and the end. Tracing hangs here; so will recording. With no observer the drivers do no extra work.
Observers see headers without the key: the drivers add it after they have been told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from qwenkit.protocol.flow import Request


class Watch(Protocol):
    """What watches one exchange. Each method is called in order, at most one of `finished` and `failed` last."""

    def answered(self, status: int, headers: Mapping[str, str]) -> None: ...

    def received(self, chunk: bytes) -> None: ...

    def finished(self) -> None: ...

    def failed(self, error: BaseException) -> None: ...


class Observer(Protocol):
    """Told of every request a client sends."""

    def sending(self, request: Request) -> Watch | None: ...


class Watches:
    """The watches of one exchange as one. Empty and cheap when nobody looks."""

    __slots__ = ("_watches",)

    def __init__(self, observers: tuple[Observer, ...], request: Request) -> None:
        seen = (observer.sending(request) for observer in observers)
        self._watches = [watch for watch in seen if watch is not None]

    def __bool__(self) -> bool:
        return bool(self._watches)

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        for watch in self._watches:
            watch.answered(status, headers)

    def received(self, chunk: bytes) -> None:
        for watch in self._watches:
            watch.received(chunk)

    def finished(self) -> None:
        for watch in self._watches:
            watch.finished()

    def failed(self, error: BaseException) -> None:
        for watch in self._watches:
            watch.failed(error)
