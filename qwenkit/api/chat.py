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
from qwenkit.api.stream import Plan
from qwenkit.protocol import chat as protocol
from qwenkit.protocol import structured
from qwenkit.protocol.chat_stream import ChatFold
from qwenkit.protocol.flow import Flow
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
        """Ask once and get the whole answer.

        `prompt` is a string, a list of messages (dicts as on the wire, or `qk.Message`), or one message. Friendly
        options: `system` puts a system message first, `thinking` is True, False, a token budget or an effort word,
        `schema` (a type or a JSON schema) makes the answer a value in `reply.value`, `prefix` is what the answer begins
        with, `extra` adds wire fields qwenkit does not know, `timeout` is in seconds. All others are spelled as on the
        wire.
        """
        body = protocol.body(prompt, options, model=model or self._core.model, system=system)
        request = self._core.request("POST", "compatible", _PATH, body, timeout=options.get("timeout"))
        reply = yield from billed(self._core, request, open_call(self._core, body), protocol.read)
        return checked(reply, options)

    @stream
    def stream(
        self, prompt: Messages, *, system: str = "", model: str = "", **options: Unpack[ChatOptions]
    ) -> Plan[Piece, Reply]:
        """Ask, and iterate the answer piece by piece. Nothing is sent until it is entered or iterated.

        `with qwen.chat.stream("…") as stream:` (awaited: `async with`) closes the connection whatever happens;
        `stream.reply` is the answer so far. Options are those of `qwen.chat`.
        """
        body = protocol.body(prompt, options, model=model or self._core.model, system=system, stream=True)
        request = self._core.request("POST", "compatible", _PATH, body, stream=True, timeout=options.get("timeout"))
        facts = catalogue.model(body["model"])
        fold = ChatFold(
            cumulative=facts is not None and facts.cumulative_stream,
            request=request.name,
            schema=options.get("schema"),
            prefix=options.get("prefix") or "",
        )
        return Plan(request, fold, partial(open_call, self._core, body), body["messages"])


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
