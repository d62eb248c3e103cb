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
from typing import Any

from . import dates, expression
from .cues import compiled, cue, label
from .library import lexicon
from .meaning import countries, meanings, place_pattern, places, split_name
from .reading import sentences

_LONGEST = 4000
_NEAR = 18  # characters around a number in which a word says what it counts
_APART = 12  # as many more if a comma stands between
_ASKS = "?？"
_LONG_NUMBER = 8
_MOST_PAIRS = 200
_TITLE = 60
_TITLE_WORDS = 6
_MONEY = {"#cost", "#stock", "total", "amount", "sum", "金额", "总价", "总额", "合计"}
_CONTRARY = {"#positive": "#negative", "#negative": "#positive"}
_WORD = re.compile(r"[A-Za-z]+|(?=([\u4e00-\u9fff]{2}))")
_QUOTES = " \"'“”"
_CLAUSE = re.compile(r"[,.;，。；!?]|\b(?:and|but)\b")


class Evidence:
    """One text, and which of its values have been given out."""

    def __init__(self, text: str, today: datetime.date) -> None:
        self.text = text[:_LONGEST]
        self.today = today
        undated = cue("dates.written").sub(lambda date: "_" * len(date[0]), self.text)
        self._numbers = list(cue("evidence.number").finditer(undated))
        self._given: set[str] = set()
        self._stated: Evidence | None = None

    def again(self) -> Evidence:
        """The same text with nothing given out."""
        return Evidence(self.text, self.today)

    def stated(self) -> Evidence:
        """The same text without the sentences that ask, in which a number or a name is no answer."""
        if self._stated is None:
            told = [each for each in sentences(self.text) if each[-1] not in _ASKS]
            self._stated = Evidence("\n".join(told), self.today)
        return self._stated

    def verdict(self) -> bool | None:
        """ "Is this positive? I loved it": whether the text feels as its question asks."""
        asked = meanings(" ".join(each for each in sentences(self.text) if each[-1] in _ASKS)) & set(_CONTRARY)
        return self._truth(asked) if asked else None

    def subject(self) -> str:
        """What a clause is about, once: the dog of "a dog pays 5 euros"."""
        found = cue("evidence.subject").match(self.text.strip())
        return (self._fresh([found[1]]) or "") if found else ""

    def pairs(self, words: bool) -> list[tuple[str, str]]:
        """ "Ada is 36, Ben: 41", 小明12岁: names and what is said of them; a number need not be introduced."""
        clauses = [each for piece in cue("evidence.piece").split(self.text) if (each := piece.strip())]
        found = [
            cue("evidence.pair").search(each) or (None if words else cue("evidence.count").search(each))
            for each in clauses
        ]
        return [(pair[1].strip(_QUOTES), pair[2].strip(_QUOTES)) for pair in found[:_MOST_PAIRS] if pair]

    def clauses(self) -> list[Evidence]:
        """One piece of evidence per clause, for lists of objects."""
        return [
            Evidence(clause, self.today) for clause in cue("evidence.clause").split(self.text)[:200] if clause.strip()
        ]

    def find(self, key: str, schema: dict[str, Any], kinds: set[str], eager: bool = True) -> Any:
        """A value for a field, or None. `kinds`: the JSON types it may have; an eager search takes any number."""
        if "enum" in schema:
            return self._of_enum(schema["enum"])
        wanted = meanings(f"{key} {schema.get('description', '')}")
        if kinds - {"null"} == {"boolean"}:
            return self._truth(wanted)
        pair = self._pair(key) or self._labelled(key)
        if kinds & {"integer", "number"}:
            number = self._number(key, wanted, pair, eager)
            if number is None or number.is_integer():
                return None if number is None else int(number)
            return number if "number" in kinds else None
        return (pair or self._words(key, schema)) if "string" in kinds else None

    def listed(self, key: str, schema: dict[str, Any]) -> list[str]:
        """The items of a list introduced by the field's name; or all values of its kind; or the first list there is."""
        named = (
            compiled(rf"\b{_spoken(key)}\s*(?:[:=：]|\bare\b|\bis\b|是|有)\s*([^.;。；\n]+)").search(self.text)
            if key
            else None
        )
        kind = "" if named else hinted(key, schema)
        items = cue("evidence.item").findall(self.text)
        if not named and len(items) > 1:
            return [each.strip(_QUOTES) for each in items]
        if kind not in ("", "queries"):
            return list(dict.fromkeys(self.all(kind, key)))
        row = named[1] if named else next(iter(cue("evidence.row").findall(self.text)), "")
        items = (cue("evidence.led").sub("", each).strip(_QUOTES) for each in cue("evidence.glue").split(row))
        return [item for item in items if item]

    def _of_enum(self, choices: list[Any]) -> Any:
        """The choice that is written in the text, or else means what the text says."""
        texts = [each for each in choices if each and isinstance(each, str | int) and not isinstance(each, bool)]
        named = "|".join(re.escape(str(each)) for each in sorted(texts, key=lambda each: -len(str(each))))
        pattern = re.compile(rf"(?<!not )(?<!不是)(?<![a-z0-9])(?:{named})(?![a-z0-9])", re.IGNORECASE)
        counts = Counter(found.lower() for found in pattern.findall(self.text)) if texts else Counter[str]()
        best = [each for each in texts if counts[str(each).lower()] == max(counts.values(), default=-1)]
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
        verdict = cue("evidence.verdict").match(self.text)
        if verdict:
            return not cue("evidence.negation").search(verdict[0]) and "否" not in verdict[0]
        for clause in _CLAUSE.split(self.stated().text):
            said = _felt(clause)
            if {_CONTRARY.get(each) for each in wanted} & said:
                return False
            if wanted & meanings(clause):
                return bool(wanted & said & set(_CONTRARY)) or not cue("evidence.negation").search(clause)
        return None

    def _pair(self, key: str) -> str | None:
        """ "age: 36", "age is 36", "age = 36", 年龄：36"""
        found = key and re.search(
            rf"(?<![A-Za-z\"{{]){_spoken(key)}\s*(?:[:=：]|\bis\b|为|是){'?' * (not key.isascii())}\s*(?:{cue('evidence.quoted').pattern}"
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
        fit = {found.start(): self._distance(found, wanted) for found in free}
        near = min(free, key=lambda found: fit[found.start()], default=None)
        if direct is None and near and fit[near.start()] > _NEAR:
            any_ = "year" in key.lower() or cue("json.answer").search(key)
            near = next((found for found in free if eager and (any_ or not self._counts(found))), None)
        best = direct or near
        if best is None:
            spelled = expression.numerals(self.text)
            return Evidence(spelled, self.today)._number(key, wanted, None, eager) if spelled != self.text else None
        self._given.add(f"#{best.start()}")
        return float(best[0].replace(",", ""))

    def _distance(self, number: re.Match[str], wanted: set[str]) -> int:
        """Characters between a number and the nearest word that means the field; a currency will do for a price."""
        near = _NEAR + 1
        for word in _WORD.finditer(self.text, max(0, number.start() - 2 * _NEAR), number.end() + 2 * _NEAR):
            start, end = word.start(), word.start() + len(word[0] or word[1])
            if wanted & meanings(word[0] or word[1]):
                between = self.text[end : number.start()] if end <= number.start() else self.text[number.end() : start]
                near = min(near, len(between) + _APART * bool(re.search("[,;.，；。]", between)))
        money = wanted & _MONEY and cue("evidence.money").search(
            self.text[max(0, number.start() - 2) : number.end() + 5]
        )
        return min(near, _NEAR) if money else near

    def _counts(self, number: re.Match[str]) -> bool:
        """Whether a number counts something else, as in 4 guests, or is a telephone number."""
        return len(number[0]) > _LONG_NUMBER or bool(cue("evidence.counted").match(self.text, number.end()))

    def _words(self, key: str, schema: dict[str, Any]) -> str | None:
        kind = hinted(key, schema)
        return self._fresh(self.all(kind, key) if kind else self.quoted())

    def all(self, kind: str, key: str) -> list[str]:
        finder: Callable[[str], list[str]] = getattr(self, kind)
        return finder(key)

    def _fresh(self, values: list[str]) -> str | None:
        value = next((each for each in values if each not in self._given), None)
        self._given |= set() if value is None else {value}
        return value

    def quoted(self, key: str = "") -> list[str]:
        return [
            next(group for group in found.groups() if group) for found in cue("evidence.quoted").finditer(self.text)
        ]

    def emails(self, key: str = "") -> list[str]:
        return cue("evidence.email").findall(self.text)

    def urls(self, key: str = "") -> list[str]:
        return cue("evidence.url").findall(self.text)

    def dates(self, key: str = "") -> list[str]:
        return [date.isoformat() for date in dates.found(self.text, self.today)]

    def times(self, key: str = "") -> list[str]:
        return [_clock(found) for found in cue("evidence.time").finditer(self.text)]

    def units(self, key: str = "") -> list[str]:
        return cue("evidence.unit").findall(self.text.lower())

    def tickers(self, key: str = "") -> list[str]:
        return re.findall(r"(?<![A-Za-z])[A-Z]{2,5}(?![A-Za-z])", self.text)

    def codes(self, key: str = "") -> list[str]:
        return cue("evidence.code").findall(self.text)

    def languages(self, key: str = "") -> list[str]:
        return [found[0] for found in cue("evidence.language").finditer(self.text)]

    def currencies(self, key: str = "") -> list[str]:
        codes = {found.start(): found[0] for found in re.finditer(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z-])", self.text)}
        for word, code in lexicon()["currencies"].items():
            codes |= {found.start(): code for found in re.finditer(word, self.text, re.IGNORECASE)}
        return [codes[at] for at in sorted(codes)]

    def expressions(self, key: str = "") -> list[str]:
        try:
            found = expression.find(self.text)
        except ArithmeticError:
            return []
        return [found.text.replace("×", "*").replace("÷", "/").replace("^", "**").replace("√", "sqrt")] if found else []

    def names(self, key: str = "") -> list[str]:
        """Capitalised words that are no places and no common words, and Chinese names by their surnames."""
        common = set(lexicon()["not_names"])
        latin = [
            " ".join(word for word in found.split() if word.lower() not in common)
            for found in cue("evidence.name").findall(self.text)
        ]
        people = [name for name in latin if name and name.lower() not in places()]
        return list(dict.fromkeys([*people, *cue("evidence.chinese_name").findall(self.text)]))

    def places(self, key: str = "") -> list[str]:
        """Places in order; those that follow "from" or "to" if the field's name says so."""
        origin = re.search(r"from|origin|depart|source|start|出发", key, re.IGNORECASE)
        goal = re.search(r"^to$|_to\b|dest|arriv|target|目的", key, re.IGNORECASE)
        word = (
            r"(?:from|从)" if origin else r"(?:\bto|到|去|飞往)" if goal else r"(?:\b(?:in|at|for|near|from|to|of)\b)"
        )
        known = list(place_pattern().finditer(self.text))
        if origin or goal:
            known = [
                found for found in known if re.search(word + r"\s*$", self.text[: found.start()][-9:], re.IGNORECASE)
            ]
        country, town = (re.search(words, key.lower()) for words in ("countr|国家", r"\bcit|town|城市"))
        if known:
            found_ = dict.fromkeys(places()[found[0].lower()] for found in known)
            return [
                each for each in found_ if (each in countries() if country else not town or each not in countries())
            ]
        named = [] if country else re.findall(rf"{word}\s+((?:the )?[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)", self.text)
        loose = [word.title() for word in cue("evidence.loose_place").findall(self.text)]
        chinese: list[str] = cue("evidence.chinese_place").findall(self.text)
        return [place for place in named or [*loose, *chinese] if not cue("evidence.no_place").search(place)]

    def titles(self, key: str = "") -> list[str]:
        """Quoted words, or what the first clause begins with: before a year, a verb or a colon."""
        first = re.split(r"[.;。；!?？\n]", self.stated().text.strip(), maxsplit=1)[0]
        named = cue("evidence.heading").split(cue("evidence.before_title").sub("", first), maxsplit=1)[0].strip()
        return [*self.quoted(), *([named] if 0 < len(named) <= _TITLE and len(named.split()) <= _TITLE_WORDS else [])]

    def makers(self, key: str = "") -> list[str]:
        """By whom a thing is; all of them in one, unless a list is asked for."""
        rows = [next(filter(None, each)) for each in cue("evidence.maker").findall(self.text)]
        return [name for row in rows for name in (cue("evidence.glue").split(row) if key.endswith("s") else [row])]

    def phones(self, key: str = "") -> list[str]:
        return cue("evidence.phone").findall(self.text)

    def companies(self, key: str = "") -> list[str]:
        return [next(filter(None, each)).strip() for each in cue("evidence.company").findall(self.text)]

    def streets(self, key: str = "") -> list[str]:
        return cue("evidence.street").findall(self.text)

    def queries(self, key: str = "") -> list[str]:
        """What a search or a message is about: quoted words, or the prompt without its command."""
        rest = cue("evidence.command").sub("", self.text.strip()).strip(" .。!！")
        return [*self.quoted(), *([rest] if rest else [])]


def hinted(key: str, schema: dict[str, Any]) -> str:
    """The kind of text that a field's format, name or description hints at."""
    hints = (str(schema.get("format", "")), split_name(key), str(schema.get("description", "")))
    return next((kind for hint in hints if hint and (kind := label("evidence.hints", hint))), "")


def _felt(text: str) -> set[str]:
    """The meanings of a text clause by clause, in which "not good" is bad."""
    said: set[str] = set()
    for clause in _CLAUSE.split(text):
        bare = cue("evidence.negation").sub(" ", clause)
        felt = meanings(bare) & set(_CONTRARY)
        said |= (
            {_CONTRARY[each] for each in felt} | meanings(bare) - felt if felt and bare != clause else meanings(clause)
        )
    return said


def _spoken(key: str) -> str:
    """The words of a field's name as they may stand in a sentence."""
    return r"[\s_-]*".join(map(re.escape, split_name(key).split()))


def _clock(found: re.Match[str]) -> str:
    hour, minute, second, half, plain_hour, plain_half, chinese_hour, chinese_minute = found.groups()
    h = int(hour or plain_hour or chinese_hour)
    late = (half or plain_half or "").lower()
    h = h % 12 + (12 if late == "p" else 0) if late else h % 24
    return f"{h:02d}:{int(minute or chinese_minute or 0) % 60:02d}:{int(second or 0) % 60:02d}"
