"""Going on from a prefix: the answer continues what the assistant message began and does not repeat it.

The draft is followed along the prefix as far as it allows. If it does not begin that way, the last words of the
prefix may still be a beginning of it ("Sure! The capital of France is"). Begun JSON is completed from the object the
draft holds, and prose that fits nothing goes on word by word from the corpus.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from . import ngram
from .cues import label
from .reading import language, whole
from .scene import Draft, Scene
from .weave import Chain, Parts, Weave, led, plain
from .wording import book

_FENCE = re.compile(r"^```json\n|\n```$")
_FEW_WORDS = 14  # the last words of a prefix that are tried as a beginning of the draft


def continued(scene: Scene, draft: Draft) -> Weave:
    """A weave whose first token comes right after the prefix."""
    prefix = whole(scene.prompt.partial or "")
    if not prefix.strip():
        return _weave(scene, draft.parts)
    begun = _json(prefix, draft)
    if begun is not None:
        return _weave(scene, (begun,))
    for start in _beginnings(prefix):
        weave = _weave(scene, draft.parts)
        if weave.follow(start):
            weave.said = ""
            return weave
    return _weave(scene, _going_on(scene, prefix, draft))


def _weave(scene: Scene, parts: Parts) -> Weave:
    return Weave(parts, scene.language, scene.style.accent)


def _beginnings(prefix: str) -> list[str]:
    """The prefix, then ever fewer of its last words; a single common word proves nothing."""
    stripped = prefix.rstrip(" ")
    starts = [found.start() for found in re.finditer(r"(?<!\w)\w|(?<=[。！？\n：])\S", stripped)][-_FEW_WORDS:]
    tails = [stripped[at:] for at in starts if len(stripped) - at > 5 or at == 0 or stripped[at - 1] in "。！？，："]
    return [prefix, stripped, *tails]


def _going_on(scene: Scene, prefix: str, draft: Draft) -> Parts:
    """Prose breaks off in mid-sentence and is carried on; a finished sentence is followed by the draft."""
    tongue = language(prefix)
    if prefix.rstrip().endswith((".", "!", "?", ":", "。", "！", "？", "：", "\n", "```")):
        gap = "" if prefix[-1].isspace() or tongue == "zh" else " "
        return (gap, *draft.parts)
    if draft.bare:
        return (("" if tongue == "zh" or prefix.endswith(" ") else " ") + draft.bare,)
    space = " " if tongue == "en" and not prefix.endswith(" ") else ""
    if not label("creative.kinds", scene.brief) and (scene.asks("knowledge.defining") or scene.asks("extract.asking")):
        return led(space, (book(tongue)("partial.unknown"),))
    if ngram.knows(tongue, prefix):
        return (Chain(tongue, before=prefix),)
    return led(space, (book(tongue)("partial.story"),))


def _json(prefix: str, draft: Draft) -> str | None:
    """What completes a begun JSON text, using the values of the draft's own object."""
    text = re.sub(r"^.*```(?:json)?\s*", "", prefix, flags=re.DOTALL)
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = json.loads(_FENCE.sub("", plain(draft.parts)))
    except ValueError:
        return None
    endings = _endings(text, value if isinstance(value, dict) else {})
    return next((ending for ending in endings if _parses(text + ending)), None)


def _endings(text: str, value: dict[str, Any]) -> Iterator[str]:
    """Ways the begun text may go on, likely ones first; whoever asks tries them."""
    used = re.findall(r"\"((?:[^\"\\]|\\.)*)\"\s*:", text)
    left = {key: each for key, each in value.items() if key not in used}
    ours = _written(value.get(used[-1]) if used else None)
    said, half = text.rpartition(":")[2].lstrip(), text.rpartition('"')[2]
    begun = next((key for key in left if key.startswith(half)), None)
    space = "" if text[-1].isspace() or text.endswith("{") else " "
    yield space + _pairs(left).removeprefix(", ")  # between two pairs
    yield (space if text.endswith(":") else "") + ours + _pairs(left)  # before a value
    if ours.startswith(said):
        yield ours[len(said) :] + _pairs(left)  # within a value
    if begun:
        yield f'{begun[len(half) :]}": {_written(left.pop(begun))}{_pairs(left)}'  # within a key
    opened = list(re.findall(r"[{\[]", text))[text.count("}") + text.count("]") :]
    closed = "".join({"{": "}", "[": "]"}[sign] for sign in reversed(opened))
    yield from (
        _pairs(left),
        f'"{_pairs(left)}',
        '"note": null}',
        closed,
        f'"{closed}',
        f"null{closed}",
        f'": null{closed}',
    )


def _pairs(left: dict[str, Any]) -> str:
    """, "age": 36}"""
    return "".join(f", {_written(key)}: {_written(each)}" for key, each in left.items()) + "}"


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
