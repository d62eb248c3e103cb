"""Embeddings on their three paths: compatible, native text, native multimodal.

The vectors are those of `vectors`: counted, not learned, which the tests of similarity live on. The rules and their
words are the documented ones; sizes and limits come from the catalogue.
"""

from __future__ import annotations

import base64
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit import catalogue
from qwenkit.catalogue import Model, tokens
from qwenkit.sandbox import vectors
from qwenkit.sandbox.elements import Element, algorithm, elements, shares
from qwenkit.sandbox.errors import Refusal, is_nested
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service

Json = dict[str, Any]
COMPATIBLE = "/compatible-mode/v1/embeddings"
TEXT = "/api/v1/services/embeddings/text-embedding/text-embedding"
MULTIMODAL = "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding"
_DIGITS = 8  # of a number on the wire: what a float32 holds
_ONLY_DENSE = ("text-embedding-v1", "text-embedding-v2")
_FUSED = {"qwen2.5-vl-embedding": "vl", "qwen3-vl-embedding": "fusion"}  # what models call a fused vector


async def compatible(service: Service, request: Request) -> Response:
    body = json_body(request)
    model = _model(body, request.url.path, "embeddings")
    texts, count = _texts(body.get("input"), model)
    size, form = _size(body.get("dimensions"), model), body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise algorithm(f"Value error, encoding_format should be float or base64, not {form}.: encoding_format")
    rows = [vectors.dense(vectors.of_text(text), size) for text in texts]
    spelled = _floats if form == "float" else _packed
    data = [{"object": "embedding", "index": at, "embedding": spelled(row)} for at, row in enumerate(rows)]
    usage = {"prompt_tokens": count, "total_tokens": count}
    return JSONResponse(
        {"object": "list", "model": model.name, "id": request.state.request_id, "data": data, "usage": usage}
    )


async def text(service: Service, request: Request) -> Response:
    body = json_body(request)
    model = _model(body, request.url.path, "embeddings")
    options = _object(body, "parameters")
    texts, count = _texts(_object(body, "input").get("texts"), model)
    size = _size(options.get("dimension"), model)
    query, kinds, instruct = _asked(options, model)
    found = []
    for place, each in enumerate(texts):
        item: Json = {"text_index": place}
        if "dense" in kinds:
            item["embedding"] = _floats(vectors.dense(vectors.of_text(each, query=query, instruct=instruct), size))
        if "sparse" in kinds:
            item["sparse_embedding"] = vectors.sparse(each)
        found.append(item)
    return _native(request, found, {"total_tokens": count})


async def multimodal(service: Service, request: Request) -> Response:
    body = json_body(request)
    model = _model(body, request.url.path, "multimodal-embedding")
    options, contents = _object(body, "parameters"), _object(body, "input").get("contents")
    if not isinstance(contents, list) or not contents:
        raise algorithm("Value error, contents is not a list of contents.: input.contents")
    size = _size(options.get("dimension"), model)
    if options.get("output_type") not in (None, "dense"):
        raise algorithm("Value error, output_type should be dense.: parameters.output_type")
    groups = [elements(content, model) for content in contents]
    _within(groups, model)
    every = [element for group in groups for element in group]
    if options.get("enable_fusion") or model.name == "qwen2.5-vl-embedding":
        groups = [every]
    found = [
        {"index": place, "type": _kind(group, model), "embedding": _floats(vectors.dense(_fused(group), size))}
        for place, group in enumerate(groups)
    ]
    spent = dict(shares(every))
    total = sum(spent.values())
    usage = {"input_tokens": total, "input_tokens_details": spent, "output_tokens": 1, "total_tokens": total + 1}
    return _native(request, found, usage)


