"""Sound as numbers: float32 in -1..1, one row per instant, one column per channel (a single one is flat).

Nothing here knows files. Changing the rate is band-limited (a windowed sinc, one set of taps per phase of the ratio),
so that nothing above half the new rate folds back into it; joining fades every edge, so that nothing clicks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

Samples = Any
"""A float32 array: (n,) for one channel, (n, channels) for more."""

# Taps to each side of an instant, counted at the lower of the two rates: 80 dB below from 1.1 times the band's edge.
REACH = 24
ROLLOFF = 0.94
_KAISER = 8.0
_BLOCK = 1 << 14


def resampled(sound: Samples, rate_hz: int, to_hz: int) -> Samples:
    """The same sound at another rate; what lies above half of it is left out, not folded back."""
    import numpy as np

    if rate_hz == to_hz or not len(sound):
        return sound
    if sound.ndim > 1:
        columns = [resampled(np.ascontiguousarray(each), rate_hz, to_hz) for each in sound.T]
        return np.stack(columns, axis=1)
    common = math.gcd(rate_hz, to_hz)
    up, down = to_hz // common, rate_hz // common
    taps = _taps(up, down)
    count = -(-len(sound) * up // down)
    side = taps.shape[1] // 2
    padded = np.pad(np.asarray(sound, np.float32), (side, side + down))
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps.shape[1])
    made = np.empty(count, np.float32)
    for begin in range(0, count, _BLOCK):  # blocks keep hours of sound from becoming gigabytes of windows
        places = np.arange(begin, min(begin + _BLOCK, count), dtype=np.int64) * down
        rows, phases = windows[places // up], taps[places % up]
        np.einsum("ij,ij->i", rows, phases, out=made[begin : begin + len(places)])
    return made


@lru_cache(maxsize=8)
def _taps(up: int, down: int) -> Any:
    """One row of taps per phase: how the neighbours of an instant add up to it."""
    import numpy as np

    cut = ROLLOFF * min(1.0, up / down)
    side = math.ceil(REACH / min(1.0, up / down))
    offsets = np.arange(2 * side)[None, :] - side - (np.arange(up) / up)[:, None]
    window = np.i0(_KAISER * np.sqrt(np.clip(1 - (offsets / side) ** 2, 0, None))) / np.i0(_KAISER)
    rows = cut * np.sinc(cut * offsets) * window
    return (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)


def joined(parts: Sequence[Samples], rate_hz: int, gap_s: float = 0.0, fade_s: float = 0.005) -> Samples:
    """One after the other with silence between; every inner edge fades in or out along a quarter of a sine."""
    import numpy as np

    made: list[Samples] = []
    gap = np.zeros((round(gap_s * rate_hz), *parts[0].shape[1:]), np.float32) if parts else np.zeros(0, np.float32)
    for number, part in enumerate(parts):
        part = np.array(part, np.float32)
        length = min(round(fade_s * rate_hz), len(part) // 2)
        curve = np.sin(np.linspace(0, np.pi / 2, length, dtype=np.float32))
        curve = curve.reshape(-1, *[1] * (part.ndim - 1))
        if number and length:
            part[:length] *= curve
        if number < len(parts) - 1 and length:
            part[-length:] *= curve[::-1]
        made += [gap, part] if number else [part]
    return np.concatenate(made) if made else gap


def widened(sound: Samples, channels: int) -> Samples:
    """One channel as several; several as one (their mean) when one is wanted."""
    import numpy as np

    if channels == 1:
        return sound if sound.ndim == 1 else sound.mean(axis=1, dtype=np.float32)
    if sound.ndim == 1:
        return np.repeat(sound[:, None], channels, axis=1)
    return sound if sound.shape[1] == channels else widened(widened(sound, 1), channels)


def to_pcm16(sound: Samples) -> bytes:
    """16-bit little-endian, channels interleaved; what is too loud is cut at full scale."""
    import numpy as np

    told: bytes = np.clip(np.rint(np.asarray(sound) * 32768.0), -32768, 32767).astype("<i2").tobytes()
    return told


def from_pcm16(data: bytes, channels: int = 1) -> Samples:
    """The reverse. An odd byte or an incomplete frame at the end, from a stream cut short, is dropped."""
    import numpy as np

    whole = np.frombuffer(data[: len(data) - len(data) % (2 * channels)], "<i2").astype(np.float32) / 32768.0
    return whole if channels == 1 else whole.reshape(-1, channels)


def from_array(array: Any) -> Samples:
    """Any array of numbers as samples: integers by their full scale, booleans and text refused, (2, n) turned."""
    import numpy as np

    given = np.asarray(array)
    if given.dtype.kind not in "iuf" or given.ndim not in (1, 2):
        raise ValueError(f"sound is one or two dimensions of numbers, not {given.ndim} of {given.dtype}")
    if given.ndim == 2 and given.shape[0] <= 8 < given.shape[1]:
        given = given.T
    if given.dtype.kind == "f":
        made = np.nan_to_num(given.astype(np.float32), copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
    else:
        scale = float(np.iinfo(given.dtype).max) + 1
        made = given.astype(np.float32)
        made /= np.float32(scale)
        made = made * 2 - 1 if given.dtype.kind == "u" else made
    return made[:, 0] if made.ndim == 2 and made.shape[1] == 1 else made
