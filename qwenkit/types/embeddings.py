"""Embeddings: one vector for each text. Data first: `.array` is a numpy matrix; in a cell they are a heat map.

numpy is loaded when the first vector is asked for; until then the numbers rest as the bytes they came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.ranking import Ranked, Ranking
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Cost, Usage


class SparseTerm(msgspec.Struct, frozen=True):
    """One term of a sparse vector: its place in the vocabulary, its weight, its spelling."""

    index: int = 0
    value: float = 0.0
    token: str = ""


class Embeddings(Shown, msgspec.Struct, dict=True, eq=False):
    """Vectors in the order of `texts`. `floats` are their numbers as float32, row after row, `size` in each.

    >>> from array import array
    >>> found = Embeddings(["cat", "tide", "kitten"], array("f", [1, 0, 0, 1, 0.8, 0.6]).tobytes(), size=2)
    >>> found.similarity().round(2).tolist()[0]
    [1.0, 0.0, 0.8]
    >>> found.nearest("cat", k=2).texts
    ['cat', 'kitten']
    """

    texts: list[str]
    floats: bytes = b""
    size: int = 0
    sparse: list[list[SparseTerm]] = []
    kinds: list[str] = []  # of contents: text, image, fusion …
    usage: Usage | None = None
    model: str = ""
    receipts: list[Receipt] = []  # one for each call it took
    bodies: list[bytes] = []

    @cached_property
    def array(self) -> Any:
        """The vectors as a numpy array, a row for each text, float32."""
        import numpy as np

        return np.frombuffer(self.floats, "<f4").reshape(len(self.texts) if self.size else 0, self.size)

    @property
    def receipt(self) -> Receipt:
        """The receipt of the first call; `receipts` has them all."""
        return self.receipts[0] if self.receipts else Receipt()

    @receipt.setter
    def receipt(self, told: Receipt) -> None:
        self.receipts = [told]

    @property
    def cost(self) -> Cost | None:
        """Estimated from list prices, all calls together; None when the model has no known price."""
        costs = [receipt.cost for receipt in self.receipts if receipt.cost]
        return Cost(sum(cost.amount for cost in costs), costs[0].currency, costs[0].dated) if costs else None

    @property
    def request_id(self) -> str:
        return self.receipt.request_id

    @property
    def raw(self) -> Any:
        """The answer as the service sent it; of several calls a list, of very many the first ones."""
        answers = [msgspec.json.decode(body) for body in self.bodies]
        return answers[0] if len(self.receipts) == 1 and answers else answers

    def similarity(self, other: Embeddings | None = None) -> Any:
        """How alike each text is to each other one, as a matrix of cosines: 1 the same direction, 0 nothing shared."""
        import numpy as np

        there = self if other is None else other
        if not isinstance(there, Embeddings) or there.size != self.size:
            size = getattr(there, "size", "no")
            raise ValueError(f"vectors of {self.size} and of {size} numbers cannot be compared: embed both alike")
        one, two = (_units(np.asarray(each.array, dtype=np.float64)) for each in (self, there))
        return np.clip(one @ two.T, -1.0, 1.0)

    def nearest(self, query: Any, k: int = 5) -> Ranking:
        """The `k` texts nearest to a query: one of these texts, an embedding of another, or a plain vector.

        A new question is embedded first: `books.nearest(qwen.embeddings("…", text_type="query"))`.
        """
        if not self.size:
            raise ValueError('there are no dense vectors to compare: embed with output_type="dense"')
        asked = self._asked(query)
        cosines = self.similarity(asked)[:, 0].tolist()
        best = sorted(range(len(cosines)), key=lambda place: -cosines[place])[: max(int(k), 0)]
        rows = [Ranked(place, cosines[place], self.texts[place]) for place in best]
        return Ranking(rows, query=asked.texts[0], of=len(self), measure="cosine", model=self.model)

    def _asked(self, query: Any) -> Embeddings:
        if isinstance(query, str):
            if query not in self.texts:
                how = 'embed it first: .nearest(qwen.embeddings("…"))'
                raise ValueError(f"{query[:60]!r} is none of these texts; {how}")
            query = self[self.texts.index(query) :][:1]
        if isinstance(query, Embeddings):
            if len(query) != 1:
                raise ValueError(f"nearest takes one query, not {len(query)}; take one: queries[:1], or similarity()")
            return query
        import numpy as np

        vector = np.asarray(query, dtype="<f4").reshape(-1)
        return Embeddings([""], vector.tobytes(), len(vector))

    def __len__(self) -> int:
        return len(self.texts)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.array)

    def __getitem__(self, place: Any) -> Any:
        """One vector, or with a slice some of the embeddings."""
        if not isinstance(place, slice):
            return self.array[place]
        texts, sparse, kinds = self.texts[place], self.sparse[place], self.kinds[place]
        return Embeddings(texts, self.array[place].tobytes(), self.size, sparse, kinds, model=self.model)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        """What `numpy.asarray(embeddings)` gives."""
        return self.array if dtype is None else self.array.astype(dtype)

    def __repr__(self) -> str:
        tokens = self.usage.total if self.usage else 0
        return f"Embeddings({len(self)} × {self.size}, model={self.model!r}, tokens={tokens})"


def joined(parts: list[Embeddings]) -> Embeddings:
    """The embeddings of several calls as one, in their order."""
    bills = [part.usage for part in parts if part.usage]
    return Embeddings(
        [text for part in parts for text in part.texts],
        b"".join(part.floats for part in parts),
        parts[0].size if parts else 0,
        [row for part in parts for row in part.sparse],
        [kind for part in parts for kind in part.kinds],
        Usage(sum(each.prompt for each in bills), total_tokens=sum(each.total for each in bills)) if bills else None,
        parts[0].model if parts else "",
        [receipt for part in parts for receipt in part.receipts],
        [body for part in parts for body in part.bodies],
    )


def _units(rows: Any) -> Any:
    """Rows of length one; a row of zeros stays as it is."""
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths == 0, 1.0, lengths)
