"""Written words of a recording: `qwen.transcribe(clip)`."""

from __future__ import annotations

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun


class TranscribeCalls:
    """The calls of the transcribe noun, written once for both flavours."""

    _core: Core


class Transcribe(TranscribeCalls, SyncNoun):
    """`qwen.transcribe`"""


class AsyncTranscribe(TranscribeCalls, AsyncNoun):
    """`aqwen.transcribe`"""
