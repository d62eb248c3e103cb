"""The chat protocol without I/O: words and options in, a request body out; an answer's bytes in, a `Reply` out.

Streams are read by `qwenkit.protocol.chat_stream`. Nothing here knows a URL, a key or a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError
from qwenkit.protocol import continuing, failures, functions, media, omni, structured, thinking
from qwenkit.protocol import options as checked
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.files import SCHEME
from qwenkit.types.message import Message, Messages, text_of
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
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    tool_calls: list[WireToolCall] | None = None


class WireChoice(msgspec.Struct):
    index: int | None = None
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
_OPTION = {"image": "images=[picture]", "video": "video=film", "audio": "audio=[sound]"}
_ELSEWHERE = {  # what users of other libraries look for
    "stream": "to stream, call qwen.chat.stream(…)",
    "messages": "messages go first: qwen.chat([…])",
    "extra_body": "it is called extra here: extra={…}",
}


def messages(prompt: Messages, system: str = "") -> list[dict[str, Any]]:
    """The wire messages of anything a chat call accepts."""
    one = isinstance(prompt, str | bytes | Mapping) or media.is_media(prompt)
    turns: list[Any] = list(prompt) if isinstance(prompt, Iterable) and not one else [prompt]
    wire = [_message(turn) for turn in turns]
    if not wire:
        raise ConfigError("there is nothing to send", hint='pass a prompt: qwen.chat("Why is the sky blue?")')
    if system:
        wire.insert(0, {"role": "system", "content": system})
    return wire


def body(
    prompt: Messages,
    options: Mapping[str, Any],
    *,
    model: str,
    usual: str = "",
    system: str = "",
    stream: bool = False,
) -> dict[str, Any]:
    """The request body: model, messages, then the options as on the wire, then whatever `extra` adds.

    Without a model it is the usual one, or a default one with eyes or ears when there is something for them. Pictures,
    films and sounds without an address stand in it as values.
    """
    refuse_unknown(options)
    own = media.asked(options)
    said = media.attached(messages(prompt, system), own)
    shown = list(media.parts(said))
    model = omni.fit(checked.model(model), media.fit(checked.model(model), usual, shown), options.get("speak"))
    media.check(shown, model, len(own))
    facts = catalogue.model(model)
    if options.get("speak") or (facts is not None and facts.stream_only):
        stream = True  # there is no other way to answer
    wire: dict[str, Any] = {"model": model, "messages": said}
    if facts is not None and "files" not in facts.limits and any(map(_points_to_a_file, wire["messages"])):
        hint = "use a model that does, such as model='qwen-long'"
        raise ConfigError(f"{model} reads no files: it would see only their ids", hint=hint)
    wire.update((name, value) for name, value in options.items() if name not in FRIENDLY)
    wire.update(media.switches(options))
    if not isinstance(options.get("audio"), Mapping):
        wire.pop("audio", None)  # a sound, which is among the messages
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
    omni.ask(wire, options.get("speak"))
    if stream:
        wire["stream"] = True
        wire.setdefault("stream_options", {"include_usage": True})
    wire.update(checked.extra(options.get("extra")))
    return wire


def _points_to_a_file(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    return message.get("role") == "system" and isinstance(content, str) and content.startswith(SCHEME)


def refuse_unknown(options: Mapping[str, Any]) -> None:
    """Raise on the first option nobody knows, naming the nearest known one."""
    checked.refuse_unknown(options, KNOWN, "chat", _ELSEWHERE)


def read(data: bytes, *, request: str = "", request_id: str = "") -> Reply:
    """The reply in a 200 body. A body that is no completion is the server's fault, and says so."""
    wire: WireCompletion = _COMPLETION.read(data, "a chat completion", request=request, request_id=request_id)
    if not wire.choices:  # some gateways send an error with a 200
        refused = failures.from_event(data, status=200, request=request, request_id=request_id)
        if refused is not None:
            raise refused
    return Reply(
        choices=[choice(each, at) for at, each in enumerate(wire.choices)],
        usage=wire.usage,
        id=wire.id or "",
        model=wire.model or "",
        created=wire.created or 0,
        body=data,
    )


def choice(wire: WireChoice, at: int) -> Choice:
    """A choice, from the place where it stands."""
    said = wire.message or WireMessage(content=wire.text)
    return Choice(
        index=at if wire.index is None else wire.index,
        text=text_of(said.content),
        thinking=said.reasoning_content or "",
        finish_reason=ending(wire.finish_reason),
        tool_calls=[_tool_call(call, at) for at, call in enumerate(said.tool_calls or [])],
        logprobs=wire.logprobs.content if wire.logprobs else None,
    )


def ending(reason: str | None) -> str | None:
    """Why it stopped; the native API writes "null" while it goes on."""
    return None if reason == "null" else reason or None


def _tool_call(wire: WireToolCall, at: int) -> ToolCall:
    function = wire.function or WireFunction()
    index = at if wire.index is None else wire.index
    return ToolCall(id=wire.id or "", name=function.name or "", arguments=function.arguments or "", index=index)


def _message(turn: Any) -> dict[str, Any]:
    if isinstance(turn, str):
        return {"role": "user", "content": str(turn)}  # also of a text that only looks like one, as numpy's do
    if isinstance(turn, Reply):
        return turn.message.to_wire()
    if isinstance(turn, Message | Mapping):
        wire = turn.to_wire() if isinstance(turn, Message) else dict(turn)
        content = wire.get("content")
        if content is not None and not isinstance(content, str):
            wire["content"] = media.spelled(content, "chat")
        return wire
    if media.is_media(turn):
        hint = f'say something about it: qwen.chat("What is this?", {_OPTION[turn.family]})'
        raise ConfigError(f"a {turn.noun} alone is no message", hint=hint)
    raise ConfigError(
        f"a message cannot be of type {type(turn).__name__}",
        hint='use a string, a dict like {"role": "user", "content": "…"}, or qk.Message.user("…")',
    )
