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
from collections.abc import Awaitable, Callable, Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar, overload

from qwenkit.api.core import Core
from qwenkit.api.stream import AsyncStream, Item, Plan, Result, Stream
from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow
from qwenkit.protocol.options import refuse_unknown

P = ParamSpec("P")
T = TypeVar("T")

_OPTIONS = re.compile(r"Unpack\[(\w+)\]")


class _Noun:
    """A resource of a client."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {}  # the cure for options that belong to another call

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
        self._own = {each.name for each in kinds if each.kind is not each.VAR_KEYWORD}

    def __call__(self, noun: Any, /, *args: Any, **kwargs: Any) -> Any:
        for name in kwargs.keys() - self._names:
            if len(self._own) == len(self._names) or get_close_matches(name, self._own, cutoff=0.75):
                refuse_unknown({name: ...}, self._own, self._called(noun), noun.ELSEWHERE)
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
            given, *named = list(self.__signature__.parameters.values())[1:]
            said = f"{given.name}, {', '.join(f'{each.name}=…' for each in named[:3])}"
            raise ConfigError(
                f"{self._called(noun)}: {misfit}", hint=f"call it as {self._called(noun)}({said})"
            ) from None

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
        return self if noun is None else Bound(self, noun)


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
        return self if noun is None else Bound(self, noun)


class Bound:
    """A call on its noun, ready to be called. It keeps the method's name, signature and docstring for tooltips."""

    __slots__ = ("__self__", "_call")

    def __init__(self, call_: Any, noun: Any) -> None:
        self._call = call_
        self.__self__ = noun

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(self.__self__, *args, **kwargs)

    @property
    def __wrapped__(self) -> Any:
        return functools.partial(self._call.flow, self.__self__)

    @property
    def __signature__(self) -> inspect.Signature:
        signature: inspect.Signature = self._call.__signature__
        return signature.replace(parameters=list(signature.parameters.values())[1:])

    @property
    def __doc__(self) -> Any:  # type: ignore[override]
        return self._call.__doc__

    @property
    def __name__(self) -> Any:
        return self._call.__name__

    def __repr__(self) -> str:
        return f"<call {self._call.__qualname__}>"


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
                    name, parameter.KEYWORD_ONLY, default=None, annotation=getattr(kind, "__forward_arg__", kind)
                )
                for name, kind in method.__globals__[named[1]].__annotations__.items()
                if name not in signature.parameters
            ]
        else:
            parameters.append(parameter)
    return signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
