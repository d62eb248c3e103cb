"""Lesson 20: rankings fused, recall counted, an answer that rests on a document of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_WORDS, _VECTORS = ["a", "b", "c"], ["c", "d", "a"]


def exercise_1(fuse: Callable[[list[list[str]], int], Any]) -> str | None:
    """Write fuse(lists, k), which merges rankings by the places that names have in them."""
    cases = [
        ([_WORDS, _VECTORS], 60, ["a", "c", "b", "d"], "What both lists have comes before what only one has."),
        ([["a", "b"], ["b", "a"]], 60, ["a", "b"], "Equal sums keep the order in which the names first came."),
        ([_WORDS], 60, _WORDS, "A single list stays as it is."),
        ([["a", "x", "b"], ["y", "z", "b"]], 0, ["a", "y", "b", "x", "z"], "Use the k that is given."),
        ([], 60, [], "No lists give no names."),
    ]
    for lists, k, order, hint in cases:
        made = fuse(lists, k)
        if made is None:
            return "fuse returns nothing yet: give back the names, best first."
        if list(made) != order:
            return f"fuse({lists}, k={k}) gives {list(made)} in place of {order}. {hint}"
    return None


def exercise_2(recall_at: Callable[[int, list[list[str]], list[str]], Any]) -> str | None:
    """Write recall_at(k, found, right), the share of rankings with the right name among the first k."""
    found = [_WORDS, _VECTORS, ["d"], []]
    for k, right, share in (
        (1, ["a", "a", "a", "a"], 0.25),
        (3, ["a", "a", "d", "d"], 0.75),
        (2, ["c", "d", "x", "x"], 0.25),
    ):
        made = recall_at(k, found, right)
        if made is None:
            return "recall_at returns nothing yet: give back a share, 0 to 1."
        if not isinstance(made, int | float) or abs(made - share) > 1e-9:
            return f"With k={k} the right ones are {right}: {share:g} of {found}, and not {made!r}."
    return None


def exercise_3(grounded: Any) -> str | None:
    """Ask a shelf with two documents of your own, and answer with what ask gives."""
    if not hasattr(grounded, "citations"):
        return "Give the answer of shelf.ask(…) itself."
    if len({hit.chunk.document for hit in grounded.hits}) < 2:
        return "Put two documents on the shelf, so that there is something to choose from."
    if not grounded.citations:
        return "The answer cites nothing: ask what one of your documents says, in its words."
    if grounded.unsupported:
        return f"{grounded.unsupported[0]!r}: ask a question that a document answers."
    return None
