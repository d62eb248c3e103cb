"""The checks of lesson 13: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Pillow

from qwenkit.notebook.exercises import check
from qwenkit.types.image import Image
from qwenkit.types.image_grid import ImageGrid
from qwenkit.types.task import Task

MADE = {"prompt": "a kite", "seed": 7, "model": "qwen-image-2.0"}


def grid(*seeds: int, size: tuple[int, int] = (160, 90)) -> ImageGrid:
    return ImageGrid([Image.of(Pillow.new("RGB", size), seed=seed) for seed in seeds])


@pytest.mark.parametrize(
    ("wide", "hint"),
    [
        (grid(30, 31), "these are 2"),
        (grid(30, 31, 32, size=(100, 100)), "not 16:9"),
        (grid(31, 32, 33), "count up"),
        (grid(30, 31, 32), ""),
        (7, "something else"),
    ],
)
def test_three_wide_pictures(wide: Any, hint: str):
    found = check("13.1", wide)
    assert hint in found.hint if hint else found


@pytest.mark.parametrize(
    ("changed", "hint"),
    [({}, ""), ({"seed": 8}, "seed"), ({"model": "x"}, "model"), ({"size": (9, 9)}, "9x9"), ({"saved": True}, "save=")],
)
def test_a_picture_drawn_again(tmp_path: Path, changed: dict[str, Any], hint: str):
    left = tmp_path / "a-kite-7.png"
    Pillow.new("RGB", (16, 16)).save(left)
    left.with_suffix(".json").write_text(json.dumps(MADE))
    facts = {name: changed.get(name, value) for name, value in MADE.items()}
    again = Image.of(Pillow.new("RGB", changed.get("size", (16, 16))), **facts)
    again.path = left if changed.get("saved") else None
    found = check("13.2", left, again)
    assert hint in found.hint if hint else found


def test_pictures_fetched_by_an_id():
    came = grid(1)
    assert "without a task" in check("13.3", "t", came).hint
    came.task = Task("t", "SUCCEEDED")
    assert check("13.3", "t", came)
    assert "another" in check("13.3", "u", came).hint
    assert "text" in check("13.3", came.task, came).hint
