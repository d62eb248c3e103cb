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

from qwenkit.catalogue import Model, tokens
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
_APART = re.compile(r"\s*(?:$|#|[-*•] |\d+[.)、] )")  # a blank line, a heading, an item
_WIDE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_RULE = re.compile(r"[\s|:-]+")
_SEVERAL = re.compile(r"[,，\s]+")


class Attached(NamedTuple):
    """The order as the mind gets it, and how many more tokens its documents are than the words that point to them."""

    order: Order
    tokens: int = 0


def attached(service: Service, order: Order) -> Attached:
    """The order with its documents read, or the refusal of the first that cannot be."""
    most = order.model.limits.get("files")
    ids = [each for message in order.messages for each in _ids(message)]
    if not most:
        return Attached(order)
    _check_question(order)
    if not ids:
        return Attached(order)
    if len(ids) > int(most):
        raise invalid("Too many files provided.")
    files = [_file(service, each) for each in ids]
    rest = tokens.count_messages(_without(order.messages))
    total = sum(file.tokens for file in files)
    _check_length(order.model, total + rest)
    asked = last_words(order.messages)
    body = {**order.body, "messages": _with_passages(order.messages, files, asked)}
    return Attached(replace(order, body=body), total + rest - tokens.count_messages(order.messages))


def _ids(message: dict[str, Any]) -> list[str]:
    """The file ids of a system message; text that points to no file stays text."""
    said = last_words([{**message, "role": "user"}]).strip() if message["role"] == "system" else ""
    if not said.startswith(SCHEME):
        return []
    return [each.removeprefix(SCHEME) for each in _SEVERAL.split(said) if each]


def _without(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in messages if not _ids(message)]


def _check_question(order: Order) -> None:
    """Beside a document the question itself must be short."""
    most = order.model.limits.get("user_tokens")
    several = sum(message["role"] == "system" for message in order.messages) > 1
    if most and several and tokens.count(last_words(order.messages)) > int(most):
        raise invalid(f"Range of input length should be [1, {most}]")


def _check_length(model: Model, total: int) -> None:
    if model.max_input and total > model.max_input:
        raise invalid(f"Total message token length exceed model limit ({model.max_input} tokens).")


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


def _with_passages(messages: list[dict[str, Any]], files: list[StoredFile], asked: str) -> list[dict[str, Any]]:
    """The conversation, before it what the files say about the question; for a summary, how they begin."""
    from qwenkit.sandbox.mind.cues import cue

    index = _index(tuple(file.text for file in files))
    told = index.beginning if cue("extract.summary").search(asked) else index.about(asked)
    return [{"role": "document", "content": told}, *_without(messages)]


class _Index:
    """Documents in passages of a few pieces under one heading. Headings help to find them, and are not shown."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self._told: list[str] = []
        pieces = [piece for text in texts for piece in _pieces(text)]
        titles: list[str] = []
        for piece in pieces:
            for part in passages(piece.text, PASSAGE):
                if self._told and titles[-1] == piece.title and len(self._told[-1]) + len(part) < PASSAGE:
                    self._told[-1] += f"\n{part}"
                else:
                    self._told.append(part)
                    titles.append(piece.title)
        self._ranking = Ranking(f"{title}\n{text}" for title, text in zip(titles, self._told, strict=True))
        self.beginning = "\n".join(piece.text for piece in pieces if not piece.row)[:MOST_READ]

    def about(self, asked: str) -> str:
        """The passages that share the most with the question, in the order of the documents."""
        places = sorted(found.place for found in self._ranking.best(asked, MOST_PASSAGES))
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


def _pieces(text: str) -> Iterator[Piece]:
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
