"""From a prompt to an answer: read the scene, let the faculties draft, speak the draft, and end it where it must."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from .citing import cited
from .cues import cue
from .faculties import PLAIN
from .jsonwork import structured, wished
from .partial import continued
from .prompt import Answer, Prompt, Token
from .recall import clipped, followed
from .sampler import Sampler
from .scene import Draft, Scene, first, read
from .seeing import grounded
from .toolwork import tools
from .weave import Part, Parts, Weave, plain, speak

_LONGEST = 8192  # tokens in an answer nobody limited
_EVERYTHING = (tools, grounded, structured, cited, wished, *PLAIN)  # orders within passages are no orders


def answer(prompt: Prompt, index: int = 0) -> Answer:
    """The answer to a prompt; `index` is which of n choices, each with a die of its own."""
    scene = read(prompt)
    again = followed(scene) or ""
    scene = scene.again(again) if cue("extract.asking").search(again) else scene
    draft = first(scene, _EVERYTHING) or Draft()
    stream = f"{index}/{zlib.crc32(scene.question.encode())}"
    thinking = _thought(scene, draft, stream) if prompt.thinking else []
    if draft.calls:
        return Answer(thinking=thinking, calls=draft.calls, finish_reason="tool_calls")
    weave = continued(scene, _styled(scene, draft))
    limit = _LONGEST if prompt.max_tokens is None else max(0, min(prompt.max_tokens, _LONGEST))
    spoken = speak(weave, Sampler(prompt.sampling, stream), limit + 1)
    tokens = _until(spoken, [each for each in prompt.stop if each])
    cut = len(tokens) > limit
    return Answer(tokens[:limit], thinking, finish_reason="length" if cut else "stop")


def _styled(scene: Scene, draft: Draft) -> Draft:
    """The draft as the system message wants it: bare, framed, or with a note about a language it cannot write."""
    style = scene.style
    parts: Parts = (draft.bare,) if style.bare and draft.bare else draft.parts
    if scene.prompt.response_format and scene.prompt.response_format.get("type") != "text":
        return Draft(parts, draft.bare)
    gap = "" if scene.language == "zh" else " "
    opening: Part = style.opening or (scene.book("style.ahoy") if style.pirate else "")
    opening = scene.book("style.tongue", tongue=style.tongue) if style.tongue else opening
    closing: Part = style.closing or (scene.book("style.matey") if style.pirate else "")
    framed: Parts = (*((opening, gap) if opening else ()), *parts, *((gap, closing) if closing else ()))
    return Draft(tuple(part for part in framed if part != ""), draft.bare)


def _thought(scene: Scene, draft: Draft, stream: str) -> list[str]:
    """The notes the faculties left, as tokens; with a die of its own, so that thinking changes no answer."""
    book = scene.book
    asked = " ".join(scene.question[:120].split())
    opening = book("think.opening", question=asked or "…", n=len(scene.earlier) + 1)
    closing = book("think.calls", n=len(draft.calls)) if draft.calls else book("think.closing")
    checked = [book("think.check", value=clipped(plain(draft.parts)))] if scene.prompt.effort == "high" else []
    notes = [opening, *scene.notes, *checked] if scene.prompt.effort != "low" else scene.notes[-1:]
    parts: Parts = (*(part for note in notes for part in (note, "\n")), closing)
    budget = scene.prompt.thinking_budget
    limit = _LONGEST if budget is None else max(0, budget)
    sampler = Sampler(scene.prompt.sampling, f"{stream}/thinking")
    return [token.text for token in speak(Weave(parts, scene.language), sampler, limit)]


def _until(tokens: Iterator[Token], stops: Iterable[str]) -> list[Token]:
    """Tokens up to the first stop text, which is left out; a token that holds its beginning is cut."""
    stops = list(stops)
    longest = max(map(len, stops), default=0)
    said: list[Token] = []
    text = ""
    for token in tokens:
        said.append(token)
        text += token.text
        window = max(0, len(text) - len(token.text) - longest)
        found = [at for stop in stops if (at := text.find(stop, window)) >= 0]
        if found:
            return _cut(said, min(found))
    return said


def _cut(tokens: list[Token], length: int) -> list[Token]:
    kept: list[Token] = []
    for token in tokens:
        room = length - sum(len(each.text) for each in kept)
        if room <= 0:
            break
        kept.append(token if len(token.text) <= room else Token(token.text[:room], token.logprob, token.top))
    return kept
