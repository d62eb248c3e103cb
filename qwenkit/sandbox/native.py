"""The native API: text-generation and multimodal-generation, one endpoint each for every model of its kind.

The body is translated into a chat order, the mind answers it, `native_answers` writes it down. A model asked on the
other's path is told that the URL is wrong. Errors found before the first byte are plain HTTP errors; later ones are
frames of their own (`misbehave.error_event`).
"""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit.sandbox import embedding_task
from qwenkit.sandbox.attached import attached
from qwenkit.sandbox.chat import EVENT_STREAM, paced
from qwenkit.sandbox.chat import _prompt_tokens as prompt_tokens
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.messages import last_words
from qwenkit.sandbox.native_answers import Bill, NativeLetterhead
from qwenkit.sandbox.native_orders import MULTIMODAL, TEXT, NativeOrder, read
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.searching import found, grounded, search_info
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.tasks import NO_ASYNC, enabled

Json = dict[str, Any]


async def generation(service: Service, request: Request) -> Response:
    from qwenkit.sandbox.asking import ask

    if enabled(request, "x-dashscope-async"):
        raise Refusal("AccessDenied", NO_ASYNC)
    stream = enabled(request, "x-dashscope-sse")
    native = read(json_body(request), request.url.path, stream)
    pages = found(native.order)
    order = grounded(native.order, pages)
    documents = attached(service, order)
    prompt = prompt_tokens(order) + documents.tokens
    answers = ask(service, documents.order)
    details = service.cache.details(order.model.line, order.messages, prompt, service.clock())
    options = order.body.get("search_options") or {}
    plugins = {"search": {"count": 1, "strategy": options.get("search_strategy") or "turbo"}} if pages else {}
    bill = Bill(prompt, details, order.thinking, native.multimodal, plugins)
    sources = {"search_info": search_info(pages)} if pages and options.get("enable_source") else {}
    head = _letterhead(native, request.state.request_id, {**sources, **_tool_info(service, native.order)})
    if not stream:
        return JSONResponse(head.whole(answers, bill))
    return StreamingResponse(paced(head.frames(answers, bill), service.pace), headers=EVENT_STREAM)


def _tool_info(service: Service, order: Order) -> Json:
    """The code that was run, where the interpreter was asked for and there was something to work out."""
    from qwenkit.sandbox.mind.evidence import Evidence

    if not (order.body.get("enable_code_interpreter") and order.thinking):
        return {}
    sums = Evidence(last_words(order.messages), date.fromtimestamp(service.clock())).expressions()
    ran = {"type": "code_interpreter", "code_interpreter": {"code": f"print({sums[0]})"}} if sums else None
    return {"tool_info": [ran]} if ran else {}


def _letterhead(native: NativeOrder, request_id: str, extras: Json) -> NativeLetterhead:
    body, model = native.order.body, native.order.model
    return NativeLetterhead(
        request_id=request_id,
        message=native.message,
        incremental=native.incremental,
        multimodal=native.multimodal,
        thinking=native.order.thinking,
        logprobs=(body.get("top_logprobs") or 0) if body.get("logprobs") and model.logprobs else None,
        tool_stream=bool(body.get("tool_stream")),
        extras=extras,
    )


ROUTES: list[Verb] = [("POST", TEXT, generation), ("POST", MULTIMODAL, generation), *embedding_task.ROUTES]
