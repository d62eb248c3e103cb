"""Pictures from words: `qwen.images("…")`."""

from __future__ import annotations

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun


class ImagesCalls:
    """The calls of the images noun, written once for both flavours."""

    _core: Core


class Images(ImagesCalls, SyncNoun):
    """`qwen.images`"""


class AsyncImages(ImagesCalls, AsyncNoun):
    """`aqwen.images`"""
