"""What goes into a session, as it goes over the wire: sound in short pieces, pictures as small JPEGs."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from qwenkit.catalogue.realtime import RealtimeFacts
from qwenkit.errors import ConfigError

PIECE_SECONDS = 0.1  # as official samples send it
_SIDES = (1280, 960, 640, 480)  # 720p is advised, 1080p the most; smaller only where the file would be too large
_QUALITIES = (85, 70, 50, 30)
_FILES = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"%PDF")  # no samples
_PICTURES = {
    b"\x89PNG\r\n": "PNG",
    b"GIF8": "GIF",
    **{b"\xff\xd8\xff" + bytes([n]): "JPEG" for n in (0xDB, 0xE0, 0xE1)},
}
_HEADS = tuple(_PICTURES)
_SOUND = r"\.(wav|mp3|flac|ogg|opus|m4a|aac|amr|webm)"
_FILE = re.compile(rf"(?i)^data:audio/|{_SOUND}$|^https?://\S+{_SOUND}[?#]|^\S+\.(png|jpe?g|gif|webp|mp4)$")


class Said(NamedTuple):
    """What a turn is made of: typed words, or sound, and pictures with either."""

    text: str = ""
    pcm: bytes = b""


def said(what: Any, rate_hz: int) -> Said:
    """Words are typed; a recording, samples or bytes are spoken. A path of a sound is that sound."""
    typed = isinstance(what, str) and not _FILE.search(what)
    found = Said(text=what) if typed else Said(pcm=pcm(what, rate_hz))
    if not found.pcm and not found.text.strip():
        raise ConfigError("there is nothing to say", hint='session.say("…") or session.say(qk.Audio.open(path))')
    return found


def pcm(sound: Any, rate_hz: int, files: bool = True) -> bytes:
    """16-bit mono samples at a rate. Bytes are taken as just that, unless they may be a file, and are."""
    if isinstance(sound, bytes | bytearray | memoryview):
        plain = bytes(sound)
        if plain.startswith(_HEADS):
            picture = next(kind for head, kind in _PICTURES.items() if plain.startswith(head))
            hint = "where a model sees, look(picture) shows it"
            raise ConfigError(f"this is a picture ({picture}), no sound", hint=hint)
        if not (files and plain.startswith(_FILES)):
            if len(plain) % 2:
                hint = "a sample has two bytes; keep the last one until the next is there"
                raise ConfigError(f"{len(plain):,} bytes are no 16-bit samples", hint=hint)
            return plain
        sound = plain
    from qwenkit.types.audio import Audio

    audio = Audio.of(sound)
    if not audio.loaded:
        raise ConfigError(f"{audio.called} is only an address", hint="qwen.fetch(qk.Audio.of(url)) brings it here")
    return audio.mono().resampled(rate_hz).pcm16


def loudest(pcm: bytes) -> int:
    """The largest of 16-bit samples."""
    import numpy as np

    samples = np.frombuffer(pcm[: len(pcm) & ~1], "<i2")
    return max(int(samples.max()), -int(samples.min())) if len(samples) else 0


def pieces(data: bytes, rate_hz: int) -> Iterator[bytes]:
    """The sound in pieces of a tenth of a second."""
    size = 2 * int(rate_hz * PIECE_SECONDS)
    return (data[at : at + size] for at in range(0, len(data), size))


def silence(seconds: float, rate_hz: int) -> bytes:
    return bytes(2 * int(rate_hz * seconds))


def jpeg(picture: Any, facts: RealtimeFacts | None) -> bytes:
    """A picture as the service takes it: a JPEG no larger than it may be, no matter how large it was."""
    from qwenkit.types.image import Image

    facts = facts or RealtimeFacts(group="", models=[])
    most = facts.image_kilobytes * 1024 * (3 / 4 if facts.image_base64 else 1)
    image = Image.of(picture)
    if image.loaded and image.format == "jpeg" and image.byte_size <= most and max(image.size) <= _SIDES[0]:
        return image.bytes
    pixels = image.pil.convert("RGB")
    for side in _SIDES:
        if max(pixels.size) > side:
            pixels.thumbnail((side, side))
        for quality in _QUALITIES:
            out = io.BytesIO()
            pixels.save(out, "JPEG", quality=quality)
            if out.tell() <= most:
                return out.getvalue()
    raise ConfigError("this picture cannot be made small enough", hint=f"at most {facts.image_kilobytes} KB, JPEG")
