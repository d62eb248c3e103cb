"""A shelf in Qdrant, by its REST API: every chunk is a point with its vector, its words as a sparse one, its payload.

Qdrant weighs words by how rare they are (`modifier: idf`); what BM25 has beside that is in the sparse values. A point's
id is made of its document, its content and its place, so that writing twice writes once. A draft has `live: false`.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

import msgspec

from qwenkit.errors import APIError, ConfigError, NotFound
from qwenkit.protocol.flow import Answer, Flow, Request
from qwenkit.protocol.retry import Patience, send
from qwenkit.retrieval.filters import Test
from qwenkit.retrieval.shelves import FORMAT, Found, Kind, Row, State, agreed
from qwenkit.retrieval.words import asked, stem, terms
from qwenkit.secret import Secret
from qwenkit.types.retrieval import Chunk, Held

_DENSE, _SPARSE = "text", "words"
_K, _B, _USUAL = 1.2, 0.75, 200.0  # BM25's, and the usual number of terms in a chunk
_PAGE = 1000
_INDEXED = {"document": "keyword", "digest": "keyword", "title": "keyword", "live": "bool", "place": "integer"}
_SECONDS = 60.0

Json = dict[str, Any]


class Qdrant:
    """The store of `qk.Retriever(qwen, "http://host:6333/collection")`."""

    def __init__(self, root: str, collection: str, key: Secret | None) -> None:
        self.where = f"{root}/{collection}"
        self._base, self._key = f"{root}/collections/{quote(collection, safe='')}", key
        self._writing = threading.Lock()
        self._held: dict[str, Held] = {}  # documents that this session drafts
        self._kind = Kind()  # as it is settled

    def _ask(self, method: str, path: str, body: Json | None = None) -> Flow[Any]:
        headers = {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": "qwenkit"}
        sent = None if body is None else msgspec.json.encode(body)
        request = Request(method, self._base + path, headers, sent, key=self._key, timeout=_SECONDS)
        try:
            answer: Answer = yield from send(request, Patience())
            return msgspec.json.decode(answer.body)["result"]
        except APIError as refused:
            raise _worded(refused) from None
        except (msgspec.DecodeError, KeyError, TypeError):
            hint = "the address is http://host:6333/collection"
            raise ConfigError(f"{self.where} does not answer as Qdrant does", hint=hint) from None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Two sessions may write: what both write is the same."""
        with self._writing:
            yield

    def open(self, asked: Kind) -> Flow[tuple[Kind, bool]]:
        try:
            told = yield from self._ask("GET", "")
        except NotFound:
            return asked, False
        try:
            size = told["config"]["params"]["vectors"][_DENSE]["size"]
        except (KeyError, TypeError):
            hint = "name a collection that is not there yet: it is made when the first document is added"
            raise ConfigError(f"{self.where} was made by something else", hint=hint) from None
        page = yield from self._scroll([], ["model", "format", "size", "overlap"], 1)
        facts = {name: str(value) for name, value in (page[0][0] if page[0] else {}).items()}
        kind, _ = agreed({**facts, "dimensions": str(size)}, asked, self.where)
        self._kind = kind if facts else Kind()
        return kind, bool(facts)  # an empty collection has not been told the model

    def settle(self, kind: Kind) -> Flow[None]:
        self._kind = kind
        exists = yield from self._ask("GET", "/exists")
        if not exists["exists"]:
            dense = {_DENSE: {"size": kind.dimensions, "distance": "Cosine"}}
            yield from self._ask("PUT", "", {"vectors": dense, "sparse_vectors": {_SPARSE: {"modifier": "idf"}}})
        for field, schema in _INDEXED.items():
            yield from self._ask("PUT", "/index?wait=true", {"field_name": field, "field_schema": schema})

    # -- writing -------------------------------------------------------------------------------------------------------

    def states(self, names: Sequence[str]) -> Flow[dict[str, State]]:
        found = dict.fromkeys(names, State())
        if not self._kind.model or not names:
            return found
        ours = _any("document", list(names))
        live = yield from self._all([_LIVE, ours, _is("place", 0)], ["document", "digest"])
        drafts = yield from self._all([_DRAFT, ours], ["document", "digest", "place"])
        for each in live:
            found[each["document"]] = State(each["digest"])
        for each in drafts:
            had = found[each["document"]]
            if had.draft in ("", each["digest"]):
                found[each["document"]] = had._replace(draft=each["digest"], places=[*had.places, each["place"]])
        return found

    def draft(self, document: Held, fresh: bool) -> Flow[None]:
        self._held[document.name] = document
        if fresh:
            yield from self._delete(_DRAFT, _is("document", document.name))

    def put(self, rows: Sequence[Row], vectors: Any, done: Sequence[Held]) -> Flow[None]:
        import numpy as np

        if rows:
            numbers = np.round(np.asarray(vectors, float), 7).tolist()
            points = [self._point(row, vector) for row, vector in zip(rows, numbers, strict=True)]
            yield from self._ask("PUT", "/points?wait=true", {"points": points})
        steps: list[Json] = []
        for each in done:
            mine, name = _is("digest", each.digest), _is("document", each.name)
            steps.append({"set_payload": {"payload": {"live": True}, "filter": {"must": [name, mine]}}})
            steps.append({"delete": {"filter": {"must": [name], "must_not": [mine]}}})
            self._held.pop(each.name, None)
        if steps:
            yield from self._ask("POST", "/points/batch?wait=true", {"operations": steps})

    def _point(self, row: Row, vector: list[float]) -> Json:
        held, piece = self._held[row.document], row.piece
        name = f"{held.name}\0{held.digest}\0{row.place}".encode()
        payload = {
            **{"document": held.name, "digest": held.digest, "named": held.title, "meta": held.meta, "live": False},
            **{"place": row.place, "chunks": held.chunks, "format": FORMAT, **piece._asdict()},
            **{"model": self._kind.model, "size": self._kind.size, "overlap": self._kind.overlap},
        }
        key = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") >> 1
        sparse = _sparse(f"{piece.title}\n{piece.text}")
        return {"id": key, "vector": {_DENSE: vector, _SPARSE: sparse}, "payload": payload}

    def _delete(self, *must: Json) -> Flow[None]:
        if self._kind.model:
            yield from self._ask("POST", "/points/delete?wait=true", {"filter": {"must": must}})

    def remove(self, name: str) -> Flow[int]:
        count = yield from self.count(_is("document", name))
        yield from self._delete(_is("document", name))
        return count

    # -- reading -------------------------------------------------------------------------------------------------------

    def nearest(self, vector: Any, most: int, tests: Sequence[Test]) -> Flow[Found]:
        return (yield from self._query([float(each) for each in vector], _DENSE, most, tests))

    def worded(self, query: str, most: int, tests: Sequence[Test]) -> Flow[Found]:
        places = sorted({zlib.crc32(stem(word).encode()) for word in asked(query)})
        wanted = {"indices": places, "values": [1.0] * len(places)}
        return (yield from self._query(wanted, _SPARSE, most, tests)) if places else []

    def _query(self, query: Any, using: str, most: int, tests: Sequence[Test]) -> Flow[Found]:
        chosen = {"must": [_LIVE, *map(_condition, tests)]}
        body = {"query": query, "using": using, "limit": most, "filter": chosen, "with_payload": False}
        found = yield from self._ask("POST", "/points/query", body)
        return [(each["id"], each["score"]) for each in found["points"]]

    def chunks(self, keys: Sequence[int]) -> Flow[dict[int, Chunk]]:
        body = {"ids": list(keys), "with_payload": True, "with_vector": False}
        found = (yield from self._ask("POST", "/points", body)) if keys else []
        return {each["id"]: _chunk(each["payload"]) for each in found}

    def page(self, document: str, after: int, most: int) -> Flow[tuple[list[Chunk], Any, int]]:
        import numpy as np

        must = [_LIVE, *([_is("document", document)] if document else [])]
        rows, vectors, following = yield from self._scroll(must, True, most, after or None, vectors=True)
        matrix = np.array(vectors, np.float32).reshape(len(rows), -1 if rows else 0)
        return [_chunk(row) for row in rows], matrix, -1 if following is None else following

    def documents(self) -> Flow[list[Held]]:
        fields = ["document", "named", "chunks", "digest", "meta"]
        rows = (yield from self._all([_LIVE, _is("place", 0)], fields)) if self._kind.model else []
        return sorted((Held(*(row[field] for field in fields)) for row in rows), key=lambda held: held.name)

    def count(self, *more: Json) -> Flow[int]:
        body = {"filter": {"must": [_LIVE, *more]}, "exact": True}
        return int((yield from self._ask("POST", "/points/count", body))["count"]) if self._kind.model else 0

    def _all(self, must: list[Json], fields: list[str]) -> Flow[list[Json]]:
        found: list[Json] = []
        following: Any = 0
        while following is not None:
            rows, _, following = yield from self._scroll(must, fields, _PAGE, following or None)
            found += rows
        return found

    def _scroll(
        self, must: list[Json], fields: Any, most: int, offset: Any = None, vectors: bool = False
    ) -> Flow[tuple[list[Json], list[Any], Any]]:
        wanted = {"with_payload": fields, "with_vector": [_DENSE] if vectors else False}
        body = {"filter": {"must": must}, "limit": most, **wanted, **({"offset": offset} if offset else {})}
        told = yield from self._ask("POST", "/points/scroll", body)
        points = told["points"]
        rows = [each["payload"] or {} for each in points]
        return rows, [each["vector"][_DENSE] for each in points] if vectors else [], told.get("next_page_offset")

    def bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self._held.clear()


