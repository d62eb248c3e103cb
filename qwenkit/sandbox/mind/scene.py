"""The scene an answer is given in: the question, what surrounds it, how to answer, and notes taken while thinking."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from . import reading
from .cues import cue
from .prompt import Call, Prompt
from .reading import Turn
from .style import Style
from .weave import Part, Parts
from .wording import Book, book

_SWITCH = re.compile(r"\s*/(?:no_)?think$")  # an order to open models, no part of the question
_SYSTEM = 4000  # characters of the system message that are read as instructions


@dataclass
class Draft:
    """What a faculty has to say. `bare` is the answer without a sentence around it, for "one word" and the like."""

    parts: Parts = ()
    bare: str = ""
    calls: list[Call] = field(default_factory=list)


@dataclass
class Scene:
    """A prompt as the faculties see it. They read it and leave notes; nothing else in it changes."""

    prompt: Prompt
    question: str
    brief: str  # the question, or the two ends of a very long one: where instructions stand
    system: str
    earlier: list[Turn]
    recent: list[dict[str, Any]]  # messages since the last user message: calls made and results they brought
    seen: list[Any]  # of this message, else of the last that showed something: sights, clips and sounds
    shown: bool  # in this very message
    voiced: bool  # the question was spoken
    language: str
    style: Style
    notes: list[Part] = field(default_factory=list)

    @property
    def book(self) -> Book:
        return book(self.language)

    def say(self, rule: str, /, **slots: Part | Parts | int) -> Draft:
        """A draft in the words of a rule."""
        bare = slots.get("value", "")
        return Draft((self.book(self.form(rule), **slots),), str(bare) if isinstance(bare, str | int) else "")

    def form(self, rule: str) -> str:
        """The form of a rule that suits: a short one for the ear, or if the system message asked for few words."""
        forms = (f"{rule}.aloud" if self.prompt.aloud else "", f"{rule}.terse" if self.style.terse else "")
        return next((form for form in forms if form in self.book), rule)

    def note(self, rule: str, /, **slots: Part | Parts | int) -> None:
        """Remember a step, to be told if the request asked for thinking."""
        self.notes.append(self.book(rule, **slots))

    def asks(self, name: str) -> re.Match[str] | None:
        """Whether the question holds a cue."""
        return cue(name).search(self.brief)

    def again(self, question: str) -> Scene:
        """The same scene with another question, and notes of its own."""
        return replace(self, question=question, brief=reading.ends(question), notes=[])


Faculty = Callable[[Scene], Draft | None]


def first(scene: Scene, faculties: Iterable[Callable[..., Draft | None]], *more: str) -> Draft | None:
    """The first answer anyone has."""
    return next((draft for faculty in faculties if (draft := faculty(scene, *more)) is not None), None)


def written(percept: Any, language: str) -> str:
    """What a percept says as a text that can be searched: its words, else what was measured."""
    return str(getattr(percept, "text", "") or (percept.told(language) if hasattr(percept, "told") else ""))


def read(prompt: Prompt) -> Scene:
    messages = [each for each in prompt.messages if isinstance(each, dict)]
    if prompt.partial is not None and messages and messages[-1].get("role") == "assistant":
        messages = messages[:-1]
    last = max((at for at, each in enumerate(messages) if each.get("role") == "user"), default=-1)
    asked = messages[last] if last >= 0 else {}
    said = reading.turns(messages[: max(last, 0)])
    system = "\n".join(reading.content(each) for each in messages if each.get("role") == "system")
    seen = next((held for each in messages[last::-1] if (held := reading.percepts(each))), []) if last >= 0 else []
    question = _SWITCH.sub("", reading.content(asked).strip())
    shown = bool(reading.percepts(asked))
    spoken = reading.spoken(asked)
    voiced = bool(spoken) and (question == spoken or bool(cue("hear.answer").search(question)))
    if voiced:  # what was spoken is what is asked
        question, shown = spoken, False
    if seen and (shown or (prompt.response_format or {}).get("type", "text") != "text"):
        told = {"role": "document", "content": "\n".join(written(each, reading.language(question)) for each in seen)}
        prompt = replace(prompt, messages=[told, *prompt.messages])
    style = Style.of(system[:_SYSTEM], reading.ends(question))
    return Scene(
        prompt=prompt,
        question=question,
        brief=reading.ends(question),
        system=system,
        earlier=[turn for turn in said if turn.role in ("user", "assistant") and turn.text],
        recent=messages[last + 1 :],
        seen=seen,
        shown=shown,
        voiced=voiced,
        language=style.language or reading.language(question or system),
        style=style,
    )
