"""Waiting for something slow: look, show how far it is, pause, look again. Files, batches and tasks all wait here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from itertools import chain, repeat
from typing import Any, TypeVar

from qwenkit.api.core import Core
from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow, Pause

T = TypeVar("T")
_USUAL = 0.5  # a client's patience; a more hurried one looks more often
_HURRIED = 0.01  # the embedded sandbox takes its next step when it is looked at
_LOOKS, _AT_ONCE = 15, 3  # looks a second, and beyond that; twenty are allowed, over all who use the account


class Turns:
    """Who may look when: however many wait at once, together they stay under the documented limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0

    def pause(self, core: Core) -> float:
        """Seconds until the next free turn, which is taken by asking."""
        with self._lock:
            now, step = core.accounts.clock(), _unit(core) / _LOOKS
            free = max(self._next, now - _AT_ONCE * step)
            self._next = free + step
            return max(free - now, 0.0)


def check(timeout: Any, name: str = "timeout") -> None:
    """Refuse what is no time to wait; calls that cost ask before they send."""
    number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (number and 0 <= timeout < float("inf")):
        raise ConfigError(f"{name} cannot be {timeout!r:.60}", hint="it is a number of seconds")


def _unit(core: Core) -> float:
    """How long a second is."""
    return _HURRIED if core.sandbox else core.patience.first_pause / _USUAL


def watch(progress: bool, picture: str = "") -> AbstractContextManager[Callable[[Any], None]]:
    """What draws progress here: a function that takes the latest look. Without `progress` it does nothing.

    `picture` is the view to draw with, as in `display.VIEWS`; left out the value's own.
    """
    if not progress:
        return nullcontext(lambda seen: None)
    module, _, name = picture.partition(":")
    view = getattr(import_module(f"qwenkit.display.{module}"), name) if picture else None
    watching: AbstractContextManager[Callable[[Any], None]] = import_module("qwenkit.display.watching").Watch(view)
    return watching


def until(
    core: Core,
    look: Callable[[], Flow[T]],
    over: Callable[[T], bool],
    pauses: tuple[float, ...],
    *,
    timeout: float | None = None,
    draw: Callable[[T], None] = lambda seen: None,
) -> Flow[T]:
    """Look until it is over, or `timeout` seconds are; gives the last look. The last of `pauses` repeats."""
    check(pauses[0], "a pause")
    check(timeout)
    unit, clock = _unit(core), core.accounts.clock
    began = clock()
    for pause in chain(pauses, repeat(pauses[-1])):
        seen = yield from look()
        draw(seen)
        if over(seen) or (timeout is not None and clock() - began + pause * unit > timeout):
            return seen
        yield Pause(pause * unit)
    raise AssertionError("pauses repeat for ever")
