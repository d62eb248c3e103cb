"""Rerank: `qwen.rerank(query, documents)` reads each document with the query beside it and puts them in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from qwenkit import catalogue
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.protocol import rerank as protocol
from qwenkit.protocol.flow import Flow
from qwenkit.types.ranking import Ranking

_FLAT = "/reranks"
_NATIVE = "/services/rerank/text-rerank/text-rerank"


class RerankCalls:
    """The call of the rerank noun, written once for both flavours."""

    _core: Core

    @call
    def __call__(
        self,
        query: Any,
        documents: Iterable[Any],
        *,
        model: str = "",
        top_n: int | None = None,
        instruct: str = "",
        native: bool | None = None,
        return_documents: bool | None = None,
        timeout: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Flow[Ranking]:
        """The documents by how well they answer the query, best first, each with a score from 0 to 1.

        `top_n` keeps the best; `instruct` says what counts (English; "Retrieve semantically similar text." in place of
        answering the question). Scores compare within one answer only. The native path is taken where it must be: for
        `return_documents`, for dicts such as `{"image": "…"}`, and for models offered only there.
        """
        model = model or catalogue.DEFAULTS["rerank"]
        named = {"top_n": top_n, "instruct": instruct or None, "return_documents": return_documents}
        options = {name: value for name, value in {**named, **(extra or {})}.items() if value is not None}
        ask = protocol.ask(query, documents, model, options, native)
        family, path = ("native", _NATIVE) if ask.native else ("rerank", _FLAT)
        request = self._core.request("POST", family, path, ask.body, timeout=timeout)
        opened = self._core.accounts.open("rerank", model, ask.tokens, 0)
        told = yield from billed(self._core, request, opened, partial(protocol.read, documents=ask.documents))
        return Ranking(
            told.rows,
            query=protocol.words(query) or f"[{next(iter(query))}]",
            of=len(ask.documents),
            usage=told.usage,
            model=told.receipt.model,
            receipt=told.receipt,
            body=told.body,
        )


class Rerank(RerankCalls, SyncNoun):
    """`qwen.rerank(query, documents)`"""


class AsyncRerank(RerankCalls, AsyncNoun):
    """`await aqwen.rerank(query, documents)`"""
