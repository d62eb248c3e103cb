"""Names that repeat: the same seed and order of requests give the same ids, so that saved notebooks compare equal."""

from __future__ import annotations

import hashlib
import itertools
import uuid


class RequestIds:
    """UUID-shaped request ids, counted from a seed; each start on the same data counts ids of its own."""

    def __init__(self, seed: int, start: int = 0) -> None:
        self._seed = f"{seed}.{start}" if start else str(seed)
        self._numbers = itertools.count(1)

    def next(self) -> str:
        return str(uuid.UUID(hex=digest(f"{self._seed}/{next(self._numbers)}")[:32], version=4))


def tool_call_id(request_id: str, choice: int, position: int) -> str:
    """`call_` and 22 hex digits, as the service's look."""
    return f"call_{digest(f'{request_id}/{choice}/{position}')[:22]}"


def digest(text: str | bytes) -> str:
    """The hex SHA-256 of a text; also how keys are remembered without being kept."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text).hexdigest()
