"""Lesson 12: the word error rate, who speaks how long, one word cut out of a sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qwenkit.types.transcript import Sentence, Transcript

_TRUTH = "The ferry leaves at nine."
_ERRORS = [
    (_TRUTH, _TRUTH, 0.0, "The same text has no errors."),
    (_TRUTH, "the ferry leaves, at nine", 0.0, "Capitals and punctuation do not count: take them off both texts."),
    (_TRUTH, "The ferry leaves at five.", 0.2, "One changed word of five is 0.2."),
    (_TRUTH, "The ferry leaves nine.", 0.2, "A dropped word is one error: the words behind it are still right."),
    (_TRUTH, "The big ferry leaves at nine.", 0.2, "An added word is one error, over the words in the truth."),
    (_TRUTH, "", 1.0, "Hearing nothing is wrong in every word."),
    ("Yes.", "No, not at all.", 4.0, "It may be above 1: four words for one are four errors."),
]
_TALK = Transcript(
    sentences=[
        Sentence(0, 1500, "Good morning.", 0),
        Sentence(1600, 4100, "Good morning to you, and welcome.", 1),
        Sentence(4200, 4700, "Thanks.", 0),
        Sentence(5000, 6000, "And to you.", 2),
    ]
)
_SPOKEN = {0: 2.0, 1: 2.5, 2: 1.0}
_WORD = "report"
_NEAR = 0.03  # seconds


def exercise_1(wer: Callable[[str, str], Any]) -> str | None:
    """Write wer(truth, heard): the fewest words to change, add or drop, over the words of the truth."""
    for truth, heard, wanted, hint in _ERRORS:
        try:
            rate = wer(truth, heard)
        except Exception as failure:
            return f"{hint} wer({truth!r}, {heard!r}) raised {type(failure).__name__}."
        if rate is None:
            return "wer returns nothing yet: give back a number."
        if not isinstance(rate, int | float) or abs(rate - wanted) > 0.001:
            return f"{hint} wer({truth!r}, {heard!r}) gave {rate!r:.40}."
    return None


def exercise_2(speaking: Callable[[Any], Any]) -> str | None:
    """Write speaking(transcript): a dict from speaker to seconds."""
    try:
        found = speaking(_TALK)
    except Exception as failure:
        return f"With another talk it raised {type(failure).__name__}: use only what is in the transcript given."
    if not isinstance(found, dict):
        return "Give back a dict: the speaker's number and the seconds, {0: 12.5, 1: 8.0}."
    if set(found) != set(_SPOKEN):
        return f"The speakers of the test talk are {sorted(_SPOKEN)}, not {sorted(found, key=str)}."
    if all(abs(seconds - 1000 * _SPOKEN[who]) < 1 for who, seconds in found.items()):
        return "These are milliseconds: divide by 1000."
    wrong = [who for who, seconds in found.items() if abs(seconds - _SPOKEN[who]) > 0.001]
    if wrong:
        return f"Speaker {wrong[0]} of the test talk speaks {_SPOKEN[wrong[0]]} s: add up all their sentences."
    return None


def exercise_3(sound: Any, meeting: Any) -> str | None:
    """Cut the word "report" out of meeting.audio."""
    if not hasattr(sound, "duration"):
        return "Answer with an Audio: meeting.audio.clip(begin, end)."
    word = next((each for each in meeting.words if each.text.strip(" .,?!").lower() == _WORD), None)
    if word is None:
        return f"This transcript has no word {_WORD!r}: pass the meeting as it was transcribed above."
    begin, wanted = word.begin_ms / 1000, (word.end_ms - word.begin_ms) / 1000
    if sound.duration > wanted + _NEAR:
        return f"It lasts {sound.duration:.2f} s, the word {wanted:.2f} s: clip takes begin and end, in seconds."
    if sound.duration < wanted - _NEAR:
        return f"It lasts only {sound.duration:.2f} s, the word {wanted:.2f} s: from its begin to its end."
    true, given = (each.mono().resampled(8000).array for each in (meeting.audio.clip(begin, begin + wanted), sound))
    length = min(len(true), len(given))
    apart = float(abs(true[:length] - given[:length]).mean()) if length else 1.0
    return None if apart < 0.02 else "It is as long as the word, but another part of the sound."
