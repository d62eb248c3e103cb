"""How a route module offers its routes: a list of (method, path, function), gathered by `app`.

A function takes the service and the request and returns a response, or raises a `Refusal`. The method `ANY` stands for
every method not named. A path asked with another method answers as the service does: 400, and 405 only where the
Responses API lives.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Never

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from qwenkit.sandbox.errors import COMPATIBLE, Refusal, is_responses
from qwenkit.sandbox.service import Service

Endpoint = Callable[[Service, Request], Awaitable[Response]]
Verb = tuple[str, str, Endpoint]
ANY = "*"
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Resource:
    """One path and what its methods do; an ASGI application."""

    def __init__(self, service: Service, methods: dict[str, Endpoint]) -> None:
        self.service = service
        self.methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        endpoint = self.methods.get(request.method) or self.methods.get(ANY)
        if endpoint is None:
            raise _wrong_method(request.method, scope["path"])
        response = await endpoint(self.service, request)
        await response(scope, receive, send)


def _wrong_method(method: str, path: str) -> Refusal:
    if is_responses(path):
        return Refusal("Method Not Allowed", f"Method '{method}' is not allowed for '{path}'.")
    return Refusal("InvalidParameter", f"Request method '{method}' is not supported.")


def routes(service: Service, verbs: Iterable[Verb]) -> list[Route]:
    """Starlette routes, one for each path, in the order given."""
    paths: dict[str, dict[str, Endpoint]] = {}
    for method, path, endpoint in verbs:
        paths.setdefault(path, {})[method] = endpoint
    return [Route(path, Resource(service, methods)) for path, methods in paths.items()]


def json_body(request: Request) -> dict[str, Any]:
    """The JSON object in the body, which `app` has read already."""
    raw: bytes = request.state.body
    try:
        body = json.loads(raw, parse_constant=_no_constant, parse_float=_finite)
        if _ESCAPED_SURROGATE.search(raw):  # half a character could be read, but never be answered
            json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        body = None
    if isinstance(body, dict):
        return body
    if request.url.path.startswith(COMPATIBLE) or is_responses(request.url.path):
        raise Refusal("InvalidParameter", "Required body invalid, please check the request body format.")
    raise Refusal("BadRequest.IllegalInput")


def _finite(text: str) -> float:
    """1e999 could be read, but never be answered."""
    value = float(text)
    return value if math.isfinite(value) else _no_constant(text)


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")
