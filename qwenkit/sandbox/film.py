"""Films from words: the painter's picture, whose figures move, as H.264 in mp4.

What flies drifts, boats rock, cars drive by, shapes wander; the camera comes a little nearer when nothing stands in the
picture, or when a first frame was given. The same prompt and seed give the same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from qwenkit.sandbox.errors import Refusal

if TYPE_CHECKING:
    from PIL import Image

    from qwenkit.sandbox.painter import Placed

# The same bytes each time and on every processor: one thread, nothing looked ahead for, no tree of macroblocks.
X264: dict[str, object] = {"preset": "veryfast", "crf": "28", "threads": "1", "tune": "zerolatency"}
X264["x264-params"] = "cpu-independent=1:mbtree=0"
NEEDS = "The sandbox needs PyAV to make films: pip install 'qwenkit[lab]'"
_ZOOM = 0.12
_BLEND = 0.3  # of a film is spent on reaching its last frame


class Way(NamedTuple):
    """How a kind of figure moves: across and up in shares of the picture, how often it swings, and how far."""

    across: float
    up: float
    swings: float
    far: float


_WAYS = {
    "car": Way(0.5, 0, 0, 0),
    "bus": Way(0.4, 0, 0, 0),
    "bicycle": Way(0.4, 0, 0, 0),
    "boat": Way(0.22, 0, 2, 0.008),
}
_WAYS |= {"kite": Way(0.08, 0.06, 2, 0.03), "balloon": Way(0.04, 0.24, 1, 0.01), "bird": Way(0.4, 0.05, 3, 0.02)}
_WAYS |= {"cloud": Way(0.12, 0, 0, 0), "lantern": Way(0.02, 0.2, 1, 0.012), "rocket": Way(0, 0.6, 0, 0)}
_WAYS |= {"sun": Way(0.02, -0.08, 0, 0), "moon": Way(0.02, 0.05, 0, 0), "fish": Way(0.3, 0, 2, 0.01)}
_WAYS |= {"cat": Way(0.1, 0, 3, 0.008), "dog": Way(0.24, 0, 5, 0.012), "fox": Way(0.24, 0, 5, 0.012)}
_SHAPE = Way(0.3, 0, 1, 0.03)
_STILL = ("tree", "pine", "house", "tower", "lighthouse", "bridge", "mountain", "flower", "mushroom", "cup", "line")


def film(
    prompt: str,
    size: tuple[int, int],
    seconds: float,
    fps: int,
    seed: int = 0,
    first: Image.Image | None = None,
    last: Image.Image | None = None,
) -> bytes:
    """An mp4 of so many seconds; it begins with the first frame and ends with the last, when they are given."""
    try:
        import av
    except ImportError:
        raise Refusal("InternalError", NEEDS, status=500) from None

    even = max(size[0] // 2, 8) * 2, max(size[1] // 2, 8) * 2
    held = io.BytesIO()
    with av.open(held, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = *even, "yuv420p"
        stream.options = dict(X264)
        for image in frames(prompt, even, max(round(seconds * fps), 1), seed, first, last):
            frame: Any = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return held.getvalue()


def frames(
    prompt: str,
    size: tuple[int, int],
    count: int,
    seed: int,
    first: Image.Image | None = None,
    last: Image.Image | None = None,
) -> Iterator[Image.Image]:
    """The pictures of a film, one by one."""
    from PIL import Image

    end = last.convert("RGB").resize(size) if last else None
    made = _nearer(first.convert("RGB").resize(size), count) if first else _played(prompt, size, count, seed)
    for at, image in enumerate(made):
        share = (at / max(count - 1, 1) - (1 - _BLEND)) / _BLEND
        yield Image.blend(image, end, share) if end and share > 0 else image


def _nearer(image: Image.Image, count: int) -> Iterator[Image.Image]:
    from PIL import Image

    width, height = image.size
    for at in range(count):
        edge = _ZOOM / 2 * at / max(count - 1, 1)
        box = width * edge, height * edge, width * (1 - edge), height * (1 - edge)
        yield image.resize(image.size, Image.Resampling.BILINEAR, box) if at else image


def _played(prompt: str, size: tuple[int, int], count: int, seed: int) -> Iterator[Image.Image]:
    from qwenkit.sandbox import painter

    drawn = painter.sketch(prompt, size, seed)
    behind = painter.flat(drawn._replace(placed=[each for each in drawn.placed if each.kind in _STILL]), grain=0)
    moving = [each for each in drawn.placed if each.kind not in _STILL]
    if not moving:
        yield from _nearer(painter.lettered(behind, drawn.wishes.texts), count)
        return
    for at in range(count):
        image = behind.copy()
        for each in moving:
            painter.put(image, _moved(each, size, at / max(count - 1, 1)))
        yield painter.lettered(image, drawn.wishes.texts)


def _moved(each: Placed, size: tuple[int, int], share: float) -> Placed:
    """Where a figure is after a share of the film; it turns back before it would leave the picture."""
    way = _WAYS.get(each.kind, _SHAPE)
    room = size[0] - each.side - each.left
    side = 1 if room >= each.left else -1
    across = side * min(way.across * size[0], max(room if side > 0 else each.left, 0)) * share
    swing = math.sin(share * way.swings * 2 * math.pi) * way.far * size[1]
    top = each.top - min(way.up * size[1], max(each.top, 0)) * share + swing
    return each._replace(left=round(each.left + across), top=round(top))
