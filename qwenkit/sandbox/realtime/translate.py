"""Speech that is said in another language: Qwen-LiveTranslate, three generations with three ways to put things.

Each utterance that is heard becomes a response: the words by the sandbox's translator (English and Chinese, as far as
its glossary goes), the sound by its voice. While one is spoken the next is listened to.

The first two tell the translation in snapshots (`.text`), the third in parts (`.delta`); the third's settings are
nested, and are kept flat in here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import groupby

from qwenkit import catalogue
from qwenkit.catalogue import tokens
from qwenkit.sandbox.hearing import Recording, joined
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.realtime.asr import Hearing
from qwenkit.sandbox.realtime.items import audio_tokens
from qwenkit.sandbox.realtime.line import Line
from qwenkit.sandbox.realtime.mouth import Piece, say
from qwenkit.sandbox.realtime.reply import Reply, bill
from qwenkit.sandbox.realtime.settings import YES_NO, Rule, check_modalities, dug, one_of
from qwenkit.sandbox.realtime.sibling import Commands, Json
from qwenkit.sandbox.realtime.wrong import Wrong
from qwenkit.sandbox.recognising import LANGUAGES
from qwenkit.sandbox.translating import translated

IMAGE_MEGABYTES = 500 / 1024
HIGH_HZ = 160  # from which a voice is a high one
_WORDS = 6  # of text that come at once
_NOTE = re.compile(r"\s*(?:\[[^\[\]]*\]|【[^【】]*】)$")  # what the translator has to admit: written, not said
_SKIP = "same_language_skip_options"
_NESTED = {  # where the third generation has what the others have on top
    "modalities": "output_modalities",
    "voice": "audio.output.voice",
    "turn_detection": "audio.input.turn_detection",
    "input_audio_format": "audio.input.format.type",
    "sample_rate": "audio.input.format.sample_rate",
    "output_audio_format": "audio.output.format.type",
    "output_rate": "audio.output.format.sample_rate",
}
_OBJECTS = ("translation", "translation.corpus", "translation.corpus.phrases", f"translation.{_SKIP}", _SKIP)


async def serve(line: Line) -> None:
    session = Translating(line)
    await session.beside(session.speak())


class Translating(Hearing):
    """One session: an ear that never stops, and a mouth that follows."""

    named = False

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._conversation = line.id("conv")
        self._queue: asyncio.Queue[tuple[str, Recording] | None] = asyncio.Queue()

    @property
    def _third(self) -> bool:
        return self.line.facts.output_modalities

    def usual(self) -> Json:
        told = {**super().usual(), "modalities": ["text", "audio"], "voice": self.line.model.default_voice or "Tina"}
        told |= {"output_audio_format": "pcm", "translation": {"language": "en"}, "enable_voice_clone": False}
        told |= {"voice_clone_options": None, _SKIP: None}
        return {**told, "output_rate": 24000} if self._third else told

    def rules(self) -> dict[str, Rule]:
        return {
            **super().rules(),
            "output_audio_format": one_of("pcm", "pcm16", "pcm24"),
            "output_rate": one_of(*self.line.facts.rates_hz),
            **dict.fromkeys((*_OBJECTS, "voice_clone_options"), "object"),
            "translation.language": one_of(*LANGUAGES),
            "enable_voice_clone": YES_NO,
            "voice_clone_options.frequency": one_of("never", "once", "always"),
        }

    def commands(self) -> Commands:
        return {**super().commands(), "input_image_buffer.append": self._look}

    async def _look(self, command: Json) -> None:
        """A picture of what is going on. It is taken, and changes nothing here."""
        if not self._ear.seconds:
            raise Wrong("Error append image before append audio.", code="")
        await self.line.sound(command, "image", IMAGE_MEGABYTES)

    async def goodbye(self) -> None:
        self._queue.put_nowait(None)  # when everything has been said

    def merged(self, given: Json) -> Json:
        if self._third:
            heard = dug(given, "audio.input")
            nulls = isinstance(heard, dict) and "turn_detection" in heard
            flat = {name: dug(given, path) for name, path in _NESTED.items()}
            flat = {name: value for name, value in flat.items() if value is not None}
            given = {**given, **({"turn_detection": None} if nulls else {}), **flat}
        check_modalities(given.get("modalities"), "session.modalities")
        values, often = super().merged(given), dug(given, "voice_clone_options.frequency") or "never"
        if values["enable_voice_clone"] and often != "never" and values["voice"] != "default":
            told = f"voice_clone_options.frequency '{often}' needs the voice 'default'."
            raise Wrong(told, "session.voice_clone_options.frequency")
        asked = given.get("input_audio_transcription", {})
        if not self._third and (asked is None or asked.get("model", "") is None):
            values["input_audio_transcription"] = None
        return values

    def shown(self) -> Json:
        nulls = ("turn_detection", "input_audio_transcription")
        told = {name: value for name, value in super().shown().items() if value is not None or name in nulls}
        for name, path in _NESTED.items() if self._third else ():
            *above, last = path.split(".")
            place = told
            for key in above:
                place = place.setdefault(key, {})
            place[last] = told.pop(name)
        return told

    # -- translating -----------------------------------------------------------------------------------------------

    async def understood(self, id: str, recording: Recording) -> None:
        if recording.text:
            self._queue.put_nowait((id, recording))

    async def speak(self) -> None:
        """Say everything that was heard, one after the other, and at the end that there is no more."""
        while (heard := await self._queue.get()) is not None:
            await self._respond(*heard)
        await super().goodbye()

    async def _respond(self, id: str, recording: Recording) -> None:
        values, written, spoken = self.values, True, "audio" in self.values["modalities"]
        target = dug(values, "translation.language") or "en"
        if target == (self.language(recording.language)) and target in ("zh", "en"):
            skipped = dug(values, f"translation.{_SKIP}") or values[_SKIP] or {}
            written, spoken = not skipped.get("skip_text"), spoken and not skipped.get("skip_audio")
        if not (written or spoken):
            return
        aloud, note = self._words(recording, target)
        pieces = self._said(aloud, recording) if spoken else _parts(aloud)
        about = {name: values[name] for name in ("modalities", "voice", "output_audio_format")}
        reply = Reply(self.line, conversation_id=self._conversation, **about)
        await reply.begin()
        item = await reply.message("audio" if spoken else "text", {"previous_item_id": id})
        said, seconds = "", 0.0
        async for piece in pieces:
            said = await self._tell(reply, said, piece.text) if written else ""
            seconds += len(piece.pcm) / 2 / values.get("output_rate", 24000)
            await reply.sound(piece.pcm)
        if written:
            said = await self._tell(reply, said, note)
            await reply.words("done", said)
        await reply.end_message(item, said)
        await reply.end("completed", usage=self._usage(recording, said, seconds))

    def _words(self, recording: Recording, target: str) -> tuple[str, str]:
        """The translation, and what the translator has to admit; phrases of the corpus hold, strange speech stays."""
        phrases = dug(self.values, "translation.corpus.phrases") or {}
        options = {"target_lang": target, "terms": [{"source": a, "target": str(b)} for a, b in phrases.items() if a]}
        said, notes = list[str](), ""
        for guessed, sentences in groupby(recording.said, lambda each: each.language):
            source, text = self.language(guessed), joined([each.text for each in sentences])
            body: Json = {"messages": [{"role": "user", "content": text}]}
            body["translation_options"] = {**options, "source_lang": source}
            words = text if source == target or not guessed else translated(Order(body, self.line.model, False))
            note = _NOTE.search(words) if words != text else None
            said.append(words[: note.start()] if note else words)
            notes += note[0] if note else ""
        return joined(said), notes

    def _said(self, text: str, recording: Recording) -> AsyncIterator[Piece]:
        voice = self.values["voice"]
        if voice == "default" or not (catalogue.voice(voice) or voice.startswith("qwen")):
            voice = "Cherry" if recording.heard.pitch_hz > HIGH_HZ else "Ethan"  # who is like the speaker
        return say(self.line.service, text, voice, rate_hz=self.values.get("output_rate", 24000))

    async def _tell(self, reply: Reply, said: str, new: str) -> str:
        """More words: as a part, or as a snapshot, whose end may still change and then does not. All of them now."""
        if new and self._third:
            await reply.words("delta", new)
        elif new:
            await reply.words("text", said, new)
        return said + new

    def _usage(self, recording: Recording, text: str, seconds: float) -> Json:
        model = self.line.model
        heard, words = audio_tokens(model, recording.heard.seconds, "in"), tokens.count(text)
        spoke = audio_tokens(model, seconds, "out") if seconds else 0
        return bill({"text_tokens": 0, "audio_tokens": heard}, {"text_tokens": words, "audio_tokens": spoke})


async def _parts(text: str) -> AsyncIterator[Piece]:
    words = tokens.split(text)
    for at in range(0, len(words), _WORDS):
        yield Piece("".join(words[at : at + _WORDS]), b"")
