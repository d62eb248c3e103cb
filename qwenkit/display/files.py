"""Uploaded files: one as a few facts, many as a table, an upload as a bar. Ids vary from run to run and are marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from qwenkit.display.page import Bundle, bar, escape, facts, head, note, page, table, volatile
from qwenkit.display.text import columns, line
from qwenkit.types.files import FileList, Rows, StoredFile

MAX_ROWS = 12
MAX_NAME = 60


def stored(value: StoredFile) -> Bundle:
    name, size, purpose, status = _row(value)
    rows = {"size": escape(size), "purpose": escape(purpose), "status": escape(status), "id": _small(value.id)}
    rows["why"] = escape(line(value.status_details or "", MAX_NAME))
    html = page("file", head(name), facts(rows))
    return {"text/plain": f"{name}, {size}, {purpose}, {status}", "text/html": html}


def files(value: FileList) -> Bundle:
    return listing(value, ("file", "size", "purpose", "status"), _row, frozenset({1}), f", {size_of(value.bytes)}")


def _row(value: StoredFile) -> list[str]:
    told = (value.filename, size_of(value.bytes), value.purpose, value.status)
    return [line(text, MAX_NAME) for text in told]


def listing(
    value: Rows[Any], heads: Sequence[str], row: Callable[[Any], list[str]], right: frozenset[int], more: str = ""
) -> Bundle:
    """A list by its count and its first rows; their ids are on the card only."""
    title = f"{len(value):,} {value.kinds[len(value) != 1]}{more}"
    shown, hidden = value.rows[:MAX_ROWS], len(value) - MAX_ROWS
    rest = f"… {hidden:,} more {value.kinds[1]}" if hidden > 0 else ""
    rows = [row(each) for each in shown]
    cells = [
        [*(f'<span class="qk-short">{escape(text)}</span>' for text in told), _small(each.id)]
        for told, each in zip(rows, shown, strict=True)
    ]
    grid = table([*heads, "id"], cells, right=right) if rows else ""
    plain = columns([heads, *rows], right) if rows else ""
    html = page("files", head(title), grid, note(rest))
    return {"text/plain": "\n".join(part for part in (title, plain, rest) if part), "text/html": html}


def _small(name: str) -> str:
    return f'<small class="qk-short">{volatile(line(name, MAX_NAME))}</small>'


def size_of(count: int) -> str:
    """1,042 bytes, 3.4 MB."""
    return f"{count:,} bytes" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"


def uploading(value: tuple[str, int, int]) -> Bundle:
    """The bar of one upload: its name, its size, and the bytes sent so far."""
    name, size, sent = value
    said = f"{line(name, MAX_NAME)}: {size_of(sent)} of {size_of(size)} uploaded"
    level = f'<p class="qk-level">{bar(sent, size, warn=2)} {escape(said)}</p>'
    return {"text/plain": said, "text/html": page("files", level)}
