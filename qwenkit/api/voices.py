"""Voices of your own, cloned from a sample or designed in words."""

from __future__ import annotations

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun


class VoicesCalls:
    """The calls of the voices noun, written once for both flavours."""

    _core: Core


class Voices(VoicesCalls, SyncNoun):
    """`qwen.voices`"""


class AsyncVoices(VoicesCalls, AsyncNoun):
    """`aqwen.voices`"""
