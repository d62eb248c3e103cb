"""Written words of a recording: `qwen.transcribe(clip)` at once, `.stream` as it is heard, `.submit` for long ones.

A sound is a path, bytes, an address or a `qk.Audio`. What is too long is refused before it is sent; what is only too
large, or in a format the model does not read, goes as 16 kHz mono, which is what models hear in any case.
"""

from __future__ import annotations

from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Unpack

from qwenkit import catalogue
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.realtime.opening import opens
from qwenkit.api.stream import Plan
from qwenkit.api.transcribe_files import FileCalls
from qwenkit.errors import ConfigError
from qwenkit.protocol import transcribe as protocol
from qwenkit.protocol import transcripts
from qwenkit.protocol.flow import Flow, Request
from qwenkit.protocol.realtime.live_settings import hearing
from qwenkit.protocol.transcribe import TranscribeOptions
from qwenkit.types.audio import Audio
from qwenkit.types.reply import Piece
from qwenkit.types.transcript import Transcript

if TYPE_CHECKING:
    from qwenkit.api.realtime.live import AsyncEars, Ears

_SSE = {"X-DashScope-SSE": "enable"}


def _ears() -> tuple[type[Ears], type[AsyncEars]]:
    from qwenkit.api.realtime import live

    return live.Ears, live.AsyncEars


class TranscribeCalls(FileCalls):
    """The calls of the transcribe noun, written once for both flavours."""

    _core: Core
    live = opens(hearing, _ears)

    @call
    def __call__(self, sound: Any, **options: Unpack[TranscribeOptions]) -> Flow[Transcript]:
        """Write down what is said in a sound of up to five minutes.

        `language` ("en", "zh") says what is spoken; left out it is detected. `context` is text with the names and terms
        that may occur. `itn=True` writes numbers as figures (English and Chinese). `via="chat"` asks over chat
        completions instead of the native protocol. `vocabulary` weighs words where the model knows that (1 to 5).
        """
        asked = _Asked(self._core, sound, options)
        request = yield from asked.request(asked.body())
        read = partial(transcripts.read, model=asked.model, via=asked.via, audio=asked.sound)
        heard = yield from billed(self._core, request, asked.open(), read)
        heard.receipt.request_id = heard.receipt.request_id or heard.id
        return heard

    @stream
    def stream(self, sound: Any, **options: Unpack[TranscribeOptions]) -> Plan[Piece, Transcript]:
        """The same, piece by piece; `stream.reply` is the transcript so far. Options are those of `qwen.transcribe`."""
        asked = _Asked(self._core, sound, options, stream=True)
        kind = transcripts.ChatTranscriptFold if asked.via == "chat" else transcripts.NativeTranscriptFold
        fold: Any = kind(audio=asked.sound, **asked.reading)
        return Plan.of(asked.request(asked.body()), fold, asked.open, [])


class _Asked:
    """One sound on its way to a model."""

    def __init__(self, core: Core, sound: Any, options: TranscribeOptions, stream: bool = False) -> None:
        self._core, self._stream = core, stream
        self._told = told = protocol.told(options, TranscribeOptions, "transcribe.stream" if stream else "transcribe")
        self.model = told.pop("model", "") or catalogue.DEFAULTS["transcribe"]
        self.via, self._timeout = told.pop("via", "native"), told.pop("timeout", None)
        self.facts = protocol.heard_by(self.model)
        self.family, self.path = protocol.place(self.facts, self.via)
        if isinstance(sound, list | tuple):
            hint = "several go one by one, or as a task: qwen.transcribe.submit([…])"
            raise ConfigError("qwen.transcribe takes one sound", hint=hint)
        self.sound = Audio.of(sound)

    def body(self) -> dict[str, Any]:
        sent = protocol.fitted(self.sound, self.model, self.facts)
        return protocol.body(sent, self.model, self.facts, via=self.via, stream=self._stream, **self._told)

    def request(self, wire: dict[str, Any]) -> Flow[Request]:
        """The request, once the sound is where the service can read it."""
        from qwenkit.api.sending import placed

        wire, headers = yield from placed(self._core, wire, self.model)
        headers = {**headers, **(_SSE if self._stream and self.family == "native" else {})}
        place = ("POST", self.family, self.path, wire)
        return self._core.request(*place, stream=self._stream, timeout=self._timeout, headers=headers)

    @property
    def reading(self) -> dict[str, Any]:
        """What a fold must know to read the answer. The newer models repeat what they said."""
        request = self._core.request("POST", self.family, self.path).name
        typed = self.facts is not None and self.facts.endpoint == "recognition"
        return {"request": request} | ({} if self.via == "chat" else {"model": self.model, "cumulative": typed})

    def open(self) -> Any:
        seconds = ceil(self.sound.duration) if self.sound.loaded else 0
        return self._core.accounts.open("transcribe", self.model, seconds, 0)


class Transcribe(TranscribeCalls, SyncNoun):
    """`qwen.transcribe(...)`, `.stream(...)`, and `.submit(...)`, `.get(...)`, `.wait(...)` for long recordings."""


class AsyncTranscribe(TranscribeCalls, AsyncNoun):
    """The same calls of `aqwen.transcribe`, awaited."""
