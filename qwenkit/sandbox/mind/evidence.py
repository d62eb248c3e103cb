"""Evidence: values a prompt holds for named fields. Tool arguments and JSON objects are both filled from here.

A field is asked for by its name and its schema. Written pairs ("age: 36") come first, then values near a word that
means the same as the name, then values of the right kind in the order they stand. A value is given out once, so two
number fields get two numbers.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from . import expression
from .cues import compiled, cue, label
from .meaning import meanings, split_name
from .reading import sentences
from .things import ASKS, Things

_LONGEST = 4000
_NEAR = 18  # characters around a number in which a word says what it counts
_APART = 12  # as many more if a comma stands between
_LONG_NUMBER = 8
_MOST_MARKS = 20
_MOST_PAIRS = 200
_MONEY = {"#cost", "#stock", "total", "amount", "sum", "金额", "总价", "总额", "合计"}
_CONTRARY = {"#positive": "#negative", "#negative": "#positive"}
_WORD = re.compile(r"[A-Za-z]+|(?=([\u4e00-\u9fff]{2}))")
_QUOTES = " \"'“”"
_CLAUSE = re.compile(r"[,.;，。；!?]|\b(?:and|but)\b")


class Evidence(Things):
    """One text, and which of its values have been given out."""

    def __init__(self, text: str, today: datetime.date) -> None:
        super().__init__(text[:_LONGEST], today)
        undated = cue("dates.written").sub(lambda date: "_" * len(date[0]), self.text)
        self._numbers = list(cue("evidence.number").finditer(undated))
        self._given: set[str] = set()
        self._stated: Evidence | None = None

    def stated(self) -> Evidence:
        """The same text without the sentences that ask, in which a number or a name is no answer."""
        if self._stated is None:
            self._stated = Evidence(self.told(), self.today)
        return self._stated

    def verdict(self) -> bool | None:
        """ "Is this positive? I loved it": whether the text feels as its question asks."""
        asked = meanings(" ".join(each for each in sentences(self.text) if each[-1] in ASKS)) & set(_CONTRARY)
        return self._truth(asked) if asked else None

    def subject(self) -> str:
        """What a clause is about, once: the dog of "a dog pays 5 euros"."""
        found = cue("evidence.subject").match(self.text.strip())
        return (self._fresh([found[1]]) or "") if found else ""

    def pairs(self, words: bool) -> list[tuple[str, str]]:
        """ "Ada is 36, Ben: 41", 小明12岁: names and what is said of them; a number need not be introduced."""
        clauses = [each for piece in cue("evidence.piece").split(self.text) if (each := piece.strip())]
        pair, count = cue("evidence.pair").search, cue("evidence.count").search
        found = [pair(each) or (None if words else count(each)) for each in clauses]
        return [(pair[1].strip(_QUOTES), pair[2].strip(_QUOTES)) for pair in found[:_MOST_PAIRS] if pair]

    def clauses(self) -> list[Evidence]:
        """One piece of evidence per clause, for lists of objects."""
        clauses = cue("evidence.clause").split(self.text)[:_MOST_PAIRS]
        return [Evidence(clause, self.today) for clause in clauses if clause.strip()]

    def find(self, key: str, schema: dict[str, Any], kinds: set[str], eager: bool = True) -> Any:
        """A value for a field, or None. `kinds`: the JSON types it may have; an eager search takes any number."""
        if "enum" in schema:
            return self._of_enum(schema["enum"])
        wanted = meanings(f"{key} {schema.get('description', '')}")
        if kinds - {"null"} == {"boolean"}:
            spoken = cue("evidence.verdict").match(self.text) if cue("json.answer").search(key) else None
            return not cue("evidence.negation").search(spoken[0]) if spoken else self._truth(wanted)
        pair = self._pair(key) or self._labelled(key)
        if kinds & {"integer", "number"}:
            number = self._number(key, wanted, pair, eager)
            if number is None or number.is_integer():
                return None if number is None else int(number)
            return number if "number" in kinds else None
        return (pair or self._words(key, schema)) if "string" in kinds else None

    def listed(self, key: str, schema: dict[str, Any]) -> list[str]:
        """The items of a list introduced by the field's name; or all values of its kind; or the first list there is."""
        named = self._row(key)
        kind = "" if named else hinted(key, schema)
        items = cue("evidence.item").findall(self.text)
        if not named and len(items) > 1:
            return [each.strip(_QUOTES) for each in items]
        if kind not in ("", "queries"):
            return list(dict.fromkeys(self.all(kind, key)))
        row = named or next(iter(cue("evidence.row").findall(self.text)), "")
        row_items = (cue("evidence.led").sub("", each).strip(_QUOTES) for each in cue("evidence.glue").split(row))
        return [item for item in row_items if item]

    def figures(self, key: str) -> list[float]:
        """All numbers that count nothing else; for the answer itself, all there are."""
        row = self._row(key)
        every = cue("json.answer").search(key)
        free = [each[0] for each in self._numbers if every or not self._counts(each)]
        found = cue("evidence.number").findall(row) if row else free
        numbers = [float(each.replace(",", "")) for each in found]
        return [int(each) if each.is_integer() else each for each in numbers]

    def _row(self, key: str) -> str:
        """What follows a field's name: "Hobbies: chess, piano and judo"."""
        sign = r"\s*(?:[:=：]|\bare\b|\bis\b|是|有)\s*"
        found = compiled(rf"\b{_spoken(key)}{sign}((?:[^.;。；\n]|\.(?=\d))+)").search(self.text) if key else None
        return found[1] if found else ""

    def _of_enum(self, choices: list[Any]) -> Any:
        """The choice that is written in the text, or else means what the text says."""
        texts = [each for each in choices if each and isinstance(each, str | int) and not isinstance(each, bool)]
        named = "|".join(re.escape(str(each)) for each in sorted(texts, key=lambda each: -len(str(each))))
        pattern = re.compile(rf"(?<!not )(?<!不是)(?<![a-z0-9])(?:{named})(?![a-z0-9])", re.IGNORECASE)
        counts = Counter(found.lower() for found in pattern.findall(self.text)) if texts else Counter[str]()
        most = max(counts.values(), default=-1)
        best = [each for each in texts if counts[str(each).lower()] == most]
        if len(best) == 1:
            return best[0]
        said = _felt(pattern.sub(" ", self.text) if best else self.text)
        scores = [len(_felt(str(choice)) & said) for choice in texts]
        usual = best[0] if best and len(best) < len(texts) else None  # a list of all the choices says nothing
        return texts[scores.index(max(scores))] if any(scores) else usual

    def _labelled(self, key: str) -> str | None:
        """ "Customer: Zoe Lin" for a name: a label that means the same."""
        wanted = meanings(key)
        pairs = cue("evidence.label").findall(self.text) if wanted else []
        return next((said.strip() for label, said in pairs if meanings(label) == wanted), None)

    def _truth(self, wanted: set[str]) -> bool | None:
        """Said, or the contrary of it, in a clause that is no question."""
        for clause in _CLAUSE.split(self.stated().text):
            said = _felt(clause)
            if {_CONTRARY.get(each) for each in wanted} & said:
                return False
            if wanted & meanings(clause):
                return bool(wanted & said & set(_CONTRARY)) or not cue("evidence.negation").search(clause)
        return None

    def _pair(self, key: str) -> str | None:
        """ "age: 36", "age is 36", "age = 36", 年龄：36"""
        sign = r"(?:[:=：]|\bis\b|为|是)" + "?" * (not key.isascii())
        found = key and re.search(
            rf"(?<![A-Za-z\"{{]){_spoken(key)}\s*{sign}\s*(?:{cue('evidence.quoted').pattern}"
            r"|([^\s,;，。；、!?？\n][^,;，。；、!?？\n]{0,80}?)(?=\s+and\b|\.\s|\.$|[,;，。；、!?？\n]|$))",
            self.text,
            re.IGNORECASE,
        )
        return next((group.strip() for group in found.groups() if group), None) if found else None

    def _number(self, key: str, wanted: set[str], pair: str | None, eager: bool) -> float | None:
        direct = cue("evidence.number").search(pair) if pair else None
        free = [found for found in self._numbers if f"#{found.start()}" not in self._given]
        if "year" in key.lower():
            free = [found for found in free if re.fullmatch(r"[12]\d{3}", found[0])] or free
        words = ((found.start(), found[0] or found[1]) for found in _WORD.finditer(self.text) if wanted)
        marks = [(start, start + len(word)) for start, word in words if wanted & _meant(word)][:_MOST_MARKS]
        fit = [self._distance(found, marks, bool(wanted & _MONEY)) for found in free]
        near = free[fit.index(min(fit))] if fit else None
        if direct is None and near and min(fit) > _NEAR:
            any_ = "year" in key.lower() or cue("json.answer").search(key)
            near = next((found for found in free if eager and (any_ or not self._counts(found))), None)
        best = direct or near
        at = (self.text.find(pair or "") if direct else 0) + (best.start() if best else 0)
        if best is None:
            spelled = expression.numerals(self.text)
            return Evidence(spelled, self.today)._number(key, wanted, None, eager) if spelled != self.text else None
        self._given.add(f"#{at}")
        return float(best[0].replace(",", ""))

    def _distance(self, number: re.Match[str], marks: list[tuple[int, int]], priced: bool) -> int:
        """Characters between a number and the nearest word that means the field; a currency will do for a price."""
        near = _NEAR + 1
        for start, end in marks:
            between = self.text[end : number.start()] if end <= number.start() else self.text[number.end() : start]
            near = min(near, len(between) + _APART * bool(re.search("[,;.，；。]", between)))
        around = self.text[max(0, number.start() - 2) : number.end() + 5]
        return min(near, _NEAR) if priced and cue("evidence.money").search(around) else near

    def _counts(self, number: re.Match[str]) -> bool:
        """Whether a number counts something else, as in 4 guests, or is a telephone number."""
        return len(number[0]) > _LONG_NUMBER or bool(cue("evidence.counted").match(self.text, number.end()))

    def _words(self, key: str, schema: dict[str, Any]) -> str | None:
        kind = hinted(key, schema)
        return self._fresh(self.all(kind, key) if kind else self.quoted())

    def all(self, kind: str, key: str) -> list[str]:
        finder: Callable[[str], list[str]] | None = getattr(self, kind, None)
        return finder(key) if finder else cue(f"evidence.{kind}").findall(self.text)

    def _fresh(self, values: list[str]) -> str | None:
        value = next((each for each in values if each not in self._given), None)
        self._given |= set() if value is None else {value}
        return value


def hinted(key: str, schema: dict[str, Any]) -> str:
    """The kind of text that a field's format, name or description hints at."""
    hints = (str(schema.get("format", "")), split_name(key), str(schema.get("description", "")))
    return next((kind for hint in hints if hint and (kind := label("evidence.hints", hint))), "")


@lru_cache(maxsize=4096)
def _meant(word: str) -> set[str]:
    return meanings(word)


def _felt(text: str) -> set[str]:
    """The meanings of a text clause by clause, in which "not good" is bad."""
    said: set[str] = set()
    for clause in _CLAUSE.split(text):
        bare = cue("evidence.negation").sub(" ", clause)
        felt = meanings(bare) & set(_CONTRARY)
        turned = {_CONTRARY[each] for each in felt} | meanings(bare) - felt
        said |= turned if felt and bare != clause else meanings(clause)
    return said


def _spoken(key: str) -> str:
    """The words of a field's name as they may stand in a sentence."""
    return r"[\s_-]*".join(map(re.escape, split_name(key).split()))
