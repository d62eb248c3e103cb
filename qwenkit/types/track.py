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
        self.counts[name] += count
        if newest is not None and at - newest.end <= MERGE_S:
            if at > newest.end:
                newest.end = at
            newest.count += count
            return
        self._newest[name] = bar = Bar(at, at, name, count)
        self.bars.append(bar)
        if len(self.bars) > MOST_BARS:
            self.bars.popleft()


class Pieces:
    """Sound as it came, in pieces: taking one more copies nothing, and they are joined when somebody looks."""

    __slots__ = ("pieces", "size")

    def __init__(self, data: bytes = b"") -> None:
        self.pieces, self.size = [data], len(data)

    def __iadd__(self, more: bytes) -> Pieces:
        self.pieces.append(more)
        self.size += len(more)
        return self

    def __len__(self) -> int:
        return self.size

    def __bytes__(self) -> bytes:
        return b"".join(self.pieces)


class Stretch(msgspec.Struct):
    """Sound without a hole: where it begins, and how much the track had taken before it, both in samples."""

    begin: int
    before: int
    pcm: Pieces = msgspec.field(default_factory=Pieces)

    @property
    def end(self) -> int:
        return self.begin + self.pcm.size // 2


class Track:
    """16-bit mono. `slack_s` is how late a chunk may come and still follow the one before without a hole."""

    def __init__(self, rate_hz: int, slack_s: float) -> None:
        self.rate_hz, self.slack_s = rate_hz, slack_s
        self.taken = 0  # samples in all, whether they are still here or not
        self.end = 0.0  # of the newest sound
        self.dropped_s = 0.0
        self._skipped = False  # whether what comes next cannot go on from the last
        self._base = 0  # of what the service counts: it begins again after a reconnect
        self._stretches: deque[Stretch] = deque()

    @property
    def begin(self) -> float:
        """Where the oldest kept sound begins."""
        return self._stretches[0].begin / self.rate_hz if self._stretches else 0.0

    @property
    def empty(self) -> bool:
        return not self._stretches

    def follows(self, at: float) -> bool:
        """Whether sound that comes at this moment goes on from the last."""
        return bool(self._stretches) and at <= self.end + self.slack_s

    def add(self, pcm: bytes, at: float, fresh: bool = False) -> bool:
        """Sound of this moment: it goes on from the last if it may and is not `fresh`. Whether it began anew."""
        last = self._stretches[-1] if self._stretches and not (fresh or self._skipped) else None
        if last is not None and at > self.end + self.slack_s:
            last = None
        had, self._skipped = last.pcm.size if last is not None else 0, False
        begins = last is None or (had >= LONGEST_S * 2 * self.rate_hz and not had % 2)
        if last is None or begins:
            last, had = Stretch(last.end if last else round(at * self.rate_hz), self.taken), 0
            self._stretches.append(last)
        last.pcm += pcm
        self.taken += (had + len(pcm)) // 2 - had // 2
        self.end = (last.begin + last.pcm.size // 2) / self.rate_hz
        return begins

    def skip(self, samples: int) -> None:
        """So many were taken that are not kept."""
        self.taken, self._skipped = self.taken + samples, True

    def trim(self, before: float) -> None:
        """Let go what lies before this moment."""
        while self._stretches and self._stretches[0].end < before * self.rate_hz:
            old = self._stretches.popleft()
            self.dropped_s += old.pcm.size // 2 / self.rate_hz
        self.end = self.end if self._stretches else 0.0

    def cut(self, at: float) -> float:
        """Take away what lies after this moment; how many seconds that was."""
        place, gone = round(at * self.rate_hz), 0
        while self._stretches and self._stretches[-1].end > place:
            last = self._stretches[-1]
            keep = max(place - last.begin, 0)
            gone += last.pcm.size // 2 - keep
            last.pcm = Pieces(bytes(last.pcm)[: 2 * keep])
            if not keep:
                self._stretches.pop()
        self.taken -= gone
        self.end = self._stretches[-1].end / self.rate_hz if self._stretches else 0.0
        return gone / self.rate_hz

    def restart(self) -> None:
        """The service counts from zero again."""
        self._base = self.taken

    def moment(self, ms: float) -> float:
        """Where the millisecond is that the service counts in the sound it was sent."""
        sample = self._base + round(ms * self.rate_hz / 1000)
        after = None
        for each in reversed(self._stretches):
            if each.before <= sample:
                place = each.begin + sample - each.before
                return (min(place, max(after.begin if after else each.end, each.end))) / self.rate_hz
            after = each
        return sample / self.rate_hz

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
                end = min(skip + count - left, each.pcm.size // 2)
                part = np.frombuffer(bytes(each.pcm)[2 * skip : 2 * end], "<i2")
                made[left : left + len(part)] = part
        made /= 32768
        return made
