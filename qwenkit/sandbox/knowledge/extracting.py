"""Columns of metadata that are taken from each chunk: constants, facts of the file, matches and keywords.

What a model would have to find (`custom_prompt`) stays empty here: the sandbox has none, and does not guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qwenkit.sandbox.knowledge.limits import expression
from qwenkit.sandbox.knowledge.values import Column

_SEVERAL = re.compile(r"[,，;；、\n]")
_MOST, _LONGEST = 200_000, 500  # characters of a document that an expression is tried on, and of what it finds


class Columns:
    """The columns of one document. A match that a chunk has not is taken from the document."""

    def __init__(self, columns: Sequence[Column], text: str, facts: Mapping[str, Any]) -> None:
        self._columns, self._facts = columns, facts
        self._of_all = {each.key: _match(each, text[:_MOST]) for each in columns if each.kind == "regular"}

    def of(self, chunk: str) -> dict[str, Any]:
        found = {each.key: self._value(each, chunk) for each in self._columns}
        return {key: value for key, value in found.items() if value not in ("", [])}

    def _value(self, column: Column, chunk: str) -> Any:
        if column.kind == "variable":
            return self._facts.get(column.value, "")
        if column.kind == "regular":
            return _match(column, chunk) or self._of_all[column.key]
        if column.kind == "keywords":
            words = [word.strip() for word in _SEVERAL.split(column.value)]
            return [word for word in words if word and word.lower() in chunk.lower()]
        return column.value if column.kind == "constant" else ""

    def said(self, found: Mapping[str, Any], *, llm: bool = False) -> str:
        """What the columns add to the words a chunk is found by, or with `llm` to those that are answered from."""
        told = ((each.key, found.get(each.key)) for each in self._columns if (each.llm if llm else each.search))
        pairs = ((key, " ".join(value) if isinstance(value, list) else value) for key, value in told if value)
        return "\n".join(f"{key}: {value}" for key, value in pairs)


def _match(column: Column, text: str) -> str:
    found = expression(column.value, "metaExtractColumns").search(text)
    return str(found[found.re.groups and 1] or "")[:_LONGEST] if found else ""
