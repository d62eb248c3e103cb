"""Words of one sense, in English and Chinese: a small list, and the words of the translator's glossary beside it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from qwenkit.sandbox.retrieval import terms

FIRST_HAN = "\u3400"


@cache
def senses() -> dict[str, tuple[str, ...]]:
    """term -> the senses it may have: those of our own list, and pairs of the translator's glossary that it lacks."""
    found: dict[str, tuple[str, ...]] = {}
    for line in _read("senses.txt").splitlines():
        words = [] if line.startswith("#") else line.split()
        for key in dict.fromkeys(map(term, words)):
            found[key] = (*found.get(key, ()), words[0])
    for pair in _read("glossary.txt").replace("\n", ";").split(";"):
        english, _, chinese = (side.strip() for side in pair.partition("="))
        if len(terms(english)) == 1 and len(chinese) > 1 and found.keys().isdisjoint({term(english), chinese}):
            found[term(english)] = found[chinese] = (english,)
    return found


def term(word: str) -> str:
    """A word as it is listed: English ones by their term, Chinese ones whole."""
    return word if word[0] >= FIRST_HAN else (terms(word) or [word])[0]


def longest(words: list[str]) -> re.Pattern[str]:
    """Any of the Chinese words, the longest first."""
    return re.compile("|".join(sorted((word for word in words if word[0] >= FIRST_HAN), key=lambda w: (-len(w), w))))


def _read(name: str) -> str:
    return files("qwenkit.sandbox").joinpath("data", name).read_text("utf-8")
