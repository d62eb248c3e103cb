"""Answers out of a text that is in the request: the system message, a passage in the prompt, or a document.

Documents and pages found by a search are messages of roles that no client can send; the service puts them there.

The best sentence is the one that shares the most with the question, a rare word counting more than a common one. When
nothing fits and the prompt insists on the text, the answer is that nothing was found: what a text does not say is more
than a search can know.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import pairwise

from qwenkit.sandbox import senses

from .cues import compiled, cue, label
from .evidence import Evidence
from .expression import numerals
from .library import lexicon
from .reading import LONG, content, sentences, words
from .scene import Draft, Scene

_DOCUMENT = 200_000  # characters of a text that are read
CLEAR = {"en": 0.36, "zh": 0.38}  # share of the question's weight a sentence must cover; pairs of characters are noisy
_SHORT = 60  # a sentence about "the text" that is no longer than this is an instruction
_NAMED = 1.6  # a name in the question says more than another word
_LIGHT = 0.3  # "bring" and "allowed" say less
_NEAR = 0.9  # a word that says the same counts a little less than the word itself
_LESS, _MORE = 0.75, 1.25
_TOGETHER = 0.1  # what a pair of words side by side adds
_EQUAL = 0.8  # as good an answer as the best
_LATIN = re.compile(r"[A-Za-z0-9][\w'’.-]*(?<!\.)")
_ROW = re.compile(r"^[^.:。]{1,80}: \S.*\d|(?:\s\d[\d.,]*){2,}$")
_CHANCE = 0.5  # half of the pairs of Chinese characters that stand nowhere in the text are no words
_LEAD = 2.0  # first sentences tend to say what a text is about
_YEAR_OR_TIME = re.compile(r"\d{1,2}:\d{2}|\d{4}年?|[一二三四五六七八九十\d]+点半?|\b(?:at|on|in) ([\w ]+?)(?=[.,]|$)")
_AMOUNT = re.compile(r"\d[\d,.]*\d|\d|[一二三四五六七八九十百千]+")


def extract(scene: Scene) -> Draft | None:
    asked, passage = _parted(scene)
    shown = documents(scene)
    if cue("extract.summary").search(asked) and len(passage or shown) > 1:
        return _summary(scene, passage or shown)
    source = [*passage, *shown, *facts(scene.system[:_DOCUMENT]), *documents(scene, "search")]
    if not source or not cue("extract.asking").search(asked):
        return None
    found = _found(scene, asked, source)
    if found:
        return found
    bound = shown or cue("extract.bound").search(f"{scene.system[-LONG:]}\n{scene.brief}")
    return scene.say("extract.absent") if bound else None


def documented(scene: Scene) -> Draft | None:
    """What an attached document says goes before what was said in the conversation."""
    shown, asked = documents(scene), _parted(scene)[0]
    inner = scene.again(scene.question)
    found = _found(inner, asked, shown) if shown and cue("extract.asking").search(asked) else None
    scene.notes += inner.notes if found else []
    return found


def _found(scene: Scene, asked: str, source: list[str]) -> Draft | None:
    best, score = _best(asked, source)
    scene.note("think.extract", n=len(source), score=f"{score:.2f}")
    if score < CLEAR[scene.language]:
        return None
    found = scene.say("extract.found", sentence=best)
    found.bare = kernel(scene, asked, best)
    return found


def documents(scene: Scene, role: str = "document") -> list[str]:
    shown = [content(each) for each in scene.prompt.messages if each.get("role") == role]
    return [sentence for text in shown for sentence in sentences(text[:_DOCUMENT])]


def facts(system: str) -> list[str]:
    """The sentences of a system message that are no instructions, and what an instruction introduces with a colon."""
    parted = [(each, each.replace("：", ":").partition(":")[2]) for each in sentences(system)]
    told = [tail if cue("extract.instruction").search(each) else each for each, tail in parted]
    return [each.strip() for each in told if each.strip()]


def _parted(scene: Scene) -> tuple[str, list[str]]:
    """The sentence that asks, and the passage around it; an earlier long message if there is none."""
    every = [cue("extract.label").sub("", each) for each in sentences(scene.question[:_DOCUMENT])]
    asks, sums, bound = cue("extract.asking").search, cue("extract.summary").search, cue("extract.bound").search
    asking = [each for each in (*every[-1:], *every[:1]) if asks(each) or sums(each)]
    asked = (asking or every or [""])[0]
    passage = [each for each in every if each != asked and not (bound(each) and len(each) < _SHORT)]
    head, colon, tail = asked.replace("：", ":").partition(":")
    if colon and len(tail) > 8 and cue("extract.summary").search(head):
        return head, [tail.strip(), *passage]
    longer = [turn.text for turn in scene.earlier if turn.role == "user" and len(sentences(turn.text[:LONG])) > 2]
    return asked, passage or (sentences(longer[-1][:_DOCUMENT]) if longer else [])


@cache
def _known() -> dict[str, tuple[str, ...]]:
    """term -> the senses it may have, the nearest first: our own rows, then the list that vectors use."""
    found: dict[str, tuple[str, ...]] = {}
    for row in lexicon()["alike"]:
        for word in row.split():
            found[senses.term(word)] = (*found.get(senses.term(word), ()), f"={row.split()[0]}")
    for word, names in senses.senses().items():
        found[word] = (*found.get(word, ()), *(f"#{name}" for name in names))
    return found


@cache
def _chinese() -> re.Pattern[str]:
    return senses.longest(list(_known()))


def _spoken(text: str) -> list[str]:
    """The words of a text that carry meaning: terms of English ones, known Chinese words, pairs of what is left."""
    plain = _LATIN.sub(" ", text)
    left = [pair for pair in words(_chinese().sub(" ", plain)) if len(pair) > 1]
    latin = [senses.term(word) for word in _LATIN.findall(text.lower()) if words(word)]
    return [*latin, *(word for word in _chinese().findall(plain) if words(word)), *left]


def _bag(text: str) -> set[str]:
    """All that a sentence may be found by: its words, what they may mean, and every pair of its characters."""
    said = [*_spoken(text), *words(_LATIN.sub(" ", text))]
    return {*said, *(name for word in said for name in _known().get(word, ()))}


def bridged(asked: str) -> str:
    """A question and the words that say the same in either language, to look for passages with."""
    near = {name for word in _spoken(asked) for name in _known().get(word, ())[:1]}
    return " ".join([asked, *(word for word, names in _known().items() if names[0] in near)])


def _best(asked: str, source: list[str]) -> tuple[str, float]:
    """The sentence that covers most of the question; of amounts, its neighbour too if that is as good."""
    found = scores(asked, source)
    at = found.index(max(found))
    near_by = [place for place in (at + 1, at - 1) if 0 <= place < len(found) and found[place] > _EQUAL * found[at]]
    several = near_by[:1] if label("extract.kernels", asked) == "amounts" else []
    gap = "" if source[at].endswith("。") else " "
    return gap.join(source[place] for place in sorted([at, *several])), found[at]


def scores(asked: str, source: list[str]) -> list[float]:
    near = {word: _known().get(word, (word,))[0] for word in _spoken(asked)}
    bags = [_bag(sentence) | _kinds(asked, sentence) for sentence in source]
    seen = Counter(word for bag in bags for word in near if word in bag or near[word] in bag)
    rare = {word: math.log(1 + len(bags) / (0.5 + seen[word])) * _telling(word, asked) for word in near}
    sure = {word: seen[word] or word.isascii() or word in _known() for word in near}
    total = sum(weight * (1 if sure[word] else _CHANCE) for word, weight in rare.items()) or 1.0
    beside = _beside(asked)
    return [
        sum(rare[word] * (1 if word in bag else _NEAR if near[word] in bag else 0) for word in near)
        / total
        * _fitting(asked, sentence)
        * (1 + _TOGETHER * len(beside & _beside(sentence)))
        for sentence, bag in zip(source, bags, strict=True)
    ]


def _beside(text: str) -> set[tuple[str, str]]:
    """What stands side by side: "first ferry" is more than first and ferry."""
    said = [_known().get(word, (word,))[0] for word in _spoken(text)]
    return set(pairwise(said))


def _telling(word: str, asked: str) -> float:
    """How much a word says about what is asked: "bring" little, a name a lot."""
    if word in _light() or "=cost" in _known().get(word, ()):
        return _LIGHT
    return _NAMED if re.search(rf"(?<=\s)(?-i:[A-Z]){re.escape(word[1:])}", asked) else 1.0


@cache
def _light() -> frozenset[str]:
    return frozenset(map(senses.term, lexicon()["light"]))


def _fitting(asked: str, sentence: str) -> float:
    """Less for a sentence without the kind of thing asked for, and for a row of a table that is no price asked for."""
    price = cue("extract.price").search(asked)
    if _ROW.search(sentence):
        return _MORE if price else _LESS
    counted = price or label("extract.kernels", asked) in ("amounts", "moments")
    return _LESS if counted and not re.search(r"\d", numerals(sentence)) else 1.0


def _kinds(asked: str, sentence: str) -> set[str]:
    """The kinds of thing asked for that the sentence names one of: "green" answers for "colour"."""
    found: set[str] = set()
    for names, rows in lexicon()["categories"].items():
        english, chinese = names.split("/")
        kind = compiled(rf"\b(?:{english})\b|{chinese}").search(asked)
        if kind and any(each.lower() in sentence.lower() for row in rows.values() for each in row):
            found |= set(_spoken(kind[0]))
    return found


def kernel(scene: Scene, asked: str, sentence: str) -> str:
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
