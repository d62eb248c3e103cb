"""Embedding requests and answers, on the compatible path and the two native ones. Text and dicts in, values out.

What is wrong with a list of texts is said before anything is sent, with its place in the list. What fits in one call
depends on the model: texts for each call, tokens for each text and each call, from the catalogue.
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError
from qwenkit.protocol import billing, failures
from qwenkit.protocol import options as checked
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.embeddings import Embeddings, SparseTerm

COMPATIBLE = "/embeddings"
TEXT = "/services/embeddings/text-embedding/text-embedding"
MULTIMODAL = "/services/embeddings/multimodal-embedding/multimodal-embedding"
_ELSEWHERE = {
    "multimodal-embedding": ("embeds contents of several kinds", "use qwen.embeddings.multimodal([...])"),
    "embedding-task": ("embeds a file, as a task", f'use qwen.tasks.submit("{TEXT}", model=…, input={{"url": …}})'),
}

_MOST_TEXTS = 10  # in one call to a model the catalogue does not know
_SHARE = 0.9  # of a call's tokens is filled: the count is by rule, the service's own may be higher
_BYTES = 4
_UNREADABLE = b"?"  # no number has a single byte


class Ask(msgspec.Struct, frozen=True):
    """What is wanted of the texts. Any option that only the native API knows makes the call a native one."""

    model: str
    dimensions: int | None = None
    encoding: str = "float"
    text_type: str = ""
    instruct: str = ""
    output_type: str = ""
    extra: Mapping[str, Any] = {}

    def __post_init__(self) -> None:
        facts = catalogue.model(self.model)
        if facts is not None and facts.endpoint in _ELSEWHERE:
            does, hint = _ELSEWHERE[facts.endpoint]
            raise ConfigError(f"{self.model} {does}", hint=hint)

    @property
    def _native(self) -> dict[str, Any]:
        words = {"text_type": self.text_type, "output_type": self.output_type, "instruct": self.instruct}
        return {name: word for name, word in words.items() if word}

    @property
    def place(self) -> tuple[str, str]:
        """The API family and the path."""
        return ("native", TEXT) if self._native else ("compatible", COMPATIBLE)

    def body(self, texts: list[str]) -> dict[str, Any]:
        size = {} if self.dimensions is None else {"dimension": self.dimensions}
        if self._native:
            return {
                "model": self.model,
                "input": {"texts": texts},
                "parameters": {**size, **self._native, **self.extra},
            }
        size = {f"{name}s": number for name, number in size.items()}
        return {"model": self.model, "input": texts, **size, "encoding_format": self.encoding, **self.extra}


class Batch(msgspec.Struct, frozen=True):
    """Texts that go in one call: where the first stands, and how many tokens they are by our count."""

    first: int
    texts: list[str]
    tokens: int

    @property
    def name(self) -> str:
        last = self.first + len(self.texts) - 1
        return f"texts {self.first} to {last}" if last > self.first else f"text {self.first}"


def texts(given: Any) -> list[str]:
    """The texts to embed as a list; a `ConfigError` that names what is none, and where it stands."""
    given = [given] if isinstance(given, str) else given
    found = checked.several(given, "texts", "pass a text, or a list of texts")
    for place, text in enumerate(found):
        if not isinstance(text, str):
            hint = "texts only; pictures go through qwen.embeddings.multimodal"
            raise ConfigError(f"text {place} cannot be {type(text).__name__}", hint=hint)
        if not text:
            raise ConfigError(f"text {place} is empty", hint="leave empty texts out; places count from 0")
    return [str(text) for text in found]  # numpy has texts of a kind of its own


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


def read(
    body: bytes, *, texts: list[str], may_fuse: bool = False, request: str = "", request_id: str = ""
) -> Embeddings:
    """The vectors in an answer of any of the paths, in the order of what was sent; one of them all if it `may_fuse`."""
    answer: _Answer = _ANSWER.read(body, "embeddings", request=request, request_id=request_id)
    items = answer.output.embeddings if answer.output else answer.data
    items = sorted(items, key=lambda item: item.index if item.index is not None else item.text_index or 0)
    rows = [_floats(item.embedding) for item in items]
    texts = [" + ".join(texts)] if may_fuse and len(items) == 1 else texts
    if len(items) != len(texts) or len({len(row) for row in rows}) > 1 or len(rows[0]) % _BYTES:
        what = f"{len(texts)} embeddings of one size ({len(items)} came)"
        raise failures.unreadable(what, body, request=request, request_id=request_id)
    told = any(item.sparse_embedding is not None for item in items)
    return Embeddings(
        texts,
        b"".join(rows),
        len(rows[0]) // _BYTES,
        [item.sparse_embedding or [] for item in items] if told else [],
        [item.type for item in items if item.type],
        billing.usage(answer.usage),
        answer.model,
        bodies=[body],
    )


def _floats(embedding: list[float] | str) -> bytes:
    """Numbers as little-endian float32, whether they came as a list or packed in base64."""
    if isinstance(embedding, str):
        try:
            return base64.b64decode(embedding, validate=True)
        except ValueError:
            return _UNREADABLE
    numbers = array("f", embedding)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
