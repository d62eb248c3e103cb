"""One response of a realtime conversation, from `response.created` to `response.done`.

The same mind answers as in chat; here its answer is put into items, said aloud, and billed by modality. A response may
be stopped at any moment: it then ends with what was delivered by then.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

from qwenkit.catalogue import tokens
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.realtime.formats import wav_head
from qwenkit.sandbox.realtime.items import Item, audio_tokens, called, cost, messages, wire
from qwenkit.sandbox.realtime.mouth import aloud, say, unless
from qwenkit.sandbox.realtime.reply import Reply, bill

if TYPE_CHECKING:
    from qwenkit.sandbox.chat import Answered
    from qwenkit.sandbox.realtime.omni import Session

Json = dict[str, Any]
Ending = tuple[str, Json]  # status, status_details
DONE: Ending = ("completed", {})
_OF_2025 = ("qwen3 omni", "qwen omni turbo")  # that were seen to answer in frames without a type
_IN_FRAMES = ("response.audio_transcript.delta", "response.text.delta", "response.audio.delta")
_STILL_THERE = {"en": "Are you still there?", "zh": "您还在吗？"}


class Response(Reply):
    """`asked` is what a `response.create` brought; `unasked` when the user has been silent for long."""

    def __init__(self, session: Session, asked: Json, *, unasked: bool = False) -> None:
        settings = self._settings = session.settings
        self._modalities = asked.get("modalities") or settings.values["modalities"]
        about = {"conversation_id": session.conversation_id, "modalities": self._modalities, "voice": settings.voice}
        super().__init__(session.line, **about, output_audio_format=settings.output.type)
        self.active, self.seconds = True, 0.0  # of sound
        self._session, self._asked, self._unasked = session, asked, unasked
        self._stop, self._reason = asyncio.Event(), ""
        self._frames = self.line.switches.choices_mode and self.line.facts.group in _OF_2025
        self._wrote = 0  # tokens of text and arguments
        self._kept: list[Item] = []  # of the conversation, which the model has before it
        self._read: Answered | None = None
        self._begun_ms = session.ear.at_ms

    @property
    def playing_until_ms(self) -> int:
        """When the sound has been played, in ms of the session: by then a client that streams has sent as much."""
        return self._begun_ms + round(self.seconds * 1000)

    def stop(self, reason: str) -> None:
        """End it at once: turn_detected or client_cancelled."""
        self._reason = reason
        self._stop.set()

    async def run(self) -> None:
        await self.begin()
        status, details = await self._answer()
        if self._stop.is_set():
            status, details = "cancelled", {"type": "cancelled", "reason": self._reason}
        self.active = False
        if not (self._stop.is_set() and self.line.switches.no_done_after_cancel):
            more = {"status_details": details} if details else {}
            await self.end(status, **more, **({} if status == "failed" else {"usage": self._usage()}))

    async def _answer(self) -> Ending:
        if self.line.switches.invalid_voice != "ignore" and (wrong := self._session.wrong_voice(self._settings)):
            return "failed", await self.failed(wrong, "invalid_value", "session.voice")
        body = self._body()
        if self._unasked:
            await self._say([_STILL_THERE["zh" if self._session.language == "zh" else "en"]])
            return DONE
        try:
            self._read = await self._asked_mind(body)
        except Refusal as refusal:
            return "failed", await self.failed(refusal.message or str(refusal), refusal.code)
        answer = self._read.answers[0]
        if self._stop.is_set():
            return DONE
        if answer.tokens or not answer.calls:
            await self._say([token.text for token in answer.tokens])
        for call in answer.calls:
            if not self._stop.is_set():
                await self._call(call.name, call.arguments)
        cut = answer.finish_reason == "length"
        return ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}) if cut else DONE

    def _body(self) -> Json:
        """The order of a chat, with as much of the conversation as the model keeps and takes."""
        values, wish = self._settings.values, self._asked.get("instructions")
        told = wish or values["instructions"]
        system = [{"role": "system", "content": told}] if isinstance(told, str) and told else []
        asked = {"role": "user", "content": wish if isinstance(wish, str) else ""}  # where nothing was said yet
        tools = [tool for tool in values["tools"] if tool["type"] == "function"]
        taken = tokens.count_messages(system) + (tokens.count(json.dumps(tools, ensure_ascii=False)) if tools else 0)
        room = (self.line.model.max_input or math.inf) - taken
        self._kept = self._session.conversation.kept(values["max_history_turns"], room)
        return {
            "messages": [*system, *(messages(self._kept) or [asked])],
            "tools": tools,
            "tool_choice": self._asked.get("tool_choice") or values["tool_choice"],
            "parallel_tool_calls": True,
            "enable_search": values["enable_search"],
            **self._settings.sampling(),
        }

    async def _asked_mind(self, body: Json) -> Answered:
        from qwenkit.sandbox.chat import answered

        order = Order(body, self.line.model, False, aloud="audio" in self._modalities)
        return await answered(self.line.service, order, None)

    # -- items -----------------------------------------------------------------------------------------------------

    async def _say(self, words: list[str]) -> None:
        item = await self.message("audio" if "audio" in self._modalities else "text", {})
        kept = Item(item, {"role": "assistant", "content": ""})
        if self._asked.get("conversation") != "none":
            self._session.conversation.put(kept)
        await (self._speak(aloud("".join(words)), kept) if self.sort == "audio" else self._write(words, kept))
        text = kept.message["content"]
        self._wrote += tokens.count(text)
        await self.words("done", text)
        await self.end_message(item, text, whole=not self._stop.is_set())

    async def _write(self, words: list[str], kept: Item) -> None:
        pace = self.line.service.pace
        for piece in words:
            await unless(self._stop, asyncio.sleep(1 / pace if pace else 0))
            if self._stop.is_set():
                break
            kept.message["content"] += piece
            await self.words("delta", piece)

    async def _speak(self, text: str, kept: Item) -> None:
        rate, (voice, how) = self._settings.output.rate_hz, self._session.voice(self._settings.voice)
        head = wav_head(rate) if self._settings.output.type == "wav" else b""
        async for piece in say(self.line.service, text, voice, rate_hz=rate, stop=self._stop, **how):
            kept.marks.append((round(self.seconds * 1000), len(kept.message["content"])))
            kept.message["content"] += piece.text
            if piece.text:
                await self.words("delta", piece.text)
            if piece.pcm:
                self.seconds += len(piece.pcm) / 2 / rate
                await self.sound(head + piece.pcm)
                head = b""

    async def _call(self, name: str, arguments: str) -> None:
        item = wire(self.line.id("item"), "function_call", "in_progress", call_id=self.line.id("call"), name=name)
        item["arguments"] = ""
        await self.open(item, {})
        for piece in tokens.split(arguments):
            await self.about_it("response.function_call_arguments.delta", call_id=item["call_id"], delta=piece)
        told = {"call_id": item["call_id"], "name": name, "arguments": arguments}
        await self.about_it("response.function_call_arguments.done", **told)
        item |= {"status": "completed", "arguments": arguments}
        self._session.conversation.put(called(item))
        self._wrote += tokens.count(name) + tokens.count(arguments)
        await self.end_item(item)

    # -- the wire --------------------------------------------------------------------------------------------------

    def _usage(self) -> Json:
        settings, read, model = self._settings, self._read, self.line.model
        heard, seen = cost(model, self._kept, settings.input.channels, settings.compact)
        spoke = audio_tokens(model, self.seconds, "out") if self.seconds else 0
        inputs = {"text_tokens": read.tokens if read else 0, "audio_tokens": heard, "image_tokens": seen}
        outputs = {"text_tokens": self._wrote, "audio_tokens": spoke}
        told = bill(inputs, outputs, cached_tokens=(read.details or {}).get("cached_tokens", 0) if read else 0)
        return told | ({"plugins": {"search": {"count": 1, "strategy": "agent"}}} if read and read.pages else {})

    async def send(self, type: str, **fields: Any) -> None:
        """An event; or, for models that were seen to do so, a frame that has no type."""
        if not self._frames:
            await self.line.send(type, **fields)
        elif type in _IN_FRAMES or type == "response.done":
            delta = fields.get("delta")
            part = {"audio": {"data": delta}} if type == "response.audio.delta" else {"text": delta}
            message = {"role": "assistant", "content": [part] if delta else []}
            reason = "stop" if type == "response.done" else "null"
            await self.line.send_frame({"choices": [{"finish_reason": reason, "message": message}]})
