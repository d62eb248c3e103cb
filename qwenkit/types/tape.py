"""Both voices of a call at their places in time, and the clock that says where those are.

A microphone and a player take as long as sound lasts, so that the session's clock says where a sound lies (`live`). A
script sends three seconds in a millisecond: then sounds lie one after the other, an answer after what it answers, and
`position` says where in the call a moment of the clock came to be.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from math import ceil, inf, nextafter
from threading import RLock
from typing import TYPE_CHECKING, Any

from qwenkit.types.realtime import Event, SpeechEvent
from qwenkit.types.track import Span, Track

if TYPE_CHECKING:
    from qwenkit.types.audio import Audio, Envelope

MOST_MINUTES = 15  # of sound
MOST_PLACES = 2_000  # of speech
MOST_MOVES = 20_000
BLOCK_S, EDGE_S = 60, 0.1  # of sound made at once, and what a change of rate wants to see around it
HEARD_SLACK_S, SPOKEN_SLACK_S = 0.5, 0.12


class Tape:
    """What a call sounds like. One thread may write while others read."""

    def __init__(self, heard_hz: int = 16_000, spoken_hz: int = 24_000, *, live: bool = False) -> None:
        self.live = live
        self._you = Track(heard_hz, HEARD_SLACK_S)
        self._model = Track(spoken_hz, SPOKEN_SLACK_S)
        self._speech: dict[float, Span] = {}  # by the second at which the service said that it began
        self._answered = False  # whether the model spoke after you
        self._shifts: list[tuple[float, float]] = [(0.0, 0.0)]
        self._lock = RLock()

    def rates(self, heard_hz: int, spoken_hz: int) -> None:
        """The rates the service said it uses; of a voice that was not heard yet."""
        with self._lock:
            for track, rate in ((self._you, heard_hz), (self._model, spoken_hz)):
                track.rate_hz = rate if track.empty else track.rate_hz

    def heard(self, pcm: bytes, at: float) -> None:
        """Add what you said: 16-bit samples that came at this second of the session."""
        with self._lock:
            now = self._now(at)
            fresh = self._scripted and self._answered
            if fresh or not (self.live or self._you.follows(now)):
                now = self._move(at, max(now, self._model.end))
            self._answered = False
            if self._you.add(pcm, now, fresh):
                self._trim()

    def padded(self, pcm: bytes, at: float) -> None:
        """Silence that was sent behind what you said: the service counts it, and nobody said it."""
        with self._lock:
            self._you.skip(len(pcm) // 2)

    def spoken(self, pcm: bytes, at: float) -> None:
        """Add what the model says: it comes faster than it is played, so it lies behind what it said before."""
        with self._lock:
            self._answered = True
            if self._model.add(pcm, self._now(at)):
                self._trim()

    def cut(self, at: float) -> float:
        """The answer was interrupted: what would have been played later was never heard. How many seconds that was."""
        with self._lock:
            return self._model.cut(self._now(at))

    @property
    def _scripted(self) -> bool:
        """Whether sound came faster than it lasts."""
        return not self.live and self._shifts[-1][1] > HEARD_SLACK_S

    def _trim(self) -> None:
        before = max(self._you.end, self._model.end) - MOST_MINUTES * 60
        if before > 0:
            self._you.trim(before)
            self._model.trim(before)

    def _now(self, at: float) -> float:
        """Where the call is; behind your words, if they came faster than they last."""
        now = at + self._shifts[-1][1]
        return self._move(nextafter(at, inf), self._you.end) if not self.live and self._you.end > now else now

    def _move(self, at: float, place: float) -> float:
        """From this moment of the clock on, the call is at another place, not before that where it is."""
        return self._set(at, place) if place - at - self._shifts[-1][1] > 1e-3 else place

    def _set(self, at: float, place: float) -> float:
        self._shifts.append((max(at, self._shifts[-1][0]), place - at))
        del self._shifts[:-MOST_MOVES]
        return place

    def position(self, at: float) -> float:
        """Where in the call a moment of the session's clock lies."""
        with self._lock:
            found = bisect_right(self._shifts, (at, inf)) - 1
            return at + self._shifts[max(found, 0)][1]

    def _typed(self, at: float) -> None:
        """What is typed follows what was said."""
        if not self.live:
            self._move(at, max(self._you.end, self._model.end, at + self._shifts[-1][1]))

    def _noted(self, event: Event, place: float) -> None:
        """What an event says of sound."""
        if isinstance(event, SpeechEvent):
            self._spoke(event, place)
        elif event.type == "local.reconnected":
            self._you.restart()

    def _spoke(self, event: SpeechEvent, place: float) -> None:
        """Where your words begin and end, by the sound the service counted; by the clock if it did not say."""
        moment = place if event.at_ms is None or self._you.empty else self._you.moment(event.at_ms)
        if event.started:
            self._speech[event.at] = Span(moment, inf)
            if len(self._speech) > MOST_PLACES:
                del self._speech[next(iter(self._speech))]
        elif self._speech:
            newest = next(reversed(self._speech))
            stretches = [each.begin for each in self._you.spans() if each.begin < moment]
            begin = max([self._speech[newest].begin, *stretches])  # it cannot begin in a sound that ended before
            self._speech[newest] = Span(begin, max(begin, moment))
            if self._scripted and place > self._you.end > self._model.end:  # what the service took to read is no pause
                self._set(event.at, self._you.end)

    def place(self, at: float) -> float:
        """Where in the call that lies which began at a moment of the clock; speech lies where it was heard."""
        with self._lock:
            return self._speech[at].begin if at in self._speech else self.position(at)

    @property
    def speech(self) -> list[Span]:
        """Where the service heard you speak; what goes on has no end (it is infinite)."""
        with self._lock:
            return list(self._speech.values())

    @property
    def begin(self) -> float:
        """Where the first kept sound begins, in seconds of the call; `stereo()` begins there."""
        return min((track.begin for track in (self._you, self._model) if not track.empty), default=0.0)

    @property
    def duration(self) -> float:
        """Seconds from the first kept sound to the last."""
        return max(self._you.end, self._model.end) - self.begin

    @property
    def dropped_s(self) -> float:
        """Seconds of sound that had to go."""
        return max(self._you.dropped_s, self._model.dropped_s)

    def stereo(self, most_s: float = inf) -> Audio:
        """Both voices as one sound: you on the left, the model on the right. Its beginning, if it is longer."""
        import numpy as np

        from qwenkit.types.audio import Audio

        lasts = min(self.duration, most_s)
        return Audio(np.concatenate([np.zeros((0, 2), np.int16), *self._minutes(lasts)]), self._rate_hz)

    @property
    def _rate_hz(self) -> int:
        """Of both voices as one sound."""
        return max(self._you.rate_hz, self._model.rate_hz)

    def _minutes(self, lasts: float) -> Iterator[Any]:
        """Both voices as columns of 16-bit samples, minute by minute."""
        import numpy as np

        from qwenkit.types.samples import resampled

        rate, edge = self._rate_hz, round(EDGE_S * self._rate_hz)
        voices = [(each, self._blocks(each, lasts, EDGE_S)) for each in (self._you, self._model)]
        for at in range(0, count := round(lasts * rate), BLOCK_S * rate):
            made = np.zeros((min(BLOCK_S * rate, count - at), 2), np.int16)
            for side, (track, blocks) in enumerate(voices):
                part = resampled(next(blocks, np.zeros(0, np.float32)), track.rate_hz, rate)[edge:][: len(made)]
                made[: len(part), side] = np.clip(np.rint(part * 32768), -32768, 32767)
            yield made

    def outlines(self, columns: int) -> list[Envelope]:
        """The outline of your voice and of the model's, each as long as the call."""
        from qwenkit.types.audio import _outline

        lasts, made = self.duration, []
        for track in (self._you, self._model):
            blocks = (each[:, None] for each in self._blocks(track, lasts) if len(each))
            made.append(_outline(blocks, round(lasts * track.rate_hz), columns))
        return made

    def _blocks(self, track: Track, lasts: float, edge: float = 0.0) -> Iterator[Any]:
        """A voice from the beginning on, a minute at a time, so that hours need no gigabytes and nobody waits long."""
        begin = self.begin
        for at in range(0, 0 if track.empty else ceil(lasts), BLOCK_S):
            with self._lock:
                block = track.between(begin + at - edge, begin + min(at + BLOCK_S, lasts) + edge)
            yield block
