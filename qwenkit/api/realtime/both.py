"""A live session written once: coroutines that one flavour awaits, and the other runs on a thread of its own.

A method decorated with `@talk` is an `async def`; looked up on a `Waiting` it blocks until it is done, looked up on an
`Awaited` it gives the coroutine. `@flowing` does the same for async generators: an iterator, or an async one. One with
`@plain` waits for nothing. Names, signatures, docstrings and types stay those of the method.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from qwenkit.api.flavour import _Written
from qwenkit.api.realtime.feeds import Reading
from qwenkit.errors import ConfigError
from qwenkit.transport.portal import Portal

P = ParamSpec("P")
T = TypeVar("T")


class WrongFlavour(ConfigError, AttributeError):
    """`with` where it must be `async with`, or the like. Whoever only asks whether it can, hears no."""


def _other(told: str, hint: str) -> property:
    def enter(session: Any) -> Any:
        raise WrongFlavour(told, hint=hint)

    return property(enter)


class Awaited:
    """A session on the loop that awaits it."""

    __enter__ = __iter__ = _other("a session of qwen.aio is awaited", "use async with and async for, or leave .aio out")

    def _begin(self, made: Any) -> Any:
        return made


class Waiting:
    """A session whose work is done on a thread of its own, while its methods wait.

    Called on that very thread, by a callback, a method cannot wait: its work is begun, and it gives None.
    """

    _portal: Portal
    __aenter__ = __aiter__ = _other("this session is not awaited", "use with and for, or qwen.aio, which is awaited")

    def _begin(self, made: Any) -> Any:
        if isinstance(made, Reading):
            return made.blocking(self._portal)
        if inspect.isasyncgen(made):
            return _waited(self._portal, made)
        if not inspect.iscoroutine(made):
            return made
        if self._portal.inside:
            self._portal.spawn(made)
            return None
        return self._portal.call(made)


class talk(_Written, Generic[P, T]):  # noqa: N801 - reads as a decorator
    """Turns an `async def` into a blocking or an awaitable method, by the session it is looked up on."""

    def __init__(self, method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]) -> None:
        super().__init__(method)

    @overload
    def __get__(self, session: None, owner: type) -> talk[P, T]: ...
    @overload
    def __get__(self, session: Waiting, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, session: Awaited, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, session: Any, owner: type) -> Any:
        return self if session is None else MethodType(self, session)


class plain(_Written, Generic[P, T]):  # noqa: N801 - reads as a decorator
    """A method that waits for nothing, and says as well as the others how it is called."""

    def __init__(self, method: Callable[Concatenate[Any, P], T]) -> None:
        super().__init__(method)

    @overload
    def __get__(self, session: None, owner: type) -> plain[P, T]: ...
    @overload
    def __get__(self, session: object, owner: type) -> Callable[P, T]: ...
    def __get__(self, session: Any, owner: type) -> Any:
        return self if session is None else MethodType(self, session)


class flowing(_Written, Generic[P, T]):  # noqa: N801 - reads as a decorator
    """Turns an async generator into an iterator or an async iterator, by the session it is looked up on."""

    def __init__(self, method: Callable[Concatenate[Any, P], AsyncIterator[T]]) -> None:
        super().__init__(method)

    @overload
    def __get__(self, session: None, owner: type) -> flowing[P, T]: ...
    @overload
    def __get__(self, session: Waiting, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, session: Awaited, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, session: Any, owner: type) -> Any:
        return self if session is None else MethodType(self, session)


def _waited(portal: Portal, flow: Any) -> Iterator[Any]:
    """Each item of an async generator that runs over there, as it comes."""
    try:
        while True:
            try:
                item = portal.call(_next(flow))
            except StopAsyncIteration:
                return
            yield item
    finally:
        if portal.open and not portal.inside:
            portal.call(flow.aclose())


async def _next(flow: Any) -> Any:
    return await anext(flow)
