"""Text that is typed, spoken as it comes: the Qwen-TTS models on the realtime socket.

In mode `server_commit` a sentence is spoken when it is whole, or when nobody has typed for a while; in mode `commit`
when the client says so. Each commit is a response of its own, one after the other, while more may be typed.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue import tokens
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.realtime.formats import RATES, Encoder
from qwenkit.sandbox.realtime.line import Line
from qwenkit.sandbox.realtime.mouth import say
from qwenkit.sandbox.realtime.reply import Reply
from qwenkit.sandbox.realtime.settings import TEXT, YES_NO, Rule, number, one_of
from qwenkit.sandbox.realtime.sibling import Commands, Json, Sibling
from qwenkit.sandbox.realtime.wrong import Wrong, missing
from qwenkit.sandbox.speaking import LANGUAGES, Script, characters, owned, token_usage

PAUSE_S = 0.25  # without typing: what there is is spoken
MOST_CHARACTERS, MOST_INSTRUCTED = 20_000, 1600  # that wait for their commit; tokens
_SENTENCE = re.compile(r".*(?:[。！？；\n]|[.!?;…](?=\s))", re.DOTALL)
_EMPTY = "Error committing input text buffer: buffer is empty."
_OTHER_RATES = (22050, 44100)  # of the SDK's list only
_NAMES = {"speech_rate": "speed", "pitch_rate": "pitch", "volume": "volume"}  # to the voice
_MANNER: dict[str, Rule] = {
    **dict.fromkeys(("speech_rate", "pitch_rate"), number(0.5, 2.0)),
    "volume": number(0, 100, whole=True),
    "bit_rate": number(6, 510, whole=True),
    "instructions": TEXT,
    **dict.fromkeys(("optimize_instructions", "enable_tn"), YES_NO),
}


async def serve(line: Line) -> None:
    session = Typing(line)
    await session.beside(session.speak())


class Typing(Sibling):
    """One session: a buffer that is typed into, and a voice that speaks what was committed."""

    late_update = "Session update error: session already started or finished or failed."

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self._first = len(line.facts.formats) == 1  # the first generation speaks as it does, whatever is asked
        self._buffer, self._started, self._busy = "", False, False
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()  # None: nothing more will come
        self._stop = asyncio.Event()

    def usual(self) -> Json:
        told: Json = {"voice": self.line.model.default_voice, "mode": "server_commit", "response_format": "pcm"}
        return {**told, "sample_rate": 24000, "language_type": "Auto", **dict.fromkeys(_MANNER)}

    def rules(self) -> dict[str, Rule]:
        facts = self.line.facts
        return {
            "voice": TEXT,
            "mode": one_of("server_commit", "commit"),
            "response_format": one_of(*facts.formats),
            "sample_rate": one_of(*facts.rates_hz, *(_OTHER_RATES if len(facts.rates_hz) > 1 else ())),
            "language_type": one_of(*LANGUAGES),
            **_MANNER,
        }

    def shown(self) -> Json:
        return {name: value for name, value in super().shown().items() if value is not None}

    def commands(self) -> Commands:
        buffer = {"append": self._append, "commit": self._commit, "clear": self._clear}
        more = {f"input_text_buffer.{name}": handler for name, handler in buffer.items()}
        return {**super().commands(), **more, "response.cancel": self._cancel}

    def merged(self, given: Json) -> Json:
        if self._started:
            raise Wrong(self.late_update)
        values = super().merged(given)
        told, format, rate = values["instructions"] or "", values["response_format"], values["sample_rate"]
        if values["optimize_instructions"] and not told:
            raise Wrong("optimize_instructions needs instructions", "session.optimize_instructions")
        if tokens.count(told) > MOST_INSTRUCTED:
            raise Wrong(f"Range of instructions length should be [0, {MOST_INSTRUCTED}]", "session.instructions")
        if rate not in RATES.get(format, (rate,)):
            raise Wrong(f"{format} has no sample rate {rate}", "session.sample_rate")
        if self.line.switches.invalid_voice == "update":
            self._script("", values)
        return values

    # -- typing ----------------------------------------------------------------------------------------------------

    def patience(self) -> float | None:
        return PAUSE_S if self._buffer.strip() and self.values["mode"] == "server_commit" else None

    async def idle(self) -> None:
        await self._commit_text(self._buffer)

    async def _append(self, command: Json) -> None:
        text = command.get("text")
        if not isinstance(text, str):
            raise missing("text")
        if len(self._buffer) + len(text) > MOST_CHARACTERS:
            raise Wrong(f"Range of input length should be [1, {MOST_CHARACTERS}]", "text")
        self._started, self._buffer = True, self._buffer + text
        if self.values["mode"] == "server_commit" and (whole := _SENTENCE.match(self._buffer)):
            await self._commit_text(whole[0])

    async def _commit(self, command: Json) -> None:
        if not self._buffer.strip():
            raise Wrong(_EMPTY, code="")
        await self._commit_text(self._buffer)

    async def _commit_text(self, text: str) -> None:
        """Hand the beginning of the buffer to the voice."""
        self._buffer = self._buffer[len(text) :]
        if text.strip():
            await self.line.send("input_text_buffer.committed", item_id=self.line.id("item"))
            self._queue.put_nowait(text)

    async def _clear(self, command: Json) -> None:
        self._buffer = ""
        await self.line.send("input_text_buffer.cleared")

    async def _cancel(self, command: Json) -> None:
        if not self._busy and self._queue.empty():
            raise Wrong("Conversation has none active response", code="")
        while not self._queue.empty():
            self._queue.get_nowait()
        self._stop.set()

    async def finish(self) -> None:
        await self._commit_text(self._buffer)
        self._queue.put_nowait(None)

    # -- speaking --------------------------------------------------------------------------------------------------

    async def speak(self) -> None:
        """Say what was committed, one after the other, and at the end that there is no more."""
        while (text := await self._queue.get()) is not None:
            self._busy = True
            self._stop.clear()
            await self._respond(text)
            self._busy = False
        await self.goodbye()
        if self.line.switches.server_closes_tts:
            await self.line.close()

    async def _respond(self, text: str) -> None:
        values, rate, seconds = self.values, self.values["sample_rate"], 0.0
        about = {"modalities": ["text", "audio"], "voice": values["voice"]}
        reply = Reply(self.line, **about, output_audio_format=values["response_format"])
        await reply.begin()
        try:
            script = self._script(text, values)
        except Wrong as wrong:
            await reply.end("failed", status_details=await reply.failed(wrong.message, wrong.code, wrong.param))
            return
        item = await reply.message("audio")
        encoder = Encoder(values["response_format"], rate, values["bit_rate"] or 128)
        async for piece in say(self.line.service, text, stop=self._stop, **script.options):
            seconds += len(piece.pcm) / 2 / rate
            await reply.sound(encoder.feed(piece.pcm))
        await reply.sound(encoder.finish())
        usage = token_usage(text, seconds) if self._first else {"characters": characters(text)}
        whole = not self._stop.is_set()
        await reply.end_message(item, "", whole=whole)
        await reply.end("completed" if whole else "cancelled", usage=usage)

    def _script(self, text: str, values: Json) -> Script:
        """What is said, and how; Wrong when the model has no such voice."""
        model, voice = self.line.model, values["voice"]
        wrong = Wrong(f"Voice '{voice}' is not supported.", "session.voice")
        try:
            own = owned(self.line.service, voice, model)
        except Refusal:
            raise wrong from None
        named = [each.name for each in catalogue.voices(model.name)] if model.default_voice else []
        if own is None and voice not in named and self.line.switches.invalid_voice != "ignore":
            raise wrong
        asked = {name: values[wire] for wire, name in _NAMES.items() if values[wire] is not None}
        how: dict[str, Any] = {"rate_hz": values["sample_rate"], **({} if self._first else asked)}
        manner = (values["instructions"] or "") if "instruction_tokens" in model.limits else ""
        return Script(model.name, text, voice, values["language_type"], manner, own, **how)
