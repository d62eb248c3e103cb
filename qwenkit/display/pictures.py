"""Thumbnails: a picture as a data URL that stays small in the notebook and sharp on any screen.

Shown are at most so many CSS pixels, held are up to twice as many. Drawings of few colours stay exact (lossless WebP),
photographs are JPEG (WebP where they are transparent) as good as the bytes allow. A large picture is shrunk by a whole
factor before it is encoded, so a card costs milliseconds. Plain `<img>`: no script, no file beside the notebook.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any, NamedTuple

from qwenkit.display.files import size_of
from qwenkit.display.page import Bundle, escape, foot, head, note, page
from qwenkit.display.page import facts as told_of
from qwenkit.display.text import line
from qwenkit.errors import QwenError
from qwenkit.types.image import Image
from qwenkit.types.media import Media

GOOD, FAIR, POOR = 75, 55, 35  # qualities of JPEG and WebP
EASY, TIGHT = 1.35, 2.0  # how many times too large a file of good quality is that a lesser quality makes fit
FEW_COLOURS = 4096
SLACK = 1.2  # a little larger than asked costs less than another scaling
MAX_FACT = 300
MAX_FACTS = 8
# What differs from run to run, or is shown elsewhere, is no caption.
UNTOLD = {"at", "created", "expires_at", "request_id", "task_id", "url", "orig_url"}


class Thumbnail(NamedTuple):
    """A picture as it is embedded. `width` and `height` are CSS pixels."""

    url: str
    width: int
    height: int

    def tag(self, alt: str) -> str:
        return f'<img src="{self.url}" alt="{escape(line(alt, 120))}" width="{self.width}" height="{self.height}">'


def thumbnail(image: Image, side: int, most: int) -> Thumbnail:
    """The picture within `side` CSS pixels and, as a file, within `most` bytes."""
    picture = image.decoded(2 * side)
    if (factor := max(picture.size) // (2 * side)) > 1:
        picture = picture.reduce(factor)
    if max(picture.size) > 2 * side * SLACK:
        picture = _scaled(picture, 2 * side / max(picture.size))
    shown = min(1.0, side / max(image.size))
    width, height = (max(1, round(length * shown)) for length in image.size)
    return Thumbnail(_within(picture, most), width, height)


def _scaled(picture: Any, part: float) -> Any:
    return picture.resize([max(1, round(length * part)) for length in picture.size])


def _within(picture: Any, most: int) -> str:
    """As a data URL whose file has at most so many bytes: of lower quality first, then smaller."""
    clear = picture.mode == "RGBA" and picture.getextrema()[3][0] < 255
    if picture.getcolors(FEW_COLOURS):
        made = _made(picture, "webp", lossless=True, quality=60, method=2)
        if len(made) <= most:
            return _data_url(made, "webp")
    format = "webp" if clear else "jpeg"
    picture = picture.convert("RGB") if picture.mode == "RGBA" and not clear else picture
    quality = GOOD
    while len(made := _made(picture, format, quality=quality)) > most and max(picture.size) > 16:
        over = len(made) / most
        if quality == GOOD and over < TIGHT:
            quality = FAIR if over < EASY else POOR
        else:
            picture, quality = _scaled(picture, min(over**-0.5, 0.95)), FAIR
    return _data_url(made, format)


def _made(picture: Any, format: str, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **how)
    return file.getvalue()


def _data_url(content: bytes, format: str) -> str:
    return f"data:image/{format};base64,{base64.b64encode(content).decode()}"


def facts(media: Media, size: tuple[int, int] | None = None, *more: str) -> list[str]:
    """What a caption says: size, what is its own of the kind, format, bytes, where it is saved."""
    sides = f"{size[0]}×{size[1]}" if size else ""
    encoded = media._content is not None or media.path is not None  # pixels in memory are not encoded for a caption
    kept = media.byte_size if encoded else 0
    told = [sides, *more, media.format if encoded else "", size_of(kept) if kept else "", line(media.place, 80)]
    return [fact for fact in told if fact]


def made_of(meta: dict[str, Any]) -> dict[str, str]:
    """What made it, as words: prompt, seed, model and their kin."""
    told = {str(name): value for name, value in meta.items() if name not in UNTOLD}
    plain = {name: line(str(value), MAX_FACT) for name, value in told.items() if isinstance(value, str | int | float)}
    return {name.replace("_", " "): text for name, text in list(plain.items())[:MAX_FACTS] if text}


def spoken(meta: dict[str, str]) -> str:
    """The same on one line of plain text."""
    return " · ".join(f"{name}: {text}" for name, text in meta.items())


def framed(value: Media, draw: Callable[[str], tuple[list[str], str]]) -> Bundle:
    """The card of a picture or a film: `draw` gives its caption and its markup from what it may be called."""
    made, kind = made_of(value.meta), type(value).__name__
    try:
        (told, shown), trouble = draw(made.get("prompt") or value.name), ""
    except QwenError as error:
        told, shown, trouble = facts(value), head(line(value.name, 80)), str(error)
    plain = " · ".join([f"{kind} {line(value.name, 80)}", *told, *([spoken(made)] if made else [])])
    rows = told_of({name: escape(text) for name, text in made.items()})
    html = page(kind.lower(), shown, note(trouble, "bad" if value.loaded else ""), rows, foot(map(escape, told)))
    return {"text/plain": plain + (trouble and f"\n{trouble}"), "text/html": html}


def rest(shown: int, total: int, kinds: str) -> str:
    return f"… {total - shown:,} more {kinds}" if total > shown else ""
