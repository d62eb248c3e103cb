"""Making things up: stories, poems, slogans, names, jokes, picks and lists, all drawn from weighted grammars.

Here the sampling parameters are the lesson. Every draft is a real distribution, from the one word of "pick a colour"
to the three sentences about a cat and a sunbeam, with one clear favourite at each turn: at temperature 0.1 the
favourites speak, at 0.9 hardly two seeds agree.
"""

from __future__ import annotations

import re

from .cues import compiled, cue, group, label
from .expression import numerals
from .library import lexicon
from .reading import sentences
from .scene import Draft, Scene, first
from .style import number
from .weave import Chain, Part, Parts, Pick, Several, led
from .wording import Rule, Slots

_LONGEST = 1500
_MOST_LINES = 12
_MOST_TOPIC = 60
_WIDEST = 1000
_MOST_TOSSES = 1000
_FAVOURITE = 3.0  # how much likelier a seven is than another number, as people have it

Options = tuple[tuple[float, Parts], ...]


def creative(scene: Scene) -> Draft | None:
    if len(scene.question) > _LONGEST:
        return None
    return first(scene, (_written, _completed, _tossed, _counting, _listed, _chosen))


def _written(scene: Scene) -> Draft | None:
    kind = label("creative.kinds", scene.brief)
    if not kind or not (kind == "joke" or scene.asks("creative.asked")):
        return None
    scene.note("think.creative", kind=scene.book(f"kind.{kind}"), temperature=str(scene.prompt.sampling.temperature))
    given = topics(scene)
    kind = _special(scene, kind, given)
    usual = [scene.book.first(f"topic.{each}") for each in (kind, "other")]
    slots = _slots([*given, *usual[len(given) :]])
    if kind in ("joke", "haiku"):
        return Draft((scene.book(kind, **slots),))
    return _proposals(scene, kind, slots) if kind in ("slogan", "name") else _verses(scene, kind, slots)


def _slots(about: list[str]) -> Slots:
    """What it is about, as the grammars name it: {topic} bare, {it} with an article, {It} to begin a sentence."""
    slots: dict[str, str] = {}
    for (bare, it), topic in zip((("topic", "it"), ("other", "that")), about, strict=True):
        named = cue("creative.an").sub("the ", topic)
        slots |= {bare: cue("creative.article").sub("", topic), it: named, it.title(): named[:1].upper() + named[1:]}
    return slots


def _special(scene: Scene, kind: str, about: list[str]) -> str:
    """Kinds with a grammar of their own: the founding story of the cat and the sunbeam, and the haiku."""
    cat = re.search("cat|kitten|猫", "".join(about[:1])) and re.search("sun|light|光", " ".join(about[1:]))
    if kind == "story" and cat:
        return "cat"
    return "haiku" if kind == "poem" and re.search("haiku|俳句", scene.brief, re.IGNORECASE) else kind


def topics(scene: Scene) -> list[str]:
    """What it is to be about: ["a cat", "a sunbeam"]; in Chinese without measure words."""
    found = scene.asks("creative.about")
    about = group(found) if found else ""
    named = re.split(r"\s+and\s+|,\s*|和|与|、", about) if len(about) < _MOST_TOPIC else []
    article = cue("creative.article").sub
    plain = [each.strip(" \"'“”") for each in named]
    return [article("", each) if scene.language == "zh" else each for each in plain if each][:2]


def _verses(scene: Scene, kind: str, slots: Slots) -> Draft:
    """An opening, as many different middles as there is room for, and an ending."""
    wanted = min(scene.style.count or (4 if kind == "poem" else 3), _MOST_LINES)
    gap = "\n" if kind == "poem" or scene.style.lines else "" if scene.language == "zh" else " "
    opening, ending = scene.book(f"{kind}.opening", **slots), scene.book(f"{kind}.ending", **slots)
    middles = Several(tuple(Rule(scene.book, f"{kind}.middle", slots).unfold("")), wanted - 2, lambda _: gap)
    return Draft((opening, middles, *led(gap, (ending,))) if wanted > 1 else (opening,))


