"""When no faculty has an answer: say so, echo what was understood, and offer what can be done instead."""

from __future__ import annotations

import re

from .cues import cue
from .library import lexicon
from .scene import Draft, Scene

_MOST_TOPICS = 2


def unseen(scene: Scene) -> Draft | None:
    """Pictures and recordings arrive, but this mind has no eyes and no ears yet."""
    if not scene.media:
        return None
    kinds = [kind for kind in ("image", "video", "audio") if kind in scene.media]
    scene.note("think.media", n=len(scene.media))
    return scene.say(f"media.{kinds[0]}", n=len(scene.media))


def fallback(scene: Scene) -> Draft:
    topics = understood(scene)
    scene.note("think.fallback")
    return scene.say("fallback" if topics else "fallback.blank", topic=topics)


def understood(scene: Scene) -> str:
    """The words of the question that carry its meaning, as they were written."""
    text = " ".join(scene.question[:400].split())
    if scene.language == "zh":
        pieces = [each for each in cue("fallback.filler").split(text) if len(each) > 1]
        return "、".join(pieces[:_MOST_TOPICS])[:40]
    stop = set(lexicon()["stopwords"]) | set(lexicon()["tool_words"])
    runs: list[list[str]] = [[]]
    for word in re.findall(r"[A-Za-z0-9][\w'-]*|[^\w\s]", text):
        if word.lower() in stop or not word[0].isalnum() or len(word) > 30:
            runs.append([])
        else:
            runs[-1].append(word)
    return " ".join(max(runs, key=len)[: _MOST_TOPICS + 1])  # the longest run of content words reads like a topic
