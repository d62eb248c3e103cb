"""The mouth of realtime sessions: words and sound that belong together, a pace, a stop, and no marks read aloud."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from qwenkit.sandbox import voice
from qwenkit.sandbox.realtime import mouth
from qwenkit.sandbox.realtime.mouth import Piece, aloud, say
from qwenkit.sandbox.service import Service

TEXT = "Hello there. The ferry, they say, leaves at nine!\n……\n渡轮九点开。Good-bye."
WORDS = ["Hello", "there.", "The", "ferry,", "they", "say,", "leaves", "at", "nine!"]


@pytest.fixture(scope="module", autouse=True)
def hushed() -> Iterator[None]:
    yield
    voice.hush()


def service(pace: float | None = None) -> Service:
    return Service(key="sk", speech_pace=pace)


async def said(text: str, pace: float | None = None, **how: Any) -> list[Piece]:
    return [piece async for piece in say(service(pace), text, "Ryan", **how)]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 48000])
async def test_the_pieces_are_the_text_and_the_sound(rate_hz: int) -> None:
    pieces = await said(TEXT, rate_hz=rate_hz)
    assert "".join(piece.text for piece in pieces) == TEXT
    longest = rate_hz * mouth.PIECE_MS // 1000 * 2
    assert max(len(piece.pcm) for piece in pieces) == longest
    utterance = await voice.speak(TEXT, "Ryan", rate_hz=rate_hz)
    assert b"".join(piece.pcm for piece in pieces) == utterance.pcm.tobytes()


async def test_a_word_comes_with_the_piece_in_which_it_begins() -> None:
    text = "Hello there. The ferry, they say, leaves at nine!"
    begins = {word: begin for word, begin, _ in (await voice.speak(text, "Ryan")).words}
    at, seen = 0.0, 0
    for piece in await said(text):
        length = len(piece.pcm) / 2 / 24
        for word in piece.text.split():
            assert word == WORDS[seen]
            assert at - 1 <= begins[word] <= at + length + 1
            seen += 1
        at += length
    assert seen == len(WORDS)


async def test_the_first_sentence_is_on_its_way_before_the_others_are_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken: list[str] = []

    async def clauses(text: str, name: str, **how: Any) -> AsyncIterator[voice.Utterance]:
        for word in text.split():
            spoken.append(word)
            yield voice.Utterance(np.zeros(2400, "<i2"), 24000, ((word, 0, 100),), word)

    monkeypatch.setattr(voice, "speak_clauses", clauses)
    heard = say(service(), "one two three", "Ryan")
    assert (await anext(heard)).text == "one"
    assert spoken[-1] != "three"
    assert [piece.text async for piece in heard] == [" two", " three"]


async def test_a_stop_ends_it_between_two_pieces_and_while_it_waits() -> None:
    stop, heard = asyncio.Event(), list[Piece]()

    async def listen(pace: float | None) -> None:
        async for piece in say(service(pace), TEXT, "Ryan", stop=stop):
            heard.append(piece)
            if len(heard) == 3:
                stop.set()

    await listen(None)
    assert len(heard) == 3
    stop.clear()
    heard.clear()
    task = asyncio.create_task(listen(0.001))  # after the lead the next piece is minutes away
    while not heard:
        await asyncio.sleep(0.005)
    stop.set()
    await asyncio.wait_for(task, 10)
    assert len(heard) <= 3
    assert [piece async for piece in say(service(), TEXT, "Ryan", stop=stop)] == []


async def test_a_pace_keeps_a_little_ahead_of_the_ear(monkeypatch: pytest.MonkeyPatch) -> None:
    moments: list[float] = []

    async def until(stop: asyncio.Event, moment: float) -> None:
        moments.append(moment)

    monkeypatch.setattr(mouth, "_until", until)
    await said("Hello there.", 2.0)
    lengths = np.diff(moments) * 2.0  # at twice the pace of speech
    assert lengths[:3] == pytest.approx([mouth.PIECE_MS / 1000] * 3)


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("**Bold** and _quiet_ `code`.", "Bold and quiet code."),
        ("# Title\n\n- one\n- two", "Title\none\ntwo"),
        ("See [the page](https://example.com/x) or https://example.com.", "See the page or"),
        ("First.\n```python\nprint(1)\n```\nLast.", "First.\nLast."),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a, b\n1, 2"),
        ("2 * 3 = 6, get_weather", "2 * 3 = 6, get_weather"),
        ("1. One\n2. Two", "1. One\n2. Two"),
        ("", ""),
    ],
)
def test_what_is_written_for_the_eye_is_not_read_aloud(text: str, heard: str) -> None:
    assert aloud(text) == heard


@pytest.mark.parametrize("text", ["", "…", "\n\n"])
async def test_nothing_to_say_is_no_trouble(text: str) -> None:
    assert "".join(piece.text for piece in await said(text)) == text
