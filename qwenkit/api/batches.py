"""batches"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Batches(SyncNoun):
    """batches"""


class AsyncBatches(AsyncNoun):
    """batches"""
