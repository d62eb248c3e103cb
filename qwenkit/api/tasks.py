"""tasks"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Tasks(SyncNoun):
    """tasks"""


class AsyncTasks(AsyncNoun):
    """tasks"""
