"""`qwen.realtime.connect(…)`: talk with a model that listens while it speaks."""

from __future__ import annotations

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun


class RealtimeCalls:
    """What both flavours share."""

    _core: Core


class Realtime(RealtimeCalls, SyncNoun):
    """`qwen.realtime.connect(…)`: a session in a thread of its own."""


class AsyncRealtime(RealtimeCalls, AsyncNoun):
    """`aqwen.realtime.connect(…)`: a session on the loop that awaits it."""
