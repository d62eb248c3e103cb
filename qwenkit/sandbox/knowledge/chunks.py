"""Chunks as they are kept: their text in a full-text index, their short words in another, and a vector each.

The first index knows every three letters in a row (FTS5 trigram), so it finds parts of words and Chinese phrases. What
is shorter than three letters, which most Chinese words are, stands in the second as the terms of `retrieval`. Both
count BM25, and their sums are added.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from qwenkit.sandbox.knowledge.pointing import SIZE, folded, vector
from qwenkit.sandbox.retrieval import terms
from qwenkit.sandbox.senses import FIRST_HAN
from qwenkit.sandbox.store import Store

AT_ONCE = 50  # chunks that are written together, so that nobody waits long for the store
MOST_WORDS = 64  # of a question
_MOST_MATRICES = 8
_BRIEF = re.compile(r"(?<![a-z0-9])[a-z0-9]{1,2}(?![a-z0-9])|[\u3400-\u9fff]+")
_FOUND = (
    "shown AND EXISTS (SELECT 1 FROM kb_documents d WHERE d.base = c.base AND d.file = c.file AND status = 'FINISH')"
)
_AMONG = "AND c.rowid IN (SELECT value FROM json_each(?3))"
_TABLES = (
    "TABLE IF NOT EXISTS kb_chunks(rowid INTEGER PRIMARY KEY AUTOINCREMENT, base TEXT, file TEXT, place INTEGER, "
    "title TEXT, headings TEXT, page INTEGER, shown INTEGER, meta TEXT, vector BLOB)",
    "INDEX IF NOT EXISTS kb_places ON kb_chunks(base, file, place)",
    "VIRTUAL TABLE IF NOT EXISTS kb_words USING fts5(text, extra, tokenize='trigram')",
    "VIRTUAL TABLE IF NOT EXISTS kb_short USING fts5(terms, detail='none')",
)

Ranked = list[tuple[int, float]]


class Chunk(NamedTuple):
    """One chunk. `row` is its place in the database; by the words of `extra` it is found too."""

    row: int
    base: str
    file: str
    place: int
    title: str
    headings: str
    page: int
    shown: bool
    meta: dict[str, Any]
    text: str
    extra: str

    @property
    def id(self) -> str:
        return f"{self.base}_{self.file}_0_{self.place}"


class Chunks:
    """The tables, and the vectors of indexes that were searched."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._matrices: dict[str, tuple[int, Any, Any]] = {}
        self._changes = Counter[str]()
        for table in _TABLES:
            store.run(f"CREATE {table}")

    def add(self, chunks: Sequence[Chunk]) -> None:
        """Write chunks, all of them or none; their rows are given here."""
        work: list[tuple[str, tuple[Any, ...]]] = []
        for chunk in chunks:
            told = f"{chunk.extra}\n{chunk.text}"
            found = (*chunk[1:8], json.dumps(chunk.meta, ensure_ascii=False), vector(told).astype("float16").tobytes())
            work.append(("INSERT INTO kb_chunks VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", found))
            words = (chunk.text, chunk.extra)
            work.append(("INSERT INTO kb_words(rowid, text, extra) VALUES (last_insert_rowid(), ?, ?)", words))
            work.append(("INSERT INTO kb_short(rowid, terms) VALUES (last_insert_rowid(), ?)", (_short(told),)))
        self._store.all(work)
        self.touch(*{chunk.base for chunk in chunks})

    def delete(self, base: str, file: str = "", rows: Iterable[int] | None = None) -> None:
        """Forget an index, a document of it, or some chunks."""
        chosen = "base = ? AND ? IN ('', file)"
        if rows is not None:
            chosen += f" AND rowid IN ({', '.join(str(int(row)) for row in rows)})"
        within = f"rowid IN (SELECT rowid FROM kb_chunks WHERE {chosen})"
        places = (("kb_words", within), ("kb_short", within), ("kb_chunks", chosen))
        self._store.all([(f"DELETE FROM {table} WHERE {where}", (base, file)) for table, where in places])
        self.touch(base)

    def touch(self, *bases: str) -> None:
        """Say that an index is not what it was when its vectors were read."""
        self._changes.update(bases)

    def of(self, base: str, file: str = "", start: int = 0, most: int = -1) -> list[Chunk]:
        """The chunks of an index or of a document in it, in order, hidden ones too."""
        return self._chunks(
            "c.base = ? AND ? IN ('', c.file) ORDER BY file, place LIMIT ? OFFSET ?", base, file, most, start
        )

    def at(self, base: str, name: str) -> Chunk | None:
        """A chunk by its id, with the workspace before it or without."""
        found = re.fullmatch(rf"(?:[\w-]*_)?{re.escape(base)}_(file_.+)_0_(\d{{1,9}})", name)
        rows = self._chunks("c.base = ? AND c.file = ? AND c.place = ?", base, *found.groups()) if found else []
        return rows[0] if rows else None

    def rows(self, rows: Iterable[int]) -> dict[int, Chunk]:
        told = json.dumps(list(rows))
        return {each.row: each for each in self._chunks("c.rowid IN (SELECT value FROM json_each(?))", told)}

    def _chunks(self, where: str, *values: object) -> list[Chunk]:
        fields = "c.rowid, base, file, place, title, headings, page, shown, meta, text, extra"
        asked = f"SELECT {fields} FROM kb_chunks c JOIN kb_words w ON w.rowid = c.rowid WHERE {where}"
        return [Chunk._make((*row[:8], json.loads(row[8]), *row[9:])) for row in self._store.run(asked, *values)]

    def facts(self, base: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """What filters ask of the chunks that can be found: row, file and metadata."""
        asked = f"SELECT c.rowid, file, title, headings, page, meta FROM kb_chunks c WHERE base = ? AND {_FOUND}"
        for row, file, title, headings, page, meta in self._store.run(asked, base):
            yield row, file, {"title": title, "hier_title": headings, "page_number": page, **json.loads(meta)}

    def by_words(self, base: str, query: str, most: int, among: Sequence[int] | None) -> Ranked:
        """Rows whose chunks share words with a query, best first, by the BM25 of both indexes."""
        found = list(dict.fromkeys(terms(query)))[:MOST_WORDS]
        long = [_opened(term) for term in found if len(_opened(term)) > 2]
        short = [term for term in found if len(term) < 3]
        values = [base] if among is None else [base, json.dumps(among)]
        sums: dict[int, float] = {}
        for table, words in (("kb_words", long), ("kb_short", short)):
            asked = (
                f"SELECT c.rowid, -bm25({table}) FROM {table} JOIN kb_chunks c ON c.rowid = {table}.rowid "
                f"WHERE {table} MATCH ?1 AND base = ?2 {'' if among is None else _AMONG} AND {_FOUND} "
                f"ORDER BY 2 DESC LIMIT {2 * most}"
            )
            match = " OR ".join(f'"{word}"' for word in words)
            for row, score in self._store.run(asked, match, *values) if words and most else ():
                sums[row] = sums.get(row, 0.0) + score
        return sorted(sums.items(), key=lambda each: (-each[1], each[0]))[:most]

    def by_vectors(self, base: str, query: str, most: int, among: Sequence[int] | None) -> Ranked:
        """Rows whose chunks point where a query does, nearest first."""
        import numpy as np

        rows, matrix = self._matrix(base)
        if among is not None:
            kept = np.isin(rows, among)
            rows, matrix = rows[kept], matrix[kept]
        likeness = matrix @ vector(query)
        best = np.lexsort((rows, -likeness))[:most]
        return [(int(rows[at]), float(likeness[at])) for at in best]

    def _matrix(self, base: str) -> tuple[Any, Any]:
        import numpy as np

        version = self._changes[base]
        known = self._matrices.get(base)
        if known is None or known[0] != version:
            found = self._store.run(f"SELECT c.rowid, vector FROM kb_chunks c WHERE base = ? AND {_FOUND}", base)
            matrix = np.frombuffer(b"".join(each for _, each in found), np.float16).astype(np.float32)
            known = (version, np.array([row for row, _ in found], np.int64), matrix.reshape(-1, SIZE))
            for old in list(self._matrices)[: 1 - _MOST_MATRICES or None]:
                self._matrices.pop(old, None)
            self._matrices[base] = known
        return known[1:]


def _short(text: str) -> str:
    """The terms of less than three letters."""
    return " ".join(term for term in terms(" ".join(_BRIEF.findall(folded(text)))) if len(term) < 3)


def _opened(term: str) -> str:
    """A term as the beginning that its forms share: "ferry" and "ferries" are both found by "ferr"."""
    return term.rstrip("y") if term[:1] < FIRST_HAN else term
