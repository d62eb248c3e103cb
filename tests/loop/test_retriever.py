"""A shelf against the sandbox, blocking and awaited: adding, finding, filters, what is refused, what is left alone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flavours import close, done

import qwenkit as qk
from qwenkit.api.retriever import AsyncShelf, Retriever, Shelf
from qwenkit.sandbox import Sandbox

DATA = Path(__file__).parents[2] / "data"
FERRY = "# Fares\n\nA ticket costs 4 yuan. Children pay half.\n\n# Refunds\n\nA refund is paid within 14 days.\n"
ZH = "# 退款\n\n退款在十四天内办理。\n\n# 船票\n\n成人票四元，儿童半价。\n"
BOOKS = [
    {"text": FERRY, "title": "Ferry", "meta": {"year": 2024, "tags": ["sea", "fares"], "day": "2024-05-01"}},
    {"text": ZH, "title": "渡轮", "meta": {"year": 2025, "tags": ["sea"], "day": "2025-01-31", "open": True}},
    {"text": "Bread is baked at dawn. 面包在黎明烘烤。", "title": "Bakery", "meta": {"year": 2023.5}},
]


@pytest.fixture
async def shelf(qwen: Any) -> Any:
    made = Retriever(qwen)
    await done(made.add(BOOKS, progress=False))
    yield made
    await close(made)


def found(hits: Any) -> list[str]:
    return [hit.chunk.document for hit in hits]


# -- finding ------------------------------------------------------------------------------------------------------


async def test_the_flavour_is_the_clients(qwen: Any, flavour: str):
    made = Retriever(qwen)
    assert type(made) is {"sync": Shelf, "async": AsyncShelf}[flavour]
    assert len(made) == 0
    assert len(await done(made.search("anything"))) == 0
    assert (await done(made.vectors()))[0] == []
    await close(made)


async def test_a_search_finds_by_meaning_and_by_words_and_tells_its_ranks(shelf: Any):
    hits = await done(shelf.search("When is a refund paid?", k=3))
    assert (hits.query, hits.how, hits.of) == ("When is a refund paid?", "fused", len(shelf))
    best = hits[0]
    assert (best.chunk.document, best.chunk.title, best.rank) == ("Ferry", "Refunds", 1)
    assert best.by == {"vectors": 1, "words": 1}
    assert best.score == pytest.approx(2 / 61)
    assert best.scores["vectors"] > 0.2
    assert best.scores["words"] > 0
    assert FERRY[best.chunk.start : best.chunk.end] == best.text
    assert best.chunk.id == "Ferry#1"
    assert best.chunk.meta["year"] == 2024
    assert [hit.rank for hit in hits] == [1, 2, 3]


@pytest.mark.parametrize("query", ["退款", "十四天", "四", "儿童半价", "船"])
async def test_chinese_of_any_length_is_found_by_words(shelf: Any, query: str):
    hits = await done(shelf.search(query, how="words"))
    assert found(hits)[0] == "渡轮"
    assert all(hit.by.keys() == {"words"} for hit in hits)


async def test_a_word_or_two_of_many_in_common_is_an_accident(shelf: Any):
    hits = await done(shelf.search("Might zeppelins, marmalade, turnips, xylophones or bicycles get some refund?", k=9))
    assert len(hits) == len(shelf)
    assert all(hit.by.keys() == {"vectors"} for hit in hits)
    assert (await done(shelf.search("refund, perhaps", k=9)))[0].by.keys() == {"vectors", "words"}


async def test_one_way_alone_has_its_own_score(shelf: Any):
    hits = await done(shelf.search("refunds", how="vectors", k=2))
    assert hits[0].by == {"vectors": 1}
    assert hits[0].score == hits[0].scores["vectors"]
    assert not (await done(shelf.search("zeppelin", how="words"))).rows
    assert len(await done(shelf.search('"); DROP -- * NEAR(', how="words"))) == 0


async def test_rerank_reads_the_best_again(shelf: Any, box: Sandbox):
    hits = await done(shelf.search("refund", k=2, rerank=True))
    asked = next(seen.json for seen in reversed(box.requests) if "rerank" in seen.path)
    assert len(asked["documents"]) == len(shelf)
    assert hits.reranked == asked["model"]
    assert [hit.score for hit in hits] == [hit.by["rerank"] for hit in hits]
    assert hits[0].chunk.title == "Refunds"


async def test_the_query_is_embedded_as_one(shelf: Any, box: Sandbox):
    await done(shelf.search("refund"))
    sent = box.requests[-1].json
    assert (sent["parameters"]["text_type"], sent["parameters"]["dimension"]) == ("query", 1024)


@pytest.mark.parametrize(
    ("where", "documents"),
    [
        ({"document": "Ferry"}, {"Ferry"}),
        ({"document": ["Ferry", "Bakery"]}, {"Ferry", "Bakery"}),
        ({"title": "Refunds"}, {"Ferry"}),
        ({"year": 2024}, {"Ferry"}),
        ({"year": 2023.5}, {"Bakery"}),
        ({"year": {"gte": 2024}}, {"Ferry", "渡轮"}),
        ({"year": {"gt": 2023, "lt": 2024.5}}, {"Ferry", "Bakery"}),
        ({"tags": "sea"}, {"Ferry", "渡轮"}),
        ({"tags": ["fares", "none"], "year": 2024}, {"Ferry"}),
        ({"day": {"lt": "2025-01-01"}}, {"Ferry"}),
        ({"open": True}, {"渡轮"}),
        ({"nothing": "x"}, set()),
        ({"year": {"gte": "2000"}}, set()),
        ({"day": {"gte": 2000}}, set()),
        ({'odd"]key': 1}, set()),
    ],
)
@pytest.mark.parametrize("how", ["vectors", "words"])
async def test_filters(shelf: Any, where: Any, documents: set[str], how: str):
    hits = await done(shelf.search("refund ticket bread 退款 船票 面包", k=20, how=how, where=where))
    assert set(found(hits)) == documents


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"k": 0}, "k cannot be 0"),
        ({"how": "magic"}, "fused or vectors or words"),
        ({"where": "Ferry"}, "it is a dict"),
        ({"where": {"year": {"above": 3}}}, "gte, gt, lte or lt"),
        ({"where": {"year": {"gte": 3, "lt": "x"}}}, "each a number, or each a date"),
        ({"where": {"year": []}}, "texts, numbers or a range"),
        ({"where": {"year": None}}, "texts, numbers or a range"),
        ({"query": " "}, "pass a text"),
        ({"weights": {"word": 2}}, "weights cannot be"),
        ({"weights": "words"}, "weights cannot be"),
        ({"weights": {"words": -1}}, r"weights\['words'\] cannot be -1"),
        ({"weights": {"words": "a"}}, r"weights\['words'\] cannot be 'a'"),
        ({"where": {"document": "Fery"}}, "did you mean 'Ferry'"),
    ],
)
async def test_what_is_no_search_is_refused_before_it_costs(shelf: Any, box: Sandbox, wrong: dict[str, Any], told: str):
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match=told):
        await done(shelf.search(**{"query": "refund", **wrong}))
    assert len(box.requests) == before


# -- adding -------------------------------------------------------------------------------------------------------


async def test_files_folders_and_texts(qwen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs" / ".hidden").mkdir(parents=True)
    (tmp_path / "docs" / "a.md").write_text(FERRY, encoding="utf-8")
    (tmp_path / "docs" / "b.txt").write_text(ZH, encoding="utf-8")
    (tmp_path / "docs" / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    (tmp_path / "docs" / "empty.txt").write_text(" \n", encoding="utf-8")
    (tmp_path / "docs" / ".hidden" / "c.md").write_text("never", encoding="utf-8")
    shelf = Retriever(qwen)
    given = ["docs", Path("docs/a.md"), "A loose text\0 about lamps.", "", "gone.md", Path("gone"), {"text": "  "}]
    added = await done(shelf.add(given, progress=False))
    assert (added.documents, added.unchanged, added.done, added.total) == (3, 1, 10, 10)
    assert {each.name for each in added.skipped} >= {"docs/broken.pdf", "docs/empty.txt", "gone.md", "gone"}
    assert all(each.reason for each in added.skipped)
    assert added.chunks == len(shelf) == sum(each.chunks for each in await done(shelf.documents()))
    assert added.tokens > 0
    assert added.cost is not None
    assert [each.name for each in await done(shelf.documents())][:2] == ["docs/a.md", "docs/b.txt"]
    await close(shelf)


async def test_adding_again_costs_nothing_and_a_change_replaces(shelf: Any, box: Sandbox):
    before = len(box.requests)
    again = await done(shelf.add(BOOKS, progress=False))
    assert (again.documents, again.unchanged, len(box.requests)) == (0, 3, before)
    changed = {**BOOKS[0], "text": FERRY.replace("14 days", "21 days")}
    added = await done(shelf.add([changed, changed, BOOKS[0]], progress=False))
    assert (added.documents, added.unchanged) == (1, 1)
    assert added.skipped[0].reason == "another document of this call has the same name"
    texts = [each.text for each in await done(shelf.chunks("Ferry"))]
    assert any("21 days" in text for text in texts)
    assert not any("14 days" in text for text in texts)
    assert not (await done(shelf.search("14", how="words"))).rows
    assert {hit.chunk.document for hit in await done(shelf.search("refund", k=50))} == {"Ferry", "渡轮", "Bakery"}


async def test_other_meta_is_a_change_too(shelf: Any):
    await done(shelf.add({**BOOKS[0], "meta": {"year": 1999}}, progress=False))
    assert (await done(shelf.search("refund", where={"year": 1999})))[0].chunk.document == "Ferry"


async def test_a_removed_document_is_gone(shelf: Any):
    count = len(shelf)
    removed = await done(shelf.remove("Ferry"))
    assert removed > 1
    assert len(shelf) == count - removed
    assert "Ferry" not in found(await done(shelf.search("refund ticket", k=50)))
    assert (await done(shelf.add(BOOKS[0], progress=False))).chunks == removed
    assert found(await done(shelf.search("refund", k=1))) == ["Ferry"]


async def test_a_document_is_named_by_its_value_its_name_or_its_path(
    qwen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text(FERRY, encoding="utf-8")
    shelf = Retriever(qwen)
    assert (await done(shelf.add([tmp_path / "docs", "docs"], progress=False))).unchanged == 1
    [held] = await done(shelf.documents())
    assert held.name == "docs/a.md"
    for given in (held, "docs/a.md", tmp_path / "docs" / "a.md", "./docs/a.md"):
        assert len(await done(shelf.chunks(given))) == len((await done(shelf.vectors(given)))[1]) == held.chunks
    assert len(await done(shelf.search("refund", where={"document": str(tmp_path / "docs" / "a.md")}))) == held.chunks
    for wrong, told in (("a.md", "did you mean 'docs/a.md'"), ("zzz", "there is 'docs/a.md'"), (3, "cannot be 3")):
        for asked in (shelf.remove, shelf.chunks, shelf.vectors):
            with pytest.raises(qk.ConfigError, match=told):
                await done(asked(wrong))
    assert await done(shelf.remove(held)) == held.chunks
    with pytest.raises(qk.ConfigError, match="the shelf is empty"):
        await done(shelf.remove(held))
    await close(shelf)


async def test_what_a_shelf_is_split_into_is_kept(qwen: Any, tmp_path: Path):
    shelf = Retriever(qwen, tmp_path / "base.db", size=40, overlap=0)
    text = {"text": "A sentence of some words stands here. " * 30, "title": "long"}
    chunks = (await done(shelf.add(text, progress=False))).chunks
    await close(shelf)
    for same in ({}, {"size": 40}, {"overlap": 0}):
        again = Retriever(qwen, tmp_path / "base.db", **same)
        assert (await done(again.add(text, progress=False))).unchanged == 1
        assert len(again) == chunks
        await close(again)
    for other in ({"size": 400}, {"overlap": 10}):
        with pytest.raises(qk.ConfigError, match="would be split, embedded and paid for again"):
            Retriever(qwen, tmp_path / "base.db", **other)


async def test_a_repr_holds_no_codes_of_a_terminal(qwen: Any):
    shelf = Retriever(qwen)
    await done(shelf.add({"text": "A lamp.", "title": "lamp\x1b[2J\x1b]0;pwn\x07\u202e"}, progress=False))
    hits = await done(shelf.search("lamp"))
    for shown in (repr(hits), repr(hits.rows), repr(hits[0].chunk), repr(await done(shelf.documents())), str(hits)):
        assert "lamp" in shown
        assert not {"\x1b", "\x07", "\u202e"} & {*shown}
    await close(shelf)


@pytest.mark.parametrize("changed", [False, True])
async def test_an_error_keeps_what_was_written_and_the_next_call_goes_on(
    qwen: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changed: bool
):
    monkeypatch.setattr("qwenkit.api.adding.WAVE", 20)
    text = "\n\n".join(
        f"# Part {part}\n\nNote {part} about {['tide', 'bread', 'lamp'][part % 3]}." for part in range(70)
    )
    shelf = Retriever(qwen, tmp_path / "base.db")
    await done(shelf.add({"text": "An older text.", "name": "old"}, progress=False))
    plain, calls = type(shelf)._embedded, []

    def failing(self: Any, texts: list[str], *rest: Any, **more: Any) -> Any:
        calls.append(len(texts))
        if len(calls) == 3:
            raise qk.ServerError("the service broke", status=500)
        return plain(self, texts, *rest, **more)

    monkeypatch.setattr(type(shelf), "_embedded", failing)
    with pytest.raises(qk.ServerError):
        await done(shelf.add({"text": text, "name": "long"}, progress=False))
    assert [each.name for each in await done(shelf.documents())] == ["old"]
    assert all(hit.chunk.document != "long" for hit in await done(shelf.search("Note tide", k=50)))
    if changed:  # what the broken run left is of no use
        text = text.replace("Note 3 ", "Another 3 ")
    added = await done(shelf.add({"text": text, "name": "long"}, progress=False))
    assert (added.documents, added.resumed, added.chunks) == ((1, 0, 70) if changed else (1, 20, 50))
    assert ("Another 3" in (await done(shelf.chunks("long")))[3].text) is changed
    assert [each.place for each in await done(shelf.chunks("long"))] == list(range(70))
    await close(shelf)


async def test_many_are_embedded_in_calls_of_the_models_size(qwen: Any, box: Sandbox):
    shelf = Retriever(qwen, dimensions=64)
    before = len(box.requests)
    await done(shelf.add([f"Note {number}." for number in range(47)], progress=False, concurrency=3))
    sizes = [len(seen.json["input"]) for seen in box.requests[before:]]
    assert sorted(sizes) == [7, 10, 10, 10, 10]
    chunks, vectors = await done(shelf.vectors(most=30))
    assert (len(chunks), vectors.shape) == (30, (30, 64))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    await close(shelf)


@pytest.mark.parametrize("given", [3, b"bytes", [None], {"title": "no text"}, {"text": "x", "colour": "red"}])
async def test_what_is_no_document_is_refused(qwen: Any, given: Any):
    shelf = Retriever(qwen)
    with pytest.raises(qk.ConfigError, match=r"added|dict"):
        await done(shelf.add(given, progress=False))
    await close(shelf)


# -- the file -----------------------------------------------------------------------------------------------------


async def test_a_file_is_there_for_the_next_session(qwen: Any, tmp_path: Path):
    base = tmp_path / "base.db"
    shelf = Retriever(qwen, base, dimensions=256)
    await done(shelf.add(BOOKS, progress=False))
    there = await done(shelf.search("refund"))
    await close(shelf)
    assert [path.name for path in tmp_path.iterdir()] == ["base.db"]
    again = Retriever(qwen, str(base))
    assert (again.model, again.dimensions) == ("text-embedding-v4", 256)
    assert (await done(again.search("refund"))).rows == there.rows
    stats = await done(again.stats())
    assert (stats.documents, stats.chunks, stats.bytes) == (3, len(again), base.stat().st_size)
    assert repr(again) == "Retriever('base.db', model='text-embedding-v4', dimensions=256)"
    await close(again)
    with pytest.raises(qk.ConfigError, match="closed"):
        await done(again.search("refund", how="words"))


async def test_another_model_or_size_is_refused_with_a_cure(qwen: Any, tmp_path: Path):
    shelf = Retriever(qwen, tmp_path / "base.db", dimensions=64)
    await done(shelf.add("A text.", progress=False))
    await close(shelf)
    for other in ({"model": "text-embedding-v3"}, {"dimensions": 128}):
        with pytest.raises(qk.ConfigError, match="or make another shelf"):
            Retriever(qwen, tmp_path / "base.db", **other)


def test_a_file_of_a_newer_format_or_of_something_else_is_refused(client: qk.Client, tmp_path: Path):
    Retriever(client, tmp_path / "base.db").close()
    with sqlite3.connect(tmp_path / "base.db") as base:
        base.execute("INSERT INTO facts VALUES ('format', '2')")
    base.close()
    with pytest.raises(qk.ConfigError, match="written by a newer qwenkit"):
        Retriever(client, tmp_path / "base.db")
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    (tmp_path / "text.db").write_text("no database at all, but a text that is long enough to be read", encoding="utf-8")
    for name in ("other.db", "text.db", "no/such/folder.db"):
        with pytest.raises(qk.ConfigError, match="cannot be used"):
            Retriever(client, tmp_path / name)
    with sqlite3.connect(tmp_path / "other.db") as other:
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,)
    other.close()


async def test_two_writers_are_kept_apart_and_readers_are_not(qwen: Any, tmp_path: Path):
    one, two = (Retriever(qwen, tmp_path / "base.db") for _ in range(2))
    await done(one.add("The first text.", progress=False))
    with one._store.writing():
        for writer in (one, two):
            with pytest.raises(qk.ConfigError, match="is being written by another session"):
                await done(writer.add("Another text.", progress=False))
        assert len(await done(two.search("text"))) == 1
    await done(two.add("Another text.", progress=False))
    assert len(await done(one.search("text", how="vectors"))) == 2
    await done(two.remove(found(await done(two.search("first", k=1)))[0]))
    assert [hit.text for hit in await done(one.search("text", how="vectors"))] == ["Another text."]
    await close(one)
    await close(two)


def test_threads_may_search_at_once_while_another_adds(client: qk.Client, tmp_path: Path):
    shelf = Retriever(client, tmp_path / "base.db", dimensions=64)
    shelf.add([f"Note {number} about the tide." for number in range(40)], progress=False)
    problems: list[BaseException] = []

    def search() -> None:
        try:
            for _ in range(5):
                assert len(shelf.search("tide", k=5)) == 5
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    shelf.add([f"Late note {number} about bread." for number in range(40)], progress=False)
    for thread in threads:
        thread.join()
    assert problems == []
    shelf.close()


async def test_the_loop_is_free_while_a_file_is_read(client: qk.Client):
    shelf = Retriever(client.aio)
    await shelf.add(BOOKS, progress=False)
    assert len(await asyncio.gather(*(shelf.search("refund") for _ in range(8)))) == 8
    await shelf.close()


@pytest.mark.parametrize(
    "where", ["ftp://host/x", 7, "", "http://127.0.0.1:6333", "postgresql://u:pw-77@h/b?table=x;y"]
)
def test_a_place_that_is_none_is_refused(client: qk.Client, where: Any):
    with pytest.raises(qk.ConfigError) as refused:
        Retriever(client, where)
    assert "pw-77" not in f"{refused.value!r} {refused.value}"


def test_who_is_no_client_is_told(client: qk.Client):
    with pytest.raises(qk.ConfigError, match="is no client"):
        Retriever("handbook.db")  # type: ignore[call-overload]
    with pytest.raises(qk.ConfigError, match="overlap cannot be 60"):
        Retriever(client, size=100, overlap=60)
    with pytest.raises(qk.ConfigError, match="no option 'sise' → did you mean 'size'"):
        Retriever(client, sise=300)  # type: ignore[call-overload]
