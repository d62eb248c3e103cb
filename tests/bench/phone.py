"""The other end of the realtime socket: a session whose answers were encoded beforehand, and a sink for sound.

`response.create` says what it wants in its instructions: "deltas=3000" brings so many blocks of sound, each with a word
of transcript, "deltas=300 pace=100" paces them per second. The `event_id` of a paced block is the moment it was sent,
so whoever handles it can tell how late it is. Appended sound is counted by its length, never looked at.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import time
from itertools import cycle, islice
from typing import Any

WORDS = [" the", " ferry", " leaves", " at", " nine", ",", " 早上", "好", " so", " they", " said", "."]
BLOCK = bytes(range(1, 241)) * 15  # 75 ms of PCM16 at 24 kHz, 4.8 kB in Base64
BLOCKS_PER_SECOND = 48_000 / len(BLOCK)
_WISH = re.compile(r"deltas=(\d+)(?: pace=([\d.]+))?")
_KEY = re.compile(rb"\r\nsec-websocket-key: *(\S+)", re.IGNORECASE)
_STAMP = b"event_" + b"0" * 20
_SESSION = {"id": "sess_a1", "object": "realtime.session", "output_audio_format": "pcm", "turn_detection": None}
_ANSWER = {"id": "resp_7", "object": "realtime.response", "output": [], "usage": {"total_tokens": 150}}
_ITEM: dict[str, Any] = {"response_id": "resp_7", "item_id": "item_a1", "output_index": 0, "content_index": 0}


def expected(count: int) -> tuple[int, str]:
    """(bytes of sound, transcript) of so many deltas: what every contestant must have received."""
    return count * len(BLOCK), "".join(islice(cycle(WORDS), count))


def frame(kind: str, **fields: Any) -> bytes:
    """One event as the text frame that a server sends."""
    text = json.dumps({"event_id": _STAMP.decode(), "type": kind, **fields}, ensure_ascii=False).encode()
    return b"\x81" + (bytes([len(text)]) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2)) + text


_SOUND = frame("response.audio.delta", **_ITEM, delta=base64.b64encode(BLOCK).decode())
_TEXTS = [frame("response.audio_transcript.delta", **_ITEM, delta=word) for word in WORDS]
_ALL_WORDS = [_SOUND + text for text in _TEXTS]
_OPENING = frame("response.created", response={**_ANSWER, "status": "in_progress"})
_ENDING = frame("response.audio.done", **_ITEM) + frame("response.done", response={**_ANSWER, "status": "completed"})
_REPLIES = {
    "session.update": frame("session.updated", session=_SESSION),
    "input_audio_buffer.commit": frame("input_audio_buffer.committed", item_id="item_u1"),
}


def greeting(head: bytes) -> bytes:
    """The upgrade, and the first event with it."""
    key = _KEY.search(head + b"\r\n")
    digest = hashlib.sha1((key[1] if key else b"") + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    return upgrade + base64.b64encode(digest) + b"\r\n\r\n" + frame("session.created", session=_SESSION)


class Phone(asyncio.Protocol):
    """One session, on a connection that was upgraded."""

    def __init__(self, wire: asyncio.Transport, room: asyncio.Event) -> None:
        self.wire, self.room, self.seen = wire, room, bytearray()
        self.resume_writing, self.pause_writing = room.set, room.clear
        self.answer: asyncio.Task[None] | None = None

    def connection_lost(self, error: Exception | None) -> None:
        if self.answer:
            self.answer.cancel()

    def data_received(self, data: bytes) -> None:
        """Frames of a client: masked, and here never in fragments."""
        self.seen += data
        at = 0
        while len(self.seen) >= at + 2:
            short = self.seen[at + 1] & 127
            body = at + {126: 4, 127: 10}.get(short, 2) + 4
            size = int.from_bytes(self.seen[at + 2 : body - 4]) if short > 125 else short
            if len(self.seen) < body + size:
                break
            kind, mask = self.seen[at] & 15, bytes(self.seen[body - 4 : body])
            if size < 4000:  # else it is sound
                self.take(kind, bytes(byte ^ mask[n % 4] for n, byte in enumerate(self.seen[body : body + size])))
            at = body + size
        del self.seen[:at]

    def take(self, kind: int, text: bytes) -> None:
        if kind == 8:
            self.wire.close()
        elif kind == 9:
            self.wire.write(b"\x8a" + bytes([len(text)]) + text)
        else:
            event = json.loads(text)
            if event["type"] == "response.create" and (wish := _WISH.search(str(event["response"]))):
                self.answer = asyncio.ensure_future(self.speak(int(wish[1]), float(wish[2] or 0)))
            self.wire.write(_REPLIES.get(event["type"], b""))

    async def speak(self, count: int, pace: float) -> None:
        clock = asyncio.get_running_loop().time
        self.wire.write(_OPENING)
        began, step = clock(), 1 if pace else len(WORDS)
        for start in range(0, count, step):
            await self.room.wait()
            if pace:
                await asyncio.sleep(began + start / pace - clock())
                sound = _SOUND.replace(_STAMP, b"event_%020d" % time.perf_counter_ns(), 1)
                self.wire.write(sound + _TEXTS[start % len(WORDS)])
            else:
                self.wire.write(b"".join(_ALL_WORDS[: count - start]))
        self.wire.write(_ENDING)
