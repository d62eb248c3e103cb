"""translation"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Translate(SyncNoun):
    """translation"""


class AsyncTranslate(AsyncNoun):
    """translation"""
