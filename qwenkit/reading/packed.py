"""Packed formats: a zip archive that gives out no more than the cap, and its XML as a tree of local names.

XML that declares entities is not read at all; a tree may have so many elements and be so deep, no more.
"""

from __future__ import annotations

import io
import zipfile
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from qwenkit.reading.document import TOO_LARGE, UNSUPPORTED, Unreadable

MOST_UNPACKED = 64 * 1024 * 1024  # bytes that all members of one packed document may unpack to
MOST_ELEMENTS = 2_000_000
DEEPEST = 500
_OLD = b"\xd0\xcf\x11\xe0"  # the container of old Office files, and of new ones with a password


class Packed:
    """A zip archive and what is left of its cap."""

    def __init__(self, data: bytes) -> None:
        if data.startswith(_OLD):
            raise Unreadable(f"{UNSUPPORTED} (It is protected by a password, or in the format before 2007.)")
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._left, self._elements = MOST_UNPACKED, MOST_ELEMENTS

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        with self._zip.open(name) as member:
            data = member.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable(TOO_LARGE)
        return data

    def xml(self, name: str) -> Element:
        """A member as a tree of local names: `w:p` is `p`, whatever its namespace."""
        builder, depth = TreeBuilder(), 0

        def start(name: str, marks: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            self._elements -= 1
            if depth > DEEPEST or self._elements < 0:
                raise Unreadable(TOO_LARGE)
            builder.start(_local(name), {_local(mark): value for mark, value in marks.items()})

        def end(name: str) -> None:
            nonlocal depth
            depth -= 1
            builder.end(_local(name))

        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.EntityDeclHandler = _no_entities
        parser.StartElementHandler, parser.EndElementHandler = start, end
        parser.CharacterDataHandler = builder.data
        parser.Parse(self.read(name), True)
        return builder.close()


def _no_entities(*declared: object) -> None:
    raise Unreadable(UNSUPPORTED)


def _local(name: str) -> str:
    return name.rpartition("}")[2]
