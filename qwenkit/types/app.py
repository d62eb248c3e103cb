"""What an application gives back: the answer, where it came from, and what was done to find it.

`AppReply` is what remains of a call; `AppPiece` is one step of a stream. An agent tells its thoughts (what it looked up
or computed, with what came of it) and the documents its answer rests on; a workflow tells its nodes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.reply import Paid, Receipt, Sent
from qwenkit.types.usage import Usage

_MARK = re.compile(r"\s*<ref>\[(\d+)\]</ref>")


class AppOptions(TypedDict, total=False):
    """Keyword options of `app(...)`; those of one kind of application are refused by the service for others."""

    # friendly
    session: Any
    images: list[Any]
    files: list[Any]
    knowledge: list[Any]
    thoughts: bool
    thinking: bool
    search: bool
    extra: Mapping[str, Any]
    timeout: float
    # as on the wire
    messages: list[Any]
    history: list[Mapping[str, str]]
    memory_id: str
    biz_params: Mapping[str, Any]
    rag_options: Mapping[str, Any]
    flow_stream_mode: str
    model_id: str
    dialog_round: int
    enable_system_time: bool
    temperature: float
    top_p: float
    top_k: int
    seed: int


class Thought(msgspec.Struct, repr_omit_defaults=True):
    """One thing the application did on its way: looked something up, called a plug-in, or reasoned.

    `input` is what the tool was given, `observation` what it answered, as text. `seconds` is known in a stream only.
    """

    action: str = ""
    name: str = ""
    kind: str = ""
    text: str = ""
    input: Any = None
    observation: str = ""
    seconds: float | None = None

    @property
    def found(self) -> list[dict[str, Any]]:
        """The chunks that a look into documents found, best first; empty for other tools."""
        try:
            told = msgspec.json.decode(self.observation)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return []
        return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


class Reference(msgspec.Struct, repr_omit_defaults=True):
    """A piece of a document that the answer rests on. `[number]` stands in the answer where it does."""

    number: int = 0
    title: str = ""
    doc_id: str = ""
    doc_name: str = ""
    text: str = ""
    url: str = ""
    score: float | None = None
    pages: list[int] = []
    images: list[str] = []


class Step(msgspec.Struct, repr_omit_defaults=True):
    """A node of a workflow as far as it has come. `value` is what it gave, where that is more than text."""

    id: str = ""
    name: str = ""
    kind: str = ""
    status: str = ""
    text: str = ""
    value: Any = None
    parent: str = ""
    error: str = ""
    seconds: float | None = None

    @property
    def done(self) -> bool:
        return self.status == "success"


class AppPiece(msgspec.Struct, gc=False, repr_omit_defaults=True):
    """One step of a streamed answer: some text, some reasoning, a thought, or a node that has come further."""

    text: str = ""
    thinking: str = ""
    thought: Thought | None = None
    step: Step | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    index: int = 0
    tool: None = None

    @property
    def item(self) -> Any:
        """What else is new to see: a live drawing asks."""
        return self.thought or self.step


class AppReply(Paid, Sent, Shown):
    """A finished answer of an application. `print(reply)` gives its text, a cell that ends in it a card."""

    def __init__(self, **told: Any) -> None:
        self.text: str = told.get("text", "")
        self.finish_reason: str | None = told.get("finish_reason")
        self.session_id: str = told.get("session_id", "")
        self.thoughts: list[Thought] = told.get("thoughts", [])
        self.references: list[Reference] = told.get("references", [])
        self.steps: list[Step] = told.get("steps", [])
        self.models: dict[str, Usage] = told.get("models", {})
        self.events: list[bytes] = told.get("events", [])
        self.body: bytes = told.get("body", b"")
        self.receipt: Receipt = told.get("receipt") or Receipt()

    @property
    def words(self) -> str:
        """The text with `[1]` for the service's marks: what a person reads."""
        return _MARK.sub(r" [\1]", self.text).strip()

    @property
    def cited(self) -> list[Reference]:
        """The references that the text points to, in the order it does."""
        numbers = dict.fromkeys(int(number) for number in _MARK.findall(self.text))
        known = {each.number: each for each in self.references}
        return [known[number] for number in numbers if number in known]

    @property
    def thinking(self) -> str:
        """What a model reasoned, when `thinking` and `thoughts` asked for it."""
        said = [thought.text for thought in self.thoughts if thought.action == "reasoning"]
        return "\n".join([*said, *(str(step.value["reasoningContent"]) for step in self.steps if _reasons(step.value))])

    @property
    def model(self) -> str:
        return ", ".join(self.models)

    @property
    def usage(self) -> Usage | None:
        """The tokens of all its models together; None when no model ran."""
        if not self.models:
            return None
        every = self.models.values()
        prompt, completion = sum(each.prompt for each in every), sum(each.completion for each in every)
        shares = self.models if len(self.models) > 1 else {}
        total = prompt + completion
        return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total, shares=shares)

    def __str__(self) -> str:
        return self.words

    def __repr__(self) -> str:
        text = self.words if len(self.words) <= 60 else self.words[:59] + "…"
        told = {"thoughts": len(self.thoughts), "references": len(self.references), "steps": len(self.steps)}
        counts = "".join(f", {name}={count}" for name, count in told.items() if count)
        return f"AppReply({text!r}{counts}, tokens={self.usage.total if self.usage else 0})"


def _reasons(value: Any) -> bool:
    return (
        isinstance(value, dict) and isinstance(value.get("reasoningContent"), str) and bool(value["reasoningContent"])
    )
