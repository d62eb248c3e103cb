"""Sessions of the official `dashscope` SDK, told in order: what was sent, what came, and how it ended.

The SDK looks every 0.1 s whether its socket is open; here it looks more often. Nothing else of it is changed.
"""

from __future__ import annotations

import base64
import io
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dashscope.audio.qwen_omni import MultiModality, OmniRealtimeCallback, OmniRealtimeConversation, omni_realtime
from PIL import Image
from websocket import ABNF, _core

from qwenkit.sandbox import Sandbox

MODEL = "qwen3.5-omni-plus-realtime"
DATA = Path(__file__).parents[2] / "data"
TEXT, BOTH = [MultiModality.TEXT], [MultiModality.TEXT, MultiModality.AUDIO]
BLOCK = 3200  # bytes: 100 ms at 16 kHz
SECOND = bytes(32_000)
QUIET = {"enable_turn_detection": False}
RAIN = {
    "type": "function",
    "function": {
        "name": "rain_now",
        "description": "Whether it is raining in a town",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string", "description": "Name of the town"}},
            "required": ["town"],
        },
    },
}
STORY = "Tell me a long story about a ferry, a harbour and a lighthouse."
MESSAGE: dict[str, Any] = {"type": "message", "role": "user"}


def sound(name: str) -> bytes:
    with wave.open(str(DATA / name)) as file:
        return file.readframes(file.getnframes())


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def typed(text: str) -> dict[str, Any]:
    return {**MESSAGE, "content": [{"type": "input_text", "text": text}]}


def picture(name: str, side: int = 480) -> bytes:
    made = io.BytesIO()
    image = Image.open(DATA / name).convert("RGB")
    image.thumbnail((side, side))
    image.save(made, "jpeg", quality=80)
    return made.getvalue()


def only(events: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [each for each in events if each["type"] == kind]
    return found


def pcm(events: list[dict[str, Any]]) -> bytes:
    return b"".join(base64.b64decode(each["delta"]) for each in events if each["type"] == "response.audio.delta")


def words(events: list[dict[str, Any]]) -> str:
    spoken = ("response.audio_transcript.delta", "response.text.delta")
    return "".join(each["delta"] for each in events if each["type"] in spoken)


def kinds(events: list[dict[str, Any]]) -> list[str]:
    """The names in order, each run of one name once."""
    told = [each["type"] for each in events]
    return [kind for kind, before in zip(told, ["", *told], strict=False) if kind != before]


class Heard(OmniRealtimeCallback):  # type: ignore[misc]
    """What the SDK calls back, for one thread that waits for it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.opened = 0
        self.closed: list[tuple[int | None, str | None]] = []
        self.more = threading.Condition()

    def on_open(self) -> None:
        self.opened += 1

    def on_event(self, message: dict[str, Any]) -> None:
        with self.more:
            self.events.append(message)
            self.more.notify_all()

    def on_close(self, close_status_code: int | None, close_msg: str | None) -> None:
        with self.more:
            self.closed.append((close_status_code, close_msg))
            self.more.notify_all()


class Talk(Heard):
    """One session: the SDK's conversation, and what came of it."""

    def __init__(self, box: Sandbox, model: str = MODEL, **options: Any) -> None:
        super().__init__()
        given = {"url": f"ws{box.url.removeprefix('http')}/api-ws/v1/realtime", "api_key": box.key, **options}
        self.sdk = OmniRealtimeConversation(model, self, **given)
        self.place = 0

    def until(self, kind: str, patience: float = 30) -> list[dict[str, Any]]:
        """The events from where the last wait ended to the next of this kind."""
        begin = self.place
        with self.more:
            came = self.more.wait_for(lambda: self._passed(kind) or self.closed, patience)
            assert came, (f"no {kind}", kinds(self.events[begin:])[-8:])
            assert self.place > begin, (f"no {kind} before the end", kinds(self.events[begin:])[-8:], self.closed)
            return self.events[begin : self.place]

    def _passed(self, kind: str) -> bool:
        at = next((at for at in range(self.place, len(self.events)) if self.events[at]["type"] == kind), None)
        self.place = self.place if at is None else at + 1
        return at is not None

    def ended(self, patience: float = 30) -> tuple[int | None, str | None]:
        with self.more:
            assert self.more.wait_for(lambda: self.closed, patience), self.events[-3:]
            return self.closed[0]

    def update(self, modalities: list[MultiModality] = BOTH, **options: Any) -> dict[str, Any]:
        self.sdk.update_session(modalities, **options)
        session: dict[str, Any] = self.until("session.updated")[-1]["session"]
        return session

    def hear(self, content: bytes) -> None:
        for at in range(0, len(content), BLOCK):
            self.sdk.append_audio(base64_of(content[at : at + BLOCK]))

    def ask(self, text: str, **options: Any) -> list[dict[str, Any]]:
        """A typed turn, to its end."""
        self.sdk.create_item(typed(text))
        self.until("conversation.item.created")
        self.sdk.create_response(**options)
        return self.until("response.done")

    def refused(self) -> dict[str, Any]:
        error: dict[str, Any] = self.until("error")[-1]["error"]
        return error


@contextmanager
def hurried(factor: float = 0.2) -> Iterator[None]:
    """The SDK polls at once, by a clock of its own: slower than ours, so that its 5 s to connect are enough anywhere,
    or faster where they are waited for. The sockets that it leaves open are closed."""
    left, connect = [], _core.connect
    with pytest.MonkeyPatch.context() as patch:
        quick = SimpleNamespace(time=lambda: time.time() * factor, sleep=lambda _: time.sleep(0.002))
        patch.setattr(omni_realtime, "time", quick)
        patch.setattr(_core, "connect", lambda *given: left.append(found := connect(*given)) or found)
        yield
    for sock, _ in left:
        sock.close()


@contextmanager
def talking(box: Sandbox, model: str = MODEL, **options: Any) -> Iterator[Talk]:
    """An open session, which has said that it is created. Behind the test it ends with a goodbye on both sides: after
    the SDK's own `close` its thread may listen to nothing for ever."""
    with hurried():
        talk = Talk(box, model, **options)
        talk.sdk.connect()
        try:
            talk.until("session.created")
            yield talk
        finally:
            if talk.sdk.ws.sock and talk.sdk.ws.sock.connected:
                talk.sdk.ws.send(b"\x03\xe8", ABNF.OPCODE_CLOSE)
                talk.sdk.thread.join(30)
