"""What is behind the figures: skies by the time of day, water, mountains, woods, towns; for words the painter does not
know, a pattern of waves that grows from the words themselves. Everything is numbers between 0 and 255, drawn with one
seeded generator.
"""

from __future__ import annotations

import colorsys
import zlib
from typing import TYPE_CHECKING, NamedTuple

from qwenkit.sandbox.figures import figures
from qwenkit.sandbox.hues import Rgb, colours
from qwenkit.sandbox.wishes import Wishes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Canvas = NDArray[np.float32]

# From the zenith to the horizon, and the light that falls on everything else.
_SKIES: dict[str, tuple[tuple[Rgb, ...], tuple[float, float, float]]] = {
    "day": (((74, 142, 214), (142, 190, 232), (218, 234, 244)), (1.0, 1.0, 1.0)),
    "dawn": (((112, 142, 198), (222, 190, 204), (255, 218, 186)), (0.9, 0.85, 0.86)),
    "dusk": (((52, 50, 104), (168, 92, 128), (244, 156, 104)), (0.62, 0.5, 0.58)),
    "night": (((8, 12, 34), (18, 28, 64), (44, 58, 104)), (0.26, 0.32, 0.5)),
    "rain": (((104, 114, 128), (142, 151, 162), (184, 190, 196)), (0.7, 0.74, 0.78)),
    "snow": (((176, 192, 210), (206, 216, 227), (236, 240, 244)), (1.0, 1.0, 1.02)),
    "space": (((5, 6, 20), (14, 12, 38), (26, 18, 58)), (0.3, 0.3, 0.45)),
}
SHORE = 0.84  # how far down the ground begins in front of water
_HORIZONS = {"sea": 0.56, "lake": 0.56, "mountains": 0.72, "forest": 0.74, "city": 0.82, "field": 0.64, "desert": 0.66}
_LAND: dict[str, Rgb] = {"field": (116, 158, 84), "desert": (222, 184, 124), "city": (128, 130, 136)}
_LAND |= {"forest": (82, 116, 70), "mountains": (104, 138, 88), "snow": (240, 243, 247), "sea": (226, 204, 160)}
_RIDGES: list[tuple[str, tuple[float, float, float, Rgb, float, str]]] = [
    # a place, and what rises there: how far below the horizon, how high, how rough, its colour, how hazy, its outline
    ("mountains", (-0.25, 0.20, 4.4, (84, 102, 128), 0.72, "peaks")),
    ("mountains", (-0.18, 0.16, 4.0, (84, 102, 128), 0.48, "peaks")),
    ("mountains", (-0.12, 0.12, 3.5, (84, 102, 128), 0.24, "peaks")),
    ("city", (0.0, 0.50, 0, (92, 98, 116), 0.55, "roofs")),
    ("city", (0.0, 0.34, 0, (92, 98, 116), 0.2, "roofs")),
    ("desert", (0.1, 0.05, 2, (222, 184, 124), 0, "hills")),
    ("desert", (0.2, 0.05, 2, (206, 166, 108), 0, "hills")),
    ("forest", (0.05, 0.30, 0, (38, 76, 52), 0.45, "firs")),
    ("forest", (0.09, 0.22, 0, (38, 76, 52), 0.1, "firs")),
]


class Scenery(NamedTuple):
    """The canvas, how far down its horizon is (1 when there is none), and where its ground begins."""

    canvas: Canvas
    horizon: float
    shore: float


def scenery(wishes: Wishes, size: tuple[int, int], rng: np.random.Generator) -> Scenery:
    if wishes.ground:
        return Scenery(_plain(colours()[wishes.ground].tints[0], size), 1.0, 1.0)
    if not (wishes.places or wishes.times or wishes.weathers):
        return Scenery(_pattern(wishes, size, rng), 1.0, 1.0)
    return _landscape(wishes, size, rng)


def _plain(colour: Rgb, size: tuple[int, int]) -> Canvas:
    """One colour, a little lighter at the top."""
    import numpy as np

    fall = np.linspace(4, -4, size[1], dtype=np.float32)[:, None, None]
    return np.broadcast_to(np.array(colour, np.float32) + fall, (size[1], size[0], 3)).copy()


