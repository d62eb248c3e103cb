"""Pictures from words, for real and honestly: what the painter knows it draws where it was told to, the rest becomes a
pattern, and it tells which was which. The same prompt, seed and size give the same picture.
"""

from __future__ import annotations

import math
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from qwenkit.sandbox import wishes as reading
from qwenkit.sandbox.figures import PLAIN, figures, tile
from qwenkit.sandbox.film import film as film
from qwenkit.sandbox.scenery import Scenery, scenery
from qwenkit.sandbox.wishes import MOST_THINGS, Thing, Wishes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from PIL import Image

GRAIN = 0.9
LEAST = 16  # pixels a side; what is asked smaller is shrunk
_REGIONS = {  # of a side: left, top, right, bottom
    "left": (0.02, 0.04, 0.46, 0.96),
    "right": (0.54, 0.04, 0.98, 0.96),
    "top": (0.04, 0.03, 0.96, 0.46),
    "bottom": (0.04, 0.54, 0.96, 0.97),
    "middle": (0.25, 0.22, 0.75, 0.78),
}
_FONTS = (
    "NotoSansCJK-Bold.ttc",
    "NotoSansCJK-Regular.ttc",
    "NotoSerifCJK-Bold.ttc",
    "wqy-zenhei.ttc",
    "DejaVuSans-Bold.ttf",
)
_CHOICES = ("red", "blue", "yellow", "green", "purple", "orange", "cyan", "pink")


class Placed(NamedTuple):
    """A figure at its place: the box is left, top and side in pixels."""

    kind: str
    colour: str
    left: int
    top: int
    side: int
    zone: str


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float


class Sketch(NamedTuple):
    """A picture before it is flat: what it wants, what is behind, and what stands where."""

    wishes: Wishes
    behind: Scenery
    placed: list[Placed]


def understood(prompt: str, negative: str = "") -> Wishes:
    """What of a prompt will be drawn (`known`), and what cannot be (`unknown`)."""
    wishes = reading.read(prompt)
    return wishes.without(reading.read(negative)) if negative else wishes


def paint(
    prompt: str,
    size: tuple[int, int] = (1024, 1024),
    seed: int = 0,
    negative: str = "",
    style: str = "",
    references: Sequence[Image.Image] = (),
    watermark: str = "",
) -> Image.Image:
    """The picture a prompt asks for. With references they are changed as it says, instead of starting from nothing."""
    from qwenkit.sandbox import retouching

    if references:
        return retouching.edit(references, prompt, size, seed, watermark)
    room = max(size[0], LEAST), max(size[1], LEAST)
    drawn = sketch(prompt, room, seed, negative)
    image = flat(drawn)
    image = lettered(image, drawn.wishes.texts)
    for name in dict.fromkeys([*reading.read(style).styles, *drawn.wishes.styles]):
        image = retouching.styled(image, name)
    image = image if room == size else image.resize(size)
    return retouching.marked(image, watermark) if watermark else image


def sketch(prompt: str, size: tuple[int, int], seed: int, negative: str = "") -> Sketch:
    import numpy as np

    wishes = understood(prompt, negative)
    rng = np.random.default_rng([zlib.crc32(prompt.encode("utf-8", "replace")), seed & 0xFFFFFFFF])
    behind = scenery(wishes, size, rng)
    return Sketch(wishes, behind, placed(wishes.things, size, behind.horizon, behind.shore, rng))


def flat(drawn: Sketch, grain: float = GRAIN) -> Image.Image:
    """Everything on one canvas, with the grain of a photograph."""
    import numpy as np
    from PIL import Image

    canvas = drawn.behind.canvas + np.float32(0.5)
    if grain:
        canvas += (np.random.default_rng(7).standard_normal(canvas.shape[:2], np.float32) * np.float32(grain))[
            ..., None
        ]
    image = Image.fromarray(np.clip(canvas, 0, 255, out=canvas).astype(np.uint8))
    for each in drawn.placed:
        put(image, each)
    return image


def put(image: Image.Image, each: Placed) -> None:
    figure = _tile(each.kind, each.side, each.colour)
    if each.kind in ("sun", "moon", "lantern"):
        _glow(image, each)
    image.paste(figure, (each.left, each.top), figure)


@lru_cache(maxsize=64)
def _tile(kind: str, side: int, colour: str) -> Image.Image:
    """A film needs the same figure again and again."""
    return tile(kind, side, colour)


