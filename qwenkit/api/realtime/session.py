"""A session's face: say something and get the turn, or append, commit and watch the events go by.

    with qwen.realtime.connect(voice="Cherry") as session:
        turn = session.say("Good morning!")
        turn.text, turn.audio, turn.moments.to_audio

The same methods serve `async with aqwen.realtime.connect(…) as session`, awaited. The blocking session lives on a
thread of its own, so it is at home in a notebook's cell, and other threads may use it too.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

from qwenkit import catalogue
from qwenkit.api import realtime
from qwenkit.api.core import Core
from qwenkit.api.realtime import intake, opening
from qwenkit.api.realtime.both import Awaited, Waiting, flowing, plain, talk
from qwenkit.api.realtime.engine import Callback
from qwenkit.api.realtime.feeds import Reading
from qwenkit.api.realtime.saying import Saying
from qwenkit.api.realtime.talking import TalkEngine
from qwenkit.errors import ConfigError, QwenError
from qwenkit.protocol import options as checked
from qwenkit.protocol import results
from qwenkit.protocol.realtime import commands, settings
from qwenkit.protocol.realtime.events import SPEC
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.transport.portal import Portal
from qwenkit.types._shown import Shown
from qwenkit.types.call import Call
from qwenkit.types.message import Message
from qwenkit.types.options_realtime import RealtimeOptions
from qwenkit.types.realtime import Event
from qwenkit.types.reply import ToolCall
from qwenkit.types.tools import ToolRun
from qwenkit.types.turn import Turn

_LISTENING = ("threshold", "silence_ms", "prefix_ms", "idle_timeout_ms", "respond", "interrupt")


class SessionCalls(Shown):
    """What both flavours share."""

    def __init__(self, core: Core, model: str, options: Mapping[str, Any]) -> None:
        """A session to be opened. What is wrong with its options is said now."""
        self.model = checked.model(model or catalogue.DEFAULTS["realtime"])
        session = realtime.checked(self.model, options)
        running = {name: options[name] for name in realtime.RUNNING if name in options}
        self._options = {name: each for name, each in options.items() if name not in running}
        self.engine = TalkEngine(core, self.model, session, tools=options.get("tools"), **running)

    @property
    def call(self) -> Call:
        """All that was said, and when: `session.call.save("call.wav")`, `.timeline()`, `.latency()`."""
        return self.engine.call

    @property
    def turns(self) -> Turns:
        """The turns that are over; `session.turns()` waits for those to come."""
        flavour: Any = self
        return Turns(self.engine.call.turns, flavour._finished)

    @property
    def events(self) -> list[Any]:
        """The newest events."""
        return self.engine.call.events

    @property
    def conversation(self) -> list[Message]:
        """The history as chat messages."""
        return self.engine.call.conversation

    @property
    def config(self) -> dict[str, Any]:
        """The settings as the service says they are."""
        return self.engine.machine.echo

    @property
    def id(self) -> str:
        return self.engine.machine.id

    @property
    def closed(self) -> bool:
        return self.engine.closed

    @property
    def reconnects(self) -> int:
        """How often the socket broke and was dialled again."""
        return self.engine.reconnects

    @property
    def manual(self) -> bool:
        """Whether you say when you have spoken, and not the service."""
        return self.engine.machine.detection is None

    @plain
    def on(self, event: str | Callback, callback: Any = None) -> Callable[[], None]:
        """Call this for every event, or for those of a type: `session.on("response.done", print)`.

        It is called on the session's thread, and must be quick. Gives what ends it.
        """
        if not isinstance(event, str):
            return self.engine.on(event)
        near = get_close_matches(event, SPEC, n=1, cutoff=0.8)
        if event not in SPEC and (near or "." not in event):
            hint = f"did you mean {near[0]!r}?" if near else 'such as "response.done"; session.events shows more'
            raise ConfigError(f"no event is called {event!r:.60}", hint=hint)
        return self.engine.on((lambda each: each.type == event and callback(each)) if callable(callback) else callback)

    @plain
    def save(self, path: str | os.PathLike[str] = "call.wav") -> Path:
        """Write the call as sound, you on the left and the model on the right; in a folder it is call.wav."""
        return self.engine.call.save(path)

    @talk
    async def say(
        self, /, what: Any, *, images: Any = None, wait: bool = True, pace: float | None = None, **response: Any
    ) -> Turn:
        """Say words or sound, with pictures if there are any, and get the turn with the answer.

        Sound is sent as fast as it goes; `pace=1.0` sends it like speech. `wait=False` gives the turn as it runs. What
        else is asked of this answer alone: `instructions`, `modalities`, `tool_choice`, or anything as `extra={…}`.
        """
        opening.paced(pace)
        return await Saying(self.engine).say(what, images, wait, pace, settings.response(response))

    @talk
    async def append(self, sound: Any) -> None:
        """Send sound: bytes of 16-bit samples at the session's rate, or any `qk.Audio`."""
        rate = self.engine.machine.input_hz
        for piece in intake.pieces(intake.pcm(sound, rate, files=False), rate):
            await self.engine.sound(piece)

    @talk
    async def look(self, image: Any) -> bool:
        """Show one frame of a camera; False when it came too soon after the last and was not sent."""
        return await self.engine.look(image)

    @talk
    async def commit(self) -> None:
        """Say that you have spoken; only where the service does not listen for that itself."""
        if not self.manual:
            hint = "leave commit() out, or connect with turn_detection=None"
            raise ConfigError("the service listens for the end of speech by itself", hint=hint)
        await Saying(self.engine).told("input_audio_buffer.committed", commands.commit())

    @talk
    async def clear(self) -> None:
        """Take back the sound that was appended and not committed."""
        await Saying(self.engine).told("input_audio_buffer.cleared", commands.clear())

    @talk
    async def respond(self, /, *, wait: bool = False, **response: Any) -> Turn:
        """Ask for an answer. Gives the turn as it runs, or with `wait` when it is over."""
        return await Saying(self.engine).ask(wait, settings.response(response))

    @talk
    async def cancel(self) -> None:
        """Stop the answer under way; what had come of it stays in the turn."""
        if self.engine.machine.active is not None:
            await self.engine.send(**commands.cancel())

    @talk
    async def update(self, **options: Unpack[RealtimeOptions]) -> dict[str, Any]:
        """Change settings of the open session; gives them as the service says they are now."""
        kept = self._options
        if options.get("turn_detection", ...) in settings.MANUAL:  # nobody listens any more: how is no question
            kept = {name: each for name, each in kept.items() if name not in _LISTENING}
        wanted, before = {**kept, **options}, self.engine.machine.session
        box = Toolbox(options["tools"]) if "tools" in options else self.engine.box
        try:
            update = commands.update(settings.session(self.model, wanted))
            await Saying(self.engine).told("session.updated", update)
        except QwenError:
            self.engine.machine.session = before  # what is refused is not asked for again
            raise
        self._options, self.engine.box = wanted, box
        return self.config

    @talk
    async def add(self, item: Any) -> None:
        """Add an item to the conversation; text is a message of yours. It asks for no answer."""
        if not isinstance(item, str | Mapping):
            raise ConfigError(f"an item cannot be {item!r:.60}", hint="it is a text, or a dict as on the wire")
        command = commands.message(item) if isinstance(item, str) else commands.item(dict(item))
        await Saying(self.engine).told("conversation.item.created", command)

    @talk
    async def tool_result(self, call: ToolCall | str, value: Any) -> None:
        """Answer a call by hand; `session.respond()` then goes on."""
        id = call if isinstance(call, str) else call.id
        waiting = [each for turn in self.turns[-1:] for each in turn.calls]
        found = next((each for each in waiting if each.id == id), None)
        if found is None:
            names = ", ".join(each.name for each in waiting)
            hint = f"open are: {names}" if names else "connect with run_tools=False and look at turn.calls"
            raise ConfigError("no call of the last answer waits for this result", hint=hint)
        run = ToolRun(id, found.name, found.arguments, results.text_of(value), value)
        self.engine.tell("ran", run=run)
        await self.engine.send(**commands.output(id, run.result))

    @talk
    async def approve(self, item: Any, yes: bool = True) -> None:
        """Whether a tool of somebody else's may be called; `item` is the request, its event, or its id."""
        id = item if isinstance(item, str) else item.get("id") if isinstance(item, dict) else getattr(item, "id", None)
        if not isinstance(id, str):
            raise ConfigError(f"{item!r:.60} asks for no approval", hint="pass the request, its event, or its id")
        await self.engine.send(**commands.approval(id, yes))

    @talk
    async def send(self, /, type: str | Mapping[str, Any], **fields: Any) -> None:
        """Send any client event as it is, by its name or as a dict. If it is refused, an event says so."""
        told = {"event_id": f"sent_{len(self.engine.unasked) + 1}", **opening.event(type, fields)}
        self.engine.unasked.add(str(told["event_id"]))
        await self.engine.send(**told)

    @flowing
    def turn(self) -> Reading[Event]:
        """The events of the turn under way, or of the next one, to its end."""
        feed = self.engine.feed
        self._expect(each for each in list(feed.items) if each.type == "local.turn")
        return Reading(feed, lambda event: event.family != "session", lambda event: event.type == "local.turn")

    def _expect(self, unread: Iterable[Any]) -> None:
        """Refuse to wait for a turn that nobody asked for."""
        engine = self.engine
        coming = engine.fold.current or engine.machine.busy or engine.speaking.locked() or engine.closed
        if self.manual and not coming and not any(unread):
            raise ConfigError("no turn is under way", hint="session.say(…, wait=False) or session.respond() first")

    @flowing
    def _finished(self) -> Reading[Turn]:
        """Turns as they finish, until the session is closed."""
        self._expect(list(self.engine.results.items))
        return Reading(self.engine.results, lambda turn: isinstance(turn, Turn))  # not word of those nobody looked at

    @flowing
    def _flow(self) -> Reading[Event]:
        return Reading(self.engine.feed)

    def __repr__(self) -> str:
        count = len(self.turns)
        state = "closed" if self.closed else "open"
        return f"Session({self.model}, {count} turn{'s' * (count != 1)}, {state})"


