"""Recordings as files: what a header says, the samples in blocks, and the way back into a file.

libsndfile reads and writes wav, flac, ogg, opus, mp3 and a dozen more; PyAV reads what telephones and browsers record
(m4a, aac, amr, webm). A header is a claim: it is checked against bounds before anything is allocated by it, and the
samples are read in blocks, so that a file which promises a thousand hours costs as much as it really holds.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from qwenkit.types.media import problem, sniff
from qwenkit.types.samples import resampled, to_pcm16, widened

Source = Path | bytes
MAX_HOURS = 24
MAX_CHANNELS = 32
RATES_HZ = range(1_000, 768_001)
# One gigabyte of float32: more is read part by part.
MAX_SAMPLES = 1 << 28
BLOCK = 1 << 16
INSTALL = "pip install 'qwenkit[lab]'"

# Extension -> what libsndfile calls it, and the finest kind of sample that plays everywhere.
WRITES = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
}


class Facts(NamedTuple):
    """What a header tells. `frames` is how many instants it lasts."""

    rate_hz: int
    channels: int
    frames: int


def facts(source: Source, name: str = "") -> Facts:
    """What the header says, nothing decoded; a ConfigError when it is no sound or cannot be true."""
    with _opened(source, name) as reader:
        return _believed(reader.facts(), name)


def blocks(source: Source, name: str = "", begin_s: float = 0.0, end_s: float = math.inf) -> Iterator[Any]:
    """The samples from `begin_s` to `end_s` as float32 arrays of at most a second or so, (n, channels) each."""
    with _opened(source, name) as reader:
        rate = _believed(reader.facts(), name).rate_hz
        begin, left = (
            round(begin_s * rate),
            math.inf if end_s == math.inf else round(end_s * rate) - round(begin_s * rate),
        )
        for block in reader.blocks(begin):
            if left <= 0:
                return
            part = block[: int(min(left, len(block)))]
            left -= len(part)
            yield part


def samples(source: Source, name: str = "", begin_s: float = 0.0, end_s: float = math.inf) -> Any:
    """All samples between, in one array; a damaged end is left out, a damaged beginning is an error."""
    import numpy as np

    parts, count = [], 0
    for block in blocks(source, name, begin_s, end_s):
        parts.append(block)
        count += block.size
        if count > MAX_SAMPLES:
            hint = "take a part of it: audio.clip(0, 600)"
            raise problem(f"{name or 'This sound'} is too long to hold in memory at once", hint)
    if not parts:
        return np.zeros(0, np.float32)
    made = np.nan_to_num(np.concatenate(parts), copy=False)  # a file of floats may hold anything
    return made[:, 0] if made.shape[1] == 1 else made


def written(sound: Any, rate_hz: int, kind: str, **how: Any) -> bytes:
    """The samples as a file of this kind; `how` goes to libsndfile (compression_level, bitrate_mode, subtype)."""
    import soundfile

    if kind not in WRITES:
        raise problem(f"Sound is not written as {kind!r}", f"use one of {', '.join(sorted(WRITES))}")
    container, subtype = WRITES[kind]
    if allowed := _ALLOWED.get(kind):
        fits = min((rate for rate in allowed if rate >= rate_hz), default=max(allowed))
        sound, rate_hz = resampled(sound, rate_hz, fits), fits
    if subtype == "PCM_16":
        import numpy as np

        flat = np.frombuffer(to_pcm16(sound), "<i2")
        sound = flat if sound.ndim == 1 else flat.reshape(sound.shape)
    file = io.BytesIO()
    soundfile.write(file, sound, rate_hz, format=container, **{"subtype": subtype, **how})
    return file.getvalue()


_ALLOWED = {
    "ogg": (8000, 12000, 16000, 24000, 48000),
    "mp3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
}


def _believed(told: Facts, name: str) -> Facts:
    rate, channels, frames = told
    if rate not in RATES_HZ or not 1 <= channels <= MAX_CHANNELS:
        raise problem(f"{name or 'This sound'} says it has {channels:,} channels at {rate:,} Hz: no sound has")
    if frames > MAX_HOURS * 3600 * rate:
        raise problem(
            f"{name or 'This sound'} says it lasts {frames / rate / 3600:,.0f} hours; the most is {MAX_HOURS}"
        )
    return told


@contextmanager
def _opened(source: Source, name: str) -> Iterator[Any]:
    """A reader for it: libsndfile's, else PyAV's."""
    import soundfile

    head = source[:64] if isinstance(source, bytes) else _head(source)
    if not head:
        raise problem(f"{name or 'This sound'} is empty: it has no bytes at all")
    try:
        if sniff(head) in _NOT_PLAIN:
            raise TypeError
        file = soundfile.SoundFile(_Bytes(source) if isinstance(source, bytes) else str(source))
    except (soundfile.LibsndfileError, TypeError):  # TypeError: raw data by its file name, too
        with _container(source, name) as other:
            yield other
        return
    with file:
        yield _Plain(file)


# libsndfile takes these for a damaged MP3 and complains on the terminal.
_NOT_PLAIN = ("audio/aac", "audio/mp4", "video/mp4", "audio/amr", "video/3gpp", "video/webm")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


class _Bytes(io.BytesIO):
    """A damaged header can send the reader to before the beginning: it stays where it is, and notices."""

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return self.tell()


class _Plain:
    """libsndfile's view."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def facts(self) -> Facts:
        return Facts(self._file.samplerate, self._file.channels, max(self._file.frames, 0))

    def blocks(self, begin: int) -> Iterator[Any]:
        import soundfile

        # soundfile seeks after every read of a file that can; an MP3 decoder loses its reservoir of bits by that, and
        # each block would begin with a crackle (measured: 0.2 of full scale) and a complaint on the terminal.
        try:
            if self._file.format != "MP3":
                self._file.seek(min(begin, self._file.frames))
                begin = 0
            self._file.seekable = lambda: False
            while len(block := self._file.read(BLOCK, dtype="float32", always_2d=True)):
                if len(block) > begin:
                    yield block[begin:]
                begin = max(begin - len(block), 0)
        except soundfile.LibsndfileError:  # the rest of it is damaged
            return


