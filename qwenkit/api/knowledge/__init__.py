"""Knowledge bases in the cloud: documents in, chunks found.

    base = qwen.knowledge.create("handbook", files=["handbook.pdf", "docs/"])     uploads, parses, indexes
    base.search("refund")                                                         the chunks that fit, best first
    base.add("news.md"), base.documents(), base.chunks(doc), base.delete()
    qwen.knowledge.list(), qwen.knowledge.get(id), qwen.knowledge.search("refund")
    qwen.apps("APP_ID")("How do refunds work?", knowledge=base)                   answers from it

With an AccessKey in the environment the signed OpenAPI is used, else the RAG API with the API key; `way="rag"` or
`way="openapi"` decides. Files that were uploaded are never sent again, and a broken run goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Unpack

from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.knowledge import building as work
from qwenkit.api.knowledge.ways import Way, way
from qwenkit.api.waiting import check, watch
from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow
from qwenkit.protocol.options import Range, extra, one_of, refuse_unknown
from qwenkit.types._shown import Shown
from qwenkit.types.knowledge import (
    AddOptions,
    BaseFacts,
    BaseOptions,
    Building,
    Documents,
    KnowledgeDocument,
    KnowledgeFile,
    KnowledgeFiles,
    Listed,
    Nodes,
    SearchOptions,
)

SPLITS = ("smart", "length", "page", "h1", "h2", "regex")
_USUAL_RECORD = "outputs/knowledge.jsonl"
_NUMBERS = {
    "size": Range(1, 6000, whole=True),
    "overlap": Range(0, 1024, whole=True),
    "k": Range(1, 20, whole=True),
    "dense": Range(0, 100, whole=True),
    "sparse": Range(0, 100, whole=True),
    "min_score": Range(0.01, 1.0),
}


class BaseCalls(Shown):
    """One knowledge base, and what can be done with it."""

    _core: Core
    facts: BaseFacts
    built: Building | None
    _way: Way

    @property
    def id(self) -> str:
        return self.facts.id

    @property
    def name(self) -> str:
        return self.facts.name

    @call
    def search(self, query: str, **options: Unpack[SearchOptions]) -> Flow[Nodes]:
        """The chunks that fit best, with their scores: `k` of them, at most 20.

        `filters` is a dict or a list of dicts: values, lists of values, `{"gte": 3}`, `{"like": "a%"}`, and `tags`.
        `rerank=False` leaves them as they were recalled, `min_score` drops the weak ones, `history` with
        `rewrite=True` reads the question as the last turn of a conversation.
        """
        wish = _wish(query, options)
        found = yield from self._way.search(self.id, query, wish)
        return Nodes(found, query, self.name)

    @call
    def add(self, files: Any, **options: Unpack[AddOptions]) -> Flow[Building]:
        """Put more files in: paths or folders. What is there already is left alone."""
        _check(options, AddOptions, "base.add")
        return (yield from _built(self._core, self._way, self.name, files, options, self.facts))

    @call
    def documents(self) -> Flow[Documents]:
        """What lies in it."""
        return Documents((yield from self._way.documents(self.id)))

    @call
    def chunks(self, document: KnowledgeDocument | str, *, most: int = 100) -> Flow[Nodes]:
        """The chunks that a document was cut into, in their order."""
        Range(1, 100_000, whole=True).check("most", most)
        found = yield from self._way.chunks(self.id, _named(document, "document"), most)
        return Nodes(found, base=self.name)

    @call
    def remove(self, documents: Any) -> Flow[None]:
        """Take documents out; their files stay in the cloud."""
        given = documents if isinstance(documents, list | tuple | Documents) else [documents]
        yield from self._way.remove(self.id, [_named(each, "document") for each in given])

    @call
    def delete(self) -> Flow[None]:
        """Delete the base; its files stay in the cloud."""
        yield from self._way.delete(self.id)

    def __repr__(self) -> str:
        return f"KnowledgeBase({self.name!r})"


class KnowledgeBase(BaseCalls, SyncNoun):
    """`base = qwen.knowledge.create("handbook", files=[…])`, then `base.search("…")`."""

    def __init__(self, core: Core, way: Way, facts: BaseFacts, built: Building | None = None) -> None:
        super().__init__(core)
        self._way, self.facts, self.built = way, facts, built


class AsyncKnowledgeBase(BaseCalls, AsyncNoun):
    """The same, awaited."""

    def __init__(self, core: Core, way: Way, facts: BaseFacts, built: Building | None = None) -> None:
        super().__init__(core)
        self._way, self.facts, self.built = way, facts, built


class Bases(Listed[Any]):
    """The knowledge bases of a workspace, by their places, names or ids."""

    def __getitem__(self, place: Any) -> Any:
        return _choose(self.items, place) if isinstance(place, str) else self.items[place]

    def __repr__(self) -> str:
        return f"Bases({[each.name for each in self.items]})"


class KnowledgeCalls:
    """The calls of the noun, written once for both flavours."""

    _core: Core
    _bound: Any

    @call
    def create(self, name: str, files: Any, **options: Unpack[BaseOptions]) -> Flow[Any]:
        """A base with these files in it, ready to be searched. Called again it adds what is missing, and nothing twice.

        `files` are paths or folders. `split` is "smart", "length", "page", "h1", "h2" or "regex" (with `separator`),
        `size` and `overlap` are tokens of a chunk. `embedding` and `rerank` name models, `metadata` says what to
        extract. `tags` are put on every file. `record` is the file that remembers what was uploaded.
        """
        road = way(self._core, options.get("way", ""))
        if not isinstance(name, str) or not 1 <= len(name) <= 20:
            raise ConfigError(f"a base cannot be called {name!r:.60}", hint="a name has 1 to 20 characters")
        _check(options, BaseOptions, "knowledge.create")
        known = [each for each in (yield from road.bases(name)) if each.name == name]
        built = yield from _built(self._core, road, name, files, options, known[0] if known else None)
        facts = known[0] if known else next(each for each in (yield from road.bases(name)) if each.name == name)
        return self._bound(self._core, road, facts, built)

    @call
    def get(self, base: str, *, way: str = "") -> Flow[Any]:
        """A base by its id or name."""
        road = _road(self._core, way)
        return self._bound(self._core, road, (yield from _find(road, base)))

    @call
    def list(self, *, way: str = "") -> Flow[Bases]:
        """Every base of the workspace."""
        road = _road(self._core, way)
        return Bases([self._bound(self._core, road, facts) for facts in (yield from road.bases())])

    @call
    def search(self, query: str, *, base: Any = None, way: str = "", **options: Unpack[SearchOptions]) -> Flow[Nodes]:
        """Search a base, given as a value, a name or an id; where there is only one it need not be named."""
        road, wish = _road(self._core, way), _wish(query, options)
        facts = base.facts if isinstance(base, BaseCalls) else (yield from _find(road, base))
        found = yield from road.search(facts.id, query, wish)
        return Nodes(found, query, facts.name)

    @call
    def files(self, *, name: str = "", way: str = "") -> Flow[KnowledgeFiles]:
        """The files in the cloud, whichever base they are in."""
        return KnowledgeFiles((yield from _road(self._core, way).files(name)))

    @call
    def delete_file(self, file: KnowledgeFile | str, *, way: str = "") -> Flow[None]:
        """Delete a file in the cloud; bases that have it keep their chunks."""
        yield from _road(self._core, way).delete_file(_named(file, "file"))

    @call
    def delete(self, base: Any, *, way: str = "") -> Flow[None]:
        """Delete a base; its files stay in the cloud."""
        road = _road(self._core, way)
        yield from road.delete(base.id if isinstance(base, BaseCalls) else (yield from _find(road, base)).id)


_road = way


def _built(
    core: Core, road: Way, name: str, files: Any, options: AddOptions, known: BaseFacts | None
) -> Flow[Building]:
    """The files in the base, whether it is there already or not."""
    building = Building(name, work.stages(files))
    record = work.Record(options.get("record", _USUAL_RECORD))
    settings, timeout = {**options}, options.get("timeout")
    with watch(options.get("progress", True)) as draw:
        tags = options.get("tags") or []
        there = yield from _there(road, known, building, record, tags)
        yield from work.uploaded(core, road, building, record, tags, draw, timeout)
        work.any_left(building)
        new = [stage.id for stage in building.files if stage.stage == "parsed" and stage.id not in there]
        for stage in building.files:
            stage.stage = "ready" if stage.id in there else stage.stage
        if new:
            for stage in building.files:
                stage.stage = "indexing" if stage.id in new else stage.stage
            if known is None:
                base, job = yield from road.create(name, new, settings)
            else:
                base, job = known.id, (yield from road.add(known.id, new, settings))
            yield from work.indexed(core, road, base, job, building, draw, timeout)
            ready = [stage for stage in building.files if stage.stage == "ready"]
            kept = {stage.id for stage in building.files}  # another file may still say what this one said
            old = ({id for stage in ready for id in record.before(stage)} & there) - kept
            if old:  # a file that has changed takes the place of what it was
                yield from road.remove(base, sorted(old))
        draw(building)
    return building


def _there(
    road: Way, known: BaseFacts | None, building: Building, record: work.Record, tags: list[str]
) -> Flow[set[str]]:
    """The ids of what the base has. A file that nobody remembers is known by its name, ending and size; one that is
    remembered to have said something else is another, and one without the tags makes room for one with them."""
    if known is None:
        return set()
    documents = [each for each in (yield from road.documents(known.id)) if not each.failed]
    like = {(each.name, each.kind, each.size): each.id for each in documents}
    for stage in building.files:
        stem, _, ending = stage.name.rpartition(".")
        found = like.get((stem, ending.lower(), stage.size))
        if found and not stage.error and not record.other(stage, found):
            if tags and not set(tags) <= set((yield from road.file(found)).tags):
                record.was(stage, found)
            else:
                stage.id, stage.stage = found, "parsed"
    return {each.id for each in documents}


def _find(road: Way, given: Any) -> Flow[BaseFacts]:
    found: BaseFacts = _choose((yield from road.bases()), given)
    return found


def _choose(every: list[Any], given: Any) -> Any:
    """The base of this name or id, or the only one."""
    names = ", ".join(dict.fromkeys(each.name for each in every)) or "none yet: qwen.knowledge.create(…)"
    if given is None:
        if len(every) == 1:
            return every[0]
        raise ConfigError(f"there are {len(every)} knowledge bases", hint=f"say base=…; there are: {names}")
    found = [each for each in every if given in (each.id, each.name)]
    if not found:
        raise ConfigError(f"there is no knowledge base {given!r:.60}", hint=f"there are: {names}")
    return found[0]


def _named(given: Any, what: str) -> str:
    found = getattr(given, "id", given)
    if not isinstance(found, str) or not found:
        raise ConfigError(f"a {what} cannot be {given!r:.60}", hint="pass what was listed, or its id")
    return found


def _check(options: Any, known: Any, call: str) -> None:
    """The options of a call, refused if it has none of that name or they cannot be; "smart" is what nothing says."""
    refuse_unknown(options, known.__annotations__, call, {"chunk_size": "it is called size here"})
    check(options.get("timeout"))
    extra(options.get("extra"))
    if not isinstance(options.get("record"), str | os.PathLike | None):
        raise ConfigError(f"record cannot be {options['record']!r:.60}", hint="pass a path, or None")
    columns = options.get("metadata") or []
    if not isinstance(columns, list | tuple) or not all(isinstance(each, Mapping) for each in columns):
        raise ConfigError(f"metadata cannot be {columns!r:.60}", hint='[{"key": "author", "type": "constant", …}]')
    if "split" in options:
        one_of("split", options["split"], SPLITS, "smart is the service's own way")
        if (options["split"] == "regex") != bool(options.get("separator")):
            raise ConfigError("split='regex' and separator='…' go together", hint="give both, or neither")
        if options["split"] == "smart":
            del options["split"]  # the service's way when nothing is said
    _numbers(options)
    if options.get("overlap", 0) >= options.get("size", 6001):
        raise ConfigError("overlap must be smaller than size", hint="a tenth of it is usual")


def _wish(query: str, options: SearchOptions) -> dict[str, Any]:
    refuse_unknown(
        options, SearchOptions.__annotations__, "search", {"top_k": "it is called k here", "n": "it is called k"}
    )
    if not isinstance(query, str) or not query.strip():
        raise ConfigError(f"the query cannot be {query!r:.60}", hint="ask in words")
    _numbers(options)
    extra(options.get("extra"))
    wish: dict[str, Any] = {"k": 5, **options}
    filters = wish.pop("filters", None)
    if filters is not None:
        wish["filters"] = filters if isinstance(filters, list) else [filters]
    return wish


def _numbers(options: Any) -> None:
    for name, reach in _NUMBERS.items():
        if options.get(name) is not None:
            reach.check(name, options[name])


class Knowledge(KnowledgeCalls, SyncNoun):
    """`qwen.knowledge.create("handbook", files=[…])`, `.search("…")`, `.list()`."""

    _bound = KnowledgeBase


class AsyncKnowledge(KnowledgeCalls, AsyncNoun):
    """`await aqwen.knowledge.create("handbook", files=[…])`, and the same verbs."""

    _bound = AsyncKnowledgeBase