def _is(field: str, value: Any) -> Json:
    return {"key": field, "match": {"value": value}}


def _any(field: str, values: list[Any]) -> Json:
    return {"key": field, "match": {"any": values}}


_LIVE, _DRAFT = _is("live", True), _is("live", False)


def _condition(test: Test) -> Json:
    """One test in Qdrant's words; numbers are compared as numbers, whole or not."""
    field = test.field if test.field in ("document", "title") else f"meta.{test.field}"
    if test.bounds:
        return {"key": field, "range": test.bounds}
    ways = [
        _is(field, value) if isinstance(value, str | bool) else {"key": field, "range": {"gte": value, "lte": value}}
        for value in test.values
    ]
    return {"should": ways}


def _sparse(text: str) -> Json:
    counts = Counter(zlib.crc32(term.encode()) for term in terms(text))
    room = _K * (1 - _B + _B * counts.total() / _USUAL)
    places = sorted(counts)
    return {"indices": places, "values": [round(counts[at] * (_K + 1) / (counts[at] + room), 6) for at in places]}


def _chunk(row: Json) -> Chunk:
    name, place = row["document"], row["place"]
    return Chunk(f"{name}#{place}", row["text"], name, row["title"], place, row["start"], row["end"], row["meta"])


def _worded(refused: APIError) -> APIError:
    """The error in Qdrant's words, with a cure for Qdrant."""
    with suppress(msgspec.DecodeError, KeyError, TypeError):
        refused.message = str(msgspec.json.decode(refused.raw)["status"]["error"])[:500]
    refused.hint = "set QDRANT_API_KEY, or write the key before the host: https://key@host:6333/collection"
    if refused.status not in (401, 403):
        refused.hint = "it is Qdrant that refused"
    return refused
