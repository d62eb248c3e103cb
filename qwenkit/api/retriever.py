"""Retrieval by hand: `shelf = qk.Retriever(qwen, "handbook.db")`, `shelf.add("docs/")`, `shelf.search("refund")`.

Documents are split, embedded and kept: in memory, in one SQLite file, in Qdrant or in PostgreSQL. A search asks the
vectors and the words and fuses both rankings. Adding is idempotent and can be interrupted anywhere: what is there
already is not embedded again, see `qwenkit.api.adding`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar, overload

from msgspec.structs import replace

from qwenkit import catalogue
from qwenkit.api.adding import Work
from qwenkit.api.core import Core
from qwenkit.api.embeddings import Embeddings
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.grounding import GroundingCalls
from qwenkit.api.rerank import Rerank
from qwenkit.api.waiting import watch
from qwenkit.errors import ConfigError
from qwenkit.protocol import options as checked
from qwenkit.protocol.flow import Flow, Run
from qwenkit.retrieval.codes import units
from qwenkit.retrieval.filters import tests
from qwenkit.retrieval.fusing import fused, hit, whole
from qwenkit.retrieval.naming import known, known_in
from qwenkit.retrieval.shelves import Kind, Store, drained
from qwenkit.retrieval.sources import Splitter
from qwenkit.retrieval.splitting import cutting
from qwenkit.retrieval.words import asked, shared
from qwenkit.secret import Secret
from qwenkit.types.embeddings import Embeddings as Embedded
from qwenkit.types.retrieval import Added, Chunk, Held, Hit, Hits, Stats

if TYPE_CHECKING:
    from qwenkit.api.client import AsyncClient, Client

T = TypeVar("T")
_HOWS = ("fused", "vectors", "words")
_POOL = 50  # hits of each kind that are fused, and of those that rerank reads
_ACCIDENT = 0.2  # of a query's words, or less: found by them for another reason, or in another language
_PAGE = 500  # chunks read at once where all are wanted


class ShelfCalls(GroundingCalls, ABC):
    """The calls of both flavours."""

    _core: Core

    def __init__(self, core: Core, store: Store, far: Core | None, kind: Kind) -> None:
        self._core, self._store, self._far, self._kind, self._settled = core, store, far, kind, False
        if far is None:
            try:
                drained(self._open())  # what is wrong with the file is said at once
            except BaseException:
                store.close()
                raise

    @abstractmethod
    def _there(self, flow: Flow[T]) -> Any:
        """Run a flow of the store's, by a driver of its own where the store is another machine."""

    def _kept(self, flow: Flow[T]) -> Flow[T]:
        result: T
        [result] = yield Run([partial(self._there, flow)])
        return result

    def _open(self) -> Flow[None]:
        if not self._settled:  # by this session or another
            self._kind, self._settled = yield from self._store.open(self._kind)

    @property
    def model(self) -> str:
        """The model of the vectors; of a shelf that holds none yet, the one that was asked for."""
        return self._kind.model or ""

    @property
    def dimensions(self) -> int:
        return self._kind.dimensions or 0

    @property
    def _split(self) -> Splitter:
        return Splitter(*cutting(*cutting(self._kind.size, self._kind.overlap)))

    def _embedded(
        self, texts: list[str], timeout: float | None, concurrency: int = 1, query: bool = False
    ) -> Flow[Embedded]:
        model = self.model or catalogue.DEFAULTS["embedding"]
        # Vectors travel packed where they can; a query says that it is one, which only the native API can be told.
        native = query and "native" in self._core.config.urls
        told: dict[str, Any] = {"text_type": "query"} if native else {"encoding": "base64"}
        told.update(model=model, dimensions=self.dimensions or None, concurrency=concurrency, timeout=timeout)
        return (yield from Embeddings.__call__.flow(Embeddings(self._core), texts, **told))

    # -- adding --------------------------------------------------------------------------------------------------------

    @call
    def add(
        self, documents: Any, *, concurrency: int = 8, progress: bool = True, timeout: float | None = None
    ) -> Flow[Added]:
        """Add files, folders, texts, dicts with `text`, `title` and `meta`, or a list; gives what became of them.

        What is there already and has not changed is left alone; a changed document takes the place of the old one when
        its last chunk is written; what was deleted from a folder stays on the shelf until `remove`. An interrupted run
        goes on where it was when the same call is made again. What cannot be read is in `.skipped` with the reason.
        `concurrency` calls embed at once.
        """
        work = Work(self, concurrency, timeout)
        with self._store.writing(), watch(progress) as draw:
            yield from self._kept(self._open())
            return (yield from work.run(documents, draw))

    def _settle(self, found: Embedded) -> Flow[None]:
        """The first vectors say how large all are."""
        if not self._settled:
            self._kind = Kind(self.model or found.model, found.size, *self._split)
            yield from self._kept(self._store.settle(self._kind))
            self._settled = True

    # -- finding -------------------------------------------------------------------------------------------------------

    @call
    def search(
        self,
        query: str,
        k: int = 5,
        *,
        how: str = "fused",
        rerank: bool | str = False,
        where: Mapping[str, Any] | None = None,
        weights: Mapping[str, float] | None = None,
        timeout: float | None = None,
    ) -> Flow[Hits]:
        """The `k` chunks that answer a query best, by vectors and words together or by `how="vectors"`, `"words"`.

        `rerank=True`, or the name of a model, reads the best 50 again beside the query. `where` keeps to some chunks:
        `{"document": "a.md"}`, `{"topic": ["tides", "bread"]}`, `{"year": {"gte": 2024}}`. `weights` shift the fusion,
        such as `{"words": 2}`.
        """
        checked.one_of("how", how, _HOWS, "fused asks both")
        checked.Range(1, 1000, whole=True).check("k", k)
        if not isinstance(query, str) or not query.strip():
            raise ConfigError(f"the query cannot be {query!r:.40}", hint="pass a text")
        if not isinstance(weights, Mapping | None) or not {*(weights or {})} <= {*_HOWS[1:]}:
            raise ConfigError(f"weights cannot be {weights!r:.80}", hint='such as {"vectors": 1, "words": 2}')
        for name, weight in (weights or {}).items():
            checked.Range(0, 1000, never=0).check(f"weights[{name!r}]", weight)
        conditions, pool = tests(where), k if how != "fused" and not rerank else max(k, _POOL)
        yield from self._kept(self._open())
        if self._settled:
            conditions = yield from self._kept(known_in(self._store, conditions))
        found: dict[str, list[tuple[int, float]]] = {}
        if how != "words" and self._settled:
            vector = yield from self._embedded([query], timeout, query=True)
            found["vectors"] = yield from self._kept(self._store.nearest(units(vector.array)[0], pool, conditions))
        if how != "vectors" and self._settled:
            found["words"] = yield from self._kept(self._store.worded(query, pool, conditions))
        chunks = yield from self._kept(self._store.chunks(sorted({key for rows in found.values() for key, _ in rows})))
        if len(found) > 1:
            words = asked(query)
            here = [row for row in found["words"] if row[0] in chunks]
            found["words"] = [row for row in here if shared(words, whole(chunks[row[0]])) > _ACCIDENT]
        order = fused({name: [key for key, _ in rows] for name, rows in found.items()}, weights or {})
        hits = [hit(chunks[key], score, found, key) for key, score in order[:pool] if key in chunks]
        ranked = ""
        if rerank and hits:
            hits, ranked = yield from self._reranked(query, hits, k, rerank if isinstance(rerank, str) else "", timeout)
        rows = [replace(hit, rank=rank) for rank, hit in enumerate(hits[:k], 1)]
        return Hits(rows, query, how, (yield from self._kept(self._store.count())), ranked)

    def _reranked(
        self, query: str, hits: list[Hit], k: int, model: str, timeout: float | None
    ) -> Flow[tuple[list[Hit], str]]:
        texts = [whole(hit.chunk) for hit in hits]
        noun = Rerank(self._core)
        ranking = yield from Rerank.__call__.flow(noun, query, texts, model=model, top_n=k, timeout=timeout)
        rescored = [(hits[row.index], row.score) for row in ranking]
        read = [
            replace(hit, score=score, by={**hit.by, "rerank": score}, scores={**hit.scores, "rerank": score})
            for hit, score in rescored
        ]
        return read, ranking.model

    # -- what is there -------------------------------------------------------------------------------------------------

    @call
    def documents(self) -> Flow[list[Held]]:
        """Every document that can be searched, in the order they were added."""
        yield from self._kept(self._open())
        return (yield from self._kept(self._store.documents()))

    @call
    def chunks(self, document: str | PurePath | Held = "", *, most: int = 1000) -> Flow[list[Chunk]]:
        """The chunks of one document, by its name or as `documents()` gave it, or of all, `most` of them."""
        return (yield from self._read(document, most))[0]

    @call
    def vectors(self, document: str | PurePath | Held = "", *, most: int = 1000) -> Flow[tuple[list[Chunk], Any]]:
        """Chunks with their vectors, as a numpy matrix of rows of length one."""
        return (yield from self._read(document, most))

    def _read(self, document: str | PurePath | Held, most: int) -> Flow[tuple[list[Chunk], Any]]:
        import numpy as np

        checked.Range(1, 1_000_000, whole=True).check("most", most)
        yield from self._kept(self._open())
        [name] = [""] if document == "" else (yield from self._kept(known(self._store, [document])))
        chunks: list[Chunk] = []
        matrices: list[Any] = [np.zeros((0, self.dimensions), np.float32)]
        after = 0 if self._settled else -1
        while after >= 0 and len(chunks) < most:
            page = self._store.page(name, after, min(_PAGE, most - len(chunks)))
            found, matrix, after = yield from self._kept(page)
            chunks += found
            matrices += [matrix] if found else []
        return chunks, np.concatenate(matrices)

    @call
    def remove(self, document: str | PurePath | Held) -> Flow[int]:
        """Take a document off the shelf, by its name or as `documents()` gave it; gives how many chunks it had."""
        with self._store.writing():
            yield from self._kept(self._open())
            [name] = yield from self._kept(known(self._store, [document]))
            return (yield from self._kept(self._store.remove(name)))

    @call
    def stats(self) -> Flow[Stats]:
        """How much is on the shelf, and of which kind."""
        documents, count = yield from self._kept(self._counted())
        return Stats(self._store.where, documents, count, self.model, self.dimensions, self._store.bytes())

    def _counted(self) -> Flow[tuple[int, int]]:
        yield from self._open()
        documents = yield from self._store.documents()
        return len(documents), sum(held.chunks for held in documents)

    def __len__(self) -> int:
        """How many chunks can be searched."""
        counted = self._there(self._counted())
        if not isinstance(counted, tuple):
            counted.close()
            raise TypeError("the shelf is on another machine: use (await shelf.stats()).chunks")
        return int(counted[1])

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"Retriever({self._store.where!r}, model={self.model!r}, dimensions={self.dimensions})"


