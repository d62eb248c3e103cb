"""Speaking, writing down and translating over a socket: events in, pieces and values out, without I/O.

A fold makes of a session's events what a call without a socket gives: `Spoken`, `Transcript`, `Translation`. A session
may hold several responses, and only `session.finished` is its end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from math import ceil
from typing import Any, Generic, TypeVar

import msgspec

from qwenkit.catalogue.realtime import INPUT_HZ, OUTPUT_HZ
from qwenkit.protocol import speech
from qwenkit.protocol.folding import MOST_EVENTS
from qwenkit.protocol.realtime.live_settings import Asked
from qwenkit.types import realtime as wire
from qwenkit.types.audio import Audio
from qwenkit.types.live import Heard, Translated, Translation
from qwenkit.types.reply import Choice, Receipt
from qwenkit.types.transcript import Sentence, Transcript
from qwenkit.types.usage import Usage
from qwenkit.types.voices import SpeechPiece, Spoken

Piece = TypeVar("Piece")
Result = TypeVar("Result")
MOST_PIECES = 20_000  # half an hour of sound; the reply has what is older
MOST_SOUND_MS = 600_000  # of what was sent; a transcript of more has no sound to play
_PLAIN = ("pcm", "wav")  # formats whose bytes are samples as they come


class LiveFold(ABC, Generic[Piece, Result]):
    """Events of one session in, pieces out, and everything so far as one value at any time."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.pieces: deque[Piece] = deque(maxlen=MOST_PIECES)  # that nobody has read yet
        self.errors: deque[wire.ErrorEvent] = deque()  # that nobody was told of yet
        self.finished = False  # the service has said everything
        self.session_id = ""
        self.usage: Usage | None = None
        self.input_hz, self.output_hz = INPUT_HZ, OUTPUT_HZ
        self._sources: list[bytes] = []

    def add(self, event: wire.Event) -> None:
        """Fold an event in; its pieces are in `pieces` then."""
        if event.source and not isinstance(event, wire.AudioEvent) and len(self._sources) < MOST_EVENTS:
            self._sources.append(event.source)
        if isinstance(event, wire.SessionEvent):
            self.session_id = self.session_id or event.id
            self.finished = self.finished or event.type == "session.finished"
        if isinstance(event, wire.ErrorEvent):
            self.errors.append(event)
        if isinstance(event, wire.ResponseEvent) and event.ended:
            self.usage = speech.total([self.usage, event.usage])
            if event.status == "failed" and not self.errors:
                error = {"type": "server_error", "message": event.problem or "the response failed"}
                source = msgspec.json.encode({"error": error})
                self.errors.append(wire.ErrorEvent(type="error", error=error, source=source))
        read = getattr(self, f"on_{event.family}", None)
        if read is not None:
            self.pieces.extend(read(event) or ())

    @property
    def current(self) -> Result:
        """What there is when something goes wrong."""
        return self.reply()

    @abstractmethod
    def reply(self) -> Result:
        """Everything so far."""

    def _facts(self, text: str) -> dict[str, Any]:
        """What replies of every kind know."""
        return {
            "choices": [Choice(text=text, finish_reason="stop" if self.finished else None)],
            "model": self.asked.model,
            "usage": self.usage,
            "receipt": self._receipt,
            "events": list(self._sources),
        }

    @property
    def _receipt(self) -> Receipt:
        return Receipt(model=self.asked.model, request_id=self.session_id, streamed=True)


