"""Several rankings as one: reciprocal rank fusion. Scores of different kinds cannot be added; ranks can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qwenkit.types.retrieval import Chunk, Hit

_FLAT = 60  # the higher, the less the first places count above the next; 60 is the paper's


def fused(rankings: Mapping[str, Sequence[int]], weights: Mapping[str, float]) -> list[tuple[int, float]]:
    """The keys of all rankings, best first, each with the sum of `weight / (60 + rank)`; equals by their best rank."""
    scores: dict[int, float] = {}
    best: dict[int, int] = {}
    for name, keys in rankings.items():
        for rank, key in enumerate(keys, 1):
            scores[key] = scores.get(key, 0.0) + weights.get(name, 1.0) / (_FLAT + rank)
            best[key] = min(best.get(key, rank), rank)
    return sorted(scores.items(), key=lambda item: (-item[1], best[item[0]], item[0]))


def whole(chunk: Chunk) -> str:
    """The heading and the text, as words are looked for in it and as a model reads it."""
    return f"{chunk.title}\n{chunk.text}" if chunk.title else chunk.text


def hit(chunk: Chunk, score: float, found: Mapping[str, list[tuple[int, float]]], key: int) -> Hit:
    """A chunk with its ranks and scores in what was found each way."""
    places = {name: next((at for at, row in enumerate(rows) if row[0] == key), -1) for name, rows in found.items()}
    by: dict[str, float] = {name: at + 1 for name, at in places.items() if at >= 0}
    scores = {name: found[name][at][1] for name, at in places.items() if at >= 0}
    return Hit(chunk, score if len(found) > 1 else next(iter(scores.values())), 0, by, scores)
