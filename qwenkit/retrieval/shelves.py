"""What a store of chunks must do, whichever engine keeps them. Every method is a flow: one that reaches another machine
yields its requests, one that does not just returns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow
from qwenkit.retrieval.filters import Test
from qwenkit.retrieval.splitting import Piece
from qwenkit.types.retrieval import Chunk, Held

P = ParamSpec("P")
T = TypeVar("T")
FORMAT = 1  # of what a store holds; raised when an older qwenkit could no longer read it
Found = list[tuple[int, float]]  # keys of chunks with their scores, best first
_OTHERWISE = (
    ("vectors", "vectors of different kinds cannot be compared"),
    ("chunks", "every document would be split, embedded and paid for again"),
)


class State(NamedTuple):
    """What a store has of a document: the digest it can be searched under, and a draft that was interrupted."""

    digest: str = ""
    draft: str = ""
    places: Collection[int] = ()  # of the draft's chunks


class Kind(NamedTuple):
    """What all of a store is made with, settled by its first vectors; None where nothing is said."""

    model: str | None = None
    dimensions: int | None = None
    size: int | None = None
    overlap: int | None = None

    @property
    def facts(self) -> dict[str, Any]:
        return {name: value for name, value in self._asdict().items() if value is not None}


class Row(NamedTuple):
    """A chunk to keep: of which draft, and what."""

    document: str
    place: int
    piece: Piece


class Store(Protocol):
    """One engine. A document is drafted, its chunks are put, and with the last of them it replaces the old one."""

    where: str  # without any password

    def open(self, asked: Kind) -> Flow[tuple[Kind, bool]]:
        """What the store is made with, if that is what is asked for, and whether it is settled."""

    def settle(self, kind: Kind) -> Flow[None]:
        """Make what is missing for vectors of this kind, and remember it."""

    def writing(self) -> AbstractContextManager[None]:
        """A block in which nobody else writes."""

    def states(self, names: Sequence[str]) -> Flow[dict[str, State]]: ...

    def draft(self, document: Held, fresh: bool) -> Flow[None]:
        """Begin a document anew, or go on with its draft; `fresh` drops what a draft has."""

    def put(self, rows: Sequence[Row], vectors: Any, done: Sequence[Held]) -> Flow[None]:
        """Keep chunks with their unit vectors; documents that are `done` can be searched from now on."""

    def nearest(self, vector: Any, most: int, tests: Sequence[Test]) -> Flow[Found]: ...

    def worded(self, query: str, most: int, tests: Sequence[Test]) -> Flow[Found]: ...

    def chunks(self, keys: Sequence[int]) -> Flow[dict[int, Chunk]]: ...

    def page(self, document: str, after: int, most: int) -> Flow[tuple[list[Chunk], Any, int]]:
        """Some chunks in the order they are kept, of one document or of all, their vectors, and the last key."""

    def documents(self) -> Flow[list[Held]]: ...

    def remove(self, name: str) -> Flow[int]: ...

    def count(self) -> Flow[int]:
        """How many chunks can be searched."""

    def bytes(self) -> int | None: ...

    def close(self) -> None: ...


def at_once(method: Callable[P, T]) -> Callable[P, Flow[T]]:
    """A plain method as a flow that yields nothing."""

    @wraps(method)
    def flow(*args: P.args, **kwargs: P.kwargs) -> Flow[T]:
        yield from ()
        return method(*args, **kwargs)

    return flow


def drained(flow: Flow[T]) -> T:
    """The result of a flow that reaches nobody."""
    try:
        next(flow)
    except StopIteration as over:
        result: T = over.value
        return result
    raise AssertionError("a local store asks nobody")


def agreed(told: dict[str, str], asked: Kind, where: str) -> tuple[Kind, bool]:
    """What an existing store is made with, if nothing else is asked for."""
    if int(told.get("format") or FORMAT) > FORMAT:
        hint = "pip install -U qwenkit"
        raise ConfigError(f"{where!r} was written by a newer qwenkit (format {told['format']})", hint=hint)
    kept: dict[str, Any] = {
        name: told[name] if name == "model" else int(told[name]) for name in Kind._fields if told.get(name)
    }
    for name, wanted in asked.facts.items():
        if (had := kept.get(name, wanted)) != wanted:
            of, why = _OTHERWISE[name in ("size", "overlap")]
            hint = f"leave {name} out, or make another shelf: {why}"
            raise ConfigError(f"{where!r} holds {of} of {name}={had!r}, not {wanted!r}", hint=hint)
    return asked._replace(**kept), "dimensions" in kept
