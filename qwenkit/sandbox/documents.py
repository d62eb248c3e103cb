"""What is written in a document: `text_of("fares.docx", data)` opens the format and gives its text, really parsed.

Tables come out as lines of `a | b | c` and headings after a `#`, whatever they were in. What cannot be read is refused
in the words the service uses in chat ("content blank.", "format is not supported."). Packed formats are opened with a
cap on what they unpack to, and XML that declares entities is not read at all. Pictures are a documented format, but no
text is seen in them here, and the refusal says so.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from html.parser import HTMLParser
from urllib.parse import unquote
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MOST_UNPACKED = 64 * 1024 * 1024  # bytes that all members of one packed document may unpack to
MOST_PAGES = 15_000
MOST_CELLS = 2_000_000
PICTURES = ("bmp", "png", "jpg", "jpeg", "gif")
_ENDS = (".", "!", "?", ":", "。", "！", "？", "：")
_SHORT_LINE, _FULL_LINE = 0.6, 0.7  # of the widest line of a page


class Unreadable(Exception):
    """A document without a text; the message says why, to be put after "File [id:…] "."""


UNSUPPORTED = "format is not supported."
BLANK = "content blank."
TOO_LARGE = "exceeds size limit."


def text_of(filename: str, data: bytes) -> str:
    """The text of a document; its format goes by the ending of its name. `Unreadable` when there is none."""
    ending = filename.rpartition(".")[2].lower()
    if ending in PICTURES:
        raise Unreadable(f"{BLANK} (The sandbox reads no text in pictures.)")
    if ending == "mobi":
        raise Unreadable(f"{UNSUPPORTED} (The sandbox does not read MOBI; EPUB it does.)")
    reader = _READERS.get(ending)
    if reader is None:
        raise Unreadable(UNSUPPORTED)
    try:
        text = reader(data)
    except Unreadable:
        raise
    except Exception as broken:  # a damaged file can make anything of its reader
        raise Unreadable(UNSUPPORTED) from broken
    if not text.strip():
        raise Unreadable(BLANK)
    return text.replace("\x00", "").strip()


def _plain(data: bytes) -> str:
    """Text in UTF-8, in UTF-16 with its mark, or in GB 18030, the three that occur."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    if b"\x00" in data:
        raise Unreadable(UNSUPPORTED)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("gb18030")


def _json(data: bytes) -> str:
    text = _plain(data)
    json.loads(text)
    return text


def _csv(data: bytes) -> str:
    text = _plain(data)
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    return "\n".join(_row(cells) for cells in csv.reader(io.StringIO(text, newline=""), delimiter=mark) if cells)


def _row(cells: Iterable[str]) -> str:
    return " | ".join(" ".join(cell.split()) for cell in cells)