@contextmanager
def _container(source: Source, name: str) -> Iterator[Any]:
    try:
        import av
    except ImportError:
        hint = f"if it is m4a, aac, amr or webm: {INSTALL}; otherwise save it as wav, mp3, flac or ogg"
        raise problem(f"{name or 'This'} is no sound that libsndfile reads", hint) from None
    try:
        with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as container:
            if not container.streams.audio or container.streams.audio[0].codec_context is None:
                raise problem(f"{name or 'This'} holds no sound")
            yield _Contained(container)
    except (av.FFmpegError, ValueError, OverflowError, IndexError):
        hint = "wav, mp3, flac, ogg, opus, m4a, aac, amr and webm are read; raw PCM by qk.Audio.pcm(data, rate_hz)"
        raise problem(f"{name or 'This'} is no sound, or a damaged one", hint) from None


class _Contained:
    """PyAV's view of the first sound in a container."""

    def __init__(self, container: Any) -> None:
        self._container, self._stream = container, container.streams.audio[0]

    def facts(self) -> Facts:
        stream, container = self._stream, self._container
        rate = stream.codec_context.sample_rate or 0
        known = stream.duration * stream.time_base if stream.duration else None
        if known is None and container.duration:
            known = container.duration / 1_000_000
        if known is None or container.format.name in _GUESSED:
            known = sum(packet.duration or 0 for packet in container.demux(stream)) * stream.time_base
            container.seek(0)
        return Facts(rate, stream.codec_context.channels or 0, max(round(known * rate), 0))

    def blocks(self, begin: int) -> Iterator[Any]:
        import av

        even = av.AudioResampler(format="fltp")
        skipped, channels = begin, self._stream.codec_context.channels
        try:
            for frame in self._container.decode(self._stream):
                for part in even.resample(frame):
                    block = widened(part.to_ndarray().T, channels).reshape(-1, channels)
                    block, skipped = block[skipped:], max(skipped - len(block), 0)
                    if len(block):
                        yield block
        except (av.FFmpegError, ValueError):  # the rest of it is damaged, or of another kind
            return


# Here a duration is guessed from the bit rate: the packets are counted instead, which takes no decoding.
_GUESSED = ("aac", "amr", "loas")
