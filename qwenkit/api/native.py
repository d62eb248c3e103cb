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
from qwenkit.api.sending import addressed
from qwenkit.api.stream import Plan
from qwenkit.errors import ConfigError
from qwenkit.protocol import native as protocol
from qwenkit.protocol.flow import Flow, Request
from qwenkit.protocol.folding import read_whole
from qwenkit.protocol.native import MULTIMODAL
from qwenkit.protocol.native_stream import NativeFold
from qwenkit.types.message import Messages
from qwenkit.types.options import NativeOptions
from qwenkit.types.reply import Piece, Reply

_SSE = {"X-DashScope-SSE": "enable"}


class GenerateCalls:
    """A question over the native protocol, written once for both flavours."""

    _core: Core

    def _place(self, model: str, prompt: Any) -> tuple[str, str, Any]:
        """The model to ask when none is named, the path if there is only one, and what is asked."""
        return self._core.model, "", prompt

    def _body(
        self, prompt: Any, system: str, model: str, options: NativeOptions, stream: bool = False
    ) -> dict[str, Any]:
        usual, to, prompt = self._place(model, prompt)
        return protocol.body(prompt, options, model=model, to=to, usual=usual, system=system, stream=stream)

    def _request(
        self, body: dict[str, Any], options: NativeOptions, *, sse: bool, stream: bool = False
    ) -> Request | Flow[Request]:
        to, timeout = self._path(body), options.get("timeout")
        make = partial(self._core.request, "POST", "native", to, stream=stream, timeout=timeout)
        return addressed(self._core, body, make, **(_SSE if sse else {}))

    def _path(self, body: dict[str, Any]) -> str:
        return protocol.path(body["model"])

    @call
    def __call__(
        self, prompt: Messages, *, system: str = "", model: str = "", **options: Unpack[NativeOptions]
    ) -> Flow[Reply]:
        """Ask once over the native protocol and get the whole answer.

        `prompt` is a string, one message, or a list of them; for `multimodal` also a list of content items, each a
        text, a `qk.Image`, a path, or with one key, its modality: `[{"image": url}, {"text": "What is this?"}]`. Files
        travel in the request or are uploaded first, as their size asks for. Options are those of `qwen.chat`, and
        `result_format` ("message", which is asked for, or "text").
        """
        body = self._body(prompt, system, model, options)
        folded = protocol.streams(body)  # the only way some models answer
        request = self._request(body, options, sse=folded)
        read: Any = partial(protocol.read, model=body["model"])
        read = partial(read_whole, lambda: _fold(body, options)) if folded else read
        reply: Reply = yield from billed(self._core, request, open_call(self._core, _spelled(body), "native"), read)
        reply.receipt.request_id = reply.receipt.request_id or reply.id
        return checked(reply, options)

    @stream
    def stream(
        self, prompt: Messages, *, system: str = "", model: str = "", **options: Unpack[NativeOptions]
    ) -> Plan[Piece, Reply]:
        """Ask, and iterate the answer. `incremental_output=False` asks for frames that repeat all that was said."""
        body = self._body(prompt, system, model, options, stream=True)
        request = self._request(body, options, sse=True, stream=True)
        fold = _fold(body, options)
        fold.request = self._core.request("POST", "native", self._path(body)).name
        opened = partial(open_call, self._core, _spelled(body), "native")
        return Plan.of(request, fold, opened, body["input"]["messages"])


def _fold(body: dict[str, Any], options: NativeOptions) -> NativeFold:
    facts = catalogue.model(body["model"])
    return NativeFold(
        model=body["model"],
        cumulative=not body["parameters"].get("incremental_output") or bool(facts and facts.cumulative_stream),
        schema=options.get("schema"),
        prefix=options.get("prefix") or "",
    )


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
        if model and protocol.path(model) != MULTIMODAL and catalogue.known(model):
            hint = f"use qwen.native.generate(…), or a model such as {catalogue.DEFAULTS['vision']}"
            raise ConfigError(f"{model} reads text only and is not served on the multimodal path", hint=hint)
        return usual, MULTIMODAL, protocol.turns(prompt)

    def _path(self, body: dict[str, Any]) -> str:
        return MULTIMODAL


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
