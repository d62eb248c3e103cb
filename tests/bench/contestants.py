"""The contestants, each asking the same two things the way its own documentation does: a short answer and a stream.

Both return the text received, so that nobody wins by losing events. Libraries are imported by the contestant that uses
them, never at the top: a process carries one contestant's weight only.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

MODEL = "qwen-plus"
KEY = "sk-bench"
COMPATIBLE = "/compatible-mode/v1"
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
STREAMED: Any = {"stream": True, "stream_options": {"include_usage": True}}


def _asked(prompt: str) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}


def _text(line: str) -> str:
    """What the floor does with an event: no types, no checks."""
    choices = json.loads(line[6:])["choices"]
    return (choices[0]["delta"].get("content") or "") if choices else ""


class Httpx:
    """The floor: raw httpx, `json` and dicts."""

    keeps_text = False

    def __init__(self, url: str) -> None:
        import httpx

        self.client = httpx.Client(base_url=url + COMPATIBLE, headers=HEADERS, timeout=60)

    def ask(self) -> str:
        answer = self.client.post("/chat/completions", content=json.dumps(_asked("hi")))
        return str(json.loads(answer.content)["choices"][0]["message"]["content"])

    def stream(self, prompt: str) -> str:
        return "".join(list(self.texts(prompt)))

    def texts(self, prompt: str) -> Iterator[str]:
        body = json.dumps({**_asked(prompt), **STREAMED})
        with self.client.stream("POST", "/chat/completions", content=body) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    yield _text(line)


class HttpxAsync:
    """The floor, awaited."""

    def __init__(self, url: str) -> None:
        import httpx

        self.client = httpx.AsyncClient(base_url=url + COMPATIBLE, headers=HEADERS, timeout=60)

    async def ask(self) -> str:
        answer = await self.client.post("/chat/completions", content=json.dumps(_asked("hi")))
        return str(json.loads(answer.content)["choices"][0]["message"]["content"])

    async def stream(self, prompt: str) -> str:
        return "".join([text async for text in self.texts(prompt)])

    async def texts(self, prompt: str) -> AsyncIterator[str]:
        body = json.dumps({**_asked(prompt), **STREAMED})
        async with self.client.stream("POST", "/chat/completions", content=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    yield _text(line)


class Qwenkit:
    keeps_text = True  # in the reply that a stream folds into

    def __init__(self, url: str) -> None:
        import qwenkit as qk

        self.client: Any = qk.Client(api_key=KEY, base_url=url)

    def ask(self) -> str:
        return str(self.client.chat("hi", model=MODEL).text)

    def stream(self, prompt: str) -> str:
        return "".join(list(self.texts(prompt)))

    def texts(self, prompt: str) -> Iterator[str]:
        with self.client.chat.stream(prompt, model=MODEL) as stream:
            for piece in stream:
                yield piece.text


class QwenkitAsync:
    def __init__(self, url: str) -> None:
        import qwenkit as qk

        self.client: Any = qk.Client(api_key=KEY, base_url=url).aio

    async def ask(self) -> str:
        return str((await self.client.chat("hi", model=MODEL)).text)

    async def stream(self, prompt: str) -> str:
        return "".join([text async for text in self.texts(prompt)])

    async def texts(self, prompt: str) -> AsyncIterator[str]:
        async with self.client.chat.stream(prompt, model=MODEL) as stream:
            async for piece in stream:
                yield piece.text

    async def many(self, calls: int, concurrency: int) -> list[str | None]:
        """The bare crowd: so many workers around one iterator, as anybody would write it."""
        waiting, texts = iter(range(calls)), [""] * calls

        async def worker() -> None:
            for place in waiting:
                texts[place] = await self.ask()

        await asyncio.gather(*(worker() for _ in range(concurrency)))
        return list(texts)


class QwenkitMap(QwenkitAsync):
    async def many(self, calls: int, concurrency: int) -> list[str | None]:
        results = await self.client.map(["hi"] * calls, concurrency=concurrency, model=MODEL, progress=False)
        texts: list[str | None] = results.texts
        return texts


class OpenAI:
    def __init__(self, url: str) -> None:
        from openai import OpenAI

        self.create: Any = OpenAI(api_key=KEY, base_url=url + COMPATIBLE).chat.completions.create

    def ask(self) -> str:
        return str(self.create(**_asked("hi")).choices[0].message.content)

    def stream(self, prompt: str) -> str:
        events = self.create(**_asked(prompt), **STREAMED)
        return "".join([choice.delta.content or "" for event in events for choice in event.choices])


class OpenAIAsync:
    def __init__(self, url: str) -> None:
        from openai import AsyncOpenAI

        self.create: Any = AsyncOpenAI(api_key=KEY, base_url=url + COMPATIBLE).chat.completions.create

    async def ask(self) -> str:
        return str((await self.create(**_asked("hi"))).choices[0].message.content)

    async def stream(self, prompt: str) -> str:
        events = await self.create(**_asked(prompt), **STREAMED)
        return "".join([choice.delta.content or "" async for event in events for choice in event.choices])


class Dashscope:
    """The official SDK on its home ground, the native protocol; events are incremental like everybody's here."""

    def __init__(self, url: str) -> None:
        import dashscope

        dashscope.base_http_api_url = url + "/api/v1"
        self.call: Any = dashscope.Generation.call
        self.common = {"api_key": KEY, "result_format": "message"}

    def ask(self) -> str:
        return str(self.call(**_asked("hi"), **self.common).output.choices[0].message.content)

    def stream(self, prompt: str) -> str:
        events = self.call(**_asked(prompt), **self.common, stream=True, incremental_output=True)
        return "".join([event.output.choices[0].message.content for event in events])


CONTESTANTS: dict[str, Any] = {
    "httpx": Httpx,
    "httpx-async": HttpxAsync,
    "qwenkit": Qwenkit,
    "qwenkit-async": QwenkitAsync,
    "qwenkit-map": QwenkitMap,
    "openai": OpenAI,
    "openai-async": OpenAIAsync,
    "dashscope": Dashscope,
}
