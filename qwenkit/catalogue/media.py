"""What may be sent to whom: limits of pictures, films and sounds, by groups of models, from the dated pages.

A group is a row of `data/media.json`. A field that a row leaves out is not known, and nobody checks it. Megabytes are
of 2**20 bytes, as the service's own `10485760` shows.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from qwenkit.catalogue._shelf import read
from qwenkit.catalogue.lineup import Model

MEGABYTE = 2**20


class MediaFacts(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one group of models takes. `…_megabytes` are of a file, `…_inline…` of a data: URI."""

    group: str
    models: list[str]
    image_megabytes: float | None = None
    image_inline_megabytes: float | None = None
    images: int | None = None
    images_inline: int | None = None
    side_min: int | None = None
    side_max: int | None = None
    ratio: float | None = None  # the longer side over the shorter
    image_formats: list[str] = []
    patch: int = 32  # pixels each way that an image token stands for
    pixels_min: int | None = None
    pixels_max: int | None = None  # what a picture is shrunk to, unless asked otherwise
    pixels_most: int | None = None  # and at most
    video_megabytes: float | None = None
    video_inline_megabytes: float | None = None
    videos: int | None = None
    video_seconds_min: float | None = None
    video_seconds: float | None = None
    video_pixels: int = 655360  # of one frame
    total_pixels: int = 67_108_864  # of all frames together
    frames_min: int | None = None
    frames: int | None = None
    audio_megabytes: float | None = None
    audio_inline_megabytes: float | None = None
    audio_seconds_min: float | None = None
    audio_seconds: float | None = None
    audio_formats: list[str] = []
    audios: int | None = None
    audio_tokens: float | None = None  # a second
    notes: str = ""


def media(model: Model | None) -> MediaFacts | None:
    """What is known about sending media to a model; None when nothing is."""
    return _by_model().get(model.line or model.name) if model else None


def image_tokens(width: int, height: int, facts: MediaFacts | None, most: int | None = None) -> int:
    """About how many tokens a picture is, after it has been fitted between the least and the most pixels."""
    patch = facts.patch if facts else 32
    least, usual = (facts.pixels_min, facts.pixels_max) if facts else (None, None)
    pixels = max(1, width * height, least or 0)
    return -(-min(pixels, most or usual or 2621440) // patch**2) + 2


@lru_cache(maxsize=1)
def _by_model() -> dict[str, MediaFacts]:
    return {name: facts for facts in read("media.json", list[MediaFacts]) for name in facts.models}
