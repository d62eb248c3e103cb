"""The contestants of the realtime socket: each holds a session as its own documentation does, hears, and sends sound.

Everything heard is handed on as PCM and text, so that nobody wins by leaving work undone. `open` prepares `events` and
three calls: `ask` for an answer, send a block of `sound`, `commit` what was sent.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from tests.bench.contestants import KEY

MODEL = "qwen3.5-omni-plus-realtime"
PATH = "/api-ws/v1/realtime"
SENT = bytes(range(1, 201)) * 16  # 100 ms of PCM16 at 16 kHz, what one append carries
AUDIO, TEXT, DONE = "response.audio.delta", "response.audio_transcript.delta", "response.done"
COMMITTED = "input_audio_buffer.committed"
MANUAL: dict[str, Any] = {"modalities": ["text", "audio"], "voice": "Tina", "turn_detection": None}
Take = Callable[[str, bytes, str], None]  # event_id, PCM, text


def _sent() -> str:
    return base64.b64encode(SENT).decode()


def _address(url: str) -> str:
    return url.replace("http", "ws", 1) + PATH


def _dict(event: dict[str, Any], take: Take) -> str:
    kind: str = event["type"]
    if kind == AUDIO:
        take(event["event_id"], base64.b64decode(event["delta"]), "")
    elif kind == TEXT:
        take(event["event_id"], b"", event["delta"])
    return kind


def _typed(event: Any, take: Take) -> str:
    """An event of qwenkit's: its sound is PCM already."""
    kind: str = event.type
    if kind == AUDIO:
        take(event.event_id, event.pcm, "")
    elif kind == TEXT:
        take(event.event_id, b"", event.delta)
    return kind


class Caller:
    """What is read until the end of an answer, and sent, in a loop that blocks."""

    told: Callable[[Any, Take], str] = staticmethod(_dict)
    take: Take = staticmethod(lambda *_: None)
    url: str
    events: Any  # and what says something: these three
    ask: Any
    sound: Any
    commit: Any

    def hear(self, wish: str, take: Take) -> Any:
        self.ask(instructions=wish)
        self.read(DONE, take)

    def append(self, count: int) -> Any:
        for _ in range(count):
            self.sound()
        self.commit()
        self.read(COMMITTED, self.take)

    def read(self, last: str, take: Take) -> None:
        for event in self.events():
            if self.told(event, take) == last:
                return


class AsyncCaller(Caller):
    async def hear(self, wish: str, take: Take) -> None:
        await self.ask(instructions=wish)
        await self.aread(DONE, take)

    async def append(self, count: int) -> None:
        for _ in range(count):
            await self.sound()
        await self.commit()
        await self.aread(COMMITTED, self.take)

    async def aread(self, last: str, take: Take) -> None:
        async for event in self.events():
            if self.told(event, take) == last:
                return


class Websockets(AsyncCaller):
    """The floor: `websockets` as it comes, `json`, `base64` and dicts."""

    told = staticmethod(lambda frame, take: _dict(json.loads(frame), take))

    async def open(self, url: str) -> None:
        from websockets.asyncio.client import connect

        headers = {"Authorization": f"Bearer {KEY}"}
        self.wire = await connect(f"{_address(url)}?model={MODEL}", additional_headers=headers, proxy=None)
        self.events = self.wire.__aiter__
        self.ask = lambda **response: self.send("response.create", response=response)
        self.sound = lambda: self.send("input_audio_buffer.append", audio=_sent())
        self.commit = lambda: self.send("input_audio_buffer.commit")
        await self.send("session.update", session=MANUAL)

    async def send(self, kind: str, **fields: Any) -> None:
        await self.wire.send(json.dumps({"event_id": "event_1", "type": kind, **fields}))


class Machine(Websockets):
    """The same socket with qwenkit's protocol on it, and nothing else of qwenkit."""

    async def open(self, url: str) -> None:
        from qwenkit.protocol.realtime import commands, machine

        await super().open(url)
        self.machine = machine.Machine(MODEL, MANUAL)
        self.sound = lambda: self.wire.send(self.machine.encode(**commands.append(SENT)))

    async def aread(self, last: str, take: Take) -> None:
        receive, recv = self.machine.receive, self.wire.recv
        while True:
            for event in receive(await recv(decode=False), 0.0):
                if _typed(event, take) == last:
                    return


