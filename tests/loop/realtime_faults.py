"""A scripted realtime service: a dozen lines of a real socket, which stumble exactly where a test wants them to.

It speaks just enough of the protocol for one model to answer. At a named point of a turn it does what the fault says.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from qwenkit.api.client import Client

POINTS = ("before created", "before updated", "after append", "after committed", "after created", "mid text")
POINTS += ("mid audio", "in arguments", "after done")
SOUND = bytes(2400)
WORDS = ["The ", "lamp ", "is on."]
Fault = Callable[["Scripted", Any], Any]


class Scripted:
    """One socket at a time is served by `act`, in a thread of its own. `fault` strikes at `point`, so many times."""

    def __init__(self, point: str = "", fault: Fault | None = None, times: int = 1, tool: bool = False) -> None:
        self.point, self.fault, self.times, self.tool = point, fault, times, tool
        self.frames: list[dict[str, Any]] = []  # what clients sent
        self.sockets = self.answers = 0
        self.answering = ""
        self.forgets = False  # that it was told what came of a call
        self.deltas = 0  # more of the sound, for those who measure
        self.status: list[int] = []  # of the handshakes to refuse
        self.stop = asyncio.Event()

    async def strike(self, point: str, line: Any) -> None:
        if point == self.point and self.fault is not None and self.times > 0:
            self.times -= 1
            await self.fault(self, line)

    async def act(self, line: ServerConnection) -> None:
        self.sockets += 1
        await self.strike("before created", line)
        await say(line, "session.created", session={"id": f"sess_{self.sockets}", "model": "qwen3-omni-flash-realtime"})
        async for frame in line:
            sent = json.loads(frame)
            self.frames.append(sent)
            answer = getattr(self, "_" + sent["type"].replace(".", "_"), None)
            if answer is not None:
                with contextlib.suppress(Stopped):
                    await answer(line, sent)

    async def _session_update(self, line: Any, sent: Any) -> None:
        await self.strike("before updated", line)
        await say(line, "session.updated", session={"id": f"sess_{self.sockets}", **sent["session"]})

    async def _input_audio_buffer_append(self, line: Any, sent: Any) -> None:
        await self.strike("after append", line)

    async def _input_audio_buffer_commit(self, line: Any, sent: Any) -> None:
        id = f"item_{len(self.frames)}"
        await say(line, "input_audio_buffer.committed", item_id=id)
        await say(line, "conversation.item.created", item={"id": id, "type": "message", "role": "user"})
        done = "conversation.item.input_audio_transcription.completed"
        await say(line, done, item_id=id, transcript="Turn the lamp on.")
        await self.strike("after committed", line)

    async def _conversation_item_create(self, line: Any, sent: Any) -> None:
        await say(line, "conversation.item.created", item={"id": f"item_{len(self.frames)}", **sent["item"]})

    async def _response_create(self, line: Any, sent: Any) -> None:
        answered = any(frame.get("item", {}).get("type") == "function_call_output" for frame in self.frames)
        self.answers += 1
        id = self.answering = f"resp_{self.answers}"
        await say(line, "response.created", response={"id": id, "status": "in_progress", "output": []})
        await self.strike("after created", line)
        if self.tool and (self.forgets or not answered):
            await self._call(line, id)
        else:
            await self._speak(line, id)
        await self.strike("after done", line)

    async def _call(self, line: Any, id: str) -> None:
        call = {"id": "item_f", "type": "function_call", "call_id": "call_1", "name": "set_lamp"}
        about = {"response_id": id, "item_id": "item_f", "call_id": "call_1"}
        await say(line, "response.output_item.added", response_id=id, item={**call, "arguments": ""})
        await say(line, "response.function_call_arguments.delta", delta='{"on"', **about)
        await self.strike("in arguments", line)
        await say(line, "response.function_call_arguments.done", name="set_lamp", arguments=' {"on": true}', **about)
        done = {**call, "arguments": '{"on": true}', "status": "completed"}
        await say(line, "response.output_item.done", response_id=id, item=done)
        await say(line, "response.done", response={"id": id, "status": "completed", "output": [done], "usage": USAGE})

    async def _speak(self, line: Any, id: str) -> None:
        about = {"response_id": id, "item_id": "item_a"}
        for number, word in enumerate(WORDS):
            await say(line, "response.audio_transcript.delta", delta=word, **about)
            if number == 1:
                await self.strike("mid text", line)
            await say(line, "response.audio.delta", delta=base64.b64encode(SOUND).decode(), **about)
            if number == 1:
                await self.strike("mid audio", line)
        for _ in range(self.deltas):
            await say(line, "response.audio.delta", delta=base64.b64encode(SOUND).decode(), **about)
        await say(line, "response.audio_transcript.done", transcript="".join(WORDS), **about)
        await say(line, "response.audio.done", **about)
        await say(line, "response.done", response={"id": id, "status": "completed", "output": [], "usage": USAGE})


USAGE = {"total_tokens": 15, "input_tokens": 12, "output_tokens": 3}


async def say(line: Any, type: str, **fields: Any) -> None:
    await line.send(json.dumps({"event_id": "event_x", "type": type, **fields}))


async def reset(service: Scripted, line: Any) -> None:
    line.transport.abort()
    await asyncio.sleep(0.05)


async def until_cancelled(service: Scripted, line: Any) -> None:
    """The answer goes on only when somebody stops it."""
    async for frame in line:
        sent = json.loads(frame)
        service.frames.append(sent)
        if sent["type"] == "response.cancel":
            await say(line, "response.done", response={"id": service.answering, "status": "cancelled"})
            raise Stopped


class Stopped(Exception):
    """An answer was cut short."""


def kind(frame: str) -> str:
    """The name in a frame, however much of it is left."""
    return frame.partition('"type":')[2].split('"')[1]


async def stalled(service: Scripted, line: Any) -> None:
    await service.stop.wait()


def closes(code: int, reason: str) -> Fault:
    async def close(service: Scripted, line: Any) -> None:
        await line.close(code, reason)

    return close


def sends(data: str | bytes) -> Fault:
    async def send(service: Scripted, line: Any) -> None:
        await line.send(data)

    return send


@contextmanager
def served(service: Scripted) -> Iterator[Client]:
    """A client of the scripted service, which is gone behind the block."""
    begun: Any = []
    ready = threading.Event()

    async def main() -> None:
        def refuse(line: Any, request: Any) -> Any:
            return (
                line.respond(service.status.pop(0), '{"code": "Refused", "message": "no"}') if service.status else None
            )

        async with serve(service.act, "127.0.0.1", 0, process_request=refuse, compression=None) as server:
            service.stop = asyncio.Event()
            over = asyncio.Event()
            begun.extend([asyncio.get_running_loop(), over, server.sockets[0].getsockname()[1]])
            ready.set()
            await over.wait()
            service.stop.set()
            server.close(close_connections=True)

    thread = threading.Thread(target=lambda: asyncio.run(main()), name="scripted")
    thread.start()
    ready.wait(10)
    loop, over, port = begun
    client = Client(api_key="sk-test-0001", base_url=f"http://127.0.0.1:{port}")
    import msgspec

    client._core.patience = msgspec.structs.replace(client._core.patience, first_pause=0.005)
    try:
        yield client
    finally:
        client.close()
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
