"""What made a file, told by the file itself: the `.json` beside it, or the text in a PNG.

Both are written by whoever keeps a result, and read when somebody asks an opened file for its `meta`. They are claims
of a file that anybody may have written: bounded, plain data, and without them a file is simply a file.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MAX_TOLD = 1_000_000  # bytes
_PNG = b"\x89PNG\r\n\x1a\n"
_HEAD = len(_PNG) + 25  # the signature and the first chunk, which is always the header
_OF_THE_FILE = ("file", "made_at", "bytes")  # in the `.json`, but not what made it


def recalled(path: Path) -> dict[str, Any]:
    """Prompt, seed, model and whatever else is told about this file; empty when nothing is."""
    try:
        return _beside(path) or _inside(path)
    except (OSError, ValueError, RecursionError):
        return {}


def _beside(path: Path) -> dict[str, Any]:
    for place in (path.with_name(f"{path.name}.json"), path.with_suffix(".json")):
        if place == path or not place.is_file() or place.stat().st_size > MAX_TOLD:
            continue
        told = json.loads(place.read_text("utf-8"))
        if isinstance(told, dict) and told.get("file") == path.name:
            return {name: value for name, value in told.items() if name not in _OF_THE_FILE and value not in (None, "")}
    return {}


def _inside(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        told = dict(_texts(file.read(MAX_TOLD)))
    if "prompt" not in told:
        return {}
    seed = told.get("seed", "")
    return {**told, "seed": int(seed)} if seed.isdecimal() else told


def _texts(content: bytes) -> Iterator[tuple[str, str]]:
    """The plain international texts of a PNG, up to its pixels."""
    at = len(_PNG) if content.startswith(_PNG) else len(content)
    while at + 8 <= len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        body = content[at + 8 : at + 8 + size]
        if kind == b"IDAT" or len(body) < size:
            return
        name, mark, rest = body.partition(b"\0\0\0")
        if kind == b"iTXt" and mark:
            yield name.decode("latin-1"), rest.split(b"\0", 2)[-1].decode("utf-8", "replace")
        at += 12 + size


def told(content: bytes, made: dict[str, Any]) -> bytes:
    """The content; in a PNG also what made it, as text chunks, the pixels untouched."""
    if not content.startswith(_PNG) or len(content) < _HEAD or "prompt" in dict(_texts(content)):
        return content
    chunks = b"".join(_chunk(str(name), str(value)) for name, value in made.items() if value not in (None, ""))
    return content[:_HEAD] + chunks + content[_HEAD:]


def _chunk(name: str, text: str) -> bytes:
    """One international text chunk, uncompressed."""
    key = name.encode("latin-1", "replace")[:79]
    body = b"iTXt" + key + b"\0\0\0\0\0" + text.encode("utf-8", "replace")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
