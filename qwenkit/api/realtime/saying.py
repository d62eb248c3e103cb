"""One thing said in a session: how it is sent, and how its turn is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import time
import warnings
from collections.abc import Callable
from typing import Any

from qwenkit.api.realtime import intake
from qwenkit.api.realtime.engine import refusal
from qwenkit.api.realtime.talking import TalkEngine, working_for
from qwenkit.errors import ConfigError, InvalidRequest, QwenError, RoundsWarning, ServerError, TransportError
from qwenkit.protocol.realtime import commands
from qwenkit.types.turn import Turn

_HEARING_SECONDS = 5.0  # for the service to notice that somebody spoke
_TRANSCRIBING_SECONDS = 0.25  # for the words of a speech to follow the answer
_SILENT = 33  # of 32768: -60 dBFS
_COMMITTED = "input_audio_buffer.committed"
_HEARD = ("input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped")
_UNHEARD = "look at its level, lower threshold=…, or connect with turn_detection=None"


class Broken(TransportError):
    """The socket was dialled again while something was being said: what was sent before is lost."""

    def __init__(self) -> None:
        super().__init__("the connection broke, and what was sent is lost", kind="reset", hint="say it again")


class Saying:
    """One thing said: how it is sent, and how its turn is waited for."""

    def __init__(self, engine: TalkEngine) -> None:
        self._engine, self._listened = engine, False
        self._asked: Turn | None = None  # the turn that is to be answered
        self._part = (0.0, 0.0)  # of all sound, in milliseconds: what is said here
        self._mark, self._sockets = len(engine.call.turns), engine.reconnects
        if not engine.speaking.locked():
            engine.refused.clear()
            engine.spent = None

    async def say(self, what: Any, images: Any, wait: bool, pace: float | None, response: dict[str, Any]) -> Turn:
        self._not_for_itself()
        rate = self._engine.machine.input_hz
        said = await asyncio.to_thread(intake.said, what, rate)
        pictures = [] if images is None else list(images) if isinstance(images, list | tuple) else [images]
        by_hand = bool(said.text) or self._engine.machine.detection is None
        if not by_hand and intake.loudest(said.pcm) < _SILENT:
            raise InvalidRequest("there is no speech in this sound: it is silent", hint=_UNHEARD)
        async with self._engine.speaking if by_hand else contextlib.nullcontext():  # into speech one may speak
            await self._idle(by_hand)
            try:
                for left in (1, 0):  # again, when the socket broke before anything was said
                    self._begin()
                    try:
                        if by_hand:
                            await self._by_hand(said, pictures, pace, response)
                        else:
                            await self._listened_to(said.pcm, pictures, pace, response)
                        return await self._turn(wait)
                    except Broken:
                        if self._last() is not None:  # a turn that is lost, and says so
                            return await self._turn(wait)
                        if not left:
                            raise
            except asyncio.CancelledError:
                await self._stop()
                raise
        raise AssertionError("nothing was said")

    def _not_for_itself(self) -> None:
        if working_for(self._engine):
            told = "a tool cannot speak in the session that called it"
            raise ConfigError(told, hint="return what it found; ask another session, or qwen.chat")

    async def ask(self, wait: bool, response: dict[str, Any]) -> Turn:
        """An answer to what is there already."""
        self._not_for_itself()
        await self._respond(response)
        return await self._turn(wait)

    async def _respond(self, response: dict[str, Any]) -> None:
        await self._engine.respond(**response)
        self._asked = self._engine.fold.asked

    async def told(self, type: str, command: dict[str, Any]) -> None:
        """Send a command and wait until the service has said that it is done, or why not."""
        await self._whole()
        over = self._more(type)
        await self._engine.send(**command)
        await self._engine.until(over)

    def _more(self, *types: str) -> Callable[[], bool | None]:
        """Whether there were more such events since; raises what the service refuses."""
        counts = self._engine.call.counts
        before = sum(counts[type] for type in types)

        def found() -> bool | None:
            self._look()
            return True if sum(counts[type] for type in types) > before else None

        return found

    async def _whole(self) -> None:
        """Go on only on the socket that this began on."""
        await self._engine.ready()
        if self._engine.reconnects > self._sockets:
            raise Broken

    def _look(self) -> None:
        """Raise what the service refuses."""
        if self._engine.refused:
            raise refusal(self._engine.refused.pop(0), self._engine)
        if self._engine.reconnects > self._sockets:
            raise Broken

    def _begin(self) -> None:
        """What nobody read before this is not about it."""
        engine = self._engine
        for each in (engine.feed, engine.results, engine.refused):
            each.clear()
        self._mark, self._sockets, engine.spent = len(engine.call.turns), engine.reconnects, None
        self._asked, self._part = None, (0.0, 0.0)

    async def _idle(self, by_hand: bool) -> None:
        """An answer under way ends before the next is asked for; who is listened to may speak into it."""
        await self._engine.ready()
        if by_hand and self._engine.machine.busy:
            await self._engine.until(lambda: None if self._engine.machine.busy else True)

    async def _by_hand(self, said: intake.Said, pictures: list[Any], pace: float | None, response: Any) -> None:
        """A turn that we end: sound and pictures are committed, words typed, an answer asked for."""
        engine = self._engine
        seen = bool(pictures) or (engine.shown and engine.fold.speaks is None)
        detection = engine.machine.detection
        if seen and detection is not None:  # committing is ours to do only while nobody listens for the end
            await self.told("session.updated", commands.update({"turn_detection": None}))
        if said.pcm:
            await self._stream(said.pcm, pictures, pace)
        for picture in () if said.pcm else pictures:
            await engine.show(picture)
        if said.pcm or seen:
            await self.told(_COMMITTED, commands.commit())
        if seen and detection is not None:
            await self.told("session.updated", commands.update({"turn_detection": detection}))
        await self._whole()
        if said.text:
            await engine.send(**commands.message(said.text))
        await self._respond(response)

    async def _listened_to(self, pcm: bytes, pictures: list[Any], pace: float | None, response: Any) -> None:
        """A turn whose end the service hears: sound, and silence behind it."""
        engine, detection = self._engine, self._engine.machine.detection or {}
        answers = detection.get("create_response") is not False
        if response and answers:
            hint = "session.update(…) first, or connect with turn_detection=None"
            raise ConfigError(f"the service answers speech by itself, without {', '.join(response)}", hint=hint)
        heard, ended = self._more(*_HEARD), self._more(_COMMITTED)
        begin = await engine.sent_ms()
        await self._stream(pcm, pictures, pace)
        self._part = begin, await engine.sent_ms()
        await self._stream(intake.silence(engine.trailing, engine.machine.input_hz), [], pace, pads=True)
        wait = min(_HEARING_SECONDS, engine.timeout)
        try:
            await engine.until(heard, wait)  # of what was said before the end is heard, or this goes on with it
        except Broken:
            raise
        except TransportError as silent:
            if engine.fold.speaks is None:
                raise InvalidRequest(f"the service heard no speech in it for {wait:g} s", hint=_UNHEARD) from silent
        self._listened = True
        if not answers:
            await engine.until(ended)
            await self._respond(response)

    async def _stream(self, pcm: bytes, pictures: list[Any], pace: float | None, pads: bool = False) -> None:
        """Sound piece by piece, with the pictures behind its first piece."""
        rate, started = self._engine.machine.input_hz, time.perf_counter()
        for number, piece in enumerate(intake.pieces(pcm, rate), 1):
            await self._whole()
            await self._engine.sound(piece, pads=pads)
            for picture in pictures if number == 1 else ():
                await self._engine.show(picture)
            if pace:
                due = started + number * intake.PIECE_SECONDS / pace
                await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async def _turn(self, wait: bool) -> Turn:
        engine = self._engine
        if not wait:
            return await engine.until(lambda: self._mine() or engine.fold.current or self._last())
        turn = await engine.until(self._over)
        if turn.spoken and not turn.user and engine.machine.echo.get("input_audio_transcription"):
            with contextlib.suppress(TransportError):
                await engine.until(lambda: turn.user or None, _TRANSCRIBING_SECONDS)
        made = self._judged(turn)
        self._begin()
        return made

    def _last(self) -> Turn | None:
        new = self._engine.call.turns[self._mark :]
        return new[-1] if new else None

    def _mine(self) -> Turn | None:
        """The turn that this is said in, as far as it is known."""
        return self._asked or self._engine.fold.spoken_in(*self._part)

    def _over(self) -> Turn | None:
        """The turn, when it is over; where nobody knows which it is, the last, when nothing goes on."""
        engine, mine = self._engine, self._mine()
        turn, current = mine or self._last(), mine or engine.fold.current
        if turn is not None and turn.ended == "lost":
            return turn if engine.connected else None
        if turn is not None and turn.ended and (mine or current is None):
            return turn
        if engine.refused and (current is None or current.moments.created is None):
            raise refusal(engine.refused.pop(0), engine)
        if (turn is None or mine) and engine.reconnects > self._sockets:
            raise Broken
        if turn is None and current is None and self._listened and not engine.machine.busy:
            raise InvalidRequest("the service took this sound for noise", hint=_UNHEARD)
        return None

    def _judged(self, turn: Turn) -> Turn:
        """The turn; an error when there was no answer, a warning when there could have been more of it."""
        engine = self._engine
        error: QwenError | None = engine.spent
        if turn.ended == "failed" and error is None:
            event = engine.refused.pop() if engine.refused else None
            error = refusal(event, engine) if event is not None else ServerError(turn.error or "the answer failed")
        if error is not None:
            engine.spent, error.reply = None, turn
            raise error
        if engine.left:
            wanted, engine.left = ", ".join(dict.fromkeys(engine.left)), []
            told = f"the model still asks for {wanted} after {engine.max_rounds} rounds of tools; stopped"
            warnings.warn(f"{told} → max_rounds=… allows more", RoundsWarning, stacklevel=2)
        return turn

    async def _stop(self) -> None:
        """Whoever waited was interrupted: the answer is stopped, and half a speech taken back."""
        engine = self._engine
        with contextlib.suppress(Exception):
            if engine.machine.busy:
                await engine.send(**commands.cancel())
            elif self._engine.machine.detection is None:
                await engine.send(**commands.clear())
