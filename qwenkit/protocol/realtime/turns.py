"""Turns from events: a pure fold. What the client did comes in beside what the service said.

A turn is one utterance or typed input and everything up to the last answer to it, tools included. Words of a speech
may arrive after its turn is over; they are put where they belong. Where speech does not interrupt, several are open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qwenkit.protocol.realtime.machine import detection, inner, is_beside, rates
from qwenkit.protocol.realtime.making import PIECES, Microphone, Work, ending
from qwenkit.types import realtime as told
from qwenkit.types.tools import ToolRun
from qwenkit.types.turn import Turn, let_go

MOST_IMAGES = 16  # kept of a turn, the newest
_MOST_KNOWN = 64
_ENOUGH_MS = 100  # less than this unheard is no interruption
_SENT = {
    "input_audio_buffer.append": "appended",
    "input_audio_buffer.commit": "committed",
    "input_audio_buffer.clear": "cleared",
    "input_image_buffer.append": "image",
    "response.create": "asked",
    "response.cancel": "cancelled",
}


class Turns:
    """The turns of one session. `answers(names)`: is more asked for behind these calls, or behind the service's own?"""

    def __init__(self, answers: Callable[[list[str]], bool] | None = None) -> None:
        self.turns: list[Turn] = []  # finished, in order
        self.asked: Turn | None = None  # for the answer of which was asked last
        self._answers = answers or (lambda names: True)
        self._open: list[Work] = []
        self._responses: dict[str, Work] = {}
        self._items: dict[str, Work] = {}
        self._echo: dict[str, Any] = {}
        self._listens: dict[str, Any] | None = None  # how the service finds the end of speech
        self._mic = Microphone()
        self._input_hz, self._output_hz, _ = rates({})

    @property
    def current(self) -> Turn | None:
        """The newest turn that is not over. A camera that is on makes none."""
        begun = (each.turn for each in reversed(self._open) if each.has_begun or each.turn.spoken)
        return next(begun, None)

    def answered_by(self, response_id: str) -> Turn | None:
        """The turn that a response belongs to, open or over."""
        return self._responses[response_id].turn if response_id in self._responses else None

    @property
    def sent_ms(self) -> float:
        """How much sound was sent."""
        return self._mic.at_ms

    @property
    def speaks(self) -> Turn | None:
        """The turn whose speech goes on."""
        return next((each.turn for each in reversed(self._open) if each.speaks), None)

    def spoken_in(self, begin_ms: float, end_ms: float) -> Turn | None:
        """The newest turn with speech in this part of the sound that was sent."""
        there = (each for each in self._items.values() if each.end_ms > begin_ms and each.begin_ms < end_ms)
        return max((each.turn for each in there), key=lambda turn: turn.number, default=None)

    def waits(self, response_id: str) -> bool:
        """Whether the turn of this response goes on with another."""
        return response_id in self._responses and self._responses[response_id].waits

    def add(self, event: told.Event) -> Turn | None:
        """Take in one event; the turn that it finishes."""
        step = _STEPS.get(event.family)
        return step(self, event) if step else None

    def sent(self, type: str, at: float, **fields: Any) -> Turn | None:
        """Take in a command of the client's, by its wire name."""
        item = fields.get("item")
        if type == "conversation.item.create" and isinstance(item, Mapping) and item.get("type") == "message":
            return self.local("typed", at, text=told.ItemEvent(item=dict(item)).text)
        return self.local(_SENT.get(type, ""), at, pcm=fields.get("audio"), image=fields.get("image"))

    def local(self, kind: str, at: float, /, **facts: Any) -> Turn | None:
        """Take in what the client did or found: appended(pcm), committed, cleared, image(image), typed(text), asked,
        ran(run), billed(receipt, response_id), playing, played(played_ms, number), cancelled, interrupted,
        ended(response_id, status), unanswered, lost(error). Others mean nothing to a turn."""
        doing = getattr(self, f"_on_{kind}", None)
        return doing(at, facts) if doing else None

    # what the client did

    def _on_appended(self, at: float, facts: Mapping[str, Any]) -> None:
        if isinstance(pcm := facts["pcm"], bytes | bytearray | memoryview):
            self._mic.add(pcm, at)
            if self._listens is None:
                self._gathering(at).turn.spoken = True

    def _on_padded(self, at: float, facts: Mapping[str, Any]) -> None:
        self._mic.add(facts["pcm"], at)

    def _on_committed(self, at: float, facts: Mapping[str, Any]) -> None:
        turn, sound = self._gathering(at).turn, self._mic.cut()
        turn.moments.committed = at
        turn.spoken = turn.spoken or bool(sound.strip(b"\0"))
        turn.said += sound if turn.spoken else b""

    def _on_cleared(self, at: float, facts: Mapping[str, Any]) -> None:
        self._mic.cut()
        self._open = [each for each in self._open if each.has_begun and not each.speaks]

    def _on_image(self, at: float, facts: Mapping[str, Any]) -> None:
        turn = self._gathering(at, aloud=True).turn
        if facts["image"] is not None:
            turn.images.append(facts["image"])
            turn.more_images += len(turn.images) > MOST_IMAGES
            del turn.images[:-MOST_IMAGES]

    def _on_typed(self, at: float, facts: Mapping[str, Any]) -> None:
        work = self._gathering(at)
        work.hear(f"typed {len(work.words)}", str(facts.get("text", "")))

    def _on_asked(self, at: float, facts: Mapping[str, Any]) -> None:
        called = (each for each in self._open if each.waits or (each.active is not None and each.called))
        work = next(called, None) or self._gathering(at, asked=True)
        work.asked, self.asked = True, work.turn
        if work.turn.moments.asked is None:
            work.turn.moments.asked = at

    def _on_ran(self, at: float, facts: Mapping[str, Any]) -> None:
        run = facts.get("run")
        for turn in [*self.turns[-_MOST_KNOWN:], *(each.turn for each in self._open)][::-1]:
            if isinstance(run, ToolRun) and any(call.id == run.id for call in turn.calls):
                turn.runs.append(run)
                break

    def _on_billed(self, at: float, facts: Mapping[str, Any]) -> None:
        if (turn := self.answered_by(facts.get("response_id", ""))) is not None:
            turn.receipts.append(facts["receipt"])

    def _on_playing(self, at: float, facts: Mapping[str, Any]) -> None:
        turn = self._numbered(facts.get("number"))
        if turn is not None and turn.pcm and turn.moments.playing is None:
            turn.moments.playing = at

    def _on_played(self, at: float, facts: Mapping[str, Any]) -> None:
        """How much of a turn was heard. Who is cut off after all had arrived is interrupted all the same."""
        turn, heard = self._numbered(facts.get("number")), facts.get("played_ms")
        if turn is None or not turn.pcm or not isinstance(heard, int | float):
            return
        turn.played_ms = int(heard)
        if turn.ended == "completed" and heard + _ENOUGH_MS < len(turn.pcm) / 2 / turn.output_hz * 1000:
            turn.ended, turn.moments.stopped = "interrupted", at

    def _on_cancelled(self, at: float, facts: Mapping[str, Any]) -> None:
        for work in filter(lambda each: each.active is not None, self._open):
            work.turn.moments.stopped = at

    def _on_ended(self, at: float, facts: Mapping[str, Any]) -> Turn | None:
        work = self._responses.get(facts.get("response_id", ""))
        return self._end(work, ending(facts.get("status"), "incomplete"), at) if work else None

    _on_interrupted = _on_ended

    def _on_unanswered(self, at: float, facts: Mapping[str, Any]) -> Turn | None:
        asked = next((each for each in self._open if each.asked and each.active is None), None)
        error = str(facts.get("error") or "no answer came to the request for one")
        return self._end(asked, "failed", at, error) if asked else None

    def _on_lost(self, at: float, facts: Mapping[str, Any]) -> Turn | None:
        error, begun = str(facts.get("error", "")), [each for each in self._open if each.has_begun]
        ended = [self._end(work, "lost", at, error) for work in begun]
        self._open.clear()
        return ended[-1] if ended else None

    # what the service said, and the client found

    def _local(self, event: told.LocalEvent) -> Turn | None:
        return self.local(event.type.removeprefix("local."), event.at, **event.detail)

    def _session(self, event: told.SessionEvent) -> None:
        if event.type == "session.created":
            self._mic = Microphone()  # its times count from here
        self._echo = {**self._echo, **event.session}
        self._listens = detection(self._echo)
        self._input_hz, self._output_hz, channels = rates(self._echo)
        self._mic.bytes_per_second = self._input_hz * 2 * channels

    def _error(self, event: told.ErrorEvent) -> Turn | None:
        """An answer ends when the server broke, or before it has said anything. Requests are the machine's matter."""
        broken = event.kind not in ("", "invalid_request_error")
        for work in [each for each in self._open if each.active is not None]:
            silent = not (work.turn.text or work.turn.pcm or work.calls or event.about)
            if (silent or broken) and not is_beside(event):
                return self._end(work, "failed", event.at, event.message)
        return None

    def _speech(self, event: told.SpeechEvent) -> None:
        work = self._gathering(event.at, aloud=True) if event.started else self._saying(event.item_id, event.at)
        moments = work.turn.moments
        if event.started:
            self._items[event.item_id] = work
            work.named, work.turn.spoken, work.begin_ms = True, True, event.at_ms or 0.0
            work.end_ms = work.begin_ms
            moments.speech_started, moments.speech_stopped, moments.committed = event.at, None, None
        elif event.reason == "turn_invalid":
            self._open = [each for each in self._open if each is not work or not each.gathers]
            work.end_ms = 0.0
        else:
            moments.speech_stopped, moments.speech_ended = event.at, self._mic.when(event.at_ms, event.at)
            work.end_ms = event.at_ms or float("inf")
            work.turn.said += self._mic.cut(work.begin_ms, event.at_ms)

    def _buffer(self, event: told.BufferEvent) -> None:
        if event.type == "input_audio_buffer.committed":
            work, listens = self._saying(event.item_id, event.at), self._listens
            if work.turn.moments.committed is None or listens is not None:
                work.turn.moments.committed = event.at
            work.settled = listens is not None and listens.get("create_response") is not False

    def _item(self, event: told.ItemEvent) -> None:
        work = self._responses.get(event.response_id)
        if work is not None and event.kind == "function_call":
            work.call(event.call, final=event.done)
        elif work is not None and event.kind == "mcp_call" and event.done:
            work.ran(event)
        elif work is None and event.yours and event.type == "conversation.item.created":
            work = self._saying(event.id, event.at)
            if event.text and not work.turn.user:
                work.hear(event.id, event.text)

    def _heard(self, event: told.HeardEvent) -> None:
        work = self._items.get(event.item_id) or next((each for each in self._open[::-1] if each.turn.spoken), None)
        if work is None or event.ambient or event.failed:
            return
        work.hear(event.item_id, event.text or work.words.get(event.item_id, ""))
        turn = work.turn
        turn.language, turn.emotion = event.language or turn.language, event.emotion or turn.emotion
        if event.final:
            turn.moments.transcribed = event.at

    def _response(self, event: told.ResponseEvent) -> Turn | None:
        if not event.ended:
            self._answering(event.id, event.at, begins=True)
            return None
        active = (each for each in self._open if each.active is not None)
        work = self._responses.get(event.id) or next(active, None) or self._answering(event.id, event.at, begins=True)
        if work is None:
            return None
        self._responses[event.id] = work
        self._responses.pop("", None)  # the next one without an id is another
        work.pay(event.usage)
        if work.turn.ended:
            return None
        work.complete(event)
        return self._answered(work, event)

    def _answered(self, work: Work, event: told.ResponseEvent) -> Turn | None:
        """One answer is over; the turn is, unless the results of calls are going to be answered."""
        ended, called = ending(event.status, "completed", event.reason), work.answered()
        work.waits = ended == "completed" and bool(called or work.served) and self._answers(called)
        if work.waits or (ended == "completed" and work.asked):
            return None
        return self._end(work, ended, event.at, event.problem)

    def _piece(self, event: Any) -> None:
        work = self._answering(event.response_id, event.at)
        if work is not None:
            PIECES[event.family](work, event)

    # turns

    def _saying(self, item_id: str, at: float) -> Work:
        """The turn that an item of yours belongs to; of new ones the first that waits to be named."""
        said = (each for each in self._open if not each.named and (each.words or each.turn.moments.committed))
        work = (
            (self._items.get(item_id) if item_id else None)
            or next(said, None)
            or self._gathering(at, asked=True, aloud=True)
        )
        work.named, self._items[item_id] = True, work
        return work

    def _gathering(self, at: float, asked: bool = False, aloud: bool = False) -> Work:
        """The turn that is being said, also one that is to be answered already, else a new one.

        Only what is said aloud is part of a speech that goes on.
        """
        last = self._open[-1] if self._open else None
        if last and (last.gathers if asked else last.takes) and (aloud or self._listens is None or not last.speaks):
            return last
        turns = [*self.turns[-_MOST_KNOWN:], *(each.turn for each in self._open)]
        number = 1 + max((each.number for each in turns), default=0)  # one that came to nothing leaves no gap
        turn = Turn(number=number, input_hz=self._input_hz, output_hz=self._output_hz)
        turn.model = told.text_in(self._echo, "model")
        turn.voice = told.text_in(self._echo, "voice") or str(inner(self._echo, "audio", "output", "voice") or "")
        turn.moments.began = at
        self._open.append(Work(turn))
        for known in (self._responses, self._items):
            for name in list(known)[:-_MOST_KNOWN]:
                del known[name]
        return self._open[-1]

    def _answering(self, response_id: str, at: float, begins: bool = False) -> Work | None:
        """The turn that an answer belongs to; None when the answer is over."""
        work = self._responses.get(response_id)
        if work is not None and (work.active == response_id or (response_id and not begins)):
            return work if work.active == response_id else None
        free = [each for each in self._open if each.active is None]
        settled = [each for each in free if each.settled][::-1]  # who spoke on wants no answer to what was before
        wanted = [each for each in free if each.asked] + settled + [each for each in free if each.gathers or each.waits]
        work = wanted[0] if wanted else self._gathering(at)
        work.active, work.asked, work.settled, work.waits, work.served = response_id, False, False, False, False
        self._responses[response_id] = work
        work.turn.response_ids.append(response_id)
        work.turn.output_hz = self._output_hz
        if work.turn.moments.created is None:
            work.turn.moments.created = at
        return work

    def _end(self, work: Work, ended: str, at: float, error: str = "") -> Turn | None:
        """A turn is over, and with it those before it that nobody answers any more."""
        turn = work.turn
        if turn.ended:
            return None
        for each in self._open[: self._open.index(work)]:
            if each.active is None and not each.asked and not each.speaks:
                self._end(each, "incomplete" if each.gathers else "completed", at)
        turn.ended, turn.error, turn.moments.done, work.active = ended, error, at, None
        if ended == "interrupted" and turn.moments.stopped is None:
            turn.moments.stopped = at
        self._open.remove(work)
        if self._responses.get("") is work:
            del self._responses[""]
        self.turns.append(turn)
        let_go(self.turns)
        return turn

    def _numbered(self, number: Any) -> Turn | None:
        turns = [each.turn for each in self._open if not each.gathers] + self.turns[::-1]
        return next((each for each in turns if number in (None, each.number)), None)


_STEPS: dict[str, Any] = {
    name: getattr(Turns, f"_{name}")
    for name in ("session", "error", "speech", "buffer", "item", "heard", "response", "local")
} | dict.fromkeys(PIECES, Turns._piece)
