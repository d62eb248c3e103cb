"""Chat: `qwen.chat("…")` gives a `Reply`, `qwen.chat.stream("…")` one that grows.

Wiring only: the body is made and the answer read in `qwenkit.protocol`, the sending is the driver's.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack

from qwenkit import catalogue
from qwenkit.api.accounts import OpenCall
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.sending import addressed
from qwenkit.api.stream import Plan
from qwenkit.protocol import chat as protocol
from qwenkit.protocol import structured
from qwenkit.protocol.chat_stream import ChatFold
from qwenkit.protocol.flow import Flow, Request
from qwenkit.protocol.folding import read_whole
from qwenkit.types.message import Messages
from qwenkit.types.options import ChatOptions
from qwenkit.types.reply import Piece, Reply

_PATH = "/chat/completions"


class ChatCalls:
    """The calls of the chat noun, written once for both flavours."""

    _core: Core

    @call
    def __call__(
        self, prompt: Messages, *, system: str = "", model: str = "", **options: Unpack[ChatOptions]
    ) -> Flow[Reply]:
        """Ask once and get the whole answer; a stream of a model that only streams is read to its end.

        `prompt` is a string, a list of messages (dicts as on the wire, or `qk.Message`), or one message. Friendly
        options: `system` puts a system message first, `thinking` is True, False, a token budget or an effort word,
        `schema` (a type or a JSON schema) makes the answer a value in `reply.value`, `prefix` is what the answer begins
        with, `extra` adds wire fields qwenkit does not know, `timeout` is in seconds. All others are spelled as on the
        wire.

        `speak` names a voice, or is True for the usual one: the answer is spoken too and its sound is `reply.audio`.
        `images`, `video` and `audio` take paths, URLs and `qk.Image`, `qk.Video`, `qk.Audio` (a list of pictures as
        `video` is its frames). When no model is named and the usual one has no eyes or ears for them, the catalogue's
        default model that has is asked; `reply.model` says which. `fps`, `min_pixels`, `max_pixels` and
        `high_resolution` say how closely it looks.
        """
        body = protocol.body(prompt, options, model=model, usual=self._core.model, system=system)
        request = _addressed(self._core, body, options)
        whole = partial(read_whole, lambda: _fold(body, options)) if body.get("stream") else protocol.read
        reply = yield from billed(self._core, request, open_call(self._core, body), whole)
        return checked(reply, options)

    @stream
    def stream(
        self, prompt: Messages, *, system: str = "", model: str = "", **options: Unpack[ChatOptions]
    ) -> Plan[Piece, Reply]:
        """Ask, and iterate the answer piece by piece. Nothing is sent until it is entered or iterated.

        `with qwen.chat.stream("…") as stream:` (awaited: `async with`) closes the connection whatever happens;
        `stream.reply` is the answer so far. Options are those of `qwen.chat`.
        """
        body = protocol.body(prompt, options, model=model, usual=self._core.model, system=system, stream=True)
        request = _addressed(self._core, body, options, stream=True)
        fold = _fold(body, options)
        fold.request = self._core.request("POST", "compatible", _PATH).name
        return Plan.of(request, fold, partial(open_call, self._core, body), body["messages"])


def _addressed(core: Core, body: dict[str, Any], options: ChatOptions, stream: bool = False) -> Request | Flow[Request]:
    timeout = options.get("timeout")
    return addressed(core, body, partial(core.request, "POST", "compatible", _PATH, stream=stream, timeout=timeout))


def _fold(body: dict[str, Any], options: ChatOptions) -> ChatFold:
    facts = catalogue.model(body["model"])
    cumulative = facts is not None and facts.cumulative_stream
    voice = str(body["audio"].get("voice") or "") if isinstance(body.get("audio"), dict) else ""
    prefix = options.get("prefix") or ""
    return ChatFold(cumulative=cumulative, schema=options.get("schema"), prefix=prefix, voice=voice)


def checked(reply: Reply, options: ChatOptions) -> Reply:
    """The reply with what was asked of it. What is wrong with its value raises before anybody builds on it."""
    reply.schema, reply.prefix = options.get("schema"), options.get("prefix") or ""
    if reply.schema is not None and not reply.tool_calls:
        structured.of(reply)
    return reply


def open_call(core: Core, body: dict[str, Any], family: str = "chat") -> OpenCall:
    """Account for a chat call: `n` answers, each as long as the body allows or as usual."""
    most, answers = body.get("max_tokens") or body.get("max_completion_tokens"), body.get("n")
    most = most if isinstance(most, int) else None  # nonsense goes to the service, which says why
    answers = answers if isinstance(answers, int) and answers > 0 else 1
    prompt = body.get("messages") or [{"content": body["prompt"]}]
    return core.accounts.open(family, body["model"], prompt, most, answers)


class Chat(ChatCalls, SyncNoun):
    """`qwen.chat(...)` and `qwen.chat.stream(...)`."""


class AsyncChat(ChatCalls, AsyncNoun):
    """`await aqwen.chat(...)` and `async with aqwen.chat.stream(...)`."""
