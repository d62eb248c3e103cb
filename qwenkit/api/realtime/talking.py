"""An engine for conversations: turns, tools, bills, and sound that is handed over from other threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, ClassVar

from qwenkit.api.core import Core
from qwenkit.api.realtime import intake
from qwenkit.api.realtime.bills import Bills
from qwenkit.api.realtime.engine import Engine
from qwenkit.api.realtime.feeds import Feed
from qwenkit.catalogue.realtime import realtime
from qwenkit.errors import BudgetExceeded, QwenError, TransportError
from qwenkit.protocol.realtime import commands
from qwenkit.protocol.realtime.turns import Turns
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.transport.sockets import IDLE
from qwenkit.transport.working import work_async
from qwenkit.types.call import Call
from qwenkit.types.realtime import ErrorEvent, Event
from qwenkit.types.reply import ToolCall
from qwenkit.types.tools import ToolRun

MOST_TURNS = 200  # that wait for somebody to look at them; the call keeps them all
HELD_SECONDS = 30  # of sound handed over and not sent yet
_OPENING_SILENCE = 0.1  # seconds: a picture is taken only after some sound
_TRAILING_SECONDS = 2.0
_NOTE_SECONDS = 0.1  # of sent sound is written down in one go
_BUFFER = ("input_audio_buffer.committed", "input_audio_buffer.cleared")


class TalkEngine(Engine):
    """A conversation as it runs. `call` is all that is left of it."""

    fold: Turns
    cures: ClassVar[dict[str, str]] = {**Engine.cures, IDLE: "it was idle; open another, or keep reconnect=True"}

    def __init__(
        self, core: Core, model: str, session: Any, *, tools: Any, run_tools: bool = True, max_rounds: int = 8,
        live: bool = False, **more: Any,
    ) -> None:  # fmt: skip
        super().__init__(core, model, session, fold=Turns(self._answers), **more)
        self.results = Feed(MOST_TURNS)
        self.facts = realtime(model)
        self.image_seconds = 0.9 / (self.facts.images_per_second if self.facts is not None else 1.0)
        self.box, self.run_tools, self.max_rounds = Toolbox(tools), run_tools, max_rounds
        self.call = Call(live=live)
        self.bills = Bills(core, model, "realtime")
        self.refused: list[ErrorEvent] = []  # that nobody has raised yet
        self.left: list[str] = []  # functions the model still asked for when its rounds were used up
        self.spent: BudgetExceeded | None = None  # why a turn did not go on
        self._rounds = self._kept = self._working = 0  # the last: tools that run
        self._sounded = self.shown = False  # whether there is sound in the buffer, and a picture
        self._looked: float | None = None
        self.speaking = asyncio.Lock()  # whoever says something; others wait
        self.unasked: set[str] = set()  # ids of commands whose refusal is nobody's error
        self._fresh: list[bytes] = []  # sound that was sent and is not written down yet
        self._fresh_at, self._pads = 0.0, False  # since when, and whether it only pads
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._lock, self._woken, self._poured = threading.Lock(), asyncio.Event(), asyncio.Event()

    async def open(self) -> None:
        fresh = not self._begun
        await super().open()
        if fresh:
            self.task(self._pour())

    # what comes

    def gather(self, event: Event) -> bool:
        if self._fresh:
            self._note()
        self.call.add(event)
        self.fold.add(event)
        react = _REACTIONS.get(event.family)
        if react is not None:
            react(self, event)
        return self._kept < len(self.fold.turns)

    def settle(self) -> None:
        """Turns that are over go into the call; who listens hears of it behind the event that ended them."""
        over, self._kept = self.fold.turns[self._kept :], len(self.fold.turns)
        for turn in over:
            self._rounds = 0
            self.call.keep(turn)
            self.results.put(turn)
            self.tell("turn", number=turn.number, ended=turn.ended)

    def lost(self, error: QwenError) -> None:
        self._note()
        error.reply = error.reply or self.fold.current
        if self._sounded and self.machine.detection is None:
            self.fold.local("committed", self.now)  # half a speech is lost as well
        self.fold.local("lost", self.now, error=error.message)
        self.bills.failed(error)
        self._sounded = self.shown = False
        self.settle()
        if self.error is not None:  # nothing is poured any more: who waits for that is told why
            self.results.end()
            self._poured.set()

    def _session(self, event: Any) -> None:
        self.call.rates(self.machine.input_hz, self.machine.output_hz)

    def _spoke(self, event: Any) -> None:
        if event.family == "audio" and event.pcm:
            self.call.spoken(event.pcm, event.at)
        self.bills.first(event.response_id)

    def _buffered(self, event: Any) -> None:
        if event.type in _BUFFER:
            self._sounded = self.shown = False

    def _refused(self, event: Any) -> None:
        if event.about not in self.unasked:
            self.refused = [*self.refused[-20:], event]

    def _noticed(self, event: Any) -> None:
        if event.type == "local.interrupted":
            self.call.cut(event.at)
        elif event.type == "local.ended":
            self.bills.ended(event.detail.get("response_id", ""), None)

    def _responded(self, event: Any) -> None:
        if not event.ended:
            self.spent = self.bills.begun(event.id)
            if self.spent is not None:  # the service began it by itself
                self.tell("budget", message=self.spent.message)
                self.task(self.send(**commands.cancel()))
            return
        self._fruitless = 0
        receipt = self.bills.ended(event.id, event.usage)
        if receipt is not None:
            self.fold.local("billed", event.at, receipt=receipt, response_id=event.id)
        if event.status in ("completed", ""):
            self._call(event)

    @property
    def trailing(self) -> float:
        """Seconds of silence behind speech by which the service hears that it ended."""
        return max(_TRAILING_SECONDS, ((self.machine.detection or {}).get("silence_duration_ms") or 0) / 1000 + 0.5)

    # tools

    def _answers(self, names: list[str]) -> bool:
        """Whether these calls are carried out here, or were elsewhere, and the answer goes on."""
        if not self.run_tools or (names and not self.box.runs(names)):
            return False
        if self._rounds >= self.max_rounds:
            self.left = names
            return False
        try:
            self.bills.ask()
        except BudgetExceeded as spent:
            self.spent = spent
        return self.spent is None

    def _call(self, event: Any) -> None:
        turn = self.fold.answered_by(event.id) or self.fold.current
        known = {run.id for run in turn.runs} if turn is not None else set()
        calls = [item.call for item in event.items if item.kind == "function_call"]
        calls = calls or [call for call in (turn.calls if turn is not None else ()) if call.id not in known]
        if calls and self._answers([call.name for call in calls]):
            self._rounds += 1
            self.task(self._work(calls))
        elif not calls and self.fold.waits(event.id):
            self._rounds += 1
            self.task(self._go_on())

    async def _work(self, calls: list[ToolCall]) -> None:
        """Carry out the calls of a response, tell what came of them, and ask once to go on."""
        _WORKS_FOR.set(self)
        jobs = [partial(_job, self.box.job(each.name, each.arguments, each.id)) for each in calls]
        self._working += 1
        try:
            runs = await work_async(jobs)
        finally:
            self._working -= 1
        for run in runs:
            self.tell("ran", run=run)
            await self.send(**commands.output(run.id, run.result))
        await self._go_on()

    async def _go_on(self) -> None:
        with contextlib.suppress(QwenError):  # told to whoever waits
            await self.respond()

    # what goes

    async def respond(self, **response: Any) -> None:
        """Ask for an answer. `BudgetExceeded` when that would pass the budget."""
        self.bills.ask(response.get("max_tokens"))
        await self.send(**commands.create(**response))

    async def send(self, type: str, **fields: Any) -> str:
        """Say something, after all the sound that was handed over."""
        await self._pouring()
        self._note()
        now = self.now
        self.fold.sent(type, now, **fields)
        self.call.sent(type, now)
        return await super().send(type, **fields)

    async def sent_ms(self) -> float:
        """How much sound was sent, in milliseconds, with what was handed over."""
        await self._pouring()
        self._note()
        return self.fold.sent_ms

    async def sound(self, pcm: bytes, *, poured: bool = False, pads: bool = False) -> None:
        """Send sound; waits while the service does not read. What `pads` is silence of ours, in the call nobody's."""
        if self._held and not poured:
            await self._pouring()
        now = self.now
        if self._fresh and (now - self._fresh_at > _NOTE_SECONDS or pads is not self._pads):
            self._note()
        if not self._fresh:
            self._fresh_at, self._pads = now, pads
        self._fresh.append(pcm)
        self._sounded = True
        await super().send(commands.APPEND, audio=pcm)

    def _note(self) -> None:
        """Write down the sound that was sent."""
        if not self._fresh:
            return
        sounds, self._fresh, at = self._fresh, [], self._fresh_at
        pcm = b"".join(sounds)
        (self.call.padded if self._pads else self.call.heard)(pcm, at)
        self.call.sent(commands.APPEND, at, len(sounds))
        self.fold.local("appended", at, pcm=pcm)

    def _tick(self) -> None:
        self._note()
        if self._working:  # it is not the service that is waited for
            self._latest = time.perf_counter()
        super()._tick()

    def hand(self, pcm: bytes) -> bool:
        """Hand sound over from any thread and go on at once; False when half a minute waits to be sent already."""
        if self.error is not None:
            raise self.error
        with self._lock:
            idle = not self._held
            if self._held_bytes + len(pcm) > HELD_SECONDS * 2 * self.machine.input_hz and not idle:
                return False
            self._held.append(pcm)
            self._held_bytes += len(pcm)
        if idle:
            with contextlib.suppress(RuntimeError):  # it closes at this very moment
                self._loop.call_soon_threadsafe(self._woken.set)
        return True

    def append(self, pcm: bytes) -> None:
        """Hand sound over, or say that too much waits to be sent."""
        if not self.hand(pcm):
            hint = "the service does not read as fast as you send; wait, or send less"
            raise TransportError(f"{HELD_SECONDS} s of sound wait to be sent", kind="timeout", hint=hint)

    async def _pouring(self) -> None:
        """Wait until what was handed over is sent."""
        while self._held and self.error is None:
            self._poured.clear()
            await self._poured.wait()

    async def _pour(self) -> None:
        """Send what was handed over."""
        with contextlib.suppress(QwenError):  # told to whoever waits
            while True:
                await self._woken.wait()
                self._woken.clear()
                while self._held:
                    await self.sound(self._held[0], poured=True)
                    with self._lock:
                        self._held_bytes -= len(self._held.popleft())
                self._poured.set()

    async def look(self, picture: Any) -> bool:
        """Send one frame of a camera. False when that would be more of them than the service takes in a second."""
        if self._too_soon > 0:
            return False
        await self.show(picture)
        return True

    @property
    def _too_soon(self) -> float:
        return 0.0 if self._looked is None else self._looked + self.image_seconds - self.now

    async def show(self, picture: Any) -> None:
        """Send a picture when it may be, behind some silence where there is no sound yet: without, it is refused."""
        from qwenkit.types.image import Image

        if (pause := self._too_soon) > 0:
            await asyncio.sleep(pause)
        made = await asyncio.to_thread(intake.jpeg, picture, self.facts)
        self._looked = self.now
        if not self._sounded:
            self._sounded = True
            opening = intake.silence(_OPENING_SILENCE, self.machine.input_hz)
            self.fold.local("padded", self.now, pcm=opening)
            await super().send(commands.APPEND, audio=opening)
        self.fold.local("image", self.now, image=Image.of(picture) if not isinstance(picture, bytes) else Image(made))
        self.call.sent("input_image_buffer.append", self.now)
        await super().send(**commands.image(made))
        self._looked, self.shown = self.now, True


_WORKS_FOR: ContextVar[TalkEngine | None] = ContextVar("_WORKS_FOR", default=None)  # in a tool: whose it is


def working_for(engine: TalkEngine) -> bool:
    """Whether this is a tool of this session, which would wait for itself."""
    return _WORKS_FOR.get() is engine


def _job(job: Callable[[], Any]) -> Any:
    """One call. A tool that wants to end the program ends only itself: this is no place to end it from."""
    try:
        return job()
    except (SystemExit, KeyboardInterrupt) as ended:
        name, told = job.args[0], f"{type(ended).__name__}: {ended}".rstrip(": ")  # type: ignore[attr-defined]
        return ToolRun(name.id, name.name, name.arguments, told, error=told)


_REACTIONS: dict[str, Callable[[TalkEngine, Any], None]] = {
    "session": TalkEngine._session,
    "audio": TalkEngine._spoke,
    "text": TalkEngine._spoke,
    "buffer": TalkEngine._buffered,
    "error": TalkEngine._refused,
    "response": TalkEngine._responded,
    "local": TalkEngine._noticed,
}
