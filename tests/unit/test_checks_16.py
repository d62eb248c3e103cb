"""The checks of lesson 16: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from base64 import b64decode
from types import SimpleNamespace
from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.turn import Turn

SPOKEN = Turn(number=1, user="When?", spoken=True, text="At nine.", ended="completed")
TYPED = Turn(number=2, user="Thanks.", text="Gladly.", ended="completed")


def chunks(pcm: bytes, ms: int, width: int = 32) -> list[bytes]:
    return [pcm[at : at + width * ms] for at in range(0, len(pcm), width * ms)]


def folded(events: list[dict[str, Any]], kinds: str = "response.audio_transcript.delta") -> tuple[str, bytes]:
    words = [event["delta"] for event in events if event["type"] in kinds.split()]
    sound = [b64decode(event["delta"]) for event in events if event["type"] == "response.audio.delta"]
    return "".join(words), b"".join(sound)


@pytest.mark.parametrize(
    ("number", "answer"), [("16.1", chunks), ("16.2", folded), ("16.3", [SPOKEN, TYPED])], ids=["16.1", "16.2", "16.3"]
)
def test_right_answers_pass(number: str, answer: Any):
    assert check(number, answer)


@pytest.mark.parametrize(
    ("number", "answer", "hint"),
    [
        ("16.1", lambda pcm, ms: None, "nothing yet"),
        ("16.1", lambda pcm, ms: chunks(pcm, ms, 16), "two bytes a sample"),
        ("16.1", lambda pcm, ms: [*chunks(pcm, ms), b""], "empty"),
        ("16.1", lambda pcm, ms: chunks(pcm, ms)[:-1], "not what they were cut from"),
        ("16.2", lambda events: None, "nothing yet"),
        ("16.2", lambda events: "It is", "a pair"),
        ("16.2", lambda events: (folded(events)[0].upper(), b""), "words are"),
        ("16.2", lambda events: (folded(events)[0], b""), "samples are not"),
        (
            "16.2",
            lambda events: (
                "".join(e.get("delta") or e.get("text", "") for e in events if "script" in e["type"]),
                folded(events)[1],
            ),
            "no part of its answer",
        ),
        ("16.3", SimpleNamespace(turns=[SPOKEN, TYPED]), "session.turns"),
        ("16.3", [SPOKEN], "Two turns"),
        ("16.3", ["When?", "Thanks."], "session.turns"),
        ("16.3", [TYPED, SPOKEN], "first turn is spoken"),
        ("16.3", [SPOKEN, Turn(number=2, user="Thanks.", ended="cancelled")], "no complete answer"),
    ],
)
def test_near_misses_are_told_what_is_missing(number: str, answer: Any, hint: str):
    assert hint in check(number, answer).hint
