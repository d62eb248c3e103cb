"""A bare client of the realtime socket: says what it is told to, and writes down every frame that comes back."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.waves import floats, resampled, samples16

Json = dict[str, Any]
DATA = Path(__file__).parents[2] / "data"
FINISH = {"type": "session.finish"}


def dial(box: Sandbox, model: str, path: str = "/api-ws/v1/realtime", **headers: str) -> ClientConnection:
    headers = {
        "Authorization": f"Bearer {box.key}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    url = f"{box.url.replace('http', 'ws')}{path}?model={model}"
    given = {name: value for name, value in headers.items() if value}
    return connect(url, additional_headers=given, compression=None, max_size=None)


def talk(box: Sandbox, model: str, *commands: Json | str | bytes, until: str = "session.finished") -> list[Json]:
    """What comes until an event of that type, or until the socket closes: then the last is {"closed": [code, why]}."""
    events: list[Json] = []
    with dial(box, model) as socket:
        with suppress(ConnectionClosed):
            for command in commands:
                socket.send(json.dumps(command) if isinstance(command, dict) else command)
        while not events or (events[-1]["type"] != until and "closed" not in events[-1]):
            events.append(frame_of(socket))
    return events


def frame_of(socket: ClientConnection) -> Json:
    """The next frame."""
    try:
        return read(socket.recv(timeout=30))
    except ConnectionClosed as end:
        return {"type": "", "closed": [end.rcvd.code, end.rcvd.reason] if end.rcvd else []}


def read(frame: str | bytes) -> Json:
    try:
        return dict(json.loads(frame))
    except ValueError:
        return {"type": "", "broken": frame}


def types(events: list[Json]) -> list[str]:
    """The types in order, runs of one type as one."""
    told = [event["type"] for event in events]
    return [each for number, each in enumerate(told) if number == 0 or each != told[number - 1]]


def of(events: list[Json], type: str) -> list[Json]:
    return [event for event in events if event["type"] == type]


def errors(events: list[Json]) -> list[Json]:
    return [event["error"] for event in of(events, "error")]


def sound(events: list[Json]) -> bytes:
    return b"".join(base64.b64decode(event["delta"]) for event in of(events, "response.audio.delta"))


def update(**session: Any) -> Json:
    return {"type": "session.update", "event_id": "event_u", "session": session}


def appended(pcm: bytes, size: int = 6400) -> list[Json]:
    pieces = [pcm[at : at + size] for at in range(0, len(pcm), size)]
    return [{"type": "input_audio_buffer.append", "audio": base64.b64encode(each).decode()} for each in pieces]


@cache
def clip(name: str, rate_hz: int = 16000) -> bytes:
    wave, rate = soundfile.read(DATA / f"{name}.wav", dtype="int16")
    return bytes(samples16(resampled(floats(wave), rate, rate_hz)).tobytes())


def silence(seconds: float, rate_hz: int = 16000) -> bytes:
    return bytes(np.zeros(round(seconds * rate_hz), "<i2").tobytes())
