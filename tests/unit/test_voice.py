"""The sandbox's voice: the same bytes for the same order, levels and times that hold, and nothing that breaks it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from qwenkit.sandbox import voice
from qwenkit.sandbox.casting import cast, known_voices
from qwenkit.sandbox.listening import RATE_HZ, pitch
from qwenkit.sandbox.phrasing import language_of, sentences
from qwenkit.sandbox.waves import decibels, floats, resampled

FERRY = "The ferry leaves at nine."


@pytest.fixture(scope="module", autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    yield
    voice.hush()


async def test_the_same_order_gives_the_same_bytes_whatever_was_said_before_and_by_whom() -> None:
    first = [(await voice.speak(FERRY, who)).pcm.tobytes() for who in ("Cherry", "Ethan")]  # Cherry breathes
    await voice.speak("你好，世界。", "Dylan")
    voice.hush()  # another process
    again = [(await voice.speak(FERRY, who)).pcm.tobytes() for who in ("Ethan", "Cherry")]
    assert again[::-1] == first


@pytest.mark.parametrize("rate_hz", [8000, 22050, 24000, 48000])
async def test_speech_has_the_length_level_and_margins_it_should_at_every_rate(rate_hz: int) -> None:
    said = await voice.speak(FERRY, rate_hz=rate_hz)
    wave, loud = floats(said.pcm), np.flatnonzero(np.abs(floats(said.pcm)) > 0.01)
    assert said.seconds == pytest.approx(1.8, abs=0.3)
    assert decibels(wave[loud[0] : loud[-1]]) == pytest.approx(-20, abs=1.5)
    assert np.max(np.abs(wave)) < 10 ** (-1 / 20)
    assert 0.04 < loud[0] / rate_hz < 0.12
    assert [word for word, _, _ in said.words] == ["The", "ferry", "leaves", "at", "nine."]
    times = [time for _, begin, end in said.words for time in (begin, end)]
    assert times == sorted(times)
    assert times[-1] <= said.seconds * 1000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("One from the other, in the end.", ["One", "from", "the", "other,", "in", "the", "end."]),
        ("(Hello) 3.50 e-mails", ["(Hello)", "3.50", "e-mails"]),
        ("你好，42", ["你好，", "42"]),
    ],
)
async def test_words_are_told_one_by_one_with_their_times(text: str, words: list[str]) -> None:
    said = (await voice.speak(text)).words
    assert [word for word, _, _ in said] == words
    assert all(begin < end for _, begin, end in said)


def test_another_rate_keeps_a_tone_and_drops_what_does_not_fit() -> None:
    at = np.arange(22050) / 22050
    for hertz, kept in ((1000, 1.0), (3400, 1.0), (5000, 0.0)):
        tone = resampled(np.sin(2 * np.pi * hertz * at).astype(np.float32), 22050, 8000)[500:-500]
        expected = np.sin(2 * np.pi * hertz * np.arange(500, 7500) / 8000) * kept
        assert np.max(np.abs(tone - expected)) < 0.01


async def test_clauses_are_the_speech_in_pieces_and_join_without_a_click() -> None:
    text = "One is here. Two is there! 第三句在这里。"
    pieces = [piece async for piece in voice.speak_clauses(text, "Serena")]
    whole = await voice.speak(text, "Serena")
    assert np.array_equal(np.concatenate([piece.pcm for piece in pieces]), whole.pcm)
    assert [piece.text.strip() for piece in pieces] == ["One is here.", "Two is there!", "第三句在这里。"]
    assert [piece.language for piece in pieces] == ["en", "en", "zh"]
    assert all(piece.pcm[0] == piece.pcm[-1] == 0 for piece in pieces)


@pytest.mark.parametrize(
    ("changed", "pitch_times", "length_times"),
    [
        ({"pitch": 1.3, "speed": 1.5}, 1.3, 1 / 1.5),
        ({"instructions": "Speak slowly and sound sad."}, 0.93, 1.45),
        ({"instructions": "用开心的语气，语速快一点"}, 1.1, 0.78),
        ({"volume": 25}, 1, 1),
    ],
)
async def test_what_is_asked_for_is_heard(changed: dict[str, Any], pitch_times: float, length_times: float) -> None:
    text = "We walked along the river until sunset."
    plain, said = await voice.speak(text, rate_hz=RATE_HZ), await voice.speak(text, rate_hz=RATE_HZ, **changed)
    assert pitch(floats(said.pcm)) / pitch(floats(plain.pcm)) == pytest.approx(pitch_times, rel=0.08)
    assert said.seconds / plain.seconds == pytest.approx(length_times, rel=0.12)
    louder = decibels(floats(said.pcm)) - decibels(floats(plain.pcm))
    assert louder == pytest.approx(-6 if "volume" in changed else 0, abs=1.5)


def test_instructions_are_read_by_words() -> None:
    plain = cast("Cherry")
    assert cast("Cherry", instructions="Read about breakfast, with courage, under a cloud.") == plain
    assert cast("Cherry", instructions="Speak QUICKLY.").rate == pytest.approx(1.25 * plain.rate)
    assert cast("Cherry", instructions="Angrily, then sadly.").emotion == "sad"


def test_every_voice_of_the_cast_has_a_part_of_its_own() -> None:
    from qwenkit.catalogue.cast import voices

    assert {each.name for each in voices()} == set(known_voices())
    parts = [cast(who) for who in known_voices()]
    assert len({(part.variant, part.pitch_hz, part.rate) for part in parts}) == len(parts)
    assert cast("qwen-tts-vc-mine-1") == cast("qwen-tts-vc-mine-1") != cast("qwen-tts-vc-mine-2")


async def test_voices_differ_where_their_parts_do() -> None:
    heard = {}
    for who in ("Cherry", "Serena", "Ethan", "Ryan"):
        heard[who] = pitch(floats((await voice.speak(FERRY, who, rate_hz=RATE_HZ)).pcm))
        assert heard[who] == pytest.approx(cast(who).pitch_hz, rel=0.1)
    assert heard["Ryan"] < heard["Ethan"] < heard["Serena"] < heard["Cherry"]


@pytest.mark.parametrize("text", ["", " \n\t", "...!?", "。，", "\x00\x01\x02", "\ud800", "\u200b"])
async def test_nothing_to_say_is_a_short_silence(text: str) -> None:
    said = await voice.speak(text)
    assert 0.1 <= said.seconds <= 0.5
    assert not said.pcm.any()


@pytest.mark.parametrize(
    "text",
    [
        "<speak>hi</speak>",
        "\x01" + "500P high",
        "[[h@l'oU]] x",
        "😀 ok 👍🏽",
        "a" * 700,
        "م مرحبا",
        "\ud800 half",
        "%s%n",
    ],
)
async def test_strange_text_is_spoken_as_text(text: str) -> None:
    assert (await voice.speak(text)).pcm.any()


async def test_too_long_a_text_is_refused_and_a_long_one_is_not() -> None:
    with pytest.raises(ValueError, match="20000 is the most"):
        await voice.speak("a" * 1_000_000)
    pieces = voice.speak_clauses("This is said again and again. " * 330)
    assert (await anext(pieces)).text.strip() == "This is said again and again."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It costs 3.50, Mr. Smith. Fine!", [["It costs 3.50, Mr. Smith."], [" Fine!"]]),
        ("你好，my name is Cherry。再见", [["你好，", "my name is Cherry。"], ["再见"]]),
        ("价格是350元。", [["价格是350元。"]]),
        ("これは漢字です。", [["これは漢字です。"]]),
        ("42", [["42"]]),
    ],
)
def test_text_falls_into_sentences_and_runs(text: str, expected: list[list[str]]) -> None:
    assert [[run for _, run in each.runs] for each in sentences(text)] == expected


def test_languages_go_by_script_unless_told() -> None:
    told = [
        ("Hello.", "Auto"),
        ("你好吗", "Auto"),
        ("これは", "Auto"),
        ("안녕", "Auto"),
        ("Привет", "Auto"),
        ("Ja.", "German"),
    ]
    assert [language_of(*each) for each in told] == ["en", "zh", "ja", "ko", "ru", "de"]


async def test_without_espeak_syllables_are_hummed_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "_espeak", lambda: ())
    said = await voice.speak(FERRY)
    assert "espeak-ng is not installed" in said.note
    assert decibels(floats(said.pcm)) > -30
    assert said.words


async def test_a_worker_that_died_is_replaced() -> None:
    before = (await voice.speak(FERRY)).pcm
    process = voice._worker()._process
    assert isinstance(process, subprocess.Popen)
    process.kill()
    assert np.array_equal((await voice.speak(FERRY)).pcm, before)
    voice.hush()
    assert voice._worker()._process is None
