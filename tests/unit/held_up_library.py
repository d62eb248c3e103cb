"""A library that is held up while it fills an index, for tests of what happens in the meantime."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

import pytest

from qwenkit.sandbox.knowledge import working
from qwenkit.sandbox.knowledge.chunks import Chunks


class HeldUp(NamedTuple):
    """`begun` is set when the first chunks are to be added; they are once `gate` is."""

    begun: threading.Event
    gate: threading.Event


def held_up(monkeypatch: pytest.MonkeyPatch) -> HeldUp:
    monkeypatch.setattr(working, "SHORT", 0)
    held, add = HeldUp(threading.Event(), threading.Event()), Chunks.add

    def slow(self: Chunks, chunks: Any) -> None:
        held.begun.set()
        held.gate.wait(20)
        add(self, chunks)

    monkeypatch.setattr(Chunks, "add", slow)
    return held
