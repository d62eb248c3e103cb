"""the Responses API"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Responses(SyncNoun):
    """the Responses API"""


class AsyncResponses(AsyncNoun):
    """the Responses API"""
