"""How a value finds its picture.

A value knows nothing about pixels. When a notebook asks for its view, the value hands itself to `qwenkit.display`,
which is imported at that moment and not before. In a terminal nothing of `display` is ever loaded.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any


class Shown:
    """Mixin for everything that draws itself in a notebook cell."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        bundle: dict[str, str] = importlib.import_module("qwenkit.display").bundle(self)
        return bundle

    @property
    def _ipython_display_(self) -> Any:
        """Only there for a value that the running cell has drawn already: as its result it is not drawn again."""
        live = sys.modules.get("qwenkit.display.live")
        if live is None or not live.is_drawn(self):
            raise AttributeError("it is drawn by its view")
        return lambda: None

    def __str__(self) -> str:
        """What `print` shows: the same view in plain text."""
        return self._repr_mimebundle_()["text/plain"]
