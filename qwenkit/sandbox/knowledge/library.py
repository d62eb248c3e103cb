"""The library: files, knowledge bases made of them, and what a search finds in these. No wire is known here.

    lease -> upload -> add_file -> create_index -> submit -> job ... -> search

It is a shelf (`service.shelf(Library)`) whose tables outlive a restart, and any thread may call. What is refused is a
`Wrong`. A search goes as the service does it: rewrite, recall by vectors and by words, filter, rerank, least score, the
best few. Filters are kept while recalling, so that what fits is found wherever it stands. Both recalls are fused by
their ranks (RRF). Reranking is the rule of `rerank`, over the best of the fused; without it a score is the share of
what two first places would give.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qwenkit import catalogue
from qwenkit.sandbox import rerank
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.knowledge import filters, limits
from qwenkit.sandbox.knowledge.chunks import Chunk
from qwenkit.sandbox.knowledge.indexing import Indexing
from qwenkit.sandbox.knowledge.limits import of_index
from qwenkit.sandbox.knowledge.values import Document, Ids, Index, Node, Settings, Wish, Wrong
from qwenkit.sandbox.retrieval import terms

__all__ = ["Library", "Settings", "Wish", "Wrong", "rewritten"]

LONGEST_QUERY = 20_000  # characters
RERANKED = 50  # of the fused, because each is read in full
_FLAT = 60  # how slowly ranks lose their weight in RRF
_FEW = 3  # terms of a question that hardly stands for itself
_POINTING = re.compile(
    r"\b(?:it|its|that|this|they|them|those|these|there|he|she|his|her|one)\b|它|他|她|这|那|呢|此", re.IGNORECASE
)


class Library(Indexing):
    """Everything a sandbox knows of documents."""

    # chunks

    def chunks(self, index_id: str, file_id: str = "", start: int = 0, most: int = -1) -> list[Node]:
        """The chunks of an index or of one document, in order, hidden ones too."""
        self.index(index_id)
        return [self._node(each) for each in self._chunks.of(index_id, file_id, start, most)]

    def count_chunks(self, index_id: str, file_id: str = "") -> int:
        count = "SELECT COUNT(*) FROM kb_chunks WHERE base = ? AND ? IN ('', file)"
        return int(self._store.run(count, index_id, file_id)[0][0])

    def add_chunk(self, index_id: str, file_id: str, content: str, title: str = "", images: Sequence[str] = ()) -> Node:
        """A chunk by hand, behind the others of its document."""
        document = self._document(index_id, file_id)
        of_index(len(images) <= 10, "field", "At most 10 pictures.")
        last = self._store.run("SELECT MAX(place) FROM kb_chunks WHERE base = ? AND file = ?", index_id, file_id)[0][0]
        place, meta = -1 if last is None else last, {"image_url": list(images)} if images else {}
        told = title or document.stem
        made = Chunk(0, index_id, file_id, place + 1, told, title, 0, True, meta, _content(content, title), told)
        self._chunks.add([made])
        return self._node(made)

    def update_chunk(
        self,
        index_id: str,
        file_id: str,
        chunk_id: str,
        content: str | None = None,
        title: str | None = None,
        shown: bool | None = None,
    ) -> None:
        """Other words for a chunk, or hide it from searches."""
        self._document(index_id, file_id)
        old = self._found(index_id, [chunk_id])[0]
        new = old._replace(
            text=old.text if content is None else _content(content, title or ""),
            title=old.title if title is None else title,
            extra=old.extra if title is None else f"{title}\n{old.headings}",
            shown=old.shown if shown is None else shown,
        )
        self._chunks.delete(index_id, rows=[old.row])
        self._chunks.add([new])

    def delete_chunks(self, index_id: str, ids: Ids) -> None:
        of_index(0 < len(ids) <= 10, "ChunkIds", "1 to 10 at once.")
        self._chunks.delete(index_id, rows=[each.row for each in self._found(index_id, ids)])

    def _found(self, index_id: str, ids: Ids) -> list[Chunk]:
        self.index(index_id)
        found = {name: self._chunks.at(index_id, name) for name in ids}
        missing = next((name for name, each in found.items() if each is None), "")
        of_index(not missing, "ChunkId", f"There is no chunk {missing[:120]!r}.")
        return [each for each in found.values() if each]

    def _document(self, index_id: str, file_id: str) -> Document:
        found = self._documents("WHERE base = ? AND file = ?", self.index(index_id).id, file_id)
        of_index(found, "DataId", f"There is no document {file_id[:80]!r} in this index.")
        return found[0]

    def _node(self, chunk: Chunk, score: float = 0.0) -> Node:
        names = self._documents("WHERE base = ? AND file = ?", chunk.base, chunk.file)
        urls = self._store.run("SELECT url FROM kb_files WHERE id = ?", chunk.file)
        told = {
            "title": chunk.title,
            "hier_title": chunk.headings,
            "page_number": [chunk.page] if chunk.page else [],
            "file_path": "",
            "image_url": [],
            **chunk.meta,
            "doc_id": chunk.file,
            "doc_name": names[0].stem if names else "",
            "doc_url": urls[0][0] if urls else "",
            "content": chunk.text,
            "is_displayed_chunk_content": "true" if chunk.shown else "false",
            "nid": digest(chunk.id)[:32],
            "pipeline_id": chunk.base,
            "workspace_id": self.workspace,
            "_id": f"{self.workspace}_{chunk.id}",
            "_score": score,
        }
        return Node(chunk.text, score, told)

    # searches

    def search(self, index_ids: Ids, query: str, wish: Wish | None = None) -> list[Node]:
        """The chunks of some indexes that fit a question best. A long one belongs in a thread."""
        wish = wish or Wish()
        limits.check_wish(wish)
        of_index(query.strip(), "Query")
        groups = filters.check([*wish.filters, *([dict(wish.metadata)] if wish.metadata else [])])
        indexes = {name: self.index(name) for name in index_ids}
        asked = (rewritten(query, wish.history) if wish.rewrite else query)[:LONGEST_QUERY]
        fused: dict[int, float] = {}
        for index in indexes.values():
            for found in self._recalled(index, asked, wish, groups):
                for rank, (row, _) in enumerate(found):
                    fused[row] = fused.get(row, 0.0) + _FLAT / (_FLAT + rank) / 2
        best = sorted(fused, key=lambda row: (-fused[row], row))[:RERANKED]
        chunks = self._chunks.rows(best)
        scored = [(fused[row], chunks[row]) for row in best if row in chunks]
        if wish.rerank and scored:
            first = next(iter(indexes.values())).settings
            modes = (wish.mode or first.rerank_mode, wish.instruct or first.rerank_instruct)
            similar = any("similar" in each for each in modes)
            texts = [f"{each.headings}\n{each.text}" for _, each in scored]
            again = zip(_fit(asked, texts, similar), (each for _, each in scored), strict=True)
            scored = sorted(again, key=lambda each: -each[0])
            least = {name: wish.min_score or index.settings.min_score for name, index in indexes.items()}
            scored = [(score, each) for score, each in scored if score >= least[each.base]]
        return [self._node(each, round(score, 6)) for score, each in scored[: wish.top]]

    def _recalled(self, index: Index, asked: str, wish: Wish, groups: Sequence[Any]) -> list[list[tuple[int, float]]]:
        """What vectors and what words find, each so many as are asked for."""
        among = self._among(index.id, wish, groups)
        dense = index.settings.dense if wish.dense is None else wish.dense
        sparse = index.settings.sparse if wish.sparse is None else wish.sparse
        by_words = self._chunks.by_words(index.id, asked, sparse, among)
        return [self._chunks.by_vectors(index.id, asked, dense, among), by_words]

    def _among(self, base: str, wish: Wish, groups: Sequence[Any]) -> list[int] | None:
        """The rows that filters leave, None for all."""
        if not (groups or wish.files or wish.tags):
            return None
        tags = {each.id: each.tags for each in self._files("")}
        names = {each.id: each.stem for each in self.documents(base)}
        left = []
        for row, file, meta in self._chunks.facts(base):
            held = tags.get(file, [])
            facts = {**meta, "doc_id": file, "doc_name": names.get(file, ""), "tags": held}
            fine = (not wish.files or file in wish.files) and (not wish.tags or not set(wish.tags).isdisjoint(held))
            if fine and all(filters.fits(group, facts) for group in groups):
                left.append(row)
        return left


def _content(content: str, title: str) -> str:
    of_index(10 <= len(content) <= 6000, "content", "It has 10 to 6000 characters.")
    of_index(len(title) <= 50, "title", "It has at most 50 characters.")
    return content


def rewritten(query: str, history: Sequence[Mapping[str, Any]]) -> str:
    """A question that leans on an earlier one, with the words of that put behind it."""
    said = [str(each.get("content") or "") for each in history if each.get("role") == "user"]
    leaning = _POINTING.search(query) or len(set(terms(query))) < _FEW
    return f"{query} {said[-1]}" if said and leaning else query


def _fit(query: str, texts: Sequence[str], similar: bool) -> list[float]:
    """How well each text fits a query, from 0 to 1, as `rerank` has it."""
    model = catalogue.model(catalogue.DEFAULTS["rerank"])
    assert model is not None
    order = rerank.Order(model, query, list(texts), len(texts), similar, False)
    return rerank.scores(order, rerank.element_of(query, model), [rerank.element_of(each, model) for each in texts])
