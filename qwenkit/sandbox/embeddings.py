"""Embeddings on their three paths: compatible, native text, native multimodal.

The vectors are those of `vectors`: counted, not learned, which the tests of similarity live on. The rules and their
words are the documented ones; sizes and limits come from the catalogue.
"""

from __future__ import annotations

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from qwenkit.catalogue import Model, tokens
from qwenkit.sandbox import elements, vectors
from qwenkit.sandbox.elements import Element, Json
from qwenkit.sandbox.embedding_task import taken
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.tasks import NO_ASYNC, enabled

COMPATIBLE = "/compatible-mode/v1/embeddings"
TEXT = "/api/v1/services/embeddings/text-embedding/text-embedding"
MULTIMODAL = "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding"
_DIGITS = 8  # of a number on the wire: what a float32 holds
_ONLY_DENSE = ("text-embedding-v1", "text-embedding-v2")
_ONLY_FUSED = "qwen2.5-vl-embedding"
_FUSED = {_ONLY_FUSED: "vl", "qwen3-vl-embedding": "fusion"}  # what models call a fused vector


async def compatible(service: Service, request: Request) -> Response:
    body = json_body(request)
    model = elements.asked_model(body, request.url.path, "embeddings")
    texts, count = _texts(body.get("input"), model)
    size, form = _size(body.get("dimensions"), model), body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise elements.wrong(f"encoding_format should be float or base64, not {form}", "encoding_format")
    spelled = _floats if form == "float" else _packed
    rows = [spelled(vectors.dense(vectors.of_text(text), size)) for text in texts]
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    return elements.flat(request, model, data=data, usage={"prompt_tokens": count, "total_tokens": count})


async def text(service: Service, request: Request) -> Response:
    """Texts, natively. Models for batches make tasks of the same path; the others answer at once."""
    body = json_body(request)
    model = elements.asked_model(body, request.url.path, "embeddings", "embedding-task")
    if model.endpoint == "embedding-task":
        return taken(service, request, body)
    if enabled(request, "x-dashscope-async"):
        raise Refusal("AccessDenied", NO_ASYNC)
    options = elements.inner(body, "parameters")
    texts, count = _texts(elements.inner(body, "input").get("texts"), model)
    size = _size(options.get("dimension"), model)
    query, kinds, instruct = _asked(options, model)
    found: list[Json] = [{"text_index": place} for place in range(len(texts))]
    for item, each in zip(found, texts, strict=True):
        if "dense" in kinds:
            item["embedding"] = _floats(vectors.dense(vectors.of_text(each, query=query, instruct=instruct), size))
        if "sparse" in kinds:
            item["sparse_embedding"] = vectors.sparse(each)
    return elements.native(request, {"embeddings": found}, {"total_tokens": count})


async def multimodal(service: Service, request: Request) -> Response:
    body = json_body(request)
    model = elements.asked_model(body, request.url.path, "multimodal-embedding")
    options, contents = elements.inner(body, "parameters"), elements.inner(body, "input").get("contents")
    if not isinstance(contents, list) or not contents:
        raise elements.wrong("contents is not a list of contents", "input.contents")
    size = _size(options.get("dimension"), model)
    if options.get("output_type") not in (None, "dense"):
        raise elements.wrong("output_type should be dense", "parameters.output_type")
    groups = [elements.found(content, model) for content in contents]
    every = [element for group in groups for element in group]
    _check(every, len(groups), model)
    if options.get("enable_fusion") or model.name == _ONLY_FUSED:
        groups = [every]
    rows = [vectors.joined([element.features for element in group]) for group in groups]
    found = [
        {"index": place, "type": _kind(group, model), "embedding": _floats(vectors.dense(row, size))}
        for place, (group, row) in enumerate(zip(groups, rows, strict=True))
    ]
    parts = {"image_tokens": sum(each.image_tokens for each in every)}
    parts["text_tokens"] = sum(each.text_tokens for each in every)
    total = sum(parts.values())
    usage = {"input_tokens": total, "input_tokens_details": parts, "output_tokens": 1, "total_tokens": total + 1}
    return elements.native(request, {"embeddings": found}, usage)


def _texts(given: Any, model: Model) -> tuple[list[str], int]:
    """The texts to embed and the tokens they hold."""
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(each, str) for each in texts):
        raise elements.wrong("contents is neither str nor list of str", "input.contents")
    elements.check_number(len(texts), model.limits.get("texts") or 10, "input.contents")
    counts = [tokens.count(each) for each in texts]
    whole, each = model.limits.get("tokens_per_call"), model.limits.get("tokens_per_text")
    for count in [sum(counts) if all(counts) else 0] if whole else counts:
        elements.check_length(count, whole or each or 8192)
    return texts, sum(counts)


def _size(asked: Any, model: Model) -> int:
    if asked is None:
        return model.dims[0]
    if isinstance(asked, bool) or asked not in model.dims:
        sizes = ", ".join(map(str, sorted(model.dims)))
        raise elements.wrong(f"dimension {str(asked)[:20]} is invalid, it should be one of {sizes}", "dimension")
    return int(asked)


def _asked(options: Json, model: Model) -> tuple[bool, set[str], str]:
    """Whether the texts are queries, which vectors are wanted, and the instruction."""
    kind, wanted, instruct = (options.get(name) for name in ("text_type", "output_type", "instruct"))
    if kind not in (None, "query", "document"):
        raise elements.wrong("text_type should be query or document", "parameters.text_type")
    kinds = set(str(wanted or "dense").split("&"))
    if not kinds <= {"dense", "sparse"} or (kinds != {"dense"} and model.line in _ONLY_DENSE):
        raise elements.wrong(f"output_type {str(wanted)[:40]} is not supported", "parameters.output_type")
    return kind == "query", kinds, instruct if kind == "query" and isinstance(instruct, str) else ""


def _check(every: list[Element], contents: int, model: Model) -> None:
    elements.check_number(contents, model.limits.get("elements") or 20, "input.contents")
    images = int(model.limits.get("images") or 64)
    if sum(element.images for element in every) > images:
        raise elements.wrong(f"at most {images} images are allowed", "input.contents")
    if model.name == _ONLY_FUSED and len({element.kind for element in every}) < len(every):
        raise elements.wrong("each kind of content may come once", "input.contents")


def _kind(group: list[Element], model: Model) -> str:
    return group[0].kind if len(group) == 1 else _FUSED.get(model.line, "fused")


def _floats(row: Any) -> list[float]:
    found: list[float] = row.round(_DIGITS).tolist()
    return found


def _packed(row: Any) -> str:
    """Little-endian float32 in base64."""
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


ROUTES: list[Verb] = [("POST", COMPATIBLE, compatible), ("POST", TEXT, text), ("POST", MULTIMODAL, multimodal)]
