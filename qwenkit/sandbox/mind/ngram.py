"""Which words tend to follow which: counts over a small corpus of our own, English by tokens, Chinese by characters.

Two uses. `following` is a real next-token distribution (longer contexts weighing more) that goes on from a text.
`doubts` gives the few alternatives a language model would list beside a word it is sure of.
"""

from __future__ import annotations

import zlib
from collections import Counter
from functools import cache

from qwenkit.catalogue.tokens import split

from .library import read

SENTENCE_ENDS = (".", "!", "?", "。", "！", "？")
_CONTEXT = 4  # words, or characters, that are looked back on
_LONGER = 6.0  # how much more a context counts than one that is a word shorter
_WIDTH = 24
_TAIL = 48  # characters of what was said that can matter
_DOUBTS = 4
_SUREST = 8000  # the first doubt is between 1/8000 and 32/8000 as likely as the word itself

_Counts = dict[tuple[str, ...], Counter[str]]


def units(language: str, text: str) -> list[str]:
    return list(text) if language == "zh" else split(text)


@cache
def _counts(language: str) -> _Counts:
    counts: _Counts = {}
    for line in read(f"corpus.{language}.txt").splitlines():
        pieces = ["", *units(language, line if language == "zh" else f" {line}")]
        for at in range(1, len(pieces)):
            for start in range(max(0, at - _CONTEXT), at):
                counts.setdefault(tuple(pieces[start:at]), Counter())[pieces[at]] += 1
    return counts


def following(language: str, said: str) -> list[tuple[str, float]]:
    """What may come after `said`, with weights; a new sentence if its last word was never seen."""
    counts = _counts(language)
    before = tuple(units(language, said[-_TAIL:]))[-_CONTEXT:]
    mixed: dict[str, float] = {}
    for start in range(len(before)):
        for token, count in counts.get(before[start:], {}).items():
            mixed[token] = mixed.get(token, 0.0) + count * _LONGER ** (len(before) - start - 1)
    mixed = mixed or {token: float(n) for token, n in counts[("",)].items()}
    return sorted(mixed.items(), key=lambda each: (-each[1], each[0]))[:_WIDTH]


def knows(language: str, said: str) -> bool:
    """Whether the last word was seen in the corpus."""
    return tuple(units(language, said[-_TAIL:].rstrip(" "))[-1:]) in _counts(language)


@cache
def _common(language: str) -> list[str]:
    """The words said most often, whatever came before."""
    everything: Counter[str] = Counter()
    for context, counts in _counts(language).items():
        everything += counts if len(context) == 1 and context[0] else Counter()
    return [token for token, _ in everything.most_common(3 * _DOUBTS)]


def doubts(language: str, said: str, sure: str, weight: float) -> dict[str, float]:
    """A few other words that could stand there, each some thousandths as likely as the one the mind is sure of.

    How sure it is differs from word to word and depends on nothing but the words, so it is the same in every process.
    """
    likely = list("7351902468") if sure.isdecimal() else [token for token, _ in following(language, said)]
    others = [token for token in dict.fromkeys([*likely, *_common(language)]) if token != sure][:_DOUBTS]
    scale = weight * (1 + zlib.crc32(f"{said[-8:]}|{sure}".encode()) % 32) / _SUREST
    return {token: scale / (1 + at) ** 2 for at, token in enumerate(others)}
