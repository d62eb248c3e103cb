"""Subtitles of timed sentences, as SRT and as WebVTT.

A sentence that is too long to read at once becomes several cues, cut between words: at most two lines of 42 columns
(a Chinese character takes two), at most seven seconds. Words with times are cut at their times; without them a
sentence's time is shared out by their length.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from qwenkit.errors import ConfigError
from qwenkit.types.transcript import Sentence

LINE = 42  # columns
LINES = 2
LONGEST_MS = 7000
_SPARE = 8  # columns of a cue left empty, so that both lines of it hold whole words
_CHINESE = "\u2e80-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
_PIECE = re.compile(rf"[{_CHINESE}]\s*|[^\s{_CHINESE}]+\s*|\s+")
_CLAUSE = tuple(".,;:!?…，。；：！？、")
_OPENING = tuple("\"'“‘«([{（「『《")


class Cue(NamedTuple):
    """What stands on the screen from one moment to another."""

    begin_ms: int
    end_ms: int
    text: str
    speaker: int | None


def srt(sentences: Sequence[Sentence], names: Mapping[int, str] | None = None) -> str:
    """SRT: numbered cues; a speaker is named where another one begins."""
    before: int | None = None
    blocks = []
    for number, cue in enumerate(cues(sentences), 1):
        name = f"{_name(cue.speaker, names)}: " if cue.speaker is not None and cue.speaker != before else ""
        before = cue.speaker
        span = f"{clock(cue.begin_ms, ',')} --> {clock(cue.end_ms, ',')}"
        blocks.append(f"{number}\n{span}\n{wrapped((name + cue.text).replace('-->', '→'))}\n")
    return "\n".join(blocks)


def vtt(sentences: Sequence[Sentence], names: Mapping[int, str] | None = None) -> str:
    """WebVTT: marks are escaped, and each speaker is a voice."""
    blocks = ["WEBVTT\n"]
    for cue in cues(sentences):
        voice = f"<v {_escaped(_name(cue.speaker, names))}>" if cue.speaker is not None else ""
        span = f"{clock(cue.begin_ms, '.')} --> {clock(cue.end_ms, '.')}"
        blocks.append(f"{span}\n{voice}{_escaped(wrapped(cue.text))}\n")
    return "\n".join(blocks)


def clock(ms: int, mark: str) -> str:
    """03:25:45,678: hours go on counting after the first day."""
    seconds, ms = divmod(max(ms, 0), 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{ms:03d}"


def cues(sentences: Sequence[Sentence]) -> list[Cue]:
    """The cues of all sentences, in the order in which they were said."""
    if not sentences:
        hint = "qwen.transcribe.submit(recording) transcribes with times"
        raise ConfigError("there are no times to make subtitles of", hint=hint)
    every = [cue for each in sentences for cue in _cues(each)]
    return sorted(every, key=lambda cue: (cue.begin_ms, cue.end_ms))


def wrapped(text: str) -> str:
    """The text on one line, or on two of about the same width."""
    if columns(text) <= LINE:
        return text
    ends, at = [], 0
    for piece in _PIECE.findall(text)[:-1]:
        at += len(piece)
        if not text[at:].startswith(_CLAUSE) and not text[:at].rstrip().endswith(_OPENING):
            ends.append(at)
    if not ends:
        return text
    cut = min(ends, key=lambda end: max(columns(text[:end].rstrip()), columns(text[end:])))
    return f"{text[:cut].rstrip()}\n{text[cut:]}"


def columns(text: str) -> int:
    """Columns of a text: Chinese and its kin take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _cues(sentence: Sentence) -> Iterator[Cue]:
    """A sentence in parts that can be read; a part that may end at a comma does."""
    most = LINE * LINES - _SPARE
    text, begin, end = "", 0, 0
    for piece, starts, stops in _timed(sentence):
        too_long = columns(text + piece.rstrip()) > most or stops - begin > LONGEST_MS
        at_comma = text.rstrip().endswith(_CLAUSE) and columns(text) > most // 2
        if text.strip() and (too_long or at_comma) and not piece.startswith(_CLAUSE):
            yield Cue(begin, end, text.strip(), sentence.speaker)
            text = ""
        begin = begin if text else starts
        text, end = text + piece, stops
    if text.strip():
        yield Cue(begin, max(end, begin + 1), text.strip(), sentence.speaker)


def _timed(sentence: Sentence) -> Iterator[tuple[str, int, int]]:
    """The sentence in pieces, each with its time; the pieces join to its text, on one line."""
    text = " ".join(sentence.text.split())
    known = _anchors(sentence, text)
    for found in _PIECE.finditer(text):
        yield found[0], _moment(known, found.start()), _moment(known, found.start() + len(found[0].rstrip()))


def _anchors(sentence: Sentence, text: str) -> list[tuple[int, int]]:
    """Places in the text whose moments are known: the words' if all of them are found, else its two ends."""
    at = 0
    known: list[tuple[int, int]] = []
    for word in sentence.words:
        said = word.text.strip()
        found = text.find(said, at)
        if found < 0:
            known = []
            break
        at = found + len(said)
        known += [(found, word.begin_ms), (at, word.end_ms)]
    return known or [(0, sentence.begin_ms), (len(text), sentence.end_ms)]


def _moment(known: list[tuple[int, int]], at: int) -> int:
    """When a place is reached: between two known ones in proportion."""
    right = bisect_left(known, (at, -1))
    if right == len(known) or known[right][0] == at or right == 0:
        return known[min(right, len(known) - 1)][1]
    (before, begins), (after, ends) = known[right - 1 : right + 1]
    return begins + (ends - begins) * (at - before) // max(after - before, 1)


def _name(speaker: int, names: Mapping[int, str] | None) -> str:
    if not isinstance(names, Mapping | None) or not all(isinstance(each, int) for each in names or ()):
        raise ConfigError(f"names cannot be {names!r:.80}", hint='they are by number: {0: "Ada", 1: "Ben"}')
    given = (names or {}).get(speaker, f"Speaker {speaker + 1}")
    return " ".join(str(given).split())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
