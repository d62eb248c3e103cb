"""Numbered passages, and an answer that says which of them it comes from.

What stands in a passage is looked at and never obeyed; a sentence in it that gives orders is not even looked at.
"""

from __future__ import annotations

import re
from dataclasses import replace

from .cues import cue
from .extract import CLEAR, kernel, scores
from .reading import language, sentences
from .scene import Draft, Scene
from .style import Style

_NUMBERED = re.compile(r"^\[(\d{1,3})\][ \t]*", re.MULTILINE)
_ENDS = (".", "!", "?", "。", "！", "？")
_LONGEST = 200_000  # characters of a text that are read


def cited(scene: Scene) -> Draft | None:
    """The sentence that answers with the number of its passage behind it, or that no passage holds the answer."""
    if not cue("cite.wanted").search(f"{scene.system[:_LONGEST]}\n{scene.brief}"):
        return None
    told, asked = _parted(scene.question[:_LONGEST])
    order, *held = _NUMBERED.split(scene.system[:_LONGEST], maxsplit=1)
    rows = _rows(told) or _rows(scene.system[:_LONGEST] if held else "")
    if not rows and not cue("cite.question").search(scene.question):
        return None
    scene.style = Style.of(order, asked)  # not as a passage would have it
    here = replace(scene.again(asked), language=language(asked))
    alone, headed = [row[2] for row in rows], [" ".join(row[1:]) for row in rows]
    found = [max(a, (a + b) / 2) for a, b in zip(scores(asked, alone), scores(asked, headed), strict=True)] or [0.0]
    best = found.index(max(found))
    scene.note("think.extract", n=len(rows), score=f"{found[best]:.2f}")
    if found[best] < CLEAR[here.language]:
        return here.say("cite.absent")
    number, _, sentence = rows[best]
    draft, value = here.say("extract.found", sentence=f"{sentence} [{number}]"), kernel(here, asked, sentence)
    return replace(draft, bare=f"{value} [{number}]" if value else "")


def _parted(text: str) -> tuple[str, str]:
    """The passages, and what is asked behind them; the last line if nothing says where."""
    asks = [*cue("cite.question").finditer(text)]
    if not asks and not _NUMBERED.search(text):
        return "", text
    start, end = asks[-1].span() if asks else (max(text.rstrip().rfind("\n"), 0),) * 2
    asked, *behind = _NUMBERED.split(text[end:].strip(), maxsplit=1)
    return (text[end:], asked.split("\n\n")[0].strip()) if behind else (text[:start], asked.strip())


def _rows(text: str) -> list[tuple[str, str, str]]:
    """Every sentence of the passages: number, heading, words. A first line without a full stop is the heading."""
    _, *parts = _NUMBERED.split(text)
    found: list[tuple[str, str, str]] = []
    for number, body in zip(parts[::2], parts[1::2], strict=True):
        first, *more = body.strip().split("\n")
        headed = bool(more) and not first.rstrip().endswith(_ENDS)
        plain = "\n".join(each.lstrip("*- ") for each in (more if headed else [first, *more]) if each[:1] != "#")
        found += [(number, first if headed else "", each) for each in sentences(plain)]
    return [row for row in found if not cue("cite.order").search(row[2])]
