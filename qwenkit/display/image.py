"""The card of a picture: the picture itself, then what it is, what made it and where it is saved."""

from __future__ import annotations

from qwenkit.display.page import Bundle
from qwenkit.display.pictures import facts, framed, thumbnail
from qwenkit.types.image import Image

SIDE = 420  # CSS pixels of the longer side
MAX_BYTES = 70_000


def image(value: Image) -> Bundle:
    return framed(value, lambda title: (facts(value, value.size), _shown(value, title)))


def _shown(value: Image, title: str) -> str:
    return f'<p class="qk-picture">{thumbnail(value, SIDE, MAX_BYTES).tag(title)}</p>'
