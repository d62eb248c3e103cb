"""The official `openai` SDK and files: upload, list, look, delete, download, ask; and the same bytes from qwenkit."""

from __future__ import annotations

import contextlib
import re
import threading
from pathlib import Path
from typing import Any

import openai
import pytest
from conftest import Flavour

import qwenkit as qk
from qwenkit.sandbox import Sandbox, files
from qwenkit.sandbox.journal import Seen

DATA = Path(__file__).parents[2] / "data"
NOTES = b"The gate of the harbour is green."


async def upload(sdk: Flavour, data: bytes = NOTES, name: str = "notes.txt", purpose: str = "file-extract") -> Any:
    return await sdk.result(sdk.client.files.create, file=(name, data), purpose=purpose)


async def test_create_gives_a_file_object_with_all_fields(sdk: Flavour):
    file = await upload(sdk)
    assert re.fullmatch(r"file-fe-[0-9a-f]{24}", file.id)
    assert (file.object, file.bytes, file.filename) == ("file", len(NOTES), "notes.txt")
    assert (file.purpose, file.status) == ("file-extract", "processed")
    assert file.created_at > 1_700_000_000


@pytest.mark.parametrize(("purpose", "prefix"), [("batch", "file-batch-"), ("fine-tune", "file-ft-")])
async def test_the_id_tells_the_purpose(sdk: Flavour, purpose: str, prefix: str):
    assert (await upload(sdk, purpose=purpose, name="a.jsonl")).id.startswith(prefix)


async def test_a_path_is_uploaded_under_its_name(sdk: Flavour):
    file = await sdk.result(sdk.client.files.create, file=DATA / "handbook.pdf", purpose="file-extract")
    assert file.filename == "handbook.pdf"
    assert file.bytes == (DATA / "handbook.pdf").stat().st_size


async def test_a_chinese_file_name_comes_back(sdk: Flavour):
    assert (await upload(sdk, name="港湾手册.txt")).filename == "港湾手册.txt"


async def test_an_unknown_purpose_is_a_bad_request(sdk: Flavour):
    with pytest.raises(openai.BadRequestError, match="'purpose' should be one of"):
        await upload(sdk, purpose="assistants")


async def test_retrieve_says_the_same_as_create(sdk: Flavour):
    file = await upload(sdk)
    assert await sdk.result(sdk.client.files.retrieve, file.id) == file


async def test_wait_for_processing_waits_for_a_long_document(sdk: Flavour):
    file = await upload(sdk, NOTES * 10_000)
    ready = await sdk.result(sdk.client.files.wait_for_processing, file.id, poll_interval=0.05)
    assert ready.status == "processed"


async def test_a_document_still_being_read_cannot_be_asked(sdk: Flavour, monkeypatch: pytest.MonkeyPatch):
    may_go_on = threading.Event()
    monkeypatch.setattr(files, "text_of", lambda name, data: may_go_on.wait(10) and "The gate is green.")
    file = await upload(sdk, NOTES * 10_000)
    assert file.status == "processing"
    with pytest.raises(openai.BadRequestError, match="File parsing in progress, please try again later"):
        await sdk.create([{"role": "system", "content": f"fileid://{file.id}"}, USER], model="qwen-long")
    assert (await sdk.result(sdk.client.files.retrieve, file.id)).status == "processing"
    may_go_on.set()
    await sdk.result(sdk.client.files.wait_for_processing, file.id, poll_interval=0.05)


async def test_list_pages_by_cursor_newest_first(sdk: Flavour):
    sent = [await upload(sdk, name=f"{n}.txt", purpose="fine-tune") for n in range(3)]
    page = await sdk.result(sdk.client.files.list, purpose="fine-tune", limit=2)
    assert [each.id for each in page.data] == [sent[2].id, sent[1].id]
    assert page.has_more
    every = await sdk.items(sdk.client.files.list(purpose="fine-tune", limit=2))
    assert [each.id for each in every][:3] == [each.id for each in reversed(sent)]


async def test_list_filters_by_purpose_and_time(sdk: Flavour):
    await upload(sdk)
    assert {each.purpose for each in await sdk.items(sdk.client.files.list(purpose="file-extract"))} == {"file-extract"}
    for day in ("20250306123000", "2025-11-12 10:10:10", "2025-11-12", "20251112"):
        before = sdk.client.files.list(extra_query={"create_before": day})
        assert await sdk.items(before) == []


