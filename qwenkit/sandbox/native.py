"""The native API: text-generation and multimodal-generation, one endpoint each for every model of its kind.

The body is translated into a chat order, the mind answers it, `native_answers` writes it down. A model asked on the
other's path is told that the URL is wrong. Errors found before the first byte are plain HTTP errors; later ones are
frames of their own (`misbehave.error_event`).
"""

from __future__ import annotations

from datetime import date
from importlib import import_module
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit import catalogue
from qwenkit.sandbox.chat import EVENT_STREAM, answered, paced
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.messages import last_words
from qwenkit.sandbox.native_answers import NativeLetterhead
from qwenkit.sandbox.native_orders import MULTIMODAL, TEXT, read
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.searching import search_info
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.tasks import NO_ASYNC, enabled

# What does not chat is on the multimodal path too: the module that answers for an endpoint of the catalogue.
_OTHERS = {"speech": "speaking", "recognition": "recognising", "image": "drawing"}


async def generation(service: Service, request: Request) -> Response:
    if enabled(request, "x-dashscope-async"):
        raise Refusal("AccessDenied", NO_ASYNC)
    stream, body = enabled(request, "x-dashscope-sse"), json_body(request)
    kind = elsewhere(body, request.url.path)
    if kind:
        other: Response = await import_module(f"qwenkit.sandbox.{_OTHERS[kind]}").generation(service, request, body)
        return other
    native = read(body, request.url.path, stream)
    done = await answered(service, native.order, request)
    options = native.order.body.get("search_options") or {}
    strategy = options.get("search_strategy") or "turbo"
    plugins = {"search": {"count": 1, "strategy": strategy}} if done.pages else {}
    extras = {"search_info": search_info(done.pages)} if done.pages and options.get("enable_source") else {}
    extras |= _tool_info(service, native.order)
    head = NativeLetterhead(request.state.request_id, native, done.tokens, done.details or {}, plugins, extras)
    if not stream:
        return JSONResponse(head.whole(done.answers))
    return StreamingResponse(paced(head.frames(done.answers), service.pace), headers=EVENT_STREAM)


def elsewhere(body: dict[str, Any], path: str) -> str:
    """The endpoint of a model that is on this path and does not chat; empty when it does."""
    name = body.get("model")
    model = catalogue.model(name) if isinstance(name, str) and path == MULTIMODAL else None
    if model is None:
        return ""
    kind = "recognition" if model.family == "asr" and model.endpoint == "chat" else model.endpoint
    return kind if kind in _OTHERS else ""


def _tool_info(service: Service, order: Order) -> dict[str, Any]:
    """The code that was run, where the interpreter was asked for and there was something to work out."""
    from qwenkit.sandbox.mind.evidence import Evidence

    if not (order.body.get("enable_code_interpreter") and order.thinking):
        return {}
    sums = Evidence(last_words(order.messages), date.fromtimestamp(service.clock())).expressions()
    ran = {"type": "code_interpreter", "code_interpreter": {"code": f"print({sums[0]})"}} if sums else None
    return {"tool_info": [ran]} if ran else {}


ROUTES: list[Verb] = [("POST", TEXT, generation), ("POST", MULTIMODAL, generation)]
