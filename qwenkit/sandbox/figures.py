"""The figures the painter knows, drawn smooth on a transparent tile of any size. What they look like is data."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from qwenkit.sandbox.hues import Rgb, colours, rgb

if TYPE_CHECKING:
    from PIL import Image

_SMOOTH = 3  # a tile is drawn this much larger, then brought down
_LARGEST = 2400
_SOLID = {"circle", "square", "rectangle", "ellipse", "triangle", "diamond", "star", "heart"}
PLAIN = frozenset(_SOLID | {"cross", "ring", "arrow", "line"})  # shapes, as against things


class Stroke(NamedTuple):
    shape: str
    colour: str
    points: tuple[float, ...]


class Figure(NamedTuple):
    """What is drawn by default: its colour, where in a scene it belongs, its share of the short side, its strokes."""

    colour: str
    zone: str
    size: float
    strokes: tuple[Stroke, ...]


@cache
def figures() -> dict[str, Figure]:
    found = {}
    for line in files("qwenkit.sandbox").joinpath("data", "figures.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            head, _, strokes = line.partition("|")
            name, colour, zone, size = head.split()
            found[name] = Figure(colour, zone, float(size), tuple(map(_stroke, strokes.split(";"))))
    return found


def _stroke(text: str) -> Stroke:
    shape, colour, *points = text.split()
    return Stroke(shape, colour, tuple(float(each) for point in points for each in point.split(",")))


def tint(name: str) -> Rgb:
    """A colour by its name or as #rrggbb."""
    return rgb(name[1:]) if name.startswith("#") else colours()[name].tints[0]


def tile(name: str, side: int, colour: str = "") -> Image.Image:
    """A figure on a transparent square, in its own colour or another."""
    from PIL import Image, ImageDraw

    figure = figures()[name]
    scale = min(_SMOOTH, max(1, _LARGEST // max(side, 1)))
    big = max(side, 2) * scale
    base = tint(colour or figure.colour)
    shades = {"base": base, "dark": _mixed(base, 0, 0.28), "light": _mixed(base, 255, 0.32)}
    # Transparent pixels have the figure's own colour, so that smooth edges do not darken.
    image = Image.new("RGBA", (big, big), (*base, 0))
    pen = ImageDraw.Draw(image)
    for shape, paint, points in figure.strokes:
        fill = (*base, 0) if paint == "hole" else (*(shades.get(paint) or tint(paint)), 255)
        places = [(round(x * (big - 1)), round(y * (big - 1))) for x, y in zip(points[::2], points[1::2], strict=True)]
        if shape == "oval":
            pen.ellipse([*places[0], *places[1]], fill=fill)
        elif shape == "box":
            pen.rectangle([*places[0], *places[1]], fill=fill)
        elif shape == "line":
            pen.line(places, fill=fill, width=max(big // 34, 1), joint="curve")
        else:
            pen.polygon(places, fill=fill)
    return image.resize((max(side, 2), max(side, 2)), Image.Resampling.BOX)


def _mixed(colour: Rgb, towards: int, share: float) -> Rgb:
    r, g, b = (round(channel + (towards - channel) * share) for channel in colour)
    return r, g, b
