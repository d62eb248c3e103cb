"""Small pictures, sounds and films of exact size, length or weight, for tests that stand at a limit."""

from __future__ import annotations

import base64
import io
import wave
from functools import cache


@cache
def png(width: int = 64, height: int = 48, colour: str = "red", weight: int = 0) -> bytes:
    """A picture; with a weight it has exactly so many bytes, the rest behind its end."""
    return image("PNG", width, height, colour).ljust(weight, b"\0")


@cache
def image(form: str, width: int = 64, height: int = 48, colour: str = "red") -> bytes:
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(made, form)
    return made.getvalue()


@cache
def wav(seconds: float = 1.0, rate_hz: int = 8000) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(rate_hz)
        sound.writeframes(b"\x80" * round(seconds * rate_hz))
    return made.getvalue()


@cache
def mp4(seconds: int = 2) -> bytes:
    """A film of so many seconds; between its first frame and its last there is nothing."""
    import av
    import numpy as np

    made = io.BytesIO()
    with av.open(made, "w", "mp4") as film:
        stream = film.add_stream("mpeg4", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for at in sorted({0, seconds - 1}):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), "uint8"), "rgb24")
            frame.pts = at
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return made.getvalue()


def uri(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
