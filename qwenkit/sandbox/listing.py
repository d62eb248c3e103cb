"""The models there are: the list OpenAI clients ask for, and the native one with its pages, filters and prices."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service

CREATED = 1_752_700_000  # the catalogue has no birthdays; one figure for all, as in recorded samples
_MODALITIES = {"T": "Text", "I": "Image", "V": "Video", "A": "Audio", "E": "Embedding", "S": "Score"}
_PRICES = {"input": "input_token", "output": "output_token", "output_thinking": "thinking_output_token"}

Json = dict[str, Any]


async def models(service: Service, request: Request) -> Response:
    return JSONResponse({"object": "list", "data": [_entry(model.name) for model in catalogue.models()]})


async def model(service: Service, request: Request) -> Response:
    name = request.path_params["name"]
    if catalogue.model(name) is None:
        raise Refusal("ModelNotFound", f"The model {name} does not exist or you do not have access to it.")
    return JSONResponse(_entry(name))


def _entry(name: str) -> Json:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "system"}


async def native_models(service: Service, request: Request) -> Response:
    """The native list: `page_no`, `page_size`, and filters by name, model, capability and modality."""
    query = request.query_params
    found = [each for each in catalogue.models() if _wanted(each, query)]
    page, size = _count(query, "page_no", 1), _count(query, "page_size", 20)
    shown = found[(page - 1) * size : page * size]
    output = {
        "total": len(found),
        "page_no": page,
        "page_size": size,
        "models": [_description(each, service.region) for each in shown],
    }
    envelope = {"code": None, "message": None, "success": True, "request_id": request.state.request_id}
    return JSONResponse({**envelope, "output": output})


def _count(query: QueryParams, name: str, usual: int) -> int:
    asked = query.get(name, str(usual))
    if not (asked.isascii() and asked.isdigit() and 0 < int(asked[:6]) <= 10_000):
        raise Refusal("InvalidParameter", f"Range of {name} should be [1, 10000]")
    return int(asked)


def _wanted(model: Model, query: QueryParams) -> bool:
    """Every filter given must fit; of a repeated one, any value."""
    holds = {
        "name": [model.title],
        "model": [model.name],
        "capabilities": _capabilities(model),
        "features": _features(model),
    }
    return all(
        any(asked.lower() in held.lower() for asked in query.getlist(name) for held in values)
        for name, values in holds.items()
        if name in query
    )


def _capabilities(model: Model) -> list[str]:
    known = {"TG": "T" in model.outputs, "Reasoning": model.thinking != "no", "VU": "I" in model.inputs}
    return [name for name, has in known.items() if has]


def _features(model: Model) -> list[str]:
    known = {
        "function-calling": model.tools,
        "structured-outputs": model.json_schema or model.json_object,
        "prefix-completion": model.partial,
    }
    return [name for name, has in known.items() if has]


def _description(model: Model, region: str) -> Json:
    return {
        "model": model.name,
        "name": model.title or model.name,
        "description": model.notes,
        "provider": "qwen",
        "inference_provider": "bailian",
        "capabilities": _capabilities(model),
        "features": _features(model),
        "inference_metadata": {
            "request_modality": [_MODALITIES[letter] for letter in model.inputs],
            "response_modality": [_MODALITIES[letter] for letter in model.outputs],
        },
        "model_info": {
            "context_window": model.context,
            "max_input_tokens": model.max_input,
            "max_output_tokens": model.max_output,
            "max_reasoning_tokens": model.max_thinking,
            "reasoning_max_input_tokens": model.max_input_thinking,
        },
        "prices": _prices(model, region),
        "equivalent_snapshot": model.snapshots[0] if model.snapshots else None,
    }


def _prices(model: Model, region: str) -> list[Json]:
    table = catalogue.price_table(model.name, region)
    if table is None:
        return []
    return [
        {
            "range_name": f"<={tier.upto}" if tier.upto else "default",
            "prices": [
                {"type": kind, "price": str(price), "price_unit": f"{table.currency}/1M tokens", "price_name": kind}
                for field, kind in _PRICES.items()
                if (price := getattr(tier, field)) is not None
            ],
        }
        for tier in table.tiers
    ]


ROUTES: list[Verb] = [
    ("GET", "/compatible-mode/v1/models", models),
    ("GET", "/compatible-mode/v1/models/{name:path}", model),
    ("GET", "/api/v1/models", native_models),
]
