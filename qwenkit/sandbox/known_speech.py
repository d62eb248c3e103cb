"""Recognition of what is known, and of nothing else.

Two things are known: what this sandbox has said (`Spoken`, a shelf of pictures of every sentence, each spotted by its
first second wherever it lies) and the sentences of the data (`library`). Both end in the same proof: the picture of the
recording must be the picture of that sentence in that voice, as a whole and in every fifth of a second. So a sentence
that differs in one word is not taken for the one that is known.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from qwenkit.sandbox.features import BANDS, HOP, agreement, cut, likeness, picture
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.listening import RATE_HZ
from qwenkit.sandbox.waves import floats, resampled

if TYPE_CHECKING:
    from qwenkit.sandbox.features import Picture
    from qwenkit.sandbox.store import Store
    from qwenkit.sandbox.voice import Utterance

Span = tuple[int, int]

MOST_REMEMBERED, MOST_SHARED = 1500, 200
_ALIKE, _EVEN = 0.7, 0.83  # of the whole; and of the worst part, against the whole
_ALIKE_CLEAR, _EVEN_CLEAR = 0.95, 0.89  # where there is no noise to excuse a difference
_MURMUR = 0.03  # what the quietest rows of a clear recording stay below
_HEAD, _HEAD_ALIKE = 50, 0.5  # a head is a second in steps of 20 ms
ROW_MS = HOP * 1000 // RATE_HZ
_QUOTES = ('"', "“”„", "「」", "『』", "«»")  # which nobody hears


@dataclass(frozen=True)
class Known:
    """A sentence as it was once said. Its picture begins `lead_ms` into the speech that `words` tell the times of."""

    text: str
    voice: str
    language: str
    emotion: str
    words: tuple[tuple[str, int, int], ...]
    lead_ms: int
    view: Picture


@dataclass(frozen=True)
class Match:
    """A known sentence found; its first word was to begin `begin_ms - words[0].begin` into the recording."""

    known: Known
    shift_ms: int
    score: float

    @property
    def span(self) -> Span:
        return self.shift_ms + self.known.lead_ms, self.shift_ms + self.known.lead_ms + len(self.known.view) * ROW_MS


def known(said: Utterance) -> Known | None:
    """What is remembered of an utterance; None of one too short to be known again."""
    import numpy as np

    view = picture(resampled(floats(said.pcm), said.rate_hz, RATE_HZ))
    loud = np.flatnonzero(view.max(axis=1, initial=0) > 0.3)
    if len(loud) < 12:
        return None
    begin = max(int(loud[0]) - 3, 0)
    view = np.round(view[begin : loud[-1] + 6] * 180).clip(0, 255).astype(np.uint8)
    halves = "".join(pair for pair in _QUOTES if sum(map(said.text.count, pair)) % 2)  # the others were not said here
    without = dict.fromkeys(map(ord, halves))
    bare = ((word.translate(without), start, end) for word, start, end in said.words)
    words = tuple(each for each in bare if each[0])
    text = said.text.translate(without).strip()
    return Known(text, said.voice, said.language, said.emotion, words, begin * ROW_MS, view)


class Spoken:
    """The shelf of what the sandbox has said: the latest sentences, and the first second of each to spot it by.

    The last of what other sandboxes of this process have said is known too: who has two can talk from one to the other.
    """

    _shared: ClassVar[dict[str, tuple[str, bytes]]] = {}

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept = 0
        self._looked_up: tuple[Any, list[Known], Any] = (None, [], None)
        store.run(
            "CREATE TABLE IF NOT EXISTS spoken (id INTEGER PRIMARY KEY, digest TEXT UNIQUE, facts TEXT, view BLOB)"
        )

    def keep(self, said: Utterance) -> None:
        one = known(said)
        if one is None:
            return
        view = one.view.tobytes()
        facts = json.dumps([one.text, one.voice, one.language, one.emotion, one.words, one.lead_ms])
        key = digest(one.text.encode("utf-8", "replace") + view)
        self._store.run("INSERT OR IGNORE INTO spoken (digest, facts, view) VALUES (?, ?, ?)", key, facts, view)
        self._shared[key] = facts, view
        for old in list(self._shared)[:-MOST_SHARED]:
            self._shared.pop(old, None)
        self._store.run("DELETE FROM spoken WHERE id <= (SELECT MAX(id) FROM spoken) - ?", MOST_REMEMBERED)
        self._kept += 1

    def spotted(self, view: Picture, starts: Any) -> list[Match]:
        """Sentences that begin about at one of these rows of a picture."""
        import numpy as np

        every, heads = self._look_up()
        if not every or not len(starts):
            return []
        best: dict[tuple[int, int], tuple[float, int]] = {}  # of a sentence in a fifth of a second
        for part in np.array_split(starts, len(starts) // 500 + 1):
            scores = _heads([cut(view, int(at), 2 * _HEAD) for at in part]) @ heads.T
            for row, number in zip(*np.nonzero(scores > _HEAD_ALIKE), strict=True):
                place, score = int(part[row]), float(scores[row, number])
                key = (place // 20, int(number))
                best[key] = max(best.get(key, (0.0, 0)), (score, place))
        found = []
        hopes = sorted(((score, at, number) for (_, number), (score, at) in best.items()), reverse=True)
        for _, at, number in hopes[: 40 + len(starts) // 4]:
            if match := proven(view, every[number], at, 3):
                found.append(match)
        return found

    def _look_up(self) -> tuple[list[Known], Any]:
        """All sentences and their heads, read again when more was said; threads that speak meanwhile do not disturb."""
        import numpy as np

        shared, (upto, every, heads) = dict(self._shared), self._looked_up
        if (kept := (self._kept, *shared)) != upto:
            own = {key: row for key, *row in self._store.run("SELECT digest, facts, view FROM spoken ORDER BY id")}
            every = []
            for facts, view in (shared | own).values():
                text, who, language, emotion, words, lead = json.loads(facts)
                seen = np.frombuffer(view, np.uint8).reshape(-1, BANDS)
                every.append(Known(text, who, language, emotion, tuple(map(tuple, words)), lead, seen))
            heads = _heads([cut(one.view, 0, 2 * _HEAD) for one in every])
            self._looked_up = kept, every, heads
        return every, heads


def _heads(views: list[Picture]) -> Any:
    """First seconds, each centred per band and of size one, as rows."""
    import numpy as np

    if not views:
        return np.zeros((0, _HEAD * BANDS), np.float32)
    rows = np.stack(views).astype(np.float32).reshape(len(views), _HEAD, 2, BANDS).mean(axis=2)
    rows -= rows.mean(axis=1, keepdims=True)
    rows = rows.reshape(len(views), -1)
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-6)


def proven(view: Picture, one: Known, at: int, slack: int) -> Match | None:
    """Whether this sentence begins about at this row, in every part of it."""
    import numpy as np

    score, begin = likeness(view, one.view, at, slack)
    if score < _ALIKE:
        return None
    around = view[max(begin - 10, 0) : begin + len(one.view) + 10].mean(axis=1)
    clear = bool(np.percentile(around, 3) < _MURMUR)
    alike, even = (_ALIKE_CLEAR, _EVEN_CLEAR) if clear else (_ALIKE, _EVEN * score)
    if score < alike or agreement(view, one.view, begin) < even:
        return None
    return Match(one, begin * ROW_MS - one.lead_ms, score)
