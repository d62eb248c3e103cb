"""The same shelf in every engine: SQLite, PostgreSQL with pgvector (a real server), Qdrant (its client's local engine).

What comes to Qdrant's door is read by the official models; the official client's own requests through the same door
must ask the same of the same paths.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from flavours import close, done

import qwenkit as qk
from qwenkit.api.retriever import Retriever

NEEDS = {"qdrant": ("qdrant_client",), "postgres": ("pgserver", "psycopg"), "sqlite": ()}
BOOKS = [
    {
        "text": "# Fares\n\nA ticket costs 4 yuan.\n\n# Refunds\n\nA refund is paid within 14 days.\n",
        **{"title": "Ferry", "meta": {"year": 2024, "tags": ["sea", "fares"], "day": "2024-05-01"}},
    },
    {"text": "退款在十四天内办理。成人票四元，儿童半价。", "title": "渡轮", "meta": {"year": 2025, "open": True}},
    {"text": "Bread is baked at dawn. 面包在黎明烘烤。", "title": "Bakery", "meta": {"year": 2023.5}},
]
_KEY = "key-of-the-tests-of-qdrant"


def needed(engine: str) -> None:
    for module in NEEDS[engine]:
        if find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install 'qwenkit[test]'")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL of our own, with pgvector, gone after the tests. Its socket needs a short path."""
    needed("postgres")
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="qk") as folder:
        warnings.simplefilter("ignore")
        import pgserver

        running = pgserver.get_server(folder, cleanup_mode="stop")
        yield running.get_uri()
        running.cleanup()


@pytest.fixture(scope="module")
def door() -> Iterator[Any]:
    needed("qdrant")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from qdrant_door import Door

    with Door(_KEY) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgres", "qdrant"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place of its own for each test."""
    name = f"t{abs(hash(request.node.name)) % 10**8}"
    if request.param == "postgres":
        return f"{request.getfixturevalue('server')}&table={name}"
    if request.param == "qdrant":
        return f"{request.getfixturevalue('door').url.replace('//', f'//{_KEY}@')}/{name}"
    return str(tmp_path / "base.db")


async def searched(opened: Any) -> Any:
    """What a shelf says to a search; it is closed whatever that is."""
    shelf = opened()
    try:
        return await done(shelf.search("refund"))
    finally:
        await close(shelf)


async def test_a_shelf_is_the_same_in_every_engine(where: str, qwen: Any):
    shelf = Retriever(qwen, where, dimensions=256, size=160)
    assert len(await done(shelf.search("refund"))) == 0
    assert (await done(shelf.stats())).documents == 0
    added = await done(shelf.add([*BOOKS, "gone.md"], progress=False))
    assert (added.documents, added.chunks, len(added.skipped)) == (3, 4, 1)
    again = await done(shelf.add(BOOKS, progress=False))
    assert (again.documents, again.unchanged) == (0, 3)
    hits = await done(shelf.search("When is a refund paid?", k=3))
    assert (hits[0].chunk.id, hits[0].chunk.title, hits[0].by) == ("Ferry#1", "Refunds", {"vectors": 1, "words": 1})
    assert hits[0].scores["vectors"] == pytest.approx(0.6, abs=0.3)
    assert hits[0].chunk.meta == BOOKS[0]["meta"]
    assert (hits[0].chunk.start, hits[0].text[:9]) == (33, "# Refunds")
    for word in ("退款", "面包", "票"):
        found = await done(shelf.search(word, how="words", k=1))
        assert word in found[0].text
    assert {each.name: each.chunks for each in await done(shelf.documents())} == {"Ferry": 2, "渡轮": 1, "Bakery": 1}
    chunks, vectors = await done(shelf.vectors())
    assert (len(chunks), vectors.shape) == (4, (4, 256))
    assert [each.place for each in sorted(await done(shelf.chunks("Ferry")), key=lambda each: each.place)] == [0, 1]
    assert (await done(shelf.stats())).chunks == 4
    assert await done(shelf.remove("Ferry")) == 2
    for gone in (shelf.remove, shelf.chunks):
        with pytest.raises(qk.ConfigError, match="there is no document 'Ferry'"):
            await done(gone("Ferry"))
    assert {hit.chunk.document for hit in await done(shelf.search("refund ticket", k=9))} == {"渡轮", "Bakery"}
    await close(shelf)
    other = Retriever(qwen, where)
    assert (await done(other.stats())).model == "text-embedding-v4"
    assert (other.dimensions, *other._split) == (256, 160, 40)
    assert (await done(other.add(BOOKS[1:], progress=False))).unchanged == 2
    assert _KEY not in f"{other!r} {await done(other.stats())!r}"
    await close(other)
    with pytest.raises(qk.ConfigError, match="or make another shelf"):
        await searched(lambda: Retriever(qwen, where, model="text-embedding-v3"))
    with pytest.raises(qk.ConfigError, match="holds chunks of size=160, not 400"):
        await searched(lambda: Retriever(qwen, where, size=400))


