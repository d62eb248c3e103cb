"""An answer that rests on chunks, and how well it does: each citation is checked against the text it points to."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.reply import Reply
from qwenkit.types.retrieval import Chunk, Hits

MARK = r"(?:(?<!\s)\s+)?[\[【](\d{1,3}(?:\s*[,，、–-]\s*\d{1,3})*)[\]】](?!\()"  # [1], [1, 2], [1-3], 【1】
_WIDEST = 9  # of a range: [1-300] is no citation


def numbers(mark: str) -> list[int]:
    """What a mark points to: 1 and 2 of `1, 2`, 1 to 3 of `1-3`."""
    found: list[int] = []
    for each in re.split("[,，、]", mark):
        first, *last = (int(end) for end in re.split("[–-]", each))
        found += range(first, last[0] + 1) if last and 0 <= last[0] - first <= _WIDEST else [first, *last]
    return found


class Citation(msgspec.Struct, frozen=True):
    """A number in the answer: the sentence it stands in, the chunk it points to, and whether that one says so.

    `share` is how much of the sentence is found in the chunk, 0 to 1; `missing` are its numbers that are not. `across`:
    they are of two languages, so that only numbers could be looked for.
    """

    number: int
    sentence: str
    chunk: Chunk | None = None
    share: float = 0.0
    missing: list[str] = []
    supported: bool = False
    across: bool = False

    def __repr__(self) -> str:
        where = self.chunk.id if self.chunk else "nowhere"
        return f"Citation([{self.number}] {'holds' if self.supported else 'does not hold'}, {where})"


class Grounded(Shown):
    """An answer with its sources. `hits` were shown to the model in this order: [1] is the first."""

    def __init__(self, reply: Reply, hits: Hits, citations: list[Citation], uncited: list[str]) -> None:
        self.reply, self.hits, self.citations, self.uncited = reply, hits, citations, uncited

    @property
    def text(self) -> str:
        return self.reply.text

    @property
    def cited(self) -> list[Chunk]:
        """The chunks that the answer points to, in its order."""
        found = {each.number: each.chunk for each in self.citations if each.chunk is not None}
        return list(found.values())

    @property
    def unsupported(self) -> list[Citation]:
        """Citations that do not hold: the chunk does not say it, or there is no such chunk."""
        return [each for each in self.citations if not each.supported]

    @property
    def usage(self) -> Any:
        return self.reply.usage

    @property
    def cost(self) -> Any:
        return self.reply.cost

    @property
    def raw(self) -> Any:
        return self.reply.raw

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        text = self.text if len(self.text) <= 60 else self.text[:59] + "…"
        wrong = f", {len(self.unsupported)} do not hold" if self.unsupported else ""
        return f"Grounded({text!r}, {len(self.citations)} citations{wrong})"


class Miss(msgspec.Struct, frozen=True):
    """A question whose answer was not among the first: where it stands was not found."""

    question: str
    document: str
    found: list[str] = []


class Recall(Shown, msgspec.Struct):
    """How often the chunk with the answer was among the first `k`, by way of searching and by pair of languages."""

    k: int
    questions: int
    shares: dict[str, float] = {}
    groups: dict[str, dict[str, float]] = {}
    misses: dict[str, list[Miss]] = {}

    def __getitem__(self, how: str) -> float:
        return self.shares[how]

    def __repr__(self) -> str:
        return f"Recall(@{self.k}, {', '.join(f'{how}={share:.2f}' for how, share in self.shares.items())})"


class CorpusMap(Shown, msgspec.Struct):
    """Every chunk as a point: near means alike. `query` is where the question lies, `hits` what it found."""

    points: list[tuple[float, float]] = []
    documents: list[str] = []
    titles: list[str] = []
    query: str = ""
    at: tuple[float, float] | None = None
    hits: list[int] = []
    hidden: int = 0
    kept: float = 0.0  # share of the spread that two dimensions show

    def __repr__(self) -> str:
        return f"CorpusMap({len(self.points):,} chunks of {len(set(self.documents))} documents)"
