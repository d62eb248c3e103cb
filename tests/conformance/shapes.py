"""Small pictures and sounds for the official SDKs to send, and how near the vectors of two are."""

from __future__ import annotations

import base64
import io
import wave
from functools import cache


@cache
def png(width: int = 64, height: int = 48, colour: str = "red") -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(made, "PNG")
    return made.getvalue()


@cache
def wav(seconds: float = 1.0) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(b"\0\1" * round(16000 * seconds))
    return made.getvalue()


def uri(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def shown(url: str, **more: str) -> dict[str, object]:
    """A picture as a part of a chat message."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))
