"""The session's state: frames in, events out; what is under way, what was cut short, what the service made of settings.

It opens no connection and has no clock: whoever drives it says what time it is. What it does beside reading: an answer
that was interrupted or cancelled stops at once (its late deltas are dropped), and it ends even when the service never
says so; a speech that is announced twice begins once; limits are told before they are hit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue import realtime as facts
from qwenkit.protocol.realtime import commands
from qwenkit.protocol.realtime.events import read
from qwenkit.types import realtime as told
from qwenkit.types.realtime import Event, LocalEvent

CANCEL_SECONDS = 5.0  # after which a cancelled answer is over, told or not
GRACE_SECONDS = 0.3  # for the end, and the bill, of one whose item is done already
ASK_SECONDS = 20.0  # after which a request for an answer was dropped without a word
_WARN_AT = 0.9  # of a limit
_MOST_TYPED = 50
_MOST_KEPT = 32  # ids of answers that are over
_AGAIN = ("already has an active", "cannot create response")  # an answer was asked for too soon
# Errors with these words are about something beside the answer that was asked for.
_BESIDE = ("image", "active response", "in progress", "is speaking", "buffer", "session")


class Machine:
    """One session as the client sees it."""

    def __init__(self, model: str, session: Mapping[str, Any] | None = None, prefix: str = "event") -> None:
        self.model = model
        self.session: dict[str, Any] = dict(session or {})
        self.echo: dict[str, Any] = {}
        self.id = ""
        self.ready = False
        self.finished = False
        self.active: str | None = None  # the answer under way
        self.now = 0.0
        self.idle_seconds: float = facts.IDLE_SECONDS  # also seen as 180
        self.input_hz, self.output_hz, _ = rates(self.session)
        self._prefix, self._sent = prefix, 0
        self._asked: dict[str, float] = {}  # requests for an answer that has not begun
        self._updates: dict[str, dict[str, Any]] = {}  # settings that the service has not taken yet
        self._cut: dict[str, tuple[str, float]] = {}  # answers that were cut short: how, and when
        self._over: deque[str] = deque(maxlen=_MOST_KEPT)
        self._speaking: str | None = None
        self._typed: deque[dict[str, Any]] = deque(maxlen=_MOST_TYPED)
        self._opened = self._lively = 0.0
        self._warned: set[str] = set()
        found = catalogue.model(model)
        self._talks_over = found is not None and found.family == "livetranslate"

    @property
    def busy(self) -> bool:
        """Whether an answer is under way or asked for."""
        return self.active is not None or bool(self._asked)

    @property
    def detection(self) -> dict[str, Any] | None:
        """How the service finds the end of speech; None is by hand."""
        return detection({**self.session, **self.echo})

    def receive(self, frame: str | bytes, at: float = 0.0) -> list[Event]:
        """What a frame says and means."""
        self.now = max(self.now, at)
        meant: list[Event] = []
        for event in (events := read(frame, at)):
            notice = _NOTICES.get(event.family)
            means: list[Event] = notice(self, event) if notice else [event]
            if len(events) == 1:
                return means
            meant += means
        return meant

    def encode(self, type: str, event_id: str = "", at: float | None = None, **fields: Any) -> str:
        """A command as a frame, under an id of this session's; what it changes is known from now on."""
        self._sent += 1
        event_id = event_id or f"{self._prefix}_{self._sent}"
        text = commands.encode(type, event_id, **fields)
        self.now = max(self.now, at or 0.0)
        if type == "response.create":
            self._asked[event_id] = self.now
        elif type == "response.cancel" and self.active is not None:
            self._cut.setdefault(self.active, ("cancelled", self.now))
        elif type == "session.update" and isinstance(fields.get("session"), Mapping):
            self._updates[event_id] = dict(fields["session"])
        elif type == "conversation.item.create" and inner(fields, "item", "type") == "message":
            self._typed.append(fields["item"])
        return text

    def expire(self, at: float) -> list[Event]:
        """What is over because nothing more was heard of it."""
        self.now = max(self.now, at)
        events: list[Event] = []
        if self.active in self._cut and at - self._cut[self.active or ""][1] >= CANCEL_SECONDS:
            events.append(self._end(at))
        for event_id in [name for name, asked in self._asked.items() if at - asked >= ASK_SECONDS]:
            del self._asked[event_id]
            events.append(_local("unanswered", at, event_id=event_id))
        return events

    def due(self, at: float) -> list[LocalEvent]:
        """Limits that are near, each told once."""
        self.now = max(self.now, at)
        limits = {"session": (self._opened, facts.SESSION_MINUTES * 60), "idle": (self._lively, self.idle_seconds)}
        near = []
        for name, (since, seconds) in limits.items():
            if at - since >= seconds * _WARN_AT and name not in self._warned:
                self._warned.add(name)
                near.append(_local("limit", at, limit=name, seconds_left=round(max(0.0, since + seconds - at), 1)))
        return near

    def replay(self) -> list[str]:
        """What a new connection is told of the old one: the settings, and what was typed. Sound is not said again."""
        self.ready = self.finished = False
        self.active, self._speaking = None, None
        typed, wishes = list(self._typed), (self.session, *self._updates.values())
        wanted = {name: value for wish in wishes for name, value in wish.items()}
        for each in (self._asked, self._cut, self._warned, self._typed, self._updates):
            each.clear()
        self._opened = self._lively = self.now
        return [self.encode(**each) for each in (commands.update(wanted), *map(commands.item, typed))]

    def _text(self, event: Any) -> list[Event]:
        """A piece of an answer; a late one is dropped, and one of an answer that nobody announced begins it."""
        response_id = event.response_id = event.response_id or self.active or ""
        if response_id in self._cut and not event.done:
            return []
        if response_id == self.active or response_id in self._over:
            return [event]
        before: list[Event] = [self._end(event.at)] if self.active is not None else []
        self._begin(response_id)
        return [*before, event]

    _arguments = _text

    def _session(self, event: told.SessionEvent) -> list[Event]:
        self.id = event.id or self.id
        self.echo = {**self.echo, **event.session}
        if event.type == "session.updated":
            self.ready = True
            self.session = {**self.session, **self._updates.pop(next(iter(self._updates), ""), {})}
        self.finished = self.finished or event.type == "session.finished"
        if event.type == "session.created":
            self._opened = self._lively = event.at
        self.input_hz, self.output_hz, _ = rates(self.echo)
        return [event]

    def _error(self, event: told.ErrorEvent) -> list[Event]:
        about = event.about or self._refused(event)
        self._updates.pop(about, None)  # what was refused is forgotten
        if self._asked.pop(about, None) is None:
            return [event]
        return [event, _local("unanswered", event.at, event_id=about, error=event.message)]

    def _refused(self, event: told.ErrorEvent) -> str:
        """What an error is about that does not say so."""
        if any(words in event.message.lower() for words in _AGAIN):
            return next(reversed(self._asked), "")
        if self._updates and (not self._asked or event.param.startswith("session") or "update" in event.code):
            return next(iter(self._updates))
        return "" if is_beside(event) else next(iter(self._asked), "")

    def _speech(self, event: told.SpeechEvent) -> list[Event]:
        if not event.started:
            self._speaking = None
            return [event]
        if self._speaking == event.item_id:
            return []
        self._speaking = event.item_id
        listens = self.detection
        goes_on = listens is None or self._talks_over or listens.get("interrupt_response") is False
        if self.active is None or goes_on or self.active in self._cut:
            return [event]
        self._cut[self.active] = ("interrupted", event.at)
        return [_local("interrupted", event.at, response_id=self.active, status="interrupted"), event]

    def _response(self, event: told.ResponseEvent) -> list[Event]:
        self._lively = event.at
        self._warned.discard("idle")
        if not event.ended:
            before: list[Event] = [self._end(event.at)] if self.active is not None else []
            self._begin(event.id)
            return [*before, event]
        if not event.id:
            event.response_id = self.active or ""
        if event.id == self.active or event.id not in self._over:
            if self.active is None:  # it ends without ever having begun
                self._begin(event.id)
            self._close(event.id)
        return [event]

    def _item(self, event: told.ItemEvent) -> list[Event]:
        if event.type == "response.output_item.done" and event.response_id == self.active in self._cut:
            how, since = self._cut[self.active]
            self._cut[self.active] = (how, min(since, event.at - CANCEL_SECONDS + GRACE_SECONDS))
        return [event]

    def _audio(self, event: told.AudioEvent) -> list[Event]:
        if event.pcm.startswith(b"RIFF"):  # a format with a header was asked for
            data = event.pcm.find(b"data", 0, 4096)
            event.pcm = event.pcm[data + 8 :] if data >= 0 else event.pcm
        return self._text(event)

    def _begin(self, response_id: str) -> None:
        self._cut.pop(response_id, None)
        self.active = response_id
        if self._asked:
            del self._asked[next(iter(self._asked))]

    def _end(self, at: float) -> LocalEvent:
        """The answer under way is over, though the service has not said so."""
        over = self.active or ""
        how = self._cut[over][0] if over in self._cut else "incomplete"
        self._close(over)
        return _local("ended", at, response_id=over, status=how)

    def _close(self, over: str) -> None:
        self._over += [over] if over else []
        self.active = None
        while len(self._cut) > _MOST_KEPT:
            del self._cut[next(iter(self._cut))]


