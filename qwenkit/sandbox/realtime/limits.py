"""What ends a session, and the switches of `Sandbox(realtime={…})` for where the service is seen to do two things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from qwenkit.catalogue.realtime import IDLE_SECONDS, SESSION_MINUTES

if TYPE_CHECKING:
    from qwenkit.sandbox.store import Store

CHOICES = {"invalid_voice": ("first_reply", "update", "ignore"), "image_rule": ("strict", "lenient")}
THROTTLED = "To many requests. Your requests are being throttled, please try again later."
GOOD_STANDING = "Access denied, please make sure your account is in good standing."
REASONS = {1000: "", 1007: GOOD_STANDING, 1011: THROTTLED}
QUIET = ("error", "session.", "input_")  # events that are no response, so that idle time goes on


@dataclass(frozen=True)
class Switches:
    """How the sandbox behaves where reports about the service disagree."""

    strict_finish: bool = False  # Omni answers session.finish with an error
    no_done_after_cancel: bool = False  # a cancelled response ends with its item
    choices_mode: bool = False  # models of 2025 answer in `choices` frames
    idle_seconds: float = IDLE_SECONDS  # also seen: 180
    session_minutes: float = SESSION_MINUTES
    invalid_voice: str = "first_reply"  # or refused at "update", or "ignore"
    server_closes_tts: bool = False  # after session.finished
    image_rule: str = "strict"  # 256 KB in base64; lenient: 500 KB of JPEG
    auto_continue_tools: bool = False  # a tool's output alone starts the next response

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> Switches:
        """The switches as they were asked for; a ValueError says which there are."""
        usual = {each.name: each.default for each in fields(cls)}
        for name, value in (given or {}).items():
            _check(name, value, usual)
        return cls(**(given or {}))


def _check(name: str, value: Any, usual: Mapping[str, Any]) -> None:
    if name not in usual:
        near = get_close_matches(name, usual, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(usual)}"
        raise ValueError(f"unknown realtime switch {name!r}: {hint}")
    number = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    fits, expected = number, "a number above 0"
    if name in CHOICES:
        fits, expected = value in CHOICES[name], f"one of {', '.join(CHOICES[name])}"
    elif isinstance(usual[name], bool):
        fits, expected = isinstance(value, bool), "True or False"
    if not fits:
        raise ValueError(f"realtime switch {name} cannot be {value!r}: use {expected}")


def ended(switches: Switches, lasted: float, idle: float) -> str:
    """Why a session must end that has lasted, and was not answered, for so many seconds; "" while it need not."""
    if lasted >= switches.session_minutes * 60:
        return f"Your session was closed because it has reached the limit of {switches.session_minutes:g} minutes."
    if idle >= switches.idle_seconds:
        return f"Your session was closed because no response was generated for {switches.idle_seconds:g} seconds."
    return ""


class Rates:
    """The responses of the last minute, of each model that has a limit of them: one shelf for all sessions."""

    def __init__(self, _: Store) -> None:
        self._begun: dict[str, list[float]] = {}

    def allows(self, model: str, most: int | None, now: float) -> bool:
        """Whether one more may begin; if so it is counted."""
        begun = [at for at in self._begun.get(model, []) if now - at < 60]
        if most is not None and len(begun) < most:
            self._begun[model] = [*begun, now]
        return most is None or len(begun) < most
