"""The wire, visible: `with qk.trace(qwen) as wire:` keeps every exchange the client makes inside the block.

`wire` draws itself as a sequence diagram; `wire[0].curl()` is the same request for a terminal. The key never gets
here: observers are told of a request before the driver adds it, and the trace writes a mask in its place.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from qwenkit.errors import QwenError
from qwenkit.protocol.flow import Request
from qwenkit.protocol.sse import EventDecoder, ServerEvent
from qwenkit.protocol.upload import Upload
from qwenkit.types.wire import Exchange, Wire, WireEvent

_SECRET = re.compile(  # a temporary key is a key; so are the policy of an upload and the signature of an address
    r'("token"\s*:\s*"st-|"(?:signature|policy)"\s*:\s*"|[?&]Signature=)[^"&\s]*'
)
_SIGNED = re.compile(r"(Credential|Signature)=[^,]*")
_INLINE = re.compile(rb"(;base64,[A-Za-z0-9+/=]{48})([A-Za-z0-9+/=]{200,})")
_LONG = re.compile(rb'("\s*:\s*"[A-Za-z0-9+/]{48})([A-Za-z0-9+/]{100,}={0,2})(?=")')  # sound in a frame of a socket
_BINARY = ("image/", "audio/", "video/")
_MOST_BODY = 200_000  # characters of one body kept
_MOST_EVENTS = 20_000  # events of one exchange kept
_MOST_FRAME = 20_000  # characters of one frame of a socket kept


@contextmanager
def trace(client: Any) -> Iterator[Wire]:
    """Watch a client's exchanges, blocking and awaited ones alike."""
    wire = Wire()
    observer = _Tracer(wire)
    observers = client._core.observers
    observers.append(observer)
    try:
        yield wire
    finally:
        observers.remove(observer)


class _Tracer:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._began = time.perf_counter()
        self._last: Request | None = None
        self._tries = 0

    def sending(self, request: Request) -> _Exchanging:
        now = time.perf_counter()
        headers = {name: _hidden(name, value) for name, value in request.headers.items()}
        if request.key:
            headers["Authorization"] = f"Bearer {request.key.masked}"
        exchange = Exchange(
            method=request.method,
            url=_SECRET.sub(r"\1…", request.url),
            request_headers=headers,
            request_body=_text(request.body.shown() if isinstance(request.body, Upload) else _cut(request.body or b"")),
            started=now - self._began,
            attempt=self._attempt(request),
        )
        self._wire.exchanges.append(exchange)
        return _Exchanging(exchange, now, request.key)

    def _attempt(self, request: Request) -> int:
        """Which try this is: a retry sends the very same request again, or the same one signed anew."""
        last = self._last
        again = request is last or (last is not None and last.renew is not None and request.renew is last.renew)
        self._tries = self._tries + 1 if again else 1
        self._last = request
        return self._tries


class _Exchanging:
    """Fills in one exchange as it happens."""

    def __init__(self, exchange: Exchange, began: float, key: Any) -> None:
        self._exchange = exchange
        self._began = began
        self._key = key
        self._events: EventDecoder | None = None

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        self._exchange.status = status
        self._exchange.response_headers = {name: self._masked(value) for name, value in headers.items()}
        self._exchange.headers_after = self._elapsed()
        if "event-stream" in headers.get("content-type", ""):
            self._events = EventDecoder()

    def received(self, chunk: bytes) -> None:
        if self._events is None:
            told = self._exchange.response_headers.get("content-type", "")
            body = f"({len(chunk):,} bytes)" if told.startswith(_BINARY) else _text(chunk)
            self._exchange.response_body = (self._exchange.response_body + body)[:_MOST_BODY]
            return
        self._note(self._events.feed(chunk))

    def _note(self, events: list[ServerEvent]) -> None:
        room = _MOST_EVENTS - len(self._exchange.events)
        self._exchange.events += [WireEvent(self._elapsed(), _text(event.data)) for event in events[:room]]

    def frame(self, data: bytes, sent: bool) -> None:
        """One frame of a socket. Of sound and pictures in it the beginning is kept."""
        if len(self._exchange.events) < _MOST_EVENTS:
            text = _LONG.sub(lambda found: found[1] + f"… {len(found[2]):,} more".encode(), data)[:_MOST_FRAME]
            self._exchange.events.append(WireEvent(self._elapsed(), _SECRET.sub(r"\1…", _text(text)), sent))

    def finished(self) -> None:
        if self._events is not None:
            self._note(self._events.close())
        self._exchange.finished_after = self._elapsed()
        self._exchange.response_body = _SECRET.sub(r"\1…", self._exchange.response_body)

    def failed(self, error: BaseException) -> None:
        self.finished()
        self._exchange.error = error.message if isinstance(error, QwenError) else f"{type(error).__name__}: {error}"

    def _masked(self, value: str) -> str:
        """A header value without the key, should the other side echo it."""
        return value.replace(self._key.reveal(), self._key.masked) if self._key else value

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began


def _cut(body: bytes) -> bytes:
    """A body with its data: URIs cut short."""
    return _INLINE.sub(lambda found: found[1] + f"… {len(found[2]):,} more".encode(), body)


def _text(data: bytes) -> str:
    return data[:_MOST_BODY].decode("utf-8", "replace")


def _hidden(name: str, value: str) -> str:
    """A signed request shows what was signed, and neither by whom nor how."""
    if name.lower() == "authorization":
        return _SIGNED.sub(r"\1=…", value)
    return "…" if name.lower() == "x-acs-security-token" else value
