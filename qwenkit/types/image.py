"""A picture: what it is, how large, its pixels the right way up.

Everything Pillow reads comes out as 8-bit RGB or RGBA: palettes, grey, CMYK, 16-bit and floating-point pictures are
converted, turned as their camera says, and of a moving picture the first frame counts. The header is read before
anything is decoded, so a picture that would unfold to gigabytes is refused while it is still small.
"""

from __future__ import annotations

import io
import math
import re
from importlib import import_module
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

from qwenkit.types.made import told
from qwenkit.types.media import Content, Media, problem, sniff

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from qwenkit.types.overlay import Overlay

MAX_PIXELS = 89_478_485  # where Pillow, too, begins to suspect a bomb; twice an 8K picture
_SMALLER = "make it smaller first; no model looks at more than 17 million pixels"
_PILLOW = {f"image/{name}": name.upper() for name in ("png", "jpeg", "webp", "gif", "bmp", "tiff", "avif")}
_PILLOW |= {"image/x-icon": "ICO", "image/heic": "HEIF"}  # HEIF only where a plugin brought it
WRITTEN = ("png", "jpeg", "webp", "gif", "bmp", "tiff", "avif")
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> PIL.Image.Transpose
_ALPHA = {"LA", "PA", "La", "RGBA", "RGBa"}
_ORIENTATION = 274


