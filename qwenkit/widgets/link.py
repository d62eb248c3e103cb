"""Between a session and its panel: one queue, one thread, and nobody else touches either.

Whatever comes, from the page, from the service or from a cell, is put into the queue; the thread takes it out, moves
sound on at once and repaints words a few times a second. It also plays a recording in place of a microphone, and where
there is no page it listens for one: what would have been heard is reckoned by the clock.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from qwenkit.api.realtime import intake
from qwenkit.errors import QwenError, SessionClosed
from qwenkit.types.audio import Audio
from qwenkit.widgets.panel import Answer, Panel, line, told

PIECE_S = 0.04
REPAINT_S = 0.1
ACKNOWLEDGED = 5  # pieces from the microphone are answered in fives
MOST_LINES = 4_000  # of the event log
MOST_TURNS = 60  # in the panel; the session has them all
GRACE_S = 0.5  # for an answer to begin
LATE_S = 1.0  # so much later than the clock says a page may have played an answer
LEAST = 8  # pieces: a button held for less has been tapped


class Link:
    """What happens while a voice session is open."""

    def __init__(self, panel: Panel, automatic: Any, pace: float) -> None:
        self.panel = panel
        self.inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.settled = threading.Event()  # nothing more to play, nothing more to answer
        self.pages: set[str] = set()
        self.session: Any = None
        self.error: QwenError | None = None  # what ended it
        self.received = self.lost = 0  # pieces from the microphone
        self._next: dict[Any, int] = {}  # piece of each page
        self._automatic, self._pace = automatic, pace
        self._fed = ""  # the name of what was played in place of the microphone
        self._feed: deque[bytes] = deque()  # an empty piece is the end of an utterance
        self._feed_at = self._paint_at = self._busy_at = 0.0
        self._answers, self._out = [Answer(over=True)], bytearray()
        self._files: dict[Any, bytes] = {}  # of each page: a sound file, as far as it has come
        self._held, self._taken = False, 0  # pieces of what is said while the button is held
        self._log: deque[str] = deque(maxlen=MOST_LINES)
        self._logged = self._hushed = 0

    def run(self, connect: Callable[[], Any], recording: Audio | None, leave: Callable[[], Any]) -> None:
        """What the thread does: open a session, serve it to its end, and tell what there is to tell in the panel."""
        try:
            with connect() as self.session:
                self._opened(self.session, recording)
                self.error = self._serve(self.session)
        except QwenError as failed:
            self.error = failed
        except Exception as broken:
            self.error = SessionClosed(f"the voice session broke: {broken!r}")
        self.panel.problem = str(self.error or "")
        self.panel.state = "failed" if self.session is None else "ended"
        if self.session is not None and (draw := leave()):
            draw()
        self.settled.set()

    def _opened(self, session: Any, recording: Audio | None) -> None:
        self._engine, facts = session.engine, session.engine.facts
        session.call.live = self._pace == 1  # what was sent faster than speech is told as a script
        self.panel.sees = facts is not None and facts.images
        self.panel.about = " · ".join(filter(None, (session.model, str(session.config.get("voice") or ""))))
        self.panel.rate_hz = session.engine.machine.output_hz
        self.panel.state = "live"
        if recording is not None:
            self.inbox.put(("say", recording))

    def _serve(self, session: Any) -> QwenError | None:
        """Until it is told to stop, or the session is over: then why."""
        off = session.on(lambda event: self.inbox.put(("event", event)))
        with ThreadPoolExecutor(1, "qwenkit-voice-asks") as self._asking:  # for what waits for the service
            while not session.closed and self._step():
                pass
            off()
            error: QwenError | None = self._engine.error
            session.close()
        self._paint()
        return error

    def _step(self) -> bool:
        now = time.monotonic()
        playing = [self._played_out(each) for each in self._open if each.whole]
        due = [at for at in (self._feed_at if self._feed else 0.0, self._paint_at, *playing) if at]
        with suppress(queue.Empty):
            kind, *rest = self.inbox.get(timeout=max(0.0, min([*due, now + 0.5]) - now))
            if kind == "stop":
                return False
            self._try(getattr(self, f"_{kind}"), *rest)
        now = time.monotonic()
        self._play(now)
        if self.inbox.empty():
            self._send_sound()
        if self._paint_at and now >= self._paint_at:
            self._paint()
        self._clock(now)
        answering = self._engine.fold.current is not None or self._open
        busy = self._feed or answering or now < self._busy_at + GRACE_S
        if not busy and (self.panel.source or not self.panel.listening):
            self.panel.problem = self.unheard or self.panel.problem
            self.settled.set()
        return True

    @property
    def unheard(self) -> str:
        """What to say of a recording in which the service heard nothing."""
        call = self.session.call
        silent = self._fed and not call.turns and not call.counts["input_audio_buffer.speech_started"]
        return f"the service heard no speech in {self._fed}" if silent and self.panel.hands_free else ""

    def _try(self, do: Callable[..., object], *args: Any, **named: Any) -> None:
        try:
            do(*args, **named)
        except QwenError as refused:
            self.panel.problem = refused.message

    def _ask(self, do: Callable[..., object], *args: Any, **named: Any) -> None:
        """Something that may have to wait: sound must not wait with it."""
        self._asking.submit(self._try, do, *args, **named)

    # from the service

    def _event(self, event: Any) -> None:
        self._log.append(line(event))
        self._logged += 1
        self._busy_at = time.monotonic()
        self._paint_at = self._paint_at or self._busy_at + REPAINT_S
        if event.family == "audio":
            self._sound(event)
        elif event.family == "speech" and event.started:
            self._flush()
        elif event.family == "error":
            self.panel.problem = event.message
        elif event.type == "local.turn":  # also of an answer that was cut off
            for answer in self._open:
                answer.whole = True
        elif event.type in _TOLD:
            self.panel.problem = _TOLD[event.type]

    def _sound(self, event: Any) -> None:
        if event.pcm and event.response_id != self._answers[-1].id:
            self._send_sound()
            self._begin(event.response_id)
        answer = self._answers[-1]
        if event.pcm and not answer.began:
            answer.began = max(time.monotonic(), *map(self._played_out, self._answers[-3:-1]))
            if not self.pages:
                self._heard("playing", answer, 0)
        if not answer.over:  # what comes after a flush is never played
            self._out += event.pcm
            answer.ms += len(event.pcm) / 2 / self.panel.rate_hz * 1000
            answer.whole = event.done
        if event.done and event.response_id == answer.id:
            self._send_sound(last=True)

    def _begin(self, id: str) -> None:
        """A new answer; of a turn with tools it may be the second."""
        turn = self._engine.fold.answered_by(id) if id else self._engine.fold.current
        number = None if turn is None else turn.number
        before = sum(each.ms for each in self._answers if each.number == number)
        self._answers.append(Answer(id, number, before))

    def _send_sound(self, *, last: bool = False) -> None:
        if self._out or last:
            sound, self._out = bytes(self._out), bytearray()
            self.panel.send({"kind": "audio", "reply": len(self._answers) - 1, "last": last}, [sound])

    def _flush(self) -> None:
        """You speak: what is still to be played is never heard."""
        self._out.clear()
        self.panel.send({"kind": "flush", "reply": len(self._answers) - 1})
        now = time.monotonic()
        for answer in self._open:
            answer.over = True  # a page tells how much it was
            if not self.pages:
                self._heard("flushed", answer, min(answer.ms, max(0.0, (now - answer.began) * 1000 * self._pace)))

    @property
    def _open(self) -> list[Answer]:
        """Answers that are not played out; there are few."""
        return [answer for answer in self._answers[-5:] if not answer.over]

    def _played_out(self, answer: Answer) -> float:
        """When an answer has been played, as far as it has come; without a page as fast as the recording is."""
        pace = 1.0 if self.pages else self._pace
        return 0.0 if answer.over else answer.began + answer.ms / 1000 / pace + bool(self.pages) * LATE_S

    def _clock(self, now: float) -> None:
        """Without a page the clock tells what was heard; with one it tells only that the page has said nothing."""
        for answer in self._open:
            if answer.whole and now >= self._played_out(answer):
                if self.pages:
                    answer.over = True
                else:
                    self._heard("ended", answer, answer.ms)

    def _heard(self, what: str, answer: Answer, ms: float) -> None:
        """How much of an answer was heard."""
        answer.over = answer.over or what != "playing"
        if answer.number is None:
            return
        detail = {} if what == "playing" else {"played_ms": round(answer.before + ms)}
        self.session.tell("played" if detail else "playing", number=answer.number, **detail)
        if what == "flushed":
            self._engine.call.cut(self._engine.now)

    # from the page

    def _page(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        getattr(self, f"_on_{content.get('kind')}", lambda *_: None)(content, *buffers)

    def _on_hello(self, content: dict[str, Any]) -> None:
        self.pages.add(str(content.get("page")))
        self._next[content.get("page")] = 0

    def _on_mic(self, content: dict[str, Any], *pieces: bytes) -> None:
        first, page = content["number"], content.get("page")
        next = first + len(pieces)
        self.received += len(pieces)
        self.lost += first - self._next.get(page, 0)
        self._next[page] = next
        self._taken += len(pieces)
        mine = self.panel.owner in ("", page)  # two microphones are no voice
        if mine and not self._feed and (self.panel.hands_free or self._held):  # nor is one beside what is played
            self._engine.append(b"".join(pieces))
        if (next - 1) // ACKNOWLEDGED != (first - 1) // ACKNOWLEDGED:
            self.panel.send({"kind": "ack", "page": page, "number": next - 1})

    def _on_playing(self, content: dict[str, Any]) -> None:
        if 0 < content["reply"] < len(self._answers):
            answer = self._answers[content["reply"]]
            answer.began = time.monotonic() - content["ms"] / 1000
            self._heard(content["kind"], answer, content["ms"])

    _on_ended = _on_flushed = _on_playing

    def _on_text(self, content: dict[str, Any], *pictures: bytes) -> None:
        self._on_hush(content)
        self._interrupt()
        self._ask(self.session.say, content["text"], images=pictures, wait=False)

    def _on_file(self, content: dict[str, Any], sound: bytes) -> None:
        page = content.get("page")
        self._files[page] = (self._files.get(page, b"") if content.get("at") else b"") + sound
        if not content.get("more"):
            self._ask(self._read, content.get("name") or "the file", self._files.pop(page), self._hushed)
        self._ask(self.panel.send, {"kind": "taken", "page": page})  # of the last part when it has been read

    def _read(self, name: str, content: bytes, hushed: int) -> None:
        try:
            sound = Audio.of(content).mono().resampled(self._engine.machine.input_hz)
            if hushed == self._hushed:
                self.inbox.put(("say", sound, name))
        except QwenError:
            self.panel.problem = f"{name} holds no sound that can be read: send WAV, MP3, FLAC or OGG."

    def _on_hush(self, content: dict[str, Any]) -> None:
        """No more of any file, and of what was sent of it no turn."""
        self._hushed += 1
        if self.panel.playing:
            self._feed.clear()
            self.panel.playing = ""
            self._ask(self.session.clear)

    def _on_frame(self, content: dict[str, Any], picture: bytes) -> None:
        self._ask(self.session.look, picture)

    def _on_talk(self, content: dict[str, Any]) -> None:
        self._held = bool(content["on"])
        if self._held:
            self._taken = 0
            self._on_hush(content)
            self._interrupt()
            return
        page = content.get("page")
        self.panel.send({"kind": "ack", "page": page, "number": self._next.get(page, 0) - 1})  # none follow now
        for do in (self.session.clear,) if self._taken < LEAST else (self.session.commit, self.session.respond):
            self._ask(do)

    def _on_mode(self, content: dict[str, Any]) -> None:
        self.panel.hands_free = bool(content["hands_free"])
        self._ask(self.session.update, turn_detection=self._automatic if content["hands_free"] else None)
        if not content["hands_free"]:
            self._ask(self.session.clear)  # what it heard until now is no turn

    def _on_log(self, content: dict[str, Any]) -> None:
        new = min(self._logged - content["from"], len(self._log))
        if new > 0:
            self.panel.send({"kind": "log", "lines": list(self._log)[-new:], "next": self._logged})

    def _interrupt(self) -> None:
        if self._engine.machine.busy:
            self._ask(self.session.cancel)
        self._flush()

    # a recording in place of a microphone

    def _say(self, sound: Audio, name: str = "") -> None:
        rate = self._engine.machine.input_hz
        pcm = sound.mono().resampled(rate).pcm16
        if self.panel.hands_free:
            pcm += intake.silence(self._engine.trailing, rate)
        else:
            self._interrupt()
        size, self._fed = 2 * round(PIECE_S * rate), name or sound.name or "this sound"
        if not self._feed:
            self._feed_at = time.monotonic()
        self.panel.playing = name
        self._feed += [*(pcm[at : at + size] for at in range(0, len(pcm), size)), b""]

    def _play(self, now: float) -> None:
        while self._feed and now >= self._feed_at:
            piece = self._feed.popleft()
            self._busy_at = now
            if piece:
                self._engine.append(piece)
                self._feed_at += PIECE_S / self._pace
            elif not self.panel.hands_free:
                self._taken = LEAST
                self._on_talk({"on": False})
            self.panel.playing = self.panel.playing if self._feed else ""

    # words

    def _paint(self) -> None:
        self._paint_at = 0.0
        current = self._engine.fold.current
        self.panel.past = [told(turn) for turn in self._engine.call.turns[-MOST_TURNS:]]
        self.panel.now = told(current) if current is not None else {}


_TOLD = {
    "response.created": "",
    "local.lost": "The connection broke; connecting again …",
    "local.limit": "The session is near its longest time: it will soon be closed by the service.",
    "local.reconnected": "Connected again. What was said by voice before is not remembered.",
}
