"""`qwen.knowledge` against the sandbox: both ways, both flavours, and what happens when a run is broken."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from flavours import close, done, hurried

import qwenkit as qk
from qwenkit.api.knowledge.ways import Keyed
from qwenkit.errors import APIError, AuthError, ConfigError, TaskFailed
from qwenkit.sandbox import Sandbox

DATA = Path(__file__).parents[2] / "data"
WAYS = ("openapi", "rag")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One of its own: what lies in a workspace is counted here."""
    with Sandbox(key="sk-sandbox-of-the-loop-tests") as running:
        yield running


def connected(box: Sandbox, **changed: Any) -> qk.Client:
    keys = {"access_key_id": box.access_key_id, "access_key_secret": box.access_key_secret}
    client = qk.Client(**{"api_key": box.key, "base_url": box.url, "workspace": box.workspace, **keys, **changed})
    hurried(client._core)
    client._core.sandbox = True  # the embedded one is looked at without waiting
    return client


@pytest.fixture
async def qwen(box: Sandbox, flavour: str) -> AsyncIterator[Any]:
    client = connected(box)
    yield client if flavour == "sync" else client.aio
    await close(client.aio)


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    return {"record": tmp_path / "record.jsonl", "progress": False}


@pytest.mark.parametrize("way", WAYS)
async def test_a_base_from_files_to_chunks_and_away(qwen: Any, record: Any, way: str):
    files = [DATA / "town", DATA / "handbook.pdf", DATA / "handbook.docx", DATA / "hello.wav"]
    cut = {"overlap": 20} if way == "openapi" else {}
    base = await done(qwen.knowledge.create("town", files, way=way, size=200, tags=["harbour"], **cut, **record))
    assert [stage.name for stage in base.built.failures] == ["hello.wav"]
    assert len(base.built.ready) == 10
    found = await done(base.search("How long may I keep a film?", k=3))
    assert "films and games for one week" in found[0].text
    assert (found[0].document, len(found), found.query) == ("library", 3, "How long may I keep a film?")
    assert found[0].score >= found[1].score > 0
    assert "抽血前八小时" in (await done(base.search("抽血前多长时间不能吃东西？", k=1)))[0].text
    documents = await done(base.documents())
    assert len(documents) == 10
    chunks = await done(base.chunks(next(each for each in documents if each.name == "pool"), most=5))
    assert len(chunks) == 5
    assert (await done(qwen.knowledge.list(way=way)))["town"].id == base.id
    assert (await done(qwen.knowledge.get("town", way=way))).id == base.id
    assert (await done(qwen.knowledge.search("whale", way=way)))[0].text
    await done(base.remove(documents[0]))
    assert len(await done(base.documents())) == 9
    await done(base.delete())
    assert len(await done(qwen.knowledge.list(way=way))) == 0


@pytest.mark.parametrize("way", WAYS)
async def test_the_same_files_again_change_nothing(qwen: Any, box: Sandbox, record: Any, way: str):
    how = {"way": way, **record}
    base = await done(qwen.knowledge.create("twice", [DATA / "town"], **how))
    before = await done(base.documents())
    box.clear_requests()
    again = await done(qwen.knowledge.create("twice", [DATA / "town"], **how))
    report = await done(again.add([DATA / "town"], **record))
    assert again.id == base.id
    assert len(report.ready) == 8
    assert [each.id for each in await done(again.documents())] == [each.id for each in before]
    assert not [seen for seen in box.requests if "lease" in seen.path.lower() or seen.method == "PUT"]
    await done(base.delete())


@pytest.mark.parametrize("way", WAYS)
async def test_a_changed_file_takes_the_place_of_what_it_was(qwen: Any, record: Any, tmp_path: Path, way: str):
    price, other = tmp_path / "price.txt", tmp_path / "more" / "price.txt"
    other.parent.mkdir()
    other.write_text("A kayak costs 40 crowns.", "utf-8")
    for amount in ("5", "9"):
        price.write_text(f"The price of bread is {amount} crowns.", "utf-8")
        base = await done(qwen.knowledge.create("prices", [price, other], way=way, **record))
    assert len(await done(base.documents())) == 2
    assert "9 crowns" in (await done(base.search("the price of bread", k=1)))[0].text
    await done(base.delete())


@pytest.mark.parametrize("way", WAYS)
async def test_tags_are_put_on_files_that_were_there_without_them(qwen: Any, record: Any, tmp_path: Path, way: str):
    for name in ("one", "two"):  # of the same content: what one of them was must not be taken from the other
        (tmp_path / f"{name}.txt").write_text("The kiln burns on Thursdays.", "utf-8")
    files, how = [tmp_path / "one.txt", tmp_path / "two.txt"], {"way": way, **record}
    await done(qwen.knowledge.create("clay", files, **how))
    base = await done(qwen.knowledge.create("clay", files, tags=["clay"], **how))
    names = {each.id: each.name for each in await done(base.documents())}
    tagged = [each for each in await done(qwen.knowledge.files()) if each.id in names]
    assert tagged
    assert all(each.tags == ["clay"] for each in tagged)
    (tmp_path / "one.txt").write_text("The kiln burns on Fridays.", "utf-8")
    base = await done(qwen.knowledge.create("clay", files, tags=["clay"], **how))
    said = [chunk.text for each in await done(base.documents()) for chunk in await done(base.chunks(each))]
    assert sorted(said) == ["The kiln burns on Fridays.", "The kiln burns on Thursdays."]
    await done(base.delete())


