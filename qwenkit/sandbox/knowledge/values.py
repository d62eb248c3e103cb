"""What the library is made of: categories, leases, files, indexes, jobs, documents, chunks, and a wish when searching.

Plain values, with the words of the service for states and kinds; how they are spelled on a wire is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

UNSTRUCTURED, SESSION_FILE = "UNSTRUCTURED", "SESSION_FILE"
Ids = Sequence[str]


class Wrong(Exception):
    """What the service refuses: a code, a message and a status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True)
class Category:
    id: str
    name: str
    parent: str = ""
    kind: str = UNSTRUCTURED

    @property
    def default(self) -> bool:
        return self.id == "default"


@dataclass(frozen=True)
class Lease:
    """A right to upload one file. `token` is what the upload shows; until `expires` it may come."""

    id: str
    token: str
    category: str
    filename: str
    size: int
    kind: str
    expires: float


@dataclass(frozen=True)
class Named:
    """What has an id and the name of a file."""

    id: str
    name: str

    @property
    def type(self) -> str:
        return self.name.rpartition(".")[2].lower()

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0] or self.name


@dataclass(frozen=True)
class File(Named):
    """One file. `kind` is UNSTRUCTURED or SESSION_FILE; `error` says why it has no text."""

    kind: str
    size: int
    status: str
    tags: list[str]
    created: float
    category: str
    parser: str
    error: str
    url: str


@dataclass(frozen=True)
class Column:
    """A column of metadata, taken from each chunk: `kind` is constant, variable, regular, keywords or custom_prompt."""

    key: str
    kind: str = "constant"
    value: str = ""
    description: str = ""
    search: bool = False
    llm: bool = False


@dataclass(frozen=True)
class Settings:
    """How an index is made and searched. `mode` is "" (smart), length, page, h1 to h5 or regex; sizes are tokens."""

    description: str = ""
    structure: str = "unstructured"
    sink: str = "BUILT_IN"
    source: str = "DATA_CENTER_FILE"
    embedding: str = "text-embedding-v3"
    rerank: str = "qwen3-rerank"
    rerank_mode: str = "qa"
    rerank_instruct: str = ""
    min_score: float = 0.01
    rewrite: bool = True
    mode: str = ""
    size: int = 500
    overlap: int | None = None
    separator: str = ""
    headers: bool = False
    columns: Sequence[Column] = ()
    dense: int = 100
    sparse: int = 100
    more: Mapping[str, Any] = field(default_factory=dict)  # what is kept and given back, and changes nothing here


@dataclass(frozen=True)
class Index:
    id: str
    name: str
    settings: Settings
    created: float
    files: list[str]
    categories: list[str]


@dataclass(frozen=True)
class Document(Named):
    """A file in an index: RUNNING, FINISH or INSERT_ERROR; `code` and `message` say what was wrong."""

    size: int
    status: str
    code: str
    message: str
    modified: float
    job: str
    category: str
    settings: Settings


@dataclass(frozen=True)
class Job:
    """Work on an index: PENDING, RUNNING or COMPLETED, whatever became of its documents."""

    id: str
    index: str
    status: str
    created: float
    documents: list[Document]


@dataclass(frozen=True)
class Node:
    """A chunk with all that is known of it; where it was searched for, its `score` is from 0 to 1."""

    text: str
    score: float
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Wish:
    """What is asked of a search. None, and "" for the mode, stand for the setting of the index."""

    dense: int | None = None
    sparse: int | None = None
    rerank: bool = True
    top: int = 5
    min_score: float | None = None
    filters: Sequence[Mapping[str, Any]] = ()
    files: Sequence[str] = ()
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    rewrite: bool = False
    mode: str = ""
    instruct: str = ""
