"""Server-sent events: bytes in, events out.

Follows the WHATWG reading (any line ending, comments skipped, data lines joined) with two tolerances that services
need: comments are kept, because the native API hides an HTTP status in one, and a last event without its blank line is
handed out by `close`. It never raises, whatever the bytes, and how the bytes were split never matters.
"""

from __future__ import annotations

import msgspec

_BOM = b"\xef\xbb\xbf"


class ServerEvent(msgspec.Struct, gc=False):
    """One event. `data` is bytes, ready for a JSON decoder; the other fields are rare."""

    data: bytes = b""
    event: str = ""
    id: str = ""
    comment: str = ""


class EventDecoder:
    """Push bytes with `feed`, get the events they complete."""

    __slots__ = ("_carriage", "_fresh", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._carriage = False
        self._fresh = True

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        if self._fresh or self._carriage or b"\r" in chunk:
            chunk = self._normal(chunk)
        if b"\n" not in chunk:
            self._tail += chunk
            return []
        blocks = (self._tail + chunk).split(b"\n\n")
        self._tail = blocks.pop()
        return [event for block in blocks if (event := _read(block)) is not None]

    def close(self) -> list[ServerEvent]:
        """The last event, if the stream ended without the blank line that should follow it."""
        block, self._tail = self._tail, b""
        self._carriage = False
        event = _read(block.removeprefix(_BOM) if self._fresh else block)
        return [event] if event is not None else []

    def _normal(self, chunk: bytes) -> bytes:
        """The same bytes with `\\n` line ends only. A trailing `\\r` waits: it may be half of `\\r\\n`."""
        if self._fresh:
            chunk, self._tail = self._tail + chunk, b""
            if len(chunk) < 3 and _BOM.startswith(chunk):
                self._tail = chunk
                return b""
            self._fresh = False
            chunk = chunk.removeprefix(_BOM)
        if self._carriage:
            chunk = b"\r" + chunk
        self._carriage = chunk.endswith(b"\r")
        if self._carriage:
            chunk = chunk[:-1]
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _read(block: bytes) -> ServerEvent | None:
    if block.startswith(b"data:") and b"\n" not in block:
        return ServerEvent(block[6:] if block[5:6] == b" " else block[5:])
    return _read_fields(block)


def _read_fields(block: bytes) -> ServerEvent | None:
    """The general case: several lines, other fields, comments."""
    data: list[bytes] = []
    event = ServerEvent()
    for line in block.split(b"\n"):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event.event = value.decode("utf-8", "replace")
        elif name == b"id":
            event.id = value.decode("utf-8", "replace")
        elif not name and value:
            event.comment += value.decode("utf-8", "replace")
    event.data = b"\n".join(data)
    return event if data or event.event or event.comment else None
