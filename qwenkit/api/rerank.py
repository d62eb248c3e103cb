"""Rerank: `qwen.rerank(query, documents)` reads each document with the query beside it and puts them in order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from qwenkit import catalogue
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.protocol import options as checked
from qwenkit.protocol import rerank as protocol
from qwenkit.protocol.flow import Flow
from qwenkit.types.ranking import Ranking


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
        named = {"top_n": top_n, "instruct": instruct or None, "return_documents": return_documents}
        told = {name: value for name, value in {**named, **checked.extra(extra)}.items() if value is not None}
        model = checked.model(model or catalogue.DEFAULTS["rerank"])
        ask = protocol.ask(query, documents, model, told, native)
        request = self._core.request("POST", *ask.place, ask.body, timeout=timeout)
        opened = self._core.accounts.open("rerank", model, ask.tokens, 0)
        return (yield from billed(self._core, request, opened, partial(protocol.read, ask=ask)))


class Rerank(RerankCalls, SyncNoun):
    """`qwen.rerank(query, documents)`"""


class AsyncRerank(RerankCalls, AsyncNoun):
    """`await aqwen.rerank(query, documents)`"""
