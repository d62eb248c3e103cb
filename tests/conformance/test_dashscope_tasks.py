"""Tasks, as the official `dashscope` SDK submits, fetches, awaits, cancels and lists them."""

from __future__ import annotations

import gzip
import json
import urllib.request

import pytest

MODEL = "text-embedding-async-v2"
TEXTS = "data:text/plain;charset=utf-8,the%20harbour%0A%E6%B8%AF%E5%8F%A3%0Aa%20loaf%20of%20bread"


@pytest.fixture
def batch(dash):
    return dash.BatchTextEmbedding


def submitted(batch, url=TEXTS):
    response = batch.async_call(MODEL, url=url)
    assert (response.status_code, response.output.task_status) == (200, "PENDING")
    return response


def vectors(url):
    with urllib.request.urlopen(url) as opened:
        rows = [json.loads(line) for line in gzip.decompress(opened.read()).splitlines()]
    assert [row["text_index"] for row in rows] == list(range(len(rows)))
    return [row["embedding"] for row in rows]


def test_a_task_is_waited_for_and_leaves_a_file(batch):
    done = batch.wait(submitted(batch))
    assert (done.output.task_status, done.usage.total_tokens) == ("SUCCEEDED", 7)
    harbour, chinese, bread = vectors(done.output.url)
    assert len(harbour) == 1536
    alike, unlike = (sum(a * b for a, b in zip(harbour, other, strict=True)) for other in (chinese, bread))
    assert alike > unlike


def test_it_moves_one_state_each_time_it_is_fetched(batch):
    task = submitted(batch)
    seen = [batch.fetch(task).output for _ in range(3)]
    assert [output.task_status for output in seen] == ["RUNNING", "SUCCEEDED", "SUCCEEDED"]
    assert seen[1]["task_metrics"] == {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}
    assert seen[1]["submit_time"] <= seen[1]["scheduled_time"] <= seen[1]["end_time"]


def test_a_waiting_task_is_cancelled_once(batch):
    task = submitted(batch)
    assert batch.cancel(task).status_code == 200
    assert batch.fetch(task).output.task_status == "CANCELED"
    again = batch.cancel(task)
    assert (again.status_code, again.code) == (400, "UnsupportedOperation")
    assert again.message == "Failed to cancel the task, please confirm if the task is in PENDING status."


def test_a_file_that_cannot_be_fetched_fails_the_task(batch):
    output = batch.wait(submitted(batch, "https://files.example/far.txt")).output
    assert (output.task_status, output["code"]) == ("FAILED", "BadRequest.InputDownloadFailed")
    assert output["task_metrics"]["FAILED"] == 1


def test_an_unknown_task_has_a_status_of_its_own(batch):
    response = batch.fetch("00000000-0000-4000-8000-000000000000")
    assert (response.status_code, response.output.task_status) == (200, "UNKNOWN")


def test_the_list_is_latest_first_and_can_be_narrowed(batch):
    first, second = submitted(batch), submitted(batch)
    batch.cancel(second)
    every = batch.list(page_size=2).output
    assert [row["task_id"] for row in every["data"]] == [second.output.task_id, first.output.task_id]
    assert every["data"][1]["status"] == "PENDING"
    assert every["data"][0]["user_api_unique_key"].startswith("apikey:v1:embeddings:text-embedding:")
    cancelled = batch.list(status="CANCELED", model_name=MODEL).output["data"]
    assert second.output.task_id in [row["task_id"] for row in cancelled]
    assert {row["status"] for row in cancelled} == {"CANCELED"}


def test_a_synchronous_call_of_a_task_model_is_denied(dash):
    response = dash.TextEmbedding.call(model=MODEL, input="Hello")
    assert (response.status_code, response.code) == (403, "AccessDenied")
    assert response.message == "current user api does not support synchronous calls."
