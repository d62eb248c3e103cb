"""A task: work the service does later. The value is one look at it; `qwen.tasks` looks again, waits, cancels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.files import Rows
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Usage

TERMINAL = ("SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN")


class Task(Shown):
    """A task as it stood when it was last asked for.

    `output` is everything the service says about it, `urls` what it made; both are gone a day after it ended.
    """

    __slots__ = ("body", "id", "model", "output", "receipt", "status", "usage", "waited")

    def __init__(
        self,
        id: str,
        status: str = "PENDING",
        *,
        output: dict[str, Any] | None = None,
        usage: Usage | None = None,
        model: str = "",
        receipt: Receipt | None = None,
        body: bytes = b"",
    ) -> None:
        self.id = id
        self.status = status
        self.output = output or {}
        self.usage = usage
        self.model = model
        self.receipt = receipt or Receipt()
        self.body = body
        self.waited: float | None = None  # seconds somebody here has waited for it

    @property
    def done(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in TERMINAL

    @property
    def ok(self) -> bool:
        return self.status == "SUCCEEDED"

    @property
    def urls(self) -> list[str]:
        """Where the results are, whichever fields this kind of task names them in."""
        return list(_urls(self.output))

    @property
    def url(self) -> str:
        """The first result's address; empty when there is none."""
        return next(iter(self.urls), "")

    @property
    def code(self) -> str:
        """Why it failed, as the service spells it."""
        return self._told("code", "error_code")

    @property
    def message(self) -> str:
        return self._told("message", "error_message")

    @property
    def metrics(self) -> dict[str, int]:
        """How many of its parts there are, succeeded and failed: {"TOTAL": 4, "SUCCEEDED": 3, "FAILED": 1}."""
        told = self.output.get("task_metrics") or self.output.get("task_metric")
        pairs = told.items() if isinstance(told, dict) else ()
        return {str(name): count for name, count in pairs if isinstance(count, int)}

    @property
    def times(self) -> dict[str, str]:
        """When it was submitted, begun and ended, as the service writes it: China time."""
        names = {"submitted": "submit_time", "begun": "scheduled_time", "ended": "end_time"}
        return {name: str(self.output[field]) for name, field in names.items() if self.output.get(field)}

    @property
    def raw(self) -> Any:
        """The answer as the service sent it."""
        return msgspec.json.decode(self.body) if self.body else None

    def _told(self, *names: str) -> str:
        return next((str(self.output[name]) for name in names if self.output.get(name)), "")

    def __repr__(self) -> str:
        model = f", model={self.model!r}" if self.model else ""
        return f"Task({self.id!r}, {self.status}{model})"


class TaskTable(Rows[Task]):
    """A page of tasks, latest first. `total` counts those on other pages too."""

    def __init__(self, rows: list[Task], total: int) -> None:
        super().__init__(rows)
        self.total = total

    def __repr__(self) -> str:
        return f"TaskTable({len(self)} of {self.total} tasks)"


def _urls(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith(("http://", "https://")):
            yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _urls(each)
