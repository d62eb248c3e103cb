"""Lesson 17: a call of one's own, what of the answers was heard, a silence that is long enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def exercise_1(session: Any) -> str | None:
    """Hold a voice session of at least two turns, end it, and answer with it."""
    if not hasattr(session, "turns") or not hasattr(session, "state"):
        return "Answer with the session itself, what qk.VoiceSession gave you."
    if session.state != "ended":
        return "The session is still open: call its stop()."
    if len(session.turns) < 2:
        return f"Two turns or more, this one has {len(session.turns)}: feed it another sound, and wait."
    if not all(turn.text for turn in session.turns[-2:]):
        return "The last turns have no answer: wait for each before you stop."
    return None


class _Audio:
    def __init__(self, duration: float) -> None:
        self.duration = duration


class _Turn:
    def __init__(self, seconds: float | None, played_ms: int | None, ended: str = "completed") -> None:
        self.audio = None if seconds is None else _Audio(seconds)
        self.played_ms, self.ended = played_ms, ended


_CALLS: tuple[tuple[list[_Turn], float, str], ...] = (
    ([], 0.0, "Nothing was heard of no turns."),
    ([_Turn(2.0, None), _Turn(1.5, None)], 3.5, "Without played_ms everything was heard."),
    ([_Turn(4.0, 1200, "interrupted"), _Turn(2.0, None)], 3.2, "1200 ms are 1.2 seconds."),
    ([_Turn(4.0, 0, "interrupted")], 0.0, "0 ms is a number too: `if turn.played_ms` takes it for nothing known."),
    ([_Turn(None, None, "failed"), _Turn(1.0, 1000)], 1.0, "A turn without an answer has no audio."),
)


def exercise_2(heard_seconds: Callable[[list[Any]], Any]) -> str | None:
    """Write heard_seconds(turns): how many seconds of the answers were heard."""
    for turns, seconds, hint in _CALLS:
        try:
            told = heard_seconds(list(turns))
        except AttributeError:
            if all(turn.audio for turn in turns):
                raise
            return f"{hint} There `turn.audio` is None."
        if told is None:
            return "heard_seconds returns nothing yet: give back a number of seconds."
        if abs(told - seconds) > 1e-6:
            return f"{hint} It gave {told!r:.20} in place of {seconds}."
    return None


def exercise_3(patience: Any, its_turns: Any) -> str | None:
    """Find a silence_ms of at most a second with which `thinking` is one turn."""
    if not isinstance(patience, int) or isinstance(patience, bool) or not 200 <= patience <= 1000:
        return "The first answer is a whole number of milliseconds, from 200 to 1000."
    if len(its_turns) != 1:
        return f"With {patience} ms there are {len(its_turns)} turns: the pause for breath was longer."
    if "France" not in its_turns[0] or "leap" not in its_turns[0]:
        return "The one turn must hold both sentences: answer with turns_at(patience)."
    return None
