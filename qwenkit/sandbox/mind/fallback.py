"""When no faculty has an answer: say so, echo what was understood, and offer what can be done instead."""

from __future__ import annotations

import re
from dataclasses import replace

from .cues import cue
from .hearing import heard
from .library import lexicon
from .recall import clipped
from .scene import Draft, Scene

_MOST_WORDS = 7
_MOST_CHARACTERS = 30
_MOST_QUOTED = 80  # characters of a question that is given back


def fallback(scene: Scene) -> Draft:
    topics = understood(scene)
    scene.note("think.fallback")
    if scene.voiced and (told := heard(replace(scene, shown=True), scene.seen)):
        return told
    if scene.prompt.searched:
        return scene.say("search.nothing")
    return scene.say("fallback" if topics else "fallback.blank", topic=clipped(scene.question, _MOST_QUOTED))


def riddle(scene: Scene) -> Draft | None:
    """Puzzles of logic look like sums and like texts, and are neither."""
    return scene.say("riddle") if scene.asks("riddle") else None


def understood(scene: Scene) -> str:
    """The words of the question that carry its meaning, from the first to the last of them."""
    text = " ".join(scene.question[:400].split())
    if scene.language == "zh":
        return next((each for each in cue("fallback.filler").split(text) if len(each) > 1), "")[:_MOST_CHARACTERS]
    stop = set(lexicon()["stopwords"]) | set(lexicon()["tool_words"])
    spoken = re.findall(r"[A-Za-z0-9][\w'-]*", text)
    telling = [at for at, word in enumerate(spoken) if word.lower() not in stop and len(word) <= _MOST_CHARACTERS]
    near = [at for at in telling if at < telling[0] + _MOST_WORDS]
    return " ".join(spoken[near[0] : near[-1] + 1]) if near else ""
