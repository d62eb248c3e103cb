"""The sentences of `data/sentences.json`, known in every voice of the cast.

A stretch of speech is warped onto each sentence as one voice says it, a low, a middle or a high one: shapes that
`recordings.py` has put into `data/sentences.npz`. The nearest sentence is then spoken in the voices of that pitch and
pace, the likeliest first, until one proves to be what was heard.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from math import log2
from typing import TYPE_CHECKING, Any

from qwenkit.sandbox import voice
from qwenkit.sandbox.casting import cast, known_voices
from qwenkit.sandbox.features import cut, shape, warped
from qwenkit.sandbox.known_speech import ROW_MS, Known, Match, known, proven
from qwenkit.sandbox.listening import RATE_HZ, pitch
from qwenkit.sandbox.waves import floats

if TYPE_CHECKING:
    from qwenkit.sandbox.features import Picture
    from qwenkit.sandbox.known_speech import Span
    from qwenkit.sandbox.waves import Wave

PROBES = ("Ethan", "Cherry", "Kiki")
_LONGEST_MS = 8000
_FAR, _FARTHER = 2.5, 0.45  # no voice of the cast is so far from its nearest probe, nor so far behind the best
_VOICES_TRIED = (12, 6, 3)  # for the sentence nearest by, and the next ones
_FINE = 20  # steps of the shapes' file
_COMMAS = re.compile("[,，]")


@dataclass(frozen=True)
class Reference:
    """A sentence as a probe says it: its shape, its length, its pitch."""

    shape: Any
    rows: int
    hertz: float


def matched(view: Picture, wave: Wave, places: list[Span]) -> Match | None:
    """A sentence of the data that begins where the first of these places does, and ends with one of them."""
    begin = places[0][0]
    for _, end in places:
        if end - begin > _LONGEST_MS:
            return None
        if match := _fits(view, wave, begin, end):
            return match
    return None


def _fits(view: Picture, wave: Wave, begin: int, end: int) -> Match | None:
    hertz = pitch(wave[begin * RATE_HZ // 1000 : end * RATE_HZ // 1000])
    if not hertz:
        return None
    probe = min(PROBES, key=lambda who: abs(log2(hertz / cast(who).pitch_hz)))
    texts = {
        text: one for text, one in _references()[probe].items() if 0.62 < (end - begin) / (one.rows * ROW_MS) < 1.45
    }
    costs = warped(cut(view, begin // ROW_MS - 4, (end - begin) // ROW_MS + 8), [one.shape for one in texts.values()])
    for (cost, text), most in zip(sorted(zip(costs, texts, strict=True)), _VOICES_TRIED, strict=False):
        if cost > min(_FAR, min(costs) + _FARTHER):
            return None
        longer = (end - begin) / (texts[text].rows * ROW_MS - 90)
        for who in _likely(probe, hertz / texts[text].hertz, longer)[:most]:
            if match := proven(view, said_by(text, who), begin // ROW_MS - 3, 12):
                return match
    return None


def _likely(probe: str, higher: float, longer: float) -> list[str]:
    """The voices that speak so much higher and longer than this one, likeliest first."""
    ours = cast(probe)

    def away(who: str) -> float:
        part = cast(who)
        tone = log2(part.pitch_hz / ours.pitch_hz / higher) / 0.05
        return tone**2 + (log2(ours.rate / part.rate / longer) / 0.06) ** 2

    return sorted(known_voices(), key=away)


@lru_cache(maxsize=1)
def library() -> tuple[str, ...]:
    """The sentences of the data."""
    rows = json.loads(files("qwenkit.sandbox").joinpath("data/sentences.json").read_text("utf-8"))
    return tuple(row["text"] for row in rows)


@lru_cache(maxsize=1024)
def said_by(text: str, who: str) -> Known:
    """A sentence of the data as one of the cast says it."""
    (said,) = voice.said(text, who, rate_hz=RATE_HZ)
    one = known(said)
    assert one is not None
    return one


def referred(text: str, who: str) -> tuple[Any, int, float]:
    """What the data keep of a sentence as a probe says it."""
    import numpy as np

    (said,) = voice.said(text, who, rate_hz=RATE_HZ)
    view = said_by(text, who).view
    return np.round(shape(view) * _FINE).clip(-127, 127).astype(np.int8), len(view), pitch(floats(said.pcm))


@lru_cache(maxsize=1)
def _references() -> dict[str, dict[str, Reference]]:
    import numpy as np

    with files("qwenkit.sandbox").joinpath("data/sentences.npz").open("rb") as file, np.load(file) as kept:
        shapes, rows, hertz = (kept[name] for name in ("shapes", "rows", "hertz"))
    pieces = iter(np.split(shapes.astype(np.float32) / _FINE, np.cumsum(rows.ravel() // 2)[:-1]))
    return {
        who: {
            text: Reference(next(pieces), int(length), float(tone))
            for text, length, tone in zip(library(), rows[number], hertz[number], strict=True)
        }
        for number, who in enumerate(PROBES)
    }
