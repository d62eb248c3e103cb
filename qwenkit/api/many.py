"""many at once"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Map(SyncNoun):
    """many at once"""


class AsyncMap(AsyncNoun):
    """many at once"""