def _pattern(wishes: Wishes, size: tuple[int, int], rng: np.random.Generator) -> Canvas:
    """Waves that cross, in neighbouring hues; pale behind shapes, so that those stand out."""
    import numpy as np

    if not wishes.unknown:
        return _plain((244, 241, 234), size)
    words = np.random.default_rng(zlib.crc32(" ".join(wishes.unknown).encode()))
    small = max(size[0] // 4, 8), max(size[1] // 4, 8)
    y, x = np.mgrid[0 : small[1], 0 : small[0]].astype(np.float32) / max(small)
    bent = np.zeros_like(x)
    for octave in range(6):
        fx, fy = words.uniform(-6, 6, 2) * (1 + 0.6 * octave)
        bent += np.sin(fx * x + fy * y + rng.uniform(0, 6.28) + 1.3 * bent) / (1 + 0.35 * octave)
    level = (bent - bent.min()) / max(float(np.ptp(bent)), 1e-6)
    first, pale = words.uniform(), bool(wishes.things or wishes.texts)
    stops = [
        colorsys.hls_to_rgb((first + turn) % 1, light + (0.9 - light) * 0.94 * pale, 0.2 if pale else 0.55)
        for turn, light in ((0.0, 0.22), (0.06, 0.45), (0.13, 0.66), (0.5, 0.86))
    ]
    ramp = [np.interp(level, np.linspace(0, 1, 4), [255 * stop[channel] for stop in stops]) for channel in range(3)]
    return _enlarged(np.stack(ramp, -1), size)


def _landscape(wishes: Wishes, size: tuple[int, int], rng: np.random.Generator) -> Scenery:
    """Far things first: the sky, what rises above the horizon, the ground, the water, and what falls from above."""
    import numpy as np

    places, weathers = wishes.places, wishes.weathers
    if not places and any(thing.kind not in ("sun", "moon", "cloud") for thing in wishes.things):
        places = ["field"]
    time = "space" if "space" in places else next(iter(wishes.times), "")
    dull = next((each for each in ("rain", "snow") if each in weathers), "") if time in ("", "day") else ""
    stops, light = _SKIES[dull or time or "day"]
    water = next((place for place in ("sea", "lake") if place in places), "")
    horizon = _HORIZONS.get(water) or min((_HORIZONS[each] for each in places if each in _HORIZONS), default=1.0)
    canvas = _sky(stops, size, horizon, rng, stars=time in ("night", "space"), clouds=time != "space")
    haze, lit = np.array(stops[-1], np.float32), np.array(light, np.float32)
    soil = ["snow"] if "snow" in weathers else [each for each in places if each in _LAND]

    def cover(top: float, height: float, rough: float, colour: Rgb, far: float, form: str = "hills") -> None:
        """A line of hills, firs or roofs, and everything below it in a colour, as this light and this haze make it."""
        shade = _mix(np.array(colour, np.float32) * lit, haze, far)
        line = _outline(form, size[0], rng, rough) * (height * size[1]) + (horizon + top) * size[1]
        _cover(canvas, line, shade, _mix(shade, haze, 0.4) if form == "peaks" else shade * 0.72)

        if form == "roofs" and time in ("night", "dusk"):
            _windows(canvas, line, rng)

    for place, ridge in _RIDGES:
        cover(*ridge) if place in places and ridge[0] <= 0 else None
    if horizon < 1:
        cover(0, 0 if water else 0.02, 2, _LAND[soil[0]] if soil else (0, 0, 0), 0.12)
    for place, ridge in _RIDGES:
        cover(*ridge) if place in places and ridge[0] > 0 else None
    shore = bool(water) and any(figures()[thing.kind].zone == "ground" for thing in wishes.things)
    if water:
        _water(canvas, int(horizon * size[1]), water, lit, rng)
    if shore:
        cover(SHORE - horizon, 0.03, 2, _LAND[soil[0] if soil else "field"], 0.0)
    _weather(canvas, weathers, haze, rng)
    return Scenery(canvas, horizon, SHORE if shore else horizon)


def _sky(
    stops: tuple[Rgb, ...], size: tuple[int, int], horizon: float, rng: np.random.Generator, stars: bool, clouds: bool
) -> Canvas:
    import numpy as np

    w, h = max(size[0] // 4, 8), max(size[1] // 4, 8)
    down = np.linspace(0, 1 / horizon, h)
    ramp = np.stack([np.interp(down, (0, 0.55, 1), [stop[channel] for stop in stops]) for channel in range(3)], -1)
    small = np.broadcast_to(ramp[:, None].astype(np.float32), (h, w, 3)).copy()
    if clouds:
        veil = (
            np.clip((_noise((w, h), rng) - 0.52) * 2.6, 0, 1) * np.interp(down, (0, 0.5, 1), (0.5, 0.7, 0.2))[:, None]
        )
        bright = _mix(np.array(stops[-1], np.float32), np.full(3, 255, np.float32), 0.35)
        small += (bright - small) * (veil * (0.18 if stars else 0.6))[..., None]
    else:
        glow = np.clip(_noise((w, h), rng) - 0.45, 0, 1)[..., None]
        small += glow * np.array((120, 50, 150), np.float32)
    canvas = _enlarged(small, size)
    if stars:
        many = size[0] * size[1] // 2600
        ys, xs = (rng.uniform(0, 0.94 * min(horizon, 1), many) * size[1]).astype(int), rng.integers(0, size[0], many)
        glow = (rng.uniform(0, 1, many) ** 3 * 190 + 24)[:, None].astype(np.float32)
        for dy, dx, share in ((0, 0, 1.0), (0, 1, 0.5), (1, 0, 0.5), (1, 1, 0.3)):
            canvas[np.minimum(ys + dy, size[1] - 1), np.minimum(xs + dx, size[0] - 1)] += glow * share
    return canvas


def _noise(size: tuple[int, int], rng: np.random.Generator) -> Canvas:
    """Clouds between 0 and 1: random grids of growing fineness, wide rather than high."""
    import numpy as np

    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(4):
        cells = rng.random((3 << octave, 4 << octave)).astype(np.float32)
        total += _enlarged(cells, size) / (1 << octave)
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def _enlarged(values: NDArray[np.generic], size: tuple[int, int]) -> Canvas:
    import numpy as np
    from PIL import Image

    planes = values[..., None] if values.ndim == 2 else values
    large = [
        Image.fromarray(np.ascontiguousarray(planes[..., at], np.float32)).resize(size, Image.Resampling.BICUBIC)
        for at in range(planes.shape[-1])
    ]
    stacked = np.stack([np.asarray(each) for each in large], -1)
    return stacked[..., 0] if values.ndim == 2 else stacked


def _outline(form: str, width: int, rng: np.random.Generator, rough: float) -> Canvas:
    """The line of hills, between about -1 and 1; of firs or roofs, between -1 and 0."""
    import numpy as np

    x = np.linspace(0, 1, width, dtype=np.float32)
    if form == "roofs":
        return -np.repeat(rng.uniform(0.35, 1, 18), width // 18 + 1)[:width].astype(np.float32)
    if form == "firs":
        steps = np.abs(x[:, None] - rng.uniform(0, 1, 34).astype(np.float32))
        tops = rng.uniform(0.55, 1, 34) - steps * 20 - steps % 0.01 * 8
        return np.asarray(-np.maximum(tops.max(1), 0), np.float32)
    total = np.zeros(width, np.float32)
    for octave in range(6):
        total += np.sin(x * rough * 1.9**octave * 2 + rng.uniform(0, 6.28)).astype(np.float32) * 0.56**octave
    return np.asarray(total / 1.8, np.float32)


def _cover(canvas: Canvas, top: NDArray[np.generic], colour: Canvas, lower: Canvas) -> None:
    """Everything below a line, in a colour that fades into another on its way down."""
    import numpy as np

    first = max(int(top.min()) - 1, 0)
    rows = np.arange(first, len(canvas), dtype=np.float32)[:, None]
    cover = np.clip(rows - top[None, :].astype(np.float32) + 0.5, 0, 1)[..., None]
    down = np.linspace(0, 1, len(rows), dtype=np.float32)[:, None, None]
    canvas[first:] += (_mix(colour, lower, down) - canvas[first:]) * cover


def _windows(canvas: Canvas, top: NDArray[np.generic], rng: np.random.Generator) -> None:
    """Lights in a grid below a line of roofs."""
    import numpy as np

    high, wide = canvas.shape[:2]
    cell = max(wide // 90, 4)
    ys, xs = np.mgrid[0:high:2, 0:wide:2][:, ::cell, ::cell].reshape(2, -1)
    lit = (ys > top[xs] + cell) & (rng.random(len(ys)) < 0.4)
    for y, x in zip(ys[lit], xs[lit], strict=True):
        canvas[y : y + cell, x : x + cell // 2 + 1] = (214, 186, 124)


def _mix(a: Canvas, b: Canvas, share: float | Canvas) -> Canvas:
    return a + (b - a) * share


def _water(canvas: Canvas, line: int, kind: str, lit: Canvas, rng: np.random.Generator) -> None:
    """Above turned over, darker and bluer, broken by ripples that grow towards the front."""
    import numpy as np

    height, width = canvas.shape[:2]
    depth = height - line
    rows = np.clip(line - 1 - (np.arange(depth) * line // max(depth, 1)), 0, line - 1)
    ripples = _enlarged(rng.random((max(depth // 6, 4), 9)).astype(np.float32), (width, depth)) - 0.5
    swing = (ripples.mean(1) * (24 if kind == "sea" else 9)).astype(int)
    mirrored = canvas[np.clip(rows + swing, 0, line - 1)]
    own = np.array((46, 104, 140) if kind == "sea" else (70, 118, 140), np.float32) * lit
    down = np.linspace(0.3, 0.62 if kind == "lake" else 0.85, depth, dtype=np.float32)[:, None, None]
    glint = ripples[..., None] * np.linspace(8, 30, depth, dtype=np.float32)[:, None, None] * lit.mean()
    canvas[line:] = _mix(mirrored, own, down) + glint


def _weather(canvas: Canvas, weathers: list[str], haze: Canvas, rng: np.random.Generator) -> None:
    import numpy as np

    height, width = canvas.shape[:2]
    many = height * width // (900 if "snow" in weathers else 700)
    if "fog" in weathers:
        canvas += (haze - canvas) * np.linspace(0.25, 0.7, height, dtype=np.float32)[:, None, None]
    if "rain" in weathers:
        ys, xs = rng.integers(0, height - 1, many), rng.integers(0, width - 1, many)
        for step in range(max(height // 60, 4)):
            canvas[(ys + step) % height, (xs - step // 4) % width] += 14
    if "snow" in weathers:
        ys, xs = rng.integers(0, height - 2, many), rng.integers(0, width - 2, many)
        for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
            canvas[ys + dy, xs + dx] += 70
