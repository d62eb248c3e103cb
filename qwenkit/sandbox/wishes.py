"""What a prompt for a picture asks for, word by word: figures with their number, colour, size and place, the scenery,
the styles, words to write. It also knows which words it did not know, so that nobody is told they were drawn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from qwenkit.sandbox import hues
from qwenkit.sandbox.figures import figures

MOST_THINGS = 40
SEVERAL = 3  # of a plural that says no number
LONGEST = 4000  # characters of a prompt that are read
_QUOTED = re.compile(r"[\"“「『]([^\"”」』]{1,60})[\"”」』]|(?<!\w)['‘]([^'’]{1,60})['’](?!\w)")
_SAYS = re.compile(
    r"\b(?:says?|saying|reads?|reading|titled)\s+((?:[A-Z0-9][A-Z0-9'!?&.-]*\s?){1,6})|写着([\u4e00-\u9fff]{1,12})"
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_SIDES = {"above": ("top", "bottom"), "below": ("bottom", "top"), "left": ("left", "right"), "right": ("right", "left")}
_ZONES = {"sky": "sky", "ground": "field", "water": "lake"}


@dataclass
class Thing:
    """Figures of one kind that are to be drawn."""

    kind: str
    colour: str = ""
    count: int = 1
    scale: float = 1.0
    side: str = ""


@dataclass
class Wishes:
    """A prompt, understood as far as the painter can."""

    things: list[Thing] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    weathers: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    ground: str = ""  # the colour of a plain background
    known: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def without(self, other: Wishes) -> Wishes:
        """These wishes less what the others name."""
        kinds = {thing.kind for thing in other.things}
        self.things = [thing for thing in self.things if thing.kind not in kinds]
        for name in ("times", "weathers", "places", "styles"):
            gone = getattr(other, name)
            setattr(self, name, [each for each in getattr(self, name) if each not in gone])
        return self


@cache
def vocabulary() -> dict[str, tuple[str, str]]:
    """word -> its section and the name it stands for."""
    known: dict[str, tuple[str, str]] = {}
    section = ""
    for line in files("qwenkit.sandbox").joinpath("data", "painter.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, words = line.partition(":")
            known |= dict.fromkeys(words.split(), (section, name))
    return known | {word: ("colours", name) for word, name in hues.words().items()}


def colours_in(text: str) -> list[str]:
    """The colours a text names, in order."""
    told = [vocabulary().get(word, ("", "")) for word in _token().findall(text.lower())]
    return [name for section, name in told if section == "colours"]


@cache
def _token() -> re.Pattern[str]:
    han = sorted((word for word in vocabulary() if _HAN.match(word)), key=lambda word: (-len(word), word))
    return re.compile(r"[a-z]+(?:-[a-z]+)*|8-bit|\d+|[,.;，。；]|" + "|".join(han) + r"|[\u3400-\u9fff]")


def read(prompt: str) -> Wishes:
    """The wishes of a prompt. Reading from left to right: what describes a figure stands before it, or right after."""
    wishes, waiting = Wishes(), Thing("", count=0)
    prompt = prompt[:LONGEST]
    for pattern in (_QUOTED, _SAYS):
        wishes.texts += [next(filter(None, found.groups())).strip() for found in pattern.finditer(prompt)]
        prompt = pattern.sub(" ", prompt)
    told = _token().findall(prompt.lower())
    relation, fresh, before = "", False, ""  # fresh: a figure was named in this clause, sides go to it
    for at, word in enumerate(told):
        section, name = vocabulary().get(word, ("unknown", word))
        if word.isdecimal():
            section, name = "counts", str(min(max(int(word), 1), MOST_THINGS))
        if section in ("times", "weathers", "places", "styles"):
            getattr(wishes, section).append(name) if name not in getattr(wishes, section) else None
        elif section == "figures":
            plural = word.endswith("s") and word[:-1] in vocabulary() and (name != "star" or waiting.colour)
            count = waiting.count or (SEVERAL if plural else 1)  # stars of no number and colour are those of a sky
            wishes.things.append(Thing(name, waiting.colour, count, waiting.scale, waiting.side))
            if relation and len(wishes.things) > 1:
                wishes.things[-2].side, wishes.things[-1].side = _SIDES[relation]
            waiting, relation, fresh = Thing("", count=0), "", True
        elif section == "colours":
            waiting.colour = name
        elif section == "counts":
            waiting.count = int(name)
        elif section == "sizes":
            waiting.scale = float(name)
        elif section in ("sides", "relations"):
            of = name in _SIDES and fresh and (section == "relations" or told[at + 1 : at + 2] == ["of"])
            relation = name if of else relation
            _at_side(wishes, waiting, "" if of or section == "relations" else name, fresh)
        elif word in ("background", "背景") and waiting.colour:
            wishes.ground, waiting = waiting.colour, Thing("", count=0)
        if word in ",.;，。；" or word == "and":
            fresh = False
        if section == "unknown" and word not in ",.;，。；":
            wishes.unknown.append(before + word if before and _HAN.match(word) else word)
            if before and _HAN.match(word):
                wishes.unknown.pop(-2)
        elif section not in ("unknown", "quiet"):
            wishes.known.append(word)
        before = wishes.unknown[-1] if section == "unknown" and _HAN.match(word) else ""
    return _settled(wishes)


def _at_side(wishes: Wishes, waiting: Thing, side: str, fresh: bool) -> None:
    if side and fresh:
        wishes.things[-1].side = wishes.things[-1].side or side
    elif side:
        waiting.side = side


def _settled(wishes: Wishes) -> Wishes:
    """Stars of a night belong to the sky, a moon makes one, and a boat needs water."""
    kinds = [thing.kind for thing in wishes.things]
    if not wishes.times and "moon" in kinds and not wishes.ground:
        wishes.times.append("night")
    if "night" in wishes.times or "space" in wishes.places:
        wishes.things = [each for each in wishes.things if each.kind != "star" or each.colour or each.count > 1]
    if not wishes.places and not wishes.ground:
        needed = [_ZONES[figures()[kind].zone] for kind in kinds if figures()[kind].zone in _ZONES]
        wishes.places += sorted(set(needed), key=("lake", "field", "sky").index)[:1]
    return wishes
