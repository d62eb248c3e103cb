"""Text to what can be said in one breath: sentences, and in each the runs of one language.

A sentence ends where its mark says so, unless the mark stands in a number or after an abbreviation; one that is too
long ends at a comma, else between words. `Auto` goes by script: Han is Chinese, or Japanese where kana is near.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from qwenkit.sandbox.casting import CODES, LANGUAGES

LONGEST_SENTENCE = 220
_SCRIPTS = [
    ("kana", re.compile(r"[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f]")),
    ("han", re.compile(r"[\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")),
    ("hangul", re.compile(r"[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]")),
    ("cyrillic", re.compile(r"[\u0400-\u052f]")),
    ("latin", re.compile(r"[^\W\d_]")),
]
_OF_SCRIPT = {"kana": "ja", "hangul": "ko", "cyrillic": "ru", "latin": "en-us"}
_LATIN = {"en-us", "de", "it", "pt", "es", "fr"}
_ENDS = re.compile(r"[。！？…；]+[”’」』）]*|[.!?;]+[\"'”’)\]]*(?=\s|$)|\n+")
_COMMAS = re.compile(r"[,，、:：](?!\d)\s*")
_ABBREVIATION = re.compile(r"\b(?:Mrs?|Ms|Dr|Prof|St|vs|etc|No|[A-Z]|e\.g|i\.e|a\.m|p\.m)\.$")
_PAUSES = {"\n": 450, ";": 260, "；": 260}
_PAUSE = 340


@dataclass(frozen=True)
class Sentence:
    """Where it begins in the text, what it is, its runs (language, text), the pause after it."""

    begin: int
    text: str
    runs: tuple[tuple[str, str], ...]
    pause_ms: int


def sentences(text: str, language: str = "Auto", chinese: str = "cmn") -> Iterator[Sentence]:
    """What there is to say, in order. Nothing comes from a text without a letter or a digit."""
    text = speakable(text)
    for begin, end in _spans(text):
        said = text[begin:end]
        runs = tuple(_runs(said, _base(text, language), chinese))
        if runs:
            mark = said.rstrip()[-1:] if text[end - 1 : end] != "\n" else "\n"
            yield Sentence(begin, said, runs, _PAUSES.get(mark, _PAUSE))


def speakable(text: str) -> str:
    """The text with a blank for every character that cannot be said, in the same places."""
    return "".join(each if each in "\n\t" or unicodedata.category(each)[0] != "C" else " " for each in text)


def language_of(text: str, language: str = "Auto") -> str:
    """The language most of a text is in, as a two-letter code."""
    counts: dict[str, int] = {}
    for sentence in sentences(text, language):
        for code, run in sentence.runs:
            weight = len(run.split()) if code in _LATIN or code == "ru" else sum(map(str.isalnum, run))
            counts[code] = counts.get(code, 0) + weight
    best = max(counts, key=lambda code: counts[code], default="en-us")
    return CODES.get(best, best)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    begin = 0
    for mark in _ENDS.finditer(text):
        if mark.group() == "." and _ABBREVIATION.search(text, max(begin, mark.end() - 8), mark.end()):
            continue
        yield from _short(text, begin, mark.end())
        begin = mark.end()
    yield from _short(text, begin, len(text))


def _short(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    while end - begin > LONGEST_SENTENCE:
        most = begin + LONGEST_SENTENCE
        cuts = [mark.end() for mark in _COMMAS.finditer(text, begin + LONGEST_SENTENCE // 3, most)]
        cut = cuts[-1] if cuts else text.rfind(" ", begin + 1, most) + 1 or most
        yield begin, cut
        begin = cut
    if begin < end:
        yield begin, end


def _base(text: str, language: str) -> dict[str, str]:
    """The language of each script in this text."""
    asked = LANGUAGES.get(language, "")
    japanese = asked == "ja" or (not asked and _SCRIPTS[0][1].search(text))
    return {
        **_OF_SCRIPT,
        **({"latin": asked} if asked in _LATIN else {}),
        **({"han": "ja"} if japanese else {"han": "yue"} if asked == "yue" else {}),
        "other": asked,
    }


def _runs(text: str, base: dict[str, str], chinese: str) -> Iterator[tuple[str, str]]:
    """Neighbouring characters of one language; what belongs to none goes with those before it."""
    begin, now = 0, ""
    for at, each in enumerate(text):
        script = next((name for name, pattern in _SCRIPTS if pattern.match(each)), "")
        code = base.get(script, chinese) if script else ""
        if code and now and code != now:
            yield now, text[begin:at]
            begin = at
        now = code or now
    if not now and any(map(str.isalnum, text)):
        now = base["other"] or "en-us"
    if now:
        yield now, text[begin:]
