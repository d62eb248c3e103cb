"""fill-in-the-middle"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Completions(SyncNoun):
    """fill-in-the-middle"""


class AsyncCompletions(AsyncNoun):
    """fill-in-the-middle"""
