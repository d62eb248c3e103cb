"""What the page knows of a voice session: state that outlives a reload, and messages for sound, which does not.

The kernel's side of `voice.js` and `panel.js`. Handlers of a widget run on whatever thread the kernel likes, another
one from message to message; so `heard` gets every message with its bytes copied, and only puts them somewhere.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from qwenkit.widgets.player import VIEW, script

MOST_WORDS = 4_000  # characters of one side of a turn
MOST_CALL = 160  # of what a tool was given, and of what it told
_IDS = re.compile(r", (?:\w+_id|'id'|id)[=:] ?'[^']*'")


def _voice() -> str:
    page = script("sound.js", "devices.js", "voice.js", "panel.js")
    return f"const WORKLETS = {json.dumps(script('worklets.js'))};\n{page}"


class Panel(anywidget.AnyWidget):  # type: ignore[misc]
    """The view of a voice session."""

    _esm = _voice()
    _css = script("voice.css")
    key = traitlets.Unicode().tag(sync=True)  # two views of a model in one page are one microphone
    state = traitlets.Unicode("idle").tag(sync=True)  # idle, connecting, live, ended, failed
    problem = traitlets.Unicode("").tag(sync=True)
    about = traitlets.Unicode("").tag(sync=True)
    source = traitlets.Unicode("").tag(sync=True)  # a recording that stands in for the microphone
    playing = traitlets.Unicode("").tag(sync=True)  # a sound file, as if it were spoken
    owner = traitlets.Unicode("").tag(sync=True)  # the page that holds microphone and sound
    listening = traitlets.Bool(False).tag(sync=True)
    hands_free = traitlets.Bool(True).tag(sync=True)
    muted = traitlets.Bool(False).tag(sync=True)
    sees = traitlets.Bool(False).tag(sync=True)
    rate_hz = traitlets.Int(24_000).tag(sync=True)
    now = traitlets.Dict().tag(sync=True)
    past = traitlets.List().tag(sync=True)

    def __init__(self, heard: Callable[[], Any], **state: Any) -> None:
        """`heard` gives what takes a message, as long as there is somebody."""
        super().__init__(key=secrets.token_hex(6), **state)
        self.on_msg(lambda _, content, buffers: (take := heard()) and take(content, [*map(bytes, buffers)]))

    def view(self) -> dict[str, Any]:
        return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}}


@dataclass
class Answer:
    """An answer as it is played. The page knows it by its place in a list, the service by its id."""

    id: str = ""
    number: int | None = None  # of its turn
    before: float = 0.0  # milliseconds of the turn's earlier answers
    ms: float = 0.0
    began: float = 0.0
    whole: bool = False
    over: bool = False  # played or flushed: nothing more of it is heard


def told(turn: Any) -> dict[str, Any]:
    """One turn."""
    moments, results = turn.moments, {run.id: run.result for run in turn.runs}
    tools = [
        {
            "name": call.name,
            "given": _short(call.arguments),
            "told": _short(results.get(call.id, "")),
        }
        for call in turn.calls
    ]
    waits = [None if ms is None else round(ms) for ms in (moments.to_text, moments.to_audio, moments.to_sound)]
    return {
        "n": turn.number,
        "user": turn.user[-MOST_WORDS:],
        "spoken": turn.spoken,
        "text": turn.text[-MOST_WORDS:],
        "tools": tools,
        "asked": bool(moments.created or moments.asked or moments.committed),
        "waits": waits,
        "ended": turn.ended,
        "played_ms": turn.played_ms,
        "error": "say it again" if turn.ended == "lost" else _short(turn.error),
    }


def line(event: Any) -> str:
    """One event, as a line of the log."""
    return f"{event.at:8.2f}  {_short(_IDS.sub('', repr(event).partition('(')[2][:-1]))}"


def _short(text: str) -> str:
    return text if len(text) <= MOST_CALL else text[: MOST_CALL - 1] + "…"
