"""Doing something to the very words of the prompt: say it, shout it, turn it round, count it, sort it into a class."""

from __future__ import annotations

import re
from collections.abc import Callable

from qwenkit.catalogue import tokens

from .cues import cue, group, label
from .evidence import Evidence
from .library import lexicon
from .reading import language
from .scene import Draft, Scene, first

_LONGEST = 4000
_QUOTES = " \"'“”「」『』‘’`"
_AROUND = _QUOTES + ".!?。！？"
_INNER = re.compile(r"[\"“「‘`'](.+?)[\"”」’`'](?=\W|$)", re.DOTALL)
_BETWEEN_CLASSES = re.compile(r", or |[,，、/]\s*| or |或者?|还是|和")
_BETWEEN_WORDS = re.compile(r"\s*[,，、]\s*(?:and )?|\s+and\s+|\s+")

_CHANGES: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "reverse": lambda text: text[::-1],
    "spell": lambda text: "-".join(text.upper()),
    "sort": lambda text: ", ".join(sorted(_BETWEEN_WORDS.split(text), key=str.casefold)),
}
_COUNTS: dict[str, Callable[[str], int]] = {
    "words": lambda text: len(re.findall(r"[A-Za-z0-9'-]+|[\u4e00-\u9fff]", text)),
    "characters": lambda text: len(re.sub(r"\s", "", text)),
    "tokens": tokens.count,
}


def rewriting(scene: Scene) -> Draft | None:
    if scene.asks("code.asked") and scene.asks("code.wanted"):
        return None
    attempts = (_translate, _letters, _counted, _changed, _said, _classified, _collected)
    return first(scene, attempts if len(scene.question) <= _LONGEST else (_said,))


def _material(scene: Scene) -> str:
    """The words an instruction is about: quoted, after a colon or a line break, else those at its end."""
    quoted = Evidence(scene.question, scene.prompt.today).quoted()
    if quoted:
        return quoted[0]
    found = re.search(cue("rewrite.material").pattern, scene.question, re.IGNORECASE | re.DOTALL)
    return next((each.strip(_QUOTES) for each in found.groups() if each), "") if found else ""


def _said(scene: Scene) -> Draft | None:
    found = re.match(cue("rewrite.say").pattern, scene.question[: _LONGEST * 2], re.IGNORECASE | re.DOTALL)
    if not found:
        return None
    exactly, gap, words = (found[1], found[2], found[3]) if found[3] else (found[4], found[5], found[6])
    words = cue("rewrite.ending").sub("", words.strip())[:_LONGEST]
    told = words[:1] in "\"'“「‘`" or exactly or ":" in gap or "：" in gap
    if not words or (not told and (cue("rewrite.not_said").match(words) or len(words.split()) > 12)):
        return None
    inner = _INNER.match(words)
    scene.note("think.say")
    return Draft((inner[1] if inner else words.strip(_QUOTES),))


def _changed(scene: Scene) -> Draft | None:
    kind = label("rewrite.changes", scene.brief)
    material = _material(scene) if kind else ""
    if not material:
        return None
    scene.note("think.rewrite")
    changed = _CHANGES[kind](material)[:_LONGEST]
    return Draft((changed,), bare=changed)


def _letters(scene: Scene) -> Draft | None:
    """How many r's in strawberry? Counted letter by letter, which a model that sees tokens finds hard."""
    found = scene.asks("rewrite.letter")
    if not found:
        return None
    letter, word = (found["l1"] or found["l2"]).lower(), found["w1"] or found["w2"]
    places = [str(at) for at, each in enumerate(word.lower(), 1) if each == letter]
    scene.note("think.letters", word="-".join(word), letter=letter, places=", ".join(places) or "0")
    return scene.say("rewrite.letters", letter=letter, word=word, value=len(places), spelled="-".join(word))


def _counted(scene: Scene) -> Draft | None:
    kind = label("rewrite.counts", scene.brief)
    material = _material(scene) if kind else ""
    if not material:
        return None
    value = _COUNTS[kind](material)
    scene.note("think.count", n=value)
    return scene.say(f"rewrite.{kind}", value=value)


def _translate(scene: Scene) -> Draft | None:
    """A phrase book of some dozens of phrases, and nothing beyond it."""
    if not scene.asks("rewrite.translate"):
        return None
    text, foreign = scene.brief.lower(), scene.asks("rewrite.tongues")
    given = _material(scene).lower().strip(_AROUND)
    for phrase, other in () if foreign else _phrases():
        # Words that were set apart must be the phrase, whole: one word of a sentence is no translation of it.
        if given == phrase.lower() or (not given and _within(phrase.lower(), text)):
            scene.note("think.phrase", phrase=phrase)
            return scene.say("rewrite.translated", phrase=phrase, value=other)
    return scene.say("rewrite.untranslated") if foreign or re.search("translat|翻译|怎么说|you say", text) else None


def _within(phrase: str, text: str) -> bool:
    return re.search(rf"(?<![a-z]){re.escape(phrase)}(?![a-z])", text) is not None


def _phrases() -> list[tuple[str, str]]:
    """Both ways round, the longest first."""
    pairs = [(a, b) for pair in lexicon()["phrases"] for a, b in (pair, pair[::-1])]
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def _classified(scene: Scene) -> Draft | None:
    """Choose among the classes the prompt offers, by the meanings of its words."""
    both = f"{scene.system[:_LONGEST]}\n{scene.brief}"
    found = cue("rewrite.classify").search(both)
    offered = cue("rewrite.choices").search(both, found.start()) if found else None
    known = next((row for name, row in lexicon()["classes"].items() if re.search(name, both, re.IGNORECASE)), None)
    if not found or not (offered or known):
        return None
    listed = group(offered) if offered else ""
    classes = [each for each in _BETWEEN_CLASSES.split(listed) if each] or (known or {})[language(scene.question)]
    text = scene.question.replace(offered[0], " ", 1) if offered else scene.question
    unsure = [each for each in classes if each.lower() in lexicon()["unsure"]]
    value = Evidence(text, scene.prompt.today).find("class", {"enum": classes}, set()) or next(iter(unsure), None)
    if value is None:
        return None
    scene.note("think.class", classes=", ".join(classes), value=value)
    return Draft((value,), bare=value)


def _collected(scene: Scene) -> Draft | None:
    """All values of a kind: email addresses, dates, names."""
    found = scene.asks("rewrite.collect")
    kind = label("evidence.hints", group(found)) if found else ""
    values = Evidence(scene.question[found.end() :], scene.prompt.today).all(kind, "") if found and kind else []
    return Draft((("、" if scene.language == "zh" else ", ").join(dict.fromkeys(values)),)) if values else None
