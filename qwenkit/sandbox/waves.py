"""Arithmetic on waves: another rate, another level, without the silence around. Waves are float32 in -1…1, mono."""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    Wave = NDArray[float32]

SPEECH_DB, PEAK = -20.0, 0.88  # the level speech is brought to, and what no sample exceeds (-1.1 dBFS)
_KNEE = 0.5
_REACH = 16  # zero crossings of the filter on either side


def resampled(wave: Wave, rate_hz: int, wanted_hz: int) -> Wave:
    """The wave at another rate, band-limited: a windowed sinc, one phase at a time."""
    import numpy as np

    if rate_hz == wanted_hz or not len(wave):
        return wave
    common = gcd(rate_hz, wanted_hz)
    up, down = wanted_hz // common, rate_hz // common
    phases = _phases(up, down)
    taps = phases.shape[1]
    out = np.empty(-(-len(wave) * up // down), np.float32)
    padded = np.concatenate([np.zeros(taps // 2 - 1, np.float32), wave, np.zeros(taps // 2 + 1 + down, np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, taps)
    for first in range(min(up, len(out))):
        target = out[first::up]  # sample n lies at n * down / up of the old ones
        start = first * down // up
        target[:] = windows[start::down][: len(target)] @ phases[first * down % up]
    return out


@lru_cache(maxsize=16)
def _phases(up: int, down: int) -> Any:
    import numpy as np

    cut = min(1.0, up / down) * 0.97
    half = int(np.ceil(_REACH / cut))
    at = np.arange(-half + 1, half + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.cos(np.pi / 2 * np.clip(at / half, -1, 1)) ** 2
    kernel = cut * np.sinc(cut * at) * window
    return (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)


def trimmed(wave: Wave, rate_hz: int, before_ms: float, after_ms: float) -> tuple[Wave, float]:
    """The wave with so much silence around its sound, faded, and how many ms of it were dropped at the front."""
    import numpy as np

    loud = np.flatnonzero(np.abs(wave) > max(0.01 * float(np.max(np.abs(wave), initial=0)), 1e-4))
    if not len(loud):
        return wave[:0], 0.0
    fade = max(int(rate_hz * 0.004), 1)
    begin, end = max(loud[0] - fade, 0), min(loud[-1] + 1 + fade, len(wave))
    sound = wave[begin:end].copy()
    ramp = np.linspace(0, 1, min(fade, len(sound)), dtype=np.float32)
    sound[: len(ramp)] *= ramp
    sound[-len(ramp) :] *= ramp[::-1]
    lead, tail = (np.zeros(int(rate_hz * ms / 1000), np.float32) for ms in (before_ms, after_ms))
    return np.concatenate([lead, sound, tail]), begin / rate_hz * 1000 - before_ms


def levelled(wave: Wave, gain: float = 1.0) -> Wave:
    """The wave with its speech at -20 dBFS times `gain`; what would be too loud is bent, not cut off."""
    import numpy as np

    frames = wave[: len(wave) // 256 * 256].reshape(-1, 256)
    power = np.mean(np.square(frames), axis=1) if len(frames) else np.zeros(1)
    active = power[power > np.max(power) * 1e-3]
    if not len(active):
        return wave
    louder = wave * np.float32(10 ** (SPEECH_DB / 20) / np.sqrt(np.mean(active)) * gain)
    bent = _KNEE + (PEAK - _KNEE) * np.tanh((np.abs(louder) - _KNEE) / (PEAK - _KNEE))
    return np.where(np.abs(louder) > _KNEE, np.sign(louder) * bent, louder).astype(np.float32)


def decibels(wave: Wave) -> float:
    """The level in dBFS; silence is -120."""
    import numpy as np

    power = float(np.mean(np.square(wave, dtype=np.float64))) if len(wave) else 0.0
    return round(max(10 * float(np.log10(power)), -120.0), 1) if power > 0 else -120.0


def floats(samples: Any) -> Wave:
    """16-bit samples (bytes or array), or floats of any kind, as a wave."""
    import numpy as np

    array = (
        np.frombuffer(samples, "<i2") if isinstance(samples, bytes | bytearray | memoryview) else np.asarray(samples)
    )
    return array.astype(np.float32) / np.float32(32768 if array.dtype.kind == "i" else 1)


def samples16(wave: Wave) -> NDArray[Any]:
    import numpy as np

    return np.round(np.clip(wave, -1, 1) * 32767).astype("<i2")
