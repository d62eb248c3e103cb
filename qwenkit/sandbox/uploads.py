"""Temporary uploads: a policy, a form post, an `oss://` address for 48 hours."""

from __future__ import annotations

from qwenkit.sandbox.routing import Verb

ROUTES: list[Verb] = []
