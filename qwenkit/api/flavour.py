"""One definition, two flavours.

A method decorated with `@call` is written once, as a generator that yields requests. Looked up on a `SyncNoun` it runs
at once and returns the result; looked up on an `AsyncNoun` it returns an awaitable of the same result. Signature,
docstring and types stay those of the method.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from qwenkit.api.core import Core
from qwenkit.protocol.flow import Flow
from qwenkit.types.options import ChatOptions

P = ParamSpec("P")
T = TypeVar("T")
Noun = TypeVar("Noun")


class SyncNoun:
    """A resource whose calls run at once."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def _run(self, flow: Flow[T]) -> T:
        return self._core.driver.run(flow)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class AsyncNoun:
    """A resource whose calls are awaited."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def _run(self, flow: Flow[T]) -> Awaitable[T]:
        return self._core.async_driver.run(flow)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class call(Generic[P, T]):  # noqa: N801 - reads as a decorator
    """Turns a generator method into a blocking or an awaitable one, by the noun it is looked up on.

    `flow` is the generator itself, for calls that are made of other calls: `yield from Chat.__call__.flow(chat, …)`.
    """

    def __init__(self, method: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        self.flow = method
        functools.update_wrapper(self, method)
        self.__signature__ = _signature(method)

    @overload
    def __get__(self, noun: None, owner: type) -> call[P, T]: ...
    @overload
    def __get__(self, noun: SyncNoun, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, noun: AsyncNoun, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, noun: Any, owner: type) -> Any:
        if noun is None:
            return self
        return Bound(self, noun)

    def __call__(self, noun: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return noun._run(self.flow(noun, *args, **kwargs))


class Bound:
    """A call on its noun, ready to be called. It keeps the method's name, signature and docstring for tooltips."""

    __slots__ = ("__self__", "_call")

    def __init__(self, call_: Any, noun: Any) -> None:
        self._call = call_
        self.__self__ = noun

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        noun = self.__self__
        return noun._run(self._call.flow(noun, *args, **kwargs))

    @property
    def __wrapped__(self) -> Any:
        return functools.partial(self._call.flow, self.__self__)

    @property
    def __signature__(self) -> inspect.Signature:
        signature: inspect.Signature = self._call.__signature__
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        doc: str | None = self._call.__doc__
        return doc

    @property
    def __name__(self) -> str:
        name: str = self._call.__name__
        return name

    def __repr__(self) -> str:
        return f"<call {self._call.__qualname__}>"


def _signature(method: Any) -> inspect.Signature:
    """The method's signature with `**options` spelled out, so that a notebook's tooltip lists every option."""
    signature = inspect.signature(method)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD and "ChatOptions" in str(parameter.annotation):
            parameters += [
                inspect.Parameter(name, parameter.KEYWORD_ONLY, default=None, annotation=kind.__forward_arg__)
                for name, kind in ChatOptions.__annotations__.items()
                if name not in signature.parameters
            ]
        else:
            parameters.append(parameter)
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
