"""What a model found on a picture: boxes and points, read from its answer into pixels.

Qwen3-VL and later count positions on a scale of 1000 along each side, older models in pixels. The numbers themselves
mostly tell which; where they do not, the newer way is taken, and `read_as` says so.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.image import Image
from qwenkit.types.media import problem

SCALE = 1000
TRIES = 20  # brackets in an answer that may open its JSON
_BOX, _POINT = ("bbox_2d", "bbox", "box_2d", "box"), ("point_2d", "point")
_LABEL = ("label", "name", "text_content", "text", "description")


class Mark(msgspec.Struct, frozen=True):
    """One find, in pixels: a box (left, top, right, bottom) or a point (x, y)."""

    label: str = ""
    box: tuple[int, int, int, int] | None = None
    point: tuple[int, int] | None = None


class Overlay(Shown):
    """A picture with what was found on it. `.marks` are in pixels; `.save("found.png")` burns them in."""

    def __init__(self, image: Image, found: Any, relative: bool | None = None) -> None:
        self.image = image
        raw = list(_finds(_read(found)))
        numbers = [number for _, place in raw for number in place]
        self.relative, self.read_as = _scale(numbers, image.size, relative)
        self.marks = [_mark(label, place, self.relative, image.size) for label, place in raw]

    def __len__(self) -> int:
        return len(self.marks)

    def __iter__(self) -> Iterator[Mark]:
        return iter(self.marks)

    def __getitem__(self, place: int) -> Mark:
        return self.marks[place]

    def crops(self) -> list[Image]:
        """What is inside each box."""
        return [self.image.crop(*mark.box) for mark in self.marks if mark.box]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The picture with its boxes drawn in, in full size."""
        drawn: Any = import_module("qwenkit.display.overlay").burned(self)
        return Image.of(drawn).save(path)

    def __repr__(self) -> str:
        return f"Overlay({self.image.name!r}, {len(self)} mark{'s' * (len(self) != 1)})"


def _read(found: Any) -> Any:
    """A reply, its text, or values with types, as lists and dicts."""
    text = getattr(found, "text", found)
    if not isinstance(text, str):
        return msgspec.to_builtins(found, enc_hook=vars)
    read = []
    for opening in islice(re.finditer(r"[\[{]", text), TRIES):
        with suppress(ValueError, RecursionError):
            read.append(json.JSONDecoder().raw_decode(text, opening.start())[0])
            if any(_finds(read[-1])):  # a footnote [1] before them is JSON, too
                return read[-1]
    if read:
        return read[0]
    raise problem(f"no boxes in {text[:60]!r}", 'they look like [{"bbox_2d": [x1, y1, x2, y2], "label": "cup"}]')


def _finds(value: Any, label: str = "") -> Iterator[tuple[str, list[float]]]:
    """(label, 4 or 2 numbers) of everything in it, however deep a model has wrapped it."""
    if isinstance(value, dict):
        name = next((str(value[key]) for key in _LABEL if isinstance(value.get(key), str | int)), label)
        place = next((numbers for key in (*_BOX, *_POINT) if (numbers := _numbers(value.get(key)))), None)
        if place:
            yield name, place
        else:
            for key, each in value.items():
                yield from _finds(each, name or str(key))
    elif numbers := _numbers(value):
        yield label, numbers
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _finds(each, label)


def _numbers(value: Any) -> list[float] | None:
    """Four numbers make a box, two a point; also as [[x1, y1], [x2, y2]] and as texts."""
    if isinstance(value, dict) and {"x", "y"} <= value.keys():
        value = [value["x"], value["y"]]
    if not isinstance(value, list | tuple) or len(value) not in (2, 4):
        return None
    flat = [part for each in value for part in (each if isinstance(each, list | tuple) else [each])]
    try:
        numbers = [float(each) for each in flat]
    except (TypeError, ValueError):
        return None
    return numbers if len(numbers) in (2, 4) and all(map(math.isfinite, numbers)) else None


def _scale(numbers: list[float], size: tuple[int, int], relative: bool | None) -> tuple[bool, str]:
    most = max(numbers, default=0)
    if relative is None:
        relative = most <= SCALE
        why = "nothing lies beyond 1000" if relative else "some lie beyond 1000"
        return relative, f"{'a scale of 1000' if relative else 'pixels'}, as {why}"
    return relative, "a scale of 1000" if relative else "pixels"


def _mark(label: str, place: list[float], relative: bool, size: tuple[int, int]) -> Mark:
    scaled = [number * side / SCALE if relative else number for number, side in zip(place, size * 2, strict=False)]
    pixels = [min(max(round(number), 0), side) for number, side in zip(scaled, size * 2, strict=False)]
    if len(pixels) == 2:
        return Mark(label, point=(pixels[0], pixels[1]))
    (left, right), (top, bottom) = sorted(pixels[::2]), sorted(pixels[1::2])
    return Mark(label, box=(left, top, right, bottom))
