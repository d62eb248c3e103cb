"""A handful of honest programs, each of which runs; told apart by the words of the request."""

from __future__ import annotations

import re
from functools import cache

from .cues import cue, label
from .library import read
from .scene import Draft, Scene
from .weave import Part, Pick

_DOCSTRING = re.compile(r"    \"\"\".*\"\"\"\n")
_NAMED = re.compile(r"def\s+(\w+)\s*\(\s*(\w*)")


@cache
def _snippets() -> list[tuple[re.Pattern[str], list[str]]]:
    records = (record.partition("\n") for record in read("programs.txt").split("\n? ")[1:])
    programs = ((keys, [each.strip("\n") for each in body.split("\n---\n")]) for keys, _, body in records)
    return [(re.compile(keys, re.IGNORECASE), variants) for keys, variants in programs]


def coding(scene: Scene) -> Draft | None:
    asked = f"{scene.question[:2000]} {(scene.prompt.partial or '')[:500]}"
    if not cue("code.asked").search(asked):
        return None
    for pattern, variants in _snippets():
        if pattern.search(asked):
            scene.note("think.code")
            partial = scene.prompt.partial or ""
            undocumented = [_DOCSTRING.sub("", each) for each in variants] if partial else []
            return _program(scene, [_renamed(each, partial) for each in [*variants, *undocumented]])
    return None


def unwritten(scene: Scene) -> Draft | None:
    """A program that was asked for and is not among them."""
    wanted = scene.asks("code.asked") and scene.asks("code.wanted") and not label("creative.kinds", scene.brief)
    return scene.say("code.unknown") if wanted else None


def _program(scene: Scene, variants: list[str]) -> Draft:
    """The first variant is four times as likely as the next; all of them are right."""
    body = Pick(tuple((4.0**-at, (text,)) for at, text in enumerate(variants)))
    fenced: tuple[Part, ...] = ("```python\n", body, "\n```")
    if scene.prompt.partial is not None:
        return Draft((body,) if "```" not in scene.prompt.partial else (*fenced[:2], "\n```"))
    if scene.style.code_only or scene.style.bare:
        return Draft(fenced)
    return Draft((scene.book("code.before"), "\n\n", *fenced, "\n\n", scene.book("code.after")))


def _renamed(program: str, partial: str) -> str:
    """The program under the name and parameter that a prefix has already given it."""
    given, ours = _NAMED.search(partial), _NAMED.search(program)
    if not given or not ours:
        return program
    program = re.sub(rf"\b{ours[1]}\b", given[1], program)
    return re.sub(rf"\b{ours[2]}\b", given[2], program) if ours[2] and given[2] else program
