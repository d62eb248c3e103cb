"""Sizes of pictures and clips without I/O: from a pair, "1024x1024", "16:9" or "2K" to the wire, within the bounds.

Bounds and lists are a model's, in the catalogue; without facts about a model any size goes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from numbers import Integral
from typing import Any

from qwenkit.catalogue import Model
from qwenkit.errors import ConfigError

_SIZE = re.compile(r"(\d{1,5})\s*[*xX×]\s*(\d{1,5})")
_RATIO = re.compile(r"(\d{1,3}):(\d{1,3})")


def whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def sized(size: Any, facts: Model | None, pictures: list[Any], options: Mapping[str, Any]) -> str:
    """A size as on the wire, from a pair, "1024x1024", "16:9", or a name such as "2K"."""
    limits: Mapping[str, Any] = facts.limits if facts else {}
    if size is None or size == "":
        return ""
    named = str(limits.get("named", "")).split()
    if named == ["none"]:
        raise ConfigError(f"{facts.name if facts else ''} chooses the size itself", hint="leave size out")
    name = str(size).strip().upper()
    if name in named and not (name == "4K" and pictures):
        return name
    sides = _sides(size, limits)
    if sides is None:
        hint = 'write (1024, 1024), "1024*1024", "16:9"' + (f" or {', '.join(named)}" if named else "")
        raise ConfigError(f"size cannot be {size!r:.60}", hint=hint)
    problem = unfit(sides, limits, edits=bool(pictures), interleave=bool(options.get("enable_interleave")))
    if problem:
        listed = str(limits.get("suggested", "")).replace(" ", ", ").replace("*", "x")
        hint = f"{problem}{f'; for example {listed}' if listed else ''}"
        raise ConfigError(f"{facts.name if facts else ''} does not draw {sides[0]}x{sides[1]}", hint=hint)
    return f"{sides[0]}*{sides[1]}"


def _sides(size: Any, limits: Mapping[str, Any]) -> tuple[int, int] | None:
    if isinstance(size, tuple | list) and len(size) == 2 and all(map(whole, size)):
        return int(size[0]), int(size[1])
    found = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    if found:
        return int(found[1]), int(found[2])
    found = _RATIO.fullmatch(size.strip()) if isinstance(size, str) else None
    return _shaped(int(found[1]), int(found[2]), limits) if found and int(found[1]) and int(found[2]) else None


def _shaped(wide: int, high: int, limits: Mapping[str, Any]) -> tuple[int, int]:
    """The size of the model's own list that is nearest to a ratio, else one as large as it usually draws."""
    listed = str(limits.get("suggested") or limits.get("sizes") or "").split()
    pairs = [(int(each.partition("*")[0]), int(each.partition("*")[2])) for each in listed]
    near = [pair for pair in pairs if abs(pair[0] * high / (pair[1] * wide) - 1) < 0.05]
    if near:
        return near[0]
    usual = _SIZE.fullmatch(str(limits.get("size", "")))
    area = int(usual[1]) * int(usual[2]) if usual else 1024 * 1024
    scale = (min(area, int(limits.get("pixels_max", area))) / (wide * high)) ** 0.5
    return int(wide * scale) // 16 * 16, int(high * scale) // 16 * 16


def unfit(sides: tuple[int, int], limits: Mapping[str, Any], *, edits: bool = False, interleave: bool = False) -> str:
    """The rule a size breaks; empty when it fits."""
    width, height = sides
    sizes = str(limits.get("sizes", "")).split()
    if sizes and f"{width}*{height}" not in sizes:
        return f"sizes are {', '.join(sizes).replace('*', 'x')}"
    least, most = int(limits.get("side_min", 1)), int(limits.get("side_max", 100_000))
    if not least <= min(sides) or not max(sides) <= most:
        return f"each side has {least} to {most:,} pixels" if most < 100_000 else "each side has at least one pixel"
    few, many = int(limits.get("pixels_min", 0)), int(limits.get("pixels_max", 10**10))
    many = many if edits else int(limits.get("pixels_max_text", many))
    many = int(limits.get("interleave_pixels_max", many)) if interleave else many
    if not few <= width * height <= many:
        return f"a picture has {few:,} to {many:,} pixels in all ({_root(few)} to {_root(many)})"
    ratio = limits.get("ratio_max")
    return f"the longer side is at most {ratio} times the shorter" if ratio and max(sides) > ratio * min(sides) else ""


def _root(pixels: int) -> str:
    side = round(pixels**0.5)
    return f"{side}x{side}"
