"""What the mind is asked and what it answers: plain values, no behaviour beyond joining text."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, Literal

Finish = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn; names and meanings are those of the wire."""

    temperature: float = 0.7
    top_p: float = 0.8
    top_k: int | None = 20  # None, 0 or more than 100 switches it off
    seed: int = 1234
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0


@dataclass(frozen=True)
class Prompt:
    """One request, already validated by the service: wire messages and the options that shape an answer."""

    messages: list[dict[str, Any]]
    model: str = "qwen-plus"
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_choice: str | dict[str, Any] = "auto"
    parallel_tool_calls: bool = False
    response_format: dict[str, Any] | None = None
    thinking: bool = False
    thinking_budget: int | None = None
    effort: str = ""  # low: short notes; high: the draft is gone over once more
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    stop: list[str] = field(default_factory=list)
    top_logprobs: int = 0
    partial: str | None = None
    searched: bool = False  # whether a web search ran; what it found stands among the messages
    aloud: bool = False  # it will be spoken: what there is to admit is said shortly
    today: datetime.date = field(default_factory=datetime.date.today)


@dataclass
class Token:
    """One piece of an answer, with the log-probability the mind gave it and the five best it weighed."""

    text: str
    logprob: float
    top: list[tuple[str, float]]


@dataclass
class Call:
    """A tool the mind wants called; `arguments` is JSON text, as on the wire."""

    name: str
    arguments: str


@dataclass
class Answer:
    """One choice of a reply: its tokens, what was thought before them, and the tools it calls."""

    tokens: list[Token] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    finish_reason: Finish = "stop"

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)
