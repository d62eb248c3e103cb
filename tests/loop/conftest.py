"""Loop tests: the client against the sandbox over real sockets, both flavours, and nothing left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from flavours import FLAVOURS, hurried
from remains import left, settled, tasks, threads

import qwenkit as qk
from qwenkit.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(key="sk-sandbox-of-the-loop-tests") as running:
        yield running


@pytest.fixture
def box(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, without the faults and requests of earlier tests."""
    sandbox.clear_faults()
    sandbox.clear_requests()  # it keeps a thousand, and a full journal cannot be counted
    yield sandbox
    sandbox.clear_faults()


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def client(box: Sandbox) -> AsyncIterator[Any]:
    """A client of the sandbox. What it opened must be gone when it is closed."""
    before = threads()
    made = qk.Client(api_key=box.key, base_url=box.url, timeout=10)
    hurried(made._core)
    yield made
    await made.aio.close()
    assert settled(int(box.url.rpartition(":")[2]))
    assert not left(before)
    assert not await tasks()


@pytest.fixture
def qwen(client: qk.Client, flavour: str) -> Any:
    """The client in one of its flavours; see `flavours.done` for how a test body serves both."""
    return client if flavour == "sync" else client.aio
