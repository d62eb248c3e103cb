"""Uploaded files: one as a few facts, many as a table, an upload as a bar. Ids vary from run to run and are marked."""

from __future__ import annotations

from qwenkit.display.page import Bundle, bar, escape, facts, head, note, page, table, volatile
from qwenkit.display.text import columns, line
from qwenkit.display.watching import Watch
from qwenkit.types.files import FileList, StoredFile

MAX_ROWS = 12
MAX_NAME = 60
MAX_ID = 60

_HEADS = ("file", "size", "purpose", "status")


def stored(value: StoredFile) -> Bundle:
    name, size, purpose, status = _row(value)
    rows = {"size": escape(size), "purpose": escape(purpose), "status": escape(status), "id": _id(value)}
    rows["why"] = escape(line(value.status_details or "", MAX_NAME))
    html = page("file", head(name), facts(rows))
    return {"text/plain": f"{name}, {size}, {purpose}, {status}", "text/html": html}


def files(value: FileList) -> Bundle:
    shown = value.rows[:MAX_ROWS]
    count = "1 file" if len(value) == 1 else f"{len(value):,} files"
    title = f"{count}, {size_of(value.bytes)}"
    more = f"… {len(value) - MAX_ROWS:,} more files" if len(value) > MAX_ROWS else ""
    rows = [_row(each) for each in shown]
    cells = [[*map(short, row), _id(each)] for row, each in zip(rows, shown, strict=True)]
    grid = table([*_HEADS, "id"], cells, right=frozenset({1})) if cells else ""
    plain = columns([_HEADS, *rows], frozenset({1})) if rows else ""
    html = page("files", head(title), grid, note(more))
    return {"text/plain": "\n".join(part for part in (title, plain, more) if part), "text/html": html}


def _row(value: StoredFile) -> list[str]:
    told = (value.filename, size_of(value.bytes), value.purpose, value.status)
    return [line(text, MAX_NAME) for text in told]


def _id(value: StoredFile) -> str:
    return f'<small class="qk-short">{volatile(line(value.id, MAX_ID))}</small>'


def short(text: str) -> str:
    """A cell that stays on one line."""
    return f'<span class="qk-short">{escape(text)}</span>'


def size_of(count: int) -> str:
    """1,042 bytes, 3.4 MB."""
    return f"{count:,} bytes" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"


def watch(name: str, size: int) -> Uploading:
    return Uploading(name, size)


class Uploading:
    """The bar of one upload."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = line(name, MAX_NAME), size
        self._watch = Watch()

    def sent(self, count: int) -> None:
        self._watch.draw(self._bundle(count))

    def end(self) -> None:
        self._watch.end(self._bundle(self._size))

    def _bundle(self, count: int) -> Bundle:
        said = f"{self._name}: {size_of(count)} of {size_of(self._size)} uploaded"
        level = f'<p class="qk-level">{bar(count, self._size, warn=2)} {escape(said)}</p>'
        return {"text/plain": said, "text/html": page("files", level)}