async def test_an_emptied_shelf_can_be_filled_again(where: str, qwen: Any):
    shelf = Retriever(qwen, where, dimensions=64)
    await done(shelf.add(BOOKS[2], progress=False))
    assert await done(shelf.remove("Bakery")) == 1
    await close(shelf)
    again = Retriever(qwen, where)
    assert (await done(again.stats())).chunks == 0
    assert not (await done(again.search("bread"))).rows
    await done(again.add(BOOKS, progress=False))
    assert ((await done(again.stats())).chunks, again.dimensions) == (4, 64)
    assert (await done(again.search("bread")))[0].chunk.document == "Bakery"
    await close(again)


@pytest.mark.parametrize("how", ["vectors", "words"])
async def test_filters_mean_the_same(where: str, client: qk.Client, how: str):
    shelf = Retriever(client, where, dimensions=64)
    shelf.add(BOOKS, progress=False)
    for condition, documents in (
        ({"document": ["Ferry", "Bakery"]}, {"Ferry", "Bakery"}),
        ({"title": "Refunds"}, {"Ferry"}),
        ({"year": 2024}, {"Ferry"}),
        ({"year": [2023.5, 2025]}, {"渡轮", "Bakery"}),
        ({"year": {"gt": 2023, "lt": 2024.5}}, {"Ferry", "Bakery"}),
        ({"tags": ["sea", "none"]}, {"Ferry"}),
        ({"open": True}, {"渡轮"}),
        ({"day": {"lt": "2025-01-01"}}, {"Ferry"}),
        ({"nothing": "x"}, set()),
        ({"year": {"gte": "2000-01-01"}}, set()),
        ({"day": {"gte": 2000}}, set()),
    ):
        hits = shelf.search("refund ticket bread 退款 面包", k=20, how=how, where=condition)
        assert {hit.chunk.document for hit in hits} == documents, condition
    shelf.close()


