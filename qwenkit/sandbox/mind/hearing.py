"""Answers about what was heard: how long, how loud, where speech is, its words where the ears know them."""

from __future__ import annotations

from typing import Any

from .cues import cue
from .extract import documented
from .scene import Draft, Scene
from .weave import plain

_LANGUAGES = {"en": ("English", "英语"), "zh": ("Chinese", "中文")}


def heard(scene: Scene, sounds: list[Any]) -> Draft | None:
    """The answer to a question about sounds; everything about them when nothing in particular is asked."""
    asked = next(
        (name for name in ("speakers", "length", "tongue", "level", "words") if scene.asks(f"hear.{name}")), ""
    )
    if not asked and not scene.shown and not scene.asks("hear.about"):
        return None
    scene.note("think.media", n=len(sounds))
    asks = not asked and any(each.text for each in sounds) and cue("extract.asking").search(scene.brief)
    if asks and not scene.asks("see.describe") and (found := documented(scene)):
        return found
    told = [_told(scene, each, asked) for each in sounds]
    bare = sounds[-1].text if asked in ("", "words") else ""
    mark = len(told) > 1
    return Draft(("\n".join(f"{at}. {text}" if mark else text for at, text in enumerate(told, 1)),), bare)


def _told(scene: Scene, sound: Any, asked: str) -> str:
    def say(rule: str, **slots: str) -> str:
        return plain(scene.say(rule, **slots).parts)

    seconds, speech = f"{sound.seconds:.1f}", f"{sum(end - begin for begin, end in sound.segments) / 1000:.1f}"
    level, pitch = f"{sound.level_db:.0f}", f"{sound.pitch_hz:.0f}"
    if asked == "speakers" and (voices := {each.voice for each in sound.sentences}):
        return say("hear.speakers" if len(voices) > 1 else "hear.alone", value=str(len(voices)))
    if asked == "length":
        return say("hear.length", value=seconds, second=speech)
    if asked == "tongue" and sound.text:
        names = _LANGUAGES.get(sound.language, (sound.language, sound.language))
        return say("hear.tongue", value=names[scene.language == "zh"])
    if asked == "level":
        return say("hear.level" if sound.pitch_hz else "hear.unpitched", value=level, other=pitch)
    if not sound.segments:
        return say("hear.silent", first=seconds, value=level)
    if not sound.text:
        return say("hear.unknown", value=speech, first=seconds)
    if asked == "words":
        return say("hear.words", value=sound.text)
    return say("hear.all", value=sound.text, first=speech, second=level, other=pitch)
