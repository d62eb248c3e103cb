"""embeddings"""

from __future__ import annotations

from qwenkit.api.flavour import AsyncNoun, SyncNoun


class Embeddings(SyncNoun):
    """embeddings"""


class AsyncEmbeddings(AsyncNoun):
    """embeddings"""
