"""Recall within the conversation: what the user said earlier is in the messages, and nowhere else.

Facts are gleaned from the user's own sentences ("my name is Ada", 我叫小明) as key and value; a question about "my …"
looks for the latest fact whose key shares its words. When nothing was said, the answer is that: a model has no other
memory.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .cues import cue, label, table
from .evidence import Evidence
from .reading import Turn, ends, language, sentences
from .scene import Draft, Scene

_FILLER = {"name", "names", "a", "the", "own", "called", "current", "again", "please", ""}
_QUOTES = " \"'“”「」`*"
_AND_SO_ON = re.compile(r"\s+(?:and (?:my|i|what|please)|but|so|because)\b", re.IGNORECASE)
_MOST_LISTED = 12
_LONGEST = 1500
_NAMED = ("places", "codes", "tickers", "names")  # what a follow-up may put in the place of what was asked about


class Fact(NamedTuple):
    key: str
    value: str


def facts(texts: list[str]) -> list[Fact]:
    """Everything the user stated, in the order it was said."""
    gleaned: list[tuple[int, int, Fact]] = []
    for turn, text in enumerate(texts):
        for key, pattern in table("recall.states"):
            for found in pattern.finditer(ends(text)):
                value = _AND_SO_ON.split(found.groups()[-1], maxsplit=1)[0].strip(_QUOTES)
                if value and not re.match(r"(what|who|where|how|which)\b", value, re.IGNORECASE):
                    gleaned.append((turn, found.start(), Fact(key or found[1].strip(), value)))
    return [fact for _, _, fact in sorted(gleaned, key=lambda each: each[:2])]


def recall(scene: Scene) -> Draft | None:
    if len(scene.question) > _LONGEST or not scene.question:
        return None
    asked = sentences(scene.question)[-1]
    return _of_turns(scene, asked) or _of_facts(scene, asked)


def _of_facts(scene: Scene, asked: str) -> Draft | None:
    key, found = next(
        ((key, found) for key, pattern in table("recall.asks") if (found := pattern.search(asked))), ("", None)
    )
    if not found:
        return None
    said = [*(turn.text for turn in scene.earlier if turn.role == "user"), scene.question.replace(asked, "")]
    wanted = key or next((group for group in found.groups() if group), "")
    known = _latest(wanted, facts(said))
    scene.note("think.recall", key=_spoken(scene, wanted), n=len(said))
    if known:
        rule = f"recall.{known.key}"
        other = "recall.my" if cue("recall.my").search(asked) else "recall.the"
        return scene.say(rule if rule in scene.book else other, key=known.key, value=known.value)
    if any(each.get("role") == "document" for each in scene.prompt.messages):
        return None  # it is asked of the document
    own = language(asked) == "zh" or re.search(r"\b(i|my|me)\b", asked, re.IGNORECASE)
    return scene.say("recall.unknown", key=_spoken(scene, wanted)) if own else None


def _spoken(scene: Scene, key: str) -> str:
    rule = f"key.{key}"
    return scene.book.first(rule) if rule in scene.book else key


def _words(key: str) -> set[str]:
    if language(key) == "zh":
        return set(key) - set("的最名字个")
    plain = key.lower().replace("favorite", "favourite").replace("color", "colour")
    return {word.rstrip("s") for word in re.findall(r"[a-z]+", plain)} - _FILLER


def _latest(wanted: str, known: list[Fact]) -> Fact | None:
    """The latest fact about it: the same key, or one whose words hold the others."""
    words = _words(wanted)
    for fact in reversed(known):
        own = _words(fact.key)
        if fact.key.lower() == wanted.lower() or (words and own and (words <= own or own <= words)):
            return fact
    return None


def _of_turns(scene: Scene, asked: str) -> Draft | None:
    kind = label("recall.turns", asked)
    if not kind:
        return None
    said = [turn for turn in scene.earlier if turn.role == ("assistant" if kind == "yours" else "user")]
    scene.note("think.turns", n=len(scene.earlier))
    if not said:
        return scene.say("recall.nothing")
    if kind == "all":
        return _summary(scene, scene.earlier)
    value = str(len(said)) if kind == "count" else clipped(said[0 if kind == "first" else -1].text)
    return scene.say(f"recall.{kind}", value=value)


def followed(scene: Scene) -> str | None:
    """A follow-up ("And in Lima?") as a question of its own: the one before it, about something else."""
    found = cue("tool.follow").search(scene.question)
    asked = [turn.text for turn in scene.earlier if turn.role == "user" and not cue("tool.follow").search(turn.text)]
    if not found or not asked or Evidence(scene.question, scene.prompt.today).expressions():
        return None
    said, before = (Evidence(text, scene.prompt.today) for text in (scene.question, asked[-1]))
    for kind in _NAMED:
        old, new = before.all(kind, ""), said.all(kind, "")
        ends = [place for each in old for place in re.finditer(re.escape(each), before.text, re.IGNORECASE)]
        if ends and new:
            both = (" and " if scene.language == "en" else "和").join(new)
            return before.text[: ends[0].start()] + both + before.text[max(place.end() for place in ends) :]
    return None


def _summary(scene: Scene, turns: list[Turn]) -> Draft:
    lines = [scene.book(f"recall.line.{turn.role}", text=clipped(turn.text)) for turn in turns[-_MOST_LISTED:]]
    return scene.say("recall.all", lines=tuple(part for line in lines for part in ("\n- ", line)), n=len(turns))


def clipped(text: str, limit: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def noted(scene: Scene) -> Draft | None:
    """A statement about the user with no question in it is acknowledged, and where it is kept is said."""
    wish = re.search(r"[?？]|吗\W*$", scene.brief) or label("creative.kinds", scene.brief) or scene.asks("json.wish")
    if wish or len(sentences(scene.brief)) > 3:
        return None
    stated = facts([scene.brief])
    if not stated:
        return None
    fact = next((each for each in stated if each.key == "name"), stated[-1])
    scene.note("think.noted", key=_spoken(scene, fact.key), value=fact.value)
    rule = "noted.name" if fact.key == "name" else "noted.plain" if f"key.{fact.key}" in scene.book else "noted"
    return scene.say(rule, value=fact.value, key=fact.key)
