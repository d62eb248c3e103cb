"""Answers that are spoken: what `speak=` asks for, and the sound that comes back in a stream.

The service speaks only in streams, and not while it thinks. Its sound is base64 text that is cut anywhere: pieces are
joined before they are decoded. What comes out is raw 16-bit PCM, whole samples at a time; a RIFF header, which the
asked for format would have and the service does not send, is taken off where there is one.
"""

from __future__ import annotations

import binascii
import struct
from difflib import get_close_matches
from io import BytesIO
from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.errors import ConfigError
from qwenkit.types.audio import Audio

RATE_HZ = 24_000
# A header that is longer is none.
_MOST_HEADER = 4096
_THINKS = ("enable_thinking", "thinking_budget", "reasoning_effort")


def fit(named: str, usual: str, speak: Any) -> str:
    """The model: the one that is named, else the usual one if it speaks, else the default that does."""
    return named or (usual if not speak or _speaks(catalogue.model(usual)) else catalogue.DEFAULTS["omni"])


def ask(wire: dict[str, Any], speak: Any) -> None:
    """Put what `speak` means into a body, or raise when its model cannot, as far as that is known."""
    if not speak:
        return
    model, facts = wire["model"], catalogue.model(wire["model"])
    if facts is not None and not _speaks(facts):
        able = [catalogue.DEFAULTS["omni"], *(each.name for each in catalogue.models() if _speaks(each))]
        hint = f"use one that does: {', '.join(dict.fromkeys(able))}; qwen.speech(…) reads a finished text aloud"
        raise ConfigError(f"{model} answers in text only", hint=hint)
    if wire.get("enable_thinking") or (wire.get("enable_thinking") is None and any(wire.get(n) for n in _THINKS[1:])):
        raise ConfigError(f"{model} does not speak while it thinks", hint="leave thinking out, or ask without speak")
    given = wire.get("audio")
    wire["modalities"] = wire.get("modalities") or ["text", "audio"]
    wire["audio"] = {"voice": voice(model, facts, speak), "format": "wav", **(given if isinstance(given, dict) else {})}


def _speaks(facts: Model | None) -> bool:
    return facts is not None and facts.family == "omni" and "A" in facts.outputs


def voice(model: str, facts: Model | None, speak: Any) -> str:
    """The name of a voice that this model has; True means its usual one."""
    known = [each.name for each in catalogue.voices(model)]
    name = getattr(speak, "name", speak)
    if speak is True:
        return (facts.default_voice if facts else "") or "Cherry"
    if not isinstance(name, str) or not name:
        raise ConfigError(
            f"speak cannot be {name!r:.60}", hint='name a voice: speak="Cherry", or True for the usual one'
        )
    if not known or name in known:
        return name
    near = {each.lower(): each for each in known}
    meant = get_close_matches(name.lower(), near, 1, 0.6)
    hint = f"did you mean {near[meant[0]]!r}?" if meant else f"it has {', '.join(known[:8])}, …"
    raise ConfigError(f"{model} has no voice {name!r}", hint=hint)


class Sound:
    """The sound of one answer as it grows."""

    __slots__ = ("_begun", "_odd", "_pcm", "_text")

    def __init__(self) -> None:
        self._text = ""  # base64 that is not a whole number of bytes yet
        self._odd = b""  # bytes that are no whole sample yet, or may belong to a header
        self._begun = False
        self._pcm = BytesIO()

    def add(self, data: str) -> bytes:
        """The whole samples that this piece completes."""
        self._text += data
        decoded = b""
        while self._text:  # padding ends a part that was encoded on its own
            end = self._text.find("=")
            cut = len(self._text) // 4 * 4 if end < 0 else -(-(end + 1) // 4) * 4
            if not cut or cut > len(self._text):
                break
            decoded += _bytes(self._text[:cut])
            self._text = self._text[cut:]
        return self._samples(decoded)

    def _samples(self, decoded: bytes) -> bytes:
        news = self._odd + decoded
        if not self._begun:
            if len(news) < 4 or (news.startswith(b"RIFF") and not _whole_header(news)):
                self._odd = news
                return b""
            news, self._begun = _headless(news), True
        even = len(news) // 2 * 2
        self._odd = news[even:]
        self._pcm.write(news[:even])
        return news[:even]

    def audio(self, **facts: Any) -> Audio:
        """All of it so far, as a sound. The samples are not looked at for that."""
        pcm = self._pcm.getvalue()
        return Audio(_header(len(pcm)) + pcm, **facts)


def _bytes(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:  # a damaged piece is silence nobody hears
        return b""


def _whole_header(data: bytes) -> bool:
    return 0 <= data.find(b"data") <= len(data) - 8 or len(data) > _MOST_HEADER


def _headless(data: bytes) -> bytes:
    at = data.find(b"data", 0, _MOST_HEADER) if data.startswith(b"RIFF") else -1
    return data[at + 8 :] if at >= 0 else data


def _header(size: int) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE_HZ, RATE_HZ * 2, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)
