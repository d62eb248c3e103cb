"""Embeddings: `qwen.embeddings(texts)` gives one vector for each text, however many there are.

Long lists go out in calls of the size the model accepts, several at once, and come back in order. Each call is opened
and booked on its own. When one fails no other is begun, and the error carries the vectors that had arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import PurePath
from typing import Any

from qwenkit import catalogue
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.sending import placed
from qwenkit.errors import ConfigError, QwenError
from qwenkit.protocol import embeddings as protocol
from qwenkit.protocol import options as checked
from qwenkit.protocol.flow import Flow, Request, Together
from qwenkit.types import embeddings as types
from qwenkit.types.image import Image
from qwenkit.types.media import Media
from qwenkit.types.video import Video

_KEPT = 500  # texts whose answers `raw` keeps as they came: the numbers of all are kept anyway, as float32
_FITTING = "pass a list of texts, pictures (qk.Image or Path) and dicts"


class EmbeddingCalls:
    """The calls of the embeddings noun, written once for both flavours."""

    _core: Core

    @call
    def __call__(
        self,
        texts: str | Iterable[str],
        *,
        model: str = "",
        dimensions: int | None = None,
        encoding: str = "float",
        text_type: str = "",
        instruct: str = "",
        output_type: str = "",
        concurrency: int = 4,
        timeout: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Flow[types.Embeddings]:
        """Embed a text or a list of texts, in as many calls as that takes, `concurrency` of them at once.

        `dimensions` chooses the size of the vectors; `encoding="base64"` moves fewer bytes where the service offers it.
        `text_type` ("query" or "document"), `instruct` and `output_type` ("dense", "sparse", "dense&sparse") belong to
        the native API; giving one of them makes the calls native. `extra` adds wire fields qwenkit does not know.
        """
        model = checked.model(model or catalogue.DEFAULTS["embedding"])
        told = checked.extra(extra)
        ask = protocol.Ask(model, dimensions, encoding, text_type, instruct, output_type, told)
        if not isinstance(concurrency, int) or concurrency < 1:
            hint = "it is how many calls run at once: 1, 4, 8 …"
            raise ConfigError(f"concurrency cannot be {concurrency!r}", hint=hint)
        batches = protocol.batches(protocol.texts(texts), model)
        failed: list[BaseException] = []
        flows: list[Flow[Any]] = [_embed(self._core, ask, batch, timeout, failed) for batch in batches]
        if len(flows) == 1:
            alone: types.Embeddings = yield from flows[0]
            return alone
        outcomes: list[Any] = yield Together(flows, min(concurrency, len(flows)))
        if any(isinstance(each, Exception) for each in outcomes):
            raise _with_rest(batches, outcomes)
        return types.joined(outcomes)

    @call
    def multimodal(
        self,
        contents: Iterable[Any],
        *,
        model: str = "",
        dimensions: int | None = None,
        enable_fusion: bool | None = None,
        instruct: str = "",
        timeout: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Flow[types.Embeddings]:
        """Embed texts and pictures into one space, so that a word finds a picture. One native call.

        A content is a text, a `qk.Image`, a `Path` of a picture, or a dict as on the wire whose values may be paths
        too: `{"image": "data/plate.png"}`, `{"video": …}`, or several keys for one vector of them all. `enable_fusion`
        makes one vector of all contents.
        """
        usual = next(each.name for each in catalogue.models() if each.endpoint == "multimodal-embedding")
        model = checked.model(model or usual)
        given = checked.several(contents, "contents", _FITTING)
        pairs = [_content(each, place) for place, each in enumerate(given)]
        named = {"dimension": dimensions, "enable_fusion": enable_fusion, "instruct": instruct or None}
        told = {name: value for name, value in {**named, **checked.extra(extra)}.items() if value is not None}
        body = {"model": model, "input": {"contents": [content for content, _ in pairs]}, "parameters": told}
        sent, headers = yield from placed(self._core, body, model)
        request = self._core.request("POST", "native", protocol.MULTIMODAL, sent, timeout=timeout, headers=headers)
        labels = [label for _, label in pairs]
        count = sum(map(catalogue.tokens.count, labels))
        return (yield from _ask(self._core, request, model, labels, count, may_fuse=True))


def _embed(
    core: Core, ask: protocol.Ask, batch: protocol.Batch, timeout: float | None, failed: list[BaseException]
) -> Flow[types.Embeddings | None]:
    """One call; none at all once another has failed."""
    if failed:
        return None
    request = core.request("POST", *ask.place, ask.body(batch.texts), timeout=timeout)
    try:
        found = yield from _ask(core, request, ask.model, batch.texts, batch.tokens)
    except BaseException as error:
        failed.append(error)
        raise
    if batch.first >= _KEPT:
        found.bodies = []
    return found


def _ask(
    core: Core, request: Request, model: str, texts: list[str], tokens: int, may_fuse: bool = False
) -> Flow[types.Embeddings]:
    opened = core.accounts.open("embeddings", model, tokens, 0)
    found = yield from billed(core, request, opened, partial(protocol.read, texts=texts, may_fuse=may_fuse))
    found.model = found.receipt.model
    return found


def _with_rest(batches: list[protocol.Batch], outcomes: list[Any]) -> Exception:
    """The first error, saying which texts it befell, with the vectors that had arrived in `error.reply`."""
    place, error = next((place, each) for place, each in enumerate(outcomes) if isinstance(each, Exception))
    if isinstance(error, QwenError):
        rest = types.joined([each for each in outcomes if isinstance(each, types.Embeddings)])
        error.reply = rest
        error.request = f"{error.request}, {batches[place].name}".removeprefix(", ")
        error.hint = f"{error.hint}; error.reply has the {len(rest)} vectors that arrived".removeprefix("; ")
    return error


def _content(given: Any, place: int) -> tuple[dict[str, Any], str]:
    """A content with its pictures and films as values, and a name for it."""
    content = given
    if isinstance(given, str):
        content = {"text": given}
    elif isinstance(given, PurePath | Media):
        content = {given.family if isinstance(given, Media) else "image": given}
    if not isinstance(content, Mapping) or not content:
        raise ConfigError(f"content {place} cannot be {type(given).__name__}", hint=_FITTING)
    valued = {kind: _valued(kind, value) for kind, value in content.items()}
    return valued, " + ".join(_label(kind, value) for kind, value in content.items())


def _valued(kind: str, given: Any) -> Any:
    if kind not in ("image", "video", "multi_images") or isinstance(given, Media):
        return given  # a text, or what only the service knows
    if isinstance(given, list):
        return [_valued("image", each) for each in given]
    return (Video if kind == "video" else Image).of(given)


def _label(kind: str, value: Any) -> str:
    if kind == "text":
        return str(value)
    named = value.name if isinstance(value, PurePath | Media) else "" if str(value)[:5] == "data:" else str(value)[-40:]
    return f"[{kind} {named}]".replace(" ]", "]")


class Embeddings(EmbeddingCalls, SyncNoun):
    """`qwen.embeddings(texts)` and `qwen.embeddings.multimodal([...])`."""


class AsyncEmbeddings(EmbeddingCalls, AsyncNoun):
    """`await aqwen.embeddings(texts)`."""
