"""The official `openai` SDK and batches: made, watched, cancelled, listed, refused; the same from qwenkit."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import Any

import openai
import pytest
from conftest import Flavour

import qwenkit as qk
from qwenkit.sandbox import Sandbox, batches

CHAT, TEST, EMBED = "/v1/chat/completions", "/v1/chat/ds-test", "/v1/embeddings"


def row(name: str, content: str = "What is 2 plus 2?", *, url: str = CHAT, **body: Any) -> dict[str, Any]:
    told = {"model": "qwen-flash", "messages": [{"role": "user", "content": content}], **body}
    return {"custom_id": name, "method": "POST", "url": url, "body": told}


async def begin(sdk: Flavour, rows: list[Any], endpoint: Any = CHAT, **options: Any) -> Any:
    lines = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in rows)
    file = await sdk.result(sdk.client.files.create, file=("in.jsonl", lines.encode()), purpose="batch")
    told = {"completion_window": "24h", **options}
    return await sdk.result(sdk.client.batches.create, input_file_id=file.id, endpoint=endpoint, **told)


async def ended(sdk: Flavour, job: Any) -> Any:
    for _ in range(20):
        job = await sdk.result(sdk.client.batches.retrieve, job.id)
        if job.status in ("completed", "failed", "cancelled"):
            break
    return job


async def output(sdk: Flavour, file: str) -> dict[str, Any]:
    """The lines of a result file by custom_id."""
    content = await sdk.result(sdk.client.files.content, file)
    rows = [json.loads(line) for line in content.text.splitlines()]
    return {each["custom_id"]: each for each in rows}


async def test_create_gives_a_job_with_every_recorded_key(sdk: Flavour):
    job = await begin(sdk, [row("a")], metadata={"ds_name": "nightly", "ds_description": "sums"})
    assert re.fullmatch(r"batch_[0-9a-f-]{36}", job.id)
    assert (job.object, job.status, job.endpoint, job.completion_window) == ("batch", "validating", CHAT, "24h")
    assert job.metadata == {"ds_name": "nightly", "ds_description": "sums"}
    assert job.request_counts.total == 0
    raw = await sdk.result(sdk.client.batches.with_raw_response.retrieve, job.id)
    told = json.loads(raw.text if isinstance(raw.text, str) else raw.text())
    assert {"errors", "output_file_id", "error_file_id", "expires_at", "finalizing_at", "cancelled_at"} <= set(told)
    assert raw.headers["content-type"] == "application/json;charset=UTF-8"


async def test_a_job_advances_at_every_look(sdk: Flavour):
    job = await begin(sdk, [row("a"), row("b")])
    first = await sdk.result(sdk.client.batches.retrieve, job.id)
    assert (first.status, first.request_counts.total, first.in_progress_at) == ("in_progress", 2, job.created_at)
    second = await sdk.result(sdk.client.batches.retrieve, job.id)
    assert (second.status, second.request_counts.completed, second.request_counts.failed) == ("completed", 2, 0)
    assert second.output_file_id.startswith("file-batch_output-")
    assert second.error_file_id is None
    assert second.completed_at >= second.finalizing_at >= job.created_at


async def test_output_lines_hold_whole_completions(sdk: Flavour):
    job = await ended(sdk, await begin(sdk, [row(f"sum-{n}", f"What is {n} plus 1?") for n in range(5)]))
    lines = await output(sdk, job.output_file_id)
    assert set(lines) == {f"sum-{n}" for n in range(5)}
    for n in range(5):
        line = lines[f"sum-{n}"]
        assert line["error"] is None
        assert line["response"]["status_code"] == 200
        assert line["response"]["request_id"] == line["id"]
        completion = openai.types.chat.ChatCompletion.model_validate(line["response"]["body"])
        assert completion.id == f"chatcmpl-{line['id']}"
        assert str(n + 1) in (completion.choices[0].message.content or "")
        assert completion.usage.total_tokens > 0


async def test_output_has_no_content_type_and_can_be_saved(sdk: Flavour, tmp_path: Any):
    job = await ended(sdk, await begin(sdk, [row("a")]))
    content = await sdk.result(sdk.client.files.content, job.output_file_id)
    assert "content-type" not in content.response.headers
    await sdk.result(
        content.write_to_file if hasattr(content, "write_to_file") else content.astream_to_file, tmp_path / "o"
    )
    assert json.loads((tmp_path / "o").read_text())["custom_id"] == "a"


async def test_failed_lines_go_to_the_error_file(sdk: Flavour):
    job = await ended(sdk, await begin(sdk, [row("good"), row("bad", n=9), row("worse", temperature="hot")]))
    assert (job.status, job.request_counts.completed, job.request_counts.failed) == ("completed", 1, 2)
    lines = await output(sdk, job.error_file_id)
    assert set(lines) == {"bad", "worse"}
    assert lines["bad"]["response"]["status_code"] == 400
    assert lines["bad"]["error"]["message"] == "Range of n should be [1, 4]"
    assert lines["bad"]["response"]["body"]["error"]["code"] == "invalid_parameter_error"


async def test_a_line_that_asks_for_a_stream_is_answered_whole(sdk: Flavour):
    job = await ended(sdk, await begin(sdk, [row("s", stream=True, stream_options={"include_usage": True})]))
    line = (await output(sdk, job.output_file_id))["s"]
    assert line["response"]["body"]["object"] == "chat.completion"


async def test_a_model_that_only_streams_runs_in_a_batch(sdk: Flavour):
    job = await ended(sdk, await begin(sdk, [row("a", model="qwq-plus")]))
    line = (await output(sdk, job.output_file_id))["a"]
    assert line["response"]["body"]["choices"][0]["message"]["reasoning_content"]


@pytest.mark.parametrize("sdk", ["async"], indirect=True)  # needs two requests at once
async def test_a_job_cancelled_in_the_middle_of_a_step_stops_after_it(sdk: Flavour, monkeypatch: pytest.MonkeyPatch):
    begun, may_go_on, carry_out = threading.Event(), threading.Event(), batches._chat

    async def slowly(*line: Any) -> Any:
        begun.set()
        while not may_go_on.is_set():
            await asyncio.sleep(0.001)
        return await carry_out(*line)

    monkeypatch.setitem(batches._CARRIERS, CHAT, slowly)
    job = await begin(sdk, [row(str(n)) for n in range(60)])
    await sdk.client.batches.retrieve(job.id)
    step = asyncio.create_task(sdk.client.batches.retrieve(job.id))
    assert await asyncio.to_thread(begun.wait, 10)
    assert (await sdk.client.batches.retrieve(job.id)).request_counts.completed == 0
    await sdk.client.batches.cancel(job.id)
    may_go_on.set()
    assert (await step).status == "cancelling"
    cancelled = await ended(sdk, job)
    assert (cancelled.status, cancelled.request_counts.completed) == ("cancelled", 50)


async def test_a_line_that_breaks_the_sandbox_leaves_the_others_alone(
    sdk: Flavour, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    async def broken(service: Any, body: Any, request_id: str) -> Any:
        if "bad" in str(body):
            raise RuntimeError("a bug")
        return {}

    monkeypatch.setitem(batches._CARRIERS, CHAT, broken)
    job = await ended(sdk, await begin(sdk, [row("a", "good"), row("b", "bad")]))
    assert (job.request_counts.completed, job.request_counts.failed) == (1, 1)
    assert (await output(sdk, job.error_file_id))["b"]["response"]["status_code"] == 500
    assert "RuntimeError: a bug" in capfd.readouterr().err


async def test_embeddings_run_in_a_batch(sdk: Flavour):
    body = {"model": "text-embedding-v4", "input": "tide table", "dimensions": 64}
    rows = [{"custom_id": "e", "method": "POST", "url": EMBED, "body": body}]
    job = await ended(sdk, await begin(sdk, rows, EMBED))
    line = (await output(sdk, job.output_file_id))["e"]
    answer = openai.types.CreateEmbeddingResponse.model_validate(line["response"]["body"])
    assert len(answer.data[0].embedding) == 64


async def test_the_test_model_gives_its_fixed_answer(sdk: Flavour):
    rows = [row(str(n), url=TEST, model="batch-test-model") for n in range(3)]
    job = await ended(sdk, await begin(sdk, rows, TEST))
    for line in (await output(sdk, job.output_file_id)).values():
        body = line["response"]["body"]
        assert body["choices"][0]["message"] == {"role": "assistant", "content": "This is a test result."}
        assert body["usage"] == {"prompt_tokens": 20, "completion_tokens": 6, "total_tokens": 26}


@pytest.mark.parametrize(
    ("rows", "endpoint", "code", "line"),
    [
        ([row("a"), row("a")], CHAT, "duplicate_custom_id", 2),
        ([row("a"), row("b", model="qwen-plus")], CHAT, "mismatched_model", 2),
        ([row("a", model="qwen-nope")], CHAT, "model_not_found", 1),
        ([row("a", url="/v1/images")], CHAT, "url_not_found", 1),
        ([row("a", url=EMBED)], CHAT, "mismatched_url", 1),
        ([row("a", model="batch-test-model")], CHAT, "mismatched_test_url", 1),
        ([row("a", url=TEST)], TEST, "mismatched_test_url", 1),
        ([row("a"), "{broken"], CHAT, "invalid_json_line", 2),
        ([row("\ud800")], CHAT, "invalid_json_line", 1),
        ([row("a", model={"no": "name"})], CHAT, "model_not_found", 1),
        ([{"custom_id": "a"}], CHAT, "missing_required_parameter", 1),
        ([""], CHAT, "empty_file", None),
        ([row(str(n), url=TEST, model="batch-test-model") for n in range(101)], TEST, "too_many_requests", None),
    ],
)
async def test_a_bad_file_fails_the_job_and_names_the_line(
    sdk: Flavour, rows: Any, endpoint: str, code: str, line: Any
):
    job = await ended(sdk, await begin(sdk, rows if rows != [""] else ["\n"], endpoint))
    assert job.status == "failed"
    assert job.failed_at
    assert (job.errors.object, job.errors.data[0].code, job.errors.data[0].line) == ("list", code, line)
    assert job.request_counts.total == 0


async def test_the_recorded_words_of_an_unknown_address(sdk: Flavour):
    job = await ended(sdk, await begin(sdk, [row("a", url="/v1/images")]))
    assert job.errors.data[0].message == "The provided url '/v1/images' is not supported by the Batch API."
    assert job.errors.data[0].param == "url"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"completion_window": "12h"}, "between 24h and 336h"),
        ({"completion_window": "15d"}, "between 24h and 336h"),
        ({"endpoint": "/v1/responses"}, "'endpoint' should be one of"),
        ({"input_file_id": "file-batch-none"}, "No batch input file"),
        ({"input_file_id": "https://bucket.example/in.jsonl"}, "reads no OSS"),
        ({"metadata": {"ds_name": "x" * 101}}, "at most 100 characters"),
    ],
)
async def test_a_bad_job_is_refused_at_once(sdk: Flavour, wrong: dict[str, Any], words: str):
    file = await sdk.result(sdk.client.files.create, file=("in.jsonl", b"{}"), purpose="batch")
    told = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h", **wrong}
    with pytest.raises(openai.BadRequestError, match=words):
        await sdk.result(sdk.client.batches.create, **told)


async def test_a_document_is_no_input_file(sdk: Flavour):
    file = await sdk.result(sdk.client.files.create, file=("in.txt", b"text"), purpose="file-extract")
    with pytest.raises(openai.BadRequestError, match="No batch input file"):
        await sdk.result(sdk.client.batches.create, input_file_id=file.id, endpoint=CHAT, completion_window="24h")


async def test_cancel_goes_through_cancelling(sdk: Flavour):
    job = await begin(sdk, [row("a"), row("b")])
    cancelling = await sdk.result(sdk.client.batches.cancel, job.id)
    assert (cancelling.status, cancelling.cancelling_at, cancelling.cancelled_at) == ("cancelling", None, None)
    cancelled = await ended(sdk, job)
    assert cancelled.status == "cancelled"
    assert cancelled.cancelled_at == cancelled.cancelling_at
    assert cancelled.request_counts.failed == 2
    assert set(await output(sdk, cancelled.error_file_id)) == {"a", "b"}


async def test_the_list_is_newest_first_with_cursors_and_filters(sdk: Flavour):
    jobs = [await begin(sdk, [row("a")], metadata={"ds_name": f"list-{n}"}) for n in range(3)]
    query = {"extra_query": {"ds_name": "list-"}}
    page = await sdk.result(sdk.client.batches.list, limit=2, **query)
    assert [each.id for each in page.data] == [jobs[2].id, jobs[1].id]
    assert page.has_more
    every = await sdk.items(sdk.client.batches.list(limit=2, **query))
    assert [each.id for each in every][:3] == [each.id for each in reversed(jobs)]
    await sdk.result(sdk.client.batches.cancel, jobs[0].id)
    filters = {"ds_name": "list-0", "status": "cancelling,expired", "input_file_ids": jobs[0].input_file_id}
    assert [each.id for each in await sdk.items(sdk.client.batches.list(extra_query=filters))] == [jobs[0].id]


async def test_an_empty_list_is_null_and_the_sdk_takes_it(sdk: Flavour):
    assert await sdk.items(sdk.client.batches.list(extra_query={"ds_name": "no such name"})) == []


async def test_unknown_jobs_are_not_found(sdk: Flavour):
    for call in (sdk.client.batches.retrieve, sdk.client.batches.cancel):
        with pytest.raises(openai.NotFoundError, match="No such Batch"):
            await sdk.result(call, "batch_none")


async def test_what_has_ended_cannot_be_cancelled(sdk: Flavour):
    job = await ended(sdk, await begin(sdk, [row("a")]))
    with pytest.raises(openai.BadRequestError, match="cannot be cancelled"):
        await sdk.result(sdk.client.batches.cancel, job.id)


async def test_two_sandboxes_of_one_seed_write_the_same_results():
    def written() -> str:
        with Sandbox(key="sk-twin", seed=3, clock=lambda: 1_790_000_000.0) as box:
            base = f"{box.url}/compatible-mode/v1"
            with openai.OpenAI(api_key=box.key, base_url=base, max_retries=0) as client:
                lines = "\n".join(json.dumps(row(str(n))) for n in range(4)).encode()
                file = client.files.create(file=("in.jsonl", lines), purpose="batch")
                job = client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
                client.batches.retrieve(job.id)
                return client.files.content(client.batches.retrieve(job.id).output_file_id).text

    assert written() == written()


def test_both_make_and_watch_a_job_alike():
    """Seven calls, each made by both: the same method, path, query, key and body."""
    with Sandbox(key="sk-parity-batches") as box:
        base = f"{box.url}/compatible-mode/v1"
        with (
            openai.OpenAI(api_key=box.key, base_url=base, max_retries=0) as official,
            qk.Client(api_key=box.key, base_url=box.url, max_retries=0) as qwen,
        ):
            job = qwen.batches.submit(["Hi"], model="qwen-flash", name="nightly", window="2d")
            ours = box.requests[-1]
            body = {"endpoint": CHAT, "completion_window": "2d", "metadata": {"ds_name": "nightly"}}
            official.batches.create(input_file_id=job.input_file_id, **body)
            assert ours.json == box.requests[-1].json
            assert ours.path == box.requests[-1].path
            pairs: list[tuple[Any, Any]] = [
                (lambda: official.batches.cancel(job.id), lambda: qwen.batches.cancel(job.id)),
                (lambda: official.batches.retrieve(job.id), lambda: qwen.batches.get(job)),
                (lambda: official.batches.list(limit=5), lambda: qwen.batches.list(limit=5)),
            ]
            for theirs, mine in pairs:
                theirs(), mine()
                one, two = box.requests[-2:]
                assert (one.method, one.path, one.query, one.auth) == (two.method, two.path, two.query, two.auth)
                assert one.body == two.body
