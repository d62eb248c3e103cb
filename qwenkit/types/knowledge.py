"""What a knowledge base in the cloud holds, and what was found in it. Plain values; no I/O.

A file is uploaded and parsed once, and can then be put into any number of bases, where it becomes a document and is cut
into chunks. `Building` is the way of files into a base as far as it has come.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypedDict, TypeVar, overload

import msgspec

from qwenkit.types._shown import Shown

T = TypeVar("T")

PARSED, READY, FINISHED = "PARSE_SUCCESS", "FILE_IS_READY", "FINISH"
FAILED = (
    "PARSE_FAILED",
    "FAIL",
    "FAILED",
    "SAFE_CHECK_FAILED",
    "INDEX_BUILDING_FAILED",
    "INSERT_ERROR",
    "FILE_EXPIRED",
)


class AddOptions(TypedDict, total=False):
    """Options of `base.add(...)`; the base's own are used for what is left out."""

    split: str
    size: int
    overlap: int
    separator: str
    tags: list[str]
    record: str | os.PathLike[str] | None
    progress: bool
    timeout: float
    extra: dict[str, Any]


class BaseOptions(AddOptions, total=False):
    """Options of `qwen.knowledge.create(...)`; the service's own are used for what is left out."""

    description: str
    embedding: str
    rerank: str
    min_score: float
    metadata: list[Any]
    way: str


class SearchOptions(TypedDict, total=False):
    """Options of a search."""

    k: int
    rerank: bool
    min_score: float
    filters: Any
    dense: int
    sparse: int
    rewrite: bool
    history: list[Any]
    extra: dict[str, Any]


class KnowledgeFile(msgspec.Struct, repr_omit_defaults=True):
    """A file in the cloud. `status` says whether it has been parsed yet."""

    id: str = ""
    name: str = ""
    status: str = ""
    size: int = 0
    tags: list[str] = []
    category: str = ""
    parser: str = ""
    created: str = ""
    error: str = ""

    @property
    def parsed(self) -> bool:
        return self.status in (PARSED, READY)

    @property
    def failed(self) -> bool:
        return self.status in FAILED


class KnowledgeDocument(msgspec.Struct, repr_omit_defaults=True):
    """A file as a knowledge base has it: its name comes without the ending, which is its `kind`."""

    id: str = ""
    name: str = ""
    kind: str = ""
    status: str = ""
    size: int = 0
    message: str = ""

    @property
    def failed(self) -> bool:
        return self.status in FAILED


class Job(msgspec.Struct, repr_omit_defaults=True):
    """The work of putting files into a base."""

    id: str = ""
    status: str = ""
    documents: list[KnowledgeDocument] = []

    @property
    def over(self) -> bool:
        return self.status in ("COMPLETED", "FAILED")


class Lease(msgspec.Struct):
    """A place to send the bytes of one file to, for a few minutes."""

    id: str
    url: str
    method: str = "PUT"
    headers: dict[str, str] = {}


class BaseFacts(msgspec.Struct, repr_omit_defaults=True):
    """What the service says of a base."""

    id: str = ""
    name: str = ""
    description: str = ""
    embedding: str = ""
    rerank: str = ""
    chunk_size: int | None = None
    overlap: int | None = None


class Node(msgspec.Struct, repr_omit_defaults=True):
    """A chunk, as it was found or as it lies there. `meta` is whatever else the service tells of it."""

    text: str = ""
    score: float = 0.0
    document: str = ""
    document_id: str = ""
    title: str = ""
    meta: dict[str, Any] = {}

    def __str__(self) -> str:
        return self.text


class Listed(Shown, Sequence[T], Generic[T]):
    """A list that draws itself."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[T]) -> None:
        self.items = list(items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: Any) -> Any:
        return self.items[place]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)})"


class Nodes(Listed[Node]):
    """Chunks, best first when they were searched for."""

    __slots__ = ("base", "query")

    def __init__(self, items: Sequence[Node], query: str = "", base: str = "") -> None:
        super().__init__(items)
        self.query, self.base = query, base


class KnowledgeFiles(Listed[KnowledgeFile]):
    """Files in the cloud."""


class Documents(Listed[KnowledgeDocument]):
    """The documents of a knowledge base."""


class Stage(msgspec.Struct):
    """One file on its way: `stage` is the last thing that happened to it."""

    name: str
    size: int = 0
    stage: str = "waiting"
    error: str = ""
    id: str = ""
    path: Any = None
    digest: str = ""


class Building(Shown, msgspec.Struct):
    """The way of files into a base: upload, parse, index; each file on its own."""

    name: str
    files: list[Stage] = []

    @property
    def failures(self) -> list[Stage]:
        return [each for each in self.files if each.error]

    @property
    def ready(self) -> list[Stage]:
        return [each for each in self.files if each.stage == "ready"]

    def __repr__(self) -> str:
        return f"Building({self.name!r}, {len(self.ready)} of {len(self.files)} files ready)"
