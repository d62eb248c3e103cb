"""Sound as a value: whatever it comes from, it says what it is and gives its samples."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwenkit.api import outputs
from qwenkit.errors import ConfigError
from qwenkit.types import recording
from qwenkit.types.audio import Audio
from qwenkit.types.image_grid import Failed, ImageGrid
from qwenkit.types.reply import Choice, Reply
from qwenkit.types.takes import compare
from qwenkit.types.video import Video

RATE = 24_000


def tone(seconds: float = 1.0, rate: int = RATE, pitch: float = 440.0, loud: float = 0.5) -> Any:
    return (loud * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def wav(sound: Any, rate: int = RATE, subtype: str = "PCM_16", kind: str = "WAV") -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=kind, subtype=subtype)
    return file.getvalue()


def contained(extension: str, codec: str, sound: Any, rate: int) -> bytes:
    """What PyAV writes; AMR cannot be written by it and comes as bytes of silence."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format={"m4a": "ipod", "aac": "adts"}.get(extension, extension)) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray((sound * 32767).astype("<i2")[None], format="s16", layout="mono")
        frame.sample_rate = rate
        told = stream.codec_context
        even = av.AudioResampler(told.format, "mono", rate, frame_size=told.frame_size or 960)
        for part in [*even.resample(frame), *even.resample(None), None]:
            container.mux(stream.encode(part))
    return file.getvalue()


