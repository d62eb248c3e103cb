"""The official SDKs, unmodified, pointed at the sandbox.

One test body asks through both flavours of `openai`. `dash` is the module `dashscope` itself, because its classes read
their address and key from there.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import qwenkit as qk
from qwenkit.sandbox import Sandbox

os.environ.update(NO_PROXY="*", no_proxy="*")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(key="sk-conformance") as running:
        yield running


@pytest.fixture
def box(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, without what an earlier test left: its faults, and its requests, of which a thousand are kept."""
    sandbox.clear_requests()
    yield sandbox
    sandbox.clear_faults()


class Flavour:
    """The SDK's sync or async client behind one awaitable face."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def create(self, content: str | list[dict[str, Any]] = "Hello", **options: Any) -> Any:
        """A chat completion; `content` is what the user says, or the whole list of messages."""
        messages = [{"role": "user", "content": content}] if isinstance(content, str) else content
        asked = {"model": "qwen-plus", "messages": messages, **options}
        return await self.result(self.client.chat.completions.create, **asked)

    async def stream(self, content: str | list[dict[str, Any]] = "Hello", **options: Any) -> list[Any]:
        """The chunks of a streamed completion."""
        return await self.items(await self.create(content, stream=True, **options))

    async def helper(self, content: str | list[dict[str, Any]], **options: Any) -> tuple[list[Any], Any]:
        """The events and the final completion of the SDK's own `stream()` helper."""
        messages = [{"role": "user", "content": content}] if isinstance(content, str) else content
        manager = self.client.chat.completions.stream(model="qwen-plus", messages=messages, **options)
        if isinstance(self.client, openai.OpenAI):
            with manager as stream:
                return list(stream), stream.get_final_completion()
        async with manager as stream:
            return [event async for event in stream], await stream.get_final_completion()

    async def result(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        answer = call(*args, **options)
        return await answer if inspect.isawaitable(answer) else answer

    async def items(self, several: Any) -> list[Any]:
        if isinstance(self.client, openai.OpenAI):
            return list(several)
        return [each async for each in several]

    def retrying(self, times: int) -> Flavour:
        return Flavour(self.client.with_options(max_retries=times))


@pytest.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, box: Sandbox) -> AsyncIterator[Flavour]:
    options: dict[str, Any] = {
        "base_url": box.url + "/compatible-mode/v1",
        "api_key": box.key,
        "max_retries": 0,
        "timeout": 10,
    }
    if request.param == "sync":
        with openai.OpenAI(**options) as client:
            yield Flavour(client)
    else:
        async with openai.AsyncOpenAI(**options) as aclient:
            yield Flavour(aclient)


@pytest.fixture
async def dash(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    """The module `dashscope`, calling the sandbox. Its pooled connections are closed after each test."""
    import dashscope

    monkeypatch.setattr(dashscope, "base_http_api_url", f"{box.url}/api/v1")
    monkeypatch.setattr(dashscope, "base_compatible_api_url", f"{box.url}/compatible-mode/v1")
    monkeypatch.setattr(dashscope, "api_key", box.key)
    yield dashscope
    await dashscope.close_shared_aio_session()
    dashscope.close_shared_sync_session()


@pytest.fixture
def newer(box: Sandbox) -> Iterator[Any]:
    """The newer client of the same SDK."""
    import dashscope

    with dashscope.Client(api_key=box.key, base_url=f"{box.url}/api/v1") as client:
        yield client


@pytest.fixture
def post(box: Sandbox) -> Callable[..., httpx.Response]:
    """One POST the way curl sends it."""

    def send(path: str, body: Any, key: str = "", **headers: str) -> httpx.Response:
        told = {"Authorization": f"Bearer {key or box.key}", "Content-Type": "application/json", **headers}
        return httpx.post(box.url + path, headers=told, content=json.dumps(body, ensure_ascii=False).encode())

    return send


@pytest.fixture(scope="module")
def ferry() -> str:
    """A sentence as a `data:` address. The ears learn it here, where nobody waits for an answer."""
    from qwenkit.sandbox.ears import hear
    from qwenkit.sandbox.service import Service

    sound = Path(__file__).parents[2] / "data" / "ferry.wav"
    asyncio.run(hear(Service(key="sk-ears"), sound.read_bytes()))
    return qk.Audio.open(sound).data_url()


# -- wire parity: both libraries ask a sandbox of their own, so that its latest request is surely theirs -----------


@pytest.fixture(scope="module")
def recorder() -> Iterator[Sandbox]:
    with Sandbox(key="sk-parity") as running:
        yield running


@pytest.fixture(scope="module")
def qwen(recorder: Sandbox) -> Iterator[qk.Client]:
    with qk.Client(api_key=recorder.key, base_url=recorder.url, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture(scope="module")
def official(recorder: Sandbox) -> Iterator[openai.OpenAI]:
    base_url = f"{recorder.url}/compatible-mode/v1"
    with openai.OpenAI(api_key=recorder.key, base_url=base_url, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def native(dash: Any, recorder: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`dashscope`, calling the recorder."""
    monkeypatch.setattr(dash, "base_http_api_url", f"{recorder.url}/api/v1")
    monkeypatch.setattr(dash, "api_key", recorder.key)
    return dash
