"""A key that does not print. Reprs, tracebacks, logs and pickles show a mask; only the transport reveals it."""

from __future__ import annotations

from typing import Any


class Secret:
    """A key. Only the transport calls `reveal`, at the last moment before a request goes out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def of(cls, value: str | Secret | None) -> Secret | None:
        """The first line of whatever is given a key, so that no frame of a traceback ever shows it."""
        return cls(value) if isinstance(value, str) else value

    def reveal(self) -> str:
        return self._value

    def startswith(self, prefix: str) -> bool:
        """What kind of key it is, which is no secret."""
        return self._value.startswith(prefix)

    @property
    def masked(self) -> str:
        shown = self._value
        return f"{shown[:3]}…{shown[-4:]}" if len(shown) >= 16 else "…"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({self.masked})"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError("a Secret is not pickled: pass the key through the environment of the other process")
