"""A shelf in PostgreSQL with pgvector: the same tables, in a schema of their own, with `tsvector` and `vector`.

PostgreSQL's rank knows nothing of rare words, so each word's rank is weighed by how rare it is, as BM25 does. From some
size on the vectors get an HNSW index; a filtered search goes without it, because it would miss chunks. Needs psycopg 3.
"""

from __future__ import annotations

import importlib
import json
import math
import re
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow
from qwenkit.retrieval.filters import BOUNDS, Test
from qwenkit.retrieval.shelves import Found, Kind, Row, at_once
from qwenkit.retrieval.tables import JOINED, SCHEMA, Tables
from qwenkit.retrieval.words import asked, stem, terms
from qwenkit.secret import Secret

_LARGE = 20_000  # chunks from which an index of neighbours pays
_WIDEST = 2000  # numbers of a vector that can be indexed
_USUAL = "qwenkit"
_TYPES = {r"\bid INTEGER": "id BIGINT", "{json}": "JSONB"}


class Postgres(Tables):
    """The store of `qk.Retriever(qwen, "postgresql://host/base?table=handbook")`."""

    def __init__(self, address: Secret) -> None:
        parts = urlsplit(address.reveal())
        told = dict(parse_qsl(parts.query))
        self._schema = told.pop("table", _USUAL)
        self.where = f"postgresql://{parts.hostname or ''}{parts.path}?table={self._schema}"
        plain = Secret(urlunsplit(parts._replace(query=urlencode(told))))
        del parts, told
        self._lock, self._mine = threading.RLock(), threading.Lock()
        if not re.fullmatch(r"[A-Za-z_]\w{0,62}", self._schema):
            raise ConfigError(f"table={self._schema!r:.80} is no name of a table", hint="letters, digits and _")
        try:
            self._library: Any = importlib.import_module("psycopg")
        except ImportError:
            raise ConfigError("PostgreSQL needs psycopg", hint="pip install 'qwenkit[postgres]'") from None
        with self._told():
            self._base = self._library.connect(plain.reveal(), autocommit=True)
            weakref.finalize(self, self._base.close)
            self._ask(f'SET search_path TO "{self._schema}", public')
            if not self._ask("SELECT to_regclass('facts') IS NOT NULL")[0][0]:
                self._make()

    def _make(self) -> None:
        with self._changing():
            self._ask(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
            self._ask("CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public")
            schema = SCHEMA
            for ours, theirs in _TYPES.items():
                schema = re.sub(ours, theirs, schema)
            for statement in schema.split(";"):
                self._ask(statement)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._library.Error as refused:
            hint = "check the address; the base needs the extension pgvector"
            raise ConfigError(f"{self.where}: {str(refused).splitlines()[0]:.200}", hint=hint) from None

    def _ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, self._told():
            found = self._base.execute(statement.replace("?", "%s"), values or None)
            return list(found.fetchall()) if found.description else []

    def _many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._lock, self._told(), self._base.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s"), list(rows))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock, self._told(), self._base.transaction():
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A lock of the server's, gone with the connection."""
        key = f"hashtext('qwenkit {self._schema}')"
        mine = self._mine.acquire(blocking=False)
        try:
            if not mine or not self._ask(f"SELECT pg_try_advisory_lock({key})")[0][0]:
                hint = "wait until it is done, or add to a table of your own"
                raise ConfigError(f"{self.where} is being written by another session", hint=hint)
            try:
                yield
            finally:
                self._ask(f"SELECT pg_advisory_unlock({key})")
        finally:
            if mine:
                self._mine.release()

    def settle(self, kind: Kind) -> Flow[None]:
        kept = f"id BIGINT PRIMARY KEY, words tsvector, vector vector({int(kind.dimensions or 0)})"
        self._ask(f"CREATE TABLE IF NOT EXISTS vectors ({kept})")
        self._ask("CREATE INDEX IF NOT EXISTS worded ON vectors USING gin (words)")
        yield from super().settle(kind)

    def put(self, rows: Sequence[Row], vectors: Any, done: Sequence[Any]) -> Flow[None]:
        yield from super().put(rows, vectors, done)
        if done and self._fact("chunks") >= _LARGE and self._fact("dimensions") <= _WIDEST:
            self._ask("CREATE INDEX IF NOT EXISTS nearest ON vectors USING hnsw (vector vector_cosine_ops)")

    def _index(self, keys: Sequence[int], rows: Sequence[Row], vectors: Any) -> None:
        whole = [
            (key, " ".join(terms(f"{row.piece.title}\n{row.piece.text}")), _literal(vector))
            for key, row, vector in zip(keys, rows, vectors, strict=True)
        ]
        self._many("INSERT INTO vectors VALUES (?, to_tsvector('simple', ?), ?)", whole)

    def _forget(self, chunks: Sequence[tuple[int, str, str]]) -> None:
        self._many("DELETE FROM vectors WHERE id = ?", [chunk[:1] for chunk in chunks])

    @at_once
    def nearest(self, vector: Any, most: int, tests: Sequence[Test]) -> Found:
        condition, values = self._condition(tests)
        near = f"SELECT c.id, 1 - (v.vector <=> ?) FROM {JOINED} JOIN vectors v ON v.id = c.id WHERE {condition}"
        literal = _literal(vector)
        with self._changing():
            self._ask(f"SET LOCAL enable_indexscan = {'off' if tests else 'on'}")
            if self._ask("SELECT to_regclass('nearest') IS NOT NULL")[0][0]:
                self._ask(f"SET LOCAL hnsw.ef_search = {min(1000, max(100, 2 * most))}")
            found = self._ask(f"{near} ORDER BY v.vector <=> ? LIMIT ?", literal, *values, literal, most)
        return [(int(key), float(score)) for key, score in found]

    @at_once
    def worded(self, query: str, most: int, tests: Sequence[Test]) -> Found:
        words = list(dict.fromkeys(stem(word) for word in asked(query)))
        if not words:
            return []
        counted = ", ".join("count(*) FILTER (WHERE words @@ to_tsquery('simple', ?))" for _ in words)
        every = " | ".join(words)
        whole = max(self._fact("chunks"), 1)
        counts = self._ask(f"SELECT {counted} FROM vectors WHERE words @@ to_tsquery('simple', ?)", *words, every)[0]
        rare = [math.log(1 + (max(whole - count, 0) + 0.5) / (count + 0.5)) for count in counts]
        score = " + ".join(f"{weight:.6f} * ts_rank(v.words, to_tsquery('simple', ?), 1)" for weight in rare)
        condition, values = self._condition(tests)
        ranked = (
            f"SELECT c.id, {score} AS score FROM {JOINED} JOIN vectors v ON v.id = c.id "
            f"WHERE v.words @@ to_tsquery('simple', ?) AND {condition} ORDER BY score DESC, c.id LIMIT ?"
        )
        return [(int(key), float(told)) for key, told in self._ask(ranked, *words, every, *values, most)]

    def _vectors(self, keys: Sequence[int]) -> tuple[list[int], Any]:
        import numpy as np

        wanted = f"SELECT id, vector::real[] FROM vectors WHERE id IN ({', '.join(map(str, keys))}) ORDER BY id"
        rows = self._ask(wanted)
        return [row[0] for row in rows], np.array([row[1] for row in rows], np.float32)

    def _meta(self, test: Test) -> tuple[str, list[Any]]:
        """A path of JSON and its variables: an element of a list counts as the value itself."""
        checks = [f"@ {BOUNDS[name]} ${name}" for name in test.bounds]
        told = dict(test.bounds)
        if not checks:
            told = {f"v{place}": value for place, value in enumerate(test.values)}
            checks = [" || ".join(f"@ == ${name}" for name in told)]
        path = f"$.{json.dumps(test.field)}[*] ? ({' && '.join(checks)})"
        return "jsonb_path_exists(d.meta, ?::jsonpath, ?::jsonb)", [path, json.dumps(told)]

    def bytes(self) -> int | None:
        return None

    def close(self) -> None:
        self._base.close()


def _literal(vector: Any) -> str:
    return f"[{','.join(f'{number:.8g}' for number in vector.tolist())}]"
