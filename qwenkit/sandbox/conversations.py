"""The Conversations API, on both of its addresses: conversation objects and the items in them.

Times are in milliseconds here, as the service has them. `POST /responses` reads and appends items through the same
shelf.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.response_items import Json, received
from qwenkit.sandbox.responses import lost, on_both
from qwenkit.sandbox.routing import ANY, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.turns import Conversations, listed, page

MOST_ITEMS = 20  # in one request
MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512


async def create(service: Service, request: Request) -> Response:
    body, seed = json_body(request) if request.state.body else {}, request.state.request_id
    metadata, items = _metadata(body.get("metadata")), _items(body, seed)
    talks, name = _talks(service), f"conv_{digest(seed)[:24]}"
    talks.make(name, int(service.clock() * 1000), metadata)
    talks.add(name, items)
    return JSONResponse(talks.get(name))


async def retrieve(service: Service, request: Request) -> Response:
    return JSONResponse(_conversation(service, request))


async def update(service: Service, request: Request) -> Response:
    """The metadata given replaces all of it."""
    found, metadata = _conversation(service, request), _metadata(json_body(request).get("metadata"))
    _talks(service).describe(found["id"], metadata)
    return JSONResponse({**found, "metadata": metadata})


async def delete(service: Service, request: Request) -> Response:
    name = _conversation(service, request)["id"]
    _talks(service).delete(name)
    return JSONResponse({"id": name, "object": "conversation.deleted", "deleted": True})


async def add_items(service: Service, request: Request) -> Response:
    name = _conversation(service, request)["id"]
    items = _items(json_body(request), request.state.request_id)
    if not items:
        raise invalid("Missing required parameter: 'items'.")
    _talks(service).add(name, items)
    return JSONResponse(listed(items))


async def list_items(service: Service, request: Request) -> Response:
    return JSONResponse(page(_kept_items(service, request), request.query_params))


async def retrieve_item(service: Service, request: Request) -> Response:
    return JSONResponse(_item(service, request))


async def delete_item(service: Service, request: Request) -> Response:
    """Answers with the conversation, as the official SDK types it, and says that something was deleted."""
    item, name = _item(service, request), request.path_params["id"]
    _talks(service).remove(name, item["id"])
    return JSONResponse({**(_talks(service).get(name) or {"id": name}), "deleted": True})


def _talks(service: Service) -> Conversations:
    return service.shelf(Conversations)


def _conversation(service: Service, request: Request) -> Json:
    name = request.path_params["id"]
    return _talks(service).get(name) or _missing("Conversation", name)


def _kept_items(service: Service, request: Request) -> list[Json]:
    """The items; those of a deleted conversation are kept."""
    talks, name = _talks(service), request.path_params["id"]
    return talks.items(name) if talks.exists(name) else _missing("Conversation", name)


def _item(service: Service, request: Request) -> Json:
    name = request.path_params["item"]
    found = (item for item in _kept_items(service, request) if item["id"] == name)
    return next(found, None) or _missing("Item", name)


def _missing(what: str, name: str) -> Any:
    raise Refusal("InvalidParameter", f"{what} with id '{name[:80]}' not found.", status=404)


def _items(body: Json, seed: str) -> list[Json]:
    given = body.get("items") or []
    if not isinstance(given, list) or len(given) > MOST_ITEMS:
        raise invalid(f"Invalid 'items': must be an array of at most {MOST_ITEMS} items.")
    return received(given, "items", seed) if given else []


def _metadata(given: Any) -> Json:
    pairs = {} if given is None else given
    if not isinstance(pairs, dict) or len(pairs) > MOST_PAIRS:
        raise invalid(f"Invalid 'metadata': must be an object of at most {MOST_PAIRS} pairs.")
    for key, value in pairs.items():
        if not isinstance(value, str) or len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise invalid(
                f"Invalid 'metadata': keys may have {LONGEST_KEY} characters, values must be strings of at most "
                f"{LONGEST_VALUE}."
            )
    return pairs


ROUTES = on_both(
    ("POST", "/conversations", create),
    ("GET", "/conversations/{id}", retrieve),
    ("POST", "/conversations/{id}", update),
    ("DELETE", "/conversations/{id}", delete),
    ("POST", "/conversations/{id}/items", add_items),
    ("GET", "/conversations/{id}/items", list_items),
    ("GET", "/conversations/{id}/items/{item}", retrieve_item),
    ("DELETE", "/conversations/{id}/items/{item}", delete_item),
    (ANY, "/conversations/{rest:path}", lost),
)
