"""Text from long recordings, as tasks."""

from __future__ import annotations

from qwenkit.sandbox.routing import Verb

ROUTES: list[Verb] = []