class Shelf(ShelfCalls, SyncNoun):
    """What `qk.Retriever(qwen, …)` gives."""

    def _there(self, flow: Flow[T]) -> Any:
        return drained(flow) if self._far is None else self._far.driver.run(flow)

    def close(self) -> None:
        self._store.close()
        if self._far is not None:
            self._far.close()

    def __enter__(self) -> Shelf:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


class AsyncShelf(ShelfCalls, AsyncNoun):
    """What `qk.Retriever(qwen.aio, …)` gives; its calls are awaited."""

    def _there(self, flow: Flow[T]) -> Any:
        return drained(flow) if self._far is None else self._far.async_driver.run(flow)

    async def close(self) -> None:
        self._store.close()
        if self._far is not None:
            await self._far.aclose()

    async def __aenter__(self) -> AsyncShelf:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()


def _beside(core: Core, root: str) -> Core:
    """The same client for another machine: connections of its own, and watched by whoever watches this one."""
    far = Core(replace(core.config, root=root))
    far.observers = core.observers
    return far


@overload
def Retriever(
    qwen: Client,
    where: Any = None,
    *,
    model: str = "",
    dimensions: int = 0,
    size: int | None = None,
    overlap: int | None = None,
) -> Shelf: ...
@overload
def Retriever(
    qwen: AsyncClient,
    where: Any = None,
    *,
    model: str = "",
    dimensions: int = 0,
    size: int | None = None,
    overlap: int | None = None,
) -> AsyncShelf: ...
def Retriever(  # noqa: N802 - it gives a thing, and reads as one
    qwen: Any,
    where: Any = None,
    *,
    model: str = "",
    dimensions: int = 0,
    size: int | None = None,
    overlap: int | None = None,
    **unknown: Any,
) -> Any:
    """A shelf of documents to search, blocking or (of `qwen.aio`) awaited.

    `where` is nothing (memory), the path of a SQLite file, `http://host:6333/collection` (Qdrant) or
    `postgresql://…/base?table=…`. `model` and `dimensions` choose the embeddings. Documents are split into pieces of
    `size` tokens (400) that repeat `overlap` tokens (40) of the piece before. A shelf keeps all four.
    """
    where = Secret(where) if isinstance(where, str) and "://" in where else where  # an address may hold a password
    from qwenkit.retrieval.places import store

    core = getattr(qwen, "_core", None)
    if not isinstance(core, Core):
        hint = "qk.Retriever(qwen, …) or qk.Retriever(qwen.aio, …)"
        raise ConfigError(f"a {type(qwen).__name__} is no client", hint=hint)
    checked.refuse_unknown(unknown, ("where", "model", "dimensions", "size", "overlap"), "Retriever", {})
    checked.Range(0, 8192, "0 is the model's own", whole=True).check("dimensions", dimensions)
    cutting(size, overlap)
    kept, root = store(where)
    far = _beside(core, root) if root else None
    kind = AsyncShelf if isinstance(qwen, AsyncNoun) else Shelf
    return kind(core, kept, far, Kind(checked.model(model) or None, dimensions or None, size, overlap))
