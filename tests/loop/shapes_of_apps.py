"""Reading the frames of applications, and a clock that stands still until it is moved."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Clock:
    def __init__(self) -> None:
        self.now = 1767225600.0  # New Year of 2026

    def __call__(self) -> float:
        return self.now


class Frame(NamedTuple):
    id: int
    event: str
    status: int
    data: dict[str, Any]

    @property
    def output(self) -> dict[str, Any]:
        return self.data["output"]

    @property
    def usage(self) -> dict[str, Any]:
        return self.data["usage"]

    @property
    def request_id(self) -> str:
        return self.data["request_id"]


def frames_of(content: bytes) -> list[Frame]:
    frames = []
    for block in content.decode().split("\n\n")[:-1]:
        number, event, status, *_, data = block.split("\n")
        assert (number[:3], event[:6], status[:13], data[:5]) == ("id:", "event:", ":HTTP_STATUS/", "data:")
        frames.append(Frame(int(number[3:]), event[6:], int(status[13:]), json.loads(data[5:])))
    return frames
