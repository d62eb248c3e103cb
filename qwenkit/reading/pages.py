"""PDF: the text of its pages, lines joined to paragraphs. Damaged, locked and endless files are refused."""

from __future__ import annotations

import io
import logging
import re
import time
from typing import Any

from qwenkit.reading.document import TOO_LARGE, UNSUPPORTED, Unreadable

MOST_PAGES = 15_000
MOST_SECONDS = 120.0  # over one document; a page made of a million operations has no more to say than another
_ENDS = (".", "!", "?", ":", "。", "！", "？", "：")
_SHORT_LINE, _FULL_LINE = 0.6, 0.7  # of the widest line of a page


def pdf(data: bytes) -> list[str]:
    from pypdf import PdfReader

    logging.getLogger("pypdf").addHandler(logging.NullHandler())  # else it tells stderr about every small damage
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable(f"{UNSUPPORTED} (It is protected by a password.)")
    if len(reader.pages) > MOST_PAGES:
        raise Unreadable(f"exceeds page limits ({MOST_PAGES} pages).")
    until = time.monotonic() + MOST_SECONDS

    def watch(*operation: Any) -> None:
        if time.monotonic() > until:
            raise Unreadable(TOO_LARGE)

    return [_flowing(page.extract_text(visitor_operand_before=watch)).strip() for page in reader.pages]


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
