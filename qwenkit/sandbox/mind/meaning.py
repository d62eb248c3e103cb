"""What words have in common: groups of words that mean the same thing in English and Chinese, and known places."""

from __future__ import annotations

import re
from functools import cache

from .cues import compiled
from .library import lexicon
from .reading import stem, words


@cache
def _groups() -> dict[str, str]:
    """word -> the name of its group."""
    return {stem(word): f"#{group.split()[0]}" for group in lexicon()["concepts"] for word in group.split()}


@cache
def places() -> dict[str, str]:
    """Every known place name in lower case -> as it is written."""
    named: dict[str, str] = {}
    for country, row in lexicon()["capitals"].items():
        named |= {place.lower(): place for place in (country, *row)}
    return named | {place.lower(): place for place in lexicon()["cities"]}


@cache
def countries() -> frozenset[str]:
    rows = lexicon()["capitals"].items()
    return frozenset(name for country, (_, chinese, _) in rows for name in (country, chinese))


@cache
def place_pattern() -> re.Pattern[str]:
    latin = "|".join(re.escape(place) for place in places() if place.isascii())
    chinese = "|".join(re.escape(place) for place in places() if not place.isascii())
    return compiled(rf"\b(?:{latin})\b|{chinese}")


@cache
def idle() -> frozenset[str]:
    """Words that say nothing about what a tool is for."""
    return frozenset(stem(word) for word in lexicon()["tool_words"])


def split_name(name: str) -> str:
    """getWeather_now -> get Weather now"""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\-.]+", " ", name)


def meanings(text: str) -> set[str]:
    """The words of a text, each replaced by its group if it has one."""
    return {_groups().get(word, word) for word in words(split_name(text))}
