"""Clips from words and pictures: `qwen.videos("…")`."""

from __future__ import annotations

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun


class VideosCalls:
    """The calls of the videos noun, written once for both flavours."""

    _core: Core


class Videos(VideosCalls, SyncNoun):
    """`qwen.videos`"""


class AsyncVideos(VideosCalls, AsyncNoun):
    """`aqwen.videos`"""
