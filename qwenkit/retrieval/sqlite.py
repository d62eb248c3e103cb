"""A shelf in one SQLite file, or in memory: tables, an FTS5 index of the words, the vectors and short codes of them."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qwenkit.errors import ConfigError
from qwenkit.retrieval.codes import Codes, encode
from qwenkit.retrieval.filters import BOUNDS, Test
from qwenkit.retrieval.shelves import Found, Row, at_once
from qwenkit.retrieval.tables import HIDDEN, JOINED, SCHEMA, Tables, marks
from qwenkit.retrieval.words import asked, spaced

_MEASURED = 500  # nearest by code, whose vectors are measured exactly
_SCORED = 15_000  # chunks holding a word of a query, of which BM25 is computed
_OURS = 0x716B7266  # "qkrf", by which a file is known for ours
_SCHEMA = """;
CREATE TABLE vectors (id INTEGER PRIMARY KEY, code BLOB, vector BLOB);
CREATE VIRTUAL TABLE words USING fts5 (terms, content='', tokenize='porter unicode61 remove_diacritics 2')"""
_TUNED = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000; PRAGMA temp_store = 2"


class Sqlite(Tables):
    """The store of `qk.Retriever(qwen, "handbook.db")`."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._path = Path(path) if path is not None else None
        self.where = self._path.name if self._path else "memory"
        self._lock, self._mine = threading.RLock(), threading.Lock()
        self._codes, self._removed = Codes(), -1
        with self._told():
            self._base = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=30)
            weakref.finalize(self, self._base.close)
            (mark,), (tables,) = self._ask("PRAGMA application_id"), self._ask("SELECT count(*) FROM sqlite_master")
            if mark[0] != _OURS and tables[0]:
                raise sqlite3.DatabaseError("it is a database of something else")
            self._base.executescript(_TUNED)
            with self._changing():
                if not self._ask("SELECT count(*) FROM sqlite_master")[0][0]:
                    for statement in f"{SCHEMA}{_SCHEMA};PRAGMA application_id = {_OURS}".split(";"):
                        self._base.execute(statement.replace("{json}", "TEXT"))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite complains of, in one line with a cure."""
        try:
            yield
        except sqlite3.Error as unfit:
            closed = "closed" in str(unfit)
            hint = "open it again: qk.Retriever(qwen, …)" if closed else "name a file of its own that can be written to"
            raise ConfigError(f"{self.where!r} cannot be used ({unfit})", hint=hint) from None

    def _ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, self._told():
            return self._base.execute(statement, values).fetchall()

    def _many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._told():
            self._base.executemany(statement, rows)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._lock:
            self._ask("BEGIN IMMEDIATE")
            try:
                yield
                self._ask("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A lock of the system's on a file beside, which it lets go of when its holder is killed."""
        beside = Path(f"{self._path}-lock") if self._path else None
        lock = sqlite3.connect(beside or ":memory:", timeout=0, isolation_level=None, check_same_thread=False)
        mine = self._mine.acquire(blocking=False)
        try:
            try:
                lock.execute("BEGIN EXCLUSIVE" if mine else "no")
            except sqlite3.OperationalError:
                hint = "wait until it is done, or add to a file of your own"
                raise ConfigError(f"{self.where!r} is being written by another session", hint=hint) from None
            yield
            if beside:
                beside.unlink(missing_ok=True)
        finally:
            lock.close()
            if mine:
                self._mine.release()

    def _index(self, keys: Sequence[int], rows: Sequence[Row], vectors: Any) -> None:
        whole = zip(keys, encode(vectors), (vector.tobytes() for vector in vectors), strict=True)
        self._many("INSERT INTO vectors VALUES (?, ?, ?)", whole)
        terms = ((key, _terms(row.piece.text, row.piece.title)) for key, row in zip(keys, rows, strict=True))
        self._many("INSERT INTO words (rowid, terms) VALUES (?, ?)", terms)

    def _forget(self, chunks: Sequence[tuple[int, str, str]]) -> None:
        """The index of words keeps no text, so it is told what to forget."""
        told = ((key, _terms(text, title)) for key, text, title in chunks)
        self._many("INSERT INTO words (words, rowid, terms) VALUES ('delete', ?, ?)", told)
        self._many("DELETE FROM vectors WHERE id = ?", [chunk[:1] for chunk in chunks])

    @at_once
    def nearest(self, vector: Any, most: int, tests: Sequence[Test]) -> Found:
        import numpy as np

        only = None
        if tests:
            condition, values = self._condition(tests)
            only = [row[0] for row in self._ask(f"SELECT c.id FROM {JOINED} WHERE {condition}", *values)]
        if only is None or len(only) > _MEASURED:
            with self._lock:
                codes, hidden = self._current(), [row[0] for row in self._ask(HIDDEN)]
            only = codes.best(vector, max(_MEASURED, 10 * most), only, hidden)
        if not only:
            return []
        keys, matrix = self._vectors(sorted(only))
        scores = np.einsum("ij,j->i", matrix, vector)  # its sum does not hang on how many threads share it
        return [(keys[place], float(scores[place])) for place in np.argsort(-scores, kind="stable")[:most]]

    def _vectors(self, keys: Sequence[int]) -> tuple[list[int], Any]:
        import numpy as np

        rows = self._ask(f"SELECT id, vector FROM vectors WHERE id IN ({', '.join(map(str, keys))}) ORDER BY id")
        matrix = np.frombuffer(b"".join(row[1] for row in rows), "<f4")
        return [row[0] for row in rows], matrix.reshape(len(rows), -1 if rows else 0)

    def _current(self) -> Codes:
        """The codes, with what this session or another has added since; read anew when something was removed."""
        removed = self._fact("removed")
        if self._removed != removed:
            self._codes, self._removed = Codes(), removed
        last = int(self._codes.keys[-1]) if len(self._codes.keys) else 0
        rows = self._ask("SELECT id, code FROM vectors WHERE id > ? ORDER BY id", last)
        self._codes.add([row[0] for row in rows], [row[1] for row in rows])
        return self._codes

    @at_once
    def worded(self, query: str, most: int, tests: Sequence[Test]) -> Found:
        wanted = " OR ".join(self._telling(asked(query)))
        condition, values = self._condition(tests)
        ranked = (
            "SELECT w.rowid, -w.rank FROM words w CROSS JOIN chunks c ON c.id = w.rowid CROSS JOIN documents d "
            f"ON d.id = c.document WHERE words MATCH ? AND {condition} ORDER BY w.rank LIMIT ?"
        )
        return [(key, score) for key, score in self._ask(ranked, wanted, *values, most)] if wanted else []

    def _telling(self, words: Sequence[str]) -> list[str]:
        """The words that are there, quoted; of a large shelf the rare ones: the others tell little and cost most."""
        counted = "SELECT count(*) FROM words WHERE words MATCH ?"
        counts = sorted((self._ask(counted, f'"{word}"')[0][0], f'"{word}"') for word in words)
        kept: list[str] = []
        total = 0
        for count, word in counts:
            total += count
            if count and (not kept or total <= _SCORED):
                kept.append(word)
        return kept

    def _meta(self, test: Test) -> tuple[str, list[Any]]:
        checks = [f"value {BOUNDS[name]} ?" for name in test.bounds] or [f"value IN ({marks(test.values)})"]
        if test.bounds:
            text = isinstance(next(iter(test.bounds.values())), str)
            checks.append("type = 'text'" if text else "type IN ('integer', 'real')")
        path = f"$.{json.dumps(test.field, ensure_ascii=False)}"
        part = f"EXISTS (SELECT 1 FROM json_each(d.meta, ?) WHERE {' AND '.join(checks)})"
        return part, [path, *test.values, *test.bounds.values()]

    def bytes(self) -> int | None:
        return int(self._ask("PRAGMA page_count")[0][0] * self._ask("PRAGMA page_size")[0][0])

    def close(self) -> None:
        with self._lock:
            self._codes, self._removed = Codes(), -1
            self._base.close()


def _terms(text: str, title: str) -> str:
    return spaced(f"{title}\n{text}" if title else text)
