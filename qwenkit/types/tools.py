"""Tools at work: what a model asked for, what it was told, and how long that took."""

from __future__ import annotations

from typing import Any

import msgspec

_SHOWN = 80


class ToolRun(msgspec.Struct):
    """One call carried out. `result` is the text the model was told; after an exception `error` is the same line.

    `value` is what the function gave back, as it was. `seconds` vary from run to run and are shown as such.
    """

    id: str = ""
    name: str = ""
    arguments: str = ""
    result: str = ""
    value: Any = None
    error: str = ""
    seconds: float | None = None

    def __repr__(self) -> str:
        """Without the time, so that it is the same in every run."""
        result = self.result if len(self.result) <= _SHOWN else self.result[: _SHOWN - 1] + "…"
        return f"ToolRun({self.name}({self.arguments}) → {result})"


class Round(msgspec.Struct, repr_omit_defaults=True):
    """One answer that asked for tools: what the model said and thought beside it, and each call with its result."""

    text: str = ""
    thinking: str = ""
    runs: list[ToolRun] = []