async def test_files_that_cannot_be_parsed_do_not_pile_up(qwen: Any, record: Any, tmp_path: Path):
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    for _ in range(2):
        with pytest.raises(TaskFailed, match="no file can be used"):
            await done(qwen.knowledge.create("none", [tmp_path / "broken.pdf"], **record))
        found = await done(qwen.knowledge.files(name="broken"))
    assert len([each for each in found if each.name == "broken.pdf"]) <= 1
    for each in found:
        await done(qwen.knowledge.delete_file(each))


async def test_a_base_that_nobody_remembers_is_known_by_its_documents(qwen: Any, record: Any, tmp_path: Path):
    base = await done(qwen.knowledge.create("known", [DATA / "town"], **record))
    added = await done(base.add([DATA / "town"], record=tmp_path / "another.jsonl", progress=False))
    assert len(added.ready) == len(await done(base.documents())) == 8
    await done(base.delete())


@pytest.mark.parametrize("way", WAYS)
async def test_a_broken_upload_goes_on_where_it_was(qwen: Any, box: Sandbox, record: Any, way: str):
    files, how = [DATA / "town" / f"{name}.md" for name in ("library", "market", "pool")], {"way": way, **record}
    where = "/datacenter/file" if way == "openapi" else "addFile"
    qwen._core.patience = qwen._core.patience.__class__(max_retries=0)
    done_first = await done(qwen.knowledge.create("first", files[:2], **how))
    box.fault("500", times=None, path=where)
    with pytest.raises(APIError):
        await done(qwen.knowledge.create("second", files, **how))
    box.clear_faults()
    box.clear_requests()
    second = await done(qwen.knowledge.create("second", files, **how))
    assert len(second.built.ready) == 3
    leased = [seen for seen in box.requests if seen.method == "PUT" and "datacenter" not in seen.path]
    assert len(leased) == 1  # pool.md alone: what had arrived before was not sent again
    for base in (done_first, second):
        await done(base.delete())


async def test_a_signature_is_made_anew_for_every_try(qwen: Any, box: Sandbox):
    box.fault("503", times=2, path="list_indices")
    await done(qwen.knowledge.list())
    tries = [seen.headers for seen in box.requests if "list_indices" in seen.path]
    assert len(tries) == 3
    assert len({headers["x-acs-signature-nonce"] for headers in tries}) == 3


async def test_secrets_stay_out_of_traces_journal_and_errors(box: Sandbox):
    with connected(box) as client, qk.trace(client) as wire:
        client.knowledge.list()
        client.knowledge.list(way="rag")
        with pytest.raises(APIError) as refused:
            client.apps("0" * 32)("x")
    shown = (
        repr(list(wire)) + str(wire) + wire._repr_mimebundle_()["text/html"] + repr(box.requests) + str(refused.value)
    )
    assert box.access_key_secret not in shown
    assert "Signature=…" in shown
    assert not re.search(r"Signature=[0-9a-f]", shown)
    assert box.access_key_id not in shown
    assert box.key not in shown


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"access_key_secret": "another-secret-altogether"}, AuthError),
        ({"access_key_id": "nobody"}, AuthError),
    ],
)
def test_a_wrong_access_key_is_an_auth_error_with_a_cure(box: Sandbox, changed: Any, kind: type[APIError]):
    with connected(box, **changed) as client, pytest.raises(kind) as refused:
        client.knowledge.list()
    assert "ALIBABA_CLOUD_ACCESS_KEY" in refused.value.hint
    assert "another-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda k: k.create("a name that is far too long", DATA), "1 to 20 characters"),
        (lambda k: k.create("x", "nowhere.pdf"), "there is no file"),
        (lambda k: k.create("x", []), "there are no files"),
        (lambda k: k.create("x", DATA / "handbook.md", split="words"), "smart or length"),
        (lambda k: k.create("x", DATA / "handbook.md", split="regex"), "go together"),
        (lambda k: k.create("x", DATA / "handbook.md", size=100, overlap=100), "smaller than size"),
        (lambda k: k.create("x", DATA / "handbook.md", chunk_size=100), "called size"),
        (lambda k: k.create("x", DATA / "handbook.md", way="ftp"), "openapi"),
        (lambda k: k.create("x", DATA / "handbook.md", record=DATA), "cannot be read"),
        (lambda k: k.create("x", DATA / "handbook.md", timeout="soon"), "timeout cannot be"),
        (lambda k: k.create("x", DATA / "handbook.md", metadata=["author"]), "metadata cannot be"),
        (lambda k: k.create("x", DATA / "handbook.md", extra=5), "extra cannot be"),
        (lambda k: k.create("x", DATA / "handbook.md", record=5), "record cannot be"),
        (lambda k: k.create("x", "a" * 5000), "there is no file"),
        (lambda k: k.search("x", base="nothing"), "no knowledge base 'nothing'"),
        (lambda k: k.search("", base="nothing"), "the query cannot be"),
        (lambda k: k.get("nothing"), "there is no knowledge base"),
    ],
)
async def test_what_cannot_be_is_told_in_one_line(qwen: Any, call: Any, told: str):
    with pytest.raises(ConfigError, match=told):
        await done(call(qwen.knowledge))


