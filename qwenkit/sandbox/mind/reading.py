"""Reading a conversation: plain text out of wire messages, sentences, words that matter, and the language it is in.

Everything here accepts anything: unknown parts, nulls, half characters, a megabyte on one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from .library import lexicon

LONG = 3000  # of a longer question only the two ends are read as instructions
_CJK = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_LATIN = re.compile(r"[A-Za-z]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SENTENCE = re.compile(r"(?<=[.!?])(?<!Mr\.)(?<!Ms\.)(?<!Mrs\.)(?<!Dr\.)(?<!St\.)(?<!e\.g\.)\s+|(?<=[。！？!?])|\n+")
_WORD = re.compile(r"[a-z0-9][a-z0-9_]*|[\u3400-\u9fff]+")
_ENDINGS = ("ing", "ed", "es", "s", "e")


class Turn(NamedTuple):
    role: str
    text: str


def whole(text: str) -> str:
    """The same text with half characters (lone surrogates) replaced, so that it can be sent as UTF-8."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def content(message: dict[str, Any]) -> str:
    """The words of a message, whatever shape they came in; of one without written words those that were spoken."""
    given = message.get("content")
    if isinstance(given, str):
        return whole(given)
    parts = given if isinstance(given, list) else []
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return whole("\n".join(text for text in texts if isinstance(text, str))) or spoken(message)


def spoken(message: dict[str, Any]) -> str:
    """What the ears understood of the recordings in a message."""
    return "\n".join(each.text for each in percepts(message) if getattr(each, "segments", None) and each.text)


def percepts(message: dict[str, Any]) -> list[Any]:
    """What was seen and heard in a message, in order: the service puts it in the place of pictures and recordings."""
    parts = message.get("content")
    held = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return [part["perceived"] for part in held if part.get("perceived") is not None]


def turns(messages: Iterable[Any]) -> list[Turn]:
    return [Turn(str(each.get("role")), content(each)) for each in messages if isinstance(each, dict)]


def language(text: str) -> str:
    """ "zh" when Chinese characters outnumber Latin words."""
    return "zh" if len(_CJK.findall(text[:LONG])) > len(_LATIN.findall(text[:LONG])) else "en"


def ends(text: str) -> str:
    """A question short enough to look for patterns in: the two ends of a very long one."""
    return text if len(text) <= LONG else text[: LONG // 2] + "\n" + text[-LONG // 2 :]


def sentences(text: str) -> list[str]:
    return [found for piece in _SENTENCE.split(text) if (found := piece.strip())]


@cache
def _stopwords() -> frozenset[str]:
    return frozenset(lexicon()["stopwords"])


def stem(word: str) -> str:
    """leaves, leaving, leave -> leav"""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)]
    return word


def words(text: str) -> list[str]:
    """Words that carry meaning: stems of English words, pairs of Chinese characters."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _CJK.match(word):
            pairs = [word[at : at + 2] for at in range(max(1, len(word) - 1))]
            found += [pair for pair in pairs if pair not in _stopwords()]
        elif word not in _stopwords():
            found.append(stem(word))
    return found
