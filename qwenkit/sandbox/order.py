"""An order: a chat request that may be carried out, with what follows from its model already decided.

Which model is meant, whether this call thinks, what its lists and options hold when they were left out. `rules` lets
no other request become one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.messages import is_partial, last_words

Body = dict[str, Any]
# Levels of reasoning_effort as thinking budgets; `none` switches thinking off.
EFFORTS = {"minimal": 4096, "low": 4096, "medium": 16384, "high": 262144, "xhigh": 262144, "max": 262144, "none": 0}


@dataclass(frozen=True)
class Order:
    """A chat request that has passed every rule."""

    body: Body
    model: Model
    thinking: bool
    aloud: bool = False  # the answer will be spoken

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages

    @property
    def choices(self) -> int:
        return self.body.get("n") or 1

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def include_usage(self) -> bool:
        return bool((self.body.get("stream_options") or {}).get("include_usage"))

    @property
    def format(self) -> str:
        kind: str = (self.body.get("response_format") or {}).get("type", "text")
        return kind

    @property
    def logprobs(self) -> int | None:
        """How many alternatives to show beside each token; None: no log-probabilities at all."""
        wanted = self.body.get("logprobs") and self.model.logprobs
        return (self.body.get("top_logprobs") or 0) if wanted else None

    @property
    def partial(self) -> bool:
        return is_partial(self.messages)

    @property
    def chosen(self) -> str:
        """The name of the one tool that must be called; empty when there is none."""
        return tool_name(self.body.get("tool_choice"))

    def several(self, name: str) -> list[Any]:
        """A parameter that is a list, empty when it was not given."""
        value = self.body.get(name)
        return value if isinstance(value, list) else []

    @property
    def max_input(self) -> int | None:
        thinking = self.model.max_input_thinking if self.thinking else None
        return thinking or self.model.max_input


def asked_model(name: Any) -> Model:
    if not isinstance(name, str) or not name:
        raise Refusal("invalid_request_error")
    model = catalogue.model(name)
    if model is None:
        raise Refusal("ModelNotFound", f"The model {name} does not exist or you do not have access to it.")
    if model.endpoint != "chat":
        raise Refusal("model_not_supported", f"Unsupported model {name} for OpenAI compatibility mode.")
    return model


def thinks(body: Body, model: Model) -> bool:
    """Whether this call thinks: as the model must, else as asked, else as it does by itself."""
    if model.thinking in ("no", "always"):
        return model.thinking == "always"
    asked = body.get("enable_thinking")
    if asked is None and body.get("reasoning_effort"):
        asked = body["reasoning_effort"] != "none"
    thinking = model.thinking == "on" if asked is None else bool(asked)
    return thinking and not (model.open and _told_not_to(body["messages"]))


def _told_not_to(messages: list[dict[str, Any]]) -> bool:
    """Open hybrids obey the latest `/think` or `/no_think` at the end of a user message."""
    said = [last_words([each]).rstrip() for each in messages if each["role"] == "user"]
    orders = [text.endswith("/no_think") for text in said if text.endswith(("/no_think", "/think"))]
    return bool(orders) and orders[-1]


def tool_name(tool: Any) -> str:
    """The name in a tool or in a named choice; empty when it has none."""
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""
