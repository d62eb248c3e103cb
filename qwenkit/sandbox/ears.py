"""The sandbox's ears: what a sound is, measured, and its words where they are known. Honest about the rest.

`await hear(service, content)` gives a `Heard`: length, level, pitch, where speech is; and a transcript of every
sentence that is known: those of `data/sentences.json` in any voice of the cast, and what this sandbox has said itself.
Any other speech has no text here, only its place and length.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwenkit.sandbox import known_sentences
from qwenkit.sandbox.features import picture
from qwenkit.sandbox.known_speech import ROW_MS, Match, Spoken
from qwenkit.sandbox.listening import Undecodable as Undecodable
from qwenkit.sandbox.listening import decoded, pitch, segments, sound_of
from qwenkit.sandbox.waves import decibels

if TYPE_CHECKING:
    from qwenkit.sandbox.known_speech import Span
    from qwenkit.sandbox.service import Service
    from qwenkit.sandbox.waves import Wave

_GIVES_UP = 20  # after so many stretches in a row that are no sentence of the data, nor will the next be
_CHINESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")


@dataclass(frozen=True)
class HeardSentence:
    """A sentence that was recognised. `words` are (text, begin_ms, end_ms); `voice` says who spoke."""

    begin_ms: int
    end_ms: int
    text: str
    words: tuple[tuple[str, int, int], ...] = ()
    voice: str = ""
    language: str = ""
    emotion: str = "neutral"


@dataclass(frozen=True)
class Heard:
    """What a sound is. `text` is "" when no sentence in it is known; `segments` are (begin_ms, end_ms) of speech."""

    seconds: float
    rate_hz: int
    channels: int
    format: str
    level_db: float
    pitch_hz: float
    segments: tuple[tuple[int, int], ...]
    text: str = ""
    language: str = ""
    emotion: str = "neutral"
    sentences: tuple[HeardSentence, ...] = ()

    @property
    def speech_seconds(self) -> float:
        return round(sum(end - begin for begin, end in self.segments) / 1000, 2)


async def hear(service: Service, content: bytes | tuple[Any, int]) -> Heard:
    """Listen to a file's bytes, or to (samples, rate_hz). Undecodable (a ValueError) for what is no sound."""
    return await asyncio.to_thread(_hear, service, content)


def _hear(service: Service, content: bytes | tuple[Any, int]) -> Heard:
    sound = decoded(content) if isinstance(content, bytes) else sound_of(*content)
    places = segments(sound.wave)
    found = [_sentence(each) for each in recognised(service.shelf(Spoken), sound.wave, places)]
    return Heard(
        round(sound.seconds, 3),
        sound.rate_hz,
        sound.channels,
        sound.format,
        decibels(sound.wave),
        pitch(sound.wave),
        tuple(places),
        joined([each.text for each in found]),
        _most([each.language for each in found]),
        _most([each.emotion for each in found]) or "neutral",
        tuple(found),
    )


def _sentence(match: Match) -> HeardSentence:
    """A match with the times of its words in the recording."""
    one, shift = match.known, match.shift_ms
    words = tuple((text, max(begin + shift, 0), max(end + shift, 0)) for text, begin, end in one.words)
    begin, end = (words[0][1], words[-1][2]) if words else match.span
    return HeardSentence(max(begin, 0), end, one.text, words, one.voice, one.language, one.emotion)


def joined(texts: Sequence[str]) -> str:
    """Sentences as one text: with blanks between them, save in Chinese."""
    text = ""
    for each in texts:
        text += each if not text or _CHINESE.match(text[-1]) else f" {each}"
    return text


def _most(values: list[str]) -> str:
    return max(values, key=values.count, default="")


def recognised(spoken: Spoken, wave: Wave, places: list[Span]) -> list[Match]:
    """The known sentences of a recording, in order. `places` is where there is speech, in ms."""
    import numpy as np

    if not places:
        return []
    view = picture(wave)
    onsets = [begin // ROW_MS for begin, _ in places]
    near = np.unique(np.concatenate([np.arange(at - 14, at + 8, 2) for at in onsets]))
    found = _apart(spoken.spotted(view, near))
    rest = _uncovered(places, found)
    if rest:
        anywhere = np.unique(np.concatenate([np.arange(a // ROW_MS - 14, b // ROW_MS - 20, 2) for a, b in rest]))
        found = _apart([*found, *spoken.spotted(view, anywhere)])
    rest = _uncovered(places, found)
    taken = missed = 0
    for number, (begin, _) in enumerate(rest):
        if begin < taken or missed == _GIVES_UP:
            continue
        if match := known_sentences.matched(view, wave, rest[number : number + 3]):
            taken, missed = match.span[1], 0
            found.append(match)
        else:
            missed += 1
    return sorted(_apart(found), key=lambda match: match.span)


def _apart(matches: list[Match]) -> list[Match]:
    """The best matches that do not lie over each other."""
    kept: list[Match] = []
    for match in sorted(matches, key=lambda match: -match.score * len(match.known.view) ** 0.5):
        begin, end = match.span
        if all(min(end, other.span[1]) - max(begin, other.span[0]) < 150 for other in kept):
            kept.append(match)
    return kept


def _uncovered(places: list[Span], found: list[Match]) -> list[Span]:
    def covered(begin: int, end: int) -> float:
        return sum(max(min(end, match.span[1]) - max(begin, match.span[0]), 0) for match in found)

    return [(begin, end) for begin, end in places if covered(begin, end) < 0.4 * (end - begin) and end - begin > 200]