class Turns(list[Turn]):
    """The turns so far. Called, it gives turns as they finish, until the session is closed."""

    def __init__(self, turns: list[Turn], finished: Callable[[], Any]) -> None:
        super().__init__(turns)
        self._coming = finished

    def __call__(self) -> Any:
        return self._coming()


class Session(SessionCalls, Waiting):
    """A live session whose methods wait. It lives on a thread of its own, until `close` or the end of `with`."""

    def __init__(self, core: Core, model: str, options: Mapping[str, Any]) -> None:
        super().__init__(core, model, options)
        self._portal = Portal()
        try:
            self._portal.call(self.engine.open())
        except BaseException:
            self._portal.close()
            raise
        weakref.finalize(self, self._portal.abandon)

    @plain
    def tell(self, /, kind: str, **detail: Any) -> None:
        """Put word of your own among the events, from any thread: `tell("played", played_ms=900)`, above all."""
        self._portal.soon(partial(self.engine.tell, kind, **detail))

    @plain
    def append(self, sound: Any) -> None:
        """Send sound: bytes of 16-bit samples at the session's rate, or any `qk.Audio`. Waits when much is unsent."""
        rate = self.engine.machine.input_hz
        for piece in intake.pieces(intake.pcm(sound, rate, files=False), rate):
            if not (self._portal.open and self.engine.hand(piece)):
                self._portal.call(self.engine.sound(piece))

    def close(self) -> None:
        """End the session and its thread. It always returns, and can be called twice."""
        try:
            if self._portal.open and not self._portal.inside:
                with contextlib.suppress(Exception):
                    self._portal.call(self.engine.close())
        finally:
            self._portal.close()

    def __iter__(self) -> Iterator[Event]:
        return self._flow()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class AsyncSession(SessionCalls, Awaited):
    """A live session on the loop that awaits it: `async with aqwen.realtime.connect(…) as session`."""

    async def _opened(self) -> Self:
        await self.engine.open()
        return self

    async def close(self) -> None:
        """End the session. It always returns, and can be called twice."""
        await self.engine.close()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._flow()

    def __await__(self) -> Generator[Any, None, Self]:
        return self._opened().__await__()

    async def __aenter__(self) -> Self:
        return await self._opened()

    async def __aexit__(self, *raised: object) -> None:
        await self.close()