class Image(Media):
    """A picture. `.array` and `.pil` decode it, each time anew; `.bytes` is the file as it came."""

    noun = "picture"
    family = "image"
    _made: Picture | None = None  # pixels that were given as pixels; encoded when somebody asks for bytes
    _size: tuple[int, int] | None = None

    @classmethod
    def _taken(cls, value: Any, facts: dict[str, Any]) -> Self:
        from PIL import Image as Pillow

        image = cls(**facts)
        image._made = _flat(value.copy()) if isinstance(value, Pillow.Image) else _painted(value)
        image._size = image._made.size
        return image

    @property
    def loaded(self) -> bool:
        return self._made is not None or super().loaded

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as it is seen. Reads the header only."""
        if self._size is None:
            self._size = self._measured()
        return self._size

    @property
    def width(self) -> int:
        return self.size[0]

    @property
    def height(self) -> int:
        return self.size[1]

    @property
    def pil(self) -> Picture:
        """The picture for Pillow: RGB, or RGBA when it is transparent somewhere."""
        return self.decoded().copy()

    @property
    def array(self) -> Any:
        """Its pixels as a numpy array, height x width x 3 (or 4), uint8."""
        import numpy as np

        return np.array(self.decoded())

    def decoded(self, side: int = 0) -> Picture:
        """As `pil`, to look at only. With `side`, it may come out smaller, but not below it: JPEG decodes faster so."""
        if self._made is not None:
            return self._made
        picture = self._opened()
        try:
            if side:
                picture.draft(None, (side, side))
            turn = _TURNS.get(_orientation(picture))
            picture.load()
            flat = _flat(picture)
            return flat if turn is None else flat.transpose(turn)  # type: ignore[arg-type]
        except Exception as trouble:  # decoders raise whatever broken data leads them to
            raise self._damaged(trouble) from None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        pixels = self.array
        return pixels if dtype is None else pixels.astype(dtype)

    def crop(self, left: Any, top: Any = None, right: Any = None, bottom: Any = None) -> Image:
        """The part between these edges, in pixels; a box of all four does as well."""
        edges = tuple(left) if isinstance(left, list | tuple) and top is None else (left, top, right, bottom)
        if len(edges) != 4 or not all(_is_number(edge) for edge in edges):
            raise problem(f"{edges!r:.80} is no part of a picture", "image.crop(left, top, right, bottom) in pixels")
        left, top, right, bottom = map(round, edges)
        width, height = self.size
        box = (max(0, left), max(0, top), min(width, right), min(height, bottom))
        if box[0] >= box[2] or box[1] >= box[3]:
            raise problem(f"there is nothing of a {width}x{height} picture in {(left, top, right, bottom)}")
        return Image.of(self.pil.crop(box), **self.meta)

    def resized(self, width: float, height: float | None = None) -> Image:
        """Another size, in whole pixels; without a height, in proportion."""
        if not _is_number(width) or not (height is None or _is_number(height)):
            given = f"{width!r:.40}" if height is None else f"{width!r:.40} x {height!r:.40}"
            raise problem(f"{given} is no size in pixels", "image.resized(320) or image.resized(320, 240)")
        high = round(self.height * width / self.width) or 1 if height is None else round(height)
        width, height = round(width), high
        if width < 1 or height < 1 or width * height > MAX_PIXELS:
            raise problem(f"a picture of {width}x{height} pixels cannot be made")
        return Image.of(self.pil.resize((width, height)), **self.meta)

    def boxes(self, found: Any, relative: bool | None = None) -> Overlay:
        """What a model found, drawn on the picture: a Reply, its JSON text, or a list of dicts.

        `relative` says how its numbers count: on a scale of 1000 (True) or in pixels (False). None looks at them.
        """
        overlay: Overlay = import_module("qwenkit.types.overlay").Overlay(self, found, relative)
        return overlay

    def _read(self, most: int = -1) -> Content:
        return encoded(self._made, "png") if self._made is not None else super()._read(most)

    @property
    def media_type(self) -> str:
        return "image/png" if self._made is not None and self._content is None else super().media_type

    def _marked(self, content: Content) -> Content:
        """A PNG tells in itself what made it."""
        return told(content, self.meta) if "prompt" in self.meta else content

    def _converted(self, format: str) -> Content:
        if format not in WRITTEN:
            raise problem(f"a picture cannot be saved as {format!r}", f"formats: {', '.join(WRITTEN)}")
        return encoded(self.pil, format)

    def _opened(self) -> Picture:
        """The picture with its header read. Only what the first bytes announce is tried."""
        from PIL import Image as Pillow

        try:
            picture = Pillow.open(io.BytesIO(self.bytes), formats=[_PILLOW[sniff(self.head)]])
        except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
            raise problem(f"{self.called} has more than {MAX_PIXELS:,} pixels", _SMALLER) from None
        except Exception as trouble:  # as below: also a KeyError for what is not in the table
            raise self._damaged(trouble) from None
        if picture.width * picture.height > MAX_PIXELS:
            size = f"{picture.width}x{picture.height}"
            raise problem(f"{self.called} has {size} pixels, more than {MAX_PIXELS:,}", _SMALLER)
        return picture

    def _measured(self) -> tuple[int, int]:
        found = _heic_size(self.bytes) if self.format == "heic" else None
        if found:
            return found
        picture = self._opened()
        return (picture.height, picture.width) if _orientation(picture) >= 5 else picture.size

    def _damaged(self, trouble: Exception) -> Exception:
        """Why it cannot be read, in one line."""
        kind = sniff(self.head)
        if not self.byte_size:
            return problem(f"{self.called} is empty", "its file holds no bytes")
        if kind not in _PILLOW:
            told = f"no picture but {kind}" if kind else "in no picture format known here"
            return problem(f"{self.called} is {told}", "PNG, JPEG, WebP, GIF, BMP, TIFF and AVIF are read")
        if kind == "image/heic":
            return problem(f"{self.called} is HEIC, which Pillow does not decode", "models take it; or save it as JPEG")
        why = str(trouble).partition("\n")[0][:100] or type(trouble).__name__
        why = "its header makes no sense" if "BytesIO" in why else why
        return problem(f"{self.called} is damaged: {why}", "fetch or save it again")


def _orientation(picture: Picture) -> int:
    """How the camera was held. Pillow turns TIFF itself; a PNG that says so after its pixels is not waited for."""
    if picture.format == "TIFF" or (picture.format == "PNG" and "exif" not in picture.info):
        return 1
    try:
        told = picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken note about the picture does not break the picture
        return 1
    return told if isinstance(told, int) and told in _TURNS else 1


def _flat(picture: Picture) -> Picture:
    """Any mode as 8-bit RGB, or RGBA where there is transparency."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _grey(picture)
    return picture.convert("RGBA" if picture.mode in _ALPHA or "transparency" in picture.info else "RGB")


