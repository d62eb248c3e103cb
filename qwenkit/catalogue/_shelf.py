"""The shelf: reads one data file, once, into typed values. The only place that knows where the files lie."""

from __future__ import annotations

import os
from typing import TypeVar

import msgspec

T = TypeVar("T")
_FOLDER = os.path.join(os.path.dirname(__file__), "data")  # os.path: pathlib alone costs as much as reading the file


def read(file: str, shape: type[T]) -> T:
    """The content of `data/<file>` as `shape`; a field the shape does not know is an error, so typing slips show."""
    with open(os.path.join(_FOLDER, file), "rb") as stream:
        return msgspec.json.decode(stream.read(), type=shape)
