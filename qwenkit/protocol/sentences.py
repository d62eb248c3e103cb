"""A long text in parts that can be spoken one by one: cut where a speaker would breathe.

Between paragraphs if that is enough, else between sentences, then clauses, then words; inside a word only when one word
is too long for a call. No part ends inside a number, an abbreviation or an address. Each part says how long the silence
after it is, so that joined parts sound like one reading.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

Fits = Callable[[str], bool]

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_IDEOGRAPH = re.compile(f"[{_HAN}]")
_CLOSING = "[\"'”’』」）)\\]]*"
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s\u3000-\u303f\uff00-\uffef" + _HAN + r"]+|[\w.+-]{1,64}@[\w.-]+", re.I)
_PARAGRAPH = re.compile(r"\n\s*")
_SENTENCE = re.compile(rf"[。！？…]+{_CLOSING}\s*|[.!?]+{_CLOSING}(?:\s+|(?=[{_HAN}]))")
_CLAUSE = re.compile(rf"[，、；：—]+\s*|[,;:]{_CLOSING}\s+|\s[–-]\s")
_WORD = re.compile(r"\s+")
_LEVELS = ((_PARAGRAPH, 0.45), (_SENTENCE, 0.25), (_CLAUSE, 0.1), (_WORD, 0.0))
_ABBREVIATIONS = (  # with blanks around, so that a search finds whole words
    " mr mrs ms dr prof st sr jr vs etc eg ie cf al fig no nos vol pp ed approx dept est inc ltd co corp gen col capt "
    "lt rev hon mt ave rd blvd am pm us uk eu un phd ca bzw usw ph art "
)
_TOKEN = re.compile(r"[^\s(\"'“‘]*$")
_LONGEST = 24  # characters looked at before a full stop
_EXTENDS = "\u200d\ufe0e\ufe0f"


class Part(NamedTuple):
    """A text for one call, and the seconds of silence after it."""

    text: str
    pause: float = 0.0


def characters(text: str) -> int:
    """How many characters are billed: an ideograph counts as two."""
    return len(text) + len(_IDEOGRAPH.findall(text))


def split(text: str, fits: Fits) -> list[Part]:
    """The parts of a text, each of which fits; a text that fits is one part."""
    text = text.strip()
    parts = [Part(part.text.strip(), part.pause) for part in _cut(text, fits, 0, 0.0)]
    said = [part for part in parts if re.search(r"\w", part.text)] or [Part(text)]  # marks alone say nothing
    return [*said[:-1], Part(said[-1].text)]


def _cut(text: str, fits: Fits, level: int, pause: float) -> Iterator[Part]:
    if fits(text.strip()):
        yield Part(text, pause)
    elif level == len(_LEVELS):
        yield from _hard(text, fits, pause)
    else:
        rule, gap = _LEVELS[level]
        packed = _packed(_pieces(text, rule), fits)
        for number, piece in enumerate(packed, 1):
            yield from _cut(piece, fits, level + 1, gap if number < len(packed) else pause)


def _pieces(text: str, rule: re.Pattern[str]) -> list[str]:
    """The text cut behind every match of the rule, save where a cut would break something."""
    inside = {place for match in _ADDRESS.finditer(text) for place in range(match.start(), match.end() - 1)}
    ends = [match.end() for match in rule.finditer(text) if match.start() not in inside and _may_end(text, match)]
    return [text[begin:end] for begin, end in zip([0, *ends], [*ends, len(text)], strict=True) if begin < end]


def _may_end(text: str, match: re.Match[str]) -> bool:
    """Whether the mark ends something, and does not belong to an abbreviation or a list's number."""
    if not match[0].startswith(".") or match[0].startswith(".."):
        return True
    before = text[max(match.start() - _LONGEST, 0) : match.start()].rpartition("\n")[2]
    token = _TOKEN.findall(before)[0]
    word = token.replace(".", "").lower()
    numbered = word.isdigit() and word == before.strip()
    initial = len(word) == 1 and word.isascii() and word.isalpha()
    return not (numbered or initial or f" {word} " in _ABBREVIATIONS)


def _packed(pieces: list[str], fits: Fits) -> list[str]:
    """As many neighbours together as fit."""
    packed = pieces[:1]
    for piece in pieces[1:]:
        if fits((packed[-1] + piece).strip()):
            packed[-1] += piece
        else:
            packed.append(piece)
    return packed


def _hard(text: str, fits: Fits, pause: float) -> Iterator[Part]:
    """One word that is too long, cut between characters as people see them."""
    packed = _packed(_graphemes(text), fits)
    for number, piece in enumerate(packed, 1):
        yield Part(piece, 0.0 if number < len(packed) else pause)


def _graphemes(text: str) -> list[str]:
    found: list[str] = []
    for sign in text:
        joins = bool(found) and (found[-1][-1] == "\u200d" or sign in _EXTENDS or bool(unicodedata.combining(sign)))
        if joins or (found and "\U0001f3fb" <= sign <= "\U0001f3ff"):
            found[-1] += sign
        else:
            found.append(sign)
    return found
