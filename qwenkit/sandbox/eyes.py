"""The eyes of the sandbox: they measure a picture and claim nothing else. Size, light, contrast, colours by name,
simple shapes with their places; written words only of the pictures it knows.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from qwenkit.sandbox import hues, shapes
from qwenkit.sandbox.known_pictures import recognised
from qwenkit.sandbox.sights import Sight

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

SIDE = 320  # pixels of the longer side while shapes are looked for
MOST_PIXELS = 180_000_000
_COLOUR = 0.01  # share of the picture from which a colour is named


class Unseen(ValueError):
    """Bytes that are no picture, or one too large to open."""


def look(content: bytes) -> Sight:
    """Everything that is measured about a picture, whatever its format."""
    from PIL import Image

    image, kind, size, frames = opened(content)
    scale = min(SIDE / max(image.size), 1)
    sides = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    small = image.resize(sides, Image.Resampling.BOX, reducing_gap=1.0) if scale < 1 else image
    pixels = np.asarray(small)
    luma = pixels @ np.array((0.299, 0.587, 0.114))
    known = recognised(small)
    seen = [
        each._replace(box=_enlarged(each.box, size, small.size))
        for each in shapes.found(pixels, shapes.regions(hues.oklab(pixels)))
    ]
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return Sight(
        *size,
        kind,
        round(float(luma.mean()), 1),
        round(float(luma.std()), 1),
        _shares(pixels),
        tuple(sorted(seen, key=lambda each: (-each.area, each.box))),
        _shares(border[None])[0][0],
        known.text if known else "",
        known.title if known else "",
        known.title_zh if known else "",
        frames,
    )


def opened(content: bytes) -> tuple[Image.Image, str, tuple[int, int], int]:
    """A picture as it is meant to be seen: upright, on white where it is transparent, its first frame; its format, its
    size and how many frames it has. The header is read first: nothing too large is decoded.
    """
    import warnings

    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image: Image.Image = Image.open(io.BytesIO(content))
            if image.width * image.height > MOST_PIXELS:
                raise Unseen(f"{image.width} × {image.height} pixels are too many")
            kind, frames = (image.format or "").lower(), int(getattr(image, "n_frames", 1))
            image.draft("RGB", (4 * SIDE, 4 * SIDE))
            full = Image.open(io.BytesIO(content)).size
            way = image.getexif().get(0x0112, 1)
            if way == 1 and image.mode in ("L", "RGB", "RGBA", "CMYK") and min(image.size) > 8 * SIDE:
                image = image.reduce(min(image.size) // (4 * SIDE))  # before anything copies it
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I;16") or image.mode in ("I", "F"):
                image = _eight_bits(image)
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return image.convert("RGB"), kind, (full[1], full[0]) if way > 4 else full, frames
    except Exception as problem:  # Pillow raises what its decoders raise
        raise problem if isinstance(problem, Unseen) else Unseen(str(problem)) from None


def _eight_bits(image: Image.Image) -> Image.Image:
    from PIL import Image

    values = np.asarray(image, np.float64)
    top = 65535.0 if values.max() > 255 else 255.0
    return Image.fromarray(np.clip(values * (255 / top), 0, 255).astype(np.uint8))


def _enlarged(
    box: tuple[int, int, int, int], size: tuple[int, int], small: tuple[int, int]
) -> tuple[int, int, int, int]:
    wide, high = size[0] / small[0], size[1] / small[1]
    return round(box[0] * wide), round(box[1] * high), round(box[2] * wide), round(box[3] * high)


def _shares(pixels: NDArray[np.uint8]) -> tuple[tuple[str, float], ...]:
    """The names of the colours and the share of each, largest first."""
    many = np.bincount(hues.places(pixels).ravel(), minlength=len(hues.colours()))
    shares = zip(hues.colours(), (many / many.sum()).tolist(), strict=True)
    ordered = sorted(shares, key=lambda each: -each[1])
    return tuple((name, round(share, 4)) for name, share in ordered if share >= _COLOUR) or (ordered[0],)
