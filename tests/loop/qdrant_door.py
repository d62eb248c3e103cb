"""A door in front of the engine that comes inside Qdrant's official client: REST in, the client's own models, REST out.

Every body is read by the official pydantic models, which allow no unknown field, and carried out by the local engine.
What came is kept, so that the official client's requests through the same door can be laid beside ours.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from qdrant_client import QdrantClient, models

warnings.filterwarnings("ignore", module="qdrant_client")
KEY = "qdrant-key-of-the-tests"


class Seen(NamedTuple):
    """A request: what it asks, and its body as the official models read it."""

    method: str
    path: str
    body: Any


class Door:
    """The door, open within a `with` block."""

    def __init__(self, key: str = "") -> None:
        self.engine, self.key = QdrantClient(":memory:"), key
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16  # head and body in one packet: in two the second waits for the first

            def _serve(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                given = self.headers.get("api-key") or (self.headers.get("Authorization") or "").removeprefix("Bearer ")
                status, told = door.answer(self.command, self.path, data, given)
                body = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815

            def log_message(self, *told: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Door:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, data: bytes, key: str) -> tuple[int, Any]:
        if self.key and key != self.key:
            return 401, {"status": {"error": "Must provide an API key or an Authorization bearer token"}, "time": 0.0}
        place, _, _ = path.partition("?")
        name, _, verb = place.removeprefix("/collections/").partition("/")
        kind, carry_out = _VERBS.get((method, verb), (None, None))
        if carry_out is None:
            return 404, {"status": {"error": f"no {method} {path}"}, "time": 0.0}
        try:
            body = kind.model_validate_json(data, strict=False) if kind else None
        except ValueError as wrong:
            return 400, {"status": {"error": f"Format error in JSON body: {wrong}"}, "time": 0.0}
        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.seen.append(Seen(method, path, body))
            if verb != "exists" and (method, verb) != ("PUT", "") and not self.engine.collection_exists(name):
                return 404, {"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}, "time": 0.0}
            return 200, {"result": carry_out(self.engine, name, body), "status": "ok", "time": 0.0}


def _json(value: Any) -> Any:
    if isinstance(value, list):
        return [_json(each) for each in value]
    return value.model_dump(mode="json", exclude_none=True) if hasattr(value, "model_dump") else value


def _done(*_: Any) -> Any:
    return {"operation_id": 1, "status": "completed"}


def _made(engine: QdrantClient, name: str, body: Any) -> bool:
    return engine.create_collection(name, vectors_config=body.vectors, sparse_vectors_config=body.sparse_vectors)


def _scrolled(engine: QdrantClient, name: str, body: Any) -> Any:
    points, following = engine.scroll(
        name, body.filter, body.limit, offset=body.offset, with_payload=body.with_payload, with_vectors=body.with_vector
    )
    return {"points": _json(points), "next_page_offset": following}


def _queried(engine: QdrantClient, name: str, body: Any) -> Any:
    found = engine.query_points(
        name, body.query, using=body.using, query_filter=body.filter, limit=body.limit, with_payload=body.with_payload
    )
    return {"points": _json(found.points)}


def _deleted(engine: QdrantClient, name: str, body: Any) -> Any:
    return _done(engine.delete(name, body))


def _fetched(engine: QdrantClient, name: str, body: Any) -> Any:
    return _json(engine.retrieve(name, body.ids, with_payload=body.with_payload, with_vectors=body.with_vector))


_VERBS: dict[tuple[str, str], tuple[Any, Callable[[QdrantClient, str, Any], Any]]] = {
    ("GET", ""): (None, lambda engine, name, _: _json(engine.get_collection(name))),
    ("GET", "exists"): (None, lambda engine, name, _: {"exists": engine.collection_exists(name)}),
    ("PUT", ""): (models.CreateCollection, _made),
    ("PUT", "index"): (models.CreateFieldIndex, _done),
    ("PUT", "points"): (models.PointsList, lambda engine, name, body: _done(engine.upsert(name, body.points))),
    ("POST", "points/batch"): (
        models.UpdateOperations,
        lambda engine, name, body: [_done(engine.batch_update_points(name, body.operations))],
    ),
    ("POST", "points/delete"): (models.FilterSelector, _deleted),
    ("POST", "points/query"): (models.QueryRequest, _queried),
    ("POST", "points"): (models.PointRequest, _fetched),
    ("POST", "points/scroll"): (models.ScrollRequest, _scrolled),
    ("POST", "points/count"): (
        models.CountRequest,
        lambda engine, name, body: _json(engine.count(name, body.filter, exact=body.exact)),
    ),
}
