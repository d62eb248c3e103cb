"""Plays a recorded session of the realtime socket to the machine and the fold, as a client would have."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from qwenkit.protocol.realtime.machine import Machine
from qwenkit.protocol.realtime.turns import Turns
from qwenkit.types.realtime import Event
from qwenkit.types.turn import Turn

RECORDED = Path(__file__).parents[1] / "recorded" / "realtime"
OMNI = "qwen3.5-omni-plus-realtime"
_BYTES = ("audio", "image")


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text("utf-8").splitlines()]


class Played:
    """A session so far: the machine, the fold, every event and what finished."""

    def __init__(self, model: str = OMNI, answers: Any = None, session: dict[str, Any] | None = None) -> None:
        self.machine, self.fold = Machine(model, session), Turns(answers)
        self.events: list[Event] = []
        self.finished: list[Turn] = []
        self.frames: list[str] = []
        self.at = 0.0

    def take(self, events: Iterable[Event]) -> Played:
        for event in events:
            self.events.append(event)
            if (turn := self.fold.add(event)) is not None:
                self.finished.append(turn)
        return self

    def server(self, type: str, at: float | None = None, **fields: Any) -> Played:
        self.at = self.at + 0.1 if at is None else at
        return self.take(self.machine.receive(json.dumps({"type": type, **fields}), self.at))

    def client(self, type: str, at: float | None = None, **fields: Any) -> Played:
        self.at = self.at + 0.1 if at is None else at
        fields = {n: base64.b64decode(v) if n in _BYTES and isinstance(v, str) else v for n, v in fields.items()}
        self.frames.append(self.machine.encode(type, at=self.at, **fields))
        fields.pop("event_id", None)
        self.fold.sent(type, self.at, **fields)
        return self

    def play(self, recorded: Iterable[dict[str, Any]]) -> Played:
        for line in recorded:
            getattr(self, line["from"])(at=line["at"], **line["frame"])
        return self

    @property
    def turn(self) -> Turn:
        """The only turn there is."""
        (turn,) = [*self.fold.turns, *([self.fold.current] if self.fold.current else [])]
        return turn


def played(name: str, **more: Any) -> Played:
    recorded = lines(name)
    model = recorded[0]["frame"]["session"]["model"]
    return Played(model, **more).play(recorded)


def opened(**session: Any) -> Played:
    """A session that has been created with these settings; by hand unless they say otherwise."""
    return Played().server("session.created", session={"id": "sess_1", "turn_detection": None, **session})


def asked(**session: Any) -> Played:
    """One in which something was typed, and an answer asked for."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
    return opened(**session).client("conversation.item.create", item=item).client("response.create")


def answering(**session: Any) -> Played:
    """One in which the first word of the answer has come."""
    begun = asked(**session).server("response.created", response={"id": "resp_1", "status": "in_progress"})
    return begun.server("response.text.delta", response_id="resp_1", item_id="item_a", delta="Good")
