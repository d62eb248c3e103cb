"""conversation objects"""

from __future__ import annotations

from qwenkit.sandbox.routing import Verb

ROUTES: list[Verb] = []
