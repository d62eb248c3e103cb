"""The native protocol without I/O: words and options in, `{model, input, parameters}` out; an answer in, a `Reply` out.

The native API spells the same things otherwise. Options travel as `parameters`, content items have no type but one key
that is their modality, and an answer is a text, a message, or a message of content items: one reading serves all three.
Whatever is a matter of chat (schemas, prefixes, thinking, tools, choices) is worked out by `protocol.chat`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError
from qwenkit.protocol import billing, chat, failures, media
from qwenkit.protocol import options as checked
from qwenkit.protocol.chat import WireChoice
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.message import Messages
from qwenkit.types.options import NATIVE, NATIVE_ONLY
from qwenkit.types.reply import Reply

TEXT = "/services/aigc/text-generation/generation"
MULTIMODAL = "/services/aigc/multimodal-generation/generation"
_CHAT_KEYS = ("model", "messages", "stream", "stream_options")
_ELSEWHERE = {
    "stream": "to stream, call .stream(…)",
    "messages": "messages go first: qwen.native.generate([…])",
    "prompt": 'the prompt goes first: qwen.native.generate("…")',
    "speak": 'the native API does not speak: qwen.chat("…", speak="Cherry")',
    "incremental": "it is called incremental_output here, as on the wire",
}


class WireOutput(msgspec.Struct, gc=False):
    choices: list[WireChoice] | None = None
    text: str | None = None
    finish_reason: str | None = None

    def all(self) -> list[WireChoice]:
        """The choices; an answer in text format is one too."""
        if self.choices is None and (self.text is not None or self.finish_reason):
            return [WireChoice(text=self.text, finish_reason=self.finish_reason)]
        return self.choices or []


class WireAnswer(msgspec.Struct, gc=False):
    output: WireOutput | None = None
    usage: Any = None
    request_id: str | None = None


ANSWER = Lenient.of(WireAnswer)


def path(model: str) -> str:
    """Where a model is asked; one the catalogue does not know is taken for a text model."""
    facts = catalogue.model(checked.model(model))
    return MULTIMODAL if facts is not None and facts.native == "multimodal" else TEXT


def body(
    prompt: Messages,
    options: Mapping[str, Any],
    *,
    model: str,
    to: str = "",
    usual: str = "",
    system: str = "",
    stream: bool = False,
) -> dict[str, Any]:
    """The request body. Messages are asked for unless a result_format says otherwise, and streams bring what is new.

    Without `to` it is for the path where the model lives.
    """
    known = NATIVE if isinstance(options.get("audio"), Mapping) else NATIVE | {"audio"}  # a sound to listen to
    checked.refuse_unknown(options, known, "the native API", _ELSEWHERE)
    shared = {name: value for name, value in options.items() if name not in NATIVE_ONLY}
    wire = chat.body(prompt, shared, model=model, usual=usual, system=system, stream=stream)
    model, stream = wire["model"], bool(wire.get("stream"))
    to = to or path(model)
    parameters: dict[str, Any] = {} if to == MULTIMODAL else {"result_format": "message"}
    parameters |= {"incremental_output": True} if stream else {}
    parameters |= {name: options[name] for name in NATIVE_ONLY if name in options}
    parameters |= {name: value for name, value in wire.items() if name not in _CHAT_KEYS}
    messages = [_message(message, to) for message in wire["messages"]]
    return {"model": model, "input": {"messages": messages}, "parameters": parameters}


def streams(body: Mapping[str, Any]) -> bool:
    """Whether a plain call must be a stream all the same: for models that answer no other way."""
    facts = catalogue.model(body["model"])
    return facts is not None and facts.stream_only


def turns(content: Any) -> Any:
    """What `multimodal` accepts, as messages: a text, content items of one message, or messages already."""
    if media.is_media(content) or isinstance(content, PathLike):
        content = [content]
    if isinstance(content, str | bytes) or not isinstance(content, Iterable):
        return content
    parts = [content] if isinstance(content, Mapping) else list(content)
    if any((isinstance(part, Mapping) and "role" in part) or hasattr(part, "role") for part in parts):
        return parts
    return [{"role": "user", "content": parts}] if parts else []


def _message(message: dict[str, Any], to: str) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, str) and to == MULTIMODAL:
        return {**message, "content": [{"text": content}]}
    return {**message, "content": media.spelled(content, "native")} if isinstance(content, list) else message


def refuse_files(item: Any) -> None:
    """Raise when a content item has something else for a picture, video or sound than where it is or what it is."""
    for name in ("image", "video", "audio", "multi_images") if isinstance(item, Mapping) else ():
        for value in item[name] if isinstance(item.get(name), list) else [item.get(name)]:
            if value is not None and not str(value).startswith(media.ADDRESS):
                hint = "pass a URL, or the bytes as a data: URI"
                raise ConfigError(f"{name} cannot be sent from {str(value)[:60]!r}", hint=hint)


def read(data: bytes, *, model: str, request: str = "", request_id: str = "") -> Reply:
    """The reply in a 200 body, of any of the three shapes. A body without an output is an error, and says which."""
    wire: WireAnswer = ANSWER.read(data, "one of the native API", request=request, request_id=request_id)
    if wire.output is None:
        raise failures.unreadable("one of the native API", data, request=request, request_id=request_id)
    choices = [chat.choice(each, at) for at, each in enumerate(wire.output.all())]
    return Reply(choices=choices, usage=billing.usage(wire.usage), id=wire.request_id or "", model=model, body=data)
