"""The other end of the wire: answers encoded beforehand, so that the client under test is what costs.

A prompt says what it wants: "chunks=20000" streams that many text events, "chunks=300 pace=100" paces them per second,
anything else gets one short JSON answer. Paths under `/api/v1/services` answer in DashScope's native shape, all others
in OpenAI's. Each event is an HTTP chunk of its own, as from a real gateway. Who asks for a WebSocket is handed over to
`phone`. It is no sandbox: it checks nothing.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from itertools import cycle, islice
from typing import NamedTuple

from tests.bench.phone import Phone, greeting

WORDS = [" the", " river", " was", " low", " and", " slow", ".", " so", " we", " walked", " across", " it", " 水", "面"]
BLOCK = 100  # events per write when nothing paces them, about 25 kB
_WISH = re.compile(rb"chunks=(\d+)(?: pace=(\d+))?")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ID = "0c1d2e3f-3333-4a2b-9c3d-44556677aabb"
_FACTS = {"created": 1790001300, "system_fingerprint": None, "model": "qwen-plus", "id": f"chatcmpl-{_ID}"}
_TOKENS = {
    "prompt_tokens": 11,
    "completion_tokens": 2,
    "total_tokens": 13,
    "prompt_tokens_details": {"cached_tokens": 0},
}
_NATIVE_TOKENS = {"total_tokens": 13, "input_tokens": 11, "output_tokens": 2}


def expected_text(count: int) -> str:
    """The text of a stream of `count` events: what every contestant must have received."""
    return "".join(islice(cycle(WORDS), count))


class Dialect(NamedTuple):
    """One shape of answers, ready to send: the short one; the head, the events and the tail of a stream."""

    short: bytes
    head: bytes
    events: list[bytes]
    tail: bytes


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _openai(text: str, finish: str | None = None) -> str:
    choices = [{"finish_reason": finish, "delta": {"content": text}, "index": 0, "logprobs": None}]
    return f"data: {_json({'choices': choices, 'object': 'chat.completion.chunk', 'usage': None, **_FACTS})}\n\n"


def _native(text: str, finish: str = "null") -> str:
    choices = [{"message": {"content": text, "role": "assistant"}, "finish_reason": finish}]
    body = {"output": {"choices": choices}, "usage": _NATIVE_TOKENS, "request_id": _ID}
    return f"id:1\nevent:result\n:HTTP_STATUS/200\ndata:{_json(body)}\n\n"


def _dialect(short: object, events: list[str], tail: list[str]) -> Dialect:
    start, body = f"HTTP/1.1 200 OK\r\nx-request-id: {_ID}\r\nContent-Type: ".encode(), _json(short).encode()
    chunks = [b"%x\r\n%s\r\n" % (len(event.encode()), event.encode()) for event in [*events, *tail]]
    return Dialect(
        start + b"application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
        start + b"text/event-stream;charset=UTF-8\r\nTransfer-Encoding: chunked\r\n\r\n",
        chunks[: len(events)],
        b"".join(chunks[len(events) :]) + b"0\r\n\r\n",
    )


def dialects() -> tuple[Dialect, Dialect]:
    """(OpenAI's, DashScope's own)"""
    words = list(islice(cycle(WORDS), BLOCK + len(WORDS)))
    message = {"role": "assistant", "content": "Seven."}
    choices = [{"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}]
    last = _json({"choices": [], "object": "chat.completion.chunk", "usage": _TOKENS, **_FACTS})
    tail = [_openai("", "stop"), f"data: {last}\n\n", "data: [DONE]\n\n"]
    short = {"choices": choices, "object": "chat.completion", "usage": _TOKENS, **_FACTS}
    native = {"output": {"choices": choices}, "usage": _NATIVE_TOKENS, "request_id": _ID}
    return (
        _dialect(short, [_openai(word) for word in words], tail),
        _dialect(native, [_native(word) for word in words], [_native("", "stop")]),
    )


class Desk(asyncio.Protocol):
    """One connection: collects a request, answers it, waits for the next."""

    def __init__(self, openai: Dialect, native: Dialect) -> None:
        self.openai, self.native, self.seen = openai, native, b""
        self.room = asyncio.Event()
        self.resume_writing = self.room.set
        self.pause_writing = self.room.clear
        self.room.set()
        self.stream: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.wire: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        if self.stream:
            self.stream.cancel()

    def data_received(self, data: bytes) -> None:
        self.seen += data
        head, found, body = self.seen.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length[1]) if length else 0):
            return
        self.seen = b""
        if b"/api-ws/v1/realtime" in head.split(b"\r\n", 1)[0]:
            self.wire.set_protocol(Phone(self.wire, self.room))
            self.wire.write(greeting(head))
            return
        dialect = self.native if b"/api/v1/services" in head.split(b"\r\n", 1)[0] else self.openai
        if wish := _WISH.search(body):
            self.stream = asyncio.ensure_future(self.send(dialect, int(wish[1]), int(wish[2] or 0)))
        else:
            self.wire.write(dialect.short)

    async def send(self, dialect: Dialect, count: int, pace: int) -> None:
        clock = asyncio.get_running_loop().time
        self.wire.write(dialect.head)
        began, step = clock(), 1 if pace else BLOCK
        for start in range(0, count, step):
            await self.room.wait()
            if pace:
                await asyncio.sleep(began + start / pace - clock())
            at = start % len(WORDS)
            self.wire.write(b"".join(dialect.events[at : at + min(step, count - start)]))
        self.wire.write(dialect.tail)


async def serve() -> None:
    """Serve on a free loopback port, say which on stdout, and leave when stdin closes, so that no orphan stays."""
    both, loop, done = dialects(), asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Desk(*both), "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop.add_reader(sys.stdin.fileno(), done.set)
    await done.wait()


if __name__ == "__main__":
    asyncio.run(serve())
