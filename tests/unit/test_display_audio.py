"""What a sound looks like: it plays from the page, it is small, and nothing anybody said escapes."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from inert import TAGS

from qwenkit.display.sound import LONG_HZ, compressed, player, shortened, waveform
from qwenkit.types.audio import Audio
from qwenkit.types.image import Image
from qwenkit.types.reply import Choice, Receipt, Reply
from qwenkit.types.takes import compare

RATE = 24_000


def speech(seconds: float, rate: int = RATE) -> Any:
    """Like speech to a codec: a buzz with moving formants, in syllables."""
    at = np.arange(round(seconds * rate)) / rate
    buzz = np.sign(np.sin(2 * np.pi * (120 + 20 * np.sin(2 * at)) * at)) * 0.3
    noise = np.random.default_rng(3).standard_normal(len(at)) * 0.15
    voiced = np.sin(2 * np.pi * 2.1 * at) > 0
    sound = np.where(voiced, buzz, noise) * np.abs(np.sin(2 * np.pi * 2.1 * at))
    return np.convolve(sound, np.hanning(9) / 4, "same").astype(np.float32)


def sources(html: str) -> list[bytes]:
    return [base64.b64decode(data) for data in re.findall(r'src="data:audio/mpeg;base64,([^"]+)"', html)]


def decoded(data: bytes) -> tuple[Any, int]:
    sound, rate = soundfile.read(io.BytesIO(data))
    return sound, rate


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, RATE, 48_000])
def test_ten_seconds_of_speech_cost_less_than_sixty_kilobytes_of_notebook(rate: int):
    sound, told = speech(10, rate), {"voice": "Cherry", "text": "The ferry leaves at nine. " * 8}
    bundle = Audio(sound, rate, **told)._repr_mimebundle_()
    saved = json.dumps({"data": bundle, "metadata": {}, "output_type": "execute_result", "execution_count": 3})
    assert len(saved.encode()) <= 60_000
    if rate == RATE:
        assert len(base64.b64encode(Audio(sound, rate).bytes)) / len(saved) > 10
        assert bundle == Audio(sound, rate, **told)._repr_mimebundle_()


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [(8_000, 1.3), (16_000, 4), (22_050, 1.3), (24_000, 0.02), (24_000, 1.3), (44_100, 1.3), (48_000, 1.3)],
)
def test_the_player_lasts_exactly_as_long_and_is_as_loud(rate: int, seconds: float):
    audio = Audio(speech(seconds, rate), rate)
    sound, told = decoded(compressed(audio))
    assert len(sound) / told == pytest.approx(audio.duration, abs=0.001)
    if seconds > 1:
        loud = 10 * np.log10(np.mean(sound**2))
        assert loud == pytest.approx(audio.envelope(50).level_db, abs=1)


def test_two_channels_stay_two_only_where_they_differ():
    left = speech(1)
    differ, same, many = np.stack([left, left[::-1]], 1), np.stack([left, left], 1), np.stack([left] * 6, 1)
    assert [decoded(compressed(Audio(each, RATE)))[0].ndim for each in (differ, same, many)] == [2, 1, 1]


def test_a_small_mp3_is_taken_as_it_is_and_a_long_sound_is_cut_and_says_so():
    small = Audio(compressed(Audio(speech(2), RATE)))
    assert compressed(small) == small.bytes
    long = Audio(speech(5, 16_000), 16_000)
    assert decoded(compressed(long, full_s=1, most_s=2))[1] == LONG_HZ
    assert len(decoded(compressed(long, full_s=1, most_s=2))[0]) / LONG_HZ == pytest.approx(2, abs=0.001)
    assert shortened(long, 1, 2) == "The first 2 s of 5 s play here; the rest is in audio.save(…)."


def test_the_outline_is_small_and_shows_marks_in_their_places():
    audio = Audio(speech(10), RATE)
    marks = [(number, number + 0.9, f"<word> {number}") for number in range(10)]
    drawn = waveform(audio, marks=marks, label="<b>")
    assert len(drawn) <= 4_000
    assert [int(x) for x in re.findall(r'<rect x="(\d+)"', drawn)] == [60 * number for number in range(10)]
    assert "<word>" not in drawn
    assert "&lt;word&gt;" in drawn
    assert len(waveform(audio, marks=[(0, 99, "x" * 500)] * 300)) < 8_000
    for seconds, ticks in ((0.4, "0.1 s"), (9, "2 s"), (75, "0:20"), (4_000, "10:00")):
        drawn = waveform(Audio(np.zeros(round(seconds * 1000), np.float32), 1000))
        assert ticks in drawn or ticks.replace("0:20", "20 s") in drawn


def test_a_card_tells_what_it_is_and_what_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    audio = Audio(speech(1.5), RATE, voice="Cherry", model="qwen3-tts-flash", text="At nine.")
    audio.save("outputs/ferry.wav")
    bundle = audio._repr_mimebundle_()
    assert bundle["text/plain"] == "Audio('ferry.wav', 1.50 s, 24,000 Hz mono) in the voice Cherry\nAt nine."
    for fact in (
        "Cherry",
        "1.50 s · 24 kHz · mono",
        "At nine.",
        "qwen3-tts-flash",
        "saved in outputs/ferry.wav",
        "dBFS",
    ):
        assert fact in bundle["text/html"]
    assert str(tmp_path) not in str(bundle)


@pytest.mark.parametrize(
    ("audio", "told"),
    [(Audio.of("https://x.example/<b>.wav?k=1"), "Only an address"), (Audio(b"no sound at all"), "no sound"),
     (Audio(np.zeros(0, np.float32), RATE), "length is zero"), (Audio(np.zeros(800, np.float32), 8_000), "silence")],
)  # fmt: skip
def test_what_cannot_play_still_has_a_card(audio: Audio, told: str):
    bundle = audio._repr_mimebundle_()
    assert told in bundle["text/html"]
    assert bundle["text/plain"].startswith("Audio(")
    assert "https://x.example" not in "".join(re.findall(r'(?:src|href)="([^"]*)"', bundle["text/html"]))


def test_nothing_said_runs():
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    audio = Audio(speech(0.2), RATE, voice=evil, text=evil, model=evil)
    reply = Reply(choices=[Choice(text=evil)], model=evil, receipt=Receipt(model=evil))
    for value in (audio, compare({evil: audio, "b": reply, "c": evil})):
        markup = re.sub(r"<style>.*?</style>", "", value._repr_mimebundle_()["text/html"])
        found = re.findall(r"<(\w+)([^>]*)>", markup)
        assert {tag for tag, _ in found} <= TAGS | {"audio", "svg", "path", "rect", "text", "title"}
        assert not [attributes for _, attributes in found if re.search(r"[\s\"']on\w+\s*=", attributes)]


def test_takes_stand_side_by_side_and_are_bounded():
    one, other = Audio(speech(0.5), RATE, voice="Cherry"), Audio(speech(0.6), RATE, voice="Ethan")
    bundle = compare(one, other)._repr_mimebundle_()
    durations = [len(decoded(data)[0]) / RATE for data in sources(bundle["text/html"])]
    assert durations == pytest.approx([0.5, 0.6], abs=0.01)
    assert bundle["text/plain"].splitlines()[1] == "Ethan: Audio(0.60 s, 24,000 Hz mono)"
    many = compare([*[one] * 40])._repr_mimebundle_()
    assert "28 more takes" in many["text/html"]
    assert len(sources(many["text/html"])) == 12
    words = compare(
        {"a": Reply(choices=[Choice(text="**bold**")]), "b": Audio(b"no"), "c": Image.of(np.zeros((300, 600, 3), "u1"))}
    )._repr_mimebundle_()
    assert re.search(r'<img src="data:image/webp;base64,[^"]+" alt="c" width="240" height="120">', words["text/html"])
    assert "<strong>bold</strong>" in words["text/html"]
    assert "no sound" in words["text/html"]


def test_a_label_is_the_players_title():
    assert 'title="&lt;hm&gt;"' in player(Audio(speech(0.1), RATE), "<hm>")
