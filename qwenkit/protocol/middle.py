"""Fill in the middle, without I/O: code before and after a gap becomes a request, the answer a `Completion`.

The service takes one text: `<|fim_prefix|>` before `<|fim_suffix|>` after `<|fim_middle|>`. What comes back is read
as a chat answer is, whole or as a stream: it differs in one field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwenkit.errors import ConfigError
from qwenkit.protocol import chat
from qwenkit.protocol import options as checked
from qwenkit.protocol.chat_stream import ChatFold
from qwenkit.types.completion import Completion
from qwenkit.types.options import FRIENDLY

_BEFORE, _AFTER, _GAP = "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"
_NOT_HERE = ("schema", "prefix", "thinking", "tools")


def body(before: str, after: str, options: Mapping[str, Any], *, model: str, stream: bool = False) -> dict[str, Any]:
    """The request body. A prompt that holds the marks already is sent as it is."""
    chat.refuse_unknown(options)
    wrong = next((name for name in _NOT_HERE if options.get(name) is not None), None)
    if wrong:
        raise ConfigError(f"completions know no {wrong}", hint=f"use qwen.chat(…, {wrong}=…)")
    if not isinstance(before, str) or not isinstance(after, str):
        raise ConfigError("code is text", hint='qwen.completions("def add(a, b):", suffix="…")')
    marked = before if _BEFORE in before else f"{_BEFORE}{before}{_AFTER}{after}{_GAP}"
    wire: dict[str, Any] = {"model": checked.model(model), "prompt": marked}
    wire.update((name, value) for name, value in options.items() if name not in FRIENDLY)
    if stream:
        wire["stream"] = True
        wire.setdefault("stream_options", {"include_usage": True})
    wire.update(checked.extra(options.get("extra")))
    return wire


def read(data: bytes, *, before: str, after: str, request: str = "", request_id: str = "") -> Completion:
    """The completion in a 200 body."""
    return Completion(chat.read(data, request=request, request_id=request_id), before, after)


class MiddleFold(ChatFold):
    """The fold of a completion stream."""

    def __init__(self, before: str, after: str, *, request: str = "") -> None:
        super().__init__(request=request)
        self._around = (before, after)

    def reply(self) -> Completion:
        return Completion(super().reply(), *self._around)
