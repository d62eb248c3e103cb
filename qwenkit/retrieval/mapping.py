"""Many dimensions as two: the directions in which chunks differ most, found by a singular value decomposition.

What is near on the map is not always near in truth, for two of a thousand dimensions show a part of the spread only;
how much is told with it. Signs are fixed, so that the same chunks give the same map everywhere.
"""

from __future__ import annotations

from typing import Any

DIGITS = 4  # what differs from machine to machine lies beyond


def projected(matrix: Any, query: Any = None) -> tuple[list[tuple[float, float]], tuple[float, float] | None, float]:
    """Points of the rows, where the query lies, and the share of the spread that they show."""
    import numpy as np

    centre = matrix.mean(axis=0)
    spread = matrix - centre
    _, sizes, axes = np.linalg.svd(spread, full_matrices=False)
    axes = np.vstack([axes[:2], np.zeros((2, axes.shape[1]))])[:2]  # a single chunk or dimension has no second one
    for axis in axes:
        axis *= np.sign(axis[np.argmax(np.abs(axis))]) or 1.0
    kept = float((sizes[:2] ** 2).sum() / ((sizes**2).sum() or 1.0))
    found = np.round(spread @ axes.T, DIGITS)
    points = [(float(across), float(up)) for across, up in found]
    if query is None:
        return points, None, round(kept, 3)
    unit = np.array(query, dtype=float)
    unit /= float(np.linalg.norm(unit)) or 1.0
    across, up = np.round((unit - centre) @ axes.T, DIGITS)
    return points, (float(across), float(up)), round(kept, 3)
