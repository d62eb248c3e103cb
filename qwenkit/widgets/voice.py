"""`qk.VoiceSession(qwen)`: talk with a model in a cell. Click, speak, hear, interrupt; the cell itself is long over.

Nothing here waits: a thread of the session's own connects, listens and plays (see `link`), and the page does the rest
(`voice.js`). Without a page the same session runs on a recording, at the pace of speech, so that a notebook with a
voice in it can be run anywhere. When it is over its record takes the panel's place.
"""

from __future__ import annotations

import sys
import threading
import weakref
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

from qwenkit import catalogue
from qwenkit.api.flavour import spelled
from qwenkit.api.realtime import ConnectOptions, checked
from qwenkit.errors import ConfigError, InvalidRequest, QwenError, SessionClosed
from qwenkit.types._shown import Shown
from qwenkit.types.audio import Audio
from qwenkit.types.call import Call
from qwenkit.widgets.link import Link
from qwenkit.widgets.panel import Panel

_SHOWN: dict[str, tuple[str, list[VoiceSession]]] = {}  # by cell: its run, and what it shows


class VoiceSession(Shown):
    """A conversation by voice: shows itself in a cell and returns at once.

    Options are those of `qwen.realtime.connect`. `microphone` is a recording to be played in place of the microphone,
    at `pace` times the pace of speech. `turn_detection="manual"` begins with a button to hold while talking. After
    `stop()` there is a record of it: `turns`, `events`, `conversation`, `save("call.wav")`.
    """

    @spelled
    def __init__(
        self,
        qwen: Any,
        *,
        model: str = "",
        microphone: Any = None,
        pace: float = 1.0,
        **options: Unpack[ConnectOptions],
    ) -> None:
        if not hasattr(getattr(qwen, "realtime", None), "connect") or hasattr(qwen, "__aenter__"):
            hint = "qk.VoiceSession(qk.connect()): it has a thread of its own, also beside the async client"
            raise ConfigError("a voice session needs a client", hint=hint)
        if not isinstance(pace, int | float) or not 0 < pace <= 100:
            raise ConfigError(f"pace cannot be {pace!r:.60}", hint="1.0 is the pace of speech, 2.0 twice as fast")
        automatic = options.setdefault("turn_detection", "server_vad")
        if options.get("respond") is False:
            hint = "qwen.realtime.connect(…, respond=False), and session.respond() when there is to be an answer"
            raise ConfigError("a voice session answers what it hears", hint=hint)
        checked(model or catalogue.DEFAULTS["realtime"], options)  # what is wrong with them is said now
        hands_free = automatic not in (None, "manual")
        self._thread: threading.Thread | None = None
        self._handles: list[Any] = []
        self._seen = False  # by a page
        recording = None if microphone is None else _sound(microphone)
        source = "" if recording is None else recording.name or "a recording"
        # Neither the panel, which ipywidgets keeps, nor the thread keeps a session that was forgotten.
        self._panel = Panel(weakref.WeakMethod(self._heard), hands_free=hands_free, source=source)
        self._link = Link(self._panel, automatic if hands_free else "server_vad", pace)
        connect = partial(qwen.realtime.connect, model, **options)
        self._run = partial(self._link.run, connect, recording, weakref.WeakMethod(self._leave))
        weakref.finalize(self, self._link.inbox.put, ("stop",))

    def _heard(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        kind = content.get("kind")
        self._link.inbox.put(("stop",) if kind == "stop" else ("page", content, buffers))
        if kind == "hello":
            self._seen = True
            if self.state == "ended":  # a page that comes to it late
                self._leave()
        if kind in ("start", "text", "file"):
            with suppress(SessionClosed):  # a click that came too late
                self.start()

    def start(self) -> Self:
        """Open the session, without waiting for it; the click on the button does the same."""
        if self._thread is None or (self._panel.state == "failed" and not self._thread.is_alive()):
            self._link.error = None
            self._panel.set_trait("problem", "")
            self._panel.set_trait("state", "connecting")
            self._link.settled.clear()
            self._thread = threading.Thread(target=self._run, name="qwenkit-voice", daemon=True)
            self._thread.start()
        elif not self._thread.is_alive():
            raise SessionClosed("this voice session has ended", hint="begin another one: qk.VoiceSession(qwen)")
        return self

    def stop(self) -> None:
        """End it. What was said stays, also in the cell that showed the panel."""
        if self._thread is not None and self._thread.is_alive() and self._thread is not threading.current_thread():
            self._link.inbox.put(("stop",))
            self._thread.join(5.0)

    def wait(self, timeout: float | None = None) -> list[Any]:
        """The turns, once the recording was played and answered; with a microphone, once the session has ended.

        Not in the cell that shows the panel: its microphone may have to wait for that cell.
        """
        if self._thread is None:
            self.start()
        if not self._link.settled.wait(timeout):
            raise TimeoutError(f"the voice session goes on after {timeout:g} s")
        if self.error is not None:
            raise self.error
        if self._link.unheard:
            raise InvalidRequest(self._link.unheard, hint="use another recording, or a lower threshold=…")
        return self.turns

    def feed(self, sound: Any) -> None:
        """Say this, at the pace of speech, as if it came from the microphone: a path, an `Audio`, samples."""
        audio = _sound(sound)
        self.start()
        self._link.settled.clear()
        self._link.inbox.put(("say", audio))

    @property
    def call(self) -> Call:
        """What the session leaves: turns, events, both voices."""
        return self._link.session.call if self._link.session is not None else Call(live=True)

    result = call

    @property
    def error(self) -> QwenError | None:
        """What ended it, or kept it from beginning."""
        return self._link.error

    @property
    def turns(self) -> list[Any]:
        return list(self.call.turns)

    @property
    def events(self) -> list[Any]:
        return list(self.call.events)

    @property
    def conversation(self) -> list[Any]:
        """What was said, as messages for `qwen.chat`."""
        return list(self.call.conversation)

    @property
    def state(self) -> str:
        """idle, connecting, live, ended or failed."""
        return str(self._panel.state)

    def save(self, path: Any = "call.wav") -> Path:
        """Both voices as a sound file: you on the left, the model on the right; in a folder it is call.wav."""
        return self.call.save(path)

    # what one sees

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        static: dict[str, Any] = super()._repr_mimebundle_()
        return static if self.state == "ended" else {**static, **self._panel.view()}

    @property
    def _ipython_display_(self) -> Any:
        """In a kernel it is shown in an output that can be redrawn when the session is over."""
        ipython = sys.modules.get("IPython")
        if ipython is None or ipython.get_ipython() is None or self.state == "ended":
            raise AttributeError("it is drawn by its bundle")
        return self._show

    def _show(self) -> None:
        from IPython.display import display

        parent = getattr(sys.modules["IPython"].get_ipython(), "parent_header", {})
        cell = parent.get("metadata", {}).get("cellId") or self._panel.key
        run = parent.get("header", {}).get("msg_id", "")
        before, shown = _SHOWN.get(cell, ("", []))
        if before != run:  # the cell is run again: what it showed is out of reach
            for each in shown:
                if each is not self:
                    each.stop()
            shown = []
        _SHOWN[cell] = (run, [*shown, self])
        self._handles.append(display(self._repr_mimebundle_(), raw=True, display_id=True))

    def _leave(self) -> None:
        """The record takes the place of every panel that somebody saw; JupyterLab redraws no widget from a file."""
        while self._seen and self._handles:
            with suppress(Exception):  # a kernel that is going down has no outputs any more
                self._handles.pop().update(super()._repr_mimebundle_(), raw=True)

    def __repr__(self) -> str:
        turns, why = len(self.call.turns), f": {self.error}" if self.error else ""
        return f"VoiceSession({self.state}, {turns} turn{'s' * (turns != 1)}{why})"


def _sound(given: Any) -> Audio:
    """Something to be said; what is no sound is refused before anything is sent."""
    audio = Audio.of(given)
    if not audio.duration:
        raise ConfigError(f"there is nothing to hear in {audio.name or 'this sound'}", hint="use another recording")
    return audio
