"""Sound in other formats, as streams: what is spoken goes out encoded, Opus that comes in is decoded."""

from __future__ import annotations

import io
import struct
from typing import Any

from qwenkit.sandbox.waves import resampled, samples16

RATES = {"opus": (8000, 16000, 24000, 48000)}  # others take any
_KINDS: dict[str, dict[str, str]] = {
    "mp3": {"format": "MP3", "bitrate_mode": "CONSTANT"},
    "opus": {"format": "OGG", "subtype": "OPUS"},
}


class Encoder:
    """Feed it samples, it gives what it has encoded of them; `finish` gives the rest. All of it is one file."""

    def __init__(self, format: str, rate_hz: int, kbps: int = 128) -> None:
        self._head = wav_head(rate_hz) if format == "wav" else b""
        self._file: Any = None
        self._target, self._given = io.BytesIO(), 0
        if format in _KINDS:
            import soundfile

            options: dict[str, Any] = {**_KINDS[format], "compression_level": _level(format, rate_hz, kbps)}
            self._file = soundfile.SoundFile(self._target, "w", rate_hz, 1, **options)

    def feed(self, pcm: bytes) -> bytes:
        if self._file is None:
            head, self._head = self._head, b""
            return head + pcm
        self._file.buffer_write(pcm, "int16")
        return self._new()

    def finish(self) -> bytes:
        if self._file is not None:
            self._file.close()
        return self._new()

    def _new(self) -> bytes:
        new = bytes(self._target.getbuffer()[self._given :])
        self._given += len(new)
        return new


class Opus:
    """Feed it an Ogg file's bytes as they come. Each time the file so far is read; what is new in it is given."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz, self._bytes, self._given = rate_hz, b"", 0

    def decoded(self, content: bytes) -> bytes:
        import soundfile

        self._bytes += content
        try:
            wave, rate = soundfile.read(io.BytesIO(self._bytes), dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            return b""  # its beginning is not whole yet
        new = samples16(resampled(wave.mean(axis=1), rate, self._rate_hz))[self._given :]
        self._given += len(new)
        return bytes(new.tobytes())


def wav_head(rate_hz: int) -> bytes:
    """The header of a WAV that is as long as it gets."""
    shape = struct.pack("<IHHIIHH", 16, 1, 1, rate_hz, rate_hz * 2, 2, 16)
    return b"RIFF\xff\xff\xff\xffWAVEfmt " + shape + b"data\xff\xff\xff\xff"


def _level(format: str, rate_hz: int, kbps: int) -> float:
    """A bit rate as the share of compression that libsndfile makes it of."""
    least, most = 6, 256
    if format == "mp3":
        least, most = (32, 320) if rate_hz >= 32000 else (8, 160) if rate_hz >= 16000 else (8, 64)
    return min(max((most - kbps) / (most - least), 0.0), 0.99)
