"""Evidence: values a prompt holds for named fields. Tool arguments and JSON objects are both filled from here.

A field is asked for by its name and its schema. Written pairs ("age: 36") come first, then values near a word that
means the same as the name, then values of the right kind in the order they stand. A value is given out once, so two
number fields get two numbers.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

from . import dates, expression
from .cues import compiled, cue, label
from .library import lexicon
from .meaning import meanings, place_pattern, places, split_name

_LONGEST = 4000
_NEAR = 18  # characters around a number in which a word says what it counts
_TITLE = 60
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

    def again(self) -> Evidence:
        """The same text with nothing given out."""
        return Evidence(self.text, self.today)

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
        pair = self._pair(key)
        if kinds & {"integer", "number"}:
            number = self._number(wanted, pair, eager)
            return int(number) if number is not None and ("number" not in kinds or number.is_integer()) else number
        return (pair or self._words(key, schema)) if "string" in kinds else None

    def listed(self, key: str, schema: dict[str, Any]) -> list[str]:
        """The items of a list introduced by the field's name; or all values of its kind; or the first list there is."""
        named = (
            compiled(rf"\b{_spoken(key)}\s*(?:[:=：]|\bare\b|\bis\b|是|有)\s*([^.;。；\n]+)").search(self.text)
            if key
            else None
        )
        kind = "" if named else hinted(key, schema)
        if kind not in ("", "queries"):
            return list(dict.fromkeys(self.all(kind, key)))
        row = named[1] if named else next(iter(cue("evidence.row").findall(self.text)), "")
        return [item for each in cue("evidence.glue").split(row) if (item := each.strip(_QUOTES))]

    def _of_enum(self, choices: list[Any]) -> Any:
        """The choice that is written in the text, or else means what the text says."""
        texts = [each for each in choices if isinstance(each, str) and each]
        counts = {each: len(re.findall(rf"(?<![a-z]){re.escape(each)}(?![a-z])", self.text, re.I)) for each in texts}
        if any(counts.values()):  # what is named most often, of equals the longest
            return max(texts, key=lambda each: (counts[each], len(each)))
        said = meanings(self.text)
        scores = [len(meanings(choice) & said) for choice in texts]
        return texts[scores.index(max(scores))] if any(scores) else None

    def _truth(self, wanted: set[str]) -> bool | None:
        for clause in _CLAUSE.split(self.text):
            if wanted & meanings(clause):
                return not cue("evidence.negation").search(clause)
        return None

    def _pair(self, key: str) -> str | None:
        """ "age: 36", "age is 36", "age = 36", 年龄：36"""
        found = key and re.search(
            rf"(?<![A-Za-z\"{{]){_spoken(key)}\s*(?:[:=：]|\bis\b|为|是)\s*(?:{cue('evidence.quoted').pattern}"
            r"|([^\s,;，。；、!?？\n][^,;，。；、!?？\n]{0,80}?)(?=\s+and\b|\.\s|\.$|[,;，。；、!?？\n]|$))",
            self.text,
            re.IGNORECASE,
        )
        return next((group.strip() for group in found.groups() if group), None) if found else None

    def _number(self, wanted: set[str], pair: str | None, eager: bool) -> float | None:
        direct = cue("evidence.number").search(pair) if pair else None
        free = [found for found in self._numbers if f"#{found.start()}" not in self._given]
        near = [
            found for found in free if wanted & meanings(self.text[max(0, found.start() - _NEAR) : found.end() + _NEAR])
        ]
        best = direct or next(iter([*near, *(free if eager else [])]), None)
        if best is None:
            return None
        self._given.add(f"#{best.start()}")
        return float(best[0].replace(",", ""))

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

    def quoted(self) -> list[str]:
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
        codes = {found.start(): found[0] for found in re.finditer(r"(?<![A-Za-z])[A-Z]{3}(?![A-Za-z])", self.text)}
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
        if known:
            return list(dict.fromkeys(places()[found[0].lower()] for found in known))
        named = re.findall(rf"{word}\s+((?:the )?[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)", self.text)
        loose = [word.title() for word in cue("evidence.loose_place").findall(self.text)]
        chinese: list[str] = cue("evidence.chinese_place").findall(self.text)
        return [place for place in named or [*loose, *chinese] if not cue("evidence.no_place").search(place)]

    def titles(self, key: str = "") -> list[str]:
        """Quoted words, or the first clause."""
        return [*self.quoted(), re.split(r"[.;。；!?？\n]", self.text.strip(), maxsplit=1)[0][:_TITLE]]

    def queries(self, key: str = "") -> list[str]:
        """What a search or a message is about: quoted words, or the prompt without its command."""
        rest = cue("evidence.command").sub("", self.text.strip()).strip(" .。!！")
        return [*self.quoted(), *([rest] if rest else [])]


def hinted(key: str, schema: dict[str, Any]) -> str:
    """The kind of text that a field's format, name or description hints at."""
    hints = (str(schema.get("format", "")), split_name(key), str(schema.get("description", "")))
    return next((kind for hint in hints if hint and (kind := label("evidence.hints", hint))), "")


def _spoken(key: str) -> str:
    """The words of a field's name as they may stand in a sentence."""
    return r"[\s_-]*".join(map(re.escape, split_name(key).split()))


def _clock(found: re.Match[str]) -> str:
    hour, minute, second, half, plain_hour, plain_half, chinese_hour, chinese_minute = found.groups()
    h = int(hour or plain_hour or chinese_hour)
    late = (half or plain_half or "").lower()
    h = h % 12 + (12 if late == "p" else 0) if late else h % 24
    return f"{h:02d}:{int(minute or chinese_minute or 0) % 60:02d}:{int(second or 0) % 60:02d}"
