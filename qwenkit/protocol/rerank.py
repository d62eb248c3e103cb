"""Rerank requests and answers: the flat body of the compatible path, the nested one of the native path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError
from qwenkit.protocol import billing, failures
from qwenkit.protocol import options as checked
from qwenkit.protocol.lenient import Lenient
from qwenkit.protocol.native import refuse_files
from qwenkit.types.ranking import Ranked, Ranking

FLAT = "/reranks"
NATIVE = "/services/rerank/text-rerank/text-rerank"


class Ask(msgspec.Struct, frozen=True):
    """A query, the documents to put in order, and how."""

    model: str
    query: Any
    documents: list[Any]
    options: dict[str, Any]
    native: bool

    @property
    def place(self) -> tuple[str, str]:
        """The API family and the path."""
        return ("native", NATIVE) if self.native else ("rerank", FLAT)

    @property
    def body(self) -> dict[str, Any]:
        given = {"query": self.query, "documents": self.documents}
        if not self.native:
            return {"model": self.model, **given, **self.options}
        return {"model": self.model, "input": given, "parameters": self.options}

    @property
    def tokens(self) -> int:
        """What will be billed, about: the query once for each document."""
        count = catalogue.tokens.count
        return count(_words(self.query)) * len(self.documents) + sum(count(_words(each)) for each in self.documents)


def ask(query: Any, documents: Any, model: str, options: dict[str, Any], native: bool | None) -> Ask:
    """A checked request. It goes the native path where only that one can: media, documents sent back, some models."""
    if not isinstance(query, str | Mapping) or not query:
        raise ConfigError(f"the query cannot be {query!r:.40}", hint="pass a text, or a dict such as {'image': '…'}")
    found = _documents(documents)
    facts = catalogue.model(model)
    most = int(facts.limits.get("documents") or 0) if facts else 0
    if most and len(found) > most:
        hint = "narrow them down with embeddings first: the scores of two calls cannot be compared"
        raise ConfigError(f"{len(found):,} documents were given; {model} ranks {most} in one call", hint=hint)
    media = any(isinstance(each, Mapping) for each in (query, *found))
    only = media or "return_documents" in options or (facts is not None and facts.endpoint == "rerank-native")
    if native is False and only:
        hint = "leave native=False out; return_documents, media and some models need the native path"
        raise ConfigError("this rerank call exists on the native path only", hint=hint)
    return Ask(model, query, found, options, only or bool(native))


def _documents(given: Any) -> list[Any]:
    found = checked.several(given, "documents", "pass a list of texts")
    for place, each in enumerate(found):
        if not isinstance(each, str | Mapping) or not each:
            said = "empty" if isinstance(each, str | Mapping) else type(each).__name__
            raise ConfigError(f"document {place} cannot be {said}", hint="pass texts, or dicts such as {'image': '…'}")
        refuse_files(each)
    return found


def _words(item: Any) -> str:
    """The text of a query or document; empty for a picture."""
    return str(item.get("text") or "") if isinstance(item, Mapping) else str(item)


class _Result(msgspec.Struct):
    index: int = 0
    relevance_score: float = 0.0


class _Output(msgspec.Struct):
    results: list[_Result] = []


class _Answer(msgspec.Struct):
    results: list[_Result] = []
    output: _Output | None = None
    usage: Any = None
    model: str = ""


_ANSWER = Lenient.of(_Answer)


def read(data: bytes, *, ask: Ask, request: str = "", request_id: str = "") -> Ranking:
    """The rows of an answer of either path, best first; each carries its document, sent back or not."""
    answer: _Answer = _ANSWER.read(data, "a ranking", request=request, request_id=request_id)
    results, documents = answer.output.results if answer.output else answer.results, ask.documents
    known = [result for result in results if 0 <= result.index < len(documents)]
    rows = [Ranked(result.index, result.relevance_score, documents[result.index]) for result in known]
    if not rows:
        raise failures.unreadable(f"a ranking of {len(documents)}", data, request=request, request_id=request_id)
    rows.sort(key=lambda row: -row.score)
    query = _words(ask.query) or f"[{next(iter(ask.query))}]"
    usage = billing.usage(answer.usage)
    return Ranking(rows, query=query, of=len(documents), usage=usage, model=answer.model or ask.model, body=data)
