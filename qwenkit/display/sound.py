"""Sound that plays without a kernel: a small MP3 inside the page, and its outline as a drawing without scripts.

MP3 because every browser, notebook and exported page plays it, and because it is quick to make: measured on speech, 30
kbit/s at 24 kHz keep what a telephone keeps twice over (all up to 6 kHz) in a fourteenth of the samples as WAV in
base64, at 10 ms a second; Opus would be better at the same size and takes four times as long. Its mean-bit-rate mode is
bounded by the clock and not by the content, and writes the header that tells players its exact length.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any

from qwenkit.display.page import escape
from qwenkit.display.text import line
from qwenkit.types import recording, samples
from qwenkit.types.audio import Audio, Envelope

# Up to here a sound is inline in full quality; a longer one's beginning at half the rate and half the bytes.
FULL_S = 60.0
MOST_S = 180.0
FULL_HZ = 24_000
LONG_HZ = 12_000
# libsndfile's scale from 0 (most bits) to 1 begins twice as high from 16 kHz on: by channels about 27 and 42 kbit/s;
# below about 22 kbit/s, and 16 for what was brought down there.
_WIDE_HZ = 16_000
_LEVELS = {1: 0.89, 2: 0.8}
_NARROW_LEVEL, _LONG_LEVEL = 0.8, 0.9
# A sound that is an MP3 of 32 kbit/s or less already is taken as it is: ten seconds and their card have 60 kB.
_MP3_BYTES_A_SECOND, _MP3_HEADER_BYTES = 4_000, 1_500

COLUMNS = 200
MAX_MARKS = 16
MAX_LABEL = 40
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200)
Mark = Sequence[Any]
"""(begin_s, end_s, label): a part of the sound; with the same moment twice, a moment."""


def player(audio: Audio, label: str = "", *, full_s: float = FULL_S, most_s: float = MOST_S) -> str:
    """The sound as an `<audio>` element that carries it. Of a long one, the first `most_s` seconds."""
    titled = f' title="{escape(line(label, MAX_LABEL))}"' if label else ""
    kept = base64.b64encode(compressed(audio, full_s, most_s)).decode()
    style = "display:block;width:100%;max-width:600px;height:40px;margin:.5em 0 .3em"
    return f'<audio controls preload="metadata"{titled} style="{style}" src="data:audio/mpeg;base64,{kept}"></audio>'


def compressed(audio: Audio, full_s: float = FULL_S, most_s: float = MOST_S) -> bytes:
    """The sound as a small MP3; the same sound gives the same bytes."""
    lasts = audio.duration
    small = _MP3_BYTES_A_SECOND * lasts + _MP3_HEADER_BYTES
    if audio.format == "mp3" and lasts <= full_s and audio.byte_size <= small:
        return audio.bytes
    rate = min(audio.rate_hz, FULL_HZ if lasts <= full_s else LONG_HZ)
    part = audio if lasts <= max(full_s, most_s) else audio.clip(0, most_s)
    sound = samples.resampled(_two_at_most(part.array), part.rate_hz, rate)
    narrow = _NARROW_LEVEL if rate == audio.rate_hz else _LONG_LEVEL
    level = _LEVELS[sound.ndim] if rate >= _WIDE_HZ else narrow
    return recording.written(sound, rate, "mp3", compression_level=level, bitrate_mode="AVERAGE")


def _two_at_most(sound: Any) -> Any:
    """Left and right where they differ, else one channel; of more than two, their mean."""
    if sound.ndim > 1 and (sound.shape[1] > 2 or not (sound[:, 0] != sound[:, 1]).any()):
        return samples.widened(sound, 1)
    return sound


def shortened(audio: Audio, full_s: float = FULL_S, most_s: float = MOST_S) -> str:
    """What to say when the player holds less than the sound."""
    if audio.duration <= max(full_s, most_s):
        return ""
    where = audio.place or "audio.save(…)"
    return f"The first {clock(most_s)} of {clock(audio.duration)} play here; the rest is in {where}."


def waveform(audio: Audio, width: int = 600, height: int = 64, marks: Iterable[Mark] = (), label: str = "") -> str:
    """The outline of a sound over its time, as an SVG of at most 4 kB; `marks` are drawn behind it, labelled."""
    lasts, given = audio.duration, list(marks)
    columns = min(COLUMNS, width // 3)
    top = 14 if given else 2
    bottom = height - 14
    middle, half = (top + bottom) / 2, (bottom - top) / 2
    drawn = outlined(audio.envelope(columns), width, middle, half)
    shapes = [_mark(mark, lasts, width, bottom) for mark in given[:MAX_MARKS]]
    told = escape(label or f"Waveform of {clock(lasts)}")
    return (
        f'<svg class="qk-wave" role="img" aria-label="{told}" viewBox="0 0 {width} {height}" width="{width}" '
        f'font-size="10" style="max-width:100%;height:auto;display:block">{"".join(shapes)}'
        f'<path stroke="currentColor" stroke-width="2" fill="none" d="{drawn}"/>'
        f"{ticks(lasts, width, height)}</svg>"
    )


def outlined(outline: Envelope, width: int, middle: float, half: float, *, gaps: bool = False) -> str:
    """The bars of an outline, as a path; with `gaps` there are none where there is no sound."""
    low, high, _ = outline
    loudest = max(float(high.max()), -float(low.min()), 0.05)  # a whisper is drawn larger, silence is not
    bars, step = [], width / len(low)
    for number, (down, up) in enumerate(zip(low / loudest, high / loudest, strict=True)):
        begin, end = round(middle - float(up) * half), round(middle - float(down) * half)
        if up > down or not gaps:
            bars.append(f"M{round(number * step) + 1} {begin}v{max(end - begin, 1)}")
    return "".join(bars)


def _mark(mark: Mark, lasts: float, width: int, bottom: int) -> str:
    begin, end, label = float(mark[0]), float(mark[1]), str(mark[2] if len(mark) > 2 else "")
    left = round(min(max(begin / max(lasts, 1e-9), 0), 1) * width)
    wide = max(round(min(max((end - begin) / max(lasts, 1e-9), 0), 1) * width), 1)
    room = min(max(wide // 6, 2), MAX_LABEL)
    told = f'<text x="{left + 2}" y="10">{escape(line(label, room))}</text>' if label else ""
    full = f"<title>{escape(line(label, MAX_LABEL))}</title>" if label else ""
    return f'<rect x="{left}" y="0" width="{max(wide - 1, 1)}" height="{bottom}">{full}</rect>{told}'


def ticks(lasts: float, width: int, height: int) -> str:
    """Moments along the lower edge of a drawing, as SVG."""
    step = next((each for each in _STEPS if lasts / each <= 8), _STEPS[-1])
    count = min(int(lasts / step), 24)
    places = [(number * step, round(number * step / max(lasts, 1e-9) * width)) for number in range(count + 1)]
    lines = "".join(f"M{x} {height - 14}v3" for _, x in places)
    texts = "".join(
        f'<text x="{x + 2}" y="{height - 3}">{clock(at, step < 1)}</text>' for at, x in places if x < width - 24
    )
    return f'<path class="qk-tick" stroke="currentColor" d="{lines}"/>{texts}'


def clock(seconds: float, fine: bool = False) -> str:
    """A moment or a length: 0.4 s, 12 s, 2:05, 1:00:09."""
    if seconds < 60:
        return f"{seconds:.1f} s" if fine or (0 < seconds < 10 and seconds % 1) else f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
