"""What the stores in SQL share: documents and chunks in two tables, a batch of writing in one transaction.

A document in the making (`live = 0`) is not searched; with its last chunk it takes the place of the old one, in the
same transaction. So a process that is killed leaves a draft that the next one goes on with, and never a chunk twice.
How words are indexed and vectors kept, and how a value in `meta` is found, is each engine's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from qwenkit.retrieval.filters import BOUNDS, OWN, Test
from qwenkit.retrieval.shelves import FORMAT, Kind, Row, State, agreed, at_once
from qwenkit.types.retrieval import Chunk, Held

SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE documents (id INTEGER PRIMARY KEY, name TEXT, digest TEXT, title TEXT, meta {json}, chunks INTEGER,
    live INTEGER, UNIQUE (name, live));
CREATE INDEX drafts ON documents (id) WHERE live = 0;
CREATE TABLE chunks (id INTEGER PRIMARY KEY, document INTEGER, place INTEGER, text TEXT, title TEXT, start INTEGER,
    stop INTEGER, UNIQUE (document, place))"""
HIDDEN = "SELECT c.id FROM documents d CROSS JOIN chunks c WHERE c.document = d.id AND d.live = 0"
JOINED = "chunks c JOIN documents d ON d.id = c.document"
_CHUNK = "c.id, d.name, c.text, c.title, c.place, c.start, c.stop, CAST(d.meta AS TEXT)"


class Tables:
    """The part of a store that is plain SQL."""

    where = ""
    _ask: Callable[..., list[tuple[Any, ...]]]  # the rows of a statement with its values
    _many: Callable[[str, Iterable[Sequence[Any]]], None]
    _changing: Callable[[], AbstractContextManager[None]]  # a transaction
    _index: Callable[[Sequence[int], Sequence[Row], Any], None]  # keep the words and vectors of new chunks
    _forget: Callable[[Sequence[tuple[int, str, str]]], None]  # drop those of chunks, given with texts and titles
    _vectors: Callable[[Sequence[int]], tuple[list[int], Any]]  # of chunks that are still there, in order of their keys
    _meta: Callable[[Test], tuple[str, list[Any]]]  # a test of `meta` in SQL, and its values

    def _fact(self, name: str) -> int:
        found = self._ask("SELECT value FROM facts WHERE name = ?", name)
        return int(found[0][0]) if found else 0

    def _note(self, **facts: Any) -> None:
        keep = "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        self._many(keep, [(name, str(value)) for name, value in facts.items()])

    @at_once
    def open(self, asked: Kind) -> tuple[Kind, bool]:
        return agreed(dict(self._ask("SELECT name, value FROM facts")), asked, self.where)

    @at_once
    def settle(self, kind: Kind) -> None:
        with self._changing():
            self._note(**kind.facts, format=FORMAT)

    # -- writing -------------------------------------------------------------------------------------------------------

    @at_once
    def states(self, names: Sequence[str]) -> dict[str, State]:
        found = dict.fromkeys(names, State())
        named = f"SELECT name, live, digest, id FROM documents WHERE name IN ({marks(names)})"
        for name, live, digest, key in self._ask(named, *names) if names else ():
            places = [] if live else [row[0] for row in self._ask("SELECT place FROM chunks WHERE document = ?", key)]
            had = found[name]
            found[name] = had._replace(digest=digest) if live else had._replace(draft=digest, places=places)
        return found

    @at_once
    def draft(self, document: Held, fresh: bool) -> None:
        if fresh:
            with self._changing():
                self._drop(document.name, 0)
                last = self._fact("documents") + 1
                self._note(documents=last)
                row = (last, document.name, document.digest, document.title, json.dumps(document.meta))
                self._ask("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, 0)", *row, document.chunks)

    @at_once
    def put(self, rows: Sequence[Row], vectors: Any, done: Sequence[Held]) -> None:
        with self._changing():
            drafts = dict(self._ask("SELECT name, id FROM documents WHERE live = 0"))
            last = self._fact("chunks")
            keys = range(last + 1, last + 1 + len(rows))
            self._many(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (key, drafts[row.document], row.place, row.piece.text, row.piece.title, *row.piece[1:3])
                    for key, row in zip(keys, rows, strict=True)
                ),
            )
            if rows:
                self._index(keys, rows, vectors)
                self._note(chunks=last + len(rows))
            for each in done:
                self._drop(each.name, 1)
                self._ask("UPDATE documents SET live = 1 WHERE name = ? AND live = 0", each.name)

    def _drop(self, name: str, live: int) -> int:
        """A document and all that hangs on it."""
        whose = f"SELECT c.id, c.text, c.title FROM {JOINED} WHERE d.name = ? AND d.live = ?"
        gone = self._ask(whose, name, live)
        if gone:
            self._forget([(key, text, title) for key, text, title in gone])
            self._many("DELETE FROM chunks WHERE id = ?", [row[:1] for row in gone])
            self._note(removed=self._fact("removed") + 1)
        self._ask("DELETE FROM documents WHERE name = ? AND live = ?", name, live)
        return len(gone)

    @at_once
    def remove(self, name: str) -> int:
        with self._changing():
            self._drop(name, 0)
            return self._drop(name, 1)

    # -- reading -------------------------------------------------------------------------------------------------------

    @at_once
    def chunks(self, keys: Sequence[int]) -> dict[int, Chunk]:
        wanted = f"SELECT {_CHUNK} FROM {JOINED} WHERE c.id IN ({', '.join(map(str, keys))})"
        return {row[0]: _chunk(row) for row in self._ask(wanted)} if keys else {}

    @at_once
    def page(self, document: str, after: int, most: int) -> tuple[list[Chunk], Any, int]:
        named, values = ("AND d.name = ?", [document]) if document else ("", [])
        wanted = f"SELECT {_CHUNK} FROM {JOINED} WHERE d.live = 1 {named} AND c.id > ? ORDER BY c.id LIMIT ?"
        rows = self._ask(wanted, *values, after, most)
        keys = [row[0] for row in rows]
        return [_chunk(row) for row in rows], self._vectors(keys)[1] if keys else None, keys[-1] if keys else -1

    @at_once
    def documents(self) -> list[Held]:
        columns = "name, title, chunks, digest, CAST(meta AS TEXT)"
        rows = self._ask(f"SELECT {columns} FROM documents WHERE live = 1 ORDER BY id")
        return [Held(row[0], row[1], row[2], row[3], json.loads(row[4])) for row in rows]

    @at_once
    def count(self) -> int:
        return int(self._ask("SELECT coalesce(sum(chunks), 0) FROM documents WHERE live = 1")[0][0])

    def _condition(self, tests: Sequence[Test]) -> tuple[str, list[Any]]:
        """The filter in SQL, with the values that its marks stand for."""
        parts, values = ["d.live = 1"], []
        for test in tests:
            if test.field in OWN:
                column = "d.name" if test.field == "document" else "c.title"
                checks = [f"{column} {BOUNDS[name]} ?" for name in test.bounds]
                part, more = " AND ".join(checks or [f"{column} IN ({marks(test.values)})"]), test.values
                more = [str(each) for each in (*more, *test.bounds.values())]
            else:
                part, more = self._meta(test)
            parts.append(part)
            values += more
        return " AND ".join(parts), values


def marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _chunk(row: tuple[Any, ...]) -> Chunk:
    _, name, text, title, place, start, stop, meta = row
    return Chunk(f"{name}#{place}", text, name, title, place, start, stop, json.loads(meta))
