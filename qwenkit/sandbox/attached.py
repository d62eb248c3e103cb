"""Documents a chat request points to: `fileid://…` in system messages, for the models that take files.

The service puts whole documents before the model, millions of tokens of them. The mind here reads a few pages, so what
it is shown are the passages that fit the question best, found by BM25 over everything the files say; rows of tables
come with their column names. The bill counts the documents whole, as the service's does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from qwenkit.catalogue import tokens
from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.files import Files, StoredFile
from qwenkit.sandbox.messages import last_words
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.retrieval import Ranking, passages
from qwenkit.sandbox.service import Service

SCHEME = "fileid://"
MOST_PASSAGES = 8
PASSAGE = 500  # characters
LONGEST = 10_000  # characters of one piece: what cuts it is slow with long ones
MOST_READ = 60_000  # characters of a document that a summary is made of
_ID = re.compile(r"file-fe-[0-9A-Za-z-]+")
_APART = re.compile(  # a blank line, a heading, an item, a line of a form
    r"\s*(?:$|#|[-*•] |\d+[.)、] |(?:[A-Z][\w ]{0,24}|[\u4e00-\u9fff]{1,8})[:：]\s*\S)"
)
_WIDE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_RULE = re.compile(r"[\s|:-]+")
_SEVERAL = re.compile(r"[,，\s]+")


class Attached(NamedTuple):
    """The order as the mind gets it, and how many more tokens its documents are than the words that point to them."""

    order: Order
    tokens: int = 0


def attached(service: Service, order: Order) -> Attached:
    """The order with its documents read, or the refusal of the first that cannot be."""
    from qwenkit.sandbox.mind.cues import cue

    most, longest = order.model.limits.get("files"), order.model.limits.get("user_tokens")
    if not most:
        return Attached(order)
    asked = last_words(order.messages)
    several = sum(message["role"] == "system" for message in order.messages) > 1
    if longest and several and tokens.count(asked) > int(longest):  # beside a document the question must be short
        raise invalid(f"Range of input length should be [1, {longest}]")
    ids = [each for message in order.messages for each in _ids(message)]
    if not ids:
        return Attached(order)
    if len(ids) > int(most):
        raise invalid("Too many files provided.")
    files = [_file(service, each) for each in ids]
    spoken = [message for message in order.messages if not _ids(message)]
    total = sum(file.tokens for file in files) + tokens.count_messages(spoken)
    if order.model.max_input and total > order.model.max_input:
        raise invalid(f"Total message token length exceed model limit ({order.model.max_input} tokens).")
    index = _index(tuple(file.text for file in files))
    told = index.beginning if cue("extract.summary").search(asked) else index.about(asked)
    body = {**order.body, "messages": [{"role": "document", "content": told}, *spoken]}
    return Attached(replace(order, body=body), total - tokens.count_messages(order.messages))


def _ids(message: dict[str, Any]) -> list[str]:
    """The file ids of a system message; text that points to no file stays text."""
    said = last_words([{**message, "role": "user"}]).strip() if message["role"] == "system" else ""
    if not said.startswith(SCHEME):
        return []
    return [each.removeprefix(SCHEME) for each in _SEVERAL.split(said) if each]


def _file(service: Service, name: str) -> StoredFile:
    if not _ID.fullmatch(name):
        raise invalid(f"Invalid file [id:{name[:80]}].")
    file = service.shelf(Files).get(name)
    if file is None:
        raise invalid(f"File [id:{name}] cannot be found.")
    if file.status == "processing":
        raise invalid("File parsing in progress, please try again later.")
    if file.problem:
        raise invalid(f"File [id:{name}] {file.problem}")
    return file


class _Index:
    """Documents in passages of a few pieces under one heading. Headings help to find them, and are not shown."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        pieces = [piece for text in texts for piece in pieces_of(text)]
        titled: list[tuple[str, str]] = []
        for piece in pieces:
            for part in passages(piece.text, PASSAGE):
                title, told = titled[-1] if titled else ("", "")
                if told and title == piece.title and len(told) + len(part) < PASSAGE:
                    titled[-1] = title, f"{told}\n{part}"
                else:
                    titled.append((piece.title, part))
        self._told = [told for _, told in titled]
        self._ranking = Ranking("\n".join(each) for each in titled)
        self.beginning = "\n".join(piece.text for piece in pieces if not piece.row)[:MOST_READ]

    def about(self, asked: str) -> str:
        """The passages that share the most with the question, in the order of the documents."""
        from qwenkit.sandbox.mind.extract import bridged

        places = sorted(found.place for found in self._ranking.best(bridged(asked), MOST_PASSAGES))
        return "\n".join(self._told[place] for place in places or range(len(self._told))[:1])


@lru_cache(maxsize=4)
def _index(texts: tuple[str, ...]) -> _Index:
    """Kept for the next question, because a long document takes a second to count."""
    return _Index(texts)


class Piece(NamedTuple):
    """A paragraph, an item or a row of a table, on one line, and the heading it stands under."""

    title: str
    text: str
    row: bool = False


def pieces_of(text: str) -> Iterator[Piece]:
    """A text piece by piece; a row of a table says what its columns are called."""
    title, piece, names = "", "", list[str]()
    for line in (*_lines(text), "#"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        row = len(cells) > 1
        if piece and (row or _APART.match(line) or len(piece) > LONGEST):
            yield Piece(title, piece)
            piece = ""
        if row and names and not _RULE.fullmatch(line):
            yield Piece(title, _told(title, names, cells), True)
        names = (names or cells) if row else []
        if line.startswith("#"):
            title = line.strip("# \t")
        elif not row:
            piece += ("" if not piece or _WIDE.match(piece[-1]) else " ") + line.strip(">*- \t")


def _lines(text: str) -> Iterator[str]:
    """The lines of a text, very long ones in parts."""
    for line in text.splitlines():
        yield from (line[at : at + LONGEST] for at in range(0, max(len(line), 1), LONGEST))


def _told(title: str, names: list[str], cells: list[str]) -> str:
    """ "Bicycle" below "Passenger", "3" below "Single fare": Fares, Bicycle: Single fare 3."""
    pairs = [f"{name} {cell}".strip() for name, cell in zip(names[1:], cells[1:], strict=False) if cell]
    return f"{title}, {cells[0]}: {', '.join(pairs)}.".removeprefix(", ")
