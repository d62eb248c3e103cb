"""Embedding requests and answers, on the compatible path and the two native ones. Text and dicts in, values out.

What is wrong with a list of texts is said before anything is sent, with its place in the list. What fits in one call
depends on the model: texts for each call, tokens for each text and each call, from the catalogue.
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError, ServerError
from qwenkit.protocol import billing
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.embeddings import SparseTerm
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Usage

_MOST_TEXTS = 10  # in one call to a model the catalogue does not know
_SHARE = 0.9  # of a call's tokens is filled: the count is by rule, the service's own may be higher
_BYTES = 4


class Ask(msgspec.Struct, frozen=True):
    """What is wanted of the texts. Any option that only the native API knows makes the call a native one."""

    model: str
    dimensions: int | None = None
    encoding: str = "float"
    text_type: str = ""
    instruct: str = ""
    output_type: str = ""
    extra: Mapping[str, Any] = {}

    @property
    def native(self) -> bool:
        return bool(self.text_type or self.instruct or self.output_type)

    def body(self, texts: list[str]) -> dict[str, Any]:
        if not self.native:
            size = {} if self.dimensions is None else {"dimensions": self.dimensions}
            return {"model": self.model, "input": texts, **size, "encoding_format": self.encoding, **self.extra}
        words = {"text_type": self.text_type, "output_type": self.output_type, "instruct": self.instruct}
        options: dict[str, Any] = {name: word for name, word in words.items() if word}
        if self.dimensions is not None:
            options["dimension"] = self.dimensions
        return {"model": self.model, "input": {"texts": texts}, "parameters": {**options, **self.extra}}


class Batch(msgspec.Struct, frozen=True):
    """Texts that go in one call: where the first stands, and how many tokens they are by our count."""

    first: int
    texts: list[str]
    tokens: int

    @property
    def name(self) -> str:
        last = self.first + len(self.texts) - 1
        return f"texts {self.first} to {last}" if last > self.first else f"text {self.first}"


class Part(msgspec.Struct):
    """The vectors of one answer."""

    floats: bytes
    size: int
    sparse: list[list[SparseTerm]]
    kinds: list[str]
    usage: Usage | None
    model: str
    body: bytes
    receipt: Receipt = msgspec.field(default_factory=Receipt)


def texts(given: Any) -> list[str]:
    """The texts to embed as a list; a `ConfigError` that names what is none, and where it stands."""
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Mapping | bytes) or not isinstance(given, Iterable):
        raise ConfigError(f"texts cannot be {type(given).__name__}", hint="pass a text, or a list of texts")
    found = list(given)
    if not found:
        raise ConfigError("there is no text to embed", hint="pass a text, or a list of texts")
    for place, text in enumerate(found):
        if not isinstance(text, str):
            hint = "texts only; pictures go through qwen.embeddings.multimodal"
            raise ConfigError(f"text {place} cannot be {type(text).__name__}", hint=hint)
        if not text:
            raise ConfigError(f"text {place} is empty", hint="leave empty texts out; places count from 0")
    return found


def batches(wanted: list[str], model: str) -> list[Batch]:
    """The texts in calls the model accepts, in their order."""
    facts = catalogue.model(model)
    limits = facts.limits if facts else {}
    most, whole = int(limits.get("texts") or _MOST_TEXTS), int(limits.get("tokens_per_call") or 0)
    longest = int(limits.get("tokens_per_text") or whole)
    made: list[Batch] = []
    for place, text in enumerate(wanted):
        count = catalogue.tokens.count(text)
        if longest and count > longest:
            said = f"text {place} is about {count:,} tokens long; {model} reads {longest:,} of one text"
            raise ConfigError(said, hint="cut it into passages (places count from 0); nothing was sent")
        last = made[-1] if made else None
        if last and len(last.texts) < most and (not whole or last.tokens + count <= whole * _SHARE):
            made[-1] = Batch(last.first, [*last.texts, text], last.tokens + count)
        else:
            made.append(Batch(place, [text], count))
    return made


class _Item(msgspec.Struct):
    index: int | None = None
    text_index: int | None = None
    embedding: list[float] | str = []
    sparse_embedding: list[SparseTerm] | None = None
    type: str = ""


class _Output(msgspec.Struct):
    embeddings: list[_Item] = []


class _Answer(msgspec.Struct):
    data: list[_Item] = []
    output: _Output | None = None
    usage: Any = None
    model: str = ""


_ANSWER = Lenient.of(_Answer)


def read(body: bytes, *, expected: int | None = None, request: str = "", request_id: str = "") -> Part:
    """The vectors in an answer of any of the paths, in the order of what was sent."""
    try:
        answer: _Answer = _ANSWER.decode(body)
        items = answer.output.embeddings if answer.output else answer.data
        items = sorted(items, key=lambda item: item.index if item.index is not None else item.text_index or 0)
        rows = [_floats(item.embedding) for item in items]
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as broken:
        raise _unreadable(f"the vectors cannot be read: {broken}", request, request_id) from broken
    if not items or (expected is not None and len(items) != expected):
        wanted = "" if expected is None else f" for {expected} texts"
        raise _unreadable(f"{len(items)} vectors came back{wanted}", request, request_id)
    size = len(rows[0]) // _BYTES
    if any(len(row) != size * _BYTES for row in rows):
        raise _unreadable("the vectors differ in length", request, request_id)
    told = any(item.sparse_embedding is not None for item in items)
    sparse = [item.sparse_embedding or [] for item in items] if told else []
    return Part(
        b"".join(rows),
        size,
        sparse,
        [item.type for item in items],
        billing.usage(answer.usage),
        answer.model,
        body,
    )


def _unreadable(message: str, request: str, request_id: str) -> ServerError:
    return ServerError(message, status=200, request=request, request_id=request_id)


def _floats(embedding: list[float] | str) -> bytes:
    """Numbers as little-endian float32, whether they came as a list or packed in base64."""
    if isinstance(embedding, str):
        return base64.b64decode(embedding, validate=True)
    numbers = array("f", embedding)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def summed(usages: Iterable[Usage | None]) -> Usage | None:
    """The usage of several calls as one."""
    told = [usage for usage in usages if usage is not None]
    if len(told) < 2:
        return told[0] if told else None
    return Usage(prompt_tokens=sum(each.prompt for each in told), total_tokens=sum(each.total for each in told))
