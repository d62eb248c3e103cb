"""What retrieval gives back: chunks of documents, hits of a search, and what became of documents that were added."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.usage import Cost

_CODES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?")  # a terminal's


def plain(text: str) -> str:
    """A text of somebody else's in one line that only says what it shows: no terminal codes, nothing unseen."""
    return "".join(char for char in _CODES.sub("", text) if char.isprintable())


class Chunk(msgspec.Struct, frozen=True):
    """A piece of a document: `document` is its name, `place` counts from 0, `start` and `end` are offsets in its text.

    `title` is the heading it stands under; `meta` is what the document was given.
    """

    id: str
    text: str
    document: str = ""
    title: str = ""
    place: int = 0
    start: int = 0
    end: int = 0
    meta: dict[str, Any] = {}

    @property
    def source(self) -> str:
        """Where it is from, in short: `town/library.md · Borrowing`."""
        name = self.document
        name = "/".join(name.split("/")[-2:]) if "://" not in name else name
        return " · ".join(dict.fromkeys(part for part in (name, self.title) if part))


class Hit(msgspec.Struct, frozen=True):
    """A chunk that was found. `by` has its rank by vectors and by words and its score by rerank; `scores` the figures
    behind the ranks: a cosine, and what the words weigh."""

    chunk: Chunk
    score: float
    rank: int
    by: dict[str, float] = {}
    scores: dict[str, float] = {}

    @property
    def text(self) -> str:
        return self.chunk.text

    def __repr__(self) -> str:
        return f"Hit({self.rank}: {plain(self.chunk.id)}, {self.score:.3f})"


class Hits(Shown, msgspec.Struct):
    """What a search found, best first. `how` is fused, vectors or words; `of` counts the chunks that were searched."""

    rows: list[Hit]
    query: str = ""
    how: str = "fused"
    of: int = 0
    reranked: str = ""  # the model that did

    @property
    def texts(self) -> list[str]:
        return [hit.text for hit in self.rows]

    @property
    def chunks(self) -> list[Chunk]:
        return [hit.chunk for hit in self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.rows)

    def __getitem__(self, place: int) -> Hit:
        return self.rows[place]

    def __repr__(self) -> str:
        best = f", best={plain(self.rows[0].chunk.id)}" if self.rows else ""
        return f"Hits({len(self)} of {self.of:,} for {self.query!r:.60}{best})"


class Skipped(msgspec.Struct, frozen=True):
    """A document that was not added, and why."""

    name: str
    reason: str


class Added(Shown, msgspec.Struct):
    """What became of documents: `documents` are new or changed, `unchanged` were there already, `skipped` tell why.

    `chunks` were embedded now, `resumed` had been before a run was interrupted. While documents are added the same
    value grows: `done` of `total` were dealt with.
    """

    documents: int = 0
    chunks: int = 0
    tokens: int = 0
    skipped: list[Skipped] = []
    unchanged: int = 0
    resumed: int = 0
    done: int = 0
    total: int = 0
    cost: Cost | None = None

    def __repr__(self) -> str:
        facts = [f"{self.documents:,} documents", f"{self.chunks:,} chunks", f"{self.tokens:,} tokens"]
        more = {"unchanged": self.unchanged, "chunks resumed": self.resumed, "skipped": len(self.skipped)}
        return f"Added({', '.join(facts + [f'{count:,} {name}' for name, count in more.items() if count])})"


class Held(msgspec.Struct, frozen=True):
    """A document on the shelf."""

    name: str
    title: str = ""
    chunks: int = 0
    digest: str = ""
    meta: dict[str, Any] = {}


class Stats(msgspec.Struct, frozen=True):
    """What a shelf holds, and how."""

    where: str
    documents: int
    chunks: int
    model: str = ""
    dimensions: int = 0
    bytes: int | None = None  # of the file; None where another machine keeps them