class _Packed:
    """A zip archive that gives out no more than the cap."""

    def __init__(self, data: bytes) -> None:
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._left = MOST_UNPACKED

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def read(self, name: str) -> bytes:
        with self._zip.open(name) as member:
            data = member.read(self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise Unreadable(TOO_LARGE)
        return data

    def xml(self, name: str) -> Element:
        """A member as a tree of local names: `w:p` is `p`, whatever its namespace."""
        builder = TreeBuilder()
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.EntityDeclHandler = _no_entities
        parser.StartElementHandler = lambda name, marks: builder.start(
            _local(name), {_local(mark): value for mark, value in marks.items()}
        )
        parser.EndElementHandler = lambda name: builder.end(_local(name))
        parser.CharacterDataHandler = builder.data
        parser.Parse(self.read(name), True)
        return builder.close()


def _no_entities(*declared: object) -> None:
    raise Unreadable(UNSUPPORTED)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _docx(data: bytes) -> str:
    body = _Packed(data).xml("word/document.xml").find("body")
    return "\n\n".join(_blocks(body)) if body is not None else ""


def _blocks(body: Element) -> Iterator[str]:
    for block in body:
        if block.tag == "p":
            style = block.find("pPr/pStyle")
            title = style is not None and style.get("val", "").startswith(("Heading", "Title"))
            yield f"# {_paragraph(block)}" if title else _paragraph(block)
        elif block.tag == "tbl":
            rows = ([_said(cell) for cell in row.findall("tc")] for row in block.findall("tr"))
            yield "\n".join(map(_row, rows))
        elif block.tag == "sdt":  # a control around ordinary blocks, such as a table of contents
            yield from _blocks(found if (found := block.find("sdtContent")) is not None else block)


def _said(cell: Element) -> str:
    return " ".join(_paragraph(each) for each in cell.iter("p"))


def _paragraph(paragraph: Element) -> str:
    """The runs of a paragraph; deleted text has a tag of its own and stays out."""
    spoken = {"t": None, "tab": "\t", "br": "\n", "cr": "\n"}
    return "".join(spoken[each.tag] or each.text or "" for each in paragraph.iter() if each.tag in spoken)


def _xlsx(data: bytes) -> str:
    packed = _Packed(data)
    shared: list[str] = []
    if "xl/sharedStrings.xml" in packed:
        shared = ["".join(t.text or "" for t in each.iter("t")) for each in packed.xml("xl/sharedStrings.xml")]
    links = {each.get("Id"): each.get("Target", "") for each in packed.xml("xl/_rels/workbook.xml.rels")}
    told, room = [], MOST_CELLS
    for sheet in packed.xml("xl/workbook.xml").iter("sheet"):
        path = posixpath.normpath(posixpath.join("/xl", links[sheet.get("id")])).lstrip("/")
        rows = [sheet.get("name", ""), ""]
        for row in packed.xml(path).iter("row"):
            cells = _cells(row, shared)
            room -= len(cells)
            if room < 0:
                raise Unreadable(TOO_LARGE)
            rows += [_row(cells)] if any(cells) else []
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


def _epub(data: bytes) -> str:
    packed = _Packed(data)
    book = next(packed.xml("META-INF/container.xml").iter("rootfile")).get("full-path", "")
    contents = packed.xml(book)
    places = {item.get("id"): item.get("href", "") for item in contents.iter("item")}
    folder = posixpath.dirname(book)
    chapters = [places[each.get("idref")] for each in contents.iter("itemref")]
    paths = [posixpath.normpath(posixpath.join(folder, unquote(chapter))) for chapter in chapters]
    return "\n\n".join(_Prose().read(_plain(packed.read(path))) for path in paths)


class _Prose(HTMLParser):
    """The words of a web page: blocks become lines, cells of a row are kept apart, scripts are skipped."""

    _BLOCKS = frozenset(
        ("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "tr", "table", "ul", "ol", "br", "section", "blockquote")
    )
    _SILENT = frozenset(("script", "style", "head"))

    def read(self, page: str) -> str:
        self._said: list[str] = []
        self._quiet = 0
        self.feed(page)
        self.close()
        lines = (" ".join(each.split()).strip(" |") for each in "".join(self._said).split("\n"))
        return "\n".join(line for line in lines if line)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._quiet += tag in self._SILENT
        heading = "\n# " if tag[0] == "h" and tag[1:].isdigit() else ""
        self._said.append(heading or ("\n" if tag in self._BLOCKS else " | " if tag in ("td", "th") else ""))

    def handle_endtag(self, tag: str) -> None:
        self._quiet -= tag in self._SILENT
        self._said.append("\n" if tag in self._BLOCKS else "")

    def handle_data(self, data: str) -> None:
        if self._quiet <= 0:
            self._said.append(data.replace("\n", " "))


def _pdf(data: bytes) -> str:
    from pypdf import PdfReader

    logging.getLogger("pypdf").addHandler(logging.NullHandler())  # else it tells stderr about every small damage
    reader = PdfReader(io.BytesIO(data))
    if len(reader.pages) > MOST_PAGES:
        raise Unreadable(f"exceeds page limits ({MOST_PAGES} pages).")
    return "\n\n".join(_flowing(page.extract_text()).strip() for page in reader.pages)


def _flowing(page: str) -> str:
    """A page's lines as paragraphs: a full line that ends no sentence goes on in the next, a short one is a heading."""
    lines = [line.strip() for line in page.splitlines()]
    widest = max(map(len, lines), default=0)
    text = ""
    for line in lines:
        open_end = bool(line) and not line.endswith(_ENDS)
        title = open_end and len(line) < widest * _SHORT_LINE and not re.search(r"\d", line)
        text += ("# " if title else "") + line + (" " if open_end and len(line) >= widest * _FULL_LINE else "\n\n")
    return text


_READERS: dict[str, Callable[[bytes], str]] = {
    "txt": _plain,
    "md": _plain,
    "csv": _csv,
    "json": _json,
    "jsonl": _plain,
    "docx": _docx,
    "xlsx": _xlsx,
    "epub": _epub,
    "pdf": _pdf,
}
