"""What reading gives: a document with its text and pages, or the reason why there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNSUPPORTED = "format is not supported."
BLANK = "content blank."
TOO_LARGE = "exceeds size limit."
MOST_TEXT = 160_000_000  # characters of one document
_HEADING = re.compile(r"^#{1,6} (.+)", re.MULTILINE)
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_FRONT = 20_000  # characters in which a title is looked for


class Unreadable(Exception):
    """A document without a text; the message says why, to be put after "File [id:…] "."""


@dataclass(frozen=True)
class Document:
    """One document. Headings of the text are lines after `#` to `######`; `pages` are there where the format has
    them; `kind` is the ending of the name, in small letters."""

    title: str
    text: str
    pages: list[str] | None
    kind: str


def cleaned(text: str) -> str:
    """Without control characters and lone surrogates, which no display and no database is glad of."""
    return _UNSEEN.sub("", text).strip()


def heading(text: str) -> str:
    """The first heading, where there is one near the beginning."""
    found = _HEADING.search(text, 0, _FRONT)
    return found[1].strip() if found else ""
