"""One test body, both flavours: the blocking client and the awaited one behind the same few words."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from qwenkit.api.core import Core

FLAVOURS = ("sync", "async")


async def done(value: Any) -> Any:
    """The result of a call, awaited if it is the kind that is."""
    return await value if inspect.isawaitable(value) else value


async def pieces(stream: Any) -> AsyncIterator[Any]:
    """The pieces of a stream of either kind, from where it stands."""
    if hasattr(stream, "__aiter__"):
        async for piece in stream:
            yield piece
    else:
        for piece in stream:
            yield piece


@asynccontextmanager
async def opened(stream: Any) -> AsyncIterator[Any]:
    """A `with` block around a stream or client of either kind."""
    if hasattr(stream, "__aenter__"):
        async with stream:
            yield stream
    else:
        with stream:
            yield stream


async def close(thing: Any) -> None:
    await done(thing.aclose() if hasattr(thing, "aclose") else thing.close())


def hurried(core: Core) -> Core:
    """The same patience with pauses too short to notice."""
    core.patience = msgspec.structs.replace(core.patience, first_pause=0.005)
    return core