def _grey(picture: Picture) -> Picture:
    """Grey of 16 bits and more."""
    import numpy as np
    from PIL import Image as Pillow

    values = np.asarray(picture)
    most = float(np.nan_to_num(values).max(initial=0))
    full = next((full for full in (1, 255, 65535) if most <= full), most) if picture.mode == "F" else max(65535, most)
    return Pillow.fromarray(_eight(values, full)).convert("RGB")


def _eight(values: Any, full: float) -> Any:
    """Numbers from 0 to `full` as bytes."""
    import numpy as np

    return np.clip(np.rint(np.nan_to_num(values.astype("float32")) * (255 / full)), 0, 255).astype("uint8")


def _painted(value: Any) -> Picture:
    """An array as a picture: bytes, 0..1 or 16 bits; height x width, with 1, 3 or 4 channels or without."""
    import numpy as np
    from PIL import Image as Pillow

    try:
        pixels = np.asarray(value)
    except Exception:
        pixels = np.asarray(None)
    if pixels.dtype.kind not in "buif":
        raise problem(
            f"a {type(value).__name__} is no picture", "give a path, bytes, an array, a data URL or an address"
        )
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if not pixels.size or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise problem(f"an array of shape {pixels.shape} is no picture", "height x width, or height x width x 3 (or 4)")
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise problem(f"an array of shape {pixels.shape} has more than {MAX_PIXELS:,} pixels", _SMALLER)
    if pixels.dtype != np.uint8:
        pixels = _eight(pixels, _full(pixels))
    picture = Pillow.fromarray(np.ascontiguousarray(pixels))
    return picture.convert("RGB") if pixels.ndim == 2 else picture if picture.mode == "RGB" else picture.copy()


def _full(pixels: Any) -> float:
    """What counts as white in an array: 1, 255, or 65535 where the numbers have 16 bits; refused when it is a guess."""
    low, most = float(pixels.min()), float(pixels.max())
    if math.isnan(low) or math.isinf(low) or math.isinf(most):
        raise problem("the array holds NaN or infinity, which is no colour", "numpy.nan_to_num(array) makes them 0")
    near, kind = 1e-3 if pixels.dtype.kind == "f" else 0.0, pixels.dtype.str[1:]
    fits = [full for full in (1, 255, *([65535] if kind == "u2" else [])) if most <= full * (1 + near)]
    if low < -near or not fits or (near and 1 + near < most < 2):
        clip = "numpy.clip(array, 0, 1)" if near and most < 2 else 'numpy.clip(array, 0, 255).astype("uint8")'
        cure = f"0 to 1 (float) or 0 to 255: {clip} cuts off what is beyond"
        raise problem(f"an array from {low:g} to {most:g} is no picture: what is white in it cannot be told", cure)
    return float(fits[0])


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def encoded(picture: Picture, format: str, quality: int = 90) -> bytes:
    """Pixels as a file. Formats without transparency get a white ground."""
    from PIL import Image as Pillow

    if format in ("jpeg", "bmp") and picture.mode == "RGBA":
        ground = Pillow.new("RGBA", picture.size, "white")
        picture = Pillow.alpha_composite(ground, picture).convert("RGB")
    made = io.BytesIO()
    picture.save(made, format, **({"quality": quality} if format in ("jpeg", "webp", "avif") else {}))
    return made.getvalue()


def _heic_size(content: bytes) -> tuple[int, int] | None:
    """Width and height out of a HEIC file's boxes: the largest picture in it."""
    boxes = re.findall(rb"ispe....(....)(....)", content[:65_536], re.S)
    sizes = [(int.from_bytes(wide), int.from_bytes(high)) for wide, high in boxes]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)