def test_an_interrupted_document_is_hidden_and_goes_on(where: str, client: qk.Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("qwenkit.api.adding.WAVE", 10)
    shelf = Retriever(client, where, dimensions=64)
    old = {"name": "long", "text": "An old note about the tide."}
    shelf.add(old, progress=False)
    new = {**old, "text": "\n\n".join(f"# Part {part}\n\nNote {part} about bread." for part in range(34))}
    plain, calls = type(shelf)._embedded, []

    def failing(self: Any, texts: list[str], *rest: Any, **more: Any) -> Any:
        calls.append(texts)
        if len(calls) == 3:
            raise qk.ServerError("the service broke", status=500)
        return plain(self, texts, *rest, **more)

    monkeypatch.setattr(type(shelf), "_embedded", failing)
    with pytest.raises(qk.ServerError):
        shelf.add(new, progress=False)
    assert [hit.text for hit in shelf.search("note bread", k=50)] == ["An old note about the tide."]
    assert len(shelf) == 1
    shelf.close()
    shelf = Retriever(client, where)
    added = shelf.add(new, progress=False)
    assert (added.documents, added.resumed, added.chunks) == (1, 10, 24)
    assert sorted(each.place for each in shelf.chunks()) == list(range(34))
    assert len(shelf) == 34
    assert not shelf.search("tide", how="words").rows
    assert shelf.add(new, progress=False).unchanged == 1
    shelf.close()


# -- what belongs to one engine -----------------------------------------------------------------------------------


def test_postgres_keeps_two_writers_apart_and_says_what_is_wrong(client: qk.Client, server: str):
    one, two = (Retriever(client, f"{server}&table=locked") for _ in range(2))
    with one._store.writing(), pytest.raises(qk.ConfigError, match="is being written by another session"):
        two.add("A text.", progress=False)
    assert two.add("A text.", progress=False).documents == 1
    one.close()
    two.close()
    with pytest.raises(qk.ConfigError, match="check the address") as refused:
        Retriever(client, server.replace("postgres:@", f"nobody:{'-'.join(['pass', 'word', '77'])}@"))
    told = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    assert "pass-word-77" not in "".join(told.format())


def test_a_large_shelf_in_postgres_gets_an_index_of_neighbours(
    client: qk.Client, server: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("qwenkit.retrieval.postgres._LARGE", 30)
    shelf = Retriever(client, f"{server}&table=large", dimensions=64)
    shelf.add([f"Note {number} about {['tide', 'bread', 'lamp'][number % 3]}." for number in range(60)], progress=False)
    assert shelf._store._ask("SELECT to_regclass('nearest') IS NOT NULL") == [(True,)]
    assert all("bread" in hit.text for hit in shelf.search("bread", how="vectors", k=10))
    shelf.close()


async def test_qdrant_needs_its_key_and_a_collection_of_ours(
    client: qk.Client, door: Any, monkeypatch: pytest.MonkeyPatch
):
    from qdrant_client import models

    with pytest.raises(qk.AuthError, match=r"Must provide an API key.*set QDRANT_API_KEY") as refused:
        await searched(lambda: Retriever(client, f"{door.url.replace('//', '//wrong-key-of-qdrant@')}/books"))
    assert "wrong-key-of-qdrant" not in str(refused.value)
    monkeypatch.setenv("QDRANT_API_KEY", _KEY)
    assert not (await searched(lambda: Retriever(client, f"{door.url}/books"))).rows
    door.engine.create_collection("other", models.VectorParams(size=4, distance=models.Distance.DOT))
    with pytest.raises(qk.ConfigError, match="was made by something else"):
        await searched(lambda: Retriever(client, f"{door.url}/other"))


def test_what_is_asked_of_qdrant_is_what_its_client_asks(client: qk.Client, door: Any):
    from qdrant_client import QdrantClient

    shelf = Retriever(client, f"{door.url.replace('//', f'//{_KEY}@')}/ours", dimensions=64)
    before = len(door.seen)
    shelf.add(BOOKS[0], progress=False)
    shelf.search("refund", where={"year": {"gte": 2024}, "document": "Ferry"})
    shelf.vectors("Ferry")
    shelf.remove("Ferry")
    ours = door.seen[before:]
    shelf.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        official = QdrantClient(url=door.url, api_key=_KEY, check_compatibility=False)
        before = len(door.seen)
        for seen in ours:
            _repeat(official, seen)
        official.close()
    theirs = [_asks(each) for each in door.seen[before:]]
    assert [each for each in map(_asks, ours) if each not in theirs] == []
    assert {(kind, "/".join(steps)) for kind, steps, *_ in map(_asks, ours)} == set(_verbs())


def _verbs() -> Any:
    import qdrant_door

    return qdrant_door._VERBS


def _asks(seen: Any) -> Any:
    """Method, path, whether it waits, and what is meant; without the collection's name and what is the default."""
    path, _, query = seen.path.partition("?")
    return seen.method, tuple(path.split("/")[3:]), "wait=true" in query, _meant(seen.body)


def _meant(body: Any) -> Any:
    if hasattr(body, "model_dump"):
        body = body.model_dump(mode="json", exclude_none=True)
    if isinstance(body, dict):
        body = body if body.keys() != {"nearest"} else body["nearest"]  # the long way to say the same
    if isinstance(body, dict):
        return {name: _meant(each) for name, each in body.items() if each is not False or name in ("value", "live")}
    return [_meant(each) for each in body] if isinstance(body, list) else body


def _repeat(official: Any, seen: Any) -> None:
    """The same operation by the official client."""
    name, verb, body = "theirs", "/".join(seen.path.partition("?")[0].split("/")[3:]), seen.body
    if verb == "" and seen.method == "GET":
        with suppress(Exception):  # it is not there at first
            official.get_collection(name)
    elif verb == "exists":
        official.collection_exists(name)
    elif verb == "":
        official.create_collection(name, body.vectors, sparse_vectors_config=body.sparse_vectors)
    elif verb == "index":
        official.create_payload_index(name, body.field_name, body.field_schema)
    elif verb == "points" and seen.method == "PUT":
        official.upsert(name, body.points)
    elif verb == "points/batch":
        official.batch_update_points(name, body.operations)
    elif verb == "points/delete":
        official.delete(name, body)
    elif verb == "points/query":
        facts = {"query_filter": body.filter, "limit": body.limit, "with_payload": body.with_payload}
        official.query_points(name, body.query, using=body.using, **facts)
    elif verb == "points":
        official.retrieve(name, body.ids, with_payload=body.with_payload, with_vectors=body.with_vector)
    elif verb == "points/scroll":
        facts = {"with_payload": body.with_payload, "with_vectors": body.with_vector, "offset": body.offset}
        official.scroll(name, body.filter, limit=body.limit, **facts)
    elif verb == "points/count":
        official.count(name, body.filter, exact=body.exact)


def test_without_psycopg_the_cure_is_named(client: qk.Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(qk.ConfigError, match=r"pip install 'qwenkit\[postgres\]'"):
        Retriever(client, "postgresql://localhost/base")
