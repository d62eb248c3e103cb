"""Finding shapes: regions of even colour, joined pixel to pixel where neighbours hardly differ, then told apart by how
they fill their hull, their narrowest rectangle and their largest triangle. Only numpy; pictures come here small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qwenkit.sandbox import hues

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Numbers = NDArray[np.float64]

STEP = 0.045  # between neighbours of one region, in Oklab
SLOPE = 0.06  # over two pixels: an edge, however smooth
LEAST = 0.0006  # of the picture is a region worth a look
MOST = 0.45  # of it is a background
MOST_SHAPES = 60
Box = tuple[int, int, int, int]
_BORDER = 0.4  # of one of its sides on the edge of the picture: it goes on outside


class Shape(NamedTuple):
    """A shape that was recognised; the box is left, top, right, bottom in pixels of the picture looked at."""

    kind: str
    colour: str
    box: Box
    area: float  # share of the picture
    region: int = -1  # its number among the regions


def regions(lab: NDArray[np.float32], step: float = STEP) -> NDArray[np.int64]:
    """A number for each pixel, the same for all that are joined by steps small enough."""
    even = np.ones(lab.shape[:2], bool)
    even[:, 1:-1] &= ((lab[:, 2:] - lab[:, :-2]) ** 2).sum(-1) < SLOPE**2
    even[1:-1] &= ((lab[2:] - lab[:-2]) ** 2).sum(-1) < SLOPE**2
    along = (((lab[:, 1:] - lab[:, :-1]) ** 2).sum(-1) < step**2) & even[:, 1:] & even[:, :-1]
    down = (((lab[1:] - lab[:-1]) ** 2).sum(-1) < step**2) & even[1:] & even[:-1]
    return _joined(along, down)


def _joined(along: Mask, down: Mask) -> NDArray[np.int64]:
    """Runs along the rows first, then runs that touch are given one number, the smallest, until nothing changes."""
    height, width = along.shape[0], along.shape[1] + 1
    starts = np.ones((height, width), bool)
    starts[:, 1:] = ~along
    runs = np.cumsum(starts.ravel()).reshape(height, width) - 1
    upper, lower = runs[:-1][down], runs[1:][down]
    parent = np.arange(int(runs[-1, -1]) + 1)
    pairs = np.unique(upper * len(parent) + lower)
    a, b = pairs // len(parent), pairs % len(parent)
    while len(a):
        least = np.minimum(parent[a], parent[b])
        np.minimum.at(parent, parent[a], least)
        np.minimum.at(parent, parent[b], least)
        while not np.array_equal(parent, shorter := parent[parent]):
            parent = shorter
        apart = parent[a] != parent[b]
        a, b = a[apart], b[apart]
    _, numbers = np.unique(parent, return_inverse=True)
    return np.asarray(numbers[runs], np.int64)


def found(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> list[Shape]:
    """The shapes in a picture, largest first."""
    height, width = labels.shape
    sizes = np.bincount(labels.ravel())
    wanted = np.flatnonzero((sizes >= max(LEAST * labels.size, 24)) & (sizes <= MOST * labels.size))
    wanted = wanted[np.argsort(-sizes[wanted], kind="stable")][: 2 * MOST_SHAPES]
    ys, xs = np.divmod(np.argsort(labels.ravel(), kind="stable"), width)
    ends = np.cumsum(sizes)
    shapes: list[Shape] = []
    for number in wanted:
        rows, columns = (each[ends[number] - sizes[number] : ends[number]] for each in (ys, xs))
        top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
        across = max((rows == 0).sum(), (rows == height - 1).sum()) / (right - left)
        down = max((columns == 0).sum(), (columns == width - 1).sum()) / (bottom - top)
        if max(across, down) > _BORDER:
            continue
        kind = classified(_grown(labels[top:bottom, left:right] == number))
        if kind:
            box = max(int(left) - 1, 0), max(int(top) - 1, 0), min(int(right) + 1, width), min(int(bottom) + 1, height)
            name = hues.name_of(pixels[rows, columns].mean(0))
            shapes.append(Shape(kind, name, box, float(sizes[number] / labels.size), int(number)))
    rings = [each.box for each in shapes if each.kind == "ring"]
    return [each for each in shapes if not any(_within(each.box, ring) for ring in rings)][:MOST_SHAPES]


def _within(inner: Box, outer: Box) -> bool:
    """A hole of a ring is no shape: it has the ring's middle."""
    middles = [abs(inner[at] + inner[at + 2] - outer[at] - outer[at + 2]) for at in (0, 1)]
    return inner != outer and max(middles) < 0.16 * (outer[2] - outer[0]) and inner[0] > outer[0]


def _grown(mask: Mask) -> Mask:
    """One pixel more on each side: the smooth edge, which belongs to no region."""
    grown = np.pad(mask, 1)
    for axis, shift in ((0, 1), (0, -1), (1, 1), (1, -1)):
        grown |= np.roll(np.pad(mask, 1), shift, axis)
    return grown


