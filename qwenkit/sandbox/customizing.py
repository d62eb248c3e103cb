"""Voices made from a sample or a description."""

from __future__ import annotations

from qwenkit.sandbox.routing import Verb

ROUTES: list[Verb] = []
