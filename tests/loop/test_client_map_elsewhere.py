"""`qwen.map` by other hands: Dask workers, executors, the Batch API. The same results, ledger, checkpoint and order."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from flavours import done

import qwenkit as qk
from qwenkit.api import afar
from qwenkit.errors import SchemaMismatch
from qwenkit.sandbox import Sandbox
from qwenkit.secret import Secret


def say(count: int) -> list[str]:
    return [f"Say {number}." for number in range(count)]


def said(count: int) -> list[str]:
    return [f"{number}." for number in range(count)]


@pytest.fixture
def client(box: Sandbox) -> Iterator[qk.Client]:
    """Without the usual look at what is left behind: executors and clusters keep threads of their own."""
    made = qk.Client(api_key=box.key, base_url=box.url, timeout=10)
    yield made
    made.close()


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


# -- executors --------------------------------------------------------------------------------------------------------


async def test_an_executor_answers_in_order_and_the_ledger_is_here(
    qwen: Any, client: qk.Client, box: Sandbox, pool: Executor
):
    results = await done(qwen.map(iter(say(200)), executor=pool, system="Be terse.", temperature=0.1))
    assert results.texts == said(200)
    assert len(client.usage) == 200
    assert results.cost.amount == pytest.approx(client.usage.cost["CNY"])
    assert results[0].receipt.latency > 0
    assert {(seen.json["temperature"], seen.json["messages"][0]["content"]) for seen in box.requests} == {
        (0.1, "Be terse.")
    }


async def test_another_process_can_do_it(client: qk.Client):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        results = client.map(say(100), executor=pool)
    assert results.texts == said(100)


async def test_faults_and_errors_there_are_as_here(qwen: Any, client: qk.Client, box: Sandbox, pool: Executor):
    box.fault("400", times=2)
    box.fault("500", times=2)
    results = await done(qwen.map(say(100), executor=pool, concurrency=4))
    assert (results.answered, len(results.failed)) == (98, 2)
    assert all(isinstance(failure.error, qk.InvalidRequest) for failure in results.failed)
    assert all(failure.error.request_id for failure in results.failed)
    assert [entry.ok for entry in client.usage].count(False) == 2
    assert results.tries == 102
    whole = await done(results.retry())
    assert whole.texts == said(100)


async def test_a_generator_that_fails_keeps_what_was_done(qwen: Any, pool: Executor):
    def prompts() -> Iterator[str]:
        yield from say(100)
        raise ValueError("the file ended")

    with pytest.raises(ValueError, match="the file ended"):
        await done(qwen.map(prompts(), executor=pool))
    assert qwen.map.last.texts == said(100)


async def test_answers_that_do_not_fit_are_paid_there_as_here(qwen: Any, client: qk.Client, pool: Executor):
    unfit: dict[str, Any] = {"schema": {"type": "object", "properties": {"a": {"type": "integer"}}}, "max_tokens": 2}
    here, there = await done(qwen.map(["a"], **unfit)), await done(qwen.map(["a"], executor=pool, **unfit))
    for results in (here, there):
        assert isinstance(results[0], SchemaMismatch)
        assert results.usage.completion == 2
    one, two = client.usage
    assert (one.ok, one.cost, one.completion) == (two.ok, two.cost, two.completion)


async def test_a_wrong_key_ends_the_run_early(qwen: Any, box: Sandbox, pool: Executor):
    box.fault("401", times=None)
    results = await done(qwen.map(say(5_000), executor=pool, concurrency=2))
    assert isinstance(results.stopped, qk.AuthError)
    assert len(box.requests) < 100
    box.clear_faults()
    assert results.unsent > 4_000
    left = list(results.rest)
    assert len(left) + len(results.failed) == 5_000


async def test_a_checkpoint_is_written_and_read_here(qwen: Any, box: Sandbox, pool: Executor, tmp_path: Path):
    first = await done(qwen.map(say(70), checkpoint=tmp_path / "run.jsonl"))
    box.clear_requests()
    second = await done(qwen.map(say(100), executor=pool, checkpoint=tmp_path / "run.jsonl"))
    assert (second.resumed, len(box.requests)) == (70, 30)
    assert second.texts == said(100)
    third = await done(qwen.map(say(100), checkpoint=tmp_path / "run.jsonl"))
    assert third.resumed == 100
    assert first.texts == said(70)


async def test_the_budget_is_kept_here(box: Sandbox, pool: Executor):
    poor = qk.Client(api_key=box.key, base_url=box.url, budget="¥0.0005")
    with pytest.warns(qk.BudgetWarning):
        results = poor.map(say(300), executor=pool, max_tokens=4)
    assert isinstance(results.stopped, qk.BudgetExceeded)
    assert 0 < results.answered < 60
    assert poor.usage.cost["CNY"] <= 0.0005
    poor.close()


class Dying(Executor):
    """An executor whose workers die on the second task."""

    def __init__(self) -> None:
        self.tasks = 0

    def submit(self, work: Any, *facts: Any, **more: Any) -> Future[Any]:
        self.tasks += 1
        future: Future[Any] = Future()
        if self.tasks == 2:
            future.set_exception(RuntimeError("killed by the machine"))
        else:
            future.set_result(work(*facts, **more))
        return future


async def test_a_worker_that_dies_costs_its_chunk_and_no_more(client: qk.Client):
    results = client.map(say(afar.CHUNK * 3), executor=Dying())
    assert [failure.position for failure in results.failed] == list(range(afar.CHUNK, 2 * afar.CHUNK))
    assert "RuntimeError: killed by the machine" in str(results[afar.CHUNK])
    assert "retry()" in results[afar.CHUNK].hint
    assert results.retry().texts == said(afar.CHUNK * 3)


def test_limits_are_shared_out(client: qk.Client):
    with ThreadPoolExecutor(2) as pool:
        results = client.map(say(2 * afar.CHUNK), executor=pool, rpm=60 * 64)
    assert results.ok
    assert results.seconds > 0.9  # 32 a second for each of the two


def test_a_key_pickles_only_by_the_hand_it_is_given_to():
    key = Secret("sk-0123456789abcdef")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)
    handed = afar.Handed(key.reveal())
    assert pickle.loads(pickle.dumps(handed)) == key
    assert repr(handed) == str(handed) == "Secret(sk-…cdef)"
    chunk = afar.Chunk(handed, {}, afar.Asked("m", "", {}), {}, [])
    assert "0123456789" not in repr(chunk)
    assert pickle.loads(pickle.dumps(chunk)).key == key


# -- Dask -------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
async def test_a_dask_cluster_does_it(
    client: qk.Client,
    box: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    from distributed import Client, LocalCluster

    # Dask asks for its own address by way of a public one, which no test may touch.
    monkeypatch.setattr("distributed.utils._get_ip", lambda *_, family: "127.0.0.1")
    options: Any = {"processes": False, "dashboard_address": None, "threads_per_worker": 1}
    with LocalCluster(n_workers=2, **options) as cluster, Client(cluster) as dask:
        results = client.map(say(300), executor=dask, checkpoint=tmp_path / "run.jsonl")
        assert results.texts == said(300)
        awaited = await client.aio.map(say(300), executor=dask)
        assert awaited.texts == said(300)
        assert len(box.requests) == 600  # equal tasks are still two
        keys = " ".join(map(str, dask.futures))
        assert box.key not in keys
    assert len(client.usage) == 600
    assert box.key not in caplog.text


# -- the Batch API ----------------------------------------------------------------------------------------------------


async def test_the_batch_api_gives_the_same_results(qwen: Any, client: qk.Client):
    prompts: list[Any] = ["What is 1 + 1?", "Say 2.", object(), "Say 4."]
    results = await done(qwen.map(prompts, via="batch", system="Be terse."))
    assert (results.texts[1:], results.answered) == (["2.", None, "4."], 3)
    assert isinstance(results[2], qk.ConfigError)
    assert len(client.usage) == 1
    plain = await done(qwen.map(["Say 2."], system="Be terse."))
    assert results[1].cost.amount == pytest.approx(plain[0].cost.amount / 2)


async def test_an_interrupted_batch_is_waited_for_and_not_paid_again(client: qk.Client, box: Sandbox):
    box.fault("slow:3", times=None, path="/batches/")
    running = asyncio.ensure_future(client.aio.map(say(6), via="batch"))
    while not any("/batches/" in seen.path for seen in box.requests):
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    box.clear_faults()
    kept = client.aio.map.last
    assert kept is not None
    assert kept.answered == 0
    assert (await kept.retry()).texts == said(6)
    submitted = [seen for seen in box.requests if (seen.method, seen.path) == ("POST", "/compatible-mode/v1/batches")]
    assert len(submitted) == 1
    await client.aio.close()


async def test_a_killed_batch_run_finds_its_job_in_the_file(client: qk.Client, box: Sandbox, tmp_path: Path):
    path = tmp_path / "run.jsonl"
    first = await client.aio.map(say(6), via="batch", checkpoint=path)
    header_and_job = [line for line in path.read_bytes().splitlines(keepends=True) if b'"answer"' not in line]
    path.write_bytes(b"".join(header_and_job))
    again = await client.aio.map(say(6), via="batch", checkpoint=path)
    assert again.texts == first.texts == said(6)
    submitted = [seen for seen in box.requests if (seen.method, seen.path) == ("POST", "/compatible-mode/v1/batches")]
    assert len(submitted) == 1
    await client.aio.close()
