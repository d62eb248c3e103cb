"""Colours by name, in English and Chinese, and which name a colour has: that of the nearest known tint in Oklab, a
space in which distances are differences people see.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Rgb = tuple[int, int, int]
BITS = 5  # of each channel, in the table that names pixels
_ALSO = {"grey": "gray", "violet": "purple", "magenta": "pink", "turquoise": "cyan", "teal": "cyan", "golden": "yellow"}
_ALSO |= {"gold": "yellow", "silver": "gray", "navy": "blue", "crimson": "red", "scarlet": "red", "金色": "yellow"}


class Colour(NamedTuple):
    """A name, what it is in Chinese, and its tints: the first is the one that is painted."""

    name: str
    chinese: tuple[str, ...]
    tints: tuple[Rgb, ...]


def rgb(tint: str) -> Rgb:
    return int(tint[0:2], 16), int(tint[2:4], 16), int(tint[4:6], 16)


@cache
def colours() -> dict[str, Colour]:
    found = {}
    lines = files("qwenkit.sandbox").joinpath("data", "colours.txt").read_text("utf-8").splitlines()
    for line in lines[1:]:
        names, tint, others = (part.split() for part in line.split("|"))
        found[names[0]] = Colour(names[0], tuple(names[1:]), tuple(map(rgb, tint + others)))
    return found


@cache
def words() -> dict[str, str]:
    """Every word for a colour, in either language, and its name."""
    known = {word: colour.name for colour in colours().values() for word in (colour.name, *colour.chinese)}
    return known | _ALSO


def named(name: str, language: str) -> str:
    """A colour's name as it is said in a language."""
    return colours()[name].chinese[0] if language == "zh" else name


def oklab(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """sRGB values of 0-255 in Oklab, the last axis holding the channels."""
    import numpy as np

    light = _linear()[np.clip(pixels, 0, 255).astype(np.uint8)]
    lms = np.cbrt(light @ np.array(_LMS, np.float32).T)
    return np.asarray(lms @ np.array(_LAB, np.float32).T, np.float32)


@cache
def _linear() -> NDArray[np.float32]:
    import numpy as np

    values = np.arange(256) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LMS = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


@cache
def _names() -> NDArray[np.uint8]:
    """Which colour each of the 32*32*32 coarse colours is, by its place among `colours()`."""
    import numpy as np

    steps = (np.arange(1 << BITS) + 0.5) * (256 >> BITS)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    all_tints = [(place, tint) for place, each in enumerate(colours().values()) for tint in each.tints]
    tints = oklab(np.array([tint for _, tint in all_tints]))
    # Lightness counts less than hue: a dark blue is a blue before it is a black.
    weight = np.array([0.7, 1.6, 1.6], np.float32)
    points, known = oklab(grid) * weight, tints * weight
    apart = (points**2).sum(1)[:, None] - 2 * points @ known.T + (known**2).sum(1)
    named: NDArray[np.uint8] = np.array([place for place, _ in all_tints], np.uint8)[apart.argmin(1)]
    return named


def places(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For every pixel the place of its name among `colours()`."""
    import numpy as np

    coarse = (pixels >> (8 - BITS)).astype(np.int32)
    at = (coarse[..., 0] << 2 * BITS) | (coarse[..., 1] << BITS) | coarse[..., 2]
    return np.asarray(_names()[at], np.uint8)


def name_of(colour: NDArray[np.generic] | Rgb) -> str:
    import numpy as np

    pixel = np.clip(np.asarray(colour, np.float32), 0, 255).astype(np.uint8).reshape(1, 3)
    return list(colours())[int(places(pixel)[0])]
