"""Text as such: which encoding its bytes are in, and tables and JSON written as text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable

from qwenkit.reading.document import TOO_LARGE, UNSUPPORTED, Unreadable

MOST_JSON = 32 * 1024 * 1024  # bytes; its values may need twenty times as many
MOST_LINES = 500_000  # that are looked at one by one
MOST_MARKS = 5_000_000  # of what parts the cells of a table
_SAMPLE = 20_000  # bytes that tell an encoding
_SURE, _LIKELY = 0.9, 0.5  # the share of letters in their place that UTF-16 without its mark needs, and any other
_BROKEN = 0.2  # characters that UTF-8 may miss, for each that it reads, before it is taken for something else
_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\0\0": "utf-32",  # before the mark of UTF-16, which it begins with
    b"\0\0\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_WIDE = re.compile("[\u3000-\u3015\uff01-\uff5e‘’“”…—·]")
_PLAIN = re.compile(r"[\t\n\r\x20-\x7e]")
_WESTERN = re.compile(r"(?<![^\x00-\x7f])[À-ÖØ-öø-ÿ«»°£§©®ß€‚-„…†-‰‹›‘’“”•–—™Œœ\xa0¡¿½¼²³]{1,2}(?![^\x00-\x7f])")
_LINE = re.compile(rb"[^\n]*\n?")


def text(data: bytes) -> str:
    """Text in UTF-8, UTF-16 or UTF-32 with a mark or UTF-16 without one, GB 18030 or Windows-1252, even if lines
    differ: those that are no UTF-8 are read as what most becomes of them."""
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return data.decode(name, "replace")
    if (wide := _unmarked(data)) is not None:
        return wide
    try:
        return data.decode()
    except UnicodeDecodeError as wrong:
        first = wrong.start
    if data.count(b"\n", first) > MOST_LINES:
        return data.decode(_guess(data[first : first + _SAMPLE]), "replace")
    start = data.rfind(b"\n", 0, first) + 1
    lines = _LINE.findall(data, start)
    name = _guess(b"".join(line for line in lines if not _is_utf8(line)))
    rest = (line.decode() if _is_utf8(line) else line.decode(name, "replace") for line in lines)
    return data[:start].decode() + "".join(rest)


def _unmarked(data: bytes) -> str | None:
    """UTF-16 without its mark: with zeros in every other place, or Chinese all through."""
    sample = data[: _SAMPLE & ~1]
    zeros = b"\0" in sample
    if not zeros and (len(data) % 2 or len(sample) < 8 or _is_utf8(sample, cut=True)):
        return None
    score, name = max((_share(sample.decode(name, "replace")), name) for name in ("utf-16-le", "utf-16-be"))
    if score >= _SURE and (zeros or score > _share(sample.decode("gb18030", "replace"))):
        return data.decode(name, "replace")
    if zeros:
        raise Unreadable(UNSUPPORTED)
    return None


def _is_utf8(data: bytes, cut: bool = False) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        return cut and wrong.start >= len(data) - 3
    return True


def _guess(bad: bytes) -> str:
    """What lines are written in that are no UTF-8, or that they are UTF-8 with a few bytes broken."""
    read = bad[:_SAMPLE].decode("utf-8", "replace")
    missed, odd = read.count("\ufffd"), sum(mark > "\x7f" for mark in read)
    if missed <= _BROKEN * (odd - missed):
        return "utf-8"
    sample = bytes(bad[:_SAMPLE])
    chinese = _share(sample.decode("gb18030", "replace"), odd=True)
    western = _western(sample.decode("cp1252", "replace"))
    if max(chinese, western) < _LIKELY:
        raise Unreadable(f"{UNSUPPORTED} (It is no text in UTF-8, UTF-16, GB 18030 or Windows-1252.)")
    return "gb18030" if chinese >= western else "cp1252"


def _share(read: str, odd: bool = False) -> float:
    """The share of letters that a Chinese or English page has; of those beyond ASCII alone with `odd`."""
    told = [mark for mark in read if not (odd and mark < "\x80")]
    fit = sum(bool(_PLAIN.match(mark) or _WIDE.match(mark)) or _common(mark) for mark in told)
    return fit / (len(told) or 1)


def _common(mark: str) -> bool:
    """Whether a character is one of the 3,755 that GB 2312 calls common."""
    if not "\u4e00" <= mark <= "\u9fff":
        return False
    try:
        return 0xB0 <= mark.encode("gb2312")[0] <= 0xD7
    except UnicodeEncodeError:
        return False


def _western(read: str) -> float:
    """The share of characters beyond ASCII that stand as letters and marks of western languages do."""
    odd = sum(mark > "\x7f" for mark in read)
    return sum(map(len, _WESTERN.findall(read))) / (odd or 1)


def of_json(data: bytes) -> str:
    if len(data) > MOST_JSON:
        raise Unreadable(TOO_LARGE)
    said = text(data)
    json.loads(said)
    return said


def of_csv(data: bytes) -> str:
    said = text(data)
    first = said.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    if said.count(mark) > MOST_MARKS:
        raise Unreadable(TOO_LARGE)
    return "\n".join(row(cells) for cells in csv.reader(io.StringIO(said, newline=""), delimiter=mark) if cells)


def row(cells: Iterable[str]) -> str:
    return " | ".join(" ".join(cell.split()) for cell in cells)
