"""`POST /compatible-mode/v1/completions`: fill in the middle, for the coder models, whole or as a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit.catalogue import tokens
from qwenkit.sandbox.chat import EVENT_STREAM, paced
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.middle import fill
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.rules import check
from qwenkit.sandbox.service import Service

Json = dict[str, Any]
_MODELS = re.compile(r"qwen2\.5-coder-(7b|14b|32b)-instruct|qwen-coder-turbo(-0919|-latest)?")
_MARKED = re.compile(r"<\|fim_prefix\|>(.*?)<\|fim_suffix\|>(.*?)(?:<\|fim_middle\|>)?\s*", re.DOTALL)


async def completions(service: Service, request: Request) -> Response:
    body = json_body(request)
    prompt = body.get("prompt")
    if isinstance(body.get("model"), str) and not _MODELS.fullmatch(body["model"]):
        raise Refusal("model_not_supported", f"Unsupported model {body['model']} for OpenAI compatibility mode.")
    if not isinstance(prompt, str) or not prompt:
        raise invalid("Required parameter(prompt) missing or invalid, please check the request parameters.")
    order = check({**body, "messages": [{"role": "user", "content": prompt}]})
    said, ending = _until(_middle(prompt), body)
    count, written = tokens.count(prompt), len(said)
    bill = {"prompt_tokens": count, "completion_tokens": written, "total_tokens": count + written}
    head = {"object": "text_completion", "created": int(service.clock()), "system_fingerprint": None}
    head |= {"model": order.model.name, "id": f"cmpl-{request.state.request_id}"}
    if not order.stream:
        return JSONResponse({"choices": [_choice("".join(said), ending)], "usage": bill, **head})
    events = _events(said, ending, head, bill if order.include_usage else None)
    return StreamingResponse(paced(events, service.pace), headers=EVENT_STREAM)


def _middle(prompt: str) -> str:
    """What is in the gap; a prompt without marks has its gap at the end."""
    marked = _MARKED.fullmatch(prompt)
    return fill(marked[1], marked[2]) if marked else fill(prompt, "")


def _until(text: str, body: Json) -> tuple[list[str], str]:
    """The tokens up to a stop word or the longest answer allowed, and why they end there."""
    stops = body.get("stop") or []
    for stop in [stops] if isinstance(stops, str) else stops:
        text = text.split(stop, 1)[0] if isinstance(stop, str) and stop else text
    pieces = tokens.split(text)
    most = body.get("max_tokens")
    return (pieces[:most], "length") if most is not None and len(pieces) > most else (pieces, "stop")


def _choice(text: str, ending: str | None) -> Json:
    return {"text": text, "index": 0, "finish_reason": ending, "logprobs": None}


def _events(said: list[str], ending: str, head: Json, bill: Json | None) -> Iterator[bytes]:
    for piece in said:
        yield _event({"choices": [_choice(piece, None)], "usage": None, **head})
    yield _event({"choices": [_choice("", ending)], "usage": None, **head})
    if bill is not None:
        yield _event({"choices": [], "usage": bill, **head})
    yield b"data: [DONE]\n\n"


def _event(chunk: Json) -> bytes:
    return f"data: {json.dumps(chunk, ensure_ascii=False, separators=(',', ':'))}\n\n".encode("utf-8", "replace")


ROUTES: list[Verb] = [("POST", "/compatible-mode/v1/completions", completions)]
