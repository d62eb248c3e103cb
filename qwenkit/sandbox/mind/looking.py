"""Answers about the shapes on pictures: how many, of which colour, where, how large, and places as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from qwenkit.sandbox import hues, wishes
from qwenkit.sandbox.shapes import Box, Shape
from qwenkit.sandbox.sights import KINDS, counted, inventory, light, listed, shares

from .cues import cue, group, label
from .scene import Draft, Scene

SCALE = 1000  # of relative places
_ALSO = {"moon": "crescent", "bar": "rectangle"}
_BEYOND: dict[str, Callable[[Box, Box], bool]] = {  # whether the first box is on that side of the second
    "left": lambda a, b: a[0] + a[2] < 2 * b[0],
    "right": lambda a, b: a[0] + a[2] > 2 * b[2],
    "above": lambda a, b: a[1] + a[3] < 2 * b[1],
    "below": lambda a, b: a[1] + a[3] > 2 * b[3],
}


def said(text: str, bare: str = "") -> Draft:
    return Draft((text,), bare)


def wanted(scene: Scene) -> tuple[list[tuple[str, str]], list[str]]:
    """The kinds of shapes with their colours that are asked about, and things that eyes like these do not know."""
    brief = cue("see.boxes").sub(" ", scene.brief)
    things = [(_ALSO.get(each.kind, each.kind), each.colour) for each in wishes.read(brief).things]
    pairs = [pair for pair in things if pair[0] in KINDS]
    if not pairs:
        pairs = [("", colour) for colour in wishes.colours_in(brief)[:1]]
    written = "\n" in str(getattr(scene.seen[-1], "text", "")) if scene.seen else False  # it may be a word there
    strange = [] if written else [kind for kind, _ in things if kind not in KINDS]
    return list(dict.fromkeys(pairs)), list(dict.fromkeys(strange))


def rows(scene: Scene, sights: list[Any]) -> Draft:
    """The shapes as JSON, each kind with its colour and how many there are."""
    named = "color" if "color" in scene.brief.lower() else "colour"
    shapes = _shapes(scene, sights)
    groups = Counter((_kind(each.kind, scene), hues.named(each.colour, scene.language)) for each in shapes)
    told = [{"shape": kind, named: colour, "count": many} for (kind, colour), many in groups.items()]
    whole = (scene.prompt.response_format or {}).get("type") == "json_object"
    return as_json({"shapes": told} if whole else told, scene)


def boxes(scene: Scene, sights: list[Any]) -> Draft:
    """Places as grounding answers have them: on a scale of 1000 or in pixels, as the model does."""
    from qwenkit import catalogue
    from qwenkit.catalogue.media import media

    facts, sight = media(catalogue.model(scene.prompt.model)), sights[-1]
    sides = (sight.width, sight.height) * 2
    found: list[dict[str, Any]] = []
    for each in _shapes(scene, [sight]):
        box = list(each.box)
        if facts is None or facts.patch == 32:
            box = [min(round(SCALE * at / side), SCALE - 1) for at, side in zip(box, sides, strict=True)]
        middle = [round((box[0] + box[2]) / 2), round((box[1] + box[3]) / 2)]
        place = {"point_2d": middle} if scene.asks("see.points") else {"bbox_2d": box}
        found.append({**place, "label": _named(each, scene)})
    return as_json(found, scene)


def as_json(value: Any, scene: Scene) -> Draft:
    rows = ",\n\t".join(json.dumps(each, ensure_ascii=False) for each in value) if isinstance(value, list) else ""
    body = f"[\n\t{rows}\n]" if rows else json.dumps(value, ensure_ascii=False)
    return said(body if scene.style.bare or scene.prompt.response_format else f"```json\n{body}\n```")


def _shapes(scene: Scene, sights: list[Any]) -> list[Shape]:
    """The shapes a question names; all of them when it names none, and none when it names only other things."""
    pairs, strange = wanted(scene)
    pairs = pairs or ([] if strange else [("", "")])
    return [each for sight in sights for pair in pairs for each in sight.these(*pair)]


def _kind(kind: str, scene: Scene) -> str:
    return KINDS[kind][1] if scene.language == "zh" else kind


def _named(shape: Shape, scene: Scene) -> str:
    gap = "" if scene.language == "zh" else " "
    return f"{hues.named(shape.colour, scene.language)}{gap}{_kind(shape.kind, scene)}"


def which(scene: Scene, sights: list[Any]) -> Draft | None:
    """The one of several pictures that has most of something, or least."""
    pairs, strange = wanted(scene)
    if len(sights) < 2 or (strange and not pairs):
        return _unknown(scene, strange) if strange else None
    count = [sum(sight.count(*pair) for pair in pairs or [("", "")]) for sight in sights]
    lit = scene.asks("see.bright") and not pairs
    told = [light(each, scene.language) for each in sights] if lit else []
    told = told or [counted(n, *(pairs or [("", "")])[0], scene.language) for n in count]
    values = [sight.brightness for sight in sights] if lit else count
    least = scene.asks("see.least") or (lit and scene.asks("see.darker"))
    best = (min if least else max)(values)
    ties = [str(at) for at, each in enumerate(values, 1) if each == best]
    rule = "see.which" if len(ties) < len(values) else "see.tied"
    return scene.say(rule, value=listed(ties, scene.language), told=scene.book.first("see.against").join(told))


def form(scene: Scene, sights: list[Any]) -> Draft | None:
    """What shape it is."""
    kinds = list(dict.fromkeys(_kind(each.kind, scene) for each in sights[-1].shapes))
    told = inventory(sights[-1], scene.language)
    return scene.say("see.form", subject=told, value=listed(kinds, scene.language)) if kinds else None


def how_many(scene: Scene, sights: list[Any]) -> Draft | None:
    pairs, strange = wanted(scene)
    if strange and not pairs:
        return _unknown(scene, strange)
    kinds = pairs or ([("", "")] if scene.asks("see.things") else [])
    if scene.asks("see.colours") and not pairs:
        return scene.say("see.hued.many", value=str(len(sights[-1].colours)), told=shares(sights[-1], scene.language))
    if not kinds:
        noun = cue("see.noun").search(scene.brief) if not sights[-1].text else None
        return _unnamed(scene, group(noun)) if noun else None
    totals = [sum(sight.count(*pair) for sight in sights) for pair in kinds]
    if scene.asks("see.not"):
        totals, kinds = [sum(sight.count() for sight in sights) - sum(totals)], [("", "")]
    what = listed([counted(n, *pair, scene.language) for n, pair in zip(totals, kinds, strict=True)], scene.language)
    return scene.say("see.counted", value=str(sum(totals)), subject=what)


def _unknown(scene: Scene, strange: list[str]) -> Draft:
    words = wishes.vocabulary()
    told = [next((word for word, (_, name) in words.items() if name == kind and word > "⺀"), kind) for kind in strange]
    names = told if scene.language == "zh" else [f"a{'n' * (kind[0] in 'aeiou')} {kind}" for kind in strange]
    return _unnamed(scene, listed(names, scene.language))


def _unnamed(scene: Scene, what: str) -> Draft:
    return scene.say("see.unknown", subject=what, told=sights_told(scene))


def pictures(scene: Scene) -> list[Any]:
    """Pictures, and of films the frame in the middle."""
    return [getattr(each, "middle", each) for each in scene.seen if hasattr(each, "shapes") or hasattr(each, "middle")]


def sights_told(scene: Scene) -> str:
    sight = pictures(scene)[-1]
    return inventory(sight, scene.language) or shares(sight, scene.language)


def whether(scene: Scene, sights: list[Any]) -> Draft | None:
    """Whether something is there, has a colour, is on a side of another, or is there more often."""
    pairs, strange = wanted(scene)
    zh, sight = scene.language, sights[-1]
    if scene.asks("see.ground") and pairs:
        behind = scene.say("see.behind", value=hues.named(sight.background, zh))
        return _verdict(scene, pairs[0][1] == sight.background, behind)
    if not pairs:
        return _unknown(scene, strange) if strange else None
    counts = [sum(each.count(*pair) for each in sights) for pair in pairs]
    what = listed([counted(n, *pair, zh) for n, pair in zip(counts, pairs, strict=True)], zh)
    if len(pairs) == 2 and scene.asks("see.more"):
        more = counts[0] > counts[1] if not scene.asks("see.fewer") else counts[0] < counts[1]
        return _verdict(scene, more, scene.say("see.counted", subject=what))
    colours = wishes.colours_in(scene.brief)
    if len(pairs) == 1 and pairs[0][0] and scene.asks("see.being") and colours and all(counts) and not pairs[0][1]:
        tones = {each.colour for each in sight.these(*pairs[0])}
        return _verdict(scene, tones == {colours[-1]}, hued(scene, sights))
    if all(counts):
        return _verdict(scene, True, said(what), "see.yes", subject=what)
    return _verdict(scene, False, None, "see.no", told=sights_told(scene))


def _verdict(scene: Scene, true: bool, because: Draft | None, rule: str = "", **slots: str) -> Draft:
    """Yes or no and why; the word alone when that is asked."""
    word = scene.book.first("see.word.yes" if true else "see.word.no")
    if scene.asks("see.verdict"):
        return said(word, word)
    if rule or not because:
        return scene.say(rule, value=word, **slots)
    return Draft((f"{word}{'。' if scene.language == 'zh' else '. '}", *because.parts), word)


def hued(scene: Scene, sights: list[Any]) -> Draft | None:
    sight, (pairs, strange) = sights[-1], wanted(scene)
    zh = scene.language
    if strange and not pairs:
        return _unknown(scene, strange)
    if scene.asks("see.ground"):
        return scene.say("see.behind", value=hues.named(sight.background, zh))
    named = bool(pairs and pairs[0][0])
    if named or (scene.asks("see.things") and sight.shapes):
        shapes = [each for kind, _ in pairs or [("", "")] for each in sight.these(kind)]
        names = list(dict.fromkeys(hues.named(each.colour, zh) for each in shapes))
        plural, chinese = KINDS[pairs[0][0]] if named else ("shapes", "图形")
        kind = chinese if zh == "zh" else pairs[0][0] if named and len(shapes) == 1 else plural
        rule = ("see.hued" if len(shapes) == 1 else "see.hues") if shapes else "see.none"
        return scene.say(rule, value=listed(names, zh), subject=kind)
    name, share = sight.colours[0]
    return scene.say("see.dominant", value=hues.named(name, zh), score=str(round(100 * share)), told=shares(sight, zh))


def sized(scene: Scene, sights: list[Any]) -> Draft | None:
    """The largest or the smallest shape, of those that are named."""
    shapes = _shapes(scene, sights[-1:])
    if sights[-1].text or not shapes:
        return None
    best = (min if scene.asks("see.least") else max)(shapes, key=lambda each: each.area)
    first = sights[-1].these(*(wanted(scene)[0] or [("", "")])[0])
    told = scene.say("see.sized", value=_named(best, scene), score=f"{100 * best.area:.1f}".removesuffix(".0"))
    return _verdict(scene, best in first, told) if scene.asks("see.being") else told


def beside(scene: Scene, sights: list[Any]) -> Draft | None:
    """What is on one side of a shape, or whether one shape is on that side of another."""
    pairs, strange = wanted(scene)
    way = _BEYOND[label("see.ways", scene.brief)]
    sight = sights[-1]
    if not pairs:
        return _unknown(scene, strange) if strange else None
    anchors = sight.these(*pairs[-1 if scene.language == "en" or len(pairs) < 2 else 1])
    if not all(sight.count(*pair) for pair in pairs):
        return scene.say("see.none", subject="")
    beyond = [each for each in sight.shapes if all(way(each.box, other.box) for other in anchors)]
    if len(pairs) > 1:
        first = sight.these(*pairs[0])
        return _verdict(scene, all(each in beyond for each in first), _placed(scene, sight, [*first, *anchors]))
    groups = Counter((each.kind, each.colour) for each in beyond)
    told = listed([counted(many, *which, scene.language) for which, many in groups.items()], scene.language)
    return scene.say("see.beside" if told else "see.nothing", value=told)


def where(scene: Scene, sights: list[Any]) -> Draft | None:
    pairs, strange = wanted(scene)
    shapes = [each for pair in pairs for each in sights[-1].these(*pair)]
    if not shapes:
        return _unknown(scene, strange) if strange else scene.say("see.none", subject="") if pairs else None
    return _placed(scene, sights[-1], shapes)


def _placed(scene: Scene, sight: Any, shapes: list[Shape]) -> Draft:
    zh, told = scene.language == "zh", []
    for each in shapes[:6]:
        x, y = (each.box[0] + each.box[2]) / 2 / sight.width, (each.box[1] + each.box[3]) / 2 / sight.height
        side = ("left", "middle", "right")[min(int(x * 3), 2)], ("top", "middle", "bottom")[min(int(y * 3), 2)]
        place = scene.book.first(f"see.at.{side[1]}.{side[0]}")
        told.append(f"{_named(each, scene)}在{place}" if zh else f"the {_named(each, scene)} is {place}")
    text = "；".join(told) + "。" if zh else f"{told[0][0].upper()}{'; '.join(told)[1:]}."
    return said(text, text)
