"""Finding what a question is about: terms, BM25 and passages, the same for rerank, file search, web search and long
documents.

A term is a word, folded and with its plural taken off, or a Chinese character and each pair of neighbours. Everything
is counted from the texts at hand; nothing is learned and nothing is random.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

_WORD = re.compile(r"[a-zà-öø-ÿ0-9]+(?:['’.-][a-zà-öø-ÿ0-9]+)*|[\u3400-\u9fff]+")
_IDLE_WORDS = (
    "a an and are as at be but by can could did do does for from had has have how i if in into is it its me my of on "
    "or our so that the their them then there these they this to was we were what when where which who why will with "
    "would you your tell about please 的 了 是 在 我 你 他 她 它 们 吗 呢 啊 吧 和 与 及 或 也 就 都 而 着 把 被 个 "
    "什么 怎么 哪里 哪个 请问"
)
_IDLE = frozenset(_IDLE_WORDS.split())
_K, _B = 1.2, 0.75  # how fast repetition stops counting, how much length does


def terms(text: str) -> list[str]:
    """The terms of a text, in order, idle words left out."""
    found: list[str] = []
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        if word[0] >= "\u3400":
            found += [*word, *(word[at : at + 2] for at in range(len(word) - 1))]
        else:
            found.append(_stem(word))
    return [term for term in found if term not in _IDLE]


def _stem(word: str) -> str:
    if word == "news":  # is no plural
        return word
    for tail, rest in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("s", "")):
        if word.endswith(tail) and len(word) - len(tail) >= 3 and not word.endswith(("ss", "us", "is")):
            return (word[: -len(tail)] + rest).rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


class Found(NamedTuple):
    """One text that matches: its place in the list, and how well, in BM25 units."""

    place: int
    score: float


class Ranking:
    """A list of texts, counted once, asked often."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._counts = [Counter(terms(text)) for text in texts]
        self._lengths = [sum(count.values()) for count in self._counts]
        self._mean = sum(self._lengths) / len(self._lengths) if self._lengths else 0.0
        self._holding = Counter(term for count in self._counts for term in count)

    def score(self, query: str, place: int) -> float:
        count, norm = self._counts[place], _K * (1 - _B + _B * self._lengths[place] / (self._mean or 1))
        return sum(
            self._weight(term) * count[term] * (_K + 1) / (count[term] + norm)
            for term in set(terms(query))
            if term in count
        )

    def best(self, query: str, most: int | None = None) -> list[Found]:
        """The texts that share a term with the query, best first; equals keep their order."""
        scored = [Found(place, self.score(query, place)) for place in range(len(self._counts))]
        return sorted((found for found in scored if found.score > 0), key=lambda found: -found.score)[:most]

    def covered(self, query: str, place: int) -> float:
        """The share of a query's terms, by what they weigh, that a text holds."""
        weights = {term: self._weight(term) for term in terms(query)}
        held = sum(weight for term, weight in weights.items() if term in self._counts[place])
        return held / (sum(weights.values()) or 1.0)

    def ceiling(self, query: str) -> float:
        """What no text can pass: every term of the query, repeated without end."""
        return sum(self._weight(term) * (_K + 1) for term in set(terms(query)))

    def _weight(self, term: str) -> float:
        holding = self._holding[term]
        return math.log(1 + (len(self._counts) - holding + 0.5) / (holding + 0.5))


_BREAK = re.compile(r"(?<=[.!?。！？])\s+|(?<=[。！？])|\n{2,}")


def passages(text: str, size: int = 700) -> list[str]:
    """A text in passages of about `size` characters, cut between sentences and never inside a word."""
    found: list[str] = []
    for piece in _BREAK.split(text):
        for part in _cut(piece.strip(), size):
            if found and len(found[-1]) + len(part) < size:
                found[-1] += ("" if found[-1].endswith(("。", "！", "？")) else " ") + part
            elif part:
                found.append(part)
    return found


def _cut(piece: str, size: int) -> list[str]:
    parts: list[str] = []
    while len(piece) > size:
        at = piece.rfind(" ", 0, size) + 1 or size
        parts.append(piece[:at].rstrip())
        piece = piece[at:]
    return [*parts, piece]
