"""What can be done with a shelf beside searching it: answers that cite, recall that is measured, a map to look at.

answer = shelf.ask("How long may I keep a film?")     answer.text, .citations (each checked), .hits, .cost
shelf.recall("data/questions.json", k=5)              how often the right chunk is among the first five
shelf.map("films")                                    every chunk as a point, alike ones near each other
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

from qwenkit.api.chat import Chat
from qwenkit.api.core import Core
from qwenkit.api.flavour import call
from qwenkit.errors import ConfigError
from qwenkit.protocol import options as checked
from qwenkit.protocol.chat import refuse_unknown
from qwenkit.protocol.flow import Flow
from qwenkit.retrieval import citing
from qwenkit.retrieval.mapping import projected
from qwenkit.types.grounded import CorpusMap, Grounded, Miss, Recall
from qwenkit.types.options import ChatOptions
from qwenkit.types.retrieval import Hits

_HOWS = ("vectors", "words", "fused")
_MOST_POINTS = 2_000


class GroundingCalls:
    """The calls, written once for both flavours; `ShelfCalls` has the searching."""

    _core: Core

    @call
    def ask(
        self,
        question: str,
        k: int = 5,
        *,
        how: str = "fused",
        rerank: bool | str = False,
        where: Mapping[str, Any] | None = None,
        system: str = "",
        model: str = "",
        **options: Unpack[ChatOptions],
    ) -> Flow[Grounded]:
        """Search, let a model answer from the `k` best chunks, and check each of its citations against its chunk.

        `system` is added to the instructions; `how`, `rerank` and `where` are those of a search, the other options
        those of `qwen.chat`.
        """
        refuse_unknown(options)
        hits: Hits = yield from self._found(question, k, how=how, rerank=rerank, where=where)
        told = f"Passages:\n\n{citing.passages(hits) or '(none were found)'}\n\nQuestion: {question}"
        instructions = f"{citing.SYSTEM}\n{system}".strip()
        reply = yield from Chat.__call__.flow(Chat(self._core), told, system=instructions, model=model, **options)
        citations, uncited = citing.checked(reply.text, hits.chunks)
        return Grounded(reply, hits, citations, uncited)

    @call
    def recall(self, questions: Any, k: int = 5, *, rerank: bool | str = False) -> Flow[Recall]:
        """How often the chunk that holds the answer is among the first `k`: by vectors, by words, and fused.

        `questions` is a list, or the path of a JSON file, of dicts with `question` and `says`, words that only the
        right chunk holds; `document` names where it stands, `asked_in` and `written_in` the languages.
        """
        rows = _questions(questions)
        rerank_too = ["reranked"] if rerank else []
        counts: dict[str, dict[str, int]] = {}
        sizes: dict[str, int] = {}
        misses: dict[str, list[Miss]] = {}
        for row in rows:
            group = _group(row)
            sizes[group] = sizes.get(group, 0) + 1
            for name in [*_HOWS, *rerank_too]:
                how, again = ("fused", rerank) if name == "reranked" else (name, False)
                hits: Hits = yield from self._found(row["question"], k, how=how, rerank=again)
                right = any(_flat(row["says"]) in _flat(text) for text in hits.texts)
                tally = counts.setdefault(name, {})
                tally[group] = tally.get(group, 0) + right
                if not right:
                    found = [hit.chunk.id for hit in hits]
                    misses.setdefault(name, []).append(Miss(row["question"], row.get("document", ""), found))
        shares = {name: sum(tally.values()) / len(rows) for name, tally in counts.items()}
        groups = {g: {name: counts[name].get(g, 0) / size for name in counts} for g, size in sizes.items()}
        return Recall(k, len(rows), shares, groups, misses)

    @call
    def map(self, query: str = "", *, k: int = 5) -> Flow[CorpusMap]:
        """Every chunk as a point in two dimensions, alike ones near each other; with a query, where it lies too."""
        flow: Any = type(self).vectors.flow  # type: ignore[attr-defined]
        chunks, matrix = yield from flow(self, most=_MOST_POINTS)
        if len(chunks) < 3:
            raise ConfigError(f"{len(chunks)} chunks make no map", hint="add documents first")
        hits: Hits | None = (yield from self._found(query, k)) if query else None
        asked = (yield from self._asked(query)) if query else None
        points, at, kept = projected(matrix, asked)
        found = {hit.chunk.id for hit in hits} if hits is not None else set()
        return CorpusMap(
            points=points,
            documents=[chunk.document for chunk in chunks],
            titles=[chunk.title for chunk in chunks],
            query=query,
            at=at,
            hits=[place for place, chunk in enumerate(chunks) if chunk.id in found],
            hidden=max((hits.of if hits is not None else len(chunks)) - len(chunks), 0),
            kept=kept,
        )

    def _found(self, query: str, k: int, **how: Any) -> Flow[Hits]:
        flow: Any = type(self).search.flow  # type: ignore[attr-defined]
        hits: Hits = yield from flow(self, query, k, **how)
        return hits

    def _asked(self, query: str) -> Flow[Any]:
        flow: Any = type(self)._embedded  # type: ignore[attr-defined]
        embedded = yield from flow(self, [query], None, query=True)
        return embedded.array[0]


def _questions(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, str | os.PathLike):
        path = Path(given)
        if not path.is_file():
            raise ConfigError(f"there is no file {str(given)!r:.80}", hint="pass the path of a JSON file, or a list")
        try:
            given = json.loads(path.read_text("utf-8"))
        except ValueError as broken:
            raise ConfigError(f"{path.name} is not JSON ({broken})", hint="it is a list of dicts") from broken
    rows = checked.several(given, "questions", 'pass a list: [{"question": "…", "says": "…"}]')
    for row in rows:
        if not isinstance(row, Mapping) or not all(
            row.get(name) and isinstance(row[name], str) for name in ("question", "says")
        ):
            hint = '{"question": "…", "says": "words that only the right chunk holds"}'
            raise ConfigError(f"a question cannot be {row!r:.60}", hint=hint)
    return [dict(row) for row in rows]


def _group(row: Mapping[str, Any]) -> str:
    asked, written = row.get("asked_in", ""), row.get("written_in", "")
    return f"{asked} → {written}" if asked and written else "all"


def _flat(text: str) -> str:
    """Without blanks, which lines and tables put anywhere."""
    return "".join(text.split()).casefold()
