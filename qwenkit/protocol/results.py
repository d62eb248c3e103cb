"""What a tool gave back, as text for the model: words as they are, data as JSON, anything else as `str` has it.

The text is bounded, because it is read, and paid for, again in every later round.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

MAX_RESULT = 20_000
MAX_ERROR = 500
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_FRAMES = ("pandas", "polars", "xarray")  # their str() is a table; their lists lose the labels


def text_of(value: Any) -> str:
    """The text a model is told for a result."""
    text = _whole(value)
    rest = len(text) - MAX_RESULT
    return text if rest <= 0 else f"{text[:MAX_RESULT]}\n… {rest:,} more characters were left out"


def error_of(error: BaseException) -> str:
    """An exception as one line: its type and what it says, never a traceback."""
    said = " ".join(_text(error).split())
    line = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return _valid(line if len(line) <= MAX_ERROR else line[: MAX_ERROR - 1] + "…")


def _whole(value: Any) -> str:
    if isinstance(value, str):
        return _valid(str(value))
    if isinstance(value, BaseException):
        return error_of(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value):,} bytes)"
    try:
        data = msgspec.json.encode(value, enc_hook=_plain).decode()
        return str(msgspec.json.decode(data)) if data.startswith('"') else data  # a date, an Enum, a foreign object
    except Exception:  # whatever a library's own conversion raises
        return _valid(_text(value))


def _plain(value: Any) -> Any:
    """Something of a library: numbers where it has them, else its own text."""
    if not type(value).__module__.startswith(_FRAMES) and callable(getattr(value, "tolist", None)):
        return value.tolist()
    return _valid(_text(value))


def _text(value: Any) -> str:
    try:
        return _ADDRESS.sub("", str(value))
    except Exception:  # a broken __str__ is no reason to lose the turn
        return f"<{type(value).__name__}>"


def _valid(text: str) -> str:
    """Without halves of surrogate pairs, which no request can carry."""
    return text.encode("utf-8", "replace").decode("utf-8")
