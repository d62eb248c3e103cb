"""The checks of lesson 20: near misses get the hint that helps, right answers pass."""

from __future__ import annotations

from typing import Any

import pytest

from qwenkit.notebook.exercises import check
from qwenkit.types.grounded import Citation, Grounded
from qwenkit.types.reply import Reply
from qwenkit.types.retrieval import Chunk, Hit, Hits

CHUNKS = [Chunk("a#0", "The kiln burns on Thursdays.", "Kiln"), Chunk("b#0", "The choir sings.", "Choir")]
HITS = Hits([Hit(chunk, 0.5, rank) for rank, chunk in enumerate(CHUNKS, 1)], "When?")


def fuse(lists: list[list[str]], k: int = 60) -> list[str]:
    scores: dict[str, float] = {}
    for names in lists:
        for place, name in enumerate(names, 1):
            scores[name] = scores.get(name, 0.0) + 1 / (k + place)
    return sorted(scores, key=lambda name: -scores[name])


def recall_at(k: int, found: list[list[str]], right: list[str]) -> float:
    return sum(name in names[:k] for names, name in zip(found, right, strict=True)) / len(right)


def answer(*citations: Citation, hits: Hits = HITS) -> Grounded:
    return Grounded(Reply(), hits, list(citations), [])


GOOD = Citation(1, "On Thursdays.", CHUNKS[0], 1.0, [], True)


@pytest.mark.parametrize(("number", "given"), [("20.1", fuse), ("20.2", recall_at), ("20.3", answer(GOOD))])
def test_right_answers_pass(number: str, given: Any):
    assert check(number, given)


@pytest.mark.parametrize(
    ("number", "given", "hint"),
    [
        ("20.1", lambda lists, k=60: None, "nothing yet"),
        ("20.1", lambda lists, k=60: sorted({name for names in lists for name in names}), "Both|both lists"),
        ("20.1", lambda lists, k=60: fuse(lists), "the k that is given"),
        ("20.2", lambda k, found, right: None, "nothing yet"),
        ("20.2", lambda k, found, right: recall_at(99, found, right), "k=1"),
        ("20.2", lambda k, found, right: recall_at(k, found, right) * len(right), "not 1"),
        ("20.3", "On Thursdays.", "itself"),
        ("20.3", answer(GOOD, hits=Hits(HITS.rows[:1])), "two documents"),
        ("20.3", answer(), "cites nothing"),
        ("20.3", answer(Citation(3, "Maybe.")), "does not hold"),
    ],
)
def test_near_misses_get_a_hint(number: str, given: Any, hint: str):
    result = check(number, given)
    assert not result
    assert any(each.lower() in str(result).lower() for each in hint.split("|"))
