"""What four pictures of 1024 px cost in a notebook: the bytes of the saved cell, and the time to make and save it.

`python -m tests.bench.pictures CONTESTANT` starts from pixels, as a notebook that has drawn or received them does. The
peer is what IPython offers: `display(Image(png))` four times. They are like photographs: soft shapes and fine grain.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.bench.processes import fresh
from tests.bench.works import Figures

SIDE, PICTURES = 1024, 4


def pictures(contestant: str, _url: str, _size: int) -> Figures:
    figures: Figures = json.loads(fresh("-m", "tests.bench.pictures", contestant)[0])
    return figures


def photos() -> list[Any]:
    """Noise that falls with its frequency, little colour, grain on top: nearly 2 MB as PNG; seen from four sides."""
    import numpy as np

    random = np.random.default_rng(0)
    steps = np.fft.fftfreq(SIDE)
    falling = 1 / np.maximum(np.hypot(steps[:, None], steps[None]), 1 / SIDE)

    def cloud() -> Any:
        wave = np.fft.ifft2(np.fft.fft2(random.standard_normal((SIDE, SIDE))) * falling**1.4).real
        return wave / wave.std()

    light = 120 + 45 * cloud() + random.normal(0, 1, (SIDE, SIDE))
    photo = np.clip(np.stack([light + 6 * cloud() for _ in range(3)], axis=2), 0, 255).astype(np.uint8)
    return [np.ascontiguousarray(np.rot90(photo, turn)) for turn in range(PICTURES)]


def _theirs(pixels: list[Any]) -> list[dict[str, Any]]:
    """Each array as PNG, each PNG as an output of its own."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import Image
    from PIL import Image as Pillow

    def png(array: Any) -> bytes:
        made = io.BytesIO()
        Pillow.fromarray(array).save(made, "png")
        return made.getvalue()

    shown = InteractiveShell.instance().display_formatter.format
    return [shown(Image(png(array)))[0] for array in pixels]


def _ours(pixels: list[Any]) -> list[dict[str, Any]]:
    from qwenkit.display import bundle
    from qwenkit.types.image_grid import ImageGrid

    return [dict(bundle(ImageGrid(pixels, prompt="clouds", model="wan2.6-t2i")))]


WAYS: dict[str, Callable[[list[Any]], list[dict[str, Any]]]] = {"IPython": _theirs, "qwenkit": _ours}


def saved(bundles: list[dict[str, Any]]) -> int:
    """Bytes of a notebook whose only cell has these outputs."""
    import nbformat
    from nbformat import v4

    outputs = [v4.new_output("display_data", data=bundle) for bundle in bundles]
    return len(nbformat.writes(v4.new_notebook(cells=[v4.new_code_cell("", outputs=outputs)])).encode())


def main(contestant: str) -> None:
    way, pixels = WAYS[contestant], photos()
    saved(way(pixels[:1]))  # late imports are not what is counted
    wall, cpu = time.perf_counter_ns(), time.process_time_ns()
    size = saved(way(pixels))
    took = {"cpu": (time.process_time_ns() - cpu) / 1e6, "wall": (time.perf_counter_ns() - wall) / 1e6}
    print(json.dumps({**took, "notebook": size / 1e3}))


if __name__ == "__main__":
    main(sys.argv[1])
