"""`qk.VoiceSession(qwen)`: talk with a model in a cell. Click, speak, hear, interrupt; the cell itself is long over.

Nothing here waits: a thread of the session's own connects, listens and plays (see `link`), and the page does the rest
(`voice.js`). Without a page the same session runs on a recording, at the pace of speech, so that a notebook with a
voice in it can be run anywhere. When it is over its record takes the panel's place.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self, Unpack

from qwenkit.api.flavour import spelled
from qwenkit.api.realtime import ConnectOptions, checked
from qwenkit.display import bundle
from qwenkit.errors import ConfigError, QwenError, SessionClosed
from qwenkit.types._shown import Shown
from qwenkit.types.audio import Audio
from qwenkit.types.call import Call
from qwenkit.widgets.link import Link
from qwenkit.widgets.panel import Panel


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
        self._live = pace == 1  # what was sent faster than speech is told as a script
        automatic = options.setdefault("turn_detection", "server_vad")
        checked(model, options)  # what is wrong with them is said now
        self._connect = partial(qwen.realtime.connect, model, **options)
        hands_free = automatic not in (None, "manual")
        self._session: Any = None
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._handles: list[Any] = []
        self._seen = False  # by a page
        self._recording = None if microphone is None else _sound(microphone)
        source = "" if self._recording is None else self._recording.name or "a recording"
        self._panel = Panel(self._heard, hands_free=hands_free, source=source)
        self._link = Link(self._panel, automatic if hands_free else "server_vad", pace)

    def _heard(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self._link.inbox.put(("page", content, buffers))
        if content.get("kind") == "hello":
            self._seen = True
            if self.state == "ended":  # a page that comes to it late
                self._leave()
        if content.get("kind") in ("start", "text", "file"):
            with suppress(SessionClosed):  # a click that came too late
                self.start()

    def start(self) -> Self:
        """Open the session, without waiting for it; the click on the button does the same."""
        if self._thread is None or (self._panel.state == "failed" and not self._thread.is_alive()):
            self._error = None
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
        if self._error is not None:
            raise self._error
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
        return self._session.call if self._session is not None else Call(live=True)

    result = call

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

    def save(self, path: Any) -> Path:
        """Both voices as a sound file: you on the left, the model on the right."""
        return self.call.save(path)

    # what one sees

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        static: dict[str, Any] = bundle(self.call)
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

        self._handles.append(display(self._repr_mimebundle_(), raw=True, display_id=True))

    def _leave(self) -> None:
        """The record takes the place of every panel that somebody saw; JupyterLab redraws no widget from a file."""
        while self._seen and self._handles:
            with suppress(Exception):  # a kernel that is going down has no outputs any more
                self._handles.pop().update(bundle(self.call), raw=True)

    def __repr__(self) -> str:
        turns, why = len(self.call.turns), f": {self._error}" if self._error else ""
        return f"VoiceSession({self.state}, {turns} turn{'s' * (turns != 1)}{why})"

    # the thread

    def _run(self) -> None:
        state = "ended"
        try:
            with self._connect() as self._session:
                self._opened(self._session)
                self._error = self._link.run(self._session)
        except Exception as broken:  # told in the panel, and by wait()
            known = isinstance(broken, QwenError)
            self._error = broken if known else SessionClosed(f"the voice session broke: {broken!r}")
            state = "failed" if self._session is None else "ended"
        self._panel.problem = str(self._error or "")
        self._panel.state = state
        if state == "ended":
            self._leave()
        self._link.settled.set()

    def _opened(self, session: Any) -> None:
        session.call.live = self._live
        facts = session.engine.facts
        self._panel.sees = facts is not None and facts.images
        self._panel.about = " · ".join(filter(None, (session.model, str(session.config.get("voice") or ""))))
        self._panel.rate_hz = session.engine.machine.output_hz
        self._panel.state = "live"
        if self._recording is not None:
            self._link.inbox.put(("say", self._recording))


def _sound(given: Any) -> Audio:
    """Something to be said; what is no sound is refused before anything is sent."""
    audio = Audio.of(given)
    if not audio.duration:
        raise ConfigError(f"there is nothing to hear in {audio.name or 'this sound'}", hint="use another recording")
    return audio
