"""What a chat request may say: a table of rules for single parameters, one for combinations, in the documented words.

A rule is a name, a test and the words of the refusal; parameters that no rule names are ignored, as the service does.
What passes becomes an `Order`. What depends on the model (limits, thinking, tools) is read from the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from qwenkit.catalogue import Model
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.messages import all_words, check_messages
from qwenkit.sandbox.omni import check_speech, speaks
from qwenkit.sandbox.order import EFFORTS, Body, Order, asked_model, thinks, tool_name
from qwenkit.sandbox.searching import STRATEGIES
from qwenkit.sandbox.translating import check_translation

FRESHNESS = (7, 30, 180, 365)
SEED_CEILING = 2**63 - 1
_TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CHOICES = ("none", "auto", "required")


class Rule(NamedTuple):
    """One parameter, what its value must satisfy, and what is said otherwise."""

    name: str
    fits: Callable[[Any, Model], bool]
    text: str
    code: str = "InvalidParameter"


class Clash(NamedTuple):
    """What must not come together, and what is said then."""

    happens: Callable[[Order], bool]
    text: str
    code: str = "InvalidParameter"


def _number(value: Any, model: Model) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6


def _whole(value: Any, model: Model | None = None) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _from(low: int, high: int | None = None) -> Callable[[Any, Model], bool]:
    return lambda value, model: _whole(value) and low <= value and (high is None or value <= high)


def _stop(value: Any, model: Model) -> bool:
    if not isinstance(value, list):
        return isinstance(value, str)
    return any(all(fits(each) for each in value) for fits in (_text, _whole, _ids))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _ids(value: Any) -> bool:
    return isinstance(value, list) and all(_whole(each) for each in value)


def _format(value: Any, model: Model) -> bool:
    """A format of the three kinds, and one that the model can do."""
    if not isinstance(value, dict):
        return False
    schema = (value.get("json_schema") or {}).get("schema") if isinstance(value.get("json_schema"), dict) else None
    kinds = {
        "text": True,
        "json_object": model.json_object,
        "json_schema": model.json_schema and isinstance(schema, dict),
    }
    return isinstance(value.get("type"), str) and kinds.get(value["type"], False)


def _tools(value: Any, model: Model) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and tool_name(each) for each in value)


def _every_name(fits: Callable[[str], object]) -> Callable[[Any, Model], bool]:
    return lambda tools, model: all(fits(tool_name(tool)) for tool in tools)


def _searches(value: Any, model: Model) -> bool:
    return not value or not (model.family == "mt" or model.name.lower().startswith(("kimi", "moonshot")))


def _search_option(name: str, known: Collection[Any]) -> Callable[[Any, Model], bool]:
    return lambda options, model: options.get(name) is None or options[name] in list(known)


def _sites(options: Any, model: Model) -> bool:
    sites = options.get("assigned_site_list") or []
    return isinstance(sites, list) and len(sites) <= 25 and all(map(_text, sites))


def _turbo_only(options: Any, model: Model) -> bool:
    narrow = options.get("freshness") or options.get("assigned_site_list")
    return not narrow or options.get("search_strategy") in (None, "turbo")


def _no_agent(options: Any, model: Model) -> bool:
    return options.get("search_strategy") != "agent" or not model.line.startswith("qwen3.8")


_LENGTH = "Range of max_tokens should be [1, {longest}]"
_FORMAT = (
    "Unknown format of response_format, response_format should be a dict, includes 'type' and an optional key "
    "'json_schema'. The response_format type from user is {value}."
)
_STOP = (
    'The "stop" parameter must be of type "str", "list[str]", "list[int]", or "list[list[int]]", and all elements '
    "within the list must be of the same type."
)
_BUDGET = "The thinking_budget parameter must be a positive integer and not greater than {deepest}"
_CHOICE = 'tool_choice is one of the strings that should be ["none", "auto"]'
_FLAGS = ("stream", "logprobs", "parallel_tool_calls", "enable_thinking")

RULES = (
    *(Rule(name, lambda value, model: isinstance(value, bool), f"'{name}' must be Boolean") for name in _FLAGS),
    Rule("stream_options", lambda value, model: isinstance(value, dict), "'stream_options' must be a dict"),
    Rule("temperature", _number, "'temperature' must be Float"),
    Rule("temperature", lambda value, model: 0 <= value < 2, "Temperature should be in [0.0, 2.0)"),
    Rule("top_p", _number, "'top_p' must be Float"),
    Rule("top_p", lambda value, model: 0 < value <= 1, "Range of top_p should be (0.0, 1.0]"),
    Rule("top_k", _from(0), "Parameter top_k be greater than or equal to 0"),
    Rule("repetition_penalty", _number, "'repetition_penalty' must be Float"),
    Rule("repetition_penalty", lambda value, model: value > 0, "Repetition_penalty should be greater than 0.0"),
    Rule("presence_penalty", _number, "'presence_penalty' must be Float"),
    Rule("presence_penalty", lambda value, model: -2 <= value <= 2, "Presence_penalty should be in [-2.0, 2.0]"),
    Rule("n", _from(1, 4), "Range of n should be [1, 4]"),
    Rule("n", lambda value, model: value == 1 or model.many, "Range of n should be [1, 1]"),
    Rule("seed", _whole, "'seed' must be Integer"),
    Rule("seed", lambda value, model: value >= 0, "{value} is lesser than the minimum of 0 - 'seed'", "invalid_value"),
    Rule("seed", _from(0, SEED_CEILING), f"Range of seed should be [0, {SEED_CEILING}]"),
    Rule("stop", _stop, _STOP),
    Rule("max_tokens", _from(1), _LENGTH),
    Rule("max_tokens", lambda value, model: value <= (model.max_output or value), _LENGTH),
    Rule("max_completion_tokens", _from(1), "max_completion_tokens should be a positive integer"),
    Rule("top_logprobs", _from(0, 5), "Range of top_logprobs should be [0, 5]"),
    Rule("response_format", _format, _FORMAT),
    Rule("tools", lambda value, model: model.tools or not value, "The tool call is not supported."),
    Rule("tools", _tools, "Field required: tools.function.name"),
    Rule("tools", _every_name(lambda name: name != "search"), "Tool names are not allowed to be [search]"),
    Rule("tools", _every_name(_TOOL_NAME.fullmatch), "Tool names should match [A-Za-z0-9_-]{{1,64}}"),
    Rule("tool_choice", lambda value, model: value in _CHOICES or bool(tool_name(value)), _CHOICE),
    Rule(
        "enable_thinking",
        lambda value, model: value or model.thinking != "always",
        "The value of the enable_thinking parameter is restricted to True.",
    ),
    Rule(
        "enable_thinking",
        lambda value, model: not value or model.thinking != "no",
        "The model {model.name} does not support enable_thinking.",
        "InvalidParameter.NotSupportEnableThinking",
    ),
    Rule("thinking_budget", _from(1), _BUDGET),
    Rule("thinking_budget", lambda value, model: value <= (model.max_thinking or value), _BUDGET),
    Rule("enable_search", lambda value, model: isinstance(value, bool), "'enable_search' must be Boolean"),
    Rule("enable_search", _searches, "This model does not support enable_search."),
    Rule("search_options", lambda value, model: isinstance(value, dict), "'search_options' must be a dict"),
    Rule("search_options", _search_option("search_strategy", STRATEGIES), "Unknown search_strategy: {value}"),
    Rule("search_options", _search_option("freshness", FRESHNESS), "freshness should be one of [7, 30, 180, 365]"),
    Rule("search_options", _sites, "assigned_site_list should be a list of at most 25 host names"),
    Rule("search_options", _turbo_only, "freshness and assigned_site_list require search_strategy turbo"),
    Rule("search_options", _no_agent, "The model {model.name} does not support the search_strategy agent."),
    Rule("reasoning_effort", lambda value, model: value in tuple(EFFORTS), "Unknown reasoning_effort: {value}"),
)

CLASHES = (
    Clash(
        lambda order: "audio" in order.several("modalities") and not order.stream,
        "'audio' output only support with stream=true",
    ),
    Clash(
        lambda order: order.model.stream_only and not order.stream,
        "This model only support stream mode, please enable the stream parameter to access the model.",
    ),
    Clash(
        lambda order: order.thinking and order.model.thinking_needs_stream and not order.stream,
        "parameter.enable_thinking must be set to false for non-streaming calls",
    ),
    Clash(
        lambda order: order.body.get("stream_options") is not None and not order.stream,
        "stream_options is only allowed when stream is true",
    ),
    Clash(lambda order: order.choices > 1 and bool(order.several("tools")), "Range of n should be [1, 1] with tools"),
    Clash(
        lambda order: order.thinking and order.body.get("tool_choice") not in (None, "none", "auto"),
        "The tool_choice parameter does not support being set to required or object in thinking mode",
    ),
    Clash(lambda order: order.body.get("tool_choice") == "required", _CHOICE),
    Clash(
        lambda order: order.chosen not in ("", *map(tool_name, order.several("tools"))),
        "tool_choice names an unknown tool",
    ),
    Clash(
        lambda order: order.format == "json_object" and "json" not in all_words(order.messages).lower(),
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
    ),
    Clash(lambda order: order.partial and not order.model.partial, "This model does not support partial mode."),
    Clash(
        lambda order: order.partial and order.thinking,
        "Partial mode is not supported when enable_thinking is true",
    ),
    Clash(
        lambda order: None not in (order.body.get("thinking_budget"), order.body.get("reasoning_effort")),
        "thinking_budget and reasoning_effort cannot be set at the same time",
    ),
)


def check(body: Body) -> Order:
    """The order that a request body makes, or the refusal of the first thing that is wrong with it."""
    model = asked_model(body.get("model"))
    for rule in RULES:
        value = body.get(rule.name)
        if value is not None and not rule.fits(value, model):
            raise Refusal(rule.code, _said(rule.text, value, model), reached=True)
    check_messages(body.get("messages"), model)
    order = Order(body, model, thinks(body, model))
    for clash in CLASHES:
        if clash.happens(order):
            raise Refusal(clash.code, clash.text, reached=True)
    if model.family == "mt":
        check_translation(order)
    if speaks(order):
        check_speech(order)
    return order


def _said(text: str, value: Any, model: Model) -> str:
    shown = str(value.get("type") if isinstance(value, dict) else value)[:80]
    longest = model.max_output or model.context
    return text.format(value=shown, model=model, longest=longest, deepest=model.max_thinking or longest)
