"""The card of a film: a small clip that plays in place, its poster before that, and a strip of frames."""

from __future__ import annotations

import base64
import math
from typing import Any

from qwenkit.display.page import Bundle, escape, note
from qwenkit.display.pictures import facts, framed, thumbnail
from qwenkit.display.text import line
from qwenkit.types.video import Video, film

SIDE = 400  # CSS pixels of the longer side; the clip has as many, the poster twice
STRIP = 6
STRIP_SIDE = 124
MAX_POSTER = 20_000
MAX_SHOT = 3_000
MAX_CLIP = 75_000  # bytes
CLIP_SECONDS = 6.0
CLIP_FPS = 12.0
GOOD, POOR = 28, 46  # constant rate factors of H.264


def video(value: Video) -> Bundle:
    return framed(value, lambda title: (told(value), player(value, title) + strip(value)))


def told(value: Video) -> list[str]:
    return facts(value, value.size, f"{value.duration:.1f} s", f"{value.fps:.4g} frames/s")


def player(value: Video, title: str, side: int = SIDE) -> str:
    """The clip; for frames given one by one the strip says it all."""
    if value.stills:
        return ""
    clip, cut = _clip(value, side)
    poster = thumbnail(value.poster, side, MAX_POSTER)
    source = f"data:video/mp4;base64,{base64.b64encode(clip).decode()}"
    drawn = (
        f'<p class="qk-picture"><video controls playsinline muted preload="metadata" width="{poster.width}" '
        f'height="{poster.height}" poster="{poster.url}" title="{escape(line(title, 120))}" src="{source}"></video></p>'
    )
    return drawn + note(f"The first {cut:g} s of it, small." if cut < value.duration else "")


def _clip(value: Video, side: int) -> tuple[bytes, float]:
    """The beginning as a film of at most `MAX_CLIP` bytes, and how many seconds it holds."""
    rate = min(CLIP_FPS, value.fps)
    times = [place / rate for place in range(max(1, round(min(value.duration, CLIP_SECONDS) * rate)))]
    shots, crf = [_small(picture, side) for picture in value.pictures(times)], GOOD
    while len(made := film(shots, rate, crf)) > MAX_CLIP and (len(shots) > 1 or crf < POOR):
        if crf < POOR:
            crf = min(POOR, crf + math.ceil(6 * math.log2(len(made) / MAX_CLIP)))  # six steps halve a film
        else:
            shots = shots[: len(shots) // 2]
    return made, len(shots) / rate


def _small(picture: Any, side: int) -> Any:
    scale = min(1.0, side / max(picture.size))
    return picture.resize([max(2, round(length * scale)) for length in picture.size], reducing_gap=1.5)


def strip(value: Video, count: int = STRIP) -> str:
    count = min(count, len(value.stills)) if value.stills else count
    shots = [thumbnail(shot, STRIP_SIDE, MAX_SHOT) for shot in value.frames(count)]
    times = [(place + 0.5) * value.duration / count for place in range(count)]
    tags = "".join(shot.tag(f"{time:.1f} s") for shot, time in zip(shots, times, strict=True))
    return f'<p class="qk-strip">{tags}</p>'
