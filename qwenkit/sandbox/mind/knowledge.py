"""A small shelf of facts: what a beginner asks a language model first. Nothing else is known, nothing looked up.

A fact is found by its keys. `sky blue` wants both words in the question, `tomato/西红柿` either; a key that begins with
`=` counts only in a question that asks what something is; `!` marks what changes by the day.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from .cues import compiled
from .library import lexicon, read
from .scene import Draft, Scene

_LONGEST = 400


class Fact(NamedTuple):
    keys: list[list[str]]  # any list of words will do; all of its words must be there
    texts: dict[str, str]
    live: bool = False  # what nobody here can know, unless something looks it up


@cache
def _shelf() -> list[Fact]:
    shelf: list[Fact] = []
    for record in read("facts.txt").split("\n? ")[1:]:
        keys, _, body = record.partition("\n")
        english, _, chinese = body.partition("\n---\n")
        texts = {"en": english.strip(), "zh": chinese.strip()}
        shelf.append(Fact([key.split() for key in keys.lstrip("! ").split(";")], texts, keys.startswith("!")))
    return shelf


def knowledge(scene: Scene) -> Draft | None:
    if len(scene.question) > _LONGEST:
        return None
    capital = _capital(scene)
    if capital:
        return capital
    weight, fact = max(((_weight(scene, each), each) for each in _shelf()), key=lambda pair: pair[0])
    if not weight or (fact.live and scene.prompt.searched):
        return None
    scene.note("think.knowledge")
    text = fact.texts[scene.language]
    value, _, rest = text.partition(" || ")  # a fact may begin with its one-word answer
    style = replace(scene.style, terse=True) if fact.live and scene.prompt.aloud else scene.style
    return Draft((style.trim(rest or value),), bare=value if rest else "")


def _weight(scene: Scene, fact: Fact) -> int:
    """The length of the longest key whose every word stands in the question."""
    question = scene.question.lower().replace("-", " ")
    defining = bool(scene.asks("knowledge.defining")) or len(question.split()) < 4
    fitting = [key for key in fact.keys if all(_has(question, word, defining) for word in key)]
    return max((sum(map(len, key)) for key in fitting), default=0)


def _has(question: str, word: str, defining: bool) -> bool:
    if word.startswith("="):
        return defining and _has(question, word[1:], defining)
    if "/" in word:
        return any(_has(question, each, defining) for each in word.split("/"))
    return bool(_whole(word).search(question)) if word.isascii() else word in question


@cache
def _whole(word: str) -> re.Pattern[str]:
    return compiled(rf"\b{re.escape(word)}(s|es)?\b")


def _capital(scene: Scene) -> Draft | None:
    asked = scene.asks("knowledge.capital")
    if not asked:
        return None
    name = (asked[1] or asked[2]).strip().lower()
    for country, (capital, chinese_country, chinese_capital) in lexicon()["capitals"].items():
        if name.endswith((country.lower(), chinese_country)):
            chinese = scene.language == "zh"
            scene.note("think.knowledge")
            value = chinese_capital if chinese else capital
            return scene.say("knowledge.capital", country=chinese_country if chinese else country, value=value)
    return None
