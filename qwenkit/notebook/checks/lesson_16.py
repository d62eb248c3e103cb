"""Lesson 16: samples cut into tenths, an answer folded from its events, a dialogue of speech and typing."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

_BYTES_A_MS = 32
_WORDS, _SOUND = "response.audio_transcript.delta", "response.audio.delta"


def exercise_1(chunks: Callable[[bytes, int], Any]) -> str | None:
    """Write chunks(pcm, ms), which cuts samples into pieces of so many milliseconds."""
    for size, ms in ((9600, 100), (10_000, 100), (3200, 100), (640, 40), (700, 40), (0, 100)):
        pcm = bytes(at % 251 for at in range(size))
        made = chunks(pcm, ms)
        if made is None:
            return "chunks returns nothing yet: give back the pieces, in order."
        pieces, step = list(made), ms * _BYTES_A_MS
        if b"".join(pieces) != pcm:
            return f"Joined, the pieces of {size:,} bytes are not what they were cut from."
        if b"" in pieces:
            return f"One piece of {size:,} bytes is empty: a range that ends with the samples makes none."
        if any(len(piece) != step for piece in pieces[:-1]):
            return f"{ms} ms are {step:,} bytes: {_BYTES_A_MS} a millisecond, for two bytes a sample."
    return None


def exercise_2(folded: Callable[[list[dict[str, Any]]], Any]) -> str | None:
    """Write folded(events), which gives the words and the samples of an answer."""
    for events, words, sound, hint in _answers():
        made = folded(events)
        if made is None:
            return "folded returns nothing yet: give back the words and the samples."
        if not isinstance(made, tuple | list) or len(made) != 2:
            return "Give back a pair: the words, then the samples."
        if made[0] != words:
            return f"The words are {made[0]!r:.40} in place of {words!r}. {hint}"
        if made[1] != sound:
            return f"The samples are not those of the deltas. {hint}"
    return None


def _answers() -> list[tuple[list[dict[str, Any]], str, bytes, str]]:
    words: list[dict[str, Any]] = [{"type": _WORDS, "delta": delta} for delta in ("It is ", "猫", ".")]
    sounds: list[dict[str, Any]] = [
        {"type": _SOUND, "delta": b64encode(piece).decode()} for piece in (b"\x01\x00", b"\x02\x00\x03\x00")
    ]
    frame: list[dict[str, Any]] = [
        {"type": "response.created"},
        {"type": "response.done", "response": {"status": "completed"}},
    ]
    done: list[dict[str, Any]] = [
        {"type": "response.audio.done"},
        {"type": "response.audio_transcript.done", "transcript": "It is 猫."},
    ]
    mixed = [frame[0], words[0], sounds[0], *words[1:], sounds[1], *done, frame[1]]
    mine: dict[str, Any] = {
        "type": "conversation.item.input_audio_transcription.delta",
        "text": "what",
        "stash": " is it",
    }
    whole = b"\x01\x00\x02\x00\x03\x00"
    return [
        (mixed, "It is 猫.", whole, "Words and sound take turns; join each kind by itself."),
        ([mine, *mixed], "It is 猫.", whole, "What the service heard is no part of its answer."),
        ([*frame], "", b"", "An answer can be empty."),
    ]


def exercise_3(dialogue: Any) -> str | None:
    """Hold a session of two turns, one spoken and one typed, and answer with its turns."""
    if hasattr(dialogue, "turns"):
        return "That is the session: answer with session.turns."
    turns = list(dialogue)
    if len(turns) != 2:
        return f"Two turns make this dialogue, these are {len(turns)}."
    if any(not hasattr(turn, "spoken") for turn in turns):
        return "Answer with session.turns, the values themselves."
    if [turn.spoken for turn in turns] != [True, False]:
        return "The first turn is spoken (a sound), the second typed (a text)."
    if any(turn.ended != "completed" or not turn.text for turn in turns):
        return "One of the turns has no complete answer: wait for it with say."
    return None
