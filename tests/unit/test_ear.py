"""The ear of a realtime session: speech is found in noise and nowhere else, at any rate, in chunks of any size."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from qwenkit.sandbox.realtime.ear import Ear, Turn
from qwenkit.sandbox.waves import floats, resampled, samples16

DATA = Path(__file__).parents[2] / "data"
RATE = 16000
RATES = (8000, 24000, 48000)
VAD = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 800}
GAP_S = 1.5
SPOKEN = ("hello", "ferry", "hello", "ferry")


@cache
def clip(name: str) -> Any:
    wave, rate = soundfile.read(DATA / f"{name}.wav", dtype="int16")
    return resampled(floats(wave), rate, RATE)


@cache
def speech(rate: int = RATE) -> Any:
    """Four utterances with a second and a half of silence around each."""
    gap = np.zeros(int(RATE * GAP_S), np.float32)
    return resampled(np.concatenate([gap, *(part for name in SPOKEN for part in (clip(name), gap))]), RATE, rate)


@cache
def truth() -> list[tuple[float, float]]:
    """Where the clips lie, in ms."""
    at, places = GAP_S * 1000, []
    for name in SPOKEN:
        length = len(clip(name)) / RATE * 1000
        places.append((at, at + length))
        at += length + GAP_S * 1000
    return places


def noise(kind: str, seconds: float, rate: int = RATE) -> Any:
    count = int(seconds * rate)
    time_, chance = np.arange(count) / rate, np.random.default_rng(3)
    white = chance.standard_normal(count)
    spectrum, hertz = np.fft.rfft(white), np.fft.rfftfreq(count, 1 / rate)
    if kind.startswith("white"):
        return white * float(kind[5:]) / 32768
    if kind == "hum":
        return sum(0.03 / n * np.sin(2 * np.pi * 50 * n * time_) for n in (1, 2, 3, 5, 6, 10))
    if kind == "clicks":
        return np.where(time_ % 0.7 < 0.0025, chance.uniform(-0.5, 0.5, count), 0)
    if kind == "typing":
        return white * 0.1 * np.exp(-(time_ % 0.15) / 0.006)
    if kind == "fan":
        low = np.fft.irfft(spectrum / (1 + (hertz / 300) ** 2), count)
        return low / np.std(low) * 300 / 32768 * (1 + 0.3 * np.sin(4 * time_))
    if kind == "pink":
        pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(hertz, 20)), count)
        return pink / np.std(pink) * 200 / 32768
    return white * 400 / 32768 * (0.1 + 0.9 * np.clip(np.sin(0.8 * time_), 0, 1))  # a swell


NOISES = ("white0", "white30", "white150", "white400", "hum", "clicks", "typing", "fan", "pink", "swell")


def heard(wave: Any, rate: int = RATE, chunk_ms: int = 40, **detection: Any) -> list[Turn]:
    ear = Ear(rate)
    ear.listen({**VAD, **detection})
    pcm, size = samples16(wave).tobytes(), rate * chunk_ms // 1000 * 2
    turns = [turn for at in range(0, len(pcm), size) for turn in ear.feed(pcm[at : at + size])]
    last = ear.finish()
    return [*turns, last] if last else turns


def utterances(turns: list[Turn]) -> list[tuple[int, int]]:
    assert [turn.kind for turn in turns] == ["started", "stopped"] * (len(turns) // 2)
    return [(start.at_ms, stop.at_ms) for start, stop in zip(turns[::2], turns[1::2], strict=True)]


@pytest.mark.parametrize(
    ("kind", "rate"),
    [*((kind, RATE) for kind in NOISES), *((kind, rate) for kind in ("white150", "hum") for rate in RATES)],
)
def test_four_utterances_are_heard_in_noise_and_none_in_noise_alone(kind: str, rate: int):
    assert heard(noise(kind, 20, rate), rate) == []
    mixed = speech(rate) + noise(kind, len(speech(rate)) / rate, rate)[: len(speech(rate))]
    found = utterances(heard(mixed, rate))
    assert len(found) == len(SPOKEN)
    for (start, stop), (begin, end) in zip(found, truth(), strict=True):
        assert begin - 500 <= start <= begin + 200
        assert end - 700 <= stop <= end + 300


@pytest.mark.parametrize("threshold", [-1.0, -0.5, 0.0, 0.2, 1.0])
@pytest.mark.parametrize("kind", ["white150", "hum", "clicks"])
def test_every_threshold_hears_all_four_and_no_noise(kind: str, threshold: float):
    assert heard(noise(kind, 20), threshold=threshold) == []
    mixed = speech() + noise(kind, len(speech()) / RATE)
    assert len(utterances(heard(mixed, threshold=threshold))) == len(SPOKEN)


def test_a_lower_threshold_hears_softer_speech():
    soft = speech() * 0.012 + noise("white30", len(speech()) / RATE)
    lengths = []
    for threshold in (-1.0, 0.0, 1.0):
        lengths.append(sum(stop - start for start, stop in utterances(heard(soft, threshold=threshold))))
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 2 * lengths[2]


def test_the_size_of_chunks_changes_nothing():
    expected = [(turn.kind, turn.at_ms) for turn in heard(speech())]
    for chunk_ms in (20, 333, 60_000):
        told = heard(speech(), chunk_ms=chunk_ms)
        assert [(turn.kind, turn.at_ms) for turn in told] == expected
        assert [len(turn.clip.pcm) > 60_000 for turn in told if turn.clip] == [True] * 4
    ear = Ear()
    ear.listen(VAD)
    pcm = samples16(speech()).tobytes()
    odd = [turn for at in range(0, len(pcm), 777) for turn in ear.feed(pcm[at : at + 777])]  # in the middle of samples
    assert [(turn.kind, turn.at_ms) for turn in odd] == expected


def test_padding_and_silence_are_what_was_asked_for():
    plain = utterances(heard(speech(), prefix_padding_ms=0))
    padded = utterances(heard(speech(), prefix_padding_ms=500))
    assert [start for start, _ in padded] == [start - 500 for start, _ in plain]
    assert [stop for _, stop in padded] == [stop for _, stop in plain]
    assert len(utterances(heard(speech(), silence_duration_ms=200))) > 4  # "hello" pauses between its languages
    assert len(utterances(heard(speech(), silence_duration_ms=6000))) == 1
    ear, stopped = Ear(), list[int]()
    ear.listen({**VAD, "silence_duration_ms": 400})
    for at in range(0, len(speech()), 320):
        stopped += [
            ear.at_ms - turn.at_ms for turn in ear.feed(samples16(speech()[at : at + 320]).tobytes()) if turn.clip
        ]
    assert set(stopped) == {400}  # so long after the last sound it is told


def test_an_utterance_comes_with_its_sound_and_nothing_of_the_next():
    turns = heard(speech())
    for turn, (begin, end) in zip(turns[1::2], truth(), strict=True):
        assert turn.clip is not None
        assert turn.clip.begin_ms <= begin
        assert turn.clip.begin_ms + turn.clip.seconds * 1000 >= end - 200
        assert turn.clip.seconds * 1000 < end - begin + 2000


def test_pauses_are_told_with_the_sound_so_far():
    ear = Ear(pauses=True)
    ear.listen(VAD)
    turns = list(ear.feed(samples16(np.concatenate([clip("hello"), np.zeros(RATE * 2, np.float32)])).tobytes()))
    assert [turn.kind for turn in turns] == ["started", "paused", "paused", "stopped"]
    lengths = [turn.clip.seconds for turn in turns if turn.clip]
    assert lengths == sorted(lengths)
    assert 2 < lengths[0] < 3.5


@pytest.mark.parametrize("channels", [2, 4])
def test_several_channels_are_one_ear(channels: int):
    one = samples16(speech())
    ear = Ear(RATE, channels)
    ear.listen(VAD)
    turns = list(ear.feed(np.repeat(one[:, None], channels, axis=1).tobytes()))
    assert [(turn.kind, turn.at_ms) for turn in turns] == [(turn.kind, turn.at_ms) for turn in heard(speech())]
    one_only = np.zeros((len(one), channels), "<i2")
    one_only[:, -1] = one
    other = Ear(RATE, channels)
    other.listen(VAD)
    assert len(list(other.feed(one_only.tobytes()))) == 8


@pytest.mark.parametrize("whole", [True, False])
def test_headers_of_wav_are_no_sound(whole: bool):
    wave = samples16(clip("ferry"))
    parts = [wave] if whole else [wave[at : at + 3200] for at in range(0, len(wave), 3200)]
    ear = Ear()
    for part in parts:
        file = io.BytesIO()
        soundfile.write(file, part, RATE, format="WAV", subtype="PCM_16")
        assert list(ear.feed(file.getvalue())) == []
    assert ear.take().pcm == wave.tobytes()


def test_by_hand_everything_waits_until_it_is_taken():
    pcm = samples16(speech()).tobytes()
    ear = Ear()
    assert list(ear.feed(pcm)) == []
    assert ear.seconds == pytest.approx(len(speech()) / RATE)
    assert ear.take().pcm == pcm
    assert (ear.seconds, ear.take().pcm, ear.take().begin_ms) == (0, b"", len(speech()) * 1000 // RATE)
    list(ear.feed(pcm))
    ear.clear()
    assert ear.seconds == 0
    assert ear.finish() is None


def test_listening_may_begin_and_end_while_sound_comes():
    ear, pcm = Ear(), samples16(speech()).tobytes()
    list(ear.feed(pcm))
    ear.listen(VAD)
    turns = list(ear.feed(pcm))
    shift = len(speech()) * 1000 // RATE
    assert [turn.at_ms - shift for turn in turns] == [turn.at_ms for turn in heard(speech())]
    assert not ear.speaking
    ear.listen(None)
    assert list(ear.feed(pcm)) == []


def test_finishing_ends_speech_that_goes_on_and_clearing_forgets_it():
    pcm = samples16(clip("ferry")).tobytes()
    for end in ("finish", "clear"):
        ear = Ear()
        ear.listen(VAD)
        assert [turn.kind for turn in ear.feed(pcm)] == ["started"]
        assert ear.speaking
        last = getattr(ear, end)()
        assert (last is not None and last.kind == "stopped") == (end == "finish")
        assert not ear.speaking


def test_silence_takes_no_room():
    ear = Ear()
    ear.listen(VAD)
    second = samples16(noise("white30", 1)).tobytes()
    for _ in range(60):
        assert list(ear.feed(second)) == []
        assert ear.seconds < 3
    assert ear.at_ms == 60_000
