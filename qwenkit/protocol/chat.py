"""The chat protocol without I/O: words and options in, a request body out; an answer's bytes in, a `Reply` out.

Streams are read by `qwenkit.protocol.chat_stream`. Nothing here knows a URL, a key or a clock.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError, ServerError
from qwenkit.protocol import continuing, failures, functions, structured, thinking
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.message import Message, Messages
from qwenkit.types.options import FRIENDLY, KNOWN
from qwenkit.types.reply import Choice, Reply, TokenLogprob, ToolCall
from qwenkit.types.usage import Usage


class WireFunction(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class WireToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: WireFunction | None = None


class WireLogprobs(msgspec.Struct):
    content: list[TokenLogprob] | None = None


class WireMessage(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[WireToolCall] | None = None


class WireChoice(msgspec.Struct):
    index: int = 0
    message: WireMessage | None = None
    finish_reason: str | None = None
    logprobs: WireLogprobs | None = None
    text: str | None = None  # what /completions has in the place of a message


class WireCompletion(msgspec.Struct):
    choices: list[WireChoice] = []
    usage: Usage | None = None
    id: str | None = None
    model: str | None = None
    created: int | None = None


_COMPLETION = Lenient.of(WireCompletion)
_ELSEWHERE = {  # what users of other libraries look for
    "stream": "to stream, call qwen.chat.stream(…)",
    "messages": "messages go first: qwen.chat([…])",
    "extra_body": "it is called extra here: extra={…}",
}


def messages(prompt: Messages, system: str = "") -> list[dict[str, Any]]:
    """The wire messages of anything a chat call accepts."""
    one = isinstance(prompt, str | bytes | Mapping)
    turns: list[Any] = list(prompt) if isinstance(prompt, Iterable) and not one else [prompt]
    wire = [_message(turn) for turn in turns]
    if not wire:
        raise ConfigError("there is nothing to send", hint='pass a prompt: qwen.chat("Why is the sky blue?")')
    if system:
        wire.insert(0, {"role": "system", "content": system})
    return wire


def body(
    prompt: Messages, options: Mapping[str, Any], *, model: str, system: str = "", stream: bool = False
) -> dict[str, Any]:
    """The request body: model, messages, then the options as on the wire, then whatever `extra` adds."""
    refuse_unknown(options)
    facts = catalogue.model(model)
    wire: dict[str, Any] = {"model": model, "messages": messages(prompt, system)}
    wire.update((name, value) for name, value in options.items() if name not in FRIENDLY)
    wire.update(thinking.wire(options.get("thinking"), facts))
    if "tools" in wire:
        wire["tools"] = functions.wire_tools(wire["tools"])
    if "tool_choice" in wire:
        wire["tool_choice"] = functions.choice(wire["tool_choice"])
    if isinstance(wire.get("response_format"), str):
        wire["response_format"] = {"type": wire["response_format"]}
    if options.get("schema") is not None:
        structured.ask(wire, options["schema"])
        thinking.hush(wire, facts)
    if options.get("prefix"):
        continuing.ask(wire, options["prefix"], facts)
        thinking.hush(wire, facts)
    thinking.check(wire, facts, stream)
    if stream:
        wire["stream"] = True
        wire.setdefault("stream_options", {"include_usage": True})
    wire.update(options.get("extra") or {})
    return wire


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Raise on the first option nobody knows, naming the nearest known one."""
    for name in options:
        if name not in KNOWN:
            near = difflib.get_close_matches(name, KNOWN, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"if the service knows it, pass extra={{{name!r}: …}}"
            meant = _ELSEWHERE.get(name, meant)
            raise ConfigError(f"chat has no option {name!r}", hint=meant)


def read(data: bytes, *, request: str = "", request_id: str = "") -> Reply:
    """The reply in a 200 body. A body that is no completion is the server's fault, and says so."""
    try:
        wire: WireCompletion = _COMPLETION.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as broken:
        raise ServerError(
            f"the answer is not a chat completion: {data[:80].decode('utf-8', 'replace')!r}",
            status=200,
            raw=data[:2000].decode("utf-8", "replace"),
            hint="try again; if it stays, something between you and the service rewrites its answers",
            request=request,
            request_id=request_id,
        ) from broken
    if not wire.choices:  # some gateways send an error with a 200
        refused = failures.from_event(data, status=200, request=request, request_id=request_id)
        if refused is not None:
            raise refused
    return Reply(
        choices=[_choice(choice) for choice in wire.choices],
        usage=wire.usage,
        id=wire.id or "",
        model=wire.model or "",
        created=wire.created or 0,
        body=data,
    )


def _choice(wire: WireChoice) -> Choice:
    said = wire.message or WireMessage(content=wire.text)
    return Choice(
        index=wire.index,
        text=said.content or "",
        thinking=said.reasoning_content or "",
        finish_reason=wire.finish_reason,
        tool_calls=[_tool_call(call, at) for at, call in enumerate(said.tool_calls or [])],
        logprobs=wire.logprobs.content if wire.logprobs else None,
    )


def _tool_call(wire: WireToolCall, at: int) -> ToolCall:
    function = wire.function or WireFunction()
    index = at if wire.index is None else wire.index
    return ToolCall(id=wire.id or "", name=function.name or "", arguments=function.arguments or "", index=index)


def _message(turn: Any) -> dict[str, Any]:
    if isinstance(turn, str):
        return {"role": "user", "content": turn}
    if isinstance(turn, Message):
        return turn.to_wire()
    if isinstance(turn, Reply):
        return turn.message.to_wire()
    if isinstance(turn, Mapping):
        return dict(turn)
    raise ConfigError(
        f"a message cannot be of type {type(turn).__name__}",
        hint='use a string, a dict like {"role": "user", "content": "…"}, or qk.Message.user("…")',
    )
