"""Word documents, spreadsheets and books: what is written in them, headings after `#`, tables as lines of cells.

Macros, deleted text and hidden text stay out. A new page of a Word document is a form feed, which `read` cuts at.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from qwenkit.reading import plain, web
from qwenkit.reading.document import TOO_LARGE, Unreadable
from qwenkit.reading.packed import MOST_UNPACKED, Packed

MOST_CELLS = 2_000_000
_NAMED = re.compile(r"(?:heading|title|标题)\s*(\d?)", re.IGNORECASE)
_SPOKEN = {"t": None, "tab": "\t", "br": "\n", "cr": "\n", "lastRenderedPageBreak": "\f"}


def docx(data: bytes) -> str:
    packed = Packed(data)
    body = packed.xml("word/document.xml").find("body")
    return "\n\n".join(_blocks(body, _levels(packed))) if body is not None else ""


def _levels(packed: Packed) -> dict[str, int]:
    """Which styles are headings, and of which level: Word calls them by other ids in every language."""
    if "word/styles.xml" not in packed:
        return {}
    named = {each.get("styleId", ""): each.find("name") for each in packed.xml("word/styles.xml").iter("style")}
    told = {style: _level(name.get("val", "")) for style, name in named.items() if name is not None}
    return {style: level for style, level in told.items() if level}


def _level(name: str) -> int:
    found = _NAMED.match(name)
    return min(int(found[1] or 1) or 1, 6) if found else 0


def _blocks(body: Element, levels: dict[str, int]) -> Iterator[str]:
    for block in body:
        if block.tag == "p":
            mark = block.find("pPr/pStyle")
            style = mark.get("val", "") if mark is not None else ""
            said = _paragraph(block)
            level = (levels.get(style) or _level(style)) if said.strip() else 0
            yield f"{'#' * level} {' '.join(said.split())}" if level else said
        elif block.tag == "tbl":
            rows = ([_said(cell) for cell in row.findall("tc")] for row in block.findall("tr"))
            yield "\n".join(map(plain.row, rows))
        elif block.tag == "sdt":  # a control around ordinary blocks, such as a table of contents
            yield from _blocks(found if (found := block.find("sdtContent")) is not None else block, levels)


def _said(cell: Element) -> str:
    return " ".join(_paragraph(each) for each in cell.iter("p"))


def _paragraph(paragraph: Element) -> str:
    """The runs of a paragraph; deleted text has a tag of its own and stays out, and so does what is hidden."""
    runs = (run for run in paragraph.iter("r") if run.find("rPr/vanish") is None)
    return "".join(_piece(each) for run in runs for each in run if each.tag in _SPOKEN)


def _piece(each: Element) -> str:
    if each.get("type") == "page":
        return "\f"
    return _SPOKEN[each.tag] or each.text or ""


def xlsx(data: bytes) -> str:
    packed = Packed(data)
    shared: list[str] = []
    if "xl/sharedStrings.xml" in packed:
        shared = ["".join(t.text or "" for t in each.iter("t")) for each in packed.xml("xl/sharedStrings.xml")]
    links = {each.get("Id"): each.get("Target", "") for each in packed.xml("xl/_rels/workbook.xml.rels")}
    told, room, marks = [], MOST_CELLS, MOST_UNPACKED
    for sheet in packed.xml("xl/workbook.xml").iter("sheet"):
        path = posixpath.normpath(posixpath.join("/xl", links[sheet.get("id")])).lstrip("/")
        rows = [sheet.get("name", ""), ""]
        for row in packed.xml(path).iter("row"):
            cells = _cells(row, shared)
            room, marks = room - len(cells), marks - sum(map(len, cells))
            if room < 0 or marks < 0:  # one long text may stand in every cell
                raise Unreadable(TOO_LARGE)
            rows += [plain.row(cells)] if any(cells) else []
        told += ["\n".join(rows)] if len(rows) > 2 else []
    return "\n\n".join(told)


def _cells(row: Element, shared: list[str]) -> list[str]:
    """The cells of a row at their columns; empty ones are not in the file."""
    cells: dict[int, str] = {}
    for at, cell in enumerate(row.findall("c")):
        value = cell.findtext("v") or ""
        if cell.get("t") == "s":
            value = shared[int(value)]
        elif cell.get("t") == "inlineStr":
            value = "".join(t.text or "" for t in cell.iter("t"))
        cells[_column(cell.get("r", "")) or at] = value
    return [cells.get(place, "") for place in range(max(cells, default=-1) + 1)]


def _column(reference: str) -> int:
    """A1 is 0, B7 is 1, AA1 is 26."""
    place = 0
    for letter in re.match(r"[A-Z]{0,3}", reference)[0]:  # type: ignore[index]
        place = place * 26 + ord(letter) - 64
    return max(place - 1, 0)


def epub(data: bytes) -> str:
    packed = Packed(data)
    book = next(packed.xml("META-INF/container.xml").iter("rootfile")).get("full-path", "")
    contents = packed.xml(book)
    places = {item.get("id"): item.get("href", "") for item in contents.iter("item")}
    folder = posixpath.dirname(book)
    chapters = [places[each.get("idref")] for each in contents.iter("itemref")]
    paths = [posixpath.normpath(posixpath.join(folder, unquote(chapter))) for chapter in chapters]
    return "\n\n".join(web.prose(plain.text(packed.read(path))) for path in paths)
