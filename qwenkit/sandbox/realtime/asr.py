"""Speech that is written down as it comes: Qwen-ASR on the realtime socket. It never answers.

    append …        speech_started → (.text) → speech_stopped → committed → item.created → .text … → .completed
    append, commit  committed → .text … → .completed

`.text` is a snapshot: `text` stays as it is, `stash` may still change. While somebody speaks it tells the sentences
that have ended and are known.
"""

from __future__ import annotations

from qwenkit.sandbox.hearing import Recording, listen
from qwenkit.sandbox.realtime.ear import Clip, Ear, Turn
from qwenkit.sandbox.realtime.formats import Opus
from qwenkit.sandbox.realtime.items import wire
from qwenkit.sandbox.realtime.line import Line
from qwenkit.sandbox.realtime.settings import RULES, Rule, one_of
from qwenkit.sandbox.realtime.sibling import Commands, Json, Sibling
from qwenkit.sandbox.realtime.wrong import Wrong
from qwenkit.sandbox.recognising import LANGUAGES

_SHARED = ("voice", "audio", "turn_detection", "input_audio_transcription")  # with the rules of omni sessions
_FIXED = ("input_audio_format", "sample_rate")  # once sound has come
_LATE = "Cannot update {} after audio has been sent."
_HEARD = "conversation.item.input_audio_transcription"


async def serve(line: Line) -> None:
    await Hearing(line).run()


class Hearing(Sibling):
    """One session that listens; translating ones are told what was `understood`."""

    named = True  # whether events of the buffer name the item

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._ear, self._opus = Ear(pauses=True), Opus(16000)
        self._item = self._before = ""
        self._previewed = False

    def usual(self) -> Json:
        facts = self.line.facts
        detection: Json = {"type": facts.detections[0], "threshold": facts.threshold, "prefix_padding_ms": 300}
        return {
            "modalities": ["text"],
            "input_audio_format": "pcm",
            "sample_rate": 16000,
            "input_audio_transcription": {"model": facts.transcriber or self.line.model.name},
            "turn_detection": {**detection, "silence_duration_ms": facts.silence_ms},
        }

    def rules(self) -> dict[str, Rule]:
        return {
            **{path: rule for path, rule in RULES.items() if path.partition(".")[0] in _SHARED},
            "modalities": "array",
            "input_audio_format": one_of("pcm", "pcm16", "opus", "wav"),
            "sample_rate": "8000|16000",
            "input_audio_transcription.language": one_of(*LANGUAGES),
            "turn_detection.type": one_of(*dict.fromkeys((*self.line.facts.detections, "server_vad"))),
        }

    def commands(self) -> Commands:
        buffer = {"append": self._append, "commit": self._commit, "clear": self._clear}
        more = {f"input_audio_buffer.{name}": handler for name, handler in buffer.items()}
        return {**super().commands(), **more, "response.create": self._passed_over}  # which an official sample sends

    async def _passed_over(self, command: Json) -> None:
        return

    def merged(self, given: Json) -> Json:
        values, usual = super().merged(given), self.usual()
        heard = given.get("input_audio_transcription") or {}
        kept = {name: value for name, value in heard.items() if name in ("language", "corpus") and value}
        values["input_audio_transcription"] = {**usual["input_audio_transcription"], **kept}
        if "turn_detection" in given:
            asked, full = given["turn_detection"], usual["turn_detection"]
            known = {name: value for name, value in (asked or {}).items() if name in full and value is not None}
            values["turn_detection"] = None if asked is None else {**full, **known}
        for name in _FIXED:
            if self._ear.at_ms and values[name] != self.values[name]:
                raise Wrong(_LATE.format(name), f"session.{name}")
        return values

    async def apply(self) -> None:
        if (rate := self.values["sample_rate"]) != self._ear.rate_hz:
            self._ear, self._opus = Ear(rate, pauses=True), Opus(rate)
        self._ear.listen(self.values["turn_detection"])

    async def finish(self) -> None:
        if (turn := self._ear.finish()) is not None:
            await self._noticed(turn)
        await self.goodbye()

    async def understood(self, id: str, recording: Recording) -> None:
        """An utterance is over and was written down."""

    # -- the buffer ------------------------------------------------------------------------------------------------

    async def _append(self, command: Json) -> None:
        content = await self.line.sound(command)
        if self.values["input_audio_format"] == "opus":
            content = self._opus.decoded(content)
        for turn in self._ear.feed(content):
            await self._noticed(turn)

    async def _commit(self, command: Json) -> None:
        clip = self._ear.commit()
        await self._committed(self.line.id("item"), clip)

    async def _clear(self, command: Json) -> None:
        self._ear.clear()
        await self.line.send("input_audio_buffer.cleared")

    async def _noticed(self, turn: Turn) -> None:
        if turn.kind == "started":
            self._item, self._previewed = self.line.id("item"), False
            await self.line.send("input_audio_buffer.speech_started", audio_start_ms=turn.at_ms, **self._of(self._item))
        elif turn.kind == "paused" and turn.clip is not None:
            recording = await listen(self.line.service, turn.clip[:2])
            if self._told and recording.heard.text:
                self._previewed = True
                await self._snapshot(self._item, recording, recording.heard.text, "")
        elif turn.clip is not None:
            await self.line.send("input_audio_buffer.speech_stopped", audio_end_ms=turn.at_ms, **self._of(self._item))
            await self._committed(self._item, turn.clip)

    async def _committed(self, id: str, clip: Clip) -> None:
        before, self._before = self._before, id
        await self.line.send("input_audio_buffer.committed", **self._of(id, previous_item_id=before))
        if self.values["turn_detection"] is not None and self.named:
            item = wire(id, "message", "in_progress", role="user", content=[{"type": "input_audio"}])
            await self.line.send("conversation.item.created", previous_item_id=before, item=item)
        recording = await listen(self.line.service, clip[:2])
        if self._told:
            await self._write(id, recording)
        await self.understood(id, recording)

    def _of(self, id: str, **more: str) -> Json:
        return {**more, "item_id": id} if self.named else {}

    # -- the transcript --------------------------------------------------------------------------------------------

    @property
    def _told(self) -> bool:
        return self.values["input_audio_transcription"] is not None

    def language(self, guessed: str) -> str:
        """What is asked for is not guessed."""
        return (self.values["input_audio_transcription"] or {}).get("language") or guessed

    async def _write(self, id: str, recording: Recording) -> None:
        """The transcript as it settles: half of it first, unless more of it was told while it was spoken."""
        text = recording.text
        half = max(text.find(" ", len(text) // 2), len(text) // 2)
        snapshots = [(text, "")] if self._previewed else [("", text[:half]), (text[:half], text[half:])]
        for fixed, stash in snapshots if text else ():
            await self._snapshot(id, recording, fixed, stash)
        told = {"transcript": text, **self._about(recording)}
        await self.line.send(f"{_HEARD}.completed", item_id=id, content_index=0, **told)

    async def _snapshot(self, id: str, recording: Recording, text: str, stash: str) -> None:
        told = {**self._about(recording), "text": text, "stash": stash}
        await self.line.send(f"{_HEARD}.text", item_id=id, content_index=0, **told)

    def _about(self, recording: Recording) -> Json:
        return {"language": self.language(recording.language), "emotion": recording.heard.emotion}
