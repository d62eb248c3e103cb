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
import inspect
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from functools import cached_property
from math import inf
from typing import Any, ClassVar, Generic, Self

from qwenkit.api.core import Core
from qwenkit.api.realtime import intake
from qwenkit.api.realtime.both import Awaited, Waiting, flowing, talk
from qwenkit.api.realtime.engine import Engine, refusal
from qwenkit.catalogue.realtime import realtime
from qwenkit.config import seconds
from qwenkit.errors import ConfigError, QwenError
from qwenkit.protocol.realtime import commands
from qwenkit.protocol.realtime.live import LiveFold, Piece, Result, SpeakingFold, TranscribingFold, TranslatingFold
from qwenkit.protocol.realtime.live_settings import Asked
from qwenkit.transport.portal import Portal
from qwenkit.types.live import Heard, Translated, Translation
from qwenkit.types.transcript import Transcript
from qwenkit.types.voices import SpeechPiece, Spoken

_END = object()


class LiveCalls(Generic[Piece, Result]):
    """What the three have in common. `engine` is the session underneath, with its events and their callbacks."""

    _FOLD: ClassVar[type[LiveFold[Any, Any]]]
    _BUFFER: ClassVar[str] = "input_audio_buffer"
    _call: Any = None  # its place in the accounts
    _feeding: asyncio.Task[None] | None = None  # texts on their way
    _ender: asyncio.Task[None] | None = None
    _ending = False
    _hand: Any = None  # the thread or task that fed it last
    _here: Callable[[], Any]  # the one that runs
    _whole: Result | None = None

    def __init__(self, core: Core, asked: Asked) -> None:
        self._fold: Any = self._FOLD(asked)
        self._lock = asyncio.Lock()
        self._broken: deque[Exception] = deque()  # in the background; told once, and then it may go on
        wait = core.config.timeout if asked.timeout is None else seconds(asked.timeout)
        self.engine = Engine(core, asked.model, asked.session, fold=self._fold, reconnect=False, timeout=wait)

    @property
    def reply(self) -> Result:
        """All that has come so far; the whole at the end."""
        return self._fold.reply() if self._whole is None else self._whole

    def _begin(self, made: Any) -> Any:
        if not inspect.isasyncgen(made):
            self._hand = self._here()
        return super()._begin(made)  # type: ignore[misc]  # the flavour's

    def __repr__(self) -> str:
        state = "closed" if self.engine.closed else "open" if self._call else "not open yet"
        return f"{type(self).__name__}({self.engine.model}, {state})"

    @talk
    async def open(self) -> None:
        """Connect. Every other method does so by itself."""
        await self._opened()

    @talk
    async def commit(self) -> None:
        """What was sent so far is complete."""
        engine = await self._line()
        self._fold.committed()
        await engine.send(f"{self._BUFFER}.commit")

    @talk
    async def clear(self) -> None:
        """Take back what was sent and not committed."""
        engine = await self._line()
        self._fold.cleared()
        await engine.send(f"{self._BUFFER}.clear")

    @talk
    async def send(self, type: str, /, **fields: Any) -> None:
        """Any command, as on the wire."""
        await (await self._line()).send(type, **fields)

    @flowing
    async def pieces(self, *, end: bool = False) -> AsyncIterator[Piece]:
        """What comes, as it comes, until the session ends; `end` asks for that. Others may go on sending meanwhile."""
        if end and (self._ender is None or self._ender.done()):
            self._ender = (await self._opened()).task(self._aside(self._end()))
        waiting = self._fold.pieces
        while waiting or not self._fold.finished:
            await self._until(lambda: waiting or self._fold.finished)
            while waiting:
                yield waiting.popleft()

    @talk
    async def finish(self) -> Result:
        """Send nothing more, wait for the rest, and give the whole."""
        if self._whole is None:
            await self._end()
            await self._until(lambda: self._fold.finished)
            whole = self._fold.reply()
            told = {"model": whole.model, "request_id": self._fold.session_id}
            whole.receipt = self._call.finished(whole.usage, **told, tries=1, streamed=True)
            self._whole = whole
            await self.engine.close()
        return self._whole

    async def _opened(self) -> Engine:
        engine = self.engine
        async with self._lock:
            if self._call is None:
                self._call = engine.core.accounts.open(self._fold.asked.family, engine.model, 0, 0)
                try:
                    await engine.open()
                except QwenError as error:
                    raise self._told(error) from error.__cause__
                self._fold.input_hz, self._fold.output_hz = engine.machine.input_hz, engine.machine.output_hz
        return engine

    async def _line(self) -> Engine:
        """The session, once all that was to be sent before is sent."""
        engine = await self._opened()
        if self._feeding is not None:
            await self._feeding
        if self._broken:
            raise self._broken.popleft()
        if self._ending and not engine.closed:
            raise ConfigError("this session was told that nothing more comes", hint="open another for that")
        return engine

    async def _end(self) -> None:
        if not self._ending:
            engine = await self._line()
            self._ending = True
            await engine.send(**commands.finish())

    async def _aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Something in the background: who waits or sends next is told what goes wrong in it."""
        try:
            await work
        except Exception as error:
            self._broken.append(error)

    async def _until(self, done: Callable[[], Any]) -> None:
        """Wait. What was refused, or went wrong in the background, is raised, with all that has come."""
        engine, refused = await self._opened(), self._fold.errors

        def found() -> bool | None:
            if refused:
                raise refusal(refused.popleft(), engine)
            if self._broken:
                raise self._broken.popleft()
            return True if done() else None

        try:
            await engine.until(found, engine.timeout if self._ending else inf)
        except QwenError as error:
            raise self._told(refusal(refused.popleft(), engine) if refused else error) from error.__cause__

    def _told(self, error: Any) -> Any:
        """The error; if it was the last, what came before it is billed."""
        if self.engine.closed and self._call is not None:
            self._ending = True
            self._call.failed(error, self._fold.usage)
        return error


class VoiceCalls(LiveCalls[SpeechPiece, Spoken]):
    """A voice that reads aloud what is written to it."""

    _FOLD = SpeakingFold
    _BUFFER = "input_text_buffer"

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
        if not isinstance(pace, int | float | None) or (pace or 1) <= 0:
            raise ConfigError(f"pace cannot be {pace!r:.60}", hint="1 is as fast as it was spoken, None at once")
        engine = await self._line()
        rate_hz = engine.machine.input_hz
        for piece in intake.pieces(intake.pcm(sound, rate_hz), rate_hz):
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


class _Blocking(LiveCalls[Piece, Result], Waiting):
    _here = staticmethod(threading.get_ident)

    @cached_property
    def _portal(self) -> Portal:  # type: ignore[override]
        portal = Portal("qwenkit-live")
        weakref.finalize(self, portal.abandon)
        return portal

    def _begin(self, made: Any) -> Any:
        try:
            return super()._begin(made)
        except QwenError:
            if self.engine.closed:  # it never opened, or broke: there is nothing left to do
                self._portal.close()
            raise

    def close(self) -> None:
        """Let go of the connection at once. What has come stays in `reply`."""
        if self._portal.open and not self._portal.inside:
            self._portal.call(self.engine.close())
        self._portal.close()
        self._told(self.engine.error)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: object = None, *raised: object) -> None:
        try:
            if kind is None and self._portal.open and not self._ending:
                self.finish()
        finally:
            self.close()

    def __iter__(self) -> Iterator[Piece]:
        return self.pieces(end=self._hand == self._here()) if self._portal.open else iter(list(self._fold.pieces))


class _Awaited(LiveCalls[Piece, Result], Awaited):
    _here = staticmethod(asyncio.current_task)

    async def close(self) -> None:
        """Let go of the connection. What has come stays in `reply`."""
        await self.engine.close()
        self._told(self.engine.error)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: object = None, *raised: object) -> None:
        try:
            if kind is None and not self._ending:
                await self.finish()
        finally:
            await self.close()

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self.pieces(end=self._hand is self._here())


class Voice(VoiceCalls, _Blocking[SpeechPiece, Spoken]):
    """`voice.write("…")`, then read it: pieces of raw PCM; `voice.finish()` is the whole."""


class AsyncVoice(VoiceCalls, _Awaited[SpeechPiece, Spoken]):
    """`await voice.write("…")`, `async for piece in voice`, `await voice.finish()`."""


class Ears(HearingCalls[Heard, Transcript], _Blocking[Heard, Transcript]):
    """`ears.append(sound)`, then read what they hear; `ears.finish()` is the whole."""

    _FOLD = TranscribingFold


class AsyncEars(HearingCalls[Heard, Transcript], _Awaited[Heard, Transcript]):
    """`await ears.append(sound)`, `async for heard in ears`, `await ears.finish()`."""

    _FOLD = TranscribingFold


class Tongue(TongueCalls, _Blocking[Translated, Translation]):
    """`tongue.append(sound)`, then read the translation; `tongue.finish()` is the whole."""


class AsyncTongue(TongueCalls, _Awaited[Translated, Translation]):
    """`await tongue.append(sound)`, `async for piece in tongue`, `await tongue.finish()`."""
