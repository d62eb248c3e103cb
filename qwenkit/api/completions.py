"""Fill in the middle: `qwen.completions("def add(a, b):", suffix="print(add(1, 2))")` gives what belongs between.

The coder models only, over `POST /completions`. `reply.text` is the middle, `reply.code` the program with it in place.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack

from qwenkit import catalogue
from qwenkit.api.billed import billed
from qwenkit.api.chat import open_call
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.stream import Plan
from qwenkit.protocol import middle as protocol
from qwenkit.protocol.flow import Flow
from qwenkit.types.completion import Completion
from qwenkit.types.options import ChatOptions
from qwenkit.types.reply import Piece

_PATH = "/completions"


class CompletionsCalls:
    """The calls of the completions noun, written once for both flavours."""

    _core: Core

    @call
    def __call__(
        self, prompt: str, *, suffix: str = "", model: str = "", **options: Unpack[ChatOptions]
    ) -> Flow[Completion]:
        """Write what belongs between `prompt` and `suffix`. Options are those of `qwen.chat` that concern sampling."""
        body = protocol.body(prompt, suffix, options, model=model or catalogue.DEFAULTS["fim"])
        request = self._core.request("POST", "compatible", _PATH, body, timeout=options.get("timeout"))
        read = partial(protocol.read, before=prompt, after=suffix)
        return (yield from billed(self._core, request, open_call(self._core, body, "completions"), read))

    @stream
    def stream(
        self, prompt: str, *, suffix: str = "", model: str = "", **options: Unpack[ChatOptions]
    ) -> Plan[Piece, Completion]:
        """Write the middle piece by piece. Options are those of `qwen.completions`."""
        body = protocol.body(prompt, suffix, options, model=model or catalogue.DEFAULTS["fim"], stream=True)
        request = self._core.request("POST", "compatible", _PATH, body, stream=True, timeout=options.get("timeout"))
        fold: Any = protocol.MiddleFold(prompt, suffix, request=request.name)
        open = partial(open_call, self._core, body, "completions")
        return Plan(request, fold, open, [{"content": body["prompt"]}])


class Completions(CompletionsCalls, SyncNoun):
    """`qwen.completions(...)` and `qwen.completions.stream(...)`."""


class AsyncCompletions(CompletionsCalls, AsyncNoun):
    """`await aqwen.completions(...)` and `async with aqwen.completions.stream(...)`."""
