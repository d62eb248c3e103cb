"""A session of an omni or audio model: it listens, takes turns, looks, answers aloud, and may be interrupted.

`Session.run` reads one command after the other; a response is a task beside it. What the commands and responses say to
each other goes through `settings` (what was agreed), `conversation` (what was said) and `ear` (what is being said).
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from qwenkit import catalogue
from qwenkit.sandbox.realtime.ear import Ear
from qwenkit.sandbox.realtime.frames import Frames
from qwenkit.sandbox.realtime.items import Conversation, made
from qwenkit.sandbox.realtime.line import Line
from qwenkit.sandbox.realtime.response import Response
from qwenkit.sandbox.realtime.settings import Settings, check_modalities
from qwenkit.sandbox.realtime.tools import list_servers
from qwenkit.sandbox.realtime.turns import Turns
from qwenkit.sandbox.realtime.wrong import Wrong, missing

Json = dict[str, Any]
_ACTIVE = ("Conversation already has an active response", "", "")
_ACTIVE_AUDIO = ("Cannot create response while another response is in progress.", "response.create")
_SPEAKING = ("Cannot create response while user is speaking.", "response.create")
_VOICE = "Voice '{}' is not supported."


async def serve(line: Line) -> None:
    await Session(line).run()


@cache
def _warm() -> None:
    """Make ready what the first answer needs, so that nobody waits for it: the mind, the voice and the ears."""
    from qwenkit.sandbox import asking, attached, known_sentences, searching  # noqa: F401
    from qwenkit.sandbox.voice import said

    next(said("Hello.", "Tina"))


class Session:
    """One conversation over one socket."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self._id, self.conversation_id = line.id("sess"), line.id("conv")
        self.settings = Settings.of(line.model, line.facts)
        self.conversation = Conversation(line.model)
        self.ear, self.frames = Ear(pauses=True), Frames(line)
        self.language = "en"
        self._turns = Turns(self)
        self._voice_only = line.facts.group == "qwen audio"
        self._response: Response | None = None
        self._task: asyncio.Task[None] | None = None
        self._heard = self._spoke = self._again = False
        self._queued: Json | None = None  # a response to follow the one that is being given
        self._outputs = 0  # of functions, since the last response began
        self._finishing = False

    async def run(self) -> None:
        await self.line.send("session.created", session=self.settings.echo(self._id, first=True))
        self.ear.listen(self.settings.detection or None)
        warming = asyncio.create_task(asyncio.to_thread(_warm))
        try:
            while (command := await self.line.receive()) is not None:
                try:
                    await COMMANDS.get(command["type"], Session._unknown)(self, command)
                except Wrong as wrong:
                    await self.line.refuse(wrong.message, wrong.code, wrong.param, command)
        finally:
            for task in filter(None, (self._task, warming)):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _unknown(self, command: Json) -> None:
        await self.line.unknown(command)

    # -- settings --------------------------------------------------------------------------------------------------

    async def _update(self, command: Json) -> None:
        asked = command.get("session", None if self.line.facts.needs_session else {})
        if not isinstance(asked, dict):
            raise missing("session")
        before = self.settings
        new = before.updated(asked, heard=self._heard, spoke=self._spoke, again=self._again)
        servers = [tool for tool in asked.get("tools") or [] if tool["type"] == "mcp"]
        if servers and self._active:
            raise Wrong("MCP tools cannot be changed while a response is active.", "session.tools")
        if self.line.switches.invalid_voice == "update" and (wrong := self.wrong_voice(new)):
            await self.line.refuse(wrong, "invalid_value", "session.voice", command)
            await self.line.close(1007, f"<400> InternalError.Algo.InvalidParameter: {wrong}")
            return
        self.settings, self._again = new, True
        if new.input != before.input:
            self.ear = Ear(new.input.rate_hz, new.input.channels, pauses=True)
        if (new.input, new.detection) != (before.input, before.detection):
            self.ear.listen(new.detection or None)
            self._turns.forget()
        await self.line.send("session.updated", session=new.echo(self._id))
        await list_servers(self.line, servers)

    def wrong_voice(self, settings: Settings) -> str:
        """What is said of a voice that the model does not have; "" of those it has."""
        known = settings.knows_voice() or self.voice(settings.voice)[1]
        return "" if known else _VOICE.format(settings.voice)

    def voice(self, name: str) -> tuple[str, Json]:
        """Who speaks, and how: for a voice that was made for this model, one of the cast and its recipe."""
        from qwenkit.sandbox.customizing import OwnVoices

        own = self.line.service.shelf(OwnVoices).get(name)
        home = catalogue.model(own.model) if own else None
        mine = own and home and home.line == self.line.model.line
        return (own.base, {"pitch": own.pitch, "instructions": own.prompt}) if own and mine else (name, {})

    # -- what is heard and seen ------------------------------------------------------------------------------------

    async def _append(self, command: Json) -> None:
        if (content := await self.line.sound(command)) is not None:
            self._heard = True
            for turn in self.ear.feed(content):
                await self._turns.take(turn)
            await self._turns.passed()

    async def _image(self, command: Json) -> None:
        if self.line.facts.images:
            await self.frames.add(command, self.ear.seconds > 0)
        else:
            await self.line.unknown(command)

    async def _commit(self, command: Json) -> None:
        clip = self.ear.commit()
        await self._turns.committed(self.line.id("item"), clip)

    async def _clear(self, command: Json) -> None:
        self.ear.clear()
        self.frames.take()
        self._turns.forget()
        await self.line.send("input_audio_buffer.cleared")

    # -- items -----------------------------------------------------------------------------------------------------

    async def _create_item(self, command: Json) -> None:
        item = made(command.get("item"), self.line.id("item"))
        self.conversation.put(item, command.get("previous_item_id"))
        await self.line.send("conversation.item.created", item=item.wire)
        if item.wire["type"] == "function_call_output":
            self._outputs += 1
            goes_on = self.line.switches.auto_continue_tools and self.settings.detection
            if goes_on and not self.conversation.unanswered():
                await self.respond({})

    async def _retrieve(self, command: Json) -> None:
        await self.line.send("conversation.item.retrieved", item=self.conversation.get(command.get("item_id")).wire)

    async def _delete(self, command: Json) -> None:
        item = self.conversation.get(command.get("item_id"))
        self.conversation.items.remove(item)
        await self.line.send("conversation.item.deleted", item_id=item.id)

    async def _truncate(self, command: Json) -> None:
        place = {name: command.get(name) for name in ("item_id", "content_index", "audio_end_ms")}
        self.conversation.truncate(place["item_id"], place["audio_end_ms"])
        await self.line.send("conversation.item.truncated", **place)

    # -- responses -------------------------------------------------------------------------------------------------

    @property
    def _active(self) -> bool:
        return self._response is not None and self._response.active

    async def _create(self, command: Json) -> None:
        asked = command.get("response")
        asked = asked if isinstance(asked, dict) else {}
        check_modalities(asked.get("modalities"), "response.modalities")
        if self._voice_only and self.ear.speaking:
            raise Wrong(*_SPEAKING)
        if self._active and not self._outputs:  # one that follows the output of a function waits its turn
            raise Wrong(*(_ACTIVE_AUDIO if self._voice_only else _ACTIVE))
        await self.respond(asked)

    async def respond(self, asked: Json, *, unasked: bool = False) -> None:
        """Begin a response, or let it follow the one that is being given; one that nobody asked for does not."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._respond(self._next(asked, unasked)))
        elif not unasked:
            self._queued = asked

    def _next(self, asked: Json, unasked: bool = False) -> Response:
        self._outputs, self._queued, self._response = 0, None, Response(self, asked, unasked=unasked)
        return self._response

    async def _respond(self, response: Response) -> None:
        try:
            await response.run()
        except Exception:
            traceback.print_exc()
            await self.line.refuse("Internal service error: null", "InternalError", kind="server_error")
            await self.line.close(1011, "Internal service error: null")
        self._spoke = self._spoke or response.seconds > 0
        self._turns.answered(response)
        if self._finishing and self._queued is None:
            await self._say_finished()
        if self._queued is not None:
            await self._respond(self._next(self._queued))

    async def interrupt(self, reason: str) -> None:
        """Stop the response that is being given, and wait for its last event."""
        self._queued = None
        if self._response and self._task and self._active:
            self._response.stop(reason)
            await self._task

    async def _cancel(self, command: Json) -> None:
        if not self._active:
            raise Wrong("Conversation has none active response", code="")
        await self.interrupt("client_cancelled")

    async def _finish(self, command: Json) -> None:
        if self.line.switches.strict_finish or not self.line.facts.finish:
            await self.line.unknown(command)
        elif self._active:
            self._finishing = True
        else:
            await self._say_finished()

    async def _say_finished(self) -> None:
        self._finishing = False
        await self.line.send("session.finished")


COMMANDS: dict[str, Callable[[Session, Json], Awaitable[None]]] = {
    "session.update": Session._update,
    "session.finish": Session._finish,
    "input_audio_buffer.append": Session._append,
    "input_audio_buffer.commit": Session._commit,
    "input_audio_buffer.clear": Session._clear,
    "input_image_buffer.append": Session._image,
    "conversation.item.create": Session._create_item,
    "conversation.item.retrieve": Session._retrieve,
    "conversation.item.delete": Session._delete,
    "conversation.item.truncate": Session._truncate,
    "response.create": Session._create,
    "response.cancel": Session._cancel,
}
