"""Typed decoding that survives surprises.

A service may change the type of a field nobody needs. The fast path is msgspec straight from bytes; when one value has
the wrong shape, that value alone is dropped and the rest is kept, as often as it takes.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from qwenkit.protocol.failures import unreadable

T = TypeVar("T")

_PATH = re.compile(r"at `\$(?P<path>[^`]*)`")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_MOST_REPAIRS = 32


class Lenient(msgspec.Struct, gc=False):
    """A decoder for one type that drops what does not fit instead of failing."""

    decoder: Any
    type: Any

    @classmethod
    def of(cls, kind: Any) -> Lenient:
        return cls(msgspec.json.Decoder(kind), kind)

    def decode(self, data: bytes) -> Any:
        """The typed value; `msgspec.DecodeError` only when `data` is not JSON or not this kind of thing at all."""
        try:
            return self.decoder.decode(data)
        except msgspec.ValidationError:
            return self._repair(msgspec.json.decode(data))

    def read(self, data: bytes, what: str, *, request: str = "", request_id: str = "") -> Any:
        """The typed value in the body of a good answer; the error to raise when the body is something else."""
        try:
            return self.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as broken:
            raise unreadable(what, data, request=request, request_id=request_id) from broken

    def _repair(self, value: Any) -> Any:
        for _ in range(_MOST_REPAIRS):
            try:
                return msgspec.convert(value, self.type, strict=False)
            except msgspec.ValidationError as misfit:
                if not _drop(value, str(misfit)):
                    raise
        return msgspec.convert(value, self.type, strict=False)


def _drop(value: Any, complaint: str) -> bool:
    """Remove the value the complaint points at; False when there is nothing to remove."""
    found = _PATH.search(complaint)
    steps = _STEP.findall(found["path"]) if found else []
    if not steps:
        return False
    return any(_drop_at(place, steps[-1]) for place in _walk([value], steps[:-1]))


def _walk(places: list[Any], steps: list[tuple[str, str]]) -> list[Any]:
    for name, index in steps:
        if name:
            places = [place[name] for place in places if isinstance(place, dict) and name in place]
        elif index == "...":
            places = [item for place in places if isinstance(place, list | dict) for item in _items(place)]
        else:
            at = int(index)
            places = [place[at] for place in places if isinstance(place, list) and at < len(place)]
    return places


def _items(place: Any) -> list[Any]:
    return list(place.values()) if isinstance(place, dict) else place


def _drop_at(place: Any, step: tuple[str, str]) -> bool:
    name, index = step
    if name and isinstance(place, dict) and name in place:
        del place[name]
        return True
    if index and isinstance(place, list | dict) and place:
        place.clear() if index == "..." else place.pop(int(index)) if isinstance(place, list) else place.clear()
        return True
    return False
