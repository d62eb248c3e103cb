"""A list of models as a value: iterate it, index it by name, search it; in a cell it is a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qwenkit.types._shown import Shown


class ModelTable(Shown):
    """Models in a row. `rows` holds the catalogue's facts; `unlisted` names the service knows and the catalogue not."""

    def __init__(self, rows: list[Any], unlisted: list[str] | None = None) -> None:
        self.rows = rows
        self.unlisted = unlisted or []

    def __len__(self) -> int:
        return len(self.rows) + len(self.unlisted)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Any:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    @property
    def names(self) -> list[str]:
        return [row.name for row in self.rows] + self.unlisted

    def __repr__(self) -> str:
        return f"ModelTable({len(self)} models)"
