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

    __slots__ = ("_carriage", "_fresh", "_last", "_parts", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._parts: list[bytes] = []  # pieces of one long event, joined once it ends
        self._last = b""  # the byte before the next chunk
        self._carriage = False
        self._fresh = True

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        if not self._tail and not self._fresh and _is_one_event(chunk) and not self._carriage and not self._parts:
            return [ServerEvent(chunk[6:-2])]
        if self._fresh or self._carriage or b"\r" in chunk:
            chunk = self._normal(chunk)
        seam, self._last = self._last + chunk[:1], chunk[-1:] or self._last
        self._parts.append(chunk)
        if b"\n\n" not in chunk and seam != b"\n\n":
            return []  # no event is complete; joining now would copy a long one again with every chunk
        blocks = (self._tail + b"".join(self._parts)).split(b"\n\n")
        self._parts.clear()
        self._tail = blocks.pop()
        self._last = self._tail[-1:]
        return [event for block in blocks if (event := _read(block)) is not None]

    def close(self) -> list[ServerEvent]:
        """The last event, if the stream ended without the blank line that should follow it."""
        block, self._tail = self._tail + b"".join(self._parts), b""
        self._parts.clear()
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


def _is_one_event(chunk: bytes) -> bool:
    """The usual case, worth a short cut: services send each event as a chunk of its own."""
    return (
        chunk.startswith(b"data: ") and chunk.find(b"\n") == len(chunk) - 2 and b"\r" not in chunk and chunk[-1] == 10
    )


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
