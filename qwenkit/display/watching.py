"""Progress of something slow: one line that is redrawn in place, in a notebook's output or on a terminal's stderr.

Anywhere else nothing is drawn. The line stays as it ended; what would differ from run to run must be `volatile` in it.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

from qwenkit.display.live import _publisher, _shell
from qwenkit.display.page import Bundle

MOST_OFTEN = 0.1  # seconds between two drawings


class Watch:
    """Draws bundles over each other. A drawing that fails never costs the work it watches."""

    def __init__(self) -> None:
        shell = _shell()
        self._publish: Any = _publisher(shell) if getattr(shell, "kernel", None) is not None else None
        self._terminal = self._publish is None and sys.stderr is not None and sys.stderr.isatty()
        self._drawn: Bundle | None = None
        self._next = 0.0

    def draw(self, bundle: Bundle, last: bool = False) -> None:
        if bundle == self._drawn or not (last or time.monotonic() >= self._next):
            return
        with suppress(Exception):
            if self._publish:
                self._publish(bundle, self._drawn is not None)
            elif self._terminal:
                print(f"\r\x1b[K{bundle['text/plain'].splitlines()[0]}", end="", file=sys.stderr, flush=True)
        self._drawn, self._next = bundle, time.monotonic() + MOST_OFTEN

    def end(self, bundle: Bundle) -> None:
        self.draw(bundle, last=True)
        if self._terminal:
            print(file=sys.stderr, flush=True)