_NOTICES: dict[str, Any] = {
    name: getattr(Machine, f"_{name}")
    for name in ("session", "error", "speech", "response", "item", "text", "arguments", "audio")
}


def is_beside(error: told.ErrorEvent) -> bool:
    """Whether an error is about something else than an answer: a picture that came too early, nothing to cancel, …"""
    return any(words in error.message.lower() for words in _BESIDE)


def _local(kind: str, at: float, **detail: Any) -> LocalEvent:
    return LocalEvent(type=f"local.{kind}", at=at, detail=detail)


def inner(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def detection(session: Mapping[str, Any]) -> dict[str, Any] | None:
    """How the service finds the end of speech; None is by hand."""
    found = session.get("turn_detection", inner(session, "audio", "input", "turn_detection"))
    return found if isinstance(found, dict) else None


def rates(session: Mapping[str, Any]) -> tuple[int, int, int]:
    """Samples a second in and out, and channels in: as the service says, else as it always was."""
    channels = inner(session, "audio", "input", "format", "channels")
    heard = _rate(session, "input", "input_audio_format") or facts.INPUT_HZ
    spoken = _rate(session, "output", "response_format") or facts.OUTPUT_HZ
    return heard, spoken, channels if channels in (2, 4) else 1


def _rate(session: Mapping[str, Any], side: str, flat: str) -> int:
    told = inner(session, "audio", side, "format", "sample_rate"), session.get("sample_rate") if flat in session else 0
    return next((rate for rate in told if isinstance(rate, int) and 4000 <= rate <= 192_000), 0)
