"""Sound as a value: from a file, bytes, an array with its rate, raw PCM or an address; decoded when first needed.

How long it is, its rate and its channels come from the header; the samples (`array`, float32) are read on demand and
a part of a long recording (`clip`) without the rest of it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

from qwenkit.types import recording, samples
from qwenkit.types.media import Media, problem, sniff

_FILES = (b"RIFF", b"fLaC", b"OggS", b"ID3")  # other bytes that come with a rate are samples, whatever they look like
_OTHER = ("image/", "application/", "text/")
# Facts a part of a recording or a joined one keeps when all of them agree.
_KEPT = ("voice", "model", "language", "instructions")


class Envelope(NamedTuple):
    """The outline of a sound: lowest and highest value of each column, and its level against full scale."""

    low: Any
    high: Any
    level_db: float


class Audio(Media):
    """A sound. `Audio.open(path)`, `Audio.of(anything)`, `Audio(array, rate_hz=24000)`, `Audio.pcm(data, 24000)`."""

    noun: ClassVar[str] = "sound"
    family: ClassVar[str] = "audio"

    def __init__(
        self, content: Any = None, rate_hz: int = 0, *, path: Path | None = None, url: str = "", **facts: Any
    ) -> None:
        self._sound: Any = None
        self._told: recording.Facts | None = None
        self._outline: dict[int, Envelope] = {}
        if isinstance(content, bytearray | memoryview):
            content = bytes(content)
        if isinstance(content, str | os.PathLike):
            raise problem("a sound is made of bytes or samples here", "qk.Audio.open(path) reads a file")
        if isinstance(content, bytes) and rate_hz and not content.startswith(_FILES):
            content = samples.from_pcm16(content)
        raw = content is None or isinstance(content, bytes)
        super().__init__(content if raw else None, path=path, url=url, **facts)
        if not raw:
            self._hold(content, rate_hz)

    @classmethod
    def open(cls, path: str | os.PathLike[str], **facts: Any) -> Self:
        """A local file. Its first bytes are looked at, the rest is read when it is first needed."""
        found = super().open(path, **facts)
        if (kind := sniff(found.head)).startswith(_OTHER):
            raise problem(f"{found.called} holds no sound, it is {kind}", "WAV, MP3, FLAC, OGG, … hold some")
        return found

    @classmethod
    def pcm(cls, data: bytes, rate_hz: int, channels: int = 1, **facts: Any) -> Self:
        """Raw 16-bit little-endian samples, channels interleaved, as services stream them."""
        if channels not in range(1, recording.MAX_CHANNELS + 1):
            raise problem(f"sound cannot have {channels!r} channels", "1 is mono, 2 is stereo")
        return cls(samples.from_pcm16(data, channels), rate_hz, **facts)

    @classmethod
    def _taken(cls, value: Any, facts: dict[str, Any]) -> Self:
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], int):
            value, facts = value[0], {**facts, "rate_hz": value[1]}
        if hasattr(value, "__array__") or isinstance(value, list | tuple):
            return cls(value, **facts)
        return super()._taken(value, facts)

    def _hold(self, array: Any, rate_hz: int) -> None:
        if rate_hz not in recording.RATES_HZ:
            raise problem("an array of samples needs its rate", "qk.Audio(array, rate_hz=24000)")
        if holes := _holes(array):
            raise problem(f"{holes:,} of the samples are NaN", "numpy.nan_to_num(array) makes them silence")
        try:
            self._sound = samples.from_array(array)
        except (ValueError, TypeError) as wrong:
            raise problem(f"this is no sound: {wrong}", "float samples in -1..1, or integers") from None
        channels = self._sound.shape[1] if self._sound.ndim > 1 else 1
        self._told = recording.Facts(int(rate_hz), channels, len(self._sound))

    @property
    def loaded(self) -> bool:
        return self._sound is not None or super().loaded

    @property
    def _made(self) -> bool:
        """Whether it is samples alone, in no file that is still there."""
        file = self.path is not None and self.path.is_file()
        return self._content is None and not file and self._sound is not None

    @property
    def media_type(self) -> str:
        return "audio/wav" if self._made else super().media_type

    def _read(self, most: int = -1) -> bytes:
        return recording.written(self._sound, self.rate_hz, "wav") if self._made else super()._read(most)

    def _converted(self, format: str) -> bytes:
        return recording.written(self.array, self.rate_hz, format)

    def fill(self, content: bytes) -> Self:
        self._sound, self._told = None, None
        self._outline.clear()
        return super().fill(content)

    @property
    def _facts(self) -> recording.Facts:
        if self._told is None:
            self._told = recording.facts(self._source, self.name)
        return self._told

    @property
    def rate_hz(self) -> int:
        return self._facts.rate_hz

    @property
    def channels(self) -> int:
        return self._facts.channels

    @property
    def duration(self) -> float:
        """Seconds, as the header says; of what was decoded once it was."""
        return self._facts.frames / self._facts.rate_hz

    @property
    def array(self) -> Any:
        """The samples as float32 in -1..1: (n,) for one channel, (n, channels) for more."""
        if self._sound is None:
            rate, channels, _ = self._facts
            self._sound = recording.samples(self._source, self.name)
            if not len(self._sound) and self._facts.frames:
                raise problem(f"{self.name} is damaged: nothing of it can be decoded")
            self._told = recording.Facts(rate, channels, len(self._sound))
        return self._sound

    @property
    def text(self) -> str:
        """What is said in it, when whoever made it told so."""
        return str(self.meta.get("text") or "")

    @property
    def voice(self) -> str:
        """Whose voice it is, when whoever made it told so."""
        return str(self.meta.get("voice") or "")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.array.copy() if dtype is None else self.array.astype(dtype)

    def _recalled(self, path: Path) -> dict[str, Any]:
        """Of spoken words the prompt is what is said."""
        told = super()._recalled(path)
        return {"text": told.pop("prompt"), **told} if "prompt" in told else told

    @property
    def pcm16(self) -> bytes:
        """The samples as raw 16-bit little-endian PCM, channels interleaved."""
        return samples.to_pcm16(self.array)

    def mono(self) -> Audio:
        """The same with its channels averaged into one."""
        return self if self.channels == 1 else self._like(samples.widened(self.array, 1), self.rate_hz)

    def resampled(self, rate_hz: int) -> Audio:
        """The same at another rate, band-limited."""
        if rate_hz not in recording.RATES_HZ:
            raise problem(f"{rate_hz!r} is no rate for sound", "16000 and 24000 are common, in Hz")
        return self if rate_hz == self.rate_hz else self._like(self._at(int(rate_hz)), rate_hz)

    def clip(self, begin_s: float = 0.0, end_s: float = math.inf) -> Audio:
        """The part between two moments, in seconds; of a long recording only that part is read."""
        if not all(isinstance(each, Real) for each in (begin_s, end_s)) or not 0 <= begin_s < end_s:
            raise problem(f"a part from {begin_s!r:.20} s to {end_s!r:.20} s is none", "audio.clip(1.5, 4)")
        if self._sound is None:
            return self._like(recording.samples(self._source, self.name, begin_s, end_s), self.rate_hz)
        last = len(self._sound) if end_s == math.inf else round(end_s * self.rate_hz)
        return self._like(self._sound[round(begin_s * self.rate_hz) : last], self.rate_hz)

    @classmethod
    def join(cls, parts: Iterable[Any], gap_s: float = 0.0, fade_s: float = 0.005) -> Audio:
        """One after the other without clicks, at the highest of their rates; what all of them say, kept."""
        given = [cls.of(part) for part in parts]
        if not given:
            raise problem("there is nothing to join", "qk.Audio.join([first, second])")
        if not (0 <= gap_s < math.inf and 0 <= fade_s < math.inf):
            raise problem(f"gap_s={gap_s!r} and fade_s={fade_s!r} are no lengths", "seconds, from 0 on")
        rate, channels = max(part.rate_hz for part in given), max(part.channels for part in given)
        sounds = [samples.widened(part._at(rate), channels) for part in given]
        facts = {key: given[0].meta[key] for key in _KEPT if len({str(part.meta.get(key)) for part in given}) == 1
                 and key in given[0].meta}  # fmt: skip
        if text := " ".join(part.text for part in given if part.text):
            facts["text"] = text
        return cls(samples.joined(sounds, rate, gap_s, fade_s), rate, **facts)

    def envelope(self, columns: int) -> Envelope:
        """Its outline in so many columns, read in blocks and never held whole."""
        if columns not in self._outline:
            self._outline[columns] = _outline(self._blocks(), self._facts.frames, columns)
        return self._outline[columns]

    def _blocks(self) -> Iterator[Any]:
        if self._sound is None:
            return recording.blocks(self._source, self.name)
        sound = self._sound if self._sound.ndim > 1 else self._sound[:, None]
        return (sound[at : at + recording.BLOCK] for at in range(0, len(sound), recording.BLOCK))

    def _at(self, rate_hz: int) -> Any:
        return samples.resampled(self.array, self.rate_hz, rate_hz)

    def _like(self, sound: Any, rate_hz: int) -> Audio:
        return Audio(sound, rate_hz, **{key: value for key, value in self.meta.items() if key in _KEPT})

    def __repr__(self) -> str:
        try:
            kind = {1: "mono", 2: "stereo"}.get(self.channels, f"{self.channels} channels")
            named = f"{self.name!r}, " if self.path or self.url else ""
            return f"Audio({named}{self.duration:.2f} s, {self.rate_hz:,} Hz {kind})"
        except Exception:  # not here yet, or no sound at all: the name is all there is
            return super().__repr__()


def _holes(array: Any) -> int:
    """How many of its samples are no number."""
    import numpy as np

    try:
        given = np.asarray(array)
        return int(np.isnan(given).sum()) if given.dtype.kind == "f" else 0
    except (ValueError, TypeError):  # no array at all: told by who makes samples of it
        return 0


def _outline(blocks: Iterator[Any], frames: int, columns: int) -> Envelope:
    import numpy as np

    low, high, at, power = np.zeros(columns, np.float32), np.zeros(columns, np.float32), 0, 0.0
    frames = max(frames, 1)
    for block in blocks:
        first, last = (min(place * columns // frames, columns - 1) for place in (at, at + len(block) - 1))
        hit = np.arange(first, last + 1)
        starts = np.clip(-(-hit * frames // columns) - at, 0, len(block) - 1)
        down, up = (block[:, 0], block[:, 0]) if block.shape[1] == 1 else (block.min(axis=1), block.max(axis=1))
        low[hit] = np.minimum(low[hit], np.minimum.reduceat(down, starts))
        high[hit] = np.maximum(high[hit], np.maximum.reduceat(up, starts))
        power += float(np.vdot(block, block)) / block.shape[1]
        at += len(block)
    return Envelope(low, high, 10 * math.log10(max(power / max(at, 1), 1e-12)))
