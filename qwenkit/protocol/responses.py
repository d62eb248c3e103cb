"""The Responses and Conversations APIs without I/O: words and options in, bodies out; bytes in, typed values out.

Streams are read by `qwenkit.protocol.response_stream`. Nothing here knows a URL, a key or a clock.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qwenkit.errors import APIError, ConfigError, QwenError, ServerError
from qwenkit.protocol import billing, failures
from qwenkit.protocol.functions import several, wire_tools
from qwenkit.types.message import Message
from qwenkit.types.reply import Reply
from qwenkit.types.response import ConversationObject, Item, Items, Response
from qwenkit.types.response_options import ELSEWHERE, FRIENDLY, KNOWN
from qwenkit.types.usage import Usage

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
    system: str = "",
    previous: Any = None,
    conversation: Any = None,
    stream: bool = False,
) -> dict[str, Any]:
    """The request body: model, input, what it goes on from, then the options as on the wire, then what `extra` adds."""
    refuse_unknown(options)
    wire: dict[str, Any] = {"model": model, "input": given(prompt)}
    if previous is not None and conversation is not None:
        raise ConfigError("a turn goes on from previous= or from conversation=, not from both", hint="leave one out")
    if previous is not None:
        wire["previous_response_id"] = identity(previous, Response, "previous")
    if conversation is not None:
        wire["conversation"] = identity(conversation, ConversationObject, "conversation")
    if system and "instructions" in options:
        raise ConfigError("system and instructions are the same thing here", hint="pass one of them")
    if system:
        wire["instructions"] = system
    wire.update((name, value) for name, value in options.items() if name not in FRIENDLY)
    wire.update(_thinking(options.get("thinking")))
    if "tools" in wire:
        wire["tools"] = tools(wire["tools"])
    if stream:
        wire["stream"] = True
    wire.update(options.get("extra") or {})
    return wire


def given(prompt: Any) -> str | list[dict[str, Any]]:
    """The wire input of anything a call accepts: a string stays one, everything else is a list of items."""
    return prompt if isinstance(prompt, str) else items(prompt)


def items(prompt: Any) -> list[dict[str, Any]]:
    """The items of a prompt."""
    one = isinstance(prompt, str | bytes | Mapping | Message | Reply | Response | Item | Items)
    turns = list(prompt) if isinstance(prompt, Iterable) and not one else [prompt]
    found = [item for turn in turns for item in _items(turn)]
    if not found:
        raise ConfigError("there is nothing to send", hint='pass a prompt: qwen.responses("Why is the sky blue?")')
    return found


def _items(turn: Any) -> list[dict[str, Any]]:
    """The items of one turn; an answer that is sent back is as many as it had."""
    if isinstance(turn, str):
        return [{"role": "user", "content": turn}]
    if isinstance(turn, Response | Items):
        return [item.raw for item in (turn.output if isinstance(turn, Response) else turn)]
    if isinstance(turn, Item):
        return [turn.raw]
    if isinstance(turn, Message | Reply):
        return _from_chat(turn if isinstance(turn, Message) else turn.message)
    if isinstance(turn, Mapping):
        return [dict(turn)]
    raise ConfigError(
        f"an input item cannot be of type {type(turn).__name__}",
        hint='use a string, a dict like {"role": "user", "content": "…"}, a reply, or qk.Message.user("…")',
    )


def _from_chat(message: Message) -> list[dict[str, Any]]:
    """A chat message as items: tool calls and their results are items of their own here."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id or "", "output": message.text}]
    said = [{"role": message.role, "content": message.content}] if message.content else []
    return said + [_call(one) for one in message.tool_calls or []]


def _call(wire: Mapping[str, Any]) -> dict[str, Any]:
    function = wire.get("function") or {}
    named = {name: function.get(name) or "" for name in ("name", "arguments")}
    return {"type": "function_call", "call_id": wire.get("id") or "", **named}


