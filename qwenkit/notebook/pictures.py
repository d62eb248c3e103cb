"""Whether two pictures in notebook outputs show the same thing.

Byte equality is too strict (a font of another version moves a few pixels) and skipping pictures, as nbval does, lets a
wrong plot pass. So both are shrunk to a small grid of mean colours and compared with a tolerance, measured on
matplotlib charts: the same chart in another font differs by 0.2-0.6 of 255 on average and 16 at most, `x**2` against
`x**2.2` by 1.1 and one wrong bar of five by 2.3 on average and 146 at most. A change of axis numbers alone passes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image

GRID = 16
MEAN_TOLERANCE = 1.0
CELL_TOLERANCE = 24.0
SIZE_TOLERANCE = 0.05
MIMETYPES = ("image/png", "image/jpeg")


def first_difference(reference: Iterable[Any], test: Iterable[Any]) -> str:
    """One line about the first picture that differs between two lists of outputs, or nothing."""
    wanted, found = pictures(reference), pictures(test)
    if len(wanted) != len(found):
        return f"the notebook holds {len(wanted)} pictures here, this run drew {len(found)}"
    for number, (left, right) in enumerate(zip(wanted, found, strict=True), start=1):
        if reason := difference(left, right):
            return f"picture {number} differs from the one in the notebook: {reason}"
    return ""


def pictures(outputs: Iterable[Any]) -> list[bytes]:
    bundles = [output.get("data", {}) for output in outputs]
    return [base64.b64decode(bundle[kind]) for bundle in bundles for kind in MIMETYPES if kind in bundle]


def difference(left: bytes, right: bytes) -> str:
    """How two encoded pictures differ to the eye, in words; empty when they do not."""
    if left == right:
        return ""
    first, second = Image.open(io.BytesIO(left)), Image.open(io.BytesIO(right))
    for ours, theirs in zip(first.size, second.size, strict=True):
        if abs(ours - theirs) > SIZE_TOLERANCE * max(ours, theirs):
            return f"{first.width}x{first.height} pixels against {second.width}x{second.height}"
    apart = np.abs(_shrunk(first) - _shrunk(second)).max(axis=2)
    if apart.mean() > MEAN_TOLERANCE or apart.max() > CELL_TOLERANCE:
        return f"colours are {apart.mean():.1f} of 255 apart on average, {apart.max():.0f} at most"
    return ""


def _shrunk(picture: Image.Image) -> Any:
    """The picture on white, as a small grid of mean colours."""
    opaque = Image.new("RGBA", picture.size, "white")
    opaque.alpha_composite(picture.convert("RGBA"))
    return np.asarray(opaque.convert("RGB").resize((GRID, GRID), Image.Resampling.BOX), dtype=float)
