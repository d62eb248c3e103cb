"""`.live(…)` of three nouns: the options of a session, checked at once, and the session of the noun's flavour."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, overload

from qwenkit.api.flavour import AsyncNoun, SyncNoun
from qwenkit.api.voices import own
from qwenkit.errors import ConfigError
from qwenkit.protocol.options import refuse_unknown
from qwenkit.protocol.realtime.live_settings import ELSEWHERE, Asked

P = ParamSpec("P")
S = TypeVar("S")
A = TypeVar("A")


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
            kind: Any = self._kinds()[isinstance(noun, AsyncNoun)]
            return kind(noun._core, asked)

        return update_wrapper(live, self._order, assigned=("__doc__", "__module__"))
