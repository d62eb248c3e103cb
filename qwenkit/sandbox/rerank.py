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
from starlette.responses import JSONResponse, Response

from qwenkit import catalogue
from qwenkit.catalogue import Model, tokens
from qwenkit.sandbox.elements import Element, algorithm, elements
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.retrieval import Ranking
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.vectors import likeness, of_text

Json = dict[str, Any]
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
        raise algorithm("Value error, return_documents is not supported.: return_documents")
    order = _order(body, body, ("rerank",))
    results, count = _ranked(order)
    head = {"object": "list", "model": order.model.name, "id": request.state.request_id}
    return JSONResponse({**head, "results": results, "usage": {"total_tokens": count}})


async def native(service: Service, request: Request) -> Response:
    body = json_body(request)
    nested = isinstance(body.get("input"), dict)
    given, options = (body["input"], body.get("parameters") or {}) if nested else (body, body)
    if not isinstance(options, dict):
        raise Refusal("InvalidParameter", "'parameters' must be a dict")
    results, count = _ranked(_order({**given, "model": body.get("model")}, options, ("rerank", "rerank-native")))
    usage = {"total_tokens": count}
    return JSONResponse({"output": {"results": results}, "usage": usage, "request_id": request.state.request_id})


def _order(given: Json, options: Json, endpoints: tuple[str, ...]) -> Order:
    name, documents, top = given.get("model"), given.get("documents"), options.get("top_n")
    model = catalogue.model(name) if isinstance(name, str) and name else None
    if model is None:
        raise Refusal("ModelNotFound", f"The model {name} does not exist or you do not have access to it.")
    if model.endpoint not in endpoints:
        raise Refusal("InvalidParameter", "url error, please check url！")
    if not given.get("query") or not isinstance(documents, list) or not documents:
        raise algorithm("Value error, query and documents are required.: input")
    most = int(model.limits.get("documents") or 500)
    if len(documents) > most:
        raise algorithm(f"Value error, batch size is invalid, it should not be larger than {most}.: input.documents")
    if top is not None and (not isinstance(top, int) or isinstance(top, bool) or top < 1):
        raise algorithm("Value error, top_n should be a positive integer.: top_n")
    similar = "similar" in str(options.get("instruct") or "").lower()
    return Order(
        model, given["query"], documents, top or len(documents), similar, bool(options.get("return_documents"))
    )


def _ranked(order: Order) -> tuple[list[Json], int]:
    """The best documents with their scores, and the tokens read: the query once for each document."""
    query = _element(order.query, order.model)
    found = [_element(document, order.model) for document in order.documents]
    count = query.tokens * len(found) + sum(each.tokens for each in found)
    images = int(order.model.limits.get("images") or 0)
    if sum(each.images for each in found) > images:
        raise algorithm(f"Value error, at most {images} images are allowed.: input.documents")
    limit = int(order.model.limits.get("tokens_per_call") or 30_000)
    if count > limit:
        raise algorithm(f"Range of input length should be [1, {limit}]")
    scores = _scores(order, query, found)
    best = sorted(range(len(found)), key=lambda place: -scores[place])[: order.top]
    return [_result(order, place, scores[place]) for place in best], count


def _element(item: Any, model: Model) -> Element:
    """A query or document; a long text is cut to what the model reads of one."""
    text = item.get("text") if isinstance(item, dict) and len(item) == 1 else item
    if not isinstance(text, str):
        if "I" not in model.inputs:
            raise algorithm("Value error, documents is not list of str.: input.documents")
        return elements(item, model)[0]
    pieces = tokens.split(text)[: int(model.limits.get("tokens_per_item") or 4000)]
    return Element("text", of_text("".join(pieces)), text_tokens=len(pieces))


def _scores(order: Order, query: Element, found: list[Element]) -> list[float]:
    words = _words(order.query)
    ranking = Ranking(_words(document) for document in order.documents)
    weight = _WORDS_IF_SIMILAR if order.similar else _WORDS
    whole = ranking.ceiling(words) / 2.2  # where each term comes once in a text of mean length
    scores = []
    for place, element in enumerate(found):
        close = max(likeness(query.features, element.features), 0.0)
        shared = min(ranking.score(words, place) / whole, 1.0) if whole and element.kind == query.kind else close
        scores.append(round(1 / (1 + math.exp(4 - 8 * (weight * shared + (1 - weight) * close))), 6))
    return scores


def _words(item: Any) -> str:
    return str(item.get("text") or "") if isinstance(item, dict) else str(item)


def _result(order: Order, place: int, score: float) -> Json:
    result: Json = {"index": place, "relevance_score": score}
    if order.echo:
        document = order.documents[place]
        result["document"] = document if isinstance(document, dict) else {"text": document}
    return result


ROUTES: list[Verb] = [("POST", FLAT, flat), ("POST", NATIVE, native)]
