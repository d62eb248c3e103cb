"""A form with a file in it, as a request body that can be read more than once.

A body of bytes would hold 500 MB in memory, and a plain iterator could not be sent again after a connection broke. An
`Upload` opens its file anew for every try, gives it out in pieces and says how far it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import BinaryIO

PIECE = 256 * 1024
_SHOWN = 2_000  # bytes of a file that a trace shows

Opener = Callable[[], AbstractContextManager[BinaryIO]]


class Upload:
    """The form: `fields`, then the file `name` of `size` bytes that `opener` opens. A trace hides `secrets`."""

    def __init__(
        self,
        fields: Mapping[str, str],
        name: str,
        size: int,
        opener: Opener,
        seen: Callable[[int], None] | None = None,
        secrets: Collection[str] = (),
    ) -> None:
        import hashlib  # here, because every client loads this module and few upload
        import mimetypes

        told = [*fields.items(), (name, str(size))]
        boundary = hashlib.sha256(repr(told).encode()).hexdigest()[:32]  # the same form looks the same in every trace
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"

        def head(fields: Mapping[str, str]) -> bytes:
            part = f"--{boundary}\r\nContent-Disposition: form-data; name="
            told = "".join(f'{part}"{field}"\r\n\r\n{value}\r\n' for field, value in fields.items())
            return f'{told}{part}"file"; filename="{_quoted(name)}"\r\nContent-Type: {kind}\r\n\r\n'.encode()

        self._head = head(fields)
        self._masked = head({field: "…" if field in secrets else value for field, value in fields.items()})
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._size, self._opener = size, opener
        self._seen = seen or (lambda sent: None)
        self.headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Content-Length": str(len(self))}

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self._head
        sent = 0
        with self._opener() as file:
            while piece := file.read(min(PIECE, self._size - sent)):
                yield piece
                sent += len(piece)
                self._seen(sent)
        yield self._tail

    def shown(self) -> bytes:
        """The form as a trace shows it: the file cut short, or counted if it is no text, and no secrets."""
        with self._opener() as file:
            beginning = file.read(_SHOWN)
        if b"\0" in beginning:
            return self._masked + f"({self._size:,} bytes)".encode() + self._tail
        rest = self._size - len(beginning)
        return self._masked + beginning + (f"… {rest:,} more bytes".encode() if rest else b"") + self._tail


def _quoted(name: str) -> str:
    """A file name inside quotes, as browsers write it."""
    return name.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
