"""What a call writes down as it goes: a track for each voice, a lane for each side's events.

Both take what comes, a hundred times a second for an hour, in a microsecond or two, and let the oldest go when there is
too much. Numbers are made of them when somebody looks.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

import msgspec

MOST_BARS = 2_000  # of each lane
MOST_TYPES, MOST_CHARS = 500, 200  # of events: a broken server may invent them
# Events of one type closer than this are one bar.
MERGE_S = 0.3
# A stretch that grew this long is followed by another one: what is let go, goes in pieces of this size.
LONGEST_S = 10


class Span(NamedTuple):
    """From one moment to another, in seconds."""

    begin: float
    end: float


class Bar(msgspec.Struct, gc=False):
    """So many events of one type, from one moment to another, in seconds of the call."""

    begin: float
    end: float
    name: str
    count: int = 1


class Lane:
    """The events of one side as bars. `counts` knows of each type how many there were, also where bars had to go."""

    def __init__(self) -> None:
        self.bars: deque[Bar] = deque()
        self.counts: Counter[str] = Counter()
        self._newest: dict[str, Bar] = {}

    def mark(self, name: str, at: float, count: int = 1) -> None:
        newest = self._newest.get(name)
        if newest is None:
            name = name[:MOST_CHARS]
            name = "…" if name not in self.counts and len(self.counts) >= MOST_TYPES else name
            newest = self._newest.get(name)
        self.counts[name] = self.counts.get(name, 0) + count
        if newest is not None and at - newest.end <= MERGE_S:
            if at > newest.end:
                newest.end = at
            newest.count += count
            return
        self._newest[name] = bar = Bar(at, at, name, count)
        self.bars.append(bar)
        if len(self.bars) > MOST_BARS:
            self.bars.popleft()


class Stretch(msgspec.Struct):
    """Sound without a hole: where it begins, and how much the track had taken before it, both in samples."""

    begin: int
    before: int
    pcm: bytearray = msgspec.field(default_factory=bytearray)

    @property
    def end(self) -> int:
        return self.begin + len(self.pcm) // 2


class Track:
    """16-bit mono. `slack_s` is how late a chunk may come and still follow the one before without a hole."""

    def __init__(self, rate_hz: int, slack_s: float) -> None:
        self.rate_hz, self.slack_s = rate_hz, slack_s
        self.taken = 0  # samples in all, whether they are still here or not
        self.dropped_s = 0.0
        self._base = 0  # of what the service counts: it begins again after a reconnect
        self._stretches: deque[Stretch] = deque()

    @property
    def begin(self) -> float:
        """Where the oldest kept sound begins."""
        return self._stretches[0].begin / self.rate_hz if self._stretches else 0.0

    @property
    def end(self) -> float:
        return self._stretches[-1].end / self.rate_hz if self._stretches else 0.0

    @property
    def empty(self) -> bool:
        return not self._stretches

    def follows(self, at: float) -> bool:
        """Whether sound that comes at this moment goes on from the last."""
        return bool(self._stretches) and at <= self.end + self.slack_s

    def add(self, pcm: bytes, at: float, fresh: bool = False) -> bool:
        """Sound of this moment: it goes on from the last if it may and is not `fresh`. Whether it began anew."""
        last = self._stretches[-1] if not fresh and self.follows(at) else None
        begins = last is None or (len(last.pcm) >= LONGEST_S * 2 * self.rate_hz and not len(last.pcm) % 2)
        if last is None or begins:
            last = Stretch(last.end if last else round(at * self.rate_hz), self.taken)
            self._stretches.append(last)
        had = len(last.pcm) // 2
        last.pcm += pcm
        self.taken += len(last.pcm) // 2 - had
        return begins

    def trim(self, before: float) -> None:
        """Let go what lies before this moment."""
        while self._stretches and self._stretches[0].end < before * self.rate_hz:
            old = self._stretches.popleft()
            self.dropped_s += len(old.pcm) // 2 / self.rate_hz

    def cut(self, at: float) -> float:
        """Take away what lies after this moment; how many seconds that was."""
        place, gone = round(at * self.rate_hz), 0
        while self._stretches and self._stretches[-1].end > place:
            last = self._stretches[-1]
            keep = max(place - last.begin, 0)
            gone += len(last.pcm) // 2 - keep
            del last.pcm[2 * keep :]
            if not keep:
                self._stretches.pop()
        self.taken -= gone
        return gone / self.rate_hz

    def restart(self) -> None:
        """The service counts from zero again."""
        self._base = self.taken

    def moment(self, ms: float) -> float:
        """Where the millisecond is that the service counts in the sound it was sent."""
        sample = self._base + round(ms * self.rate_hz / 1000)
        found = next((each for each in reversed(self._stretches) if each.before <= sample), None)
        return (found.begin + sample - found.before) / self.rate_hz if found else sample / self.rate_hz

    def spans(self) -> list[Span]:
        """Where there is sound, stretches that touch joined."""
        joined: list[Span] = []
        for each in self._stretches:
            begin, end = each.begin / self.rate_hz, each.end / self.rate_hz
            touches = bool(joined) and begin - joined[-1].end < 1 / self.rate_hz
            joined.append(Span(joined.pop().begin if touches else begin, end))
        return joined

    def between(self, begin_s: float, end_s: float) -> Any:
        """Its samples from one moment to another, silence where there is no sound: float32."""
        import numpy as np

        first, count = round(begin_s * self.rate_hz), max(round((end_s - begin_s) * self.rate_hz), 0)
        made = np.zeros(count, np.float32)
        for each in self._stretches:
            left, skip = max(each.begin - first, 0), max(first - each.begin, 0)
            if left < count and first < each.end:
                end = min(skip + count - left, len(each.pcm) // 2)
                part = np.frombuffer(bytes(each.pcm[2 * skip : 2 * end]), "<i2")
                made[left : left + len(part)] = part
        made /= 32768
        return made
