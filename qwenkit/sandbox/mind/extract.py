"""Answers out of a text that is in the request: the system message, a passage in the prompt, or a document.

Documents are messages of a role that no client can send; the service puts there what attached files say.

The best sentence is the one that shares the most with the question, a rare word counting more than a common one. When
nothing fits and the prompt insists on the text, the answer is that the text does not say.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from functools import cache

from .cues import compiled, cue, label
from .evidence import Evidence
from .library import lexicon
from .reading import LONG, content, sentences, words
from .scene import Draft, Scene

_DOCUMENT = 200_000  # characters of a text that are read
_CLEAR = {"en": 0.36, "zh": 0.3}  # share of the question's weight a sentence must cover; pairs of characters are noisy
_SHORT = 60  # a sentence about "the text" that is no longer than this is an instruction
_NAMED = 1.6  # a name in the question says more than another word
_CHANCE = 0.5  # half of the pairs of Chinese characters that stand nowhere in the text are no words
_LEAD = 2.0  # first sentences tend to say what a text is about
_YEAR_OR_TIME = re.compile(r"\d{1,2}:\d{2}|\d{4}年?|[一二三四五六七八九十\d]+点半?|\b(?:at|on|in) ([\w ]+?)(?=[.,]|$)")
_AMOUNT = re.compile(r"\d[\d,.]*\d|\d|[一二三四五六七八九十百千]+")


def extract(scene: Scene) -> Draft | None:
    asked, passage = _parted(scene)
    shown = _documents(scene)
    if cue("extract.summary").search(asked) and len(passage or shown) > 1:
        return _summary(scene, passage or shown)
    source = [*passage, *shown, *_facts(scene.system[:_DOCUMENT])]
    if not source or not cue("extract.asking").search(asked):
        return None
    best, score = _best(asked, source)
    scene.note("think.extract", n=len(source), score=f"{score:.2f}")
    if score >= _CLEAR[scene.language]:
        found = scene.say("extract.found", sentence=best)
        found.bare = _kernel(scene, asked, best)
        return found
    bound = shown or cue("extract.bound").search(f"{scene.system[-LONG:]}\n{scene.brief}")
    return scene.say("extract.absent") if bound else None


def _documents(scene: Scene) -> list[str]:
    shown = [content(each) for each in scene.prompt.messages if each.get("role") == "document"]
    return [sentence for text in shown for sentence in sentences(text[:_DOCUMENT])]


def _facts(system: str) -> list[str]:
    """The sentences of a system message that are no instructions, and what an instruction introduces with a colon."""
    parted = [(each, each.replace("：", ":").partition(":")[2]) for each in sentences(system)]
    told = [tail if cue("extract.instruction").search(each) else each for each, tail in parted]
    return [each.strip() for each in told if each.strip()]


def _parted(scene: Scene) -> tuple[str, list[str]]:
    """The sentence that asks, and the passage around it; an earlier long message if there is none."""
    every = [cue("extract.label").sub("", each) for each in sentences(scene.question[:_DOCUMENT])]
    asking = [
        each
        for each in (*every[-1:], *every[:1])
        if cue("extract.asking").search(each) or cue("extract.summary").search(each)
    ]
    asked = (asking or every or [""])[0]
    passage = [
        each for each in every if each != asked and not (cue("extract.bound").search(each) and len(each) < _SHORT)
    ]
    head, colon, tail = asked.replace("：", ":").partition(":")
    if colon and len(tail) > 8 and cue("extract.summary").search(head):
        return head, [tail.strip(), *passage]
    longer = [turn.text for turn in scene.earlier if turn.role == "user" and len(sentences(turn.text[:LONG])) > 2]
    return asked, passage or (sentences(longer[-1][:_DOCUMENT]) if longer else [])


@cache
def _alike() -> dict[str, str]:
    """word -> the first of the words that say the same."""
    return {word: said[0] for row in lexicon()["alike"] if (said := words(row)) for word in said}


def _said(text: str) -> set[str]:
    """The words of a text, those that say the same as one."""
    return {_alike().get(word, word) for word in words(text)}


def _best(asked: str, source: list[str]) -> tuple[str, float]:
    wanted = _said(asked)
    bags = [_said(sentence) | _kinds(asked, sentence) for sentence in source]
    seen = Counter(word for bag in bags for word in bag & wanted)
    rare = {word: math.log(1 + len(bags) / (0.5 + seen[word])) for word in wanted}
    for word in _said(" ".join(re.findall(r"(?<=\s)[A-Z]\w+", asked))):
        rare[word] *= _NAMED
    total = sum(weight * (seen[word] > 0 or word.isascii() or _CHANCE) for word, weight in rare.items()) or 1.0
    scores = [sum(rare[word] for word in wanted & bag) / total for bag in bags]
    at = scores.index(max(scores))
    return source[at], scores[at]


def _kinds(asked: str, sentence: str) -> set[str]:
    """The kinds of thing asked for that the sentence names one of: "green" answers for "colour"."""
    found: set[str] = set()
    for names, rows in lexicon()["categories"].items():
        english, chinese = names.split("/")
        kind = compiled(rf"\b(?:{english})\b|{chinese}").search(asked)
        if kind and any(each.lower() in sentence.lower() for row in rows.values() for each in row):
            found |= set(words(kind[0]))
    return found


def _kernel(scene: Scene, asked: str, sentence: str) -> str:
    """The word that answers: who a name, when a time or date, how many a number, where a place."""
    evidence = Evidence(sentence, scene.prompt.today)
    kind = label("extract.kernels", asked)
    values: dict[str, Callable[[], list[str]]] = {
        "names": evidence.names,
        "places": evidence.places,
        "moments": lambda: [found[1] or found[0] for found in _YEAR_OR_TIME.finditer(sentence)],
        "amounts": lambda: _AMOUNT.findall(sentence),
    }
    known = set(words(asked))
    return next((value for value in values[kind]() if not set(words(value)) & known), "") if kind else ""


def _summary(scene: Scene, passage: list[str]) -> Draft:
    """The sentences that hold the most of what the passage keeps coming back to, in their own order."""
    bags = [set(words(sentence)) for sentence in passage]
    common = Counter(word for bag in bags for word in bag)
    weight = [sum(common[word] for word in bag) / math.sqrt(len(bag) + 4) for bag in bags]
    weight[0] += _LEAD
    wanted = min(scene.style.count or (1 if scene.style.terse or len(passage) < 4 else 2), len(passage))
    kept = sorted(sorted(range(len(passage)), key=lambda at: -weight[at])[:wanted])
    scene.note("think.summary", n=len(passage), kept=wanted)
    glue = "\n" if scene.style.lines else "" if scene.language == "zh" else " "
    return Draft((glue.join(passage[at] for at in kept),))
