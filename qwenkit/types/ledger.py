"""The ledger: every call of a session with its tokens, time and estimated cost. A value; it sends nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.usage import Cost


class Entry(msgspec.Struct, frozen=True):
    """One call. Times are seconds; `ok` is False for a call that ended in an error."""

    number: int
    family: str
    model: str
    prompt: int = 0
    completion: int = 0
    reasoning: int = 0
    cached: int = 0
    audio: int = 0  # heard and spoken
    audio_out: int = 0  # spoken
    image: int = 0
    cost: Cost | None = None
    latency: float | None = None
    first_token: float | None = None
    request_id: str = ""
    ok: bool = True
    tools: dict[str, int] = {}  # built-in tools the service used, and how often
    seconds: float = 0.0  # of a clip made, or of a recording heard
    images: int = 0  # drawn
    characters: int = 0  # spoken
    parts: list[dict[str, Any]] = []  # what the service billed it in, as on the wire (`x_details` of a response)

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    @property
    def units(self) -> float:
        """Whether it was counted in anything else: seconds, pictures, characters."""
        return self.seconds + self.images + self.characters


class Ledger(Shown):
    """The calls of one client, oldest first, with totals. Safe to write from several threads."""

    def __init__(self, budget: Cost | None = None) -> None:
        self.entries: list[Entry] = []
        self.budget = budget
        self._spent: dict[str, float] = {}
        self._answers: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def add(self, **facts: Any) -> Entry:
        with self._lock:
            entry = Entry(number=len(self.entries) + 1, **facts)
            self.entries.append(entry)
            if entry.cost:
                currency = entry.cost.currency
                self._spent[currency] = self._spent.get(currency, 0.0) + entry.cost.amount
            if entry.ok:
                calls, tokens = self._answers.get(entry.model, (0, 0))
                self._answers[entry.model] = (calls + 1, tokens + entry.completion)
        return entry

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self.entries))

    def __getitem__(self, position: int) -> Entry:
        return self.entries[position]

    @property
    def tokens(self) -> int:
        return sum(entry.total for entry in self.entries)

    @property
    def cost(self) -> dict[str, float]:
        """Estimated spend by currency."""
        return dict(self._spent)

    @property
    def without(self) -> str:
        """What the cost leaves out: models that were used and have no list price. `""` when it is all of it."""
        names = dict.fromkeys(each.model for each in self if each.cost is None and (each.total or each.units))
        told = ", ".join(names) if len(names) == 1 else f"{len(names)} models"
        return f", without {told}: no list price known" if names else ""

    @property
    def tools(self) -> dict[str, int]:
        """How often each built-in tool of the service was used."""
        counts: dict[str, int] = {}
        for entry in self:
            for name, count in entry.tools.items():
                counts[name] = counts.get(name, 0) + count
        return counts

    def usual_answer(self, model: str) -> int:
        """How many tokens this model has answered on average; 0 before its first answer."""
        calls, tokens = self._answers.get(model, (0, 0))
        return tokens // calls if calls else 0

    def by_model(self) -> dict[str, list[Entry]]:
        groups: dict[str, list[Entry]] = {}
        for entry in self:
            groups.setdefault(entry.model, []).append(entry)
        return groups

    def to_frame(self) -> Any:
        """The ledger as a pandas DataFrame (pandas is not a dependency; install it to use this)."""
        try:
            import pandas
        except ImportError as missing:
            raise ImportError("to_frame() needs pandas: run  pip install pandas  in this environment") from missing
        return pandas.DataFrame([_row(entry) for entry in self])

    def chart(self) -> Any:
        """A matplotlib figure: tokens stacked by kind per call, with the cumulative cost as a line."""
        from importlib import import_module

        return import_module("qwenkit.display.ledger").chart(self)

    def __repr__(self) -> str:
        spent = ", ".join(str(Cost(amount, currency)) for currency, amount in self.cost.items()) or "¥0"
        return f"Ledger({len(self)} calls, {self.tokens} tokens, {spent} estimated{self.without})"


def _row(entry: Entry) -> dict[str, Any]:
    row = msgspec.structs.asdict(entry)
    cost = row.pop("cost")
    return {**row, "cost": cost.amount if cost else None, "currency": cost.currency if cost else None}
