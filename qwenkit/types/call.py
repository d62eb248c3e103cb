"""What a voice session leaves: its turns, its events, and both voices at their places in time.

A session adds to it from its own thread while a cell reads it. Everything in it has a bound: of the events the newest
are kept and the rest counted, of the sound the last minutes. What an event meant (its turn, its bar in the timeline)
outlives it.

Read next: `tape` (both voices in time), `track` (one of them).
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from qwenkit.types._shown import Shown
from qwenkit.types.message import Message
from qwenkit.types.realtime import Event
from qwenkit.types.tape import Tape
from qwenkit.types.track import Bar, Lane
from qwenkit.types.turn import MOST_TURN_BYTES, Turn, let_go

MOST_EVENTS = 4_000
MOST_EVENT_BYTES = 20_000_000  # of their frames
STAGES = {"first text": "to_text", "first audio": "to_audio", "heard": "to_sound"}  # and which moment each is
UNHEARD = "(speech that was not transcribed)"


class Timeline(Shown, msgspec.Struct):
    """Events by lane: what you sent, what the service sent, and when either voice was heard."""

    lanes: dict[str, list[Bar]]
    counts: dict[str, dict[str, int]]  # of each type, by side
    seconds: float = 0.0


class Latency(Shown, msgspec.Struct):
    """How long each stage of each turn took, in milliseconds from the end of your part; None where there was none."""

    stages: dict[str, list[float | None]]
    numbers: list[int]  # of the turns

    @classmethod
    def of(cls, turns: Sequence[Turn]) -> Latency:
        stages = {stage: [getattr(turn.moments, name) for turn in turns] for stage, name in STAGES.items()}
        return cls(stages, [turn.number for turn in turns])


class Call(Tape, Shown):
    """A conversation by voice, as it was: `print(call)`, `call.save("call.wav")`, `call.timeline()`."""

    def __init__(self, heard_hz: int = 16_000, spoken_hz: int = 24_000, *, live: bool = False) -> None:
        super().__init__(heard_hz, spoken_hz, live=live)
        self.turns: list[Turn] = []
        self.dropped_events = 0
        self._events: deque[Event] = deque()
        self._event_bytes = 0
        self._client, self._server = Lane(), Lane()

    @property
    def events(self) -> list[Event]:
        """The newest events, as many as there is room for."""
        with self._lock:
            return list(self._events)

    @property
    def counts(self) -> Counter[str]:
        """How many events of each type the service sent."""
        return self._server.counts

    def add(self, event: Event) -> None:
        """Keep an event the service sent, or one the client itself has to tell."""
        with self._lock:
            place, family = self._now(event.at), event.family
            (self._client if family == "local" else self._server).mark(event.type, place)
            if family == "speech" or family == "local":
                self._noted(event, place)
            self._events.append(event)
            self._event_bytes += len(event.source)
            while len(self._events) > MOST_EVENTS or self._event_bytes > MOST_EVENT_BYTES:
                self._event_bytes -= len(self._events.popleft().source)
                self.dropped_events += 1

    def sent(self, type: str, at: float, count: int = 1) -> None:
        """Note a command of the client's, or so many of them."""
        with self._lock:
            if type == "conversation.item.create":
                self._typed(at)
            self._client.mark(type, self._now(at), count)

    def keep(self, turn: Turn) -> None:
        """A turn is over. Sound of turns long gone is let go, their words stay."""
        with self._lock:
            self.turns.append(turn)
            let_go(self.turns, MOST_TURN_BYTES)

    def save(self, path: str | os.PathLike[str] = "call.wav") -> Path:
        """Write it as sound, you on the left and the model on the right: wav, mp3, flac or ogg, as the name ends.

        In a folder it is call.wav.
        """
        from qwenkit.types.media import ending
        from qwenkit.types.recording import WRITES

        target = Path(path).expanduser()
        target = target / "call.wav" if target.is_dir() else target
        container, subtype = WRITES.get(ending(target.name), ("", ""))
        if subtype != "PCM_16":  # what is packed is packed as a whole
            return self.stereo().save(target)
        import soundfile

        target.parent.mkdir(parents=True, exist_ok=True)
        with soundfile.SoundFile(target, "w", self._rate_hz, 2, subtype, format=container) as file:
            for minute in self._minutes(self.duration):
                file.write(minute)
        return target

    @property
    def conversation(self) -> list[Message]:
        """The history as chat messages; `spoken` holds the sounds."""
        return [message for turn in list(self.turns) for message in messages(turn)]

    def timeline(self) -> Timeline:
        """What happened when, by lane."""
        with self._lock:
            sides = {"client": self._client, "server": self._server}
            lanes = {name: [replace(bar) for bar in lane.bars] for name, lane in sides.items()}
            lanes["you"] = [Bar(*span, "your sound") for span in self._you.spans()]
            lanes["model"] = [Bar(*span, "its sound") for span in self._model.spans()]
            ends = [bar.end for bars in lanes.values() for bar in bars]
            return Timeline(lanes, {name: dict(lane.counts) for name, lane in sides.items()}, max(ends, default=0.0))

    def latency(self) -> Latency:
        """How long it took from the end of your part of a turn to text, to sound, and to where it was heard."""
        return Latency.of(list(self.turns))

    def __repr__(self) -> str:
        turns = len(self.turns)
        return f"Call({turns} turn{'s' * (turns != 1)})"


def messages(turn: Turn, most: int | None = None) -> list[Message]:
    """A turn as chat messages: what you said, the tools and what they told (the first so many), the answer."""
    said = turn.user or (UNHEARD if turn.spoken else "")
    pictures: list[dict[str, Any]] = [{"type": "image", "image": image} for image in turn.images]
    content = [*pictures, {"type": "text", "text": said}] if pictures else said
    made = [Message("user", content, spoken=turn.sound)] if content else []
    asked: list[Any] = [*turn.calls, *turn.runs]  # the service runs some of its own, which nobody had to be asked for
    calls = {each.id: {"name": each.name, "arguments": each.arguments} for each in asked}
    if calls:
        named = list(calls.items())[:most]
        wire = [{"id": id, "type": "function", "function": function} for id, function in named]
        made.append(Message("assistant", None, tool_calls=wire))
        made += [Message.tool(each.result, each.id) for each in turn.runs if each.id in dict(named)]
    if turn.text or turn.pcm:
        made.append(Message("assistant", turn.text, spoken=turn.audio))
    return made
