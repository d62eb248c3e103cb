"""The Responses and Conversations APIs without I/O: words and options in, bodies out; bytes in, typed values out.

Streams are read by `qwenkit.protocol.response_stream`. Nothing here knows a URL, a key or a clock.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import APIError, ConfigError
from qwenkit.protocol import billing, failures, media
from qwenkit.protocol import options as checked
from qwenkit.protocol.functions import several, wire_tools
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.message import Message
from qwenkit.types.reply import Reply
from qwenkit.types.response import ConversationObject, Item, Items, Response, dicts
from qwenkit.types.response_options import ELSEWHERE, FRIENDLY, KNOWN
from qwenkit.types.usage import Usage

_CONVERSATION = Lenient.of(ConversationObject)
# The one model that hears in this API; the usual ones for sound answer over chat alone.
HEARING = "qwen3.8-omni-flash"
# Built-in tools that need no settings, so that their name is enough.
BUILT_IN = ("web_search", "web_extractor", "code_interpreter", "web_search_image", "image_search")
_SETTINGS = {
    "file_search": '{"type": "file_search", "vector_store_ids": ["…"]}',
    "mcp": '{"type": "mcp", "server_protocol": "sse", "server_label": "…", "server_url": "https://…"}',
    "function": "a Python function",
}


def body(
    prompt: Any,
    options: Mapping[str, Any],
    *,
    model: str,
    usual: str = "",
    system: str = "",
    previous: Any = None,
    conversation: Any = None,
    stream: bool = False,
) -> dict[str, Any]:
    """The request body: model, input, what it goes on from, then the options as on the wire, then what `extra` adds."""
    checked.refuse_unknown(options, KNOWN, "responses", ELSEWHERE)
    if previous is not None and conversation is not None:
        raise ConfigError("a turn goes on from previous= or from conversation=, not from both", hint="leave one out")
    if system and "instructions" in options:
        raise ConfigError("system and instructions are the same thing here", hint="pass one of them")
    own = media.spelled(media.asked(options), "responses")
    said = prompt if isinstance(prompt, str) and not own else media.attached(items(prompt), own, "input_text")
    shown = list(media.parts(said)) if not isinstance(said, str) else []
    model = _sensing(checked.model(model), usual, shown)
    media.check(shown, model, len(own))
    wire: dict[str, Any] = {"model": model, "input": said}
    if previous is not None:
        wire["previous_response_id"] = identity(previous, Response, "previous")
    if conversation is not None:
        wire["conversation"] = identity(conversation, ConversationObject, "conversation")
    if system:
        wire["instructions"] = system
    wire.update((name, value) for name, value in options.items() if name not in FRIENDLY)
    wire.update(_thinking(options.get("thinking")))
    if "tools" in wire:
        wire["tools"] = tools(wire["tools"])
    if callable(wire.get("tool_choice")):
        only = {"type": "function", "name": tools(wire["tool_choice"])[0]["name"]}
        wire["tool_choice"] = {"type": "allowed_tools", "mode": "required", "tools": [only]}
    if stream:
        wire["stream"] = True
    wire.update(checked.extra(options.get("extra")))
    return wire


def _sensing(named: str, usual: str, shown: list[media.Part]) -> str:
    """The model, chosen as in chat; for sound the one that hears here, and of those that do not none is asked."""
    model = media.fit(named, usual, shown)
    facts = catalogue.model(model)
    if facts is None or facts.family != "omni" or facts.line == HEARING:
        return model
    if not named and model != usual:
        return HEARING
    hint = f"use model={HEARING!r}, or ask {model} with qwen.chat(…)"
    raise ConfigError(f"{model} does not answer in the Responses API; nothing was sent", hint=hint)


def items(prompt: Any) -> list[dict[str, Any]]:
    """The items of a prompt."""
    one = isinstance(prompt, str | bytes | Mapping | Message | Reply | Item | Items)
    turns = list(prompt) if isinstance(prompt, Iterable) and not one else [prompt]
    found = [item for turn in turns for item in _items(turn)]
    if not found:
        raise ConfigError("there is nothing to send", hint='pass a prompt: qwen.responses("Why is the sky blue?")')
    return found


def _items(turn: Any) -> list[dict[str, Any]]:
    """The items of one turn; an answer that is sent back is as many as it had."""
    if isinstance(turn, str):
        return [{"role": "user", "content": turn}]
    if isinstance(turn, Item):
        return [turn.raw]
    if isinstance(turn, Response | Items):
        return [item.raw for item in (turn.output if isinstance(turn, Response) else turn)]
    if isinstance(turn, Message | Reply):
        return _from_chat(turn if isinstance(turn, Message) else turn.message)
    if isinstance(turn, Mapping):
        item = dict(turn)
        if item.get("content") is not None and not isinstance(item["content"], str):
            item["content"] = media.spelled(item["content"], "responses", str(item.get("role")))
        return [item]
    raise ConfigError(
        f"an input item cannot be of type {type(turn).__name__}",
        hint='use a string, a dict like {"role": "user", "content": "…"}, a reply, or qk.Message.user("…")',
    )


def _from_chat(message: Message) -> list[dict[str, Any]]:
    """A chat message as items: tool calls and their results are items of their own here."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id or "", "output": message.text}]
    content = media.spelled(message.content, "responses", message.role)
    found = [{"role": message.role, "content": content}] if content else []
    for call in message.tool_calls or []:
        named = {name: (call.get("function") or {}).get(name) or "" for name in ("name", "arguments")}
        found.append({"type": "function_call", "call_id": call.get("id") or "", **named})
    return found


