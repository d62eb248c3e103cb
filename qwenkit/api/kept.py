"""What the service keeps for the Responses API, fetched: one object by its address, or a list page by page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from qwenkit.api.core import Core
from qwenkit.errors import ConfigError
from qwenkit.protocol import responses as protocol
from qwenkit.protocol.flow import Answer, Flow
from qwenkit.types.response import Item, Items

_PAGE = 100  # the most the service gives at once


def family(core: Core) -> str:
    """The API family; other OpenAI-compatible servers have the Responses API beside chat."""
    return "responses" if "responses" in core.config.urls else "compatible"


def place(path: str, value: Any, kind: type) -> str:
    """The path of one thing that is kept, given as the value or as its id."""
    return f"{path}/{quote(protocol.identity(value, kind, 'this'), safe='')}"


def fetch(core: Core, method: str, path: str, what: str, body: Any = None) -> Flow[dict[str, Any]]:
    """The object at an address, as a dict."""
    request = core.request(method, family(core), path, body)
    answer: Answer = yield from core.send(request)
    if method == "DELETE" and not answer.body.strip():
        return {}
    return protocol.decoded(answer.body, what, request.name, answer.headers.get("x-request-id", ""))


def forget(core: Core, path: str) -> Flow[bool]:
    """Delete what is at an address. Answers differ: what was deleted, what it was taken from, or nothing at all."""
    wire = yield from fetch(core, "DELETE", path, "a deletion")
    return wire.get("deleted") is not False


def pages(core: Core, path: str, limit: int | None, order: str) -> Flow[Items]:
    """All items of a list, or the first `limit`: as many requests as that takes."""
    if order not in ("asc", "desc"):
        raise ConfigError(f"order cannot be {order!r}", hint="use 'asc' or 'desc'")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise ConfigError(f"limit cannot be {limit!r}", hint="pass a whole number, or leave it out for all")
    found: list[Item] = []
    cursor, seen = "", {""}
    while limit is None or len(found) < limit:
        size = _PAGE if limit is None else min(_PAGE, limit - len(found))
        asked = {**({"after": cursor} if cursor else {}), "limit": size, "order": order}
        items, cursor = protocol.listed((yield from fetch(core, "GET", f"{path}?{urlencode(asked)}", "a list")))
        found += items
        if cursor in seen:  # the end, or a service that goes in circles
            break
        seen.add(cursor)
    return Items(found[:limit])
