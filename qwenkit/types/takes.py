"""Several takes of one thing side by side: voices, pictures, answers of different models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qwenkit.types._shown import Shown
from qwenkit.types.media import problem


class Takes(Shown):
    """Values with their labels, in order. `takes["Cherry"]` and `takes[0]` give one of them."""

    __slots__ = ("labels", "values")

    def __init__(self, labels: Sequence[str], values: Sequence[Any]) -> None:
        self.labels = [str(label) for label in labels]
        self.values = list(values)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __getitem__(self, which: Any) -> Any:
        if not isinstance(which, str):
            return self.values[which]
        if which not in self.labels:
            raise problem(f"no take is called {which!r}", f"there are {', '.join(self.labels[:20])}")
        return self.values[self.labels.index(which)]

    def __repr__(self) -> str:
        return f"Takes({', '.join(self.labels[:12])}{', …' if len(self) > 12 else ''})"


def compare(*takes: Any, labels: Sequence[str] | None = None) -> Takes:
    """Lay values side by side: `qk.compare(one, two)`, `qk.compare({"Cherry": one, "Ethan": two})`.

    Sounds get a player each, pictures a thumbnail, answers their text. Without `labels` each is called by what tells
    it apart: its voice, its file or its model.
    """
    if len(takes) == 1 and isinstance(takes[0], Mapping):
        labels, takes = list(takes[0]) if labels is None else labels, tuple(takes[0].values())
    elif len(takes) == 1 and isinstance(takes[0], list | tuple):
        takes = tuple(takes[0])
    if not takes or any(take is None for take in takes):
        what = "one of the takes is None" if takes else "there is nothing to compare"
        raise problem(what, "qk.compare(first, second)")
    if labels is not None and len(labels) != len(takes):
        raise problem(f"{len(takes)} takes and {len(labels)} labels", "give each take one label")
    return Takes(labels if labels is not None else _told_apart(takes), takes)


def _told_apart(takes: Sequence[Any]) -> list[str]:
    """The first fact that differs between all of them; else their places."""
    for fact in (_voice, _model, _name):
        found = [fact(take) for take in takes]
        if all(found) and len(set(found)) == len(found):
            return found
    return [f"take {number}" for number in range(1, len(takes) + 1)]


def _voice(take: Any) -> str:
    meta = getattr(take, "meta", None)
    return str(meta.get("voice") or "") if isinstance(meta, Mapping) else ""


def _model(take: Any) -> str:
    meta = getattr(take, "meta", None)
    return str(getattr(take, "model", "") or (meta.get("model") if isinstance(meta, Mapping) else "") or "")


def _name(take: Any) -> str:
    return str(getattr(take, "name", "") or "") if getattr(take, "path", None) else ""
