"""Answers about what was shown: pictures and films that the eyes have measured.

Whatever the question is about (a count, a colour, a place, words, boxes), the answer is looked up in the measurements;
what eyes that measure cannot know, is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from qwenkit.sandbox import hues
from qwenkit.sandbox.sights import inventory, light, listed

from . import looking
from .arithmetic import arithmetic
from .cues import cue
from .extract import documented
from .forms import Form
from .hearing import heard
from .looking import pictures, said
from .scene import Draft, Scene


def grounded(scene: Scene) -> Draft | None:
    """Places are JSON in themselves, whatever is said of JSON, and so are lists of shapes; only schemas go before."""
    form = scene.prompt.response_format or {}
    json = scene.shown and scene.asks("json.wish")
    sights = [] if form.get("type") == "json_schema" or not (json or scene.asks("see.boxes")) else pictures(scene)
    if not sights or not _meant(scene, sights):
        return None
    if scene.asks("see.boxes"):
        return looking.boxes(scene, sights)
    if sights[-1].text:
        rows = Form(sights[-1].text).table() if scene.asks("see.rows") and not scene.asks("see.fields") else None
        return looking.as_json(rows, scene) if rows else None
    return looking.rows(scene, sights) if scene.asks("see.things") or looking.wanted(scene)[0] else None


def _meant(scene: Scene, sights: list[Any]) -> bool:
    """Whether a question is about pictures: those it came with, or earlier ones that it speaks of."""
    lines = any(each.text and Form(each.text).line(scene.brief) for each in sights)
    return scene.shown or bool(scene.asks("see.about") or looking.wanted(scene)[0] or lines)


def seen(scene: Scene) -> Draft | None:
    """Pictures go before sounds; a question that is about neither goes to the other faculties, unless they are new."""
    sights = pictures(scene)
    if not sights:
        return heard(scene, scene.seen) if scene.seen and not scene.voiced else None
    if not _meant(scene, sights):
        return None
    scene.note("think.media", n=len(scene.seen))
    films = [each for each in scene.seen if hasattr(each, "frames_seen")]
    for name, tell in _FILM if films else ():
        if scene.asks(name):
            return said(tell(scene, films[-1]))
    for name, answer in _ASKED:
        if scene.asks(name) and (draft := answer(scene, sights)):
            return draft
    text = next((each.text for each in reversed(sights) if each.text), "")
    if not scene.shown and not scene.asks("see.about"):
        return (_read if text else looking.how_many)(scene, sights) if scene.asks("see.follow") else None
    asking = text and cue("extract.asking").search(scene.brief) and not scene.asks("see.describe")
    if asking and (found := _read(scene, sights)):
        return found
    if worked := arithmetic(scene):
        return worked
    return scene.say("see.unsaid", told=text) if asking and "\n" in text else described(scene)


def described(scene: Scene) -> Draft:
    """Everything, one after the other."""
    told = [each.told(scene.language) if hasattr(each, "told") else "" for each in scene.seen]
    sounds = [each for each in scene.seen if not hasattr(each, "told")]
    if len(told) > 1:
        told = [f"{at}. {text}" for at, text in enumerate(told, 1) if text]
    draft = said("\n".join(filter(None, told)) + ("" if scene.style.terse else scene.book.first("see.honest")))
    extra = heard(scene, sounds) if sounds else None
    return Draft((*draft.parts, "\n", *extra.parts)) if extra else draft


def _compared(scene: Scene, sights: list[Any]) -> Draft | None:
    if len(sights) < 2:
        return None
    a, b = sights[-2:]
    zh = scene.language
    pairs = [
        ("see.size", f"{a.width} × {a.height}", f"{b.width} × {b.height}"),
        ("see.light", light(a, zh), light(b, zh)),
        ("see.background", hues.named(a.background, zh), hues.named(b.background, zh)),
        ("see.shapes", inventory(a, zh) or "—", inventory(b, zh) or "—"),
        ("see.words", a.text.replace("\n", " / ") or "—", b.text.replace("\n", " / ") or "—"),
    ]
    rows = [f"- {scene.book.first(name)}: {one} → {two}" for name, one, two in pairs if one != two]
    same = [scene.book.first(name) for name, one, two in pairs if one == two and one != "—"]
    text = "\n".join([scene.book.first("see.differ" if rows else "see.alike"), *rows])
    return said(f"{text}\n- {scene.book.first('see.same')}: {listed(same, zh)}" if same and rows else text)


def _measured(scene: Scene, sights: list[Any]) -> Draft:
    return scene.say("see.measured", value=listed([f"{each.width} × {each.height}" for each in sights], scene.language))


def _lit(scene: Scene, sights: list[Any]) -> Draft:
    sight = sights[-1]
    mean, spread = f"{sight.brightness:.0f}", f"{sight.contrast:.0f}"
    return scene.say("see.lit", value=light(sight, scene.language), first=mean, second=spread)


def _read(scene: Scene, sights: list[Any]) -> Draft | None:
    """The words on a picture: all of them, or those that a question is about; of unknown pictures none."""
    known = [sight.text for sight in sights if sight.text]
    if not known:
        titled = sights[-1].title  # a picture of the sample data, on which nothing is written
        return scene.say("see.wordless" if titled else "see.unread", told=looking.sights_told(scene))
    if scene.asks("see.all_text"):
        return said("\n".join(known), known[-1])
    if line := Form(known[-1]).line(scene.brief):
        return said(line, re.split(r": |\s{2,}|(?<=[\u4e00-\u9fff]) ", line, maxsplit=1)[-1])
    return documented(scene)


def _tallied(scene: Scene, sights: list[Any]) -> Draft | None:
    """How many of what a line names."""
    line = Form(sights[-1].text).line(scene.brief)
    return _read(scene, sights) if line else None


def _worked(scene: Scene, sights: list[Any]) -> Draft | None:
    found = Form(sights[-1].text).worked(scene.brief)
    return scene.say(found[0], **found[1]) if found else None


def _translated(scene: Scene, sights: list[Any]) -> Draft | None:
    return scene.say("see.foreign", told=sights[-1].text) if sights[-1].text else None


_ASKED: tuple[tuple[str, Callable[[Scene, list[Any]], Draft | None]], ...] = (
    ("see.parts", lambda scene, _: described(scene)),
    ("rewrite.translate", _translated),
    ("see.number", _worked),
    ("see.one_of", looking.which),
    ("see.compare", _compared),
    ("see.beside", looking.beside),
    ("see.count", _tallied),
    ("see.count", looking.how_many),
    ("see.form", looking.form),
    ("see.where", looking.where),
    ("see.sized", looking.sized),
    ("see.being", looking.whether),
    ("see.read", _read),
    ("see.colours", looking.hued),
    ("see.whether", looking.whether),
    ("see.measure", _measured),
    ("see.bright", _lit),
)
_FILM: tuple[tuple[str, Callable[[Scene, Any], str]], ...] = (
    ("see.motion", lambda scene, film: film.changes(scene.language)),
    ("see.length", lambda scene, film: film.told(scene.language)),
)
