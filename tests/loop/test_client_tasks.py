"""Tasks through the client, both flavours: submitted, looked at, waited for, cancelled, listed, fetched, booked."""

from __future__ import annotations

import json

import pytest
from flavours import done

import qwenkit as qk
from qwenkit.display import bundle

PATH = "/services/embeddings/text-embedding/text-embedding"
MODEL = "text-embedding-async-v2"
TEXTS = {"url": "data:text/plain,the%20harbour%0Aa%20loaf%20of%20bread"}
FAR = {"url": "https://files.example/far.txt"}


async def submitted(qwen, texts=TEXTS):
    return await done(qwen.tasks.submit(PATH, model=MODEL, input=texts))


async def test_a_task_begins_pending_and_is_waited_for(qwen, box):
    task = await submitted(qwen)
    assert (task.status, task.done, task.model) == ("PENDING", False, MODEL)
    assert box.requests[-1].headers["x-dashscope-async"] == "enable"
    finished = await done(qwen.tasks.wait(task))
    assert (finished.id, finished.status, finished.ok) == (task.id, "SUCCEEDED", True)
    assert finished.metrics == {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}
    assert list(finished.times) == ["submitted", "begun", "ended"]
    assert finished.raw["output"]["url"] == finished.url


async def test_its_result_is_fetched_without_the_key(qwen, box):
    finished = await done(qwen.tasks.wait(await submitted(qwen)))
    rows = [json.loads(line) for line in (await done(qwen.tasks.download(finished))).splitlines()]
    assert [len(row["embedding"]) for row in rows] == [1536, 1536]
    assert "authorization" not in box.requests[-1].headers
    with pytest.raises(qk.ConfigError, match="it has 1"):
        await done(qwen.tasks.download(finished, number=2))


async def test_a_look_is_one_look(qwen):
    task = await submitted(qwen)
    assert [(await done(qwen.tasks.get(task))).status for _ in range(3)] == ["RUNNING", "SUCCEEDED", "SUCCEEDED"]


async def test_it_is_resumed_by_its_id(qwen, box):
    task = await submitted(qwen)
    other = qk.Client(api_key=box.key, base_url=box.url)
    assert other.tasks.get(task.id).status == "RUNNING"
    other.close()
    assert (await done(qwen.tasks.wait(task.id))).ok


async def test_what_it_cost_is_booked_once_when_it_is_over(qwen):
    task = await submitted(qwen)
    assert len(qwen.usage) == 0
    finished = await done(qwen.tasks.wait(task))
    await done(qwen.tasks.get(finished))
    (entry,) = qwen.usage
    assert (entry.family, entry.model, entry.prompt, entry.ok) == ("task", MODEL, finished.usage.total, True)


async def test_a_failed_task_raises_and_is_carried(qwen):
    with pytest.raises(qk.TaskFailed, match=r"BadRequest\.InputDownloadFailed") as caught:
        await done(qwen.tasks.wait(await submitted(qwen, FAR)))
    assert caught.value.task.status == "FAILED"
    assert caught.value.hint
    assert [entry.ok for entry in qwen.usage] == [False]


async def test_a_waiting_task_can_be_cancelled_a_running_one_not(qwen):
    waiting, running = await submitted(qwen), await submitted(qwen)
    await done(qwen.tasks.get(running))
    assert (await done(qwen.tasks.cancel(waiting))).status == "CANCELED"
    with pytest.raises(qk.InvalidRequest, match="PENDING") as caught:
        await done(qwen.tasks.cancel(running))
    assert caught.value.code == "UnsupportedOperation"
    with pytest.raises(qk.TaskFailed, match="cancelled"):
        await done(qwen.tasks.wait(waiting))


async def test_an_unknown_task(qwen):
    assert (await done(qwen.tasks.get("nobody"))).status == "UNKNOWN"
    with pytest.raises(qk.TaskFailed, match="no such task"):
        await done(qwen.tasks.wait("nobody"))


async def test_waiting_has_an_end_and_the_task_goes_on(qwen):
    task = await submitted(qwen)
    with pytest.raises(qk.TransportError, match="still RUNNING") as caught:
        await done(qwen.tasks.wait(task, timeout=0))
    assert caught.value.reply.id == task.id
    assert (await done(qwen.tasks.wait(task))).ok


async def test_the_list_is_read_and_narrowed(qwen):
    task = await submitted(qwen)
    await done(qwen.tasks.cancel(task))
    table = await done(qwen.tasks.list(status="canceled", model=MODEL, size=1))
    assert (len(table), table[0].id, table[0].status, table[0].model) == (1, task.id, "CANCELED", MODEL)
    assert table.total >= 1
    with pytest.raises(qk.ConfigError, match="PENDING"):
        await done(qwen.tasks.list(status="finished"))
    with pytest.raises(qk.InvalidRequest, match="page_no"):
        await done(qwen.tasks.list(page=0))


@pytest.mark.parametrize("task", ["", None, 7])
async def test_what_is_no_task_is_not_sent(qwen, box, task):
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match="task"):
        await done(qwen.tasks.get(task))
    assert len(box.requests) == before


async def test_odd_arguments_are_named(qwen):
    for call in (
        lambda: qwen.tasks.submit(7, model=MODEL, input=TEXTS),
        lambda: qwen.tasks.submit(PATH, model=7, input=TEXTS),
        lambda: qwen.tasks.wait("x", timeout="long"),
        lambda: qwen.tasks.list(status=7),
        lambda: qwen.tasks.download("x", number="first"),
    ):
        with pytest.raises(qk.ConfigError):
            await done(call())


async def test_an_id_is_one_step_of_a_path(qwen, box):
    with pytest.raises(qk.InvalidRequest):
        await done(qwen.tasks.get("../models?x=1"))
    assert (box.requests[-1].path, box.requests[-1].query) == ("/api/v1/tasks/../models?x=1", {})
    assert (await done(qwen.tasks.get("half a \ud83d character"))).status == "UNKNOWN"


async def test_models_that_answer_at_once_take_no_tasks(qwen):
    for path, model in (("/services/aigc/text-generation/generation", "qwen-plus"), (PATH, "text-embedding-v4")):
        with pytest.raises(qk.PermissionDenied, match="Current user api does not support asynchronous calls"):
            await done(qwen.tasks.submit(path, model=model, input={"prompt": "Hi"}))
    with pytest.raises(qk.ConfigError, match="path"):
        await done(qwen.tasks.submit("/tasks", model="qwen-plus", input={}))


async def test_a_look_that_stumbles_is_taken_again(qwen, box):
    task = await submitted(qwen)
    box.fault("503", times=2, path="/tasks/")
    assert (await done(qwen.tasks.wait(task))).ok


async def test_the_card_tells_the_story_and_hides_what_varies(qwen):
    task = await submitted(qwen)
    assert bundle(task)["text/plain"] == f"task PENDING · {MODEL}"
    assert "<meter" in bundle(task)["text/html"]
    shown = bundle(await done(qwen.tasks.wait(task)))
    assert shown["text/plain"] == f"task SUCCEEDED · {MODEL}\nresult: output.txt.gz\n6 tokens"
    assert "<meter" not in shown["text/html"]
    assert f'<span class="qk-volatile">{task.id}</span>' in shown["text/html"]
    table = bundle(await done(qwen.tasks.list(size=1)))
    assert table["text/plain"].splitlines()[0].split() == ["status", "model"]
    assert "more: page=2" in table["text/plain"]
