"""`qwen.files` against the sandbox: upload, look, list, delete, and what goes wrong, in both flavours."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import pytest
from flavours import done

import qwenkit as qk
from qwenkit.api.files import FileCalls, Files
from qwenkit.display import watching
from qwenkit.errors import ConfigError, TaskFailed
from qwenkit.protocol.flow import Answer, Pause
from qwenkit.protocol.retry import Patience
from qwenkit.sandbox import Sandbox, app, files, journal
from qwenkit.sandbox.store import Store
from qwenkit.types.files import FileList, StoredFile

NOTES = b"The gate of the harbour is green. The ferry leaves at nine."


async def test_a_path_bytes_and_an_open_file_become_the_same_upload(qwen: Any, box: Sandbox, tmp_path: Path):
    path = tmp_path / "notes.txt"
    path.write_bytes(NOTES)
    with path.open("rb") as opened:
        for source, name in ((path, ""), (str(path), ""), (NOTES, "notes.txt"), (opened, "")):
            file = await done(qwen.files.upload(source, name=name))
            assert isinstance(file, StoredFile)
            assert (file.filename, file.bytes, file.purpose, file.status) == (
                "notes.txt",
                59,
                "file-extract",
                "processed",
            )
            assert file.id.startswith("file-fe-")
    bodies = {seen.body for seen in box.requests[-4:]}
    assert len(bodies) == 1
    assert NOTES in bodies.pop()


async def test_an_open_file_is_read_from_where_it_stands(qwen: Any, box: Sandbox):
    source = io.BytesIO(b"skip this. " + NOTES)
    source.seek(11)
    assert (await done(qwen.files.upload(source, name="notes.txt"))).bytes == len(NOTES)
    assert NOTES in box.requests[-1].body


@pytest.mark.parametrize("fault", ["reset", "500", "429"])
async def test_an_upload_is_sent_again_from_its_beginning(qwen: Any, box: Sandbox, fault: str):
    box.fault(fault, path="/files")
    file = await done(qwen.files.upload(io.BytesIO(NOTES), name="notes.txt"))
    assert file.bytes == len(NOTES)
    assert box.requests[-1].body == box.requests[-2].body


async def test_a_name_of_any_letters_arrives(qwen: Any):
    file = await done(qwen.files.upload(NOTES, name='渡轮 "1".txt'))
    assert file.filename == '渡轮 "1".txt'.replace('"', "%22")  # as browsers write it


async def test_a_file_is_looked_at_listed_and_deleted(qwen: Any, box: Sandbox):
    file = await done(qwen.files.upload(NOTES, name="a.txt"))
    assert await done(qwen.files.get(file)) == await done(qwen.files.get(file.id)) == file
    listed = await done(qwen.files.list(purpose="file-extract"))
    assert isinstance(listed, FileList)
    assert listed[0] == file
    assert await done(qwen.files.delete(file)) is None
    assert file not in list(await done(qwen.files.list()))
    with pytest.raises(qk.NotFound, match="No such File"):
        await done(qwen.files.get(file))


async def test_a_long_list_is_fetched_page_by_page(qwen: Any, box: Sandbox):
    files = [await done(qwen.files.upload(NOTES, name=f"{n}.txt", purpose="fine-tune")) for n in range(5)]
    before = len(box.requests)
    listed = await done(qwen.files.list(purpose="fine-tune", limit=2))
    assert [each.id for each in listed][:5] == [each.id for each in reversed(files)]
    pages = [seen.query for seen in box.requests[before:]]
    assert len(pages) >= 3
    assert pages[1]["after"] == listed[1].id
    for file in listed:
        await done(qwen.files.delete(file))
    assert list(await done(qwen.files.list(purpose="fine-tune"))) == []


async def test_a_list_can_be_cut_by_time(qwen: Any):
    await done(qwen.files.upload(NOTES, name="a.txt"))
    assert len(await done(qwen.files.list(create_after="2020-01-01"))) > 0
    assert len(await done(qwen.files.list(create_before="20200101"))) == 0
    with pytest.raises(qk.InvalidRequest, match="is not a time"):
        await done(qwen.files.list(create_after="yesterday"))


async def test_a_long_document_is_read_beside_the_service_and_waited_for(qwen: Any):
    file = await done(qwen.files.upload(NOTES * 8000, name="long.txt", progress=False))
    assert file.status in ("processing", "processed")
    ready = await done(qwen.files.wait(file))
    assert ready.processed
    assert ready.id == file.id


async def test_a_document_that_never_gets_ready_is_given_up(client: qk.Client):
    client._core = copy.copy(client._core)
    now, pauses = 0.0, list[float]()
    client._core.accounts.clock = lambda: now
    client._core.patience = Patience()
    flow = FileCalls.wait.flow(Files(client._core), "file-fe-1", timeout=1)
    answer, step = Answer(200, {}, b'{"id": "file-fe-1", "status": "processing"}'), next(flow)
    with pytest.raises(TaskFailed, match="is processing after 1 s"):  # noqa: PT012 - it raises when the time is over
        while True:
            if isinstance(step, Pause):
                now += step.seconds
                pauses.append(step.seconds)
            step = flow.send(None if isinstance(step, Pause) else answer)
    assert pauses == [0.2, 0.5]


async def test_files_and_jobs_outlive_the_sandbox_that_keeps_them_in_a_file(tmp_path: Path):
    with (
        Sandbox(data=tmp_path / "state.db", key="sk-first") as box,
        qk.Client(api_key=box.key, base_url=box.url) as qwen,
    ):
        file = qwen.files.upload(NOTES, name="notes.txt")
        job = qwen.batches.submit(["What is 2 plus 2?"], model="qwen-flash")
        qwen.batches.get(job)
    with (
        Sandbox(data=tmp_path / "state.db", key="sk-second") as box,
        qk.Client(api_key=box.key, base_url=box.url) as qwen,
    ):
        assert "green" in qwen.files.ask("Which colour is the gate?", file).text
        assert "4" in qwen.batches.results(qwen.batches.wait(job, poll=0.001, progress=False))[0].text


def test_a_document_that_a_stopped_sandbox_left_unread_is_read_by_the_next():
    shelf = files.Files(store := Store())
    file = shelf.add("notes.txt", NOTES, "file-extract", "seed", 0.0)
    store.run("UPDATE files SET status = 'processing', text = ''")
    assert shelf.get(file.id) == file


@pytest.mark.parametrize(
    ("source", "name", "hint"),
    [
        ("nowhere.pdf", "", "No such file"),
        (Path(__file__).parent, "", "Is a directory"),
        ("null\0.pdf", "", "check the path"),
        (b"text", "", "name="),
        (io.BytesIO(b"text"), "", "name="),
        (17, "", "pass a path"),
        (io.StringIO("text"), "a.txt", "pass a path"),
    ],
)
async def test_what_cannot_be_uploaded_is_said_before_anything_is_sent(
    qwen: Any, box: Sandbox, source: Any, name: str, hint: str
):
    before = len(box.requests)
    with pytest.raises(ConfigError, match=hint):
        await done(qwen.files.upload(source, name=name))
    assert len(box.requests) == before


async def test_the_service_refuses_purposes_sizes_and_empty_files(qwen: Any, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(qk.InvalidRequest, match="'purpose' should be one of"):
        await done(qwen.files.upload(NOTES, name="a.txt", purpose="assistants"))
    with pytest.raises(qk.InvalidRequest, match="empty"):
        await done(qwen.files.upload(b"", name="a.txt"))
    monkeypatch.setattr(files, "LARGEST_PICTURE", 10)
    with pytest.raises(qk.InvalidRequest, match="A picture may have"):
        await done(qwen.files.upload(NOTES, name="a.png"))
    monkeypatch.setattr(app, "LARGEST_UPLOAD", 100)
    with pytest.raises(qk.InvalidRequest, match="Too Large"):
        await done(qwen.files.upload(NOTES * 3, name="a.txt"))


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("application/json", b"{}", "must be multipart"),
        ("multipart/form-data; boundary=x", b"--y\r\nnonsense", "must be multipart"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nno file',
            "file",
        ),
        ("multipart/form-data; boundary=x", b"--x--\r\n", r"parameter\(file\)"),
    ],
)
def test_a_form_that_is_none_is_refused(client: qk.Client, kind: str, body: bytes, words: str):
    request = client._core.request("POST", "compatible", "/files", body, headers={"Content-Type": kind})
    with pytest.raises(qk.InvalidRequest, match=words):
        client._core.driver.run(client._core.send(request))


async def test_only_the_beginning_of_an_upload_is_in_the_journal(qwen: Any, box: Sandbox):
    await done(qwen.files.upload(b"x" * 200_000, name="a.txt", purpose="fine-tune", progress=False))
    assert len(box.requests[-1].body) == journal.MOST_OF_UPLOAD


async def test_a_large_upload_is_more_than_any_other_request_may_be(qwen: Any):
    file = await done(
        qwen.files.upload(b"x" * (app.LARGEST_BODY + 1), name="a.bin", purpose="fine-tune", progress=False)
    )
    assert file.bytes == app.LARGEST_BODY + 1
    await done(qwen.files.delete(file))


async def test_progress_is_drawn_for_large_uploads_only(qwen: Any, monkeypatch: pytest.MonkeyPatch):
    drawn: list[str] = []
    monkeypatch.setattr(watching.Watch, "draw", lambda self, sent: drawn.append(self._picture(sent)["text/plain"]))
    await done(qwen.files.upload(NOTES, name="small.txt"))
    assert drawn == []
    await done(qwen.files.upload(b"x" * 2_100_000, name="big.bin", purpose="fine-tune"))
    assert drawn[-1] == "big.bin: 2.1 MB of 2.1 MB uploaded"
    assert len(drawn) > 5


async def test_a_trace_shows_the_form_and_cuts_the_file(client: qk.Client):
    with qk.trace(client) as wire:
        client.files.upload(b"y" * 50_000, name="a.txt", purpose="fine-tune")
        client.files.upload(b"y" * 50_000, name="a.txt", purpose="fine-tune")
    shown = wire[0].request_body
    assert 'name="purpose"' in shown
    assert "48,000 more bytes" in shown
    assert wire[0].request_body == wire[1].request_body


async def test_files_are_not_billed(client: qk.Client):
    client.files.upload(NOTES, name="a.txt")
    client.files.list()
    assert len(client.usage) == 0


def test_one_file_and_many_tell_their_story_without_ids():
    rows = [StoredFile(f"file-fe-{n}", f"{n}.txt", "file-extract", 1000 * n, "processed") for n in range(25)]
    one, many = rows[3]._repr_mimebundle_(), FileList(rows)._repr_mimebundle_()
    assert one["text/plain"] == "3.txt, 3,000 bytes, file-extract, processed"
    assert many["text/plain"].splitlines()[0] == "25 files, 300,000 bytes"
    assert "… 13 more files" in many["text/plain"]
    for bundle in (one, many):
        assert "file-fe-3" not in bundle["text/plain"]
        assert '<span class="qk-volatile">file-fe-3</span>' in bundle["text/html"]


def test_a_hostile_file_name_is_inert():
    bundle = StoredFile("file-fe-1", "<script>x</script>\n\x1b[31m.txt", "p", 1, "s")._repr_mimebundle_()
    assert "<script>" not in bundle["text/html"]
    assert "\x1b" not in bundle["text/plain"]


async def test_a_web_address_is_no_path(qwen: Any):
    with pytest.raises(qk.ConfigError, match="download it first"):
        await done(qwen.files.upload("https://files.example/a.pdf"))