class QwenkitAsync(AsyncCaller):
    told = staticmethod(_typed)

    async def open(self, url: str) -> None:
        import qwenkit as qk

        client: Any = qk.Client(api_key=KEY, base_url=url).aio
        self.take_up(await client.realtime.connect(model=MODEL).__aenter__())

    def take_up(self, session: Any) -> None:
        self.events, self.ask, self.commit = lambda: session, session.respond, session.commit
        self.sound = lambda: session.append(SENT)


class Qwenkit(Caller):
    told, take_up = staticmethod(_typed), QwenkitAsync.take_up

    def open(self, url: str) -> None:
        import qwenkit as qk

        client: Any = qk.Client(api_key=KEY, base_url=url)
        self.take_up(client.realtime.connect(model=MODEL).__enter__())


class OpenAIAsync(AsyncCaller):
    """`client.realtime` does not know the service's names of events, and pays for that; `.beta.realtime` does."""

    resource = attrgetter("realtime")

    def told(self, event: Any, take: Take) -> str:
        return _dict({"type": event.type, "event_id": event.event_id, "delta": getattr(event, "delta", "")}, take)

    async def open(self, url: str) -> None:
        from openai import AsyncOpenAI

        client = AsyncOpenAI(api_key=KEY, websocket_base_url=_address(url).removesuffix("/realtime"))
        wire: Any = await self.resource(client).connect(model=MODEL).enter()
        self.events, self.commit = wire.__aiter__, wire.input_audio_buffer.commit
        self.ask = lambda **response: wire.response.create(response=response)
        self.sound = lambda: wire.input_audio_buffer.append(audio=_sent())
        await wire.session.update(session=MANUAL)


class OpenAIBetaAsync(OpenAIAsync):
    resource = attrgetter("beta.realtime")


class Dashscope(Caller):
    """`OmniRealtimeConversation`: a thread of its own calls back with dicts."""

    def open(self, url: str) -> None:
        from dashscope.audio.qwen_omni import MultiModality, OmniRealtimeCallback, OmniRealtimeConversation

        class Heard(OmniRealtimeCallback):  # type: ignore[misc]
            on_event = staticmethod(self.heard)

        self.ended = threading.Event()
        talk = OmniRealtimeConversation(MODEL, Heard(), url=_address(url), api_key=KEY)
        talk.connect()
        talk.update_session([MultiModality.TEXT, MultiModality.AUDIO], voice="Tina", enable_turn_detection=False)
        self.ask, self.sound, self.commit = talk.create_response, lambda: talk.append_audio(_sent()), talk.commit

    def heard(self, event: dict[str, Any]) -> None:
        if self.told(event, self.take) in (DONE, COMMITTED):
            self.ended.set()

    def hear(self, wish: str, take: Take) -> None:
        self.take = take
        super().hear(wish, take)

    def read(self, last: str, take: Take) -> None:
        self.ended.wait()
        self.ended.clear()


class DashscopeV2(Caller):
    """`client.audio.realtime`: the newer one, read in a loop."""

    def open(self, url: str) -> None:
        import dashscope

        self.client: Any = dashscope.Client(api_key=KEY, base_url=f"{url}/api/v1")
        talk = self.client.audio.realtime.connect(model=MODEL, ws_url=_address(url)).connect()
        talk.update_session(["text", "audio"], voice="Tina", enable_turn_detection=False)
        self.events, self.ask, self.commit = talk.events, talk.create_response, talk.commit
        self.sound = lambda: talk.append_audio(SENT)


CALLERS: dict[str, Any] = {
    "websockets": Websockets,
    "qwenkit.Machine": Machine,
    "qwenkit-async": QwenkitAsync,
    "qwenkit": Qwenkit,
    "openai-async": OpenAIAsync,
    "openai.beta-async": OpenAIBetaAsync,
    "dashscope": Dashscope,
    "dashscope.v2": DashscopeV2,
}
