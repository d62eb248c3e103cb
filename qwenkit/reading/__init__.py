"""What is written in a document: `read("fares.docx", data)` opens the format and gives its text, really parsed.

Tables come out as lines of `a | b | c`, headings after `#` to `######`, whatever they were in. What cannot be read is
refused in the words the service uses in chat ("content blank.", "format is not supported."). Every format is read in
bounded time and memory, whatever was done to the file. The text is only ever text: nothing in it is run or obeyed.
Pictures are a documented format, but no text is seen in them here, and the refusal says so.
"""

from __future__ import annotations

from collections.abc import Callable

from qwenkit.reading import office, pages, plain, web
from qwenkit.reading.document import BLANK, MOST_TEXT, TOO_LARGE, UNSUPPORTED, Document, Unreadable, cleaned, heading

__all__ = ["BLANK", "PICTURES", "TOO_LARGE", "UNSUPPORTED", "Document", "Unreadable", "read", "text_of"]

PICTURES = ("bmp", "png", "jpg", "jpeg", "gif")
_READERS: dict[str, Callable[[bytes], str]] = {
    **dict.fromkeys(("txt", "md", "markdown", "jsonl"), plain.text),
    **dict.fromkeys(("html", "htm"), lambda data: web.prose(plain.text(data))),
    **dict.fromkeys(("docx", "docm"), office.docx),
    **dict.fromkeys(("xlsx", "xlsm"), office.xlsx),
    **{"csv": plain.of_csv, "json": plain.of_json, "epub": office.epub},
}
_UNREAD = {"mobi": "MOBI; EPUB it does", "doc": "DOC; DOCX it does", "xls": "XLS; XLSX it does", "rtf": "RTF"}


def text_of(filename: str, data: bytes) -> str:
    """The text of a document; its format goes by the ending of its name. `Unreadable` when there is none."""
    return read(filename, data).text


def read(filename: str, data: bytes) -> Document:
    """A document with its title and pages; its format goes by the ending of its name. `Unreadable` when it has none."""
    ending = filename.rpartition(".")[2].lower()
    if ending in PICTURES:
        raise Unreadable(f"{BLANK} (qwenkit reads no text in pictures.)")
    if ending in _UNREAD:
        raise Unreadable(f"{UNSUPPORTED} (qwenkit does not read {_UNREAD[ending]}.)")
    if ending != "pdf" and ending not in _READERS:
        raise Unreadable(UNSUPPORTED)
    if len(data) > MOST_TEXT:
        raise Unreadable(TOO_LARGE)
    try:
        told = pages.pdf(data) if ending == "pdf" else _READERS[ending](data).split("\f")
    except Unreadable:
        raise
    except (Exception, RecursionError) as broken:  # a damaged file can make anything of its reader
        raise Unreadable(
            f"{UNSUPPORTED} (It is no {ending.upper()} that can be read: damaged, or something else.)"
        ) from broken
    parts = [cleaned(page) for page in told]
    text = "\n\n".join(parts).strip()
    if not text:
        raise Unreadable(BLANK)
    named = web.title(plain.text(data)) if ending in ("html", "htm") else ""
    stem = filename.replace("\\", "/").rpartition("/")[2].rpartition(".")[0]
    paged = ending == "pdf" or len(parts) > 1
    return Document(named or heading(text) or stem, text, parts if paged else None, ending)
