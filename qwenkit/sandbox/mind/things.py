"""Things a text names, by kind: addresses, dates, people, places, titles. A kind is a cue or, where that is not
enough, a method; its name is what a field's name, format or description is taken for (`evidence.hints`).
"""

from __future__ import annotations

import datetime
import re

from . import dates, expression
from .cues import cue, group
from .library import lexicon
from .meaning import countries, place_pattern, places
from .reading import sentences

ASKS = "?？"
_TITLE = 60
_TITLE_WORDS = 6


class Things:
    """One text and the things in it."""

    def __init__(self, text: str, today: datetime.date) -> None:
        self.text = text
        self.today = today

    def told(self) -> str:
        """The text without the sentences that ask, in which a number or a name is no answer."""
        return "\n".join(each for each in sentences(self.text) if each[-1] not in ASKS)

    def quoted(self, key: str = "") -> list[str]:
        return [group(found) for found in cue("evidence.quoted").finditer(self.text)]

    def dates(self, key: str = "") -> list[str]:
        return [date.isoformat() for date in dates.found(self.text, self.today)]

    def times(self, key: str = "") -> list[str]:
        return [_clock(found) for found in cue("evidence.time").finditer(self.text)]

    def units(self, key: str = "") -> list[str]:
        return cue("evidence.unit").findall(self.text.lower())

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
        found = (each.split() for each in cue("evidence.name").findall(self.text))
        latin = [" ".join(word for word in each if word.lower() not in common) for each in found]
        people = [name for name in latin if name and name.lower() not in places()]
        return list(dict.fromkeys([*people, *cue("evidence.chinese_name").findall(self.text)]))

    def places(self, key: str = "") -> list[str]:
        """Places in order; those that follow "from" or "to" if the field's name says so."""
        origin = re.search(r"from|origin|depart|source|start|出发", key, re.IGNORECASE)
        goal = re.search(r"^to$|_to\b|dest|arriv|target|目的", key, re.IGNORECASE)
        after = r"(?:\bto|到|去|飞往)" if goal else r"(?:\b(?:in|at|for|near|from|to|of)\b)"
        word = r"(?:from|从)" if origin else after
        known = list(place_pattern().finditer(self.text))
        if origin or goal:
            led = re.compile(rf"{word}\s*$", re.IGNORECASE).search
            known = [found for found in known if led(self.text[: found.start()][-9:])]
        country, town = (re.search(words, key.lower()) for words in ("countr|国家", r"\bcit|town|城市"))
        if known:
            found_ = dict.fromkeys(places()[found[0].lower()] for found in known)
            towns = {each for each in found_ if each not in countries() or each in lexicon()["cities"]}
            return [each for each in found_ if (each in countries() if country else not town or each in towns)]
        named = [] if country else re.findall(rf"{word}\s+((?:the )?[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)", self.text)
        loose = [word.title() for word in cue("evidence.loose_place").findall(self.text)]
        chinese: list[str] = cue("evidence.chinese_place").findall(self.text)
        return [place for place in named or [*loose, *chinese] if not cue("evidence.no_place").search(place)]

    def titles(self, key: str = "") -> list[str]:
        """Quoted words, or what the first clause begins with: before a year, a verb or a colon."""
        first = re.split(r"[.;。；!?？\n]", self.told().strip(), maxsplit=1)[0]
        named = cue("evidence.heading").split(cue("evidence.before_title").sub("", first), maxsplit=1)[0].strip()
        return [*self.quoted(), *([named] if 0 < len(named) <= _TITLE and len(named.split()) <= _TITLE_WORDS else [])]

    def makers(self, key: str = "") -> list[str]:
        """By whom a thing is; all of them in one, unless a list is asked for."""
        rows = [next(filter(None, each)) for each in cue("evidence.maker").findall(self.text)]
        return [name for row in rows for name in (cue("evidence.glue").split(row) if key.endswith("s") else [row])]

    def companies(self, key: str = "") -> list[str]:
        return [next(filter(None, each)).strip() for each in cue("evidence.company").findall(self.text)]

    def queries(self, key: str = "") -> list[str]:
        """What a search or a message is about: quoted words, or the prompt without its command."""
        rest = cue("evidence.command").sub("", self.text.strip()).strip(" .。!！")
        return [*self.quoted(), *([rest] if rest else [])]


def _clock(found: re.Match[str]) -> str:
    hour, minute, second, half, plain_hour, plain_half, chinese_hour, chinese_minute = found.groups()
    h = int(hour or plain_hour or chinese_hour)
    late = (half or plain_half or "").lower()
    h = h % 12 + (12 if late == "p" else 0) if late else h % 24
    return f"{h:02d}:{int(minute or chinese_minute or 0) % 60:02d}:{int(second or 0) % 60:02d}"