@pytest.mark.parametrize(
    ("subtype", "kind", "error"),
    [("PCM_U8", "WAV", 0.01), ("ULAW", "WAV", 0.02), ("ALAW", "WAV", 0.02), ("PCM_24", "WAV", 1e-6),
     ("FLOAT", "WAV", 1e-7), ("PCM_32", "WAV", 1e-6), ("PCM_16", "FLAC", 1e-4), ("VORBIS", "OGG", 0.05),
     ("OPUS", "OGG", 0.15), ("MPEG_LAYER_III", "MP3", 0.05), ("PCM_16", "AIFF", 1e-4), ("PCM_16", "AU", 1e-4)],
)  # fmt: skip
@pytest.mark.parametrize("rate", [8_000, 48_000])
def test_every_kind_of_sample_and_file_is_read_with_its_length_and_channels(subtype, kind, error, rate):
    both = np.stack([tone(0.5, rate), tone(0.5, rate, 220) / 2], axis=1)
    for sound, channels in ((both, 2), (both[:, 0], 1)):
        audio = Audio(wav(sound, rate, subtype, kind))
        assert (audio.rate_hz, audio.channels, audio.duration) == (rate, channels, 0.5)
        assert audio.array.shape == sound.shape
        middle = slice(rate // 10, rate // 3)  # lossy codecs ring at the edges
        assert np.abs(audio.array[middle] - sound[middle]).max() < error


@pytest.mark.parametrize(
    ("extension", "codec", "rate"), [("m4a", "aac", 24_000), ("aac", "aac", 16_000), ("webm", "libopus", 48_000)]
)
def test_what_telephones_and_browsers_record_is_read(tmp_path: Path, extension: str, codec: str, rate: int):
    path = tmp_path / "memo.wav"  # the name lies
    path.write_bytes(contained(extension, codec, tone(1, rate), rate))
    audio = Audio.open(path)
    assert audio.format == extension
    assert (audio.rate_hz, audio.channels) == (rate, 1)
    assert audio.duration == pytest.approx(1, abs=0.1)
    before = audio.duration
    assert len(audio.array) / rate == pytest.approx(before, abs=0.05)
    assert audio.envelope(10).level_db == pytest.approx(-9, abs=1)


def test_a_long_name_for_little_sound_amr_is_read_too():
    silence = b"#!AMR\n" + (b"\x04" + bytes(12)) * 50  # 50 frames of 20 ms
    assert Audio(silence).duration == pytest.approx(1)
    assert len(Audio(silence).array) == 8_000


def test_an_array_a_data_url_raw_pcm_and_a_path_are_the_same_sound(tmp_path: Path):
    sound = tone(0.25)
    first = Audio(sound, rate_hz=RATE, voice="Cherry")
    path = first.save(tmp_path / "a.wav")
    many = [first, Audio.of((sound, RATE)), Audio.of(first.data_url()), Audio.pcm(first.pcm16, RATE), Audio.open(path),
            Audio.of(path.read_bytes()), Audio.of(str(path)), Audio.of(bytes(first.pcm16), rate_hz=RATE)]  # fmt: skip
    assert all(each.pcm16 == first.pcm16 and each.duration == 0.25 for each in many)
    assert first.meta == {"voice": "Cherry"}
    assert (first.format, first.media_type, first.byte_size) == ("wav", "audio/wav", 44 + len(first.pcm16))
    assert repr(Audio.open(path)) == "Audio('a.wav', 0.25 s, 24,000 Hz mono)"
    assert Audio.of(first) is first
    path.unlink()
    assert (first.save(tmp_path / "b.wav").stat().st_size, first.byte_size) == (12_044, 12_044)


def test_bytes_that_come_with_a_rate_are_samples_whatever_they_look_like():
    like_an_mp3 = np.full(RATE, -3841, "<i2").tobytes()  # ff f0 ff f0 …
    assert Audio.of(like_an_mp3, rate_hz=float(RATE)).resampled(12_000).duration == 1


@pytest.mark.parametrize(
    ("array", "expected"),
    [(np.array([0, 255, 128], np.uint8), [-1, 0.992, 0.004]), (np.array([-32768, 16384], np.int16), [-1, 0.5]),
     (np.zeros((2, 100)), np.zeros((100, 2))), (np.array([np.inf, -0.5]), [1, -0.5])],
)  # fmt: skip
def test_arrays_of_any_kind_become_float_samples(array, expected):
    np.testing.assert_allclose(Audio(array, 16_000).array, expected, atol=0.01)
    np.testing.assert_allclose(np.asarray(Audio(array, 16_000), float), expected, atol=0.01)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_saving_converts_by_extension_and_keeps_the_length(tmp_path: Path, extension: str):
    audio = Audio(tone(0.5), RATE)
    saved = Audio.open(audio.save(tmp_path / f"new/sound.{extension}"))
    assert saved.format == extension
    assert saved.duration == 0.5
    assert saved.envelope(10).level_db == pytest.approx(audio.envelope(10).level_db, abs=0.3)
    if extension == "wav":
        assert saved.bytes[34:36] == b"\x10\x00"  # 16 bits


@pytest.mark.parametrize(("rate", "to"), [(48_000, 24_000), (44_100, 16_000), (8_000, 24_000), (22_050, 24_000)])
def test_resampling_keeps_the_band_and_folds_nothing_back(rate: int, to: int):
    inside = Audio(tone(1, rate, 1_000), rate).resampled(to)
    assert inside.duration == pytest.approx(1, abs=1 / to)
    middle = slice(to // 4, to // 2)
    assert np.abs(inside.array[middle] - tone(1, to, 1_000)[middle]).max() < 1e-4
    if to < rate:
        outside = Audio(tone(1, rate, 0.55 * to), rate).resampled(to).array[middle]
        assert np.mean(outside**2) < 1e-8  # -80 dB
    stereo = Audio(np.stack([tone(0.1, rate)] * 2, axis=1), rate).resampled(to)
    assert stereo.channels == 2


def test_joining_clicks_nowhere_and_keeps_what_all_agree_on():
    first = Audio(tone(0.3, pitch=437), RATE, voice="Cherry", text="One.")  # breaks off in the middle of a wave
    second = Audio(np.stack([tone(0.2, 16_000, 437)] * 2, axis=1), 16_000, voice="Cherry", text="Two.")
    both = Audio.join([first, second, first], gap_s=0.1)
    assert (both.rate_hz, both.channels, both.text, both.meta["voice"]) == (RATE, 2, "One. Two. One.", "Cherry")
    assert both.duration == pytest.approx(1.0, abs=0.001)
    steepest = np.abs(np.diff(first.array)).max()
    assert np.abs(np.diff(both.array[:, 0])).max() < steepest * 1.3
    assert np.abs(both.array[round(0.31 * RATE) : round(0.39 * RATE)]).max() == 0
    assert np.array_equal(Audio.join([first]).array, first.array)  # a single part is left as it is


def test_parts_and_channels():
    audio = Audio(np.stack([tone(2), np.zeros(2 * RATE, np.float32)], axis=1), RATE, text="all of it")
    part = audio.clip(0.5, 1.25)
    assert (part.duration, part.channels, part.text) == (0.75, 2, "")
    assert audio.clip(1.5, 99).duration == 0.5
    assert np.allclose(audio.mono().array, audio.array[:, 0] / 2)
    assert Audio(audio.bytes).clip(0.5, 1.25).pcm16 == part.pcm16
    mp3 = Audio(wav(tone(2), subtype="MPEG_LAYER_III", kind="MP3"))
    assert np.allclose(mp3.clip(0.5, 1).array, mp3.array[RATE // 2 : RATE], atol=1e-4)  # no seek: no crackle


def test_an_mp3_read_in_small_blocks_is_the_one_read_at_once(monkeypatch: pytest.MonkeyPatch):
    import soundfile

    data = wav(np.random.default_rng(2).standard_normal(RATE) * 0.2, subtype="MPEG_LAYER_III", kind="MP3")
    whole, _ = soundfile.read(io.BytesIO(data))
    monkeypatch.setattr(recording, "BLOCK", 1000)
    assert np.abs(Audio(data).array - whole).max() < 1e-4


def test_what_does_not_fit_into_memory_is_read_in_parts(monkeypatch: pytest.MonkeyPatch):
    audio = Audio(wav(tone(2)))
    monkeypatch.setattr(recording, "MAX_SAMPLES", RATE)
    with pytest.raises(ConfigError, match=r"clip\("):
        _ = audio.array
    assert audio.duration == 2
    assert audio.clip(1, 1.5).duration == 0.5


@pytest.mark.parametrize(
    ("doing", "told"),
    [(lambda: Audio("a.wav"), "Audio.open"), (lambda: Audio(tone()), "rate"), (lambda: Audio(["a"], 8000), "no sound"),
     (lambda: Audio(tone(), RATE).clip(2, 1), "part"), (lambda: Audio.join([]), "nothing to join"),
     (lambda: Audio.of("https://x.example/a.wav").duration, "only an address"), (lambda: Audio.of(3), "no sound"),
     (lambda: Audio(tone(), RATE).save("/tmp/none.xyz"), "not written"),
     (lambda: Audio(tone(), RATE).resampled(3), "rate"), (lambda: Audio.pcm(b"12", RATE, 0), "0 channels"),
     (lambda: Audio.join([Audio(tone(), RATE)], gap_s=-1), "gap_s=-1"),
     (lambda: Audio.open(None), "path of the sound cannot be None"),
     (lambda: Audio(np.array([0.1, np.nan]), RATE), "1 of the samples are NaN → numpy.nan_to_num"),
     (lambda: Audio(tone(), RATE).clip("0", "1"), r"a part from '0' s to '1' s is none → audio.clip"),
     (lambda: Audio.open(Path(__file__).parents[2] / "data" / "chart.png"), "holds no sound, it is image/png"),
     (lambda: Audio.open("none.wav"), "does not exist")],
)  # fmt: skip
def test_what_cannot_be_is_told_in_one_line(doing, told):
    with pytest.raises(ConfigError, match=told) as caught:
        doing()
    assert "\n" not in str(caught.value)


def test_an_opened_sound_tells_what_is_said_and_by_whom(tmp_path):
    path = outputs.keep(Audio(tone(), RATE), prompt="Hello.", seed=None, model="m", voice="Cherry", folder=tmp_path)
    sound = Audio.open(path)
    assert (sound.text, sound.voice) == ("Hello.", "Cherry")
    assert sound.meta == {"text": "Hello.", "model": "m", "voice": "Cherry"}
    (tmp_path / "holes.wav").write_bytes(wav(np.array([np.nan, 0.5], np.float32), subtype="FLOAT"))
    assert Audio.open(tmp_path / "holes.wav").array.tolist() == [0, 0.5]


def test_films_and_grids_are_compared_too():
    from PIL import Image as Pillow

    frames = [Pillow.new("RGB", (64, 48), (40 * number, 90, 200)) for number in range(1, 5)]
    film, grid = Video.of(frames, fps=2), ImageGrid([*frames[:2], Failed("Bad", "no")])
    takes = compare(
        {"frames": film, "film": Video(film.bytes), "kite": grid, "away": Video.of("https://x.example/a.mp4")}
    )
    lines, html = str(takes).splitlines(), takes._repr_mimebundle_()["text/html"]
    assert lines[0].startswith("frames: film · 64×48 · 2.0 s · 2 frames/s")
    assert lines[1].startswith("film: film · 64×48 · 2.0 s · 2 frames/s · mp4")
    assert lines[2] == "kite: 2 pictures · 64×48 · 1 failed"
    assert "an address" in lines[3]
    assert (html.count("<video "), html.count("<img ")) == (1, 4)
    assert "qwen.fetch" in html


def test_takes_are_called_by_what_tells_them_apart():
    one, two = Audio(tone(0.1), RATE, voice="Cherry", model="m"), Audio(tone(0.1), RATE, voice="Ethan", model="m")
    assert compare(one, two).labels == ["Cherry", "Ethan"]
    assert compare({"a": one, "b": two})["b"] is two
    assert compare([one, one]).labels == ["take 1", "take 2"]
    replies = [Reply(choices=[Choice(text="hi")], model=model) for model in ("qwen-plus", "qwen-max")]
    assert compare(*replies).labels == ["qwen-plus", "qwen-max"]
    assert compare(one, two, labels=["x", "y"])[0] is one
    for wrong in (
        lambda: compare(),
        lambda: compare(None),
        lambda: compare({"a": one, "b": None}),
        lambda: compare(one, labels=["a", "b"]),
        lambda: compare(one)["Nobody"],
    ):
        with pytest.raises(ConfigError):
            wrong()


def test_the_outline_is_read_in_blocks_and_finds_the_loudest_places():
    quiet, loud = tone(3, loud=0.01), tone(1, loud=0.9)
    outline = Audio(wav(np.concatenate([quiet, loud, quiet])), voice="x").envelope(70)
    assert outline.high.argmax() // 10 == 3
    assert outline.high[:30].max() < 0.02
    assert outline.level_db == pytest.approx(10 * math.log10(0.81 / 2 / 7), abs=0.2)
