"""Going on from a prefix: the answer continues what the assistant message began and does not repeat it.

The draft is followed along the prefix as far as it allows. If it does not begin that way, the last words of the
prefix may still be a beginning of it ("Sure! The capital of France is"). Begun JSON is completed from the object the
draft holds, and prose that fits nothing goes on word by word from the corpus.
"""

from __future__ import annotations

import json
import re
from typing import Any

from . import ngram
from .cues import label
from .reading import language, whole
from .scene import Draft, Scene
from .weave import Chain, Parts, Weave, led, plain
from .wording import book

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
    fence = re.search(r"```(?:json)?\s*$|```(?:json)?\s*(?=[{\[])", prefix)
    text = prefix[fence.end() :] if fence else prefix
    whole_text = re.sub(r"^```json\n|\n```$", "", plain(draft.parts)) if text.lstrip()[:1] in ("{", "[") else ""
    try:
        value = json.loads(whole_text)
    except ValueError:
        return None
    if isinstance(value, list) or not isinstance(value, dict):
        return whole_text[len(text) :] if whole_text.startswith(text) else None
    return next((end for end in _endings(text, value) if _parses(text + end)), None)


def _endings(text: str, value: dict[str, Any]) -> list[str]:
    """Ways the begun object may go on: from inside a key, a value, or between two pairs."""
    used = re.findall(r"\"((?:[^\"\\]|\\.)*)\"\s*:", text)
    left = {key: each for key, each in value.items() if key not in used}
    rest = "".join(
        f", {json.dumps(key, ensure_ascii=False)}: {json.dumps(each, ensure_ascii=False)}" for key, each in left.items()
    )
    ours = json.dumps(value.get(used[-1]) if used else None, ensure_ascii=False)
    tail = re.search(r":\s*(.*)$", text, re.DOTALL)
    said = tail[1] if tail else ""
    space = "" if text.endswith((" ", "\n")) else " "
    endings = [rest.removeprefix(", ") + "}"] if text.rstrip().endswith("{") else []
    endings += [space + rest.removeprefix(", ") + "}"] if text.rstrip().endswith(",") else []
    endings += [space * text.endswith(":") + ours + rest + "}"] if not said else []
    endings += [ours[len(said) :] + rest + "}"] if ours.startswith(said) else []
    half = re.search(r"\"([^\"]*)$", text)
    name = next((key for key in left if half and key.startswith(half[1])), None)
    if name and half:
        others = "".join(
            f", {json.dumps(k, ensure_ascii=False)}: {json.dumps(v, ensure_ascii=False)}"
            for k, v in left.items()
            if k != name
        )
        endings.append(f'{name[len(half[1]) :]}": {json.dumps(value[name], ensure_ascii=False)}{others}}}')
    closers = "".join(
        reversed(
            [{"{": "}", "[": "]"}[sign] for sign in re.findall(r"[{\[]", text)][text.count("}") + text.count("]") :]
        )
    )
    return [*endings, rest + "}", '"' + rest + "}", closers, f'"{closers}', f"null{closers}", f'": null{closers}']


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