def _proposals(scene: Scene, kind: str, slots: Slots) -> Draft:
    """One slogan or name, or as many different ones as were asked for."""
    options = tuple(Rule(scene.book, kind, slots).unfold(""))
    count = min(_how_many(scene), _MOST_LINES)
    return Draft((Pick(options),)) if count == 1 else _numbered(options, count)


def _numbered(options: Options, count: int) -> Draft:
    return Draft((Several(options, count, lambda at: f"\n{at + 1}. " if at else "1. "),))


def _how_many(scene: Scene) -> int:
    found = scene.asks("creative.count")
    return number(group(found)) or 1 if found else 1


def _completed(scene: Scene) -> Draft | None:
    """Going on with a sentence, word by word, as the corpus would."""
    found = re.search(cue("creative.complete").pattern, scene.brief, re.IGNORECASE | re.DOTALL)
    start = group(found).strip(' "“”_….\n') if found else ""
    if not start or len(sentences(start)) > 3:
        return None
    scene.note("think.chain")
    return Draft((Chain(scene.language, before=start if scene.language == "zh" else f"{start} "),))


def _tossed(scene: Scene) -> Draft | None:
    """Coins, dice and numbers out of a range, once or several times: even chances, but for people's favourite seven."""
    found = cue("creative.between").search(numerals(scene.brief)) if scene.asks("creative.from_range") else None
    low, high = sorted(int(each) for each in found.groups() if each) if found else (1, 6)
    if scene.asks("creative.coin"):
        toss: Part = scene.book("coin")
    elif (found or scene.asks("creative.dice")) and high - low <= _WIDEST and not scene.asks("creative.no_range"):
        scene.note("think.pick", n=high - low + 1, temperature=str(scene.prompt.sampling.temperature))
        toss = Pick(tuple((_FAVOURITE if found and n == 7 else 1.0, (str(n),)) for n in range(low, high + 1)))
    else:
        return None
    times = cue("creative.times").search(numerals(scene.brief))
    count = min(int(group(times)), _MOST_TOSSES) if times else 1
    comma = "、" if scene.language == "zh" else ", "
    return Draft(tuple(part for _ in range(count) for part in (comma, toss))[1:])


def _listed(scene: Scene) -> Draft | None:
    """One or several things of a kind: a colour, five fruits."""
    values = _category(scene) if scene.asks("creative.ask") else []
    if not values:
        return None
    scene.note("think.pick", n=len(values), temperature=str(scene.prompt.sampling.temperature))
    options: Options = tuple((1 / at, (value,)) for at, value in enumerate(values, 1))  # the first is the favourite
    count = min(_how_many(scene), len(values))
    if count > 3 or (count > 1 and scene.style.lines):
        return _numbered(options, count)
    comma, last = ("、", "和") if scene.language == "zh" else (", ", " and ")
    row = Several(options, count, lambda at: "" if at == 0 else last if at == count - 1 else comma)
    return Draft((row,) if scene.style.bare else (row, scene.book("full.stop")))


def _category(scene: Scene) -> list[str]:
    for names, rows in lexicon()["categories"].items():
        english, chinese = names.split("/")
        if compiled(rf"\b(?:{english})s?\b|{chinese}").search(scene.brief):
            wanted = scene.asks("creative.starting")
            return [each for each in rows[scene.language] if not wanted or each.startswith(wanted[1].upper())]
    return []


def _chosen(scene: Scene) -> Draft | None:
    """This or that? The one named first has a small lead."""
    found = scene.asks("creative.choice")
    if not found or len(scene.question) > 80:
        return None
    first, second = [each.capitalize() for each in found.groups() if each]
    choice = Pick(((0.6, (first,)), (0.4, (second,))))
    return Draft((choice,) if scene.style.bare else (choice, scene.book("full.stop")))


def _counting(scene: Scene) -> Draft | None:
    found = cue("creative.counting").search(numerals(scene.brief))
    if not found:
        return None
    given = [int(each) for each in found.groups() if each]
    low, high = given if len(given) == 2 else (1, given[0])
    numbers = range(low, min(high, low + 999) + 1) if low <= high else range(low, max(high, low - 999) - 1, -1)
    return Draft((("、" if scene.language == "zh" else ", ").join(map(str, numbers)),))
