"""Waiting for something slow: look, show how far it is, pause, look again. Files, batches and tasks all wait here."""

from __future__ import annotations

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
    for name, number in (("a pause", pauses[0]), ("timeout", timeout)):
        if number is not None and not (isinstance(number, int | float) and 0 <= number < float("inf")):
            raise ConfigError(f"{name} cannot be {number!r}", hint="it is a number of seconds")
    unit = _HURRIED if core.sandbox else core.patience.first_pause / _USUAL
    clock = core.accounts.clock
    began = clock()
    for pause in chain(pauses, repeat(pauses[-1])):
        seen = yield from look()
        draw(seen)
        if over(seen) or (timeout is not None and clock() - began + pause * unit > timeout):
            return seen
        yield Pause(pause * unit)
    raise AssertionError("pauses repeat for ever")
