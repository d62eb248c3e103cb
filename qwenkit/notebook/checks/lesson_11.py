"""Lesson 11: what a look costs, boxes into pixels, and five peas found on a plate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_LOOKS = [
    ((640, 480, 10_000_000), 302, "300 squares of 32 by 32 pixels cover 640 by 480."),
    ((32, 32, 10_000_000), 3, "The smallest picture has one square and the two tokens around it."),
    ((2560, 1600, 1_024_000), 1002, "A picture over the limit counts as many pixels as the limit allows."),
    ((1024, 1000, 1_024_000), 1002, "A picture of exactly the limit is not shrunk."),
]
_BOXES = [
    (([0, 0, 1000, 1000], 640, 480), [0, 0, 640, 480], "The whole scale is the whole picture."),
    (
        ([100, 200, 300, 400], 2000, 500),
        [200, 100, 600, 200],
        "Left and right go by the width, top and bottom by the height.",
    ),
    (([333, 333, 666, 666], 100, 100), [33, 33, 67, 67], "Round to the nearest whole pixel."),
]
# Where the peas of data/plate.png lie, in pixels.
_PEAS = [(418, 312), (390, 330), (434, 344), (376, 360), (404, 360)]


def exercise_1(tokens: Callable[..., Any]) -> str | None:
    """Write tokens(width, height, most), which says what a look costs."""
    for given, wanted, hint in _LOOKS:
        if (said := tokens(*given)) is None:
            return "tokens returns nothing yet: give back a number."
        if said != wanted:
            return f"tokens{given} gave {said!r:.40}. {hint}"
    return None


def exercise_2(pixels: Callable[..., Any]) -> str | None:
    """Write pixels(box, width, height), which gives left, top, right and bottom in pixels."""
    for (box, width, height), wanted, hint in _BOXES:
        if (said := pixels(list(box), width, height)) is None:
            return "pixels returns nothing yet: give back four numbers."
        if list(said) != wanted:
            return f"pixels({box}, {width}, {height}) gave {said!r:.60}. {hint}"
        if not all(isinstance(number, int) for number in said):
            return "Pixels are whole numbers."
    return None


def exercise_3(overlay: Any) -> str | None:
    """Find every green circle on the plate, and answer with plate.boxes(reply)."""
    if overlay.image.size != (640, 480):
        return "This is another picture: open ../data/plate.png."
    boxes = [mark.box for mark in overlay.marks if mark.box]
    if not boxes:
        return "No boxes are on it: ask for bbox_2d."
    missed = [pea for pea in _PEAS if not any(_holds(box, pea) for box in boxes)]
    if missed:
        return f"{len(missed)} of the five peas lie in no box: ask for every green circle."
    if len(boxes) > len(_PEAS) or any(right - left > 90 for left, _, right, _ in boxes):
        return "Some boxes hold more than a pea: ask for the green circles only."
    return None


def _holds(box: tuple[int, int, int, int], spot: tuple[int, int]) -> bool:
    return box[0] <= spot[0] <= box[2] and box[1] <= spot[1] <= box[3]