def words(wire: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The input as messages whose tokens can be counted."""
    if isinstance(wire, str):
        return [{"role": "user", "content": wire}]
    items = [Item(each) for each in _dicts(wire)]
    return [{"content": item.text or item.thinking or item.arguments + item.output} for item in items]


def asked(wire: Any) -> str:
    """What a turn asks, in a few words: its last message, or what it brings instead."""
    items = [Item(each) for each in _dicts(wire)]
    said = [item.text for item in items if item.role == "user" and item.text]
    results = sum(item.type == "function_call_output" for item in items)
    if isinstance(wire, str):
        return wire
    brought = f"({results} tool result{'s' if results > 1 else ''})" if results else ""
    return said[-1] if said and items[-1].role == "user" else brought or (said[-1] if said else "")


def identity(value: Any, kind: Any, name: str) -> str:
    """The id of something the service keeps, given as the value or as its id."""
    found: str = value if isinstance(value, str) else value.id if isinstance(value, kind) else ""
    if not found:
        hint = f"pass what the service keeps (a {kind.__name__}), or its id"
        raise ConfigError(f"{name} cannot be {value!r:.80}", hint=hint)
    return found


def tools(declared: Any) -> list[dict[str, Any]]:
    """Tools on the wire: functions and chat declarations become flat, a built-in tool is named or a dict."""
    found: list[dict[str, Any]] = []
    for tool in several(declared):
        if isinstance(tool, str):
            found.append({"type": _built_in(tool)})
        elif isinstance(tool, Mapping) and tool.get("type", "function") != "function":
            found.append(dict(tool))
        else:
            found += wire_tools([tool], flat=True)
    return found


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
    if thinking is None:
        return {}
    if isinstance(thinking, bool):
        return {"enable_thinking": thinking}
    if isinstance(thinking, str):
        return {"reasoning": {"effort": thinking}}
    hint = "pass True, False, or an effort such as 'low' or 'high'; budgets are a matter of chat"
    raise ConfigError(f"thinking cannot be {thinking!r:.80} here", hint=hint)


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Raise on the first option nobody knows, naming the nearest known one."""
    for name in options:
        if name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"if the service knows it, pass extra={{{name!r}: …}}"
            raise ConfigError(f"responses has no option {name!r}", hint=ELSEWHERE.get(name, meant))


def read(data: bytes, *, request: str = "", request_id: str = "", created: bool = True) -> Response:
    """The response in a 200 body. One that was `created` just now and failed raises; a stored one only says so."""
    wire = decoded(data, "a response", request, request_id)
    reply = response(wire, body=data)
    if created and reply.status == "failed":
        error = failure(wire, data, request=request, request_id=request_id)
        error.reply = reply
        raise error
    return reply


def response(
    wire: Mapping[str, Any], *, output: list[Item] | None = None, body: bytes = b"", events: list[bytes] | None = None
) -> Response:
    """A wire response as a value; `output` are its items where they are known better than `wire` has them."""
    items = output if output is not None else [Item(each) for each in _dicts(wire.get("output"))]
    return Response(wire, output=items, usage=usage(wire.get("usage")), body=body, events=events)


def usage(wire: Any) -> Usage | None:
    """The bill, with the parts it is made of (`x_details`), which alone may name the tools."""
    bill = billing.usage(wire)
    parts = _dicts(wire.get("x_details")) if bill else []
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
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as broken:
        raise _unreadable(data, what, request, request_id) from broken
    if not isinstance(wire, dict):
        raise _unreadable(data, what, request, request_id)
    if not wire.keys() & {"object", "data", "id", "deleted"}:
        raise failures.from_event(data, status=200, request=request, request_id=request_id) or _unreadable(
            data, what, request, request_id
        )
    return wire


def _unreadable(data: bytes, what: str, request: str, request_id: str) -> QwenError:
    return ServerError(
        f"the answer is not {what}: {data[:80].decode('utf-8', 'replace')!r}",
        status=200,
        raw=data[:2000].decode("utf-8", "replace"),
        hint="try again; if it stays, something between you and the service rewrites its answers",
        request=request,
        request_id=request_id,
    )


def conversation(wire: Mapping[str, Any]) -> ConversationObject:
    """A conversation as a value; metadata that is no table of texts is left out."""
    told, created = wire.get("metadata"), wire.get("created_at")
    pairs = told.items() if isinstance(told, Mapping) else ()
    return ConversationObject(
        id=str(wire.get("id") or ""),
        created=created if isinstance(created, int) else 0,
        metadata={str(name): text for name, text in pairs if isinstance(text, str)},
        deleted=wire.get("deleted") is True,
    )


def listed(wire: Mapping[str, Any]) -> tuple[list[Item], str]:
    """The items of one page, and the cursor of the next one, "" after the last."""
    items = [Item(each) for each in _dicts(wire.get("data"))]
    last = wire.get("last_id") or (items[-1].id if items else "")
    return items, str(last) if items and wire.get("has_more") is True else ""


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
