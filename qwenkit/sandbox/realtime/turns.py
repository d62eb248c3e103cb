"""Taking turns: what follows when somebody begins to speak, pauses, stops, or stays silent for long.

server_vad takes every sound of speech for a turn. semantic_vad and smart_turn wait until it is more than a hum: what is
shorter than half a second and no words that are known, or only such as tell the speaker to go on, ends no turn and
interrupts nobody; smart_turn says so afterwards. Silence is measured by the sound that comes in.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from qwenkit.sandbox.hearing import listen
from qwenkit.sandbox.realtime.ear import PREFIX_MS
from qwenkit.sandbox.realtime.items import Item, wire

if TYPE_CHECKING:
    from qwenkit.sandbox.hearing import Recording
    from qwenkit.sandbox.realtime.ear import Clip, Turn
    from qwenkit.sandbox.realtime.omni import Session
    from qwenkit.sandbox.realtime.response import Response

Json = dict[str, Any]
HUM_MS = 500
_GO_ON = re.compile(r"\W*(?:(?:m+h*m*|u+h+|huh|hum+|yeah|yes|ok(?:ay)?|right|嗯+|哦+|啊+|对+|是的?|好的?)\W*)*", re.I)
_HEARD = "conversation.item.input_audio_transcription"


class Turns:
    """Who is speaking in one session."""

    def __init__(self, session: Session) -> None:
        self._session, self._line = session, session.line
        self._item = ""  # what is being said now
        self._began: Turn | None = None  # speech, or only a hum
        self._paused: tuple[int, Recording] | None = None  # what was heard until a pause, and when that was
        self._told = ""  # of the transcript
        self._silent_from_ms: int | None = None

    async def take(self, turn: Turn) -> None:
        """What the ear has noticed."""
        self._silent_from_ms = None
        if turn.kind == "started":
            self._began, self._paused, self._told = turn, None, ""
            if not self._patient:
                await self._start(turn)
        elif turn.clip is not None and turn.kind == "paused":
            self._paused = turn.at_ms, (recording := await self._hear(turn.clip))
            if self._began and not (self._item or _GO_ON.fullmatch(recording.heard.text)):
                await self._start(self._began)
            await self._preview(recording)
        elif turn.clip is not None:
            await self._stop(turn, turn.clip)

    async def passed(self) -> None:
        """Time has gone by: a hum becomes speech, silence becomes long."""
        session, began, ear = self._session, self._began, self._session.ear
        if began and not self._item and self._lasted(began, ear.at_ms - ear.quiet_ms) >= HUM_MS:
            await self._start(began)
        wait = session.settings.detection.get("idle_timeout_ms")
        if wait and self._silent_from_ms is not None and session.ear.at_ms >= self._silent_from_ms + wait:
            self._silent_from_ms = None
            await session.respond({}, unasked=True)

    def answered(self, response: Response) -> None:
        """A response is over; once it has been played, silence counts."""
        self._silent_from_ms = None if self._began else response.playing_until_ms

    def forget(self) -> None:
        self._item, self._began = "", None

    async def committed(self, id: str, clip: Clip, recording: Recording | None = None) -> None:
        """Sound and pictures become an item of the conversation, with the words that were heard."""
        session = self._session
        parts, cost = session.frames.take()
        await self._line.send("input_audio_buffer.committed", item_id=id)
        shown = wire(id, "message", "in_progress", role="user", content=[{"type": "input_audio"}])
        await self._line.send("conversation.item.created", item=shown)
        recording = recording or await self._hear(clip)
        content: list[Json] = [{"type": "text", "text": recording.heard.text}] if recording.heard.text else []
        if not content and (recording.said or not parts):  # what the ears did not understand they can still measure
            content = [{"type": "heard", "perceived": recording.heard}]
        told = wire(id, "message", role="user", content=[{"type": "input_audio", "transcript": recording.text}])
        session.conversation.put(Item(told, {"role": "user", "content": [*content, *parts]}, clip.seconds, cost))
        session.language = recording.language
        if self._writes:
            done = {"transcript": recording.text, "language": recording.language, "emotion": recording.heard.emotion}
            await self._line.send(f"{_HEARD}.completed", item_id=id, content_index=0, **done)

    async def _start(self, turn: Turn) -> None:
        self._item = self._line.id("item")
        await self._line.send("input_audio_buffer.speech_started", audio_start_ms=turn.at_ms, item_id=self._item)
        if self._session.settings.detection.get("interrupt_response"):
            await self._session.interrupt("turn_detected")

    async def _stop(self, turn: Turn, clip: Clip) -> None:
        began, self._began = self._began, None
        since, recording = self._paused or (-1, None)
        if recording is None or since < turn.at_ms:  # more was said after the pause
            recording = await self._hear(clip)
        if began and not self._item:
            if self._lasted(began, turn.at_ms) < HUM_MS and _GO_ON.fullmatch(recording.heard.text):
                await self._dismiss(began, turn)
                return
            await self._start(began)
        await self._preview(recording)
        id, self._item = self._item, ""
        await self._line.send("input_audio_buffer.speech_stopped", audio_end_ms=turn.at_ms, item_id=id)
        await self.committed(id, clip, recording)
        if self._session.settings.detection.get("create_response"):
            await self._session.respond({})

    async def _dismiss(self, began: Turn, turn: Turn) -> None:
        """It was only a hum; smart_turn tells so."""
        if self._session.settings.detection.get("type") == "smart_turn":
            id = self._line.id("item")
            await self._line.send("input_audio_buffer.speech_started", audio_start_ms=began.at_ms, item_id=id)
            told = {"audio_end_ms": turn.at_ms, "item_id": id, "reason": "turn_invalid"}
            await self._line.send("input_audio_buffer.speech_stopped", **told)

    async def _preview(self, recording: Recording) -> None:
        """The words so far: those told before stay, those behind them may still change."""
        text, before = recording.heard.text, self._told
        if self._writes and self._item and text != before:
            fixed = before if text.startswith(before) else ""
            told: Json = {"text": fixed, "stash": text[len(fixed) :], "language": recording.language}
            told |= {"emotion": recording.heard.emotion, "obfuscation": ""}
            await self._line.send(f"{_HEARD}.delta", item_id=self._item, content_index=0, **told)
            self._told = text

    async def _hear(self, clip: Clip) -> Recording:
        return await listen(self._line.service, (clip.pcm, clip.rate_hz))

    @property
    def _writes(self) -> bool:
        return self._session.settings.values["input_audio_transcription"] is not None

    @property
    def _patient(self) -> bool:
        return self._session.settings.detection.get("type") in ("semantic_vad", "smart_turn")

    def _lasted(self, began: Turn, until_ms: int) -> int:
        padding = self._session.settings.detection.get("prefix_padding_ms", PREFIX_MS)
        return until_ms - began.at_ms - int(padding)