@pytest.mark.parametrize("limit", [0, 2001])
async def test_a_page_has_1_to_2000_files(sdk: Flavour, limit: int):
    with pytest.raises(openai.BadRequestError, match=re.escape("Range of limit should be [1, 2000]")):
        await sdk.result(sdk.client.files.list, limit=limit)


async def test_delete_confirms_and_is_final(sdk: Flavour):
    file = await upload(sdk)
    gone = await sdk.result(sdk.client.files.delete, file.id)
    assert (gone.id, gone.object, gone.deleted) == (file.id, "file", True)
    with pytest.raises(openai.NotFoundError):
        await sdk.result(sdk.client.files.retrieve, file.id)


async def test_documents_cannot_be_downloaded(sdk: Flavour):
    file = await upload(sdk)
    with pytest.raises(openai.BadRequestError, match="cannot be downloaded"):
        await sdk.result(sdk.client.files.content, file.id)


USER = {"role": "user", "content": "How long is lost property kept?"}


@pytest.mark.parametrize("name", ["handbook.pdf", "handbook.docx", "handbook.md"])
async def test_qwen_long_answers_from_an_uploaded_document(sdk: Flavour, name: str):
    file = await sdk.result(sdk.client.files.create, file=DATA / name, purpose="file-extract")
    role = {"role": "system", "content": "You are a helpful assistant."}
    document = {"role": "system", "content": f"fileid://{file.id}"}
    answer = await sdk.create([role, document, USER], model="qwen-long")
    assert "60 days" in answer.choices[0].message.content
    assert answer.usage.prompt_tokens > 1000
    chunks = await sdk.stream([role, document, USER], model="qwen-long", stream_options={"include_usage": True})
    assert "60 days" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert chunks[-1].usage == answer.usage


async def test_qwen_long_refuses_files_it_does_not_have(sdk: Flavour):
    with pytest.raises(openai.BadRequestError, match=r"File \[id:file-fe-0\] cannot be found"):
        await sdk.create([{"role": "system", "content": "fileid://file-fe-0"}, USER], model="qwen-long")


def form(seen: Seen) -> list[tuple[bytes, bytes]]:
    """The parts of a form: what each says about itself, and what is in it."""
    mark = seen.headers["content-type"].partition("boundary=")[2].encode()
    parts = (part.removeprefix(b"\r\n").removesuffix(b"\r\n") for part in seen.body.split(b"--" + mark)[1:-1])
    return [(head, data) for head, _, data in (part.partition(b"\r\n\r\n") for part in parts)]


@pytest.mark.parametrize("name", ["notes.md", "港湾.txt", "a b.csv", 'odd"name.json', "noending"])
@pytest.mark.parametrize("purpose", ["file-extract", "batch"])
def test_both_upload_the_same_form(
    name: str, purpose: str, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client
):
    official.files.create(file=(name, NOTES), purpose=purpose)  # type: ignore[arg-type]
    qwen.files.upload(NOTES, name=name, purpose=purpose)
    theirs, ours = recorder.requests[-2:]
    assert form(ours) == form(theirs)
    assert (ours.method, ours.path, ours.auth) == (theirs.method, theirs.path, theirs.auth)
    assert int(ours.headers["content-length"]) == len(ours.body)


def test_both_manage_files_alike(recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    file = qwen.files.upload(NOTES, name="a.txt").id
    calls = [
        (lambda: official.files.retrieve(file), lambda: qwen.files.get(file)),
        (lambda: official.files.content(file), lambda: qwen.files.content(file)),
        (
            lambda: official.files.list(purpose="fine-tune", limit=7),
            lambda: qwen.files.list(purpose="fine-tune", limit=7),
        ),
        (lambda: official.files.delete(file), lambda: qwen.files.delete(file)),
    ]
    for theirs, ours in calls:
        for each in (theirs, ours):
            with contextlib.suppress(openai.APIStatusError, qk.APIError):  # what it makes of them is not the question
                each()
        one, two = recorder.requests[-2:]
        assert (one.method, one.path, one.query, one.auth, one.body) == (
            two.method,
            two.path,
            two.query,
            two.auth,
            two.body,
        )
