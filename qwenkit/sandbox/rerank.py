"""Rerank on both paths: how well each document fits a query, from 0 to 1.

The rule, stated because it is all there is: `fit` is half BM25 (as a share of what the query's terms weigh, 1 at most)
and half the likeness of the two texts as `vectors` sees them; asked for similar text by `instruct`, likeness counts
for nine tenths. The score is 1 / (1 + e^(4 - 8 fit)), which keeps the order and spreads the middle. Documents over the
limit are cut, as the service's own page says.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from qwenkit.catalogue import Model, tokens
from qwenkit.sandbox import elements
from qwenkit.sandbox.elements import Element, Json
from qwenkit.sandbox.retrieval import Ranking
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.vectors import likeness, of_text

FLAT = "/compatible-api/v1/reranks"
NATIVE = "/api/v1/services/rerank/text-rerank/text-rerank"
_WORDS, _WORDS_IF_SIMILAR = 0.5, 0.1


class Order(NamedTuple):
    """What is to be ranked, and how."""

    model: Model
    query: Any
    documents: list[Any]
    top: int
    similar: bool
    echo: bool


async def flat(service: Service, request: Request) -> Response:
    body = json_body(request)
    if body.get("return_documents"):
        raise elements.wrong("return_documents is not supported", "return_documents")
    order = _order(elements.asked_model(body, request.url.path, "rerank"), body, body)
    results, count = _ranked(order)
    return elements.flat(request, order.model, results=results, usage={"total_tokens": count})


async def native(service: Service, request: Request) -> Response:
    """The nested body, or the flat one at this address."""
    body = json_body(request)
    model = elements.asked_model(body, request.url.path, "rerank", "rerank-native")
    nested = isinstance(body.get("input"), dict)
    given, options = (body["input"], elements.inner(body, "parameters")) if nested else (body, body)
    results, count = _ranked(_order(model, given, options))
    return elements.native(request, {"results": results}, {"total_tokens": count})


def _order(model: Model, given: Json, options: Json) -> Order:
    documents, top = given.get("documents"), options.get("top_n")
    if not given.get("query") or not isinstance(documents, list) or not documents:
        raise elements.wrong("query and documents are required", "input")
    elements.check_number(len(documents), model.limits.get("documents") or 500, "input.documents")
    if top is not None and (not isinstance(top, int) or isinstance(top, bool) or top < 1):
        raise elements.wrong("top_n should be a positive integer", "top_n")
    similar, echo = "similar" in str(options.get("instruct")).lower(), bool(options.get("return_documents"))
    return Order(model, given["query"], documents, top or len(documents), similar, echo)


def _ranked(order: Order) -> tuple[list[Json], int]:
    """The best documents with their scores, and the tokens read: the query once for each document."""
    query = element_of(order.query, order.model)
    found = [element_of(document, order.model) for document in order.documents]
    count = query.tokens * len(found) + sum(each.tokens for each in found)
    images = int(order.model.limits.get("images") or 0)
    if sum(each.images for each in found) > images:
        raise elements.wrong(f"at most {images} images are allowed", "input.documents")
    elements.check_length(count or 1, order.model.limits.get("tokens_per_call") or 30_000)
    fits = scores(order, query, found)
    best = sorted(range(len(found)), key=lambda place: -fits[place])[: order.top]
    return [_result(order, place, fits[place]) for place in best], count


def element_of(item: Any, model: Model) -> Element:
    """A query or document; a long text is cut to what the model reads of one."""
    text = item.get("text") if isinstance(item, dict) and len(item) == 1 else item
    if not isinstance(text, str):
        if "I" not in model.inputs:
            raise elements.wrong("documents is not list of str", "input.documents")
        return elements.found(item, model)[0]
    pieces = tokens.split(text)[: int(model.limits.get("tokens_per_item") or 4000)]
    return Element("text", of_text("".join(pieces)), text_tokens=len(pieces))


def scores(order: Order, query: Element, found: list[Element]) -> list[float]:
    words = _words(order.query)
    ranking = Ranking(_words(document) for document in order.documents)
    weight = _WORDS_IF_SIMILAR if order.similar else _WORDS
    whole = ranking.ceiling(words) / 2.2  # where each term comes once in a text of mean length
    fits = []
    for place, element in enumerate(found):
        close = max(likeness(query.features, element.features), 0.0)
        shared = min(ranking.score(words, place) / whole, 1.0) if whole and element.kind == query.kind else close
        fits.append(round(1 / (1 + math.exp(4 - 8 * (weight * shared + (1 - weight) * close))), 6))
    return fits


def _words(item: Any) -> str:
    return str(item.get("text") or "") if isinstance(item, dict) else str(item)


def _result(order: Order, place: int, score: float) -> Json:
    result: Json = {"index": place, "relevance_score": score}
    if order.echo:
        document = order.documents[place]
        result["document"] = document if isinstance(document, dict) else {"text": document}
    return result


ROUTES: list[Verb] = [("POST", FLAT, flat), ("POST", NATIVE, native)]