class SpeakingFold(LiveFold[SpeechPiece, Spoken]):
    """Speech. Of several responses one sound is made; what is compressed is decoded when it is whole."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._said: list[str] = []  # texts that will be spoken
        self._held: list[str] = []  # those that clear() takes back
        self._takes: list[bytearray] = [bytearray()]
        self._packed = asked.session.get("response_format") not in _PLAIN
        self._decides = asked.session.get("mode") != "commit"

    def wrote(self, text: str) -> None:
        self._held.append(text)

    def committed(self, gap: str = " ") -> None:
        self._said, self._held = [*self._said, *self._held, gap], []

    def cleared(self) -> None:
        self._held = []

    def on_buffer(self, event: wire.BufferEvent) -> None:
        if event.committed and self._decides:
            self.committed("")

    def on_audio(self, event: wire.AudioEvent) -> list[SpeechPiece]:
        new = _grown(self._takes[-1], event.pcm)
        if self._packed:
            return [SpeechPiece(packed=event.pcm, rate_hz=self.output_hz)] if event.pcm else []
        return [SpeechPiece(new, self.output_hz)] if new else []

    def on_response(self, event: wire.ResponseEvent) -> list[SpeechPiece] | None:
        if not event.ended:
            return None
        if self._packed and self._takes[-1]:
            self._takes.append(bytearray())
        return [SpeechPiece(rate_hz=self.output_hz, finish_reason=event.status or "completed", usage=event.usage)]

    def reply(self) -> Spoken:
        about = {"text": "".join([*self._said, *self._held]).strip(), **self.asked.about}
        takes = [bytes(take) for take in self._takes if take]
        if not self._packed:
            whole = Spoken.pcm(b"".join(takes), self.output_hz, **about)
        elif len(takes) == 1:
            whole = Spoken(takes[0], **about)
        else:
            joined = Audio.join([Audio(take) for take in takes]) if takes else Audio.pcm(b"", self.output_hz)
            whole = Spoken(joined.array, joined.rate_hz, **about)
        whole.usage, whole.receipt, whole.bodies = self.usage, self._receipt, list(self._sources)
        return whole


class HearingFold(LiveFold[Piece, Result]):
    """What is heard, sentence by sentence; where one begins and ends comes from events of their own."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self.sent_ms = 0.0
        self._sound = bytearray()
        self._marks: list[tuple[float, float]] = []  # what was committed by hand, and is not confirmed yet
        self._from = 0.0
        self._spans: dict[str, list[float | None]] = {}
        self._heard: dict[str, Heard] = {}

    def sent(self, pcm: bytes) -> None:
        self.sent_ms += len(pcm) / 2 / self.input_hz * 1000
        if self.sent_ms <= MOST_SOUND_MS:
            self._sound += pcm

    def committed(self) -> None:
        if self.sent_ms > self._from:  # else it will be refused
            self._marks.append((self._from, self.sent_ms))
        self._from = self.sent_ms

    def cleared(self) -> None:
        self._from = self.sent_ms

    def on_speech(self, event: wire.SpeechEvent) -> None:
        """Some translators do not say which item it is: then the order tells."""
        if event.started:
            self._spans.setdefault(event.item_id or f" {len(self._spans)}", [event.at_ms, None])
        elif self._spans:
            self._spans[event.item_id if event.item_id in self._spans else next(reversed(self._spans))][1] = event.at_ms

    def on_buffer(self, event: wire.BufferEvent) -> None:
        if event.committed and self._marks:
            self._spans.setdefault(event.item_id or f" {len(self._spans)}", list(self._marks.pop(0)))

    def _understood(self, event: wire.HeardEvent) -> Heard:
        if event.item_id not in self._spans and (nameless := [key for key in self._spans if key[:1] == " "]):
            self._spans[event.item_id] = self._spans.pop(nameless[0])
        begin, end = self._spans.get(event.item_id, (None, None))
        before = self._heard.get(event.item_id, Heard())
        heard = Heard(
            event.text,
            event.final or event.failed,
            event.language or before.language,
            event.emotion or before.emotion,
            None if begin is None else round(begin),
            None if end is None else round(end),
            event.item_id,
            (wire.text_in(event.error, "message") or "it could not be written down") if event.failed else "",
        )
        self._heard[event.item_id] = heard
        return heard

    def transcript(self) -> Transcript:
        """Every sentence so far; a preview only while nothing better has come."""
        heard = [each for each in list(self._heard.values()) if each.text]
        text = "".join(each.text if each.text[:1] > "⺀" else f" {each.text}" for each in heard).strip()
        end = round(self.sent_ms)
        sentences = [
            Sentence(each.begin_ms or 0, each.end_ms or end, each.text, emotion=each.emotion, language=each.language)
            for each in heard
        ]
        whole = self.finished and 0 < self.sent_ms <= MOST_SOUND_MS
        return Transcript(
            audio=Audio.pcm(bytes(self._sound), self.input_hz) if whole else None,
            sentences=sentences,
            language=_usual([each.language for each in heard]),
            emotion=_usual([each.emotion for each in heard]),
            length=self.sent_ms / 1000,
            **self._facts(text),
        )


class TranscribingFold(HearingFold[Heard, Transcript]):
    """Speech that is written down. It is paid by the seconds that were sent, which nobody tells."""

    def sent(self, pcm: bytes) -> None:
        super().sent(pcm)
        self.usage = Usage(seconds=ceil(self.sent_ms / 1000))

    def on_heard(self, event: wire.HeardEvent) -> list[Heard]:
        return [self._understood(event)]

    def reply(self) -> Transcript:
        return self.transcript()


class TranslatingFold(HearingFold[Translated, Translation]):
    """Speech that is translated: words come as parts, or as all the words so far with a tail that may change."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._said: dict[str, str] = {}  # of each response
        self._pcm = bytearray()
        self._spoken: dict[str, bool] = {}  # which of two copies of the words a response is read from

    def on_heard(self, event: wire.HeardEvent) -> list[Translated]:
        return [Translated(heard=self._understood(event))]

    def on_text(self, event: wire.TextEvent) -> list[Translated]:
        if self._spoken.setdefault(event.response_id, event.spoken) != event.spoken:
            return []
        before = self._said.get(event.response_id, "")
        whole = event.transcript or event.text
        now = whole or before if event.cumulative or event.done else before + event.delta
        self._said[event.response_id] = now
        new = now[len(before) :] if now.startswith(before) else ""
        return [Translated(new, event.stash)] if new or event.stash else []

    def on_audio(self, event: wire.AudioEvent) -> list[Translated]:
        new = _grown(self._pcm, event.pcm)
        return [Translated(audio=new, rate_hz=self.output_hz)] if new else []

    def on_response(self, event: wire.ResponseEvent) -> list[Translated]:
        return [Translated(finish_reason=event.status or "completed")] if event.ended else []

    def reply(self) -> Translation:
        text = " ".join(each.strip() for each in list(self._said.values()) if each.strip())
        about = {"text": text, **self.asked.about}
        audio = Audio.pcm(bytes(self._pcm), self.output_hz, **about) if len(self._pcm) > 1 else None
        return Translation(heard=self.transcript(), to=about["language"], audio=audio, **self._facts(text))


def _usual(given: list[str]) -> str:
    told = [each for each in given if each]
    return max(told, key=told.count, default="")


def _grown(sound: bytearray, more: bytes) -> bytes:
    """Adds to a sound; gives the samples that are whole by that."""
    begin = len(sound) & ~1
    sound += more
    return bytes(sound[begin : len(sound) & ~1])
