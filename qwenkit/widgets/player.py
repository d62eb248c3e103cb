"""A player for sound that is still being made: `qk.show(qwen.chat.stream("…", speak="Cherry"))`.

The kernel only sends: pieces of samples, as binary state of the widget under names of their own. Nothing comes back, so
no handler runs on any thread, and a fast producer just sends on. A page that loads late finds all pieces in the state.
The widget is never what is left: whoever shows it puts the finished card in its place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

VIEW = "application/vnd.jupyter.widget-view+json"
_HERE = Path(__file__).parent


def script(*names: str) -> str:
    """One script of several files: a widget's page gets a single one, and there is no build step."""
    return "\n".join((_HERE / name).read_text("utf-8") for name in names)


class Player(anywidget.AnyWidget):  # type: ignore[misc]
    """Plays what `add` brings, without gaps, while `card` is what one sees."""

    _esm = script("sound.js", "player.js")
    rate_hz = traitlets.Int(24_000).tag(sync=True)
    card = traitlets.Unicode("").tag(sync=True)
    hushed = traitlets.Bool(False).tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(**state)
        self._count = 0

    def add(self, pcm: bytes) -> None:
        """Some more 16-bit samples."""
        name, self._count = f"piece_{self._count}", self._count + 1
        update = {"method": "update", "state": {}, "buffer_paths": [[name]]}
        self._send(update, buffers=[pcm])

    def bundle(self) -> dict[str, Any]:
        """What a display of it holds beside its text."""
        return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}}


_PLAYING: list[Player] = []


def start(rate_hz: int) -> Player:
    """A new player; the one before it falls silent and goes."""
    while _PLAYING:
        _PLAYING.pop().close()
    _PLAYING.append(Player(rate_hz=rate_hz))
    return _PLAYING[-1]
