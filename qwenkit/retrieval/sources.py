"""What may be added to a shelf: files, folders, texts, dicts with a text, documents that were read already.

A document is known by its name and a digest of its content and of how it is split, so that an unchanged file is
neither read nor embedded again. A file's bytes are opened when it is its turn.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from qwenkit.errors import ConfigError
from qwenkit.retrieval.naming import UNSEEN, path_name
from qwenkit.retrieval.splitting import Piece, split
from qwenkit.types.retrieval import Held

_PATH = re.compile(  # a text that is a path and nothing else, there or not
    r"~\w*(?:[/\\][^\n]*)?|(?:\.{1,2}|[A-Za-z]:|/\w[^/\n]*)[/\\][^\n]*(?<!\w[.!?])"
    r"|(?=\S*[/\\])[^\s\"<>|{}。！？；，：、]+(?<![!?,;:])|\S{1,255}\.[A-Za-z]\w{1,4}"
    r"|\S[^\n]{0,99}\.(?:csv|docx?|html?|ipynb|json|md|pdf|pptx?|txt|xlsx?)"
)
_KEYS = ("text", "title", "meta", "name")
_HINT = "pass paths, folders, texts, or dicts such as {'text': '…', 'title': '…', 'meta': {…}}"


class Source(NamedTuple):
    """Something to add: a file, or a text."""

    name: str
    path: Path | None = None
    text: str = ""
    title: str = ""
    meta: Mapping[str, Any] = {}

    def read(self) -> tuple[bytes, str]:
        """Its bytes, or why there are none."""
        try:
            return self.path.read_bytes() if self.path else self.text.encode(), ""
        except OSError as unread:
            return b"", unread.strerror or str(unread)


class Splitter(NamedTuple):
    """How documents are split."""

    size: int
    overlap: int

    def digest(self, source: Source) -> tuple[str, str]:
        """What a document is known by beside its name, or why it cannot be read."""
        data, unread = source.read()
        return self._digest(source, data), unread

    def _digest(self, source: Source, data: bytes) -> str:
        told = json.dumps([source.title, source.meta, *self], sort_keys=True)
        return hashlib.blake2b(told.encode() + b"\0" + data, digest_size=16).hexdigest()

    def pieces(self, source: Source) -> tuple[Held, list[Piece], str]:
        """The document and its pieces, or why there are none."""
        (data, unread), title, text = source.read(), source.title, source.text
        if source.path and not unread:
            from qwenkit.reading import Unreadable, read

            try:
                document = read(source.path.name, data)
                title, text = title or document.title, document.text
            except Unreadable as refused:
                unread = str(refused)
        pieces = [] if unread else split(text, self.size, self.overlap, title)
        held = Held(source.name, title, len(pieces), self._digest(source, data), dict(source.meta))
        return held, pieces, unread or ("" if pieces else "there is no text in it")


def sources(given: Any) -> Iterator[Source | tuple[str, str]]:
    """Each thing to add, in order; in place of what is not there its name and the reason."""
    alone = isinstance(given, str | PurePath | Mapping) or hasattr(given, "text")
    if not alone and (isinstance(given, bytes) or not isinstance(given, Iterable)):
        raise ConfigError(f"a {type(given).__name__} cannot be added", hint=_HINT)
    for each in [given] if alone else given:
        yield from _sources(each)


def _sources(given: Any) -> Iterator[Source | tuple[str, str]]:
    if isinstance(given, str) and _path(given):
        given = Path(given)
    if given == "":
        yield "", "there is no text in it"
    elif isinstance(given, PurePath):
        path = Path(given if os.path.exists(given) else os.path.expanduser(given))
        yield from _files(path, path_name(path if os.path.exists(path) else given))
    elif isinstance(given, str):
        yield _text({"text": given})
    elif isinstance(given, Mapping):
        yield _text(given)
    elif isinstance(getattr(given, "text", None), str):
        yield _text({"text": given.text, "title": getattr(given, "title", "")})
    else:
        raise ConfigError(f"a {type(given).__name__} cannot be added", hint=_HINT)


def _path(text: str) -> bool:
    if len(text) > 1000 or UNSEEN.search(text):
        return False
    return bool(_PATH.fullmatch(text)) or os.path.exists(text)


def _files(path: Path, name: PurePath) -> Iterator[Source | tuple[str, str]]:
    """A file, or all of a folder but the hidden ones, in the order of their names."""
    if os.path.isfile(path):
        yield Source(name.as_posix(), path)
    elif os.path.isdir(path):
        try:
            inside = sorted(path.iterdir())
        except OSError as unread:
            yield name.as_posix(), unread.strerror or str(unread)
            return
        for each in inside:
            if not each.name.startswith(".") and not (each.is_symlink() and each.is_dir()):
                yield from _files(each, name / each.name)
    else:
        yield name.as_posix(), "there is no such file"


def _text(given: Mapping[str, Any]) -> Source:
    text, title, meta = given.get("text"), given.get("title") or "", given.get("meta") or {}
    unknown = [key for key in given if key not in _KEYS]
    if not isinstance(text, str) or not isinstance(title, str) or not isinstance(meta, Mapping) or unknown:
        wrong = f"has no place for {unknown[0]!r}" if unknown else "needs a text, and may have a title and meta"
        raise ConfigError(f"a document as a dict {wrong}", hint=f"{_HINT}; what else you know goes under 'meta'")
    try:
        json.dumps(meta)
    except (TypeError, ValueError) as unfit:
        raise ConfigError(f"meta cannot be kept: {unfit}", hint="plain texts, numbers, lists and dicts") from None
    text = UNSEEN.sub("", text)
    digest = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    return Source(str(given.get("name") or title or f"text-{digest}"), None, text, title, meta)
