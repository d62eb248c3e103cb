"""`qwen.batches` against the sandbox: jobs really carried out, results in order, failures named, in both flavours."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flavours import done

import qwenkit as qk
from qwenkit.catalogue import price
from qwenkit.display import bundle, watching
from qwenkit.errors import ConfigError, SchemaMismatch, TaskFailed
from qwenkit.protocol import batches as protocol
from qwenkit.sandbox import Sandbox
from qwenkit.types.batch import Batch, BatchList, BatchResults, Counts, LineError, LineErrors
from qwenkit.types.embeddings import Embeddings
from qwenkit.types.reply import Receipt, Reply

FLASH = "qwen-flash"
FAST = {"poll": 0.001, "progress": False}
SUMS = [f"What is {n} plus {n}?" for n in range(7)]


async def test_prompts_come_back_as_replies_in_their_order(qwen: Any, box: Sandbox):
    results = await done(qwen.batches(SUMS, model=FLASH, system="Be terse.", **FAST))
    assert isinstance(results, BatchResults)
    assert results.ok
    for n, reply in enumerate(results):
        assert isinstance(reply, Reply)
        assert str(2 * n) in reply.text
        assert reply.usage.total > 0
        assert reply.model == FLASH
        assert reply.request_id
    assert results["row-3"] is results[3]
    assert results.texts == [reply.text for reply in results]


async def test_a_line_is_the_body_that_chat_would_send(qwen: Any, box: Sandbox):
    options = {"system": "Be terse.", "temperature": 0.2, "thinking": False, "max_tokens": 30, "extra": {"new": 1}}
    await done(qwen.chat("Hi", model="qwen-plus", **options))
    chat = box.requests[-1].json
    await done(qwen.batches.submit(["Hi", [qk.Message.user("Hi")]], model="qwen-plus", **options))
    uploads = [seen for seen in box.requests if seen.path.endswith("/files")]
    lines = [json.loads(row) for row in uploads[-1].body.split(b"\r\n\r\n")[2].split(b"\r\n")[0].splitlines()]
    assert [line["body"] for line in lines] == [chat, chat]
    assert [line["custom_id"] for line in lines] == ["row-0", "row-1"]
    assert {line["url"] for line in lines} == {"/v1/chat/completions"}


async def test_a_job_is_submitted_looked_at_and_resumed_by_its_id(qwen: Any, box: Sandbox):
    job = await done(qwen.batches.submit(SUMS, model=FLASH, name="nightly", window="48h"))
    assert isinstance(job, Batch)
    assert (job.status, job.name, job.completion_window, job.ended) == ("validating", "nightly", "48h", False)
    seen = [await done(qwen.batches.get(job.id)) for _ in range(3)]
    assert [each.status for each in seen] == ["in_progress", "completed", "completed"]
    assert seen[0].counts == Counts(total=7)
    assert seen[1].counts == Counts(total=7, completed=7)
    results = await done(qwen.batches.results(job.id))
    assert "4" in results[2].text


async def test_results_are_not_read_before_the_end(qwen: Any):
    job = await done(qwen.batches.submit(SUMS, model=FLASH))
    with pytest.raises(ConfigError, match="wait for it"):
        await done(qwen.batches.results(job))


async def test_failed_lines_stand_in_their_places_as_typed_errors(qwen: Any):
    prompts = ["What is 1 plus 1?", [{"role": "robot", "content": "x"}], "What is 2 plus 2?"]
    results = await done(qwen.batches(prompts, model=FLASH, **FAST))
    assert [type(each).__name__ for each in results] == ["Reply", "InvalidRequest", "Reply"]
    (failed,) = results.failed
    assert (failed.position, failed.custom_id) == (1, "row-1")
    assert "'robot' is not one of" in failed.error.message
    assert failed.error.request == "line row-1"
    assert results.texts[1] is None
    assert not results.ok
    assert len(results.answered) == 2
    assert results.batch.counts == Counts(3, 2, 1)


async def test_results_cost_half_and_are_booked_once(client: qk.Client, flavour: str):
    qwen: Any = client if flavour == "sync" else client.aio
    results = await done(qwen.batches(SUMS, model=FLASH, **FAST))
    usage = results[0].usage
    whole = price(FLASH, prompt=usage.prompt, completion=usage.completion)
    assert results[0].cost.amount == pytest.approx(whole[0] / 2)
    assert results.cost.amount == pytest.approx(sum(reply.cost.amount for reply in results))
    await done(qwen.batches.results(results.batch))
    (entry,) = client.usage
    assert (entry.family, entry.model, entry.request_id) == ("batch", "qwen-flash (batch)", results.batch.id)
    assert (entry.prompt, entry.completion) == (results.usage.prompt, results.usage.completion)
    assert entry.cost == results.cost
    assert client.usage.usual_answer(FLASH) == 0


async def test_a_budget_stops_a_job_before_its_upload(box: Sandbox):
    with qk.Client(api_key=box.key, base_url=box.url, budget="¥0.0001") as poor:
        before = len(box.requests)
        with pytest.raises(qk.BudgetExceeded):
            poor.batches.submit(SUMS * 50, model="qwen-max")
        assert len(box.requests) == before
        assert poor.batches.submit(SUMS[:1], model=FLASH, max_tokens=5).status == "validating"


async def test_texts_are_embedded_in_a_batch(qwen: Any, box: Sandbox):
    texts = ["tide table", "harbour depth"]
    results = await done(qwen.batches(texts, model="text-embedding-v4", extra={"dimensions": 256}, **FAST))
    assert all(isinstance(each, Embeddings) for each in results)
    assert results[0].array.shape == (1, 256)
    assert [each.texts for each in results] == [["tide table"], ["harbour depth"]]
    assert results.batch.endpoint == "/v1/embeddings"
    assert results.cost.amount > 0
    alone = await done(qwen.embeddings(["tide table"], dimensions=256))
    assert results[0].similarity(alone)[0, 0] == pytest.approx(1.0, abs=1e-5)


async def test_results_can_be_kept_as_the_file_they_came_in(qwen: Any, tmp_path: Path):
    results = await done(qwen.batches(SUMS, model=FLASH, **FAST))
    path = await done(qwen.files.save(results.batch.output_file_id, tmp_path / "results.jsonl"))
    names = [json.loads(line)["custom_id"] for line in path.read_text("utf-8").splitlines()]
    assert sorted(names) == [f"row-{n}" for n in range(7)]
    assert names != sorted(names)  # the service promises no order, and the sandbox keeps none


async def test_the_test_model_always_says_the_same(qwen: Any):
    results = await done(qwen.batches(["a", "b"], model="batch-test-model", **FAST))
    assert results.texts == ["This is a test result."] * 2
    assert results[0].usage.total == 26
    assert results.batch.endpoint == "/v1/chat/ds-test"
    assert results.cost is None


@dataclass
class Gate:
    colour: str


async def test_typed_answers_come_out_of_a_batch(qwen: Any):
    prompts = ["The colour is green.", "The colour is yellow."]
    results = await done(qwen.batches(prompts, model="qwen3.7-plus", schema=Gate, **FAST))
    assert results.values == [Gate("green"), Gate("yellow")]


async def test_an_answer_that_does_not_fit_is_a_failure_that_was_billed(client: qk.Client):
    results = client.batches(["Say: hi"], model="qwen3.7-plus", schema=Gate, max_tokens=2, **FAST)
    assert isinstance(results.failed[0].error, SchemaMismatch)
    assert results.usage.completion == 2
    assert results.cost == client.usage[0].cost


async def test_a_long_job_goes_on_step_by_step(qwen: Any):
    job = await done(qwen.batches.submit(["Say: hi"] * 240, model=FLASH))
    counts = [(await done(qwen.batches.get(job))).counts.done for _ in range(5)]
    assert counts == [0, 60, 120, 180, 240]


async def test_a_cancelled_job_keeps_what_it_had(qwen: Any):
    job = await done(qwen.batches.submit(["Say: hi"] * 120, model=FLASH))
    for _ in range(2):
        await done(qwen.batches.get(job))
    cancelling = await done(qwen.batches.cancel(job))
    assert (cancelling.status, cancelling.cancelled_at) == ("cancelling", None)
    ended = await done(qwen.batches.wait(job, **FAST))
    assert (ended.status, ended.counts) == ("cancelled", Counts(120, 50, 70))
    results = await done(qwen.batches.results(ended))
    assert [isinstance(each, Reply) for each in results] == [True] * 50 + [False] * 70
    assert "cancelled" in results[119].message
    with pytest.raises(qk.InvalidRequest, match="cannot be cancelled"):
        await done(qwen.batches.cancel(job))


async def test_a_refused_file_raises_and_names_the_line(qwen: Any):
    with pytest.raises(TaskFailed, match=r"line 1: The provided model qwen-nope is not supported .*\(and 1 more\)"):
        await done(qwen.batches(["a", "b"], model="qwen-nope", **FAST))


async def test_a_wait_has_an_end(qwen: Any):
    job = await done(qwen.batches.submit(SUMS, model=FLASH))
    with pytest.raises(TaskFailed, match=r"still in_progress after 0 s.*goes on without you") as late:
        await done(qwen.batches.wait(job, timeout=0, progress=False))
    assert late.value.task.id == job.id
    with pytest.raises(TaskFailed, match="goes on without you"):
        await done(qwen.batches(SUMS, model=FLASH, timeout=0.0, progress=False))
    for wrong in ({"poll": -1}, {"timeout": "soon"}):
        with pytest.raises(ConfigError, match="is a number of seconds"):
            await done(qwen.batches.wait(job, **wrong))


async def test_jobs_are_listed_with_filters_and_pages(qwen: Any, box: Sandbox):
    jobs = [await done(qwen.batches.submit(["Hi"], model=FLASH, name=f"list-{n}")) for n in range(3)]
    listed = await done(qwen.batches.list(name="list-", limit=2))
    assert isinstance(listed, BatchList)
    assert [job.id for job in listed][:3] == [job.id for job in reversed(jobs)]
    await done(qwen.batches.wait(jobs[0], **FAST))
    ended = await done(qwen.batches.list(name="list-0", status="completed,cancelled"))
    assert ended[0].id == jobs[0].id
    nothing = await done(qwen.batches.list(name="no such name"))
    assert len(nothing) == 0


async def test_an_empty_list_is_null_on_the_wire(client: qk.Client):
    with qk.trace(client) as wire:
        assert list(client.batches.list(name="no such name")) == []
    assert json.loads(wire[0].response_body)["data"] is None


@pytest.mark.parametrize(
    ("prompts", "options", "words"),
    [
        ("Hi", {}, "a batch is a list"),
        (17, {}, "a batch is a list"),
        (["Hi"], {"timeout": 9}, "no timeout"),
        ({"role": "user", "content": "Hi"}, {}, "a batch is a list"),
        ([], {}, "nothing to send"),
        (["Hi"] * 101, {"model": "batch-test-model"}, "101 prompts are more than the 100"),
        (["Hi"], {"temprature": 1}, "temperature"),
        (["x" * 6_100_000], {}, "line of 6.1 MB"),
        ([["Hi"]], {"model": "text-embedding-v4"}, "only texts"),
        (["Hi"], {"model": "text-embedding-v4", "temperature": 1}, "take no temperature"),
        (["Hi", 17], {}, "cannot be of type int"),
    ],
)
async def test_what_no_batch_can_be_is_said_before_anything_is_sent(
    qwen: Any, box: Sandbox, prompts: Any, options: dict[str, Any], words: str
):
    before = len(box.requests)
    with pytest.raises(ConfigError, match=words):
        await done(qwen.batches.submit(prompts, **options))
    assert len(box.requests) == before


async def test_progress_is_drawn_at_every_look(qwen: Any, monkeypatch: pytest.MonkeyPatch):
    drawn: list[str] = []
    monkeypatch.setattr(watching.Watch, "draw", lambda self, job: drawn.append(bundle(job)["text/plain"]))
    await done(qwen.batches(SUMS, model=FLASH, name="nightly", poll=0.001))
    assert drawn == ["nightly: in_progress, 0 of 7 lines", "nightly: completed, 7 of 7 lines"]


async def test_a_flaky_service_costs_no_line(qwen: Any, box: Sandbox):
    box.fault("500", path="/batches/")
    box.fault("reset", path="/content")
    results = await done(qwen.batches(SUMS, model=FLASH, **FAST))
    assert results.ok


def line(name: str, text: str = "", **response: Any) -> bytes:
    said = {"choices": [{"message": {"content": text}}], "model": FLASH, "usage": {"prompt_tokens": 1}}
    told = {"status_code": 200, "request_id": "r", "body": said, **response}
    return json.dumps({"id": "x", "custom_id": name, "response": told, "error": None}).encode()


def read(*rows: bytes, total: int) -> dict[str, Any]:
    reader = protocol.Reader("/v1/chat/completions", lambda model, usage, name: Receipt(model=model, request_id=name))
    reader.feed(b"\n".join(rows))
    return reader.ordered(total)


def test_lines_are_joined_by_name_whatever_their_order_and_number():
    outcomes = read(line("row-2", "c"), line("row-0", "a"), b"", b"{broken", line("row-2", "again"), total=4)
    assert list(outcomes) == ["row-0", "row-1", "row-2", "row-3"]
    assert [getattr(each, "text", None) for each in outcomes.values()] == ["a", None, "c", None]
    assert isinstance(outcomes["row-1"], TaskFailed)


def test_an_answer_counts_more_than_an_error_of_the_same_name():
    failed = line("row-0", status_code=429, body={"error": {"code": "limit_requests", "message": "slow"}})
    assert read(failed, line("row-0", "a"), total=1)["row-0"].text == "a"
    assert isinstance(read(failed, total=1)["row-0"], qk.RateLimited)


def test_errors_without_a_response_are_errors_too():
    row = json.dumps({"custom_id": "row-0", "response": None, "error": {"code": "batch_expired", "message": "late"}})
    assert read(row.encode(), total=1)["row-0"].code == "batch_expired"


def test_somebody_elses_names_are_kept():
    outcomes = read(line("b", "2"), line("a", "1"), total=2)
    assert [each.text for each in outcomes.values()] == ["1", "2"]


def test_a_line_that_is_no_completion_is_a_failure():
    assert isinstance(read(line("row-0", body=[1]), total=1)["row-0"], qk.ServerError)


def test_cards_show_counts_failures_first_and_no_id_in_plain_text():
    job = Batch("batch_7", "completed", counts=Counts(30, 20, 10), metadata={"ds_name": "<b>"})
    reply = Reply(choices=[], model=FLASH)
    outcomes = {f"row-{n}": TaskFailed("late") if n < 10 else reply for n in range(30)}
    results = BatchResults(job, outcomes)
    plain = results._repr_mimebundle_()["text/plain"].splitlines()
    assert plain[:2] == ["<b>: 20 of 30 answered, 10 failed", "10 failed with TaskFailed, the first: [0] late"]
    assert plain[3:5] == ["0  TaskFailed", "1  TaskFailed"]
    assert plain[-1] == "… 25 more in results[i]"
    assert "<b>" not in results._repr_mimebundle_()["text/html"]
    card = job._repr_mimebundle_()
    assert card["text/plain"] == "<b>: completed, 30 of 30 lines, 10 failed"
    assert "<b>" not in card["text/html"]
    assert '<span class="qk-volatile">batch_7</span>' in card["text/html"]
    assert "batch_7" not in BatchList([job] * 25)._repr_mimebundle_()["text/plain"]


def test_a_failed_job_shows_its_first_problems():
    problems = LineErrors([LineError("mismatched_model", f"no {n}", None, n) for n in range(1, 9)])
    plain = Batch("batch_7", "failed", errors=problems)._repr_mimebundle_()["text/plain"].splitlines()
    assert plain == ["failed", *(f"line {n}: no {n}" for n in range(1, 6)), "… 3 more problems"]