def classified(mask: Mask) -> str:
    """What a region is, by its form alone; empty for one that is nothing simple."""
    padded = np.pad(mask, 1)
    outside = _outside(padded)
    solid = ~outside[1:-1, 1:-1]
    area, hole = float(solid.sum()), float(solid.sum() - mask.sum())
    hull = _hull(solid)
    if len(hull) < 3:
        return ""
    covered, around = _area(hull), _length(hull)
    long, short = _rectangle(hull)
    full, boxed, round_ = area / covered, covered / (long * short), 4 * np.pi * covered / around**2
    if hole > 0.18 * area:
        return "ring" if full > 0.92 and round_ > 0.92 and hole < 0.8 * area else ""
    if full > 0.86 and long > 7 * short:
        return "line"
    if 0.86 < full < 0.97 and long < 1.3 * short and _notched(solid):
        return "heart"
    if full > 0.9:
        if _triangle(hull) > (0.83 - 1.6 / long) * covered:
            return "triangle"
        if boxed > 0.91:
            tilted = solid[0].mean() < 0.4 and solid[-1].mean() < 0.4
            return ("diamond" if tilted else "square") if long < 1.14 * short else "rectangle"
        if round_ > 0.935 - 0.45 / long:
            return "circle" if long < 1.12 * short else "ellipse"
        return "ellipse" if round_ > 0.82 and long > 1.25 * short else ""
    return _pointed(solid, full, long / short)


def _outside(mask: Mask) -> Mask:
    """The empty pixels that reach the border of a mask that is empty there."""
    same_along, same_down = mask[:, 1:] == mask[:, :-1], mask[1:] == mask[:-1]
    labels = _joined(same_along, same_down)
    return np.asarray(labels == labels[0, 0])


def _hull(mask: Mask) -> Numbers:
    """The corners of the convex hull of the pixels, as squares and not as points."""
    rows = np.flatnonzero(mask.any(1))
    first, last = mask[rows].argmax(1), mask.shape[1] - mask[rows, ::-1].argmax(1)
    points = [(int(x), int(y) + dy) for y, a, b in zip(rows, first, last, strict=True) for x in (a, b) for dy in (0, 1)]
    points = sorted(set(points))

    def half(ordered: list[tuple[int, int]]) -> list[tuple[int, int]]:
        chain: list[tuple[int, int]] = []
        for x, y in ordered:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], (x, y)) <= 0:
                chain.pop()
            chain.append((x, y))
        return chain[:-1]

    return np.array(half(points) + half(points[::-1]), np.float64)


def _turn(o: tuple[int, int], a: tuple[int, int], b: tuple[int, int]) -> int:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def _area(points: Numbers) -> float:
    x, y = points.T
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _length(points: Numbers) -> float:
    return float(np.hypot(*(np.roll(points, -1, 0) - points).T).sum())


def _rectangle(hull: Numbers) -> tuple[float, float]:
    """The sides of the narrowest rectangle around a hull: the long one first."""
    edges = np.roll(hull, -1, 0) - hull
    angles = np.unique(np.round(np.arctan2(edges[:, 1], edges[:, 0]) % (np.pi / 2), 4))
    turned = np.stack([np.cos(angles), np.sin(angles)]), np.stack([-np.sin(angles), np.cos(angles)])
    wide, high = (np.ptp(hull @ each, 0) for each in turned)
    best = int((wide * high).argmin())
    a, b = float(wide[best]), float(high[best])
    return max(a, b), max(min(a, b), 1e-9)


def _triangle(hull: Numbers) -> float:
    """The area of the largest triangle among a hull's corners."""
    step = -(-len(hull) // 48)
    few = hull[::step]
    x, y = few.T
    a, b = x[:, None] - x, y[:, None] - y
    best = 0.0
    for at in range(len(few)):
        best = max(best, float(np.abs(np.outer(a[at], b[at]) - np.outer(b[at], a[at])).max()) / 2)
    return best


def _pointed(mask: Mask, full: float, stretch: float) -> str:
    """Stars, crosses and crescents, by the distance of their outline from the middle."""
    ys, xs = np.nonzero(mask)
    cy, cx = ys.mean(), xs.mean()
    angle = np.arctan2(ys - cy, xs - cx)
    far = np.hypot(ys - cy, xs - cx)
    bins = np.clip(((angle + np.pi) / (2 * np.pi) * 72).astype(int), 0, 71)
    outline = np.zeros(72)
    np.maximum.at(outline, bins, far)
    outline = (np.roll(outline, 1) + 2 * outline + np.roll(outline, -1)) / 4
    high, low = outline.max(), outline.min()
    above = outline > (high + low) / 2
    peaks = int((above & ~np.roll(above, 1)).sum())
    middle = mask[int(cy), int(cx)]
    if middle and peaks == 5 and full < 0.72 and low < 0.62 * high and stretch < 1.35:
        return "star"
    if middle and peaks == 4 and 0.6 < full < 0.84 and stretch < 1.2:
        return "cross"
    return "crescent" if not middle and full < 0.75 and stretch < 3.2 and peaks <= 3 else ""


def _notched(mask: Mask) -> bool:
    """Two humps above, one tip below."""
    top, low = mask[: max(len(mask) // 14, 1)].any(0), mask[-max(len(mask) // 14, 1) :].any(0)
    humps = int((top & ~np.roll(top, 1)).sum())
    return humps == 2 and low.mean() < 0.35
