"""What ears compare: log-mel pictures of sound, and how alike two of them are.

A picture is 24 bands (100 to 3700 Hz, so telephones and codecs do not change it) every 10 ms; what lies 32 dB below
the loud parts is cut off, so noise and volume do not change it either.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from qwenkit.sandbox.listening import RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwenkit.sandbox.waves import Wave

    Picture = NDArray[Any]

BANDS, HOP, DEPTH = 24, 160, 3.2  # depth in bels
_WINDOW, _FFT = 400, 512
_PART = 20  # rows
_WAIT = 0.15
_AT_ONCE = 64  # rows: so few that BLAS starts no threads, whose waiting costs more than the work


def picture(wave: Wave) -> Picture:
    """One row of bands every 10 ms, from 0 (32 dB below the loud parts, or less) to 1 and a little more."""
    import numpy as np

    if len(wave) < _WINDOW:
        return np.zeros((0, BANDS), np.float32)
    sharper = np.append(wave[:1], wave[1:] - np.float32(0.95) * wave[:-1])
    frames = np.lib.stride_tricks.sliding_window_view(sharper, _WINDOW)[::HOP]
    rows, mel = [], _mel()
    for part in np.array_split(frames, len(frames) // _AT_ONCE + 1):
        power = np.abs(np.fft.rfft(part * _hann(), _FFT, axis=1)[:, : len(mel)]) ** 2
        rows.append(power.astype(np.float32) @ mel)
    bels = np.log10(np.concatenate(rows) + 1e-9)
    peaks = bels.max(axis=1)
    top = np.percentile(peaks[peaks >= np.max(peaks) - DEPTH], 90)
    return np.asarray(np.maximum(bels - top + DEPTH, 0) / DEPTH, np.float32)


def likeness(view: Picture, known: Picture, begin: int, slack: int) -> tuple[float, int]:
    """How alike a known picture and the view are where it begins about there (1: the same), and where it begins."""
    import numpy as np

    length, best = len(known), (-1.0, begin)
    pattern = known - known.mean(axis=0)
    size = float(np.sqrt(np.sum(pattern**2))) + 1e-6
    for at in range(begin - slack, begin + slack + 1):
        seen = cut(view, at, length)
        seen = seen - seen.mean(axis=0)
        score = float(np.vdot(pattern, seen)) / (size * (float(np.sqrt(np.sum(seen**2))) + 1e-6))
        best = max(best, (score, at))
    return best


def agreement(view: Picture, known: Picture, begin: int) -> float:
    """The likeness of the fifth of a second that differs most."""
    import numpy as np

    pattern, seen = known - known.mean(axis=0), cut(view, begin, len(known)).astype(np.float32)
    seen = seen - seen.mean(axis=0)
    span = min(_PART, len(known))
    ours, theirs, both = (
        np.convolve(np.sum(product, axis=1), np.ones(span), "valid")
        for product in (pattern * pattern, seen * seen, pattern * seen)
    )
    return float(np.min(both / (np.sqrt(np.maximum(ours * theirs, 0)) + 1e-6)))


def warped(view: Picture, known: list[Picture]) -> list[float]:
    """How far the view is from each known shape (0: the same) when its time may be stretched and its ends cut off.

    Every known row is one step of all the paths at once; with it the view moves on by none, one or two rows.
    """
    import numpy as np

    if not known or len(view) < 8:
        return [np.inf] * len(known)
    seen, lengths = shape(view), np.array([len(each) for each in known])
    longest = int(lengths.max())
    rows = np.zeros((longest, len(known), seen.shape[1]), np.float32)
    for number, each in enumerate(known):
        rows[: lengths[number], number] = each
    gone, size = np.full((len(known), len(seen) + 2), np.inf, np.float32), np.sum(seen**2, axis=1)
    costs = np.full(len(known), np.inf)
    for step in range(longest):
        row = rows[step]
        apart = np.sqrt(np.maximum(size + np.sum(row**2, axis=1)[:, None] - 2 * row @ seen.T, 0))
        before = np.minimum(np.minimum(gone[:, 2:] + _WAIT, gone[:, 1:-1]), gone[:, :-2]) if step else 0
        gone[:, 2:] = before + apart
        ended = lengths == step + 1
        costs[ended] = gone[ended].min(axis=1) / (step + 1)
    return costs.tolist()


def shape(view: Picture) -> Picture:
    """The shape of the spectrum every 20 ms, without what is the same all the time, as a voice's colour is."""
    import numpy as np

    halves = np.asarray(view[: len(view) // 2 * 2], np.float32).reshape(-1, 2, BANDS).mean(axis=1)
    ripples = np.cos(np.pi * np.arange(1, 11)[:, None] * (np.arange(BANDS) + 0.5) / BANDS).astype(np.float32)
    shapes = halves / max(float(halves.max()), 1e-6) @ ripples.T
    return np.asarray(shapes - shapes.mean(axis=0))


def cut(view: Picture, begin: int, length: int) -> Picture:
    """Rows of a view; silence where it has none."""
    import numpy as np

    inside = view[max(begin, 0) : max(begin + length, 0)]
    before = min(max(-begin, 0), length)
    return np.pad(inside, ((before, length - before - len(inside)), (0, 0)))


@lru_cache(maxsize=1)
def _hann() -> Any:
    import numpy as np

    return np.hanning(_WINDOW).astype(np.float32)


@lru_cache(maxsize=1)
def _mel() -> Any:
    """Triangles, evenly spaced in mel."""
    import numpy as np

    mels = np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(1 + 3700 / 700), BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    at = np.arange(int(edges[-1] * _FFT / RATE_HZ) + 1)[:, None] * RATE_HZ / _FFT
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    return np.clip(np.minimum((at - low) / (middle - low), (high - at) / (high - middle)), 0, None).astype(np.float32)
