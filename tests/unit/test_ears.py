"""The sandbox's ears: they know what they know through any treatment, and never claim to know anything else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from qwenkit.sandbox import known_sentences, recordings, voice
from qwenkit.sandbox.ears import Undecodable, hear
from qwenkit.sandbox.known_sentences import library
from qwenkit.sandbox.known_speech import Spoken
from qwenkit.sandbox.listening import VoiceActivity, pitch, segments
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store
from qwenkit.sandbox.waves import floats, resampled

DATA = Path(__file__).parents[2] / "data"
SAID = "Nobody has ever said this before."


@pytest.fixture(scope="module", autouse=True)
def _quiet_afterwards() -> Iterator[None]:
    yield
    voice.hush()


@pytest.fixture(scope="module")
def service() -> Service:
    return Service(key="sk-ears")


def _file(wave: Any, rate_hz: int, form: str, subtype: str | None = None) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, wave, rate_hz, format=form, subtype=subtype)
    return out.getvalue()


def _noise(wave: Any, decibels: float) -> Any:
    noise = np.random.default_rng(1).normal(0, 1, len(wave))
    return wave + noise * np.sqrt(np.mean(wave**2)) * 10 ** (-decibels / 20)


TREATMENTS = {
    "as it was": lambda wave: _file(wave, 24000, "WAV", "PCM_16"),
    "8 kHz": lambda wave: _file(resampled(wave, 24000, 8000), 8000, "WAV", "PCM_16"),
    "48 kHz, 24 bits": lambda wave: _file(resampled(wave, 24000, 48000), 48000, "WAV", "PCM_24"),
    "mp3": lambda wave: _file(wave, 24000, "MP3"),
    "opus": lambda wave: _file(wave, 24000, "OGG", "OPUS"),
    "quiet": lambda wave: _file(wave * 0.03, 24000, "WAV", "PCM_16"),
    "one side of a stereo": lambda wave: _file(np.stack([wave * 0, wave], 1), 24000, "WAV", "PCM_16"),
    "out of phase": lambda wave: _file(np.stack([wave, -wave], 1), 24000, "WAV", "PCM_16"),
    "in noise": lambda wave: _file(_noise(wave, 20) * 0.7, 24000, "WAV", "PCM_16"),
    "after noise": lambda wave: _file(_noise(np.append(np.zeros(20000), wave), 25) * 0.7, 24000, "WAV", "PCM_16"),
}


@pytest.mark.parametrize("treatment", TREATMENTS)
async def test_what_it_said_and_what_it_knows_is_heard_through(service: Service, treatment: str) -> None:
    for text, who, shelf in ((SAID, "Chelsie", service), (library()[0], "Cherry", None)):
        said = await voice.speak(text, who, service=shelf)
        heard = await hear(service, TREATMENTS[treatment](floats(said.pcm)))
        assert (heard.text, [each.voice for each in heard.sentences]) == (text, [who])
        assert heard.language == "en"
        shift = heard.sentences[0].words[0][1] - said.words[0][1]
        assert [begin - shift for _, begin, _ in heard.sentences[0].words] == [begin for _, begin, _ in said.words]


@pytest.mark.parametrize("who", ["Ethan", "Serena", "Arthur", "Momo"])
async def test_its_own_voice_comes_back_word_for_word(who: str) -> None:
    deaf = Service(key="sk-new")  # it has said nothing, so all it has is the library
    for text in library()[3::26]:
        said = await voice.speak(text, who)
        assert (await hear(deaf, (said.pcm, said.rate_hz))).text == text


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("The ferry leaves at five from the north pier.", "Cherry"),
        ("The red boat is faster than the wide one.", "Ethan"),
        ("篮子里有八个苹果。", "Cherry"),
        ("Yes.", "Ethan"),
    ],
)
async def test_a_sentence_nearly_known_is_not_taken_for_it(service: Service, text: str, who: str) -> None:
    said = await voice.speak(text, who)
    heard = await hear(service, (said.pcm, said.rate_hz))
    assert (heard.text, heard.sentences) == ("", ())
    assert heard.speech_seconds > 0.2


@pytest.mark.parametrize("kind", ["noise", "chord", "silence", "click"])
async def test_what_is_no_speech_has_no_words(service: Service, kind: str) -> None:
    at = np.arange(48000) / 16000
    sound = {
        "noise": np.random.default_rng(0).normal(0, 0.1, 48000),
        "chord": sum(np.sin(2 * np.pi * hertz * at) for hertz in (220, 277, 330)) * 0.1,
        "silence": np.zeros(48000),
        "click": np.eye(1, 48000, 20000)[0],
    }[kind]
    heard = await hear(service, (sound, 16000))
    assert (heard.text, heard.language, heard.emotion, heard.seconds) == ("", "", "neutral", 3.0)


async def test_the_clips_of_the_course_are_known_with_their_times_and_voices(tmp_path: Path) -> None:
    recordings.make_clips(tmp_path)
    fresh = Service(key="sk-clips")
    for name, lines in recordings.CLIPS.items():
        content = (DATA / name).read_bytes()
        assert content == (tmp_path / name).read_bytes()
        heard = await hear(fresh, content)
        assert [(each.voice, each.text) for each in heard.sentences] == lines
        spans = [time for each in heard.sentences for time in (each.begin_ms, each.end_ms)]
        assert spans == sorted(spans)
    assert (DATA / "sentences.json").read_bytes() == (tmp_path / "sentences.json").read_bytes()


@pytest.mark.parametrize("who", known_sentences.PROBES)
def test_what_the_ears_compare_with_is_what_the_voice_says(who: str) -> None:
    text, one = next(iter(known_sentences._references()[who].items()))
    shape, rows, hertz = known_sentences.referred(text, who)
    assert np.array_equal(shape, np.round(one.shape * known_sentences._FINE))
    assert (rows, hertz) == (one.rows, one.hertz)


async def test_known_speech_is_found_between_unknown_speech_and_emotions_are_kept(service: Service) -> None:
    happy = await voice.speak("What a day it was!", "Bella", instructions="Sound cheerful.", service=service)
    strange = await voice.speak("These words are unknown.", "Bella")
    known = await voice.speak("I can finish it before Friday.", "Bella")
    heard = await hear(service, (np.concatenate([happy.pcm, strange.pcm, known.pcm]), 24000))
    assert heard.text == "What a day it was! I can finish it before Friday."
    assert [each.emotion for each in heard.sentences] == ["happy", "neutral"]
    assert len(heard.segments) == 3


async def test_half_a_quotation_is_heard_without_its_mark() -> None:
    fresh = Service(key="sk-ears")
    for said in voice.said("He says “hello there. Come in, please.” Then “yes” again.", "Cherry"):
        fresh.shelf(Spoken).keep(said)
        heard = await hear(fresh, (said.pcm, said.rate_hz))
        if "yes" in said.text:
            assert heard.text == said.text.strip()
        else:
            assert not set("“”") & {mark for word, _, _ in heard.sentences[0].words for mark in (*word, *heard.text)}


async def test_one_sandbox_hears_what_another_said() -> None:
    said = await voice.speak("One sandbox asks and another one listens.", "Cherry", service=Service(key="sk-speaks"))
    assert (await hear(Service(key="sk-hears"), (said.pcm, said.rate_hz))).text == said.text.strip()


async def test_what_was_said_outlives_the_sandbox_with_its_data(tmp_path: Path) -> None:
    before = Service(key="sk-one", store=Store(tmp_path / "sandbox.db"))
    said = await voice.speak(SAID, "Nini", service=before)
    before.store.close()
    after = Service(key="sk-two", store=Store(tmp_path / "sandbox.db"))
    assert (await hear(after, (said.pcm, said.rate_hz))).text == SAID
    after.store.close()


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"not audio at all" * 100, b"\0" * 5000, b"\x89PNG\r\n\x1a\n" + b"x" * 99]
)
async def test_what_is_no_sound_is_refused(service: Service, content: bytes) -> None:
    with pytest.raises(Undecodable):
        await hear(service, content)


async def test_a_wave_of_no_numbers_is_heard_without_a_word_about_them(service: Service) -> None:
    wave = np.full((16000, 2), 0.1)
    wave[100], wave[200], wave[300] = np.inf, np.nan, -np.inf
    heard = await hear(service, _file(wave, 16000, "WAV", "FLOAT"))
    assert (heard.text, heard.level_db < 20) == ("", True)


def test_pitch_is_measured() -> None:
    at = np.arange(16000) / 16000
    for hertz in (80, 120, 220, 330):
        tone = sum(np.sin(2 * np.pi * hertz * k * at) / k for k in range(1, 8)) * 0.2
        assert pitch(tone.astype(np.float32)) == pytest.approx(hertz, rel=0.01)
    assert pitch(np.zeros(16000, np.float32)) == 0


@pytest.mark.parametrize("chunk_ms", [20, 33, 200])
@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_voice_activity_tells_when_speech_starts_and_stops(chunk_ms: int, noise: float) -> None:
    (said,) = voice.said("The meeting starts in ten minutes.", "Cherry", rate_hz=16000)
    gap = np.zeros(24000, np.float32)
    wave = np.concatenate([gap, floats(said.pcm), gap, floats(said.pcm), gap])
    wave = wave + np.random.default_rng(2).normal(0, noise, len(wave)).astype(np.float32)
    ear, size = VoiceActivity(0.5, 300, 800), 16 * chunk_ms
    pcm = (wave * 32767).astype("<i2").tobytes()
    turns = [turn for at in range(0, len(pcm), 2 * size) for turn in ear.feed(pcm[at : at + 2 * size])]
    assert [turn.kind for turn in turns] == ["started", "stopped"] * 2
    assert not ear.finish()
    ((start, end), *_) = segments(wave)
    assert turns[0].at_ms == pytest.approx(start - 300, abs=60)
    assert turns[1].at_ms == pytest.approx(end, abs=160)
