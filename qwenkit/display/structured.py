"""A structured answer as a table: fields and values, rows and columns, or JSON where it is deeper than that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from qwenkit.display.page import escape, facts, note, source, table
from qwenkit.display.text import clip, line

MAX_FIELDS = 40
MAX_ROWS = 20
MAX_COLUMNS = 8
MAX_CELL = 300
MAX_JSON = 6_000
_SCALARS = (str, int, float, bool, type(None))


def view(value: Any) -> str:
    """The value as HTML."""
    plain = _plain(value)
    if isinstance(plain, Mapping) and plain:
        return _fields(plain)
    if isinstance(plain, _SCALARS):
        return f'<p class="qk-said" dir="auto">{_cell(plain)}</p>'
    return _table(plain) if _is_table(plain) else _json(plain)


def _fields(value: Mapping[Any, Any]) -> str:
    rows = list(value.items())
    rest = note(f"… {len(rows) - MAX_FIELDS} more fields in reply.value") if len(rows) > MAX_FIELDS else ""
    return facts({line(str(name), MAX_CELL): _cell(each) for name, each in rows[:MAX_FIELDS]}) + rest


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return escape(line(value, MAX_CELL)) if value else '<span class="qk-soft">""</span>'
    if isinstance(value, list) and value and all(isinstance(each, _SCALARS) for each in value):
        words = (each if isinstance(each, str) else json.dumps(each) for each in value[: MAX_CELL // 2])
        return escape(line(", ".join(words), MAX_CELL))
    if _is_table(value):
        return _table(value)
    if isinstance(value, Mapping) and value and all(isinstance(each, _SCALARS) for each in value.values()):
        return _fields(value)
    if isinstance(value, Mapping | list):
        return _json(value)
    shown = escape(json.dumps(value))
    return f"<code>{shown}</code>" if value is None or isinstance(value, bool) else shown


def _is_table(value: Any) -> bool:
    """Objects with the same few plain fields."""
    if not isinstance(value, list) or not value or not all(isinstance(row, Mapping) and row for row in value):
        return False
    fields = list(value[0])
    return len(fields) <= MAX_COLUMNS and all(
        list(row) == fields and all(isinstance(each, _SCALARS) for each in row.values()) for row in value
    )


def _table(rows: list[Mapping[str, Any]]) -> str:
    heads = [line(str(name), MAX_CELL) for name in rows[0]]
    cells = [[_cell(each) for each in row.values()] for row in rows[:MAX_ROWS]]
    rest = note(f"… {len(rows) - MAX_ROWS} more rows in reply.value") if len(rows) > MAX_ROWS else ""
    return table(heads, cells) + rest


def _json(value: Any) -> str:
    text, rest = clip(json.dumps(value, ensure_ascii=False, indent=2), MAX_JSON)
    return source(text, "json") + note(rest)


def _plain(value: Any) -> Any:
    """Structs, dataclasses, enums and dates as the JSON they came from."""
    import msgspec

    return msgspec.to_builtins(value, str_keys=True)
