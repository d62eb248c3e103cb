"""The native API: `qwen.native.generate("…")` and `qwen.native.multimodal([{"image": …}, {"text": …}])`.

The same models on DashScope's own protocol. Two paths share them: models that read text only have one, all others the
other, and asking on the wrong one is a "url error". `generate` goes where the catalogue says a model lives. Replies are
those of `qwen.chat`; what only this protocol tells (search results, code that was run) is in `reply.raw["output"]`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack

from qwenkit import catalogue
from qwenkit.api.billed import billed
from qwenkit.api.chat import checked, open_call
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.stream import Plan
from qwenkit.errors import ConfigError
from qwenkit.protocol import native as protocol
from qwenkit.protocol.flow import Flow, Request
from qwenkit.protocol.native import MULTIMODAL
from qwenkit.protocol.native_stream import NativeFold
from qwenkit.types.message import Messages
from qwenkit.types.options import NativeOptions
from qwenkit.types.reply import Piece, Reply

_SSE = {"X-DashScope-SSE": "enable"}
_OSS = {"X-DashScope-OssResourceResolve": "enable"}


class GenerateCalls:
    """A question over the native protocol, written once for both flavours."""

    _core: Core

    def _place(self, model: str, prompt: Any) -> tuple[str, str, Any]:
        """Which model, on which path, is asked what."""
        model = model or self._core.model
        return model, protocol.path(model), prompt

    def _order(
        self, prompt: Any, system: str, model: str, options: Any, stream: bool = False
    ) -> tuple[Request, dict[str, Any]]:
        model, to, prompt = self._place(model, prompt)
        body = protocol.body(prompt, options, model=model, to=to, system=system, stream=stream)
        headers = {**(_SSE if stream else {}), **(_OSS if "oss://" in str(body["input"]) else {})}
        timeout = options.get("timeout")
        return self._core.request("POST", "native", to, body, stream=stream, timeout=timeout, headers=headers), body

    @call
    def __call__(
        self, prompt: Messages, *, system: str = "", model: str = "", **options: Unpack[NativeOptions]
    ) -> Flow[Reply]:
        """Ask once over the native protocol and get the whole answer.

        `prompt` is a string, one message, or a list of them; for `multimodal` also a list of content items, each with
        one key, its modality: `[{"image": url}, {"text": "What is this?"}]`. Values are URLs or data: URIs. Options are
        those of `qwen.chat`, and `result_format` ("message", which is asked for, or "text").
        """
        request, body = self._order(prompt, system, model, options)
        read = partial(protocol.read, model=body["model"])
        reply = yield from billed(self._core, request, open_call(self._core, _spelled(body), "native"), read)
        reply.receipt.request_id = reply.receipt.request_id or reply.id
        return checked(reply, options)

    @stream
    def stream(
        self, prompt: Messages, *, system: str = "", model: str = "", **options: Unpack[NativeOptions]
    ) -> Plan[Piece, Reply]:
        """Ask, and iterate the answer. `incremental_output=False` asks for frames that repeat all that was said."""
        request, body = self._order(prompt, system, model, options, stream=True)
        facts = catalogue.model(body["model"])
        fold = NativeFold(
            model=body["model"],
            cumulative=not body["parameters"].get("incremental_output") or bool(facts and facts.cumulative_stream),
            request=request.name,
            schema=options.get("schema"),
            prefix=options.get("prefix") or "",
        )
        return Plan(request, fold, partial(open_call, self._core, _spelled(body), "native"), body["input"]["messages"])


def _spelled(body: dict[str, Any]) -> dict[str, Any]:
    """The body as chat spells it, for the books."""
    return {**body["parameters"], "model": body["model"], "messages": body["input"]["messages"]}


class Generate(GenerateCalls, SyncNoun):
    """`qwen.native.generate(...)` and `qwen.native.generate.stream(...)`."""


class AsyncGenerate(GenerateCalls, AsyncNoun):
    """`await aqwen.native.generate(...)` and `async with aqwen.native.generate.stream(...)`."""


class MultimodalCalls(GenerateCalls):
    """The same on the multimodal path, with content items."""

    def _place(self, model: str, prompt: Any) -> tuple[str, str, Any]:
        usual = self._core.model if protocol.path(self._core.model) == MULTIMODAL else catalogue.DEFAULTS["vision"]
        model = model or usual
        if protocol.path(model) != MULTIMODAL and catalogue.known(model):
            hint = f"use qwen.native.generate(…), or a model such as {catalogue.DEFAULTS['vision']}"
            raise ConfigError(f"{model} reads text only and is not served on the multimodal path", hint=hint)
        return model, MULTIMODAL, protocol.turns(prompt)


class Multimodal(MultimodalCalls, Generate):
    """`qwen.native.multimodal([...])` and `qwen.native.multimodal.stream([...])`."""


class AsyncMultimodal(MultimodalCalls, AsyncGenerate):
    """`await aqwen.native.multimodal([...])` and `async with aqwen.native.multimodal.stream([...])`."""


class Native(SyncNoun):
    """`qwen.native.generate` and `qwen.native.multimodal`."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.generate, self.multimodal = Generate(core), Multimodal(core)


class AsyncNative(AsyncNoun):
    """`aqwen.native.generate` and `aqwen.native.multimodal`."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.generate, self.multimodal = AsyncGenerate(core), AsyncMultimodal(core)
