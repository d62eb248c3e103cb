"""files"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Files(SyncNoun):
    """files"""


class AsyncFiles(AsyncNoun):
    """files"""
