"""The native protocol without I/O: words and options in, `{model, input, parameters}` out; an answer in, a `Reply` out.

The native API spells the same things otherwise. Options travel as `parameters`, content items have no type but one key
that is their modality, and an answer is a text, a message, or a message of content items: one reading serves all three.
Options that are a matter of chat (schemas, prefixes, thinking, tools) are worked out by `protocol.chat`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError, ServerError
from qwenkit.protocol import billing, chat, failures
from qwenkit.protocol.chat import WireLogprobs, WireToolCall
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.message import Messages, text_of
from qwenkit.types.native_options import NATIVE, NATIVE_ONLY
from qwenkit.types.reply import Choice, Reply

TEXT = "/services/aigc/text-generation/generation"
MULTIMODAL = "/services/aigc/multimodal-generation/generation"
_SENT = ("http://", "https://", "data:", "oss://")
_CHAT_KEYS = ("model", "messages", "stream", "stream_options")
_ELSEWHERE = {
    "stream": "to stream, call .stream(…)",
    "messages": "messages go first: qwen.native.generate([…])",
    "prompt": 'the prompt goes first: qwen.native.generate("…")',
    "incremental": "it is called incremental_output here, as on the wire",
}


class WireMessage(msgspec.Struct, gc=False):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    tool_calls: list[WireToolCall] | None = None


class WireChoice(msgspec.Struct, gc=False):
    index: int = 0
    message: WireMessage | None = None
    finish_reason: str | None = None
    logprobs: WireLogprobs | None = None


class WireOutput(msgspec.Struct, gc=False):
    choices: list[WireChoice] | None = None
    text: str | None = None
    finish_reason: str | None = None

    def all(self) -> list[WireChoice]:
        """The choices; an answer in text format is one too."""
        if self.choices is None and (self.text is not None or self.finish_reason):
            return [WireChoice(message=WireMessage(content=self.text), finish_reason=self.finish_reason)]
        return self.choices or []


class WireAnswer(msgspec.Struct, gc=False):
    output: WireOutput | None = None
    usage: Any = None
    request_id: str | None = None
    code: Any = None


ANSWER = Lenient.of(WireAnswer)


def path(model: str) -> str:
    """Where a model is asked; one the catalogue does not know is taken for a text model."""
    facts = catalogue.model(model)
    return MULTIMODAL if facts is not None and facts.native == "multimodal" else TEXT


def body(
    prompt: Messages, options: Mapping[str, Any], *, model: str, to: str, system: str = "", stream: bool = False
) -> dict[str, Any]:
    """The request body. Messages are asked for unless a result_format says otherwise, and streams bring what is new."""
    _refuse_unknown(options)
    shared = {name: value for name, value in options.items() if name not in NATIVE_ONLY}
    wire = chat.body(prompt, shared, model=model, system=system, stream=stream)
    parameters: dict[str, Any] = {} if to == MULTIMODAL else {"result_format": "message"}
    parameters |= {"incremental_output": True} if stream else {}
    parameters |= {name: options[name] for name in NATIVE_ONLY if name in options}
    parameters |= {name: value for name, value in wire.items() if name not in _CHAT_KEYS}
    messages = [_message(message, to) for message in wire["messages"]]
    return {"model": model, "input": {"messages": messages}, "parameters": parameters}


def turns(content: Any) -> Any:
    """What `multimodal` accepts, as messages: a text, content items of one message, or messages already."""
    if isinstance(content, str) or not isinstance(content, Iterable):
        return content
    parts = [content] if isinstance(content, Mapping) else list(content)
    if any((isinstance(part, Mapping) and "role" in part) or hasattr(part, "role") for part in parts):
        return parts
    items = [{"text": part} if isinstance(part, str) else part for part in parts]
    return [{"role": "user", "content": items}] if items else []


def _message(message: dict[str, Any], to: str) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, str) and to == MULTIMODAL:
        return {**message, "content": [{"text": content}]}
    return {**message, "content": [_item(part) for part in content]} if isinstance(content, list) else message


def _item(part: Any) -> Any:
    """A content item; a part in the chat protocol's spelling is respelled."""
    if not isinstance(part, Mapping):
        return {"text": part} if isinstance(part, str) else part
    item = dict(part)
    kind = item.pop("type", None)
    for chats, ours, inner in (
        ("image_url", "image", "url"),
        ("video_url", "video", "url"),
        ("input_audio", "audio", "data"),
        ("audio_url", "audio", "url"),
    ):
        if kind == chats and isinstance(item.get(chats), Mapping):
            item[ours] = item.pop(chats).get(inner)
    for name in ("image", "video", "audio"):
        for value in item[name] if isinstance(item.get(name), list) else [item.get(name)]:
            if value is not None and not str(value).startswith(_SENT):
                hint = "pass a URL, or the bytes as a data: URI"
                raise ConfigError(f"{name} cannot be sent from {str(value)[:60]!r}", hint=hint)
    return item


def _refuse_unknown(options: Mapping[str, Any]) -> None:
    for name in options:
        if name not in NATIVE:
            near = difflib.get_close_matches(name, NATIVE, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"if the service knows it, pass extra={{{name!r}: …}}"
            raise ConfigError(f"the native API has no option {name!r}", hint=_ELSEWHERE.get(name, meant))


def read(data: bytes, *, model: str, request: str = "", request_id: str = "") -> Reply:
    """The reply in a 200 body, of any of the three shapes. A body without an output is an error, and says which."""
    try:
        wire: WireAnswer = ANSWER.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        wire = WireAnswer()
    if wire.output is None:
        raise failures.from_event(data, status=200, request=request, request_id=request_id) or ServerError(
            f"the answer is not one of the native API: {data[:80].decode('utf-8', 'replace')!r}",
            status=200,
            raw=data[:2000].decode("utf-8", "replace"),
            hint="try again; if it stays, something between you and the service rewrites its answers",
            request=request,
            request_id=request_id,
        )
    choices = [choice(each, at) for at, each in enumerate(wire.output.all())]
    return Reply(choices=choices, usage=billing.usage(wire.usage), id=wire.request_id or "", model=model, body=data)


def choice(wire: WireChoice, at: int) -> Choice:
    said = wire.message or WireMessage()
    return Choice(
        index=wire.index or at,
        text=text_of(said.content),
        thinking=said.reasoning_content or "",
        finish_reason=ending(wire.finish_reason),
        tool_calls=[chat._tool_call(call, place) for place, call in enumerate(said.tool_calls or [])],
        logprobs=wire.logprobs.content if wire.logprobs else None,
    )


def ending(reason: str | None) -> str | None:
    """Why it stopped; the service writes "null" while it goes on."""
    return None if reason == "null" else reason or None
