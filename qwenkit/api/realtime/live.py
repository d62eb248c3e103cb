"""Sessions that do one thing: read aloud what is written, write down what is said, say it in another language.

    with qwen.speech.live(voice="Cherry") as voice:
        voice.write(qwen.chat.stream("Tell me of the harbour."))
        for piece in voice: …                 # raw PCM, while the words are still being written
    voice.reply                               # the whole of it

Whoever reads a session to its end where it was fed says with that that nothing more comes, and so does who leaves it:
the rest is waited for. Who stops reading before the end, or raises, leaves at once. Another thread or task may read
while this one goes on. A socket that breaks is not dialled again, because what was sent is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

from qwenkit.api.realtime import intake, opening
from qwenkit.api.realtime.both import talk
from qwenkit.api.realtime.lives import AwaitedLive, BlockingLive, LiveCalls
from qwenkit.catalogue.realtime import realtime
from qwenkit.errors import ConfigError
from qwenkit.protocol.realtime import commands
from qwenkit.protocol.realtime.live import Piece, Result, SpeakingFold, TranscribingFold, TranslatingFold
from qwenkit.types.live import Heard, Translated, Translation
from qwenkit.types.transcript import Transcript
from qwenkit.types.voices import SpeechPiece, Spoken

_END = object()


class VoiceCalls(LiveCalls[SpeechPiece, Spoken]):
    """A voice that reads aloud what is written to it."""

    _FOLD = SpeakingFold
    _BUFFER = "input_text_buffer"
    _FEEDING = 'write("…")'
    _listens = False

    @talk
    async def write(self, text: Any) -> None:
        """A text, an answer, or texts as they come, such as `qwen.chat.stream("…")`.

        Those are sent in the background while you read what is spoken already; what you send next goes after them.
        """
        await self._line()
        if isinstance(text, str | bytes | Mapping) or not isinstance(text, Iterable | AsyncIterable):
            await self._add(text)
        else:
            self._feeding = self.engine.task(self._aside(self._feed(text)))

    @talk
    async def cancel(self) -> None:
        """Stop what is being said."""
        await (await self._line()).send(**commands.cancel())

    async def _feed(self, texts: Any) -> None:
        if isinstance(texts, AsyncIterable):
            async for text in texts:
                await self._add(text)
            return
        several = iter(texts)
        while (text := await asyncio.to_thread(next, several, _END)) is not _END:
            await self._add(text)

    async def _add(self, given: Any) -> None:
        text = getattr(given, "text", given)
        if not isinstance(text, str):
            raise ConfigError(f"only a text can be said, and {given!r:.60} is none", hint='such as voice.write("…")')
        if text:
            self._fed = self._fed or bool(text.strip())
            self._fold.wrote(text)
            await self.engine.send(**commands.text_append(text))


class HearingCalls(LiveCalls[Piece, Result]):
    @talk
    async def listen(self, sound: Any, *, pace: float | None = None) -> Result:
        """Send a whole recording and give the whole answer."""
        await HearingCalls.append.flow(self, sound, pace=pace)
        return await LiveCalls.finish.flow(self)  # type: ignore[no-any-return]

    @talk
    async def append(self, sound: Any, *, pace: float | None = None) -> None:
        """Sound, at once: 16-bit mono samples at the session's rate, or an `Audio`, a path, a file's bytes.

        `pace=1` sends it as fast as it was spoken.
        """
        opening.paced(pace)
        engine = await self._line()
        rate_hz = engine.machine.input_hz
        for piece in intake.pieces(intake.pcm(sound, rate_hz), rate_hz):
            self._fed = self._loose = True
            await engine.send(**commands.append(piece))
            self._fold.sent(piece)
            if pace:
                await asyncio.sleep(len(piece) / 2 / rate_hz / pace)


class TongueCalls(HearingCalls[Translated, Translation]):
    """A tongue that says in another language what it hears."""

    _FOLD = TranslatingFold

    @talk
    async def look(self, picture: Any) -> None:
        """Show what is being talked about; made small enough. The service takes two a second, after some sound."""
        jpeg = await asyncio.to_thread(intake.jpeg, picture, realtime(self.engine.model))
        await (await self._line()).send(**commands.image(jpeg))


class Voice(VoiceCalls, BlockingLive[SpeechPiece, Spoken]):
    """`voice.write("…")`, then read it: pieces of raw PCM; `voice.finish()` is the whole."""


class AsyncVoice(VoiceCalls, AwaitedLive[SpeechPiece, Spoken]):
    """`await voice.write("…")`, `async for piece in voice`, `await voice.finish()`."""


class Ears(HearingCalls[Heard, Transcript], BlockingLive[Heard, Transcript]):
    """`ears.append(sound)`, then read what they hear; `ears.finish()` is the whole."""

    _FOLD = TranscribingFold


class AsyncEars(HearingCalls[Heard, Transcript], AwaitedLive[Heard, Transcript]):
    """`await ears.append(sound)`, `async for heard in ears`, `await ears.finish()`."""

    _FOLD = TranscribingFold


class Tongue(TongueCalls, BlockingLive[Translated, Translation]):
    """`tongue.append(sound)`, then read the translation; `tongue.finish()` is the whole."""


class AsyncTongue(TongueCalls, AwaitedLive[Translated, Translation]):
    """`await tongue.append(sound)`, `async for piece in tongue`, `await tongue.finish()`."""
