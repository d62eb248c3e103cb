"""The checks of lesson 11: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.image import Image

DATA = Path(__file__).parents[2] / "data"
PEAS = [(403, 297, 433, 327), (376, 315, 404, 345), (419, 329, 449, 359), (361, 345, 391, 375), (389, 345, 419, 375)]


@pytest.mark.parametrize(
    ("tokens", "hint"),
    [
        (lambda width, height, most: min(width * height, most) // 1024 + 2, ""),
        (lambda width, height, most: None, "returns nothing yet"),
        (lambda width, height, most: width * height // 1024, "300 squares"),
        (lambda width, height, most: width * height // 1024 + 2, "over the limit"),
        (lambda width, height, most: min(width * height, most - 1) // 1024 + 2, "over the limit"),
        (lambda width: 1, "expected something else"),
    ],
)
def test_the_price_of_a_look(tokens: Callable[..., Any], hint: str):
    done = check("11.1", tokens)
    assert (done.solved, hint in done.hint) == (not hint, True)


def scaled(box: list[int], width: int, height: int, whole: Callable[[float], Any] = round, other: bool = False) -> Any:
    sides = [height, width] * 2 if other else [width, height] * 2
    return [whole(number * side / 1000) for number, side in zip(box, sides, strict=True)]


@pytest.mark.parametrize(
    ("pixels", "hint"),
    [
        (scaled, ""),
        (lambda *given: None, "returns nothing yet"),
        (lambda *given: scaled(*given, other=True), "the whole picture"),
        (lambda *given: scaled(*given, whole=int), "nearest"),
        (lambda *given: scaled(*given, whole=lambda number: float(round(number))), "whole numbers"),
    ],
)
def test_boxes_into_pixels(pixels: Callable[..., Any], hint: str):
    done = check("11.2", pixels)
    assert (done.solved, hint in done.hint) == (not hint, True)


@pytest.mark.parametrize(
    ("picture", "boxes", "hint"),
    [
        ("plate.png", PEAS, ""),
        ("shapes.png", PEAS[:2], "2|3 of the five"),
        ("street.png", PEAS, "another picture"),
        ("plate.png", [], "ask for bbox_2d"),
        ("plate.png", PEAS[:3], "2 of the five peas"),
        ("plate.png", [*PEAS, (198, 128, 262, 192)], "more than a pea"),
        ("plate.png", [(0, 0, 640, 480)], "more than a pea"),
    ],
)
def test_peas_on_a_plate(picture: str, boxes: list[Any], hint: str):
    overlay = Image.open(DATA / picture).boxes(boxes, relative=False)
    done = check("11.3", overlay)
    assert done.solved == (not hint)
    assert any(part in done.hint for part in hint.split("|"))
