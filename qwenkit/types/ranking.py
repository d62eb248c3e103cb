"""A ranking: some of several documents, best first, with a score each. What rerank and `nearest` give back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.reply import Paid, Receipt
from qwenkit.types.usage import Usage


class Ranked(msgspec.Struct, frozen=True):
    """One document: its place in the list that was given, its score, and itself (a dict where it is more than text)."""

    index: int
    score: float
    document: Any = ""

    @property
    def text(self) -> str:
        """The document's text; for a picture, what it is."""
        if isinstance(self.document, dict):
            return str(self.document.get("text") or f"[{next(iter(self.document), 'empty')}]")
        return str(self.document)


class Ranking(Paid, Shown, msgspec.Struct):
    """Rows, best first, out of `of` documents. `measure` names the score; relevance compares within one answer only."""

    rows: list[Ranked]
    query: str = ""
    of: int = 0
    measure: str = "relevance"
    usage: Usage | None = None
    model: str = ""
    receipt: Receipt = msgspec.field(default_factory=Receipt)
    body: bytes = b""

    @property
    def texts(self) -> list[str]:
        """The documents' texts, best first."""
        return [row.text for row in self.rows]

    @property
    def indices(self) -> list[int]:
        """Where each row stood in the list that was given."""
        return [row.index for row in self.rows]

    @property
    def scores(self) -> list[float]:
        return [row.score for row in self.rows]

    @property
    def raw(self) -> Any:
        """The answer as the service sent it; None for a ranking made here."""
        return msgspec.json.decode(self.body) if self.body else None

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Ranked]:
        return iter(self.rows)

    def __getitem__(self, place: int) -> Ranked:
        return self.rows[place]

    def __repr__(self) -> str:
        best = f", best={self.rows[0].index} ({self.rows[0].score:.2f})" if self.rows else ""
        return f"Ranking({len(self)} of {self.of}{best}, model={self.model!r})"
