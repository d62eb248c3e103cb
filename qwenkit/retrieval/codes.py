"""Vectors in three bits a number, to find the nearest few hundred of many quickly; those are then measured exactly.

A unit vector is turned so that its numbers are alike, which are cut into eight steps of their spread and kept bit by
bit, with the factor that makes the product with a query right on average. A query is cut into sixteen steps. Their
product is then counted, not multiplied: for every bit of the one and every bit of the other, the places where both are
set. 100,000 vectors of 1,024 numbers take 39 MB and about 18 ms of one core; of the true best ten, 998 in 1,000 are
among the best 500 by this count. (The plain float32 product takes 400 MB and 27 ms; sqlite-vec takes 190 ms.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

BITS = 3
_MIDDLE = (2**BITS - 1) / 2
_STEP = 0.586  # of the spread of a normal distribution: the best width for eight even steps
_FINE = 4  # bits of a query's numbers
_BLOCK = 16_384  # vectors counted at a time, so that sums stay in the cache
_TYPE = "<u8"


def units(rows: Any) -> Any:
    """Vectors as rows of length one, float32; one without any length stays as it is."""
    import numpy as np

    rows = np.ascontiguousarray(rows, "<f4")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


@lru_cache(maxsize=8)
def _turn(size: int) -> tuple[Any, Any]:
    import numpy as np

    side = min(size & -size, 128)
    turn = np.ones((1, 1), np.float32)
    while len(turn) < side:
        turn = np.block([[turn, turn], [turn, -turn]])
    return 1 - 2 * (np.arange(size, dtype=np.uint64) * 2654435761 >> 16 & 1).astype(np.float32), turn / side**0.5


def turned(rows: Any) -> Any:
    """The same vectors from another side, where no number is much larger than its neighbours: products stay."""
    signs, turn = _turn(rows.shape[-1])
    return ((rows * signs).reshape(-1, len(turn)) @ turn).reshape(rows.shape)


def encode(rows: Any) -> list[bytes]:
    """A code for each unit vector: its factor as float32, then its bits, the low ones first."""
    import numpy as np

    rows = turned(rows)
    width = -(-rows.shape[1] // 64) * 64
    spread = np.sqrt(np.square(rows).mean(axis=1, keepdims=True)) * _STEP
    steps = np.floor(rows / np.where(spread == 0, 1, spread)) + 2 ** (BITS - 1)
    steps = np.clip(steps, 0, 2**BITS - 1).astype(np.uint8)
    products = np.einsum("ij,ij->i", rows, steps - _MIDDLE)
    factors = np.einsum("ij,ij->i", rows, rows) / np.where(products == 0, 1, products)
    padded = np.zeros((len(rows), width), np.uint8)
    padded[:, : rows.shape[1]] = steps
    planes = [np.packbits(padded >> bit & 1, axis=1) for bit in range(BITS)]
    whole = np.hstack([factors.astype("<f4")[:, None].view(np.uint8), *planes])
    return [row.tobytes() for row in whole]


class Codes:
    """The codes of many vectors in memory, by key. Keys only ever grow."""

    def __init__(self) -> None:
        self.keys: Any = ()
        self._kept: tuple[Any, ...] = ()  # keys, factors, sums of each vector's steps, planes of bits

    def add(self, keys: Sequence[int], codes: Sequence[bytes]) -> None:
        import numpy as np

        if not keys:
            return
        table = np.frombuffer(b"".join(codes), np.uint8).reshape(len(keys), -1)
        bits = np.ascontiguousarray(table[:, 4:]).view(_TYPE).reshape(len(keys), BITS, -1)
        sums = np.bitwise_count(bits).sum(axis=2, dtype=np.uint32) @ np.array([1, 2, 4], np.float32)
        factors = np.ascontiguousarray(table[:, :4]).view("<f4").ravel()
        more = (np.array(keys, np.int64), factors, sums, bits.transpose(1, 2, 0))
        kept = [np.concatenate(pair, axis=-1) for pair in zip(self._kept, more, strict=True)] if self._kept else more
        self._kept = (*kept[:3], np.ascontiguousarray(kept[3]))  # at once: a search elsewhere has the old or the new
        self.keys = self._kept[0]

    def best(self, query: Any, most: int, only: Any = None, without: Any = ()) -> list[int]:
        """The keys, in order, of the `most` nearest to a unit vector, of those in `only` and not in `without`."""
        import numpy as np

        if not self._kept:
            return []
        keys, *kept = self._kept
        found = _estimated(query, *kept)
        if only is not None:
            found[~np.isin(keys, only)] = -np.inf
        if len(without):
            found[np.isin(keys, without)] = -np.inf
        chosen = np.argpartition(found, -most)[-most:] if most < len(found) else np.arange(len(found))
        return sorted(keys[chosen][found[chosen] > -np.inf].tolist())


def _estimated(query: Any, factors: Any, sums: Any, planes: Any) -> Any:
    """The product of every vector with the query, nearly."""
    import numpy as np

    query = turned(query)
    low = float(query.min())
    step = (float(query.max()) - low) / (2**_FINE - 1) or 1.0
    fine = np.zeros(planes.shape[1] * 64, np.uint8)
    fine[: len(query)] = np.round((query - low) / step)
    asked = np.stack([np.packbits(fine >> bit & 1).view(_TYPE) for bit in range(_FINE)], axis=1)
    found = np.zeros(len(factors), np.float32)
    for start in range(0, len(found), _BLOCK):
        block = found[start : start + _BLOCK]
        for power, plane in enumerate(planes[:, :, start : start + _BLOCK]):
            both = np.zeros((_FINE, len(block)), np.uint16)
            for row, words in zip(plane, asked, strict=True):
                for counts, word in zip(both, words, strict=True):
                    counts += np.bitwise_count(row & word)
            for fineness, counts in enumerate(both):  # not a matrix product: its threads cost more than they bring
                block += counts * np.float32(1 << power + fineness)
    shift = low * len(query) + step * float(fine.sum())
    return factors * (step * found + low * sums - _MIDDLE * shift)
