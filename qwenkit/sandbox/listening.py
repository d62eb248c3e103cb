"""What can be measured in a sound: where speech is, how loud, how high. And how a sound is decoded in the first place.

`VoiceActivity` is the ear of a realtime session: feed it PCM as it comes, it says when speech started and stopped.
`segments` is the same for a whole recording.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qwenkit.sandbox.waves import floats, resampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwenkit.sandbox.waves import Wave

RATE_HZ = 16000
LONGEST_S = 12 * 3600
_FRAME = 320  # 20 ms
_EDGES_HZ = (100, 400, 700, 1100, 1700, 2500, 3800)  # of the bands that speech is heard in
_RIPPLE_DB = (7.0, 5.5, 5.0, 4.5, 4.0, 3.5)  # how far noise rises above its least; a narrow band is less even
_BANDS_LOUD, _QUIETEST_DB = 3, -68.0  # how many must be loud; no background is quieter
_BLOCK, _BLOCKS, _START_FRAMES = 10, 9, 3
_NOISY, _NOISY_DB = 0.42, 6.0  # what is so flat must stand out further


class Undecodable(ValueError):
    """These bytes are no sound that can be read."""


@dataclass(frozen=True)
class Sound:
    """A decoded recording: mono at 16 kHz to listen to, and what it was."""

    wave: Wave
    rate_hz: int
    channels: int
    format: str
    seconds: float


def decoded(content: bytes) -> Sound:
    """Whatever soundfile reads, else what PyAV reads. Undecodable for the rest."""
    if not content:
        raise Undecodable("the audio is empty")
    try:
        return _by_soundfile(content)
    except (ImportError, OSError, RuntimeError):  # LibsndfileError is a RuntimeError
        return _by_av(content)


def sound_of(pcm: Any, rate_hz: int) -> Sound:
    """Samples (16-bit bytes or array, or floats; one column per channel) as a sound."""
    array = floats(pcm[: len(pcm) // 2 * 2] if isinstance(pcm, bytes | bytearray) else pcm)
    channels = 1 if array.ndim == 1 else array.shape[1]
    return Sound(_heard(array, rate_hz), rate_hz, channels, "pcm", len(array) / rate_hz)


def _heard(array: NDArray[Any], rate_hz: int) -> Wave:
    """One channel at 16 kHz: the mean, unless the channels cancel each other out."""
    import numpy as np

    array = np.clip(np.nan_to_num(array.astype(np.float32)), -8, 8)
    mono = array if array.ndim == 1 else array.mean(axis=1)
    if array.ndim > 1 and array.shape[1] > 1 and len(array):
        powers = np.mean(np.square(array), axis=0)
        if np.mean(np.square(mono)) < 0.1 * powers.max():
            mono = array[:, int(powers.argmax())]
    return resampled(mono, rate_hz, RATE_HZ)


def _by_soundfile(content: bytes) -> Sound:
    import soundfile

    with soundfile.SoundFile(io.BytesIO(content)) as file:
        _check_length(file.frames / file.samplerate)
        array = file.read(dtype="float32")
        seconds = len(array) / file.samplerate
        kind = "opus" if file.subtype == "OPUS" else "mp3" if "MPEG" in file.subtype else file.format.lower()
        return Sound(_heard(array, file.samplerate), file.samplerate, file.channels, kind, seconds)


def _by_av(content: bytes) -> Sound:
    try:
        import av
        import numpy as np
    except ImportError:
        raise Undecodable("the audio cannot be decoded; PyAV reads more formats: pip install 'qwenkit[lab]'") from None
    pieces = []
    try:
        with av.open(io.BytesIO(content), "r") as file:
            if not file.streams.audio:
                raise Undecodable("the file has no audio track")
            track = file.streams.audio[0]
            _check_length((file.duration or 0) / 1e6)
            facts = (track.rate or RATE_HZ, track.channels, file.format.name.split(",")[0])
            change = av.AudioResampler("flt", "mono", RATE_HZ)
            for frame in file.decode(track):
                pieces += [each.to_ndarray().reshape(-1) for each in change.resample(frame)]
            pieces += [each.to_ndarray().reshape(-1) for each in change.resample(None)]
    except (av.FFmpegError, ValueError, EOFError) as problem:
        raise problem if isinstance(problem, Undecodable) else Undecodable("the audio cannot be decoded") from None
    wave = _heard(np.concatenate([np.zeros(0, np.float32), *pieces]), RATE_HZ)
    return Sound(wave, *facts, len(wave) / RATE_HZ)


def _check_length(seconds: float) -> None:
    if seconds > LONGEST_S:
        raise Undecodable(f"the audio lasts {seconds / 3600:.1f} h; {LONGEST_S // 3600} h is the most")


@dataclass(frozen=True)
class Turn:
    """Speech "started" or "stopped" at a time of the stream; a start is `prefix_padding_ms` before its first sound."""

    kind: str
    at_ms: int


class VoiceActivity:
    """Hears where speech starts and stops. Feed it mono PCM of any chunk size.

    Speech stands out of the background in several bands at once, for 60 ms at least, and is not as flat as noise. The
    background of a band is the least that was heard in it lately: a hum that stays is background, a click is too short
    to start speech or to prolong it. `threshold` -1…1 is how far speech must stand out, lower is more sensitive;
    `silence_ms` is how long it must be gone to have stopped.
    """

    def __init__(
        self, threshold: float = 0.5, prefix_padding_ms: int = 300, silence_ms: int = 800, rate_hz: int = RATE_HZ
    ) -> None:
        self._margin = 7 + 4 * min(max(threshold, -1.0), 1.0)
        self._prefix, self._silence, self._rate_hz = prefix_padding_ms, max(silence_ms, 20), rate_hz
        self._rest: Any = None
        self._frames = self._loud = self._quiet = self._last_stop = 0
        self._least: deque[list[float]] = deque(maxlen=_BLOCKS)  # of each block of frames, in each band
        self._noise = [_QUIETEST_DB] * len(_RIPPLE_DB)
        self.speaking = False

    @property
    def quiet_ms(self) -> int:
        """For how long nothing was heard."""
        return self._quiet * 20

    def background(self, wave: Wave) -> None:
        """Know beforehand how quiet it gets, as one does of a recording that begins in the middle of a word."""
        import numpy as np

        size = self._rate_hz // 50
        bands, _ = _measured(wave[: len(wave) // size * size].reshape(-1, size), self._rate_hz)
        self._least.append(np.percentile(bands, 5, axis=0).tolist())

    def feed(self, pcm: Any) -> list[Turn]:
        """16-bit bytes, or an array of int16 or float; what happened in them."""
        import numpy as np

        wave = floats(pcm)
        wave = wave if self._rest is None else np.concatenate([self._rest, wave])
        size = self._rate_hz // 50
        whole = len(wave) // size * size
        self._rest = wave[whole:]
        return list(self._turns(*_measured(wave[:whole].reshape(-1, size), self._rate_hz)))

    def finish(self) -> list[Turn]:
        """The stream is over: speech that goes on stops where it was last heard."""
        if not self.speaking:
            return []
        self.speaking = False
        return [Turn("stopped", (self._frames - (0 if self._loud else self._quiet)) * 20)]

    def _turns(self, bands: list[list[float]], flats: list[float]) -> Iterator[Turn]:
        for levels, flat in zip(bands, flats, strict=True):
            self._frames += 1
            self._loud = self._loud + 1 if self._stands_out(levels, flat) else 0
            self._quiet = 0 if self._loud >= _START_FRAMES else self._quiet + 1
            if not self.speaking and self._loud >= _START_FRAMES:
                self.speaking = True
                yield Turn("started", max((self._frames - self._loud) * 20 - self._prefix, self._last_stop))
            elif self.speaking and self._quiet * 20 >= self._silence:
                self.speaking = False
                self._last_stop = (self._frames - self._quiet) * 20
                yield Turn("stopped", self._last_stop)

    def _stands_out(self, levels: list[float], flat: float) -> bool:
        if self._frames % _BLOCK == 1 or not self._least:
            self._least.append(levels)
        self._least[-1] = list(map(min, self._least[-1], levels))
        noisy, over = flat > _NOISY, []
        for number, (level, *least) in enumerate(zip(levels, *self._least, strict=True)):
            noise = self._noise[number]
            over.append(max(level - max(min(least) + _RIPPLE_DB[number], noise, _QUIETEST_DB), 0.0))
            self._noise[number] += (level - noise) * (0.3 if level < noise else 0.06 if noisy else 0.0)
        loud: float = sum(sorted(over)[-_BANDS_LOUD:]) / _BANDS_LOUD
        return loud > self._margin + (_NOISY_DB if noisy else 0)


def segments(wave: Wave, silence_ms: int = 280, threshold: float = 0.2) -> list[tuple[int, int]]:
    """Where there is speech in a recording at 16 kHz, in ms. However quiet: its loud parts are the measure."""
    import numpy as np

    levels = np.sqrt(np.mean(np.square(wave[: len(wave) // _FRAME * _FRAME].reshape(-1, _FRAME)), axis=1))
    loud = float(np.percentile(levels, 95)) if len(levels) else 0.0
    if loud < 1e-4:
        return []
    wave = wave * np.float32(min(0.1 / loud, 100))
    ear = VoiceActivity(threshold, 0, silence_ms)
    ear.background(wave[: 10 * RATE_HZ])
    turns = [turn for at in range(0, len(wave), RATE_HZ * 60) for turn in ear.feed(wave[at : at + RATE_HZ * 60])]
    times = [turn.at_ms for turn in [*turns, *ear.finish()]]
    return list(zip(times[::2], times[1::2], strict=True))


def _measured(frames: NDArray[Any], rate_hz: int) -> tuple[list[list[float]], list[float]]:
    """Of each frame its level in each band, in dBFS, and its flatness up to 4000 Hz: 1 for a click, 0 for a tone."""
    import numpy as np

    size = frames.shape[1]
    window = np.hanning(size).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2 + 1e-12
    edges = [hertz * size // rate_hz for hertz in _EDGES_HZ]
    sums = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    levels = 10 * np.log10(sums * (2 / size / float(np.sum(np.square(window)))))
    band = power[:, max(100 * size // rate_hz, 1) : min(4000 * size // rate_hz, size // 2)]
    flat = np.exp(np.mean(np.log(band), axis=1)) / np.mean(band, axis=1)
    return levels.tolist(), flat.tolist()


def pitch(wave: Wave, most_frames: int = 1500) -> float:
    """The median pitch of what is voiced, in Hz; 0 when nothing is. By normalised autocorrelation."""
    import numpy as np

    size, hop = 640, 320
    if len(wave) < size:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop]
    frames = frames[:: max(len(frames) // most_frames, 1)]
    energy = np.mean(np.square(frames), axis=1)
    frames = frames[energy > max(float(energy.max()) * 0.03, 1e-7)]
    if not len(frames):
        return 0.0
    spectrum = np.fft.rfft(frames - frames.mean(axis=1, keepdims=True), 2048, axis=1)
    likeness = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, : size // 2]
    likeness /= likeness[:, :1] * (1 - np.arange(size // 2) / size) + 1e-9
    low, high = RATE_HZ // 420, RATE_HZ // 60
    lags = _first_peaks(likeness[:, low - 1 : high + 1]) + low
    voiced = likeness[np.arange(len(lags)), np.round(lags).astype(int)] > 0.6
    return round(float(RATE_HZ / np.median(lags[voiced])), 1) if voiced.sum() >= 3 else 0.0


def _first_peaks(rows: NDArray[Any]) -> NDArray[Any]:
    """In each row the first peak nearly as high as the highest, between the samples; counted from the second column."""
    import numpy as np

    middle, left, right = rows[:, 1:-1], rows[:, :-2], rows[:, 2:]
    peaks = (middle >= left) & (middle > right) & (middle > 0.85 * middle.max(axis=1, keepdims=True))
    at = np.argmax(peaks, axis=1)
    every = np.arange(len(rows))
    bend = left[every, at] - 2 * middle[every, at] + right[every, at]
    shift = 0.5 * (left[every, at] - right[every, at]) / np.where(np.abs(bend) > 1e-9, bend, 1)
    return np.asarray(at + np.clip(shift, -0.5, 0.5))
