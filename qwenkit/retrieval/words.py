"""The words of a text, for an index that finds Chinese of any length.

What is written without blanks (Han, kana) is spelled out as single characters and pairs of neighbours, so that a word
of one character, of two, and each part of a longer one is a term of the index. Everything else is left to its blanks;
SQLite folds and stems it, for the other engines `terms` does.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

_RUN = re.compile("[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_WORD = re.compile(r"[^\W_]+")
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""))
_IDLE_WORDS = (
    "a an and are as at be but by can could did do does for from had has have how i if in into is it its me my of on "
    "or our so that the their them then there these they this to was we were what when where which who why will with "
    "would you your 的 了 是 在 我 你 他 她 它 们 吗 呢 啊 吧 和 与 及 或 也 就 都 而 着 把 被 个"
)
_IDLE = frozenset(_IDLE_WORDS.split())
_MOST_TERMS = 64  # of a query; more only cost time


def spaced(text: str) -> str:
    """The text with its Chinese spelled out: 看灯塔 as 看 灯 塔 看灯 灯塔."""
    return _RUN.sub(_spelled, unicodedata.normalize("NFKC", text))


def _spelled(found: re.Match[str]) -> str:
    run = found[0]
    return f" {' '.join(run)} {' '.join(map(''.join, pairwise(run)))} "


def asked(query: str) -> list[str]:
    """The words to look for, each once: pairs where Chinese has them, single characters where they stand alone."""
    text = unicodedata.normalize("NFKC", query).casefold()
    found: list[str] = []
    for word in _WORD.findall(_RUN.sub(lambda run: f" {run[0]} ", text)):
        pairs = list(map("".join, pairwise(word))) if _RUN.match(word) else []
        found += pairs or [word]
    unique = list(dict.fromkeys(found))
    return ([word for word in unique if word not in _IDLE] or unique)[:_MOST_TERMS]


def shared(words: list[str], text: str) -> float:
    """The share of a query's words that a text holds."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return sum(stem(word) in folded for word in words) / (len(words) or 1)


def terms(text: str) -> list[str]:
    """Every term of a text, in order, folded and without common endings."""
    return [stem(word) for word in _WORD.findall(spaced(text).casefold()) if word not in _IDLE]


def stem(word: str) -> str:
    if word.isascii():
        for ending, rest in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith(("ss", "us", "is")):
                return word[: -len(ending)] + rest
    return word