def _glow(image: Image.Image, each: Placed) -> None:
    from PIL import Image

    side = int(each.side * 2.4)
    ramp = Image.radial_gradient("L").resize((side, side)).point(lambda far: max(0, 150 - int(far * 1.2)) // 2)
    left, top = each.left + (each.side - side) // 2, each.top + (each.side - side) // 2
    image.paste(Image.new("RGB", (side, side), (255, 232, 170)), (left, top), ramp)


def placed(
    things: list[Thing],
    size: tuple[int, int],
    horizon: float,
    shore: float,
    rng: np.random.Generator,
    taken: Sequence[Placed] = (),
) -> list[Placed]:
    """A place for each figure, in its zone and on its side, away from the others; those further back first."""
    found: list[Placed] = []
    alone = sum(thing.count for thing in things)
    turn = int(rng.integers(len(_CHOICES)))
    for thing in things:
        figure = figures()[thing.kind]
        usual = _CHOICES[(turn + len(found)) % len(_CHOICES)] if thing.kind in PLAIN and alone > 1 else ""
        many = min(thing.count, MOST_THINGS - len(found))
        zone = "any" if horizon >= 1 and figure.zone != "sky" else figure.zone
        region = _region(zone, thing.side, horizon, shore)
        side = _side(figure.size * thing.scale * min(size), region, size, max(alone, many) if zone == "any" else many)
        bounds = Box(*(share * size[at % 2] for at, share in enumerate(region)))
        floor = {"ground": shore, "water": horizon}.get(zone, 0.0) * size[1]
        for last in (False,) * 9 + (True,):  # smaller until all of them have room
            places = _spots(bounds, floor, side, many, [*taken, *found], rng)
            if last or len(places) == many:
                break
            side *= 0.87
        tone = thing.colour or usual
        found += [
            Placed(thing.kind, tone, round(x - side / 2), round(y - side / 2), round(side), zone) for x, y in places
        ]
    depth = {"sky": 0, "water": 1, "any": 2, "ground": 2}
    return sorted(found, key=lambda each: (depth[each.zone], each.top + each.side))


def _region(zone: str, side: str, horizon: float, shore: float) -> tuple[float, float, float, float]:
    zones = {
        "any": (0.04, 0.04, 0.96, 0.96),
        "sky": (0.04, 0.04, 0.96, max(horizon - 0.04, 0.4) if horizon < 1 else 0.6),
        "ground": (0.04, max(shore - 0.34, 0.1), 0.96, 0.97),
        "water": (0.06, max(horizon - 0.22, 0.1), 0.94, 0.9),
    }
    base, wanted = zones[zone], _REGIONS.get(side)
    if not wanted:
        return base
    if side in ("left", "right") and zone != "any":
        return wanted[0], base[1], wanted[2], base[3]
    return wanted


def _side(wanted: float, region: tuple[float, float, float, float], size: tuple[int, int], many: int) -> float:
    """How large a figure may be so that so many of them have room."""
    w, h = (region[2] - region[0]) * size[0], (region[3] - region[1]) * size[1]
    return max(min(wanted, w * 0.9, h * 0.9, 0.8 * math.sqrt(w * h / many)), 12.0)


def _spots(
    bounds: Box, floor: float, side: float, many: int, others: list[Placed], rng: np.random.Generator
) -> list[tuple[float, float]]:
    """The middles of as many figures as have room: each in its place of a row, or where most room is left."""
    x0, y0, x1, y1 = bounds
    left, top = x0 + side / 2, max(y0 + side / 2, floor - side * 0.4)  # what stands, stands on something
    right, low = max(x1 - side / 2, left), max(y1 - side / 2, top)
    columns = max(1, min(many, round((many * (x1 - x0) / (y1 - y0)) ** 0.5)))
    rows = -(-many // columns)
    found: list[tuple[float, float]] = []
    taken = list(others)
    for at in range(many):
        row, column = divmod(at, columns)
        in_row = min(columns, many - row * columns)
        shake = rng.uniform(-0.05, 0.05, 2) * side
        down = low - abs(shake[1]) * 3 if floor else y0 + (y1 - y0) * (row + 0.5) / rows
        first = float(x0 + (x1 - x0) * (column + 0.5) / in_row + shake[0]), float(down + shake[1])
        first = min(max(first[0], left), right), min(max(first[1], top), low)
        tries = [first, *zip(rng.uniform(left, right, 40).tolist(), rng.uniform(top, low, 40).tolist(), strict=True)]
        rooms = [_room(x, y, side, taken) for x, y in tries]
        best = 0 if rooms[0] > side * 0.05 else max(range(len(tries)), key=lambda place: rooms[place])
        if rooms[best] <= side * 0.05 and side > 14:
            return found
        x, y = tries[best]
        found.append((x, y))
        taken.append(Placed("", "", round(x - side / 2), round(y - side / 2), round(side), ""))
    return found


def _room(x: float, y: float, side: float, others: list[Placed]) -> float:
    """How far a square is from the nearest other; negative when they overlap."""
    gaps = [
        max(
            abs(x - other.left - other.side / 2) - (side + other.side) / 2,
            abs(y - other.top - other.side / 2) - (side + other.side) / 2,
        )
        for other in others
    ]
    return float(min(gaps, default=1e9))


def lettered(image: Image.Image, texts: list[str]) -> Image.Image:
    """Words across the picture, in letters as large as fit: dark on what is light, light with a rim on the rest."""
    from PIL import ImageDraw, ImageStat

    pen = ImageDraw.Draw(image)
    width, height = image.size
    for row, text in enumerate(texts[:4]):
        wide = sum(1 + (letter > "⺀") for letter in text) * 0.62
        letters = font(text, int(min(height * 0.15, width * 0.86 / max(wide, 1))))
        middle = (width / 2, height * (0.15 + 0.19 * row))
        box = tuple(round(each) for each in pen.textbbox(middle, text, font=letters, anchor="mm"))
        pale = min(ImageStat.Stat(image.crop((max(box[0], 0), max(box[1], 0), box[2] + 1, box[3] + 1))).mean) > 190
        ink, rim = ((40, 44, 58), 0) if pale else ((252, 250, 244), max(height // 200, 2))
        pen.text(middle, text, ink, letters, "mm", stroke_width=rim, stroke_fill=(34, 36, 48))
    return image


def font(text: str, size: int) -> Any:
    """A font that has the letters, if this machine has one."""
    from PIL import ImageFont

    for name in _FONTS:
        try:
            return ImageFont.truetype(name, max(size, 8))
        except OSError:
            continue
    return ImageFont.load_default(max(size, 8))