def words(wire: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The input as messages whose tokens can be counted."""
    items = [Item(each) for each in dicts(wire)] if not isinstance(wire, str) else [Item({"content": wire})]
    return [{"content": item.text or item.thinking or item.arguments + item.output} for item in items]


def asked(wire: Any) -> str:
    """What a turn asks, in a few words: its last message, or the results it brings instead."""
    if isinstance(wire, str):
        return wire
    items = [Item(each) for each in dicts(wire)]
    results = sum(item.type == "function_call_output" for item in items)
    if results and items[-1].role != "user":
        return f"({results} tool result{'s' if results > 1 else ''})"
    return next((item.text for item in reversed(items) if item.role == "user" and item.text), "")


def identity(value: Any, kind: Any, name: str) -> str:
    """The id of something the service keeps, given as the value or as its id."""
    found: str = value if isinstance(value, str) else value.id if isinstance(value, kind) else ""
    if not found:
        hint = f"pass what the service keeps (a {kind.__name__}), or its id"
        raise ConfigError(f"{name} cannot be {value!r:.80}", hint=hint)
    return found


def tools(declared: Any) -> list[dict[str, Any]]:
    """Tools on the wire: functions and chat declarations become flat, a built-in tool is named or a dict."""
    return wire_tools(
        [{"type": _built_in(tool)} if isinstance(tool, str) else tool for tool in several(declared)], True
    )


def _built_in(name: str) -> str:
    if name in BUILT_IN:
        return name
    near = difflib.get_close_matches(name, [*BUILT_IN, *_SETTINGS], n=1)
    known = f"did you mean {near[0]!r}?" if near else f"by name there are {', '.join(BUILT_IN)}"
    raise ConfigError(
        f"there is no built-in tool {name!r} without settings",
        hint=f"pass {_SETTINGS[name]}" if name in _SETTINGS else known,
    )


def _thinking(thinking: Any) -> dict[str, Any]:
    """`True` or `False` switches thinking, a word is an effort. There is no budget in this API."""
    if isinstance(thinking, str):
        return {"reasoning": {"effort": thinking}}
    if thinking is None or isinstance(thinking, bool):
        return {} if thinking is None else {"enable_thinking": thinking}
    hint = "pass True, False, or an effort such as 'low' or 'high'; budgets are a matter of chat"
    raise ConfigError(f"thinking cannot be {thinking!r:.80} here", hint=hint)


def read(data: bytes, *, request: str = "", request_id: str = "") -> Response:
    """The new response in a 200 body; one that failed raises."""
    wire = decoded(data, "a response", request, request_id)
    reply = response(wire, body=data)
    if reply.status == "failed":
        error = failure(wire, data, request=request, request_id=request_id)
        error.reply = reply
        raise error
    return reply


def response(
    wire: Mapping[str, Any], *, output: list[Item] | None = None, body: bytes = b"", events: list[bytes] | None = None
) -> Response:
    """A wire response as a value; `output` are its items where they are known better than `wire` has them."""
    items = output if output is not None else [Item(each) for each in dicts(wire.get("output"))]
    return Response(wire, output=items, usage=usage(wire.get("usage")), body=body, events=events)


def usage(wire: Any) -> Usage | None:
    """The bill, with the parts it is made of (`x_details`), which alone may name the tools."""
    bill = billing.usage(wire)
    parts = dicts(wire.get("x_details")) if bill else []
    if not bill or not parts:
        return bill
    named = Counter[str]()
    for part in map(billing.usage, parts):
        named.update(part.tools if part else {})
    return msgspec.structs.replace(bill, parts=parts, tools=bill.tools or dict(named))


def failure(wire: Mapping[str, Any], data: bytes, *, request: str, request_id: str) -> APIError:
    """The typed error of a response whose status is `failed`."""
    told = wire.get("error")
    told = told if isinstance(told, Mapping) else {"message": "the service gave no reason"}
    plain = msgspec.json.encode({"error": {name: told[name] for name in ("code", "message") if name in told}})
    error = failures.build(None, {}, plain, request=request, request_id=request_id)
    error.raw = data[:20_000].decode("utf-8", "replace")
    return error


def decoded(data: bytes, what: str, request: str, request_id: str) -> dict[str, Any]:
    """The JSON object in a 200 body; an error sent with a 200 raises, and so does what is no object at all."""
    try:
        wire = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        wire = None
    if isinstance(wire, dict) and wire.keys() & {"object", "data", "id", "deleted"}:
        return wire
    raise failures.unreadable(what, data, request=request, request_id=request_id)


def metadata(given: Any) -> dict[str, Any]:
    """What a conversation is to have beside its items."""
    if not isinstance(given, Mapping):
        raise ConfigError(f"metadata cannot be {given!r:.80}", hint='pass a dict: metadata={"topic": "ferries"}')
    return {"metadata": dict(given)}


def conversation(wire: Mapping[str, Any]) -> ConversationObject:
    """A conversation as a value."""
    value: ConversationObject = _CONVERSATION.decode(msgspec.json.encode(wire))
    return value


def listed(wire: Mapping[str, Any]) -> tuple[list[Item], str]:
    """The items of one page, and the cursor of the next one, "" after the last."""
    items = [Item(each) for each in dicts(wire.get("data"))]
    last = wire.get("last_id") or (items[-1].id if items else "")
    return items, str(last) if items and wire.get("has_more") is True else ""