async def test_files_that_cannot_be_used_are_told_one_by_one(qwen: Any, record: Any, tmp_path: Path):
    (tmp_path / "empty.txt").write_bytes(b"")
    long = f"{'a' * 130}.md"
    (tmp_path / long).write_text("text", "utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    files = [tmp_path / name for name in ("empty.txt", long, "broken.pdf")]
    with pytest.raises(TaskFailed, match="no file can be used") as failed:
        await done(qwen.knowledge.create("bad", files, **record))
    told = {stage.name: stage.error for stage in failed.value.task.files}
    assert "empty" in told["empty.txt"]
    assert "4 to 128 characters" in told[long]
    assert told["broken.pdf"]


async def test_an_application_answers_from_a_base_and_from_a_file_of_ones_own(
    qwen: Any, box: Sandbox, record: Any, tmp_path: Path
):
    base = await done(qwen.knowledge.create("rooms", [DATA / "town"], **record))
    tutor = qwen.apps(box.apps["tutor"])
    reply = await done(tutor("How long may I keep a film?", knowledge=base, thoughts=True))
    assert "one week" in reply.words
    assert reply.cited
    notes = tmp_path / "notes.md"
    notes.write_text("# Rooms\n\nThe blue room has nineteen chairs.\n", "utf-8")
    assert "nineteen" in (await done(tutor("How many chairs has the blue room?", files=[notes]))).words
    await done(base.delete())


async def test_a_file_that_was_changed_is_sent_and_what_is_hidden_is_not(qwen: Any, record: Any, tmp_path: Path):
    folder = tmp_path / "notes"
    (folder / ".ipynb_checkpoints").mkdir(parents=True)
    (folder / ".ipynb_checkpoints" / "rooms-checkpoint.md").write_text("an old word", "utf-8")
    (folder / "rooms.md").write_text("The blue room has 19 chairs.", "utf-8")
    base = await done(qwen.knowledge.create("changing", folder, **record))
    assert [stage.name for stage in base.built.files] == ["rooms.md"]
    (folder / "rooms.md").write_text("The blue room has 20 chairs.", "utf-8")
    assert len((await done(base.add(folder, **record))).ready) == 1
    texts = [node.text for node in await done(base.search("How many chairs has the blue room?"))]
    assert any("20 chairs" in text for text in texts)
    await done(base.delete())


async def test_options_that_would_do_nothing_are_refused(qwen: Any, record: Any):
    base = await done(qwen.knowledge.create("strict", DATA / "handbook.md", **record))
    with pytest.raises(ConfigError, match=r"base\.add has no option 'embedding'"):
        await done(base.add(DATA / "handbook.md", embedding="text-embedding-v4", **record))
    with pytest.raises(ConfigError, match="most"):
        await done(base.chunks("file_1", most=0))
    for filters in ({"a": {1}}, {"a": "\ud800"}):
        with pytest.raises(ConfigError, match="cannot be sent"):
            await done(base.search("films", filters=filters))
    with pytest.raises(ConfigError, match="no knowledge base 'nothing'"):
        (await done(qwen.knowledge.list()))["nothing"]
    assert (await done(base.add([DATA / "town" / "pool.md"], split="smart", **record))).ready
    await done(base.delete())


async def test_a_time_out_holds_for_parsing_too(qwen: Any, record: Any):
    with pytest.raises(TaskFailed, match="no file can be used") as failed:
        await done(qwen.knowledge.create("hurry", DATA / "handbook.md", timeout=0, **record))
    assert "after 0 s" in failed.value.task.files[0].error


def test_a_page_that_is_shorter_than_asked_is_not_asked_for_again(box: Sandbox):
    pages = {1: ["a"], 2: ["b", "c"], 3: []}

    class Short(Keyed):
        def ask(self, name: str, /, extra: Any = None, **given: Any) -> Any:
            yield from ()
            return pages[given["page"]]

    flow = Short(connected(box)._core)._all(lambda page: (page, 4), "bases", 2)
    with pytest.raises(StopIteration) as over:
        next(flow)
    assert over.value.value == ["a", "b", "c"]
