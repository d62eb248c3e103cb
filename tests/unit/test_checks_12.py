"""The checks of lesson 12: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.audio import Audio
from qwenkit.types.transcript import Sentence, Transcript, Word


def rate(truth: str, heard: str, *, plain: bool = True, adds: bool = True, per: str = "truth") -> float:
    """The word error rate, made to forget a rule."""
    split = (lambda text: re.findall(r"[\w']+", text.lower())) if plain else str.split
    wanted, found = split(truth), split(heard)
    if not adds:
        return sum(a != b for a, b in zip(wanted, found, strict=False)) / len(wanted)
    row = list(range(len(found) + 1))
    for count, word in enumerate(wanted, 1):
        before, row = row, [count]
        for at, other in enumerate(found):
            row.append(min(before[at] + (word != other), before[at + 1] + 1, row[at] + 1))
    return row[-1] / len(wanted if per == "truth" else found or wanted)


@pytest.mark.parametrize(
    ("wer", "hint"),
    [
        (rate, ""),
        (lambda truth, heard: None, "nothing yet"),
        (lambda truth, heard: "0 %", "no errors"),
        (lambda truth, heard: rate(truth, heard, plain=False), "Capitals and punctuation"),
        (lambda truth, heard: rate(truth, heard, adds=False), "added word"),
        (lambda truth, heard: rate(truth, heard, per="heard"), "dropped word"),
        (lambda truth, heard: min(rate(truth, heard), 1.0), "above 1"),
        (lambda truth, heard: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_word_error_rates(wer: Any, hint: str):
    told = check("12.1", wer)
    assert bool(told) is not bool(hint)
    assert hint in told.hint


def spoken(transcript: Transcript, unit: float = 1000.0) -> dict[Any, float]:
    seconds: dict[Any, float] = {}
    for each in transcript.sentences:
        seconds[each.speaker] = seconds.get(each.speaker, 0) + (each.end_ms - each.begin_ms) / unit
    return seconds


@pytest.mark.parametrize(
    ("speaking", "hint"),
    [
        (spoken, ""),
        (lambda transcript: None, "Give back a dict"),
        (lambda transcript: spoken(transcript, 1.0), "divide by 1000"),
        (lambda transcript: {0: 2.0, 1: 2.5}, "The speakers"),
        (
            lambda transcript: {each.speaker: (each.end_ms - each.begin_ms) / 1000 for each in transcript.sentences},
            "add up",
        ),
        (lambda transcript: transcript.nobody, "AttributeError"),
    ],
)
def test_who_speaks_how_long(speaking: Any, hint: str):
    told = check("12.2", speaking)
    assert bool(told) is not bool(hint)
    assert hint in told.hint


SOUND = Audio(np.random.default_rng(0).normal(scale=0.2, size=16_000).astype("f4"), 8000)
MEETING = Transcript(sentences=[Sentence(0, 2000, "The report.", words=[Word(500, 1100, "report", ".")])], audio=SOUND)


@pytest.mark.parametrize(
    ("sound", "meeting", "hint"),
    [
        (SOUND.clip(0.5, 1.1), MEETING, ""),
        (SOUND.clip(0.5, 1.7), MEETING, "begin and end"),
        (SOUND.clip(0.5, 0.9), MEETING, "lasts only"),
        (SOUND.clip(0.8, 1.4), MEETING, "another part"),
        ("report", MEETING, "Answer with an Audio"),
        (SOUND, Transcript(audio=SOUND), "no word"),
    ],
)
def test_one_word_alone(sound: Any, meeting: Any, hint: str):
    told = check("12.3", sound, meeting)
    assert bool(told) is not bool(hint)
    assert hint in told.hint
