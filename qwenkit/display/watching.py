"""Progress of something slow: one drawing, redone in place, in a notebook's output or on one line of a terminal.

Tasks, batches, uploads and `map` all draw themselves here; anywhere else nothing is drawn. The drawing stays as it
ended; what would differ from run to run must be `volatile` in it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qwenkit.display import bundle
from qwenkit.display.live import _drawn, _publisher, _shell
from qwenkit.display.page import Bundle

MOST_OFTEN = 0.1  # seconds between two drawings


class Watch:
    """Within `with Watch(…) as draw`, `draw(value)` shows how far it is. A drawing never costs the work it watches."""

    def __init__(self, picture: Callable[[Any], Bundle] | None = None) -> None:
        self._shell = _shell()
        self._own, self._picture = picture is None, picture or bundle
        kernel = getattr(self._shell, "kernel", None)
        self._publish: Any = _publisher(self._shell) if kernel is not None else None
        self._terminal = self._publish is None and sys.stderr is not None and sys.stderr.isatty()
        self._drawn: Bundle = {}
        self._seen: Any = None
        self._next = 0.0

    def __enter__(self) -> Callable[[Any], None]:
        return self.draw

    def draw(self, value: Any) -> None:
        self._seen = value
        if (self._publish or self._terminal) and time.monotonic() >= self._next:
            with suppress(Exception):
                self._paint(self._picture(value))
            self._next = time.monotonic() + MOST_OFTEN

    def __exit__(self, *ended: object) -> None:
        """Leave it as it was last seen; on a terminal with the lines that had no room before."""
        self._next = 0.0
        if self._seen is not None:
            self.draw(self._seen)
        if self._own and self._publish:
            _drawn(self._seen, self._shell)  # it may be the cell's result as well
        if self._terminal and self._drawn:
            print("\n".join(["", *self._drawn["text/plain"].splitlines()[1:]]), file=sys.stderr, flush=True)

    def _paint(self, drawing: Bundle) -> None:
        if drawing == self._drawn:
            return
        if self._publish:
            self._publish(drawing, bool(self._drawn))
        else:
            print(f"\r\x1b[K{drawing['text/plain'].splitlines()[0]}", end="", file=sys.stderr, flush=True)
        self._drawn = drawing
