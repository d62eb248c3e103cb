"""rerank"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Rerank(SyncNoun):
    """rerank"""


class AsyncRerank(AsyncNoun):
    """rerank"""
