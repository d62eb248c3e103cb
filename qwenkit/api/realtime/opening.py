"""What a session is opened and fed with, checked at once; `.live(…)` of three nouns, in the noun's flavour."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import update_wrapper
from math import inf
from typing import Any, Generic, ParamSpec, TypeVar, overload

from qwenkit.api.flavour import AsyncNoun, SyncNoun
from qwenkit.api.voices import own
from qwenkit.errors import ConfigError
from qwenkit.protocol.options import refuse_unknown
from qwenkit.protocol.realtime.live_settings import ELSEWHERE, Asked

P = ParamSpec("P")

S = TypeVar("S")
A = TypeVar("A")


def paced(pace: Any) -> None:
    """Refuse what is no pace."""
    if pace is not None and (not isinstance(pace, int | float) or not 0 < pace < inf):
        raise ConfigError(f"pace cannot be {pace!r:.60}", hint="1 is as fast as it was spoken, None at once")


def event(type: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A client event as on the wire: its name and its fields, or all of it in one dict."""
    told = {**type, **fields} if isinstance(type, Mapping) else {"type": type, **fields}
    if not isinstance(told.get("type"), str):
        raise ConfigError("an event is sent by its name", hint='such as send("response.create", response={…})')
    return told


class opens(Generic[P, S, A]):  # noqa: N801 - reads as a decorator
    """A method that opens nothing yet: `order` makes of its options a session, `kinds` loads what holds one."""

    def __init__(self, order: Callable[P, Asked], kinds: Callable[[], tuple[type[S], type[A]]]) -> None:
        self._order = order
        self._kinds = kinds

    @overload
    def __get__(self, noun: None, owner: type) -> opens[P, S, A]: ...
    @overload
    def __get__(self, noun: SyncNoun, owner: type) -> Callable[P, S]: ...
    @overload
    def __get__(self, noun: AsyncNoun, owner: type) -> Callable[P, A]: ...
    def __get__(self, noun: Any, owner: type) -> Any:
        if noun is None:
            return self

        kind: Any = self._kinds()[isinstance(noun, AsyncNoun)]

        def live(*wrong: Any, **options: Any) -> Any:
            name = f"{owner.__name__.removeprefix('Async').lower()}.live"
            if wrong:
                raise ConfigError(
                    f"{name} takes options only, by name", hint="what to say or hear is sent once it is open"
                )
            refuse_unknown(options, inspect.signature(self._order).parameters, name, ELSEWHERE)
            if options.get("voice"):
                options["voice"] = own(noun._core, options["voice"])
            asked = self._order(**options)  # type: ignore[call-arg]
            made: Any = kind(noun._core, asked)
            return made

        update_wrapper(live, self._order, assigned=("__doc__", "__module__"))
        told = inspect.signature(self._order).replace(return_annotation=kind)
        live.__signature__ = told  # type: ignore[attr-defined]
        return live
