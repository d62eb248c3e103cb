"""Spoken words: `qwen.speech("…")`."""

from __future__ import annotations

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun


class SpeechCalls:
    """The calls of the speech noun, written once for both flavours."""

    _core: Core


class Speech(SpeechCalls, SyncNoun):
    """`qwen.speech`"""


class AsyncSpeech(SpeechCalls, AsyncNoun):
    """`aqwen.speech`"""
