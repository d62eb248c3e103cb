"""the native API"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Native(SyncNoun):
    """the native API"""


class AsyncNative(AsyncNoun):
    """the native API"""
