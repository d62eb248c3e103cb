"""What a session hears: where speech starts and stops, and the sound between.

    ear = Ear(rate_hz=16000)
    ear.listen({"type": "server_vad", "threshold": 0.5})     as turn_detection says; None for manual mode
    for turn in ear.feed(pcm): …                             "started", "stopped"; what stopped comes as turn.clip
    clip = ear.commit()                                      what a client commits in manual mode

Positions are ms of the session. Words are `hearing.listen`'s, for `(clip.pcm, clip.rate_hz)`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from qwenkit.sandbox.listening import VoiceActivity
from qwenkit.sandbox.realtime.wrong import Wrong
from qwenkit.sandbox.waves import floats, samples16

SLICE_S = 0.1  # a long append is heard in such steps, so that one append may hold several utterances
TINY_S = 0.1  # of a commit
MOST_S = 1200  # of sound that waits for its commit; the oldest is forgotten
PREFIX_MS, SILENCE_MS, THRESHOLD = 300, 800, 0.5
PAUSE_MS = 240  # within speech: a sentence may have ended
PREVIEW_S = 15.0  # of speech that is heard again at every pause


class Clip(NamedTuple):
    """Sound of a session: 16-bit mono, and where it began."""

    pcm: bytes
    rate_hz: int
    begin_ms: int

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / self.rate_hz


class Turn(NamedTuple):
    """Speech "started" or "stopped"; what stopped comes with its sound.

    An ear with `pauses` also tells when speech has "paused", with the sound so far.
    """

    kind: str
    at_ms: int
    clip: Clip | None = None


class Ear:
    """The input buffer of one session. Feed it what arrives; it keeps what a commit would take."""

    def __init__(self, rate_hz: int = 16000, channels: int = 1, *, pauses: bool = False) -> None:
        self.rate_hz, self.channels = rate_hz, channels
        self._pauses, self._paused = pauses, False
        self._kept = bytearray()  # mono, at the rate it came
        self._begin = 0  # the sample of the session that _kept begins with
        self._rest = b""  # half a frame, until its other half comes
        self._activity: VoiceActivity | None = None
        self._offset_ms = self._prefix = 0  # when the activity began to listen

    @property
    def speaking(self) -> bool:
        return self._activity is not None and self._activity.speaking

    @property
    def quiet_ms(self) -> int:
        """For how long nothing was heard."""
        return self._activity.quiet_ms if self._activity else 0

    @property
    def seconds(self) -> float:
        """How much sound a commit would take."""
        return len(self._kept) / 2 / self.rate_hz

    @property
    def at_ms(self) -> int:
        """How much sound the session has heard."""
        return (self._begin + len(self._kept) // 2) * 1000 // self.rate_hz

    def listen(self, detection: Mapping[str, Any] | None) -> None:
        """Listen for speech as `turn_detection` says; None to leave that to the client. Speech that goes on is kept."""
        self._activity = None
        if detection is not None:
            told = {name: value for name, value in detection.items() if value is not None}
            self._prefix, self._offset_ms = told.get("prefix_padding_ms", PREFIX_MS), self.at_ms
            silence, threshold = told.get("silence_duration_ms", SILENCE_MS), told.get("threshold", THRESHOLD)
            self._activity = VoiceActivity(threshold, self._prefix, silence, self.rate_hz)

    def feed(self, content: bytes) -> Iterator[Turn]:
        """Hear some sound; what happened in it, in order."""
        pcm, step = self._mono(content), int(self.rate_hz * SLICE_S) * 2
        for at in range(0, len(pcm), step):
            self._kept += pcm[at : at + step]
            most: float = MOST_S
            if self._activity is not None:
                yield from self._noticed(self._activity, pcm[at : at + step])
                most = MOST_S if self._activity.speaking else self._prefix / 1000 + 1
            self._drop(max(len(self._kept) // 2 - int(most * self.rate_hz), 0))

    def commit(self) -> Clip:
        """What a client commits by hand; Wrong where that is not its part, or where there is too little."""
        if self._activity is not None:
            raise Wrong("Internal service error: null", code="")
        if self.seconds < TINY_S:
            raise Wrong("Error committing input audio buffer: buffer too small, or have no audio.", code="")
        return self.take()

    def take(self) -> Clip:
        """Everything that waits for a commit; the buffer is empty afterwards."""
        clip = self._clip()
        self._drop(len(self._kept) // 2)
        return clip

    def finish(self) -> Turn | None:
        """No more sound will come: speech that goes on ends here."""
        ends = self._activity.finish() if self._activity else []
        return Turn("stopped", self._offset_ms + ends[0].at_ms, self.take()) if ends else None

    def clear(self) -> None:
        """Forget what waits for a commit, and the speech that was going on."""
        self.finish()
        self.take()

    def _noticed(self, activity: VoiceActivity, pcm: bytes) -> Iterator[Turn]:
        for turn in activity.feed(pcm):
            yield Turn(turn.kind, self._offset_ms + turn.at_ms, self.take() if turn.kind == "stopped" else None)
        before, self._paused = self._paused, activity.speaking and activity.quiet_ms >= PAUSE_MS
        if self._pauses and self._paused and not before and self.seconds <= PREVIEW_S:
            yield Turn("paused", self.at_ms, self._clip())

    def _clip(self) -> Clip:
        return Clip(bytes(self._kept), self.rate_hz, self._begin * 1000 // self.rate_hz)

    def _drop(self, samples: int) -> None:
        del self._kept[: samples * 2]
        self._begin += samples

    def _mono(self, content: bytes) -> bytes:
        """16-bit mono of what came: without a WAV's header, whole samples, channels folded into one."""
        content = self._rest + _bare(content)
        whole = len(content) // (2 * self.channels) * 2 * self.channels
        content, self._rest = content[:whole], content[whole:]
        if self.channels == 1:
            return content
        return bytes(samples16(floats(content).reshape(-1, self.channels).mean(axis=1)).tobytes())


def _bare(content: bytes) -> bytes:
    """PCM without the header that a WAV has, once or on every chunk."""
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        return content
    at = content.find(b"data", 12)
    return content[at + 8 :] if at > 0 else content
