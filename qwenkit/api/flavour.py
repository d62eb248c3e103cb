"""One definition, two flavours.

A method decorated with `@call` is written once, as a generator that yields requests. Looked up on a `SyncNoun` it runs
at once and returns the result; looked up on an `AsyncNoun` it returns an awaitable of the same result. A method
decorated with `@stream` returns the plan of a stream, and gives a `Stream` or an `AsyncStream`. Signature, docstring
and types stay those of the method.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from qwenkit.api.core import Core
from qwenkit.api.stream import AsyncStream, Item, Plan, Result, Stream
from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow
from qwenkit.protocol.options import refuse_unknown

P = ParamSpec("P")
T = TypeVar("T")

_OPTIONS = re.compile(r"Unpack\[(\w+)\]")
_USUAL = {"save": True, "folder": "outputs", "via": "native", "words": True}  # what options are that nobody gives


class _Noun:
    """A resource of a client."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def __repr__(self) -> str:
        """What it is called with, for who has typed the noun alone."""
        told = inspect.getdoc(type(self)) or ""
        return f"{type(self).__name__}: {told.splitlines()[0] if told else ''}".replace("`", "").rstrip(": ")


class SyncNoun(_Noun):
    """A resource whose calls run at once."""

    def _begin(self, made: Any) -> Any:
        return Stream(self._core, made) if isinstance(made, Plan) else self._core.driver.run(made)


class AsyncNoun(_Noun):
    """A resource whose calls are awaited."""

    def _begin(self, made: Any) -> Any:
        return AsyncStream(self._core, made) if isinstance(made, Plan) else self._core.async_driver.run(made)


class _Written:
    """A method written once. `flow` is the method itself, for calls that are made of other calls:
    `yield from Chat.__call__.flow(chat, …)`."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self.flow: Any = method
        functools.update_wrapper(self, method)
        self.__signature__ = _signature(method)
        self._names = frozenset(self.__signature__.parameters)
        kinds = inspect.signature(method).parameters.values()
        self._own = [each.name for each in kinds if each.kind is not each.VAR_KEYWORD]

    def __call__(self, noun: Any, /, *args: Any, **kwargs: Any) -> Any:
        for name in kwargs.keys() - self._names:
            if len(self._own) == len(self._names) or get_close_matches(name, self._own, cutoff=0.75):
                free = self._own[1 + len(args) :]  # what is given by place is meant by nothing else
                known = free if get_close_matches(name, free) else self._own
                refuse_unknown({name: ...}, known, self._called(noun), {})
        try:  # other options are judged where the body is made
            made = self.flow(noun, *args, **kwargs)
        except TypeError:
            self._check(noun, args, kwargs)
            raise
        return noun._begin(made)

    def _check(self, noun: Any, args: Any, kwargs: Any) -> None:
        """Whether it was called as it is written; Python's own words for that name no cure."""
        try:
            self.__signature__.bind(noun, *args, **kwargs)
        except TypeError as misfit:
            given = [each for each in self.__signature__.parameters.values() if each.kind is not each.VAR_KEYWORD][1:5]
            said = [each.name if each.default is each.empty else f"{each.name}=…" for each in given]
            hint = f"call it as {self._called(noun)}({', '.join(said)})"
            raise ConfigError(f"{self._called(noun)}: {misfit}", hint=hint) from None

    def _called(self, noun: Any) -> str:
        """chat, chat.stream, files.upload: what the call is called."""
        name = type(noun).__name__.removeprefix("Async").lower()
        return name if self.flow.__name__ == "__call__" else f"{name}.{self.flow.__name__}"


class call(_Written, Generic[P, T]):  # noqa: N801 - reads as a decorator
    """Turns a generator method into a blocking or an awaitable one, by the noun it is looked up on."""

    flow: Callable[Concatenate[Any, P], Flow[T]]

    def __init__(self, method: Callable[Concatenate[Any, P], Flow[T]]) -> None:
        super().__init__(method)

    @overload
    def __get__(self, noun: None, owner: type) -> call[P, T]: ...
    @overload
    def __get__(self, noun: SyncNoun, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, noun: AsyncNoun, owner: type) -> Callable[P, Awaitable[T]]: ...
    def __get__(self, noun: Any, owner: type) -> Any:
        return self if noun is None else MethodType(self, noun)


class stream(_Written, Generic[P, Item, Result]):  # noqa: N801 - reads as a decorator
    """Turns a method that plans a stream into one that gives it, blocking or awaited. Reading it sends the request."""

    flow: Callable[Concatenate[Any, P], Plan[Item, Result]]

    def __init__(self, method: Callable[Concatenate[Any, P], Plan[Item, Result]]) -> None:
        super().__init__(method)

    @overload
    def __get__(self, noun: None, owner: type) -> stream[P, Item, Result]: ...
    @overload
    def __get__(self, noun: SyncNoun, owner: type) -> Callable[P, Stream[Item, Result]]: ...
    @overload
    def __get__(self, noun: AsyncNoun, owner: type) -> Callable[P, AsyncStream[Item, Result]]: ...
    def __get__(self, noun: Any, owner: type) -> Any:
        return self if noun is None else MethodType(self, noun)


def spelled(method: T) -> T:
    """A plain method whose tooltip lists every option."""
    method.__signature__ = _signature(method)  # type: ignore[attr-defined]
    return method


def _signature(method: Any) -> inspect.Signature:
    """The method's signature with `**options` spelled out, so that a notebook's tooltip lists every option."""
    signature = inspect.signature(method)
    parameters: list[inspect.Parameter] = []
    for parameter in signature.parameters.values():
        named = _OPTIONS.search(str(parameter.annotation))
        if parameter.kind is parameter.VAR_KEYWORD and named:
            parameters += [
                inspect.Parameter(
                    name,
                    parameter.KEYWORD_ONLY,
                    default=_USUAL.get(name),
                    annotation=getattr(kind, "__forward_arg__", kind),
                )
                for name, kind in method.__globals__[named[1]].__annotations__.items()
                if name not in signature.parameters
            ]
        else:
            parameters.append(parameter)
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
