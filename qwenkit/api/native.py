"""The native API: `qwen.native.generate("…")` and `qwen.native.multimodal([{"image": …}, {"text": …}])`.

The same models on DashScope's own protocol. Two paths share them: models that read text only have one, all others the
other, and asking on the wrong one is a "url error". `generate` goes where the catalogue says a model lives. Replies are
those of `qwen.chat`; what only this protocol tells (search results, code that was run) is in `reply.raw["output"]`.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any, Unpack

from qwenkit import catalogue
from qwenkit.api.accounts import OpenCall
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.stream import Plan
from qwenkit.errors import APIError, ConfigError, NotFound
from qwenkit.protocol import native as protocol
from qwenkit.protocol import structured
from qwenkit.protocol.flow import Flow, Request
from qwenkit.protocol.native import MULTIMODAL
from qwenkit.protocol.native_stream import NativeFold
from qwenkit.types.message import Messages
from qwenkit.types.native_options import NativeOptions
from qwenkit.types.reply import Piece, Reply
from qwenkit.types.usage import Usage

_SSE = {"X-DashScope-SSE": "enable"}
_OSS = {"X-DashScope-OssResourceResolve": "enable"}


class Order:
    """A call before it is sent: where it goes, what it says, and how its books are opened."""

    def __init__(
        self, core: Core, prompt: Any, options: Any, *, model: str, to: str, system: str = "", stream: bool = False
    ) -> None:
        self.core, self.model, self.to, self.options = core, model, to, options
        self.body = protocol.body(prompt, options, model=model, to=to, system=system, stream=stream)
        headers = {**(_SSE if stream else {}), **(_OSS if "oss://" in str(self.body["input"]) else {})}
        self.request: Request = core.request(
            "POST", "native", to, self.body, stream=stream, timeout=options.get("timeout"), headers=headers
        )

    def open(self) -> OpenCall:
        """Account for it: `n` answers, each as long as the parameters allow or as usual."""
        told = self.body["parameters"]
        most, answers = told.get("max_tokens") or told.get("max_completion_tokens"), told.get("n")
        messages = self.body["input"]["messages"]
        most = most if isinstance(most, int) else None  # nonsense goes to the service, which says why
        answers = answers if isinstance(answers, int) and answers > 0 else 1
        opened: Any = _Explained(self.core.accounts.open("native", self.model, messages, most, answers), self)
        return opened  # type: ignore[no-any-return]

    def ask(self) -> Flow[Reply]:
        reply = yield from billed(self.core, self.request, self.open(), partial(protocol.read, model=self.model))
        reply.receipt.request_id = reply.receipt.request_id or reply.id
        reply.schema, reply.prefix = self.options.get("schema"), self.options.get("prefix") or ""
        if reply.schema is not None and not reply.tool_calls:
            structured.of(reply)
        return reply

    def plan(self) -> Plan[Piece, Reply]:
        """The same as a stream."""
        facts = catalogue.model(self.model)
        repeats = not self.body["parameters"].get("incremental_output") or bool(facts and facts.cumulative_stream)
        fold = NativeFold(
            model=self.model,
            cumulative=repeats,
            request=self.request.name,
            schema=self.options.get("schema"),
            prefix=self.options.get("prefix") or "",
        )
        return Plan(self.request, fold, self.open, self.body["input"]["messages"])


class _Explained:
    """An open call that says, where the service only says no, which call reaches the model or which names are close."""

    def __init__(self, opened: OpenCall, order: Order) -> None:
        self._opened = opened
        self._order = order

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opened, name)

    def failed(self, error: BaseException | None, usage: Usage | None = None) -> None:
        model, to = self._order.model, self._order.to
        if isinstance(error, APIError) and "url error" in error.message:
            other = "generate" if to == MULTIMODAL else "multimodal"
            error.hint = f"{model} is not served on {to}: ask it with qwen.native.{other}(…)"
        elif isinstance(error, NotFound) and "Model not exist" in error.message:
            near = ", ".join(catalogue.suggest(model))
            error.hint = f"did you mean {near}? {error.hint}" if near else error.hint
        self._opened.failed(error, usage)


class GenerateCalls:
    """A question over the native protocol, written once for both flavours."""

    _core: Core

    def _order(self, prompt: Any, system: str, model: str, options: Any, stream: bool = False) -> Order:
        model = model or self._core.model
        to = protocol.path(model)
        return Order(self._core, prompt, options, model=model, to=to, system=system, stream=stream)

    @call
    def __call__(
        self, prompt: Messages, *, system: str = "", model: str = "", **options: Unpack[NativeOptions]
    ) -> Flow[Reply]:
        """Ask once over the native protocol and get the whole answer.

        `prompt` is a string, one message, or a list of them; for `multimodal` also a list of content items, each with
        one key, its modality: `[{"image": url}, {"text": "What is this?"}]`. Values are URLs or data: URIs. Options are
        those of `qwen.chat`, and `result_format` ("message", which is asked for, or "text").
        """
        return (yield from self._order(prompt, system, model, options).ask())

    @stream
    def stream(
        self, prompt: Messages, *, system: str = "", model: str = "", **options: Unpack[NativeOptions]
    ) -> Plan[Piece, Reply]:
        """Ask, and iterate the answer. `incremental_output=False` asks for frames that repeat all that was said."""
        return self._order(prompt, system, model, options, True).plan()


class Generate(GenerateCalls, SyncNoun):
    """`qwen.native.generate(...)` and `qwen.native.generate.stream(...)`."""


class AsyncGenerate(GenerateCalls, AsyncNoun):
    """`await aqwen.native.generate(...)` and `async with aqwen.native.generate.stream(...)`."""


class MultimodalCalls(GenerateCalls):
    """The same on the multimodal path, with content items."""

    def _order(self, prompt: Any, system: str, model: str, options: Any, stream: bool = False) -> Order:
        mine = self._core.model
        model = model or (mine if protocol.path(mine) == MULTIMODAL else catalogue.DEFAULTS["vision"])
        facts = catalogue.model(model)
        if facts is not None and facts.native == "text":
            hint = f"use qwen.native.generate(…), or a model such as {catalogue.DEFAULTS['vision']}"
            raise ConfigError(f"{model} reads text only and is not served on the multimodal path", hint=hint)
        turns = protocol.turns(prompt)
        return Order(self._core, turns, options, model=model, to=MULTIMODAL, system=system, stream=stream)


class Multimodal(MultimodalCalls, Generate):
    """`qwen.native.multimodal([...])` and `qwen.native.multimodal.stream([...])`."""


class AsyncMultimodal(MultimodalCalls, AsyncGenerate):
    """`await aqwen.native.multimodal([...])` and `async with aqwen.native.multimodal.stream([...])`."""


class Native(SyncNoun):
    """`qwen.native.generate` and `qwen.native.multimodal`."""

    @cached_property
    def generate(self) -> Generate:
        return Generate(self._core)

    @cached_property
    def multimodal(self) -> Multimodal:
        return Multimodal(self._core)


class AsyncNative(AsyncNoun):
    """`aqwen.native.generate` and `aqwen.native.multimodal`."""

    @cached_property
    def generate(self) -> AsyncGenerate:
        return AsyncGenerate(self._core)

    @cached_property
    def multimodal(self) -> AsyncMultimodal:
        return AsyncMultimodal(self._core)
