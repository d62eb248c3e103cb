"""What a Responses request may say, in the documented words, and the order it becomes.

Recognised fields are checked strictly; every other field is ignored and echoed, as the service does. What passes is
put together with what was said before and becomes a chat body, so that the chat's own rules and mind do the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.sandbox import rules
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.fitting import fitted
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.response_items import Json, engine, messages, received
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.turns import Conversations, Turns

LEAST_OUTPUT = 16
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
CHOICES = ("auto", "none", "required")
_ALSO = ("qwen3.8-omni-flash",)
_EXCLUSIVE = (
    "Mutually exclusive parameters: Ensure you are only providing one of: previous_response_id or conversation."
)


def _is(*kinds: type) -> Callable[[Any], bool]:
    """Of a type; a boolean counts as nothing else."""
    return lambda value: isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _allowed(choice: Any) -> list[Json]:
    """The tools that a choice leaves, when it is more than a word: `allowed_tools`, or a single tool by its name."""
    if not isinstance(choice, dict):
        return []
    tools = choice.get("tools") if choice.get("type") == "allowed_tools" else [choice]
    return tools if isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools) else []


def _named(conversation: Any) -> Any:
    """Its id; the official SDK may send an object that holds it."""
    return conversation.get("id") if isinstance(conversation, dict) else conversation


def _typed(tools: Any) -> bool:
    return all(isinstance(each, dict) and isinstance(each.get("type"), str) for each in tools)


def _chooses(value: Any) -> bool:
    return value in CHOICES if isinstance(value, str) else bool(_allowed(value))


_FLAG, _TEXT, _NUMBER = ": {value}. Must be a boolean.", ": must be a string.", ": {value}. Must be a number."
_RANGE = ": {value}. Expected a value between %s, but got {value} instead."
_LEAST = f": must be greater than or equal to {LEAST_OUTPUT}, got {{value}}."
_ONE_OF = ": {value}. Supported values are: "
# A field, what its value must satisfy, and what follows `Invalid '<field>'` otherwise.
RULES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("store", _is(bool), _FLAG),
    ("stream", _is(bool), _FLAG),
    ("enable_thinking", _is(bool), _FLAG),
    ("instructions", _is(str), _TEXT),
    ("previous_response_id", _is(str), _TEXT),
    ("conversation", lambda value: isinstance(_named(value), str), _TEXT),
    ("max_output_tokens", _is(int), ": {value}. Must be an integer."),
    ("max_output_tokens", lambda value: value >= LEAST_OUTPUT, _LEAST),
    ("temperature", _is(int, float), _NUMBER),
    ("temperature", lambda value: 0 <= value < 2, _RANGE % "[0,2)"),
    ("top_p", _is(int, float), _NUMBER),
    ("top_p", lambda value: 0 < value <= 1, _RANGE % "(0,1]"),
    ("reasoning", _is(dict), ": must be an object."),
    ("reasoning.effort", lambda value: value in EFFORTS, f"{_ONE_OF}{EFFORTS}.".replace("', '", "','")),
    ("tools", _is(list), ": must be an array."),
    ("tools", _typed, ": every tool must be an object with a type."),
    ("tool_choice", _chooses, f"{_ONE_OF}{CHOICES} and allowed_tools.".replace("', '", "','")),
)


@dataclass(frozen=True)
class Asked:
    """A request that has passed every rule, with what it goes on from."""

    body: Json
    model: Model
    items: list[Json]  # of this request
    order: Order
    builtin: list[Json]  # the tools that are no functions
    previous: str
    conversation: str
    choice: str

    @property
    def stored(self) -> bool:
        return self.body.get("store") is not False


def read(service: Service, body: Json, seed: str) -> Asked:
    """The order a request makes, or the refusal of the first thing that is wrong with it."""
    model = _model(body.get("model"))
    for name, fits, text in RULES:
        value = _value(body, name)
        if value is not None and not fits(value):
            raise invalid(f"Invalid '{name}'{text.format(value=str(value)[:80])}")
    previous, conversation, before = _before(service, body)
    if body.get("input") is None:
        raise invalid("Missing required parameter: 'input'.")
    items = received(body["input"], "input", seed)
    choice, tools = _chosen(body)
    builtin = [tool for tool in tools if tool["type"] != "function"]
    try:
        order = _order(body, model, [*before, *items], tools, choice)
        for tool in builtin:
            stores = tool.get("vector_store_ids")
            if tool["type"] == "file_search" and not (isinstance(stores, list) and len(stores) == 1):
                raise invalid("file_search takes exactly one id in vector_store_ids.")
    except Refusal as refusal:
        raise engine(refusal) from None
    return Asked(body, model, items, order, builtin, previous, conversation, choice)


def _value(body: Json, name: str) -> Any:
    outer, _, inner = name.partition(".")
    return body[outer].get(inner) if inner and body.get(outer) else body.get(name)


def _model(name: Any) -> Model:
    model = catalogue.model(name) if isinstance(name, str) and name else None
    fits = model and model.endpoint == "chat" and (model.family in ("chat", "vision") or model.line in _ALSO)
    if model is None or not fits or model.stream_only or model.thinking_needs_stream:
        raise invalid(f"Unsupported model: '{'' if name is None else str(name)[:80]}'")
    return model


def _before(service: Service, body: Json) -> tuple[str, str, list[Json]]:
    """The chain or the conversation a request continues, and what was said in it."""
    previous, conversation = body.get("previous_response_id") or "", _named(body.get("conversation")) or ""
    if previous and conversation:
        raise invalid(_EXCLUSIVE)
    turns, talks = service.shelf(Turns), service.shelf(Conversations)
    if previous and turns.get(previous, service.clock()) is None:
        raise invalid(f"Not found previous_response_id: {previous[:80]}")
    if conversation and talks.get(conversation) is None:
        raise invalid(f"Conversation with id '{conversation[:80]}' not found.")
    return previous, conversation, talks.items(conversation) if conversation else turns.before(previous)


def _chosen(body: Json) -> tuple[str, list[Json]]:
    """auto, none or required, and the tools that are left."""
    tools, choice = body.get("tools") or [], body.get("tool_choice") or "auto"
    if isinstance(choice, str):
        return choice, tools
    names = [(tool.get("type"), tool.get("name")) for tool in _allowed(choice)]
    mode = choice.get("mode", "auto") if choice.get("type") == "allowed_tools" else "required"
    if mode not in CHOICES:
        raise invalid(f"Invalid 'tool_choice.mode': {mode}. Supported values are: ('auto','required').")
    return mode, [tool for tool in tools if (tool["type"], tool.get("name")) in names]


def _order(body: Json, model: Model, items: list[Json], tools: list[Json], choice: str) -> Order:
    """The chat order that answers a request. `required`, which chat refuses, is put in when its rules have passed."""
    said = messages(items, model)
    if body.get("instructions"):
        said = [{"role": "system", "content": body["instructions"]}, *said]
    functions = [_nested(tool, at) for at, tool in enumerate(tools) if tool["type"] == "function"]
    effort = (body.get("reasoning") or {}).get("effort")  # wins over enable_thinking
    length = "max_completion_tokens" if model.line.startswith("qwen3.8") else "max_tokens"  # which counts thinking too
    asked = {
        "model": body["model"],
        "messages": fitted(said, model),
        "tools": functions,
        "parallel_tool_calls": body.get("parallel_tool_calls") is True,
        "stream": body.get("stream") is True,
        "temperature": body.get("temperature"),
        "top_p": body.get("top_p"),
        "reasoning_effort": effort,
        "enable_thinking": None if effort else body.get("enable_thinking"),
        length: body.get("max_output_tokens"),
    }
    order = rules.check(asked)
    return replace(order, body={**asked, "tool_choice": choice if functions else "none"})


def _nested(tool: Json, at: int) -> Json:
    """A flat function tool as chat has it; the shape of chat itself is refused."""
    if not isinstance(tool.get("name"), str):
        raise invalid(f"Field required: tools[{at}].name")
    return {"type": "function", "function": {name: tool.get(name) for name in ("name", "description", "parameters")}}
