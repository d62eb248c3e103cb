"""Embeddings: `qwen.embeddings(texts)` gives one vector for each text, however many there are.

Long lists go out in calls of the size the model accepts, several at once, and come back in order. Each call is opened
and booked on its own. When one fails no other is begun, and the error carries the vectors that had arrived.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.errors import ConfigError, QwenError
from qwenkit.protocol import embeddings as protocol
from qwenkit.protocol.embeddings import Part
from qwenkit.protocol.flow import Flow, Request, Together
from qwenkit.types import embeddings as types

_COMPATIBLE = "/embeddings"
_TEXT = "/services/embeddings/text-embedding/text-embedding"
_MULTIMODAL = "/services/embeddings/multimodal-embedding/multimodal-embedding"
_KEPT = 500  # texts whose answers `raw` keeps as they came: the numbers of all are kept anyway, as float32


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
        model = model or catalogue.DEFAULTS["embedding"]
        ask = protocol.Ask(model, dimensions, encoding, text_type, instruct, output_type, dict(extra or {}))
        _refuse(model, concurrency)
        wanted = protocol.texts(texts)
        batches = protocol.batches(wanted, model)
        failed: list[BaseException] = []
        flows = [_embed(self._core, ask, batch, timeout, failed) for batch in batches]
        outcomes: list[Any]
        if len(flows) == 1:
            outcomes = [(yield from flows[0])]
        else:
            outcomes = yield Together(flows, min(concurrency, len(flows)))
        error = next((each for each in outcomes if isinstance(each, Exception)), None)
        if error is not None:
            raise _with_rest(error, batches, outcomes)
        return _gathered(wanted, outcomes)

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

        A content is a text, a `Path` of a picture, or a dict as on the wire: `{"image": "https://…"}`, `{"video": …}`,
        or several keys for one vector of them all. `enable_fusion` makes one vector of all contents.
        """
        model = model or next(each.name for each in catalogue.models() if each.endpoint == "multimodal-embedding")
        sent, labels = _contents(contents)
        options = {"dimension": dimensions, "enable_fusion": enable_fusion, "instruct": instruct or None}
        told = {name: value for name, value in {**options, **(extra or {})}.items() if value is not None}
        body = {"model": model, "input": {"contents": sent}, "parameters": told}
        request = self._core.request("POST", "native", _MULTIMODAL, body, timeout=timeout)
        count = sum(catalogue.tokens.count(label) for label in labels)
        made = yield from _ask(self._core, request, model, count, None)
        found = len(made.kinds)
        return _gathered(labels if found == len(labels) else [" + ".join(labels)] * found, [made])


def _refuse(model: str, concurrency: Any) -> None:
    if not isinstance(concurrency, int) or concurrency < 1:
        raise ConfigError(f"concurrency cannot be {concurrency!r}", hint="it is how many calls run at once: 1, 4, 8 …")
    facts = catalogue.model(model)
    if facts is not None and facts.endpoint == "multimodal-embedding":
        raise ConfigError(f"{model} embeds contents of several kinds", hint="use qwen.embeddings.multimodal([...])")


def _embed(
    core: Core, ask: protocol.Ask, batch: protocol.Batch, timeout: float | None, failed: list[BaseException]
) -> Flow[Part | None]:
    """One call; none at all once another has failed."""
    if failed:
        return None
    family, path = ("native", _TEXT) if ask.native else ("compatible", _COMPATIBLE)
    request = core.request("POST", family, path, ask.body(batch.texts), timeout=timeout)
    try:
        part = yield from _ask(core, request, ask.model, batch.tokens, len(batch.texts))
        return part if batch.first < _KEPT else msgspec.structs.replace(part, body=b"")
    except BaseException as error:
        failed.append(error)
        raise


def _ask(core: Core, request: Request, model: str, tokens: int, expected: int | None) -> Flow[Part]:
    opened = core.accounts.open("embeddings", model, tokens, 0)
    return billed(core, request, opened, partial(protocol.read, expected=expected))


def _gathered(texts: list[str], parts: list[Part]) -> types.Embeddings:
    """The parts as one value, in order."""
    return types.Embeddings(
        texts,
        b"".join(part.floats for part in parts),
        parts[0].size if parts else 0,
        sparse=[row for part in parts for row in part.sparse],
        kinds=[kind for part in parts for kind in part.kinds if kind],
        usage=protocol.summed(part.usage for part in parts),
        model=parts[0].receipt.model if parts else "",
        receipts=[part.receipt for part in parts],
        bodies=[part.body for part in parts if part.body],
    )


def _with_rest(error: Exception, batches: list[protocol.Batch], outcomes: list[Any]) -> Exception:
    """The error, saying which texts it befell, with the vectors that had arrived in `error.reply`."""
    done = [(batch, made) for batch, made in zip(batches, outcomes, strict=True) if isinstance(made, Part)]
    if isinstance(error, QwenError):
        befell = ", ".join(batch.name for batch, made in zip(batches, outcomes, strict=True) if made is error)
        texts = [text for batch, _ in done for text in batch.texts]
        error.reply = _gathered(texts, [made for _, made in done])
        error.request = f"{error.request}, {befell}".removeprefix(", ")
        error.hint = f"{error.hint}; error.reply has the {len(texts)} vectors that arrived".removeprefix("; ")
    return error


def _contents(given: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Contents as on the wire, and a name for each."""
    if isinstance(given, str | bytes | Mapping | Path) or not isinstance(given, Iterable):
        raise ConfigError(f"contents cannot be {type(given).__name__}", hint="pass a list of texts, paths and dicts")
    sent, labels = [], []
    for place, each in enumerate(given):
        content = {"text": each} if isinstance(each, str) else {"image": each} if isinstance(each, Path) else each
        if not isinstance(content, Mapping) or not content:
            raise ConfigError(
                f"content {place} cannot be {type(each).__name__}", hint="pass texts, paths of pictures, dicts"
            )
        labels.append(" + ".join(_label(kind, value) for kind, value in content.items()))
        sent.append({kind: _inline(value) for kind, value in content.items()})
    if not sent:
        raise ConfigError("there is nothing to embed", hint="pass a list of texts, paths and dicts")
    return sent, labels


def _label(kind: str, value: Any) -> str:
    if kind == "text":
        return str(value)
    named = value.name if isinstance(value, Path) else "" if str(value).startswith("data:") else str(value)[-40:]
    return f"[{kind}{' ' if named else ''}{named}]"


def _inline(value: Any) -> Any:
    """A picture on this machine as a data URI; everything else as it is."""
    if isinstance(value, list):
        return [_inline(each) for each in value]
    if not isinstance(value, Path):
        return value
    import mimetypes  # here, because it takes as long to load as all of this noun

    try:
        data = value.read_bytes()
    except OSError as unread:
        said = f"the picture {value.name} cannot be read ({unread.strerror})"
        raise ConfigError(said, hint="check the path") from None
    kind = mimetypes.guess_type(value.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


class Embeddings(EmbeddingCalls, SyncNoun):
    """`qwen.embeddings(texts)` and `qwen.embeddings.multimodal([...])`."""


class AsyncEmbeddings(EmbeddingCalls, AsyncNoun):
    """`await aqwen.embeddings(texts)`."""
