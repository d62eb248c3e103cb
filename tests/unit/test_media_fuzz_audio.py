"""Damaged, lying and hostile sound files: one clear line or a right result, and memory in bounds."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from qwenkit.errors import ConfigError
from qwenkit.types.audio import Audio

RATE = 16_000
KINDS = {"wav": ("WAV", "PCM_16"), "wav24": ("WAV", "PCM_24"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"),
         "opus": ("OGG", "OPUS"), "mp3": ("MP3", None), "aiff": ("AIFF", "PCM_16")}  # fmt: skip
# What a second of sound may take at most, and hostile headers too.
MEMORY = 40_000_000


@cache
def made(kind: str) -> bytes:
    if kind == "amr":
        return b"#!AMR\n" + (b"\x04" + bytes(12)) * 50
    container, subtype = KINDS[kind]
    sound = np.random.default_rng(1).standard_normal(RATE) * np.hanning(RATE) * 0.2
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format=container, subtype=subtype)
    return file.getvalue()


def looked_at(data: bytes) -> Audio | None:
    """The sound after everything was asked of it; None when it said in one line what is wrong."""
    audio = Audio(data)
    tracemalloc.start()
    try:
        audio.envelope(100)
        assert np.isfinite(audio.array).all()
        assert audio.duration == len(audio.array) / audio.rate_hz
    except ConfigError as wrong:
        return None if "\n" not in str(wrong) else pytest.fail(str(wrong))
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MEMORY, f"{peak:,} bytes for {len(data):,}"
    return audio


@pytest.mark.parametrize("kind", [*KINDS, "amr"])
def test_cut_anywhere_or_with_bytes_turned_it_gives_what_is_there_or_says_so(kind: str):
    whole = made(kind)
    lasts = Audio(whole).duration
    for size in (0, 1, 4, 11, 30, 43, 44, 46, len(whole) // 2, len(whole) - 1):
        audio = looked_at(whole[:size])
        assert audio is None or audio.duration <= lasts + 0.1
    chance = random.Random(7)
    for _ in range(14):
        hurt = bytearray(whole)
        for _ in range(chance.choice((1, 5, 40))):
            hurt[chance.randrange(chance.choice((48, len(hurt))))] = chance.randrange(256)
        looked_at(bytes(hurt))


def wav_header(*, rate: int = RATE, channels: int = 1, bits: int = 16, size: int = 3200) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + form + b"data" + struct.pack("<I", size) + bytes(3200)


@pytest.mark.parametrize(
    "header",
    [{"rate": 0}, {"rate": 0xFFFFFFFF}, {"rate": 7}, {"channels": 0}, {"channels": 65_535}, {"channels": 200},
     {"bits": 0}, {"bits": 4096}],
)  # fmt: skip
def test_headers_of_no_possible_sound_are_refused(header):
    assert looked_at(wav_header(**header)) is None


def test_sizes_a_stream_could_not_know_are_read_to_the_end():
    audio = looked_at(wav_header(size=0xFFFFFFFF))
    assert audio is not None
    assert audio.duration == 0.1


def test_a_flac_that_claims_a_month_costs_nothing_and_is_refused():
    flac = bytearray(made("flac"))
    flac[21] |= 0x0F  # the top of 36 bits that count samples
    with pytest.raises(ConfigError, match="hours"):
        _ = Audio(bytes(flac)).duration
    assert looked_at(bytes(flac)) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [("photo.wav", b"\x89PNG\r\n\x1a\n" + bytes(40)), ("page.mp3", b"<!doctype html><p>404"), ("a.flac", b"\xff" * 400),
     ("notes.wav", b"just some text\n" * 30), ("zeros.mp3", bytes(5000)), ("empty.wav", b""), ("a.raw", bytes(400)),
     ("x.gsm", bytes(33)), ("quiet.ogg", b"OggS" + bytes(60))],
)  # fmt: skip
def test_what_is_no_sound_says_so_with_its_name(tmp_path: Path, name: str, content: bytes):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=name):
        _ = Audio.open(path).array


def test_a_wrong_extension_changes_nothing(tmp_path: Path):
    for kind in ("mp3", "flac", "opus"):
        path = tmp_path / f"{kind}.wav"
        path.write_bytes(made(kind))
        assert Audio.open(path).duration == pytest.approx(1, abs=0.001)
        assert Audio.open(path).format == {"opus": "ogg"}.get(kind, kind)


def test_a_long_sound_is_looked_at_without_holding_it(tmp_path: Path):
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(str(path), "w", 8_000, 1, "PCM_U8") as file:
        part = np.zeros(8_000 * 240, np.float32)
        for _ in range(7):
            file.write(part)
    audio = Audio.open(path)
    tracemalloc.start()
    try:
        assert audio.duration == 1680
        assert audio.envelope(100).high.max() < 0.01
        assert audio.clip(1600, 1601).duration == 1
        html = audio._repr_mimebundle_()["text/html"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "The first 3:00 of 28:00 play here; the rest is in long.wav." in html
    assert len(html) < 500_000
    assert peak < MEMORY
