"""The checks of lesson 14: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import qwenkit as qk
from qwenkit.notebook.exercises import check


def take(voice: str, text: str) -> qk.Audio:
    return qk.Audio.pcm(bytes(480), 24000, voice=voice, text=text)


QUESTION, ANSWER = take("Cherry", "When?"), take("Ethan", "At nine.")


def billed(text: str, last: int = 0x3FFFF) -> int:
    return sum(2 if 0x3400 <= ord(sign) <= last else 1 for sign in text)


def first_second(stream: Any) -> bytes:
    heard = b""
    with stream:
        for piece in stream:
            heard += piece.audio
            if len(heard) >= 48_000:
                break
    return heard[:48_000]


@pytest.mark.parametrize(
    ("number", "answer"),
    [("14.1", [QUESTION, ANSWER]), ("14.2", billed), ("14.3", first_second)],
)
def test_right_answers_pass(number: str, answer: Any):
    assert check(number, answer)


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [
        ("14.1", [QUESTION], "two takes"),
        ("14.1", ["When?", "At nine."], "what qwen.speech gives"),
        ("14.1", [QUESTION, take("Cherry", "At nine.")], "same voice"),
        ("14.1", [ANSWER, QUESTION], "question mark"),
        ("14.2", lambda text: None, "nothing yet"),
        ("14.2", len, "Five ideographs"),
        ("14.2", lambda text: 2 * len(text), "Letters, blanks"),
        ("14.2", lambda text: sum(1 + (ord(sign) > 0x3000) for sign in text), "full stop"),
        ("14.2", lambda text: sum(1 + (0x3040 < ord(sign) < 0xFE00) for sign in text), "Kana"),
        ("14.2", lambda text: billed(text, 0x9FFF), "beyond"),
        ("14.3", lambda stream: None, "nothing yet"),
        ("14.3", lambda stream: b"".join(piece.audio for piece in stream), "48,000 bytes"),
        ("14.3", lambda stream: b"".join(piece.audio for piece in stream)[:48_000], "more pieces"),
        ("14.3", lambda stream: first_second(Open(stream)), "still open"),
    ],
)
def test_near_misses_are_told_what_is_missing(number: str, answer: Callable[..., Any], hint: str):
    assert hint in check(number, answer).hint


class Open:
    """A stream that does not close."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> Any:
        return self.stream

    def __exit__(self, *raised: object) -> None: ...

    def __iter__(self) -> Any:
        return iter(self.stream)
