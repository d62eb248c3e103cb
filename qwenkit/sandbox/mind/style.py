"""How to answer: the few instructions about form that the mind follows, from the system message and the question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .cues import cue
from .library import lexicon
from .reading import sentences

_COUNTS = {"a": 1, "one": 1, "single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_COUNTS |= {"nine": 9, "ten": 10, "两": 2} | {digit: at for at, digit in enumerate("一二三四五六七八九十", 1)}
_WRITTEN = {"chinese": "zh", "mandarin": "zh", "中文": "zh", "汉语": "zh", "english": "en", "英文": "en", "英语": "en"}


@dataclass(frozen=True)
class Style:
    terse: bool
    bare: bool  # the answer and nothing around it
    code_only: bool
    count: int | None  # sentences or lines asked for
    lines: bool
    language: str | None
    tongue: str  # a language that was asked for and that the mind cannot write
    opening: str
    closing: str
    pirate: bool
    upper: bool

    @classmethod
    def of(cls, system: str, question: str) -> Style:
        both = f"{system}\n{question}"
        count, lines = _counted(question) or _counted(system) or (None, False)
        language, tongue = _language(question, system)
        opening, closing = _frame(system)
        return cls(
            terse=bool(cue("style.terse").search(both)),
            bare=bool(cue("style.bare").search(both)),
            code_only=bool(cue("style.code_only").search(both)),
            count=count,
            lines=lines,
            language=language,
            tongue=tongue,
            opening=opening,
            closing=closing,
            pirate=bool(cue("style.pirate").search(system)),
            upper=bool(cue("style.upper").search(system)),
        )

    @property
    def accent(self) -> Callable[[str], str] | None:
        return str.upper if self.upper else None

    def trim(self, text: str) -> str:
        """As many sentences of a text as were asked for, or lines. Tables and code stay whole."""
        wanted = self.count or (1 if self.terse else None)
        kept = sentences(text)[:wanted]
        whole = any(mark in text for mark in ("```", "|--")) or not kept[-1].endswith((".", "。", "!", "！"))
        if wanted is None or whole:
            return text
        glue = "\n" if self.lines else ("" if kept and kept[0][-1] in "。！？" else " ")
        return glue.join(kept)


def number(word: str) -> int | None:
    return int(word) if word.isdecimal() else _COUNTS.get(word.lower())


def _counted(text: str) -> tuple[int, bool] | None:
    found = cue("style.sentences").search(text)
    if not found:
        return None
    count, unit = (found[1], found[2]) if found[1] else (found[3], found[4])
    return (number(count) or 1, unit.lower() in ("line", "行"))


def _language(*texts: str) -> tuple[str | None, str]:
    """The wish of the first text that names a language; in it, the last one named."""
    for text in texts:
        for name in reversed([(latin or chinese).lower() for latin, chinese in cue("style.answer_in").findall(text)]):
            if name in _WRITTEN:
                return _WRITTEN[name], ""
            if name in lexicon()["foreign"]:
                return None, name.title()
    return None, ""


def _frame(system: str) -> tuple[str, str]:
    """Words that every answer is to begin or to end with."""
    said = {"opening": "", "closing": ""}
    for found in cue("style.frame").finditer(system):
        verb, words = (group for group in found.groups() if group)
        said["opening" if verb.lower() in ("start", "begin", "开头", "开始") else "closing"] = words.strip()
    return said["opening"], said["closing"]
