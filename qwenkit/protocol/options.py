"""What every call checks of its options before anything is built of them, so that a typo never becomes silence."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from qwenkit.errors import ConfigError


def refuse_unknown(options: Iterable[str], known: Collection[str], api: str, elsewhere: Mapping[str, str]) -> None:
    """Raise on the first option nobody knows; `elsewhere` says where one goes, else the nearest known one is named."""
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            open_ended = "extra" in known
            other = f"if the service knows it, pass extra={{{name!r}: …}}" if open_ended else f"it has {_named(known)}"
            meant = f"did you mean {near[0]!r}?" if near else other
            raise ConfigError(f"{api} has no option {name!r}", hint=elsewhere.get(name, meant))


def _named(known: Collection[str]) -> str:
    return ", ".join(sorted(set(known) - {"self"})) or "none"


def model(name: Any) -> str:
    """The name of a model, if it is one."""
    if isinstance(name, str):
        return name
    raise ConfigError(f"model cannot be {name!r:.80}", hint="pass a model's name; qwen.models has them all")


def several(given: Any, what: str, hint: str) -> list[Any]:
    """What must be a list, or anything else that can be gone through, and not be empty."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise ConfigError(f"{what} cannot be {type(given).__name__}", hint=hint)
    found = list(given)
    if not found:
        raise ConfigError(f"there are no {what}", hint=hint)
    return found


def extra(given: Any) -> Mapping[str, Any]:
    """Wire fields that qwenkit does not know."""
    if given is None or isinstance(given, Mapping):
        return given or {}
    raise ConfigError(f"extra cannot be {given!r:.80}", hint='it is a dict of wire fields: extra={"field": "value"}')


def one_of(name: str, given: Any, allowed: tuple[Any, ...], more: str) -> None:
    if isinstance(given, bool) or given not in allowed:
        raise ConfigError(f"{name} cannot be {given!r:.60}", hint=f"it is {' or '.join(map(str, allowed))}; {more}")


class Range(NamedTuple):
    """What a number may be, ends included, but for one of them at times."""

    least: float
    most: float
    told: str = ""
    never: float | None = None
    whole: bool = False

    def check(self, name: str, given: Any) -> None:
        number = isinstance(given, int if self.whole else int | float) and not isinstance(given, bool)
        if not number or not self.least <= given <= self.most or given == self.never:
            kind = "in whole numbers" if self.whole else "" if self.never is None else f"{self.never:g} itself is none"
            reach = f"it goes from {self.least:,.10g} to {self.most:,.10g}"
            raise ConfigError(f"{name} cannot be {given!r:.60}", hint="; ".join(filter(None, (reach, kind, self.told))))


def users_line() -> int:
    """The stack level of the first line outside qwenkit, seen from whoever asks: where a warning belongs."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("qwenkit."):
        level, frame = level + 1, frame.f_back
    return level
