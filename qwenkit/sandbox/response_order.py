"""What a Responses request may say, in the documented words, and the order it becomes.

Recognised fields are checked strictly; every other field is ignored and echoed, as the service does. What passes is
put together with what was said before and becomes a chat body, so that the chat's own rules and mind do the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

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
_FAMILIES = ("chat", "vision")
_ALSO = ("qwen3.8-omni-flash",)
_EXCLUSIVE = (
    "Mutually exclusive parameters: Ensure you are only providing one of: previous_response_id or conversation."
)


class Rule(NamedTuple):
    """One field, what its value must satisfy, and what follows `Invalid '<field>'` otherwise."""

    name: str
    fits: Callable[[Any], bool]
    text: str


def _is(kind: type | tuple[type, ...]) -> Callable[[Any], bool]:
    """Of a type; a boolean counts as nothing else."""
    return lambda value: isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


_number, _text, _object, _list = _is((int, float)), _is(str), _is(dict), _is(list)

RULES = (
    *(Rule(name, _is(bool), ": {value}. Must be a boolean.") for name in ("store", "stream", "enable_thinking")),
    *(Rule(name, _text, ": must be a string.") for name in ("instructions", "previous_response_id")),
    Rule("max_output_tokens", _is(int), ": {value}. Must be an integer."),
    Rule(
        "max_output_tokens",
        lambda value: value >= LEAST_OUTPUT,
        f": must be greater than or equal to {LEAST_OUTPUT}, got {{value}}.",
    ),
    Rule("temperature", _number, ": {value}. Must be a number."),
    Rule(
        "temperature",
        lambda value: 0 <= value < 2,
        ": {value}. Expected a value between [0,2), but got {value} instead.",
    ),
    Rule("top_p", _number, ": {value}. Must be a number."),
    Rule("top_p", lambda value: 0 < value <= 1, ": {value}. Expected a value between (0,1], but got {value} instead."),
    Rule("reasoning", _object, ": must be an object."),
    Rule(
        "reasoning.effort",
        lambda value: value in EFFORTS,
        f": {{value}}. Supported values are: {EFFORTS}.".replace(", ", ","),
    ),
    Rule("tools", _list, ": must be an array."),
    Rule(
        "tools",
        lambda tools: all(isinstance(each, dict) and isinstance(each.get("type"), str) for each in tools),
        ": every tool must be an object with a type.",
    ),
    Rule(
        "tool_choice",
        lambda value: value in CHOICES if isinstance(value, str) else bool(_allowed(value)),
        f": {{value}}. Supported values are: {CHOICES} and allowed_tools.".replace(", ", ","),
    ),
)


@dataclass(frozen=True)
class Asked:
    """A request that has passed every rule, with what was said before it."""

    body: Json
    model: Model
    items: list[Json]  # of this request
    order: Order
    builtin: list[Json]  # the tools that are no functions
    previous: str = ""
    conversation: str = ""
    choice: str = "auto"
    before: list[Json] = field(default_factory=list)

    @property
    def stored(self) -> bool:
        return self.body.get("store") is not False


def read(service: Service, body: Json, seed: str) -> Asked:
    """The order a request makes, or the refusal of the first thing that is wrong with it."""
    model = _model(body.get("model"))
    for rule in RULES:
        value = _value(body, rule.name)
        if value is not None and not rule.fits(value):
            raise invalid(f"Invalid '{rule.name}'{rule.text.format(value=str(value)[:80])}")
    previous, conversation, before = _before(service, body)
    if body.get("input") is None:
        raise invalid("Missing required parameter: 'input'.")
    items = received(body["input"], "input", seed)
    choice, tools = _chosen(body)
    try:
        order = _order(body, model, [*before, *items], tools, choice)
        builtin = [tool for tool in tools if tool["type"] != "function"]
        _check_builtin(builtin)
    except Refusal as refusal:
        raise engine(refusal) from None
    return Asked(body, model, items, order, builtin, previous, conversation, choice, before)


def _value(body: Json, name: str) -> Any:
    outer, _, inner = name.partition(".")
    return body[outer].get(inner) if inner and body.get(outer) else body.get(name)


def _model(name: Any) -> Model:
    model = catalogue.model(name) if isinstance(name, str) and name else None
    fits = model and model.endpoint == "chat" and (model.family in _FAMILIES or model.line in _ALSO)
    if model is None or not fits or model.stream_only or model.thinking_needs_stream:
        raise invalid(f"Unsupported model: '{'' if name is None else str(name)[:80]}'")
    return model


def _before(service: Service, body: Json) -> tuple[str, str, list[Json]]:
    """The chain or the conversation a request continues, and what was said in it."""
    previous, conversation = body.get("previous_response_id") or "", _conversation(body.get("conversation"))
    if previous and conversation:
        raise invalid(_EXCLUSIVE)
    if previous:
        turns = service.shelf(Turns)
        if turns.get(previous, service.clock()) is None:
            raise invalid(f"Not found previous_response_id: {previous[:80]}")
        return previous, "", turns.before(previous)
    if conversation:
        talks = service.shelf(Conversations)
        if talks.get(conversation) is None:
            raise invalid(f"Conversation with id '{conversation[:80]}' not found.")
        return "", conversation, talks.items(conversation)
    return "", "", []


def _conversation(given: Any) -> str:
    """An id; the official SDK may send an object that holds it."""
    name = given.get("id") if isinstance(given, Mapping) else given
    if name is not None and not isinstance(name, str):
        raise invalid("Invalid 'conversation': must be a string.")
    return name or ""


def _allowed(choice: Any) -> list[Json]:
    """The tools that a choice leaves, when it is more than a word: `allowed_tools`, or a single tool by its name."""
    if not isinstance(choice, dict):
        return []
    tools = choice.get("tools") if choice.get("type") == "allowed_tools" else [choice]
    return tools if isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools) else []


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
    asked = {
        "model": body["model"],
        "messages": fitted(said, model),
        "tools": functions,
        "parallel_tool_calls": body.get("parallel_tool_calls") is True,
        "stream": body.get("stream") is True,
        **{name: body[name] for name in ("temperature", "top_p") if body.get(name) is not None},
        **_thinking(body),
        **_limit(body, model),
    }
    order = rules.check(asked)
    return replace(order, body={**asked, "tool_choice": choice if functions else "none"})


def _thinking(body: Json) -> Json:
    """`reasoning.effort` wins over `enable_thinking`."""
    effort = (body.get("reasoning") or {}).get("effort")
    return {"reasoning_effort": effort} if effort else {"enable_thinking": body.get("enable_thinking")}


def _limit(body: Json, model: Model) -> Json:
    """Qwen3.8 counts the reasoning too, the others the answer only."""
    name = "max_completion_tokens" if model.line.startswith("qwen3.8") else "max_tokens"
    return {name: body.get("max_output_tokens")}


def _nested(tool: Json, at: int) -> Json:
    """A flat function tool as chat has it; the shape of chat itself is refused."""
    if not isinstance(tool.get("name"), str):
        raise invalid(f"Field required: tools[{at}].name")
    return {"type": "function", "function": {name: tool.get(name) for name in ("name", "description", "parameters")}}


def _check_builtin(tools: list[Json]) -> None:
    for tool in tools:
        stores = tool.get("vector_store_ids")
        if tool["type"] == "file_search" and not (isinstance(stores, list) and len(stores) == 1):
            raise invalid("file_search takes exactly one id in vector_store_ids.")