def _model(body: Json, path: str, endpoint: str) -> Model:
    """The model meant, which must be one of this path."""
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise Refusal("invalid_request_error") if is_nested(path) else Refusal("InvalidParameter")
    model = catalogue.model(name)
    if model is None:
        raise Refusal("ModelNotFound", f"The model {name} does not exist or you do not have access to it.")
    if model.endpoint != endpoint:
        if is_nested(path):
            raise Refusal("model_not_supported", f"Unsupported model {name} for OpenAI compatibility mode.")
        raise Refusal("InvalidParameter", "url error, please check url！")
    return model


def _object(body: Json, name: str) -> Json:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise Refusal("InvalidParameter", f"'{name}' must be a dict")
    return value


def _texts(given: Any, model: Model) -> tuple[list[str], int]:
    """The texts to embed and the tokens they hold."""
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(each, str) for each in texts):
        raise algorithm("Value error, contents is neither str nor list of str.: input.contents")
    most = int(model.limits.get("texts") or 10)
    if len(texts) > most:
        raise algorithm(f"Value error, batch size is invalid, it should not be larger than {most}.: input.contents")
    counts = [tokens.count(each) for each in texts]
    each, whole = model.limits.get("tokens_per_text"), model.limits.get("tokens_per_call")
    limit = int(whole or each or 8192)
    if not all(counts) or (sum(counts) if whole else max(counts)) > limit:
        raise algorithm(f"Range of input length should be [1, {limit}]")
    return texts, sum(counts)


def _size(asked: Any, model: Model) -> int:
    if asked is None:
        return model.dims[0]
    if isinstance(asked, bool) or asked not in model.dims:
        sizes = ", ".join(map(str, sorted(model.dims)))
        raise algorithm(f"Value error, dimension {str(asked)[:20]} is invalid, it should be one of {sizes}.: dimension")
    return int(asked)


def _asked(options: Json, model: Model) -> tuple[bool, set[str], str]:
    """Whether the texts are queries, which vectors are wanted, and the instruction."""
    kind, wanted, instruct = (options.get(name) for name in ("text_type", "output_type", "instruct"))
    if kind not in (None, "query", "document"):
        raise algorithm("Value error, text_type should be query or document.: parameters.text_type")
    kinds = set(str(wanted or "dense").split("&"))
    if not kinds <= {"dense", "sparse"} or (kinds != {"dense"} and model.line in _ONLY_DENSE):
        raise algorithm(f"Value error, output_type {str(wanted)[:40]} is not supported.: parameters.output_type")
    return kind == "query", kinds, instruct if kind == "query" and isinstance(instruct, str) else ""


def _within(groups: list[list[Element]], model: Model) -> None:
    most, images = int(model.limits.get("elements") or 20), int(model.limits.get("images") or 64)
    if len(groups) > most:
        raise algorithm(f"Value error, batch size is invalid, it should not be larger than {most}.: input.contents")
    if sum(element.images for group in groups for element in group) > images:
        raise algorithm(f"Value error, at most {images} images are allowed.: input.contents")
    kinds = [element.kind for group in groups for element in group]
    if model.name == "qwen2.5-vl-embedding" and len(set(kinds)) < len(kinds):
        raise algorithm("Value error, each kind of content may come once.: input.contents")


def _kind(group: list[Element], model: Model) -> str:
    return group[0].kind if len(group) == 1 else _FUSED.get(model.line, "fused")


def _fused(group: list[Element]) -> vectors.Features:
    return group[0].features if len(group) == 1 else vectors.joined([element.features for element in group])


def _floats(row: Any) -> list[float]:
    found: list[float] = row.round(_DIGITS).tolist()
    return found


def _packed(row: Any) -> str:
    """Little-endian float32 in base64."""
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def _native(request: Request, found: list[Json], usage: Json) -> Response:
    return JSONResponse({"output": {"embeddings": found}, "usage": usage, "request_id": request.state.request_id})


ROUTES: list[Verb] = [("POST", COMPATIBLE, compatible), ("POST", TEXT, text), ("POST", MULTIMODAL, multimodal)]
