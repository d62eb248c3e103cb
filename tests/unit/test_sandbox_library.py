"""The sandbox's library without any wire: uploads, files, knowledge bases, and what is left after a restart."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from held_up_library import held_up
from made_documents import docx, paragraph, pdf

from qwenkit.sandbox.knowledge import filing, indexing, working
from qwenkit.sandbox.knowledge.chunks import Chunks
from qwenkit.sandbox.knowledge.library import Library, Settings, Wish, Wrong
from qwenkit.sandbox.knowledge.values import SESSION_FILE, Column
from qwenkit.sandbox.store import Store

BOATS, DOGS = "## Boats\n\nBoats are hired by the hour at the north pier.", "## Dogs\n\nDogs are welcome."
GUIDE = f"# Guide\n\nA short guide.\n\n{BOATS}\n\n{DOGS}"
ZH = "# 指南\n\n## 失物\n\n失物在办公室保管六十天。\n\n## 票价\n\n成人四元，儿童两元。"


@pytest.fixture
def library() -> Library:
    return Library(Store())


def put(library: Library, name: str, text: str | bytes, now: float = 0.0, **told: Any) -> str:
    data = text.encode() if isinstance(text, str) else text
    lease = library.lease("default", name, len(data), told.get("kind", "UNSTRUCTURED"), now)
    library.upload(lease.id, data, now)
    file = library.add_file(lease.id, now=now, **told).id
    library._works.wait()
    return file


def base(library: Library, *files: str, name: str = "base", **settings: Any) -> str:
    index = library.create_index(name, files, settings=Settings(**settings))
    submitted(library, index.id)
    return index.id


def submitted(library: Library, index: str) -> str:
    job = library.submit(index).id
    library._works.wait()
    return job


def texts(library: Library, index: str, query: str, **wish: Any) -> list[str]:
    return [node.text for node in library.search([index], query, Wish(**wish))]


# uploads and files


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("UNSTRUCTURED", ["PARSING", "PARSE_SUCCESS", "PARSE_SUCCESS"]),
        (SESSION_FILE, ["PARSING", "INDEX_BUILDING", "FILE_IS_READY"]),
    ],
)
def test_a_file_goes_through_its_states_as_it_is_looked_at(library: Library, kind: str, states: list[str]):
    file = put(library, "guide.md", GUIDE, kind=kind)
    assert file.startswith("file_session_" if kind == SESSION_FILE else "file_")
    assert library.file(file, look=False).status == "INIT"
    assert [library.file(file).status for _ in states] == states
    assert library.text(file) == GUIDE


def test_a_state_goes_on_with_time_too(library: Library):
    file = put(library, "guide.md", GUIDE)
    assert [each.status for each in library.files(now=100.0)] == ["PARSE_SUCCESS"]
    session = put(library, "guide.md", GUIDE, kind=SESSION_FILE)
    assert library.session_file(session, 100.0).name == "guide.md"
    assert library.file(session, 90_000.0).status == "FILE_EXPIRED"
    for refused, now in ((session, 90_000.0), (session, 1.0), (file, 100.0), ("file_session_no", 0.0)):
        with pytest.raises(Wrong, match="not ready"):
            library.session_file(refused, now)


@pytest.mark.parametrize(
    ("name", "data"), [("blank.txt", b" \n "), ("bad.pdf", b"%PDF-1.4 broken"), ("dead.docx", b"PK??")]
)
def test_a_file_without_text_fails_and_says_why(library: Library, name: str, data: bytes):
    file = put(library, name, data)
    library.file(file)
    found = library.file(file)
    assert found.status == "PARSE_FAILED"
    assert found.error.startswith("File ")
    index = base(library, file)
    document = library.documents(index)[0]
    assert (document.status, document.code) == ("INSERT_ERROR", "Index.Document.ChunkError")
    assert document.message == found.error
    assert library.delete_documents(index, [file]) == [file]


def test_a_file_of_too_many_chunks_is_refused_whole(library: Library, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(indexing, "MOST_CHUNKS", 60)
    index = base(library, put(library, "many.md", "# a\n\nb\n\n" * 200), put(library, "guide.md", GUIDE))
    told = {each.stem: (each.status, each.message) for each in library.documents(index)}
    assert told == {"many": ("INSERT_ERROR", "The file makes more than 60 chunks."), "guide": ("FINISH", "")}
    assert library.count_chunks(index) == 3


@pytest.mark.parametrize(
    ("name", "size", "code", "told"),
    [
        ("a.m", 1, "InvalidParameter", "4 to 128"),
        ("readme", 1, "InvalidParameter", "4 to 128"),
        (f"{'a' * 130}.md", 1, "InvalidParameter", "4 to 128"),
        ("../a.md", 1, "InvalidParameter", "not a path"),
        ("prog.exe", 1, "InvalidParameter", "'exe' are not supported"),
        ("a.html", 0, "InvalidParameter", "at least one byte"),
        ("a.html", 10_000_001, "DataCenter.FileTooLarge", "10 MB"),
        ("a.docx", 150_000_001, "DataCenter.FileTooLarge", "150 MB"),
    ],
)
def test_a_lease_is_refused(library: Library, name: str, size: int, code: str, told: str):
    with pytest.raises(Wrong, match=told) as refused:
        library.lease("default", name, size)
    assert (refused.value.code, refused.value.status) == (code, 400)


def test_an_upload_has_its_time_and_its_lease(library: Library):
    lease = library.lease("default", "guide.md", 10, now=1_000.0)
    with pytest.raises(Wrong, match="Access your uploaded file failed"):
        library.add_file(lease.id, now=1_000.0)
    with pytest.raises(Wrong, match="expired") as late:
        library.upload(lease.id, b"x", 1_601.0)
    assert late.value.status == 403
    with pytest.raises(Wrong, match="no lease"):
        library.upload("nothing", b"x", 0.0)
    library.upload(lease.id, b"first", 1_100.0)
    library.upload(lease.id, b"second", 1_200.0)
    with pytest.raises(Wrong, match="Category is mismatched"):
        library.add_file(lease.id, "default", SESSION_FILE, now=1_200.0)
    with pytest.raises(Wrong, match="Parser"):
        library.add_file(lease.id, parser="MINE", now=1_200.0)
    file = library.add_file(lease.id, now=1_000.0 + 11 * 3600, url="https://harbour.example/guide")
    assert (library.text(file.id), file.size, file.url) == ("second", 6, "https://harbour.example/guide")
    with pytest.raises(Wrong, match="LeaseId"):
        library.add_file(lease.id, now=1_200.0)
    library.lease_of = lambda name: lease  # type: ignore[method-assign]  # as a call sees it that comes at the same time
    with pytest.raises(Wrong, match="Access your uploaded file failed"):
        library.add_file(lease.id, now=1_200.0)


def test_what_was_uploaded_waits_half_a_day_and_no_longer(library: Library):
    lease = library.lease("default", "guide.md", 10, now=0.0)
    library.upload(lease.id, b"x", 0.0)
    with pytest.raises(Wrong, match="Access your uploaded file failed"):
        library.add_file(lease.id, now=13 * 3600.0)


@pytest.mark.parametrize("tags", [["a b"], ["x" * 33], ["t"] * 101, [""], [f"{n}" * 32 for n in range(9)] * 3])
def test_tags_have_their_limits(library: Library, tags: list[str]):
    with pytest.raises(Wrong, match="Tags"):
        put(library, "guide.md", GUIDE, tags=tags)


def test_tags_are_kept_and_changed(library: Library):
    file = put(library, "guide.md", GUIDE, tags=["港口", "a_b-1"])
    assert library.file(file).tags == ["港口", "a_b-1"]
    assert library.retag(file, ["new", "new"]).tags == ["new"]
    assert library.text(file) == GUIDE


def test_categories_are_made_listed_and_deleted(library: Library):
    town = library.category("town")
    part = library.category("part", town.id)
    assert library.category("town") == town
    assert [each.name for each in library.categories()] == ["Default", "town", "part"]
    assert library.categories(parent=town.id) == [part]
    lease = library.lease(part.id, "guide.md", 5)
    library.upload(lease.id, b"hello", 0.0)
    file = library.add_file(lease.id, part.id)
    assert [each.id for each in library.files(part.id, "GUIDE")] == [file.id]
    assert library.files("default") == library.files(part.id, "no") == []
    for name in ("default", town.id, part.id, "cate_none"):
        with pytest.raises(Wrong, match="CategoryId"):
            library.delete_category(name)
    with pytest.raises(Wrong, match="INIT cannot be deleted"):
        library.delete_file(file.id, 0.0)
    library.delete_file(file.id, 100.0)
    assert library.delete_category(part.id) == part
    with pytest.raises(Wrong, match="no category"):
        library.lease(part.id, "guide.md", 5)


def test_parsers_are_chosen_by_category_and_format(library: Library):
    library.change_parse_setting("default", "pdf", "DOCMIND_DIGITAL")
    assert library.parse_settings()["pdf"] == ("DOCMIND_DIGITAL", "")
    with pytest.raises(Wrong, match="Parser"):
        library.change_parse_setting("default", "mp3", "DOCMIND")


# indexes


def test_a_job_is_pending_then_running_then_done(library: Library):
    file = put(library, "guide.md", GUIDE)
    index = library.create_index("guide", [file])
    assert library.search([index.id], "boats") == []
    job = submitted(library, index.id)
    looks = [library.job(index.id, job) for _ in range(3)]
    assert [each.status for each in looks] == ["PENDING", "RUNNING", "COMPLETED"]
    assert [each.documents[0].status for each in looks] == ["RUNNING", "RUNNING", "FINISH"]
    later = submitted(library, index.id)
    assert library.job(index.id, later, 100.0).status == "COMPLETED"
    assert later != job
    assert library.count_chunks(index.id) == 3


def test_ids_come_in_the_same_order_in_every_sandbox(library: Library):
    def ids(one: Library) -> list[str]:
        file = put(one, "guide.md", GUIDE)
        index = one.create_index("guide", [file])
        return [file, index.id, one.submit(index.id).id, one.category("town").id]

    again = ids(Library(Store()))
    assert ids(library) == again
    assert ids(library)[0] != again[0]
    assert len(again[1]) == 10
    assert again[1].isalnum()


ENDLESS = ("(a+)+b", "(a|a)*b", "((a|a))*b", "(a?){40}b", "a?" * 30 + "a" * 30)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"mode": "h9"}, "ChunkMode"),
        ({"size": 0}, "ChunkSize"),
        ({"size": 6001}, "ChunkSize"),
        ({"size": 50}, "OverlapSize"),
        ({"size": 200, "overlap": 200}, "OverlapSize"),
        ({"overlap": 1025, "size": 2000}, "OverlapSize"),
        ({"mode": "regex"}, "Separator"),
        ({"mode": "regex", "separator": "("}, "Separator"),
        *(({"mode": "regex", "separator": each}, "Separator") for each in ENDLESS),
        ({"min_score": 0.0}, "RerankMinScore"),
        ({"rerank_mode": "best"}, "RerankMode"),
        ({"structure": "odd"}, "StructureType"),
        ({"source": "ODD"}, "SourceType"),
        ({"dense": 101}, "DenseSimilarityTopK"),
        ({"description": "x" * 1001}, "Description"),
        ({"columns": [Column("a b")]}, "metaExtractColumns"),
        ({"columns": [Column("a", "odd")]}, "metaExtractColumns"),
        ({"columns": [Column("a", "regular", "(x*)*")]}, "metaExtractColumns"),
    ],
)
def test_settings_of_an_index_have_their_limits(library: Library, settings: dict[str, Any], told: str):
    with pytest.raises(Wrong, match=told) as refused:
        library.create_index("base", settings=Settings(**settings))
    assert refused.value.code == "Index.InvalidParameter"


@pytest.mark.parametrize("name", ["", "x" * 21, "a b", "a/b"])
def test_names_of_an_index_have_their_limits(library: Library, name: str):
    with pytest.raises(Wrong, match="Name"):
        library.create_index(name)
    library.create_index("渡轮_a-1.2:")


def test_an_index_is_found_changed_and_deleted(library: Library):
    file = put(library, "guide.md", GUIDE)
    first, second = base(library, file), base(library, file)
    assert [each.id for each in library.indexes()] == [second, first]
    changed = library.update_index(first, "renamed", min_score=0.5, description="told")
    assert (changed.name, changed.settings.min_score, changed.settings.size) == ("renamed", 0.5, 500)
    library.delete_index(first)
    library.delete_index(first)
    assert [each.id for each in library.indexes()] == [second]
    assert library.count_chunks(first) == 0
    assert texts(library, second, "boats by the hour")
    for call in (library.index, library.submit, library.chunks, lambda name: library.search([name], "x")):
        with pytest.raises(Wrong, match="no knowledge base"):
            call(first)
    with pytest.raises(Wrong, match="data_sources"):
        library.submit(library.create_index("none", settings=Settings(source="")).id)
    with pytest.raises(Wrong, match="JobId"):
        library.job(second, "nothing")


def test_documents_are_added_done_anew_and_taken_out(library: Library):
    guide, zh = put(library, "guide.md", GUIDE), put(library, "指南.md", ZH)
    index = base(library, guide)
    library.add_documents(index, [zh, guide], settings=Settings(mode="length"))
    library._works.wait()
    assert [each.stem for each in library.documents(index)] == ["guide", "指南"]
    assert library.count_chunks(index, guide) == 1
    library.delete_file(zh, 100.0)
    assert "失物" in texts(library, index, "失物")[0]
    assert library.delete_documents(index, [zh, "file_none"]) == [zh]
    assert library.count_chunks(index) == 1
    assert not any("失物" in text for text in texts(library, index, "失物"))
    with pytest.raises(Wrong, match="DocumentIds"):
        library.add_documents(index)
    with pytest.raises(Wrong, match="FileId"):
        library.add_documents(index, ["file_none"])


def test_a_category_gives_all_its_files(library: Library):
    for name in ("one.md", "two.md"):
        put(library, name, GUIDE)
    index = library.create_index("all", categories=["default"], settings=Settings(source="DATA_CENTER_CATEGORY"))
    assert [each.name for each in library.submit(index.id).documents] == ["one.md", "two.md"]


def test_chunks_are_added_changed_hidden_and_deleted(library: Library):
    file = put(library, "guide.md", GUIDE, url="https://harbour.example/guide")
    index = base(library, file)
    boats = library.chunks(index, file, 1, 1)[0]
    assert boats.metadata["doc_name"] == "guide"
    assert boats.metadata["hier_title"] == "Guide > Boats"
    assert boats.metadata["doc_url"] == "https://harbour.example/guide"
    assert boats.metadata["_id"] == f"llm-sandbox_{index}_{file}_0_1"
    assert "Kayaks" not in "".join(texts(library, index, "kayaks", sparse=0))
    made = library.add_chunk(index, file, "Kayaks are hired by the day.", "Kayaks")
    assert texts(library, index, "kayaks")[0] == texts(library, index, "kayaks", sparse=0)[0] == made.text
    library.update_chunk(index, file, made.metadata["_id"], "Canoes are hired by the week.")
    assert texts(library, index, "canoes")[0] == "Canoes are hired by the week."
    library.update_chunk(index, file, boats.metadata["_id"], shown=False)
    for words in ({}, {"sparse": 0}):
        assert boats.text not in texts(library, index, "boats hired by the hour", top=20, **words)
    assert [each.metadata["is_displayed_chunk_content"] for each in library.chunks(index)][1] == "false"
    library.update_chunk(index, file, boats.metadata["_id"], shown=True)
    assert texts(library, index, "boats hired by the hour")[0] == boats.text
    library.delete_chunks(index, [boats.metadata["_id"], made.metadata["_id"]])
    assert library.count_chunks(index) == 2
    for call in (
        lambda: library.update_chunk(index, file, boats.metadata["_id"], "long enough to be one"),
        lambda: library.add_chunk(index, file, "short"),
        lambda: library.add_chunk(index, file, "long enough to be one", "t" * 51),
        lambda: library.add_chunk(index, "file_none", "long enough to be one"),
        lambda: library.delete_chunks(index, ["x"] * 11),
    ):
        with pytest.raises(Wrong):
            call()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("guide.txt", GUIDE.replace("#", "").encode()),
        ("guide.html", b"<h1>Guide</h1><script>alert(1)</script><p>Boats are hired by the hour.</p>"),
        ("guide.docx", docx(paragraph("Guide", "Heading1") + paragraph("Boats are hired by the hour."))),
        ("guide.pdf", pdf("Guide\nBoats are hired by the hour.", "A second page.")),
        ("guide.csv", b"what,how\nBoats,hired by the hour\n"),
    ],
)
def test_documents_of_every_format_are_found(library: Library, name: str, data: bytes):
    index = base(library, put(library, name, data))
    assert "hired by the hour" in texts(library, index, "How are boats hired?")[0]


def test_a_table_is_filtered_by_its_columns(library: Library):
    file = put(library, "fares.csv", "who,fare,doc_id\nadult,4.20,x\nchild,2.10,x\ndog,1.00,x\n")
    index = base(library, file, structure="structured")
    found = library.search([index], "fare", Wish(filters=[{"fare": {"lt": 3}}], min_score=0.01))
    assert sorted(node.metadata["who"] for node in found) == ["child", "dog"]
    assert {node.metadata["doc_id"] for node in found} == {file}  # a document cannot say what it is
    with pytest.raises(Wrong, match="no more documents"):
        library.add_documents(index, [file])


def test_a_shelf_is_made_once(library: Library):
    documents = {"guide.md": GUIDE.encode(), "指南.md": ZH.encode()}
    assert library.shelve("sandbox-documents", documents, 5.0) == "sandbox-documents"
    library.shelve("sandbox-documents", documents, 6.0)
    assert [each.status for each in library.documents("sandbox-documents")] == ["FINISH"] * 2
    assert "失物在办公室" in texts(library, "sandbox-documents", "失物")[0]
    assert len(library.files()) == 2


# long work, and what outlives a sandbox


def test_long_work_is_done_beside(library: Library, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(working, "SHORT", 0)
    gate, add = threading.Event(), Chunks.add

    def slow(self: Chunks, chunks: Any) -> None:
        gate.wait(20)
        add(self, chunks)

    monkeypatch.setattr(Chunks, "add", slow)
    file = put(library, "guide.md", GUIDE)
    index = library.create_index("guide", [file])
    job = library.submit(index.id)
    assert [library.job(index.id, job.id).status for _ in range(3)] == ["PENDING", "RUNNING", "RUNNING"]
    assert library.search([index.id], "boats") == library.delete_documents(index.id, [file]) == []
    gate.set()
    library._works.wait(job.id)
    assert library.job(index.id, job.id).status == "COMPLETED"
    assert library.count_chunks(index.id) == 3


def test_a_small_file_that_takes_long_is_not_waited_for(library: Library, monkeypatch: pytest.MonkeyPatch):
    gate, read = threading.Event(), filing.read
    monkeypatch.setattr(working, "PATIENCE", 0.01)
    monkeypatch.setattr(filing, "read", lambda *given: gate.wait(20) and read(*given))
    lease = library.lease("default", "guide.md", 5)
    library.upload(lease.id, GUIDE.encode(), 0.0)
    file = library.add_file(lease.id).id
    assert [library.file(file).status for _ in range(4)] == ["PARSING"] * 4
    index = library.create_index("guide", [file]).id
    job = library.submit(index).id
    assert [library.job(index, job).status for _ in range(3)] == ["PENDING", "RUNNING", "RUNNING"]
    gate.set()
    library._works.wait()
    assert library.file(file).status == "PARSE_SUCCESS"
    assert library.job(index, job).status == "COMPLETED"
    assert texts(library, index, "boats by the hour")[0] == BOATS


def test_an_index_deleted_while_it_is_filled_leaves_nothing(library: Library, monkeypatch: pytest.MonkeyPatch):
    begun, gate = held_up(monkeypatch)
    index = library.create_index("guide", [put(library, "guide.md", GUIDE)])
    job = library.submit(index.id)
    assert begun.wait(20)
    library.delete_index(index.id)
    gate.set()
    library._works.wait(job.id)
    assert library.count_chunks(index.id) == 0


def test_a_file_deleted_before_its_turn_fails_its_document(library: Library, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(working, "SHORT", 0)
    file = put(library, "guide.md", GUIDE)
    library._works.wait()
    index = library.create_index("guide", [file])
    with library._writing:
        job = library.submit(index.id)
        library._store.run("DELETE FROM kb_files WHERE id = ?", file)
    library._works.wait(job.id)
    assert [each.message for each in library.documents(index.id)] == ["The file was deleted."]


def test_a_job_that_a_stopped_sandbox_left_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    store = Store(tmp_path / "kept.db")
    library = Library(store)
    index = library.create_index("guide", [put(library, "guide.md", "A sentence of the guide. " * 5_000)])
    add, calls = Chunks.add, list[int]()

    def dying(self: Chunks, chunks: Any) -> None:
        calls.append(len(chunks))
        if len(calls) > 1:
            store.close()
        add(self, chunks)

    monkeypatch.setattr(Chunks, "add", dying)
    with pytest.raises(sqlite3.ProgrammingError):
        library.submit(index.id)
    monkeypatch.setattr(Chunks, "add", add)
    store = Store(tmp_path / "kept.db")
    job, again = store.run("SELECT id FROM kb_jobs")[0][0], Library(store)
    assert again.count_chunks(index.id) == 50
    assert again.search([index.id], "guide") == []
    again.job(index.id, job)
    again._works.wait()
    assert [again.job(index.id, job).status for _ in range(2)][-1] == "COMPLETED"
    places = [node.metadata["_id"] for node in again.chunks(index.id)]
    assert len(places) == len(set(places)) > 50
    assert again.search([index.id], "guide")


def test_everything_is_there_after_a_restart(tmp_path: Path):
    store = Store(tmp_path / "kept.db")
    library = Library(store)
    waiting = library.lease("default", "later.md", 5)
    library.upload(waiting.id, b"later", 0.0)
    session = put(library, "mine.md", GUIDE, kind=SESSION_FILE)
    town = library.category("town")
    index = base(library, put(library, "指南.md", ZH, tags=["zh"]), columns=[Column("origin", value="town hall")])
    before = library.search([index], "失物保管多久", Wish(tags=["zh"]))
    store.close()
    again = Library(Store(tmp_path / "kept.db"))
    assert again.search([index], "失物保管多久", Wish(tags=["zh"])) == before
    assert before[0].metadata["origin"] == "town hall"
    assert again.session_file(session, 200.0).name == "mine.md"
    assert again.category("town") == town
    assert again.text(again.add_file(waiting.id).id) == "later"
    fresh: Callable[[], str] = lambda: put(again, "new.md", GUIDE)
    assert len({session, fresh(), fresh()}) == 3
