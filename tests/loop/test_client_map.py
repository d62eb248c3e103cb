"""`qwen.map` against the sandbox, both flavours: order, errors, pacing, faults, interruption and resumption."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flavours import done, hurried
from remains import tasks, threads

import qwenkit as qk
from qwenkit.sandbox import Sandbox
from qwenkit.types.many import KEPT_BODIES, MapResults


def say(count: int) -> list[str]:
    return [f"Say {number}." for number in range(count)]


def said(count: int) -> list[str]:
    return [f"{number}." for number in range(count)]


def arrived(box: Sandbox, since: int = 0) -> list[str]:
    """The prompts that reached the sandbox."""
    return [seen.json["messages"][-1]["content"] for seen in box.requests[since:]]


# -- prompts and answers ----------------------------------------------------------------------------------------------


async def test_answers_come_in_the_order_of_the_prompts(qwen: Any, client: qk.Client):
    results = await done(qwen.map(say(60), concurrency=8))
    assert isinstance(results, MapResults)
    assert results.texts == said(60) == [reply.text for reply in results]
    assert (len(results), results.ok, results.failed, results.unsent) == (60, True, [], 0)
    assert results[3].text == "3."
    assert results[-1].text == "59."
    assert [reply.text for reply in results[2:4]] == ["2.", "3."]
    assert results.usage.total == sum(reply.usage.total for reply in results)
    assert results.cost.amount == pytest.approx(sum(reply.cost.amount for reply in results))
    assert len(client.usage) == 60
    assert results.cost.amount == pytest.approx(client.usage.cost["CNY"])
    with pytest.raises(IndexError, match="60 results"):
        results[60]


async def test_prompts_may_be_anything_chat_takes_in_any_iterable(qwen: Any):
    prompts: tuple[Any, ...] = (
        "Say 1.",
        {"role": "user", "content": "Say 2."},
        [{"role": "user", "content": "My name is Ada."}, qk.Message.assistant("Hello."), "What is my name?"],
        qk.Message.user("Say 4."),
    )
    assert (await done(qwen.map(iter(prompts)))).texts == ["1.", "2.", "Your name is Ada.", "4."]
    assert (await done(qwen.map([]))).texts == []


async def test_options_reach_every_call(qwen: Any, box: Sandbox):
    before = len(box.requests)
    await done(qwen.map(["a", "b"], model="qwen-flash", system="Be terse.", temperature=0.3, extra={"new": 1}))
    for seen in box.requests[before:]:
        assert (seen.json["model"], seen.json["temperature"], seen.json["new"]) == ("qwen-flash", 0.3, 1)
        assert seen.json["messages"][0] == {"role": "system", "content": "Be terse."}


@dataclass
class Place:
    city: str


async def test_a_schema_gives_values(qwen: Any):
    prompts = ["city: Oslo. Give me json.", "city: Lima. Give me json."]
    results = await done(qwen.map(prompts, schema=Place))
    assert [type(value) for value in results.values] == [Place, Place]
    assert [value.city for value in results.values] == ["Oslo", "Lima"]


async def test_a_generator_is_read_no_further_than_needed(qwen: Any, box: Sandbox):
    taken: list[int] = []
    box.fault("401", times=None)

    def prompts() -> Iterator[str]:
        for number in range(100_000):
            taken.append(number)
            yield f"Say {number}."

    results = await done(qwen.map(prompts(), concurrency=4))
    assert isinstance(results.stopped, qk.AuthError)
    assert len(taken) <= 8


async def test_a_generator_that_fails_says_so_and_keeps_what_was_done(qwen: Any):
    def prompts() -> Iterator[str]:
        yield from say(5)
        raise ValueError("the file ended")

    with pytest.raises(ValueError, match="the file ended") as raised:
        await done(qwen.map(prompts()))
    assert "map.last" in raised.value.__notes__[0]
    assert qwen.map.last.texts == said(5)


async def test_wire_bytes_are_let_go_beyond_a_bound(qwen: Any, monkeypatch: pytest.MonkeyPatch):
    assert KEPT_BODIES >= 1_000_000
    monkeypatch.setattr("qwenkit.types.many.KEPT_BODIES", 2_000)
    results = await done(qwen.map(say(30)))
    kept = [reply.raw is not None for reply in results]
    assert True in kept
    assert kept.count(False) > 20


# -- errors -----------------------------------------------------------------------------------------------------------


async def test_an_error_belongs_to_its_item_and_retry_sends_it_again(qwen: Any, box: Sandbox):
    box.fault("400", times=2)
    results = await done(qwen.map(iter(say(20)), concurrency=1))
    assert [failure.position for failure in results.failed] == [0, 1]
    assert results.failed_prompts == ["Say 0.", "Say 1."]
    assert results.texts == [None, None, *said(20)[2:]]
    assert isinstance(results[0], qk.InvalidRequest)
    assert results[0].__traceback__ is None
    before = len(box.requests)
    again = await done(results.retry())
    assert arrived(box, before) == ["Say 0.", "Say 1."]
    assert again.texts == said(20)
    assert (again.ok, again.failures, again.unsent) == (True, 0, 0)


async def test_a_prompt_that_cannot_be_sent_is_an_error_of_its_own(qwen: Any):
    results = await done(qwen.map(["Say 0.", object(), [], "Say 3.", {"role": "user", "content": 5}], tpm=60_000))
    assert results.texts == ["0.", None, None, "3.", None]
    kinds = [type(failure.error) for failure in results.failed]
    assert kinds == [qk.ConfigError, qk.ConfigError, qk.InvalidRequest]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"prompts": "one string"}, "many prompts"),
        ({"prompts": {"role": "user"}}, "many prompts"),
        ({"prompts": 7}, "many prompts"),
        ({"concurrency": 0}, "concurrency"),
        ({"via": "pigeon"}, "via"),
        ({"executor": 3}, "executor"),
        ({"rpm": -1}, "rpm"),
        ({"tpm": "many"}, "tpm"),
        ({"temprature": 1}, "temprature"),
        ({"checkpoint": "/"}, "checkpoint"),
        ({"checkpoint": 3}, "checkpoint"),
        ({"stop_on": 401}, "stop_on"),
        ({"stop_on": ["RateLimited"]}, "stop_on"),
    ],
)
async def test_what_is_wrong_for_all_is_refused_before_anything_is_sent(
    qwen: Any, box: Sandbox, wrong: dict[str, Any], words: str
):
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match=words) as raised:
        await done(qwen.map(**{"prompts": ["a"], **wrong}))
    assert raised.value.hint
    assert len(box.requests) == before


@pytest.mark.parametrize(("fault", "kind"), [("401", qk.AuthError), ("403", qk.PermissionDenied), ("404", qk.NotFound)])
async def test_what_every_item_would_meet_ends_the_run_with_what_was_done(
    qwen: Any, box: Sandbox, fault: str, kind: type[Exception]
):
    prompts, before = say(200), len(box.requests)

    def fails_later() -> Iterator[str]:
        for number, prompt in enumerate(prompts):
            if number == 50:
                box.fault(fault, times=None)
            yield prompt

    results = await done(qwen.map(fails_later(), concurrency=4))
    assert isinstance(results.stopped, kind)
    assert 40 <= results.answered <= 50
    assert len(box.requests) - before < 60
    assert not results.ok
    assert kind.__name__ in str(results)
    box.clear_faults()
    whole = await done(results.retry())
    assert whole.texts == said(200)
    assert whole.stopped is None


async def test_what_was_refused_for_its_rate_is_not_sent_any_more_after_the_end(qwen: Any, box: Sandbox):
    box.fault("429;retry-after=0.2", times=4)
    box.fault("401", times=None)
    results = await done(qwen.map(say(50), concurrency=4))
    assert isinstance(results.stopped, qk.AuthError)
    assert len(box.requests) <= 4 + 2
    assert len(results.failed) + results.unsent == 50


async def test_a_retry_that_ends_early_sends_nothing_twice_later(qwen: Any, box: Sandbox):
    box.fault("400", times=10)
    results = await done(qwen.map(iter(say(20)), concurrency=1))
    assert len(results.failed) == 10
    box.fault("401", times=1)
    again = await done(results.retry())
    assert again.stopped is not None
    before = len(box.requests)
    assert (await done(again.retry())).texts == said(20)
    assert sorted(arrived(box, before)) == sorted(say(20)[:10])


async def test_stop_on_names_other_errors_or_none(qwen: Any, box: Sandbox):
    box.fault("401", times=3)
    results = await done(qwen.map(say(10), concurrency=1, stop_on=()))
    assert (results.answered, len(results.failed), results.stopped) == (7, 3, None)
    box.fault("400", times=1)
    results = await done(qwen.map(say(10), concurrency=1, stop_on=qk.InvalidRequest))
    assert isinstance(results.stopped, qk.InvalidRequest)
    assert (results.answered, results.unsent) == (0, 9)


async def test_a_service_that_is_gone_ends_the_run(qwen: Any, box: Sandbox):
    box.fault("reset", times=None)
    before = len(box.requests)
    results = await done(qwen.map(say(5_000), concurrency=16))
    assert isinstance(results.stopped, qk.TransportError)
    assert len(box.requests) - before < 600
    assert results.unsent > 4_900


async def test_a_budget_ends_the_run_before_it_is_passed(box: Sandbox, flavour: str):
    poor = qk.Client(api_key=box.key, base_url=box.url, budget="¥0.0002")
    with pytest.warns(qk.BudgetWarning):
        results = await done((poor if flavour == "sync" else poor.aio).map(say(100), concurrency=4, max_tokens=4))
    assert isinstance(results.stopped, qk.BudgetExceeded)
    assert 0 < results.answered < 100
    assert results.cost.amount <= 0.0002
    assert poor.usage.cost["CNY"] <= 0.0002
    assert poor._core.accounts._reserved == pytest.approx(0)
    await poor.aio.close()


async def test_second_tries_reserve_nothing_a_second_time(box: Sandbox, flavour: str):
    rich = qk.Client(api_key=box.key, base_url=box.url, budget="¥1")
    hurried(rich._core)
    box.fault("429", times=5)
    box.fault("500", times=5)
    assert (await done((rich if flavour == "sync" else rich.aio).map(say(20)))).ok
    assert rich._core.accounts._reserved == pytest.approx(0)
    await rich.aio.close()


# -- faults and pace --------------------------------------------------------------------------------------------------


async def test_what_heals_is_tried_again_and_counted_once_in_the_ledger(qwen: Any, client: qk.Client, box: Sandbox):
    for fault in ("429", "500", "503", "reset"):
        box.fault(fault, rate=0.05)
    results = await done(qwen.map(say(200), concurrency=16))
    assert results.texts == said(200)
    assert (len(client.usage), {entry.ok for entry in client.usage}) == (200, {True})
    assert results.tries == sum(reply.receipt.tries for reply in results) > 210


async def test_nothing_is_sent_again_once_it_is_answered(qwen: Any, box: Sandbox):
    box.fault("429", rate=0.1)
    before = len(box.requests)
    results = await done(qwen.map(say(200), concurrency=16))
    sent = arrived(box, before)
    assert len(sent) == results.tries
    assert {prompt: sent.count(prompt) for prompt in set(sent)} == {
        f"Say {at}.": reply.receipt.tries for at, reply in enumerate(results)
    }


async def test_many_refusals_lose_no_item_and_lower_the_width(qwen: Any, box: Sandbox):
    box.fault("429", times=60)
    widths: list[int] = []
    results = qwen.map  # the width is read while it runs
    prompts = (widths.append(getattr(results.last, "width", 0)) or f"Say {at}." for at in range(150))
    outcome = await done(results(prompts, concurrency=32))
    assert outcome.texts == said(150)
    assert max(widths) == 32
    assert min(widths) <= 8


async def test_after_refusals_only_so_many_calls_are_under_way(client: qk.Client, box: Sandbox):
    box.fault("429", times=8)
    box.fault("slow:0.5", times=None)
    running = asyncio.ensure_future(client.aio.map(say(16), concurrency=8))
    while len(box.requests) < 9 or client.aio.map.last is None:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)  # whoever may begin has begun, and nobody is answered yet
    assert client.aio.map.last.width <= 4
    assert len(box.requests) == 8 + client.aio.map.last.width
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_one_item_that_is_refused_for_ever_does_not_hold_up_the_others(
    qwen: Any, box: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("qwenkit.api.crew.MOST_REFUSALS", 4)
    box.fault("429;retry-after=0.01", times=5)
    results = await done(qwen.map(say(1)))
    assert isinstance(results[0], qk.RateLimited)
    assert results[0].tries == 5
    assert (await done(results.retry())).texts == ["0."]


async def test_retry_after_holds_everybody_back(qwen: Any, box: Sandbox):
    box.fault("429;retry-after=0.3", times=1)
    results = await done(qwen.map(say(40), concurrency=1))
    assert results.seconds >= 0.3
    assert results.ok


@pytest.mark.parametrize("flavour", ["sync"])  # a pace is kept in the same place for both
async def test_requests_per_minute_are_kept(qwen: Any):
    results = await done(qwen.map(say(30), rpm=1_200))
    assert results.ok
    assert results.seconds >= 1.0  # twenty in the first second, ten in the next


@pytest.mark.parametrize("flavour", ["sync"])
async def test_tokens_per_minute_are_kept(qwen: Any):
    results = await done(qwen.map(["Say " + "word " * 1_500 + "."] * 2, tpm=90_000))
    assert results.seconds >= 1.0  # each is as large as a whole second's slice


async def test_limits_of_the_catalogue_hold_where_the_region_is_known(client: qk.Client):
    from qwenkit.api.many import MapCalls

    live = qk.Client(api_key="sk-0123456789abcdef", region="beijing")
    asked = MapCalls.__call__.flow(live.map, ["a"], progress=False)
    assert (asked.settings.rpm, asked.settings.tpm) == (30_000, 5_000_000)  # type: ignore[attr-defined]
    free = MapCalls.__call__.flow(live.map, ["a"], rpm=0, tpm=float("inf"), progress=False)
    assert (free.settings.rpm, free.settings.tpm) == (None, None)  # type: ignore[attr-defined]
    here = MapCalls.__call__.flow(client.map, ["a"], progress=False)
    assert (here.settings.rpm, here.settings.tpm) == (None, None)  # type: ignore[attr-defined]


# -- checkpoints ------------------------------------------------------------------------------------------------------


async def test_a_run_with_a_checkpoint_sends_only_what_is_missing(qwen: Any, box: Sandbox, tmp_path: Path):
    path = tmp_path / "run.jsonl"
    box.fault("400", times=3)
    first = await done(qwen.map(say(40), checkpoint=path, seed=5, logprobs=True, concurrency=4))
    assert first.answered == 37
    before = len(box.requests)
    second = await done(qwen.map(iter(say(50)), checkpoint=path, seed=5, logprobs=True))
    assert sorted(arrived(box, before)) == sorted([*first.failed_prompts, *say(50)[40:]])
    assert second.texts == said(50)
    assert second.resumed == 37
    old, new = first[10], second[10]
    assert (new.choices, new.usage, new.request_id, new.cost) == (old.choices, old.usage, old.request_id, old.cost)
    assert new.receipt.resumed is True
    assert not hasattr(old.receipt, "resumed")


async def test_resumed_answers_are_not_paid_again(qwen: Any, client: qk.Client, tmp_path: Path):
    first = await done(qwen.map(say(20), checkpoint=tmp_path / "run.jsonl"))
    calls, spent = len(client.usage), dict(client.usage.cost)
    second = await done(qwen.map(say(20), checkpoint=tmp_path / "run.jsonl"))
    assert (len(client.usage), client.usage.cost) == (calls, spent)
    assert second.cost == first.cost
    assert second.usage == first.usage
    assert "20 of them from the checkpoint" in str(second)


async def test_what_has_changed_is_sent_again_and_what_has_moved_is_not(qwen: Any, box: Sandbox, tmp_path: Path):
    path = tmp_path / "run.jsonl"
    await done(qwen.map(say(10), checkpoint=path))
    before = len(box.requests)
    changed = ["Say 100.", *say(10)[:5], "Say 200.", *say(10)[6:]]
    results = await done(qwen.map(changed, checkpoint=path))
    assert sorted(arrived(box, before)) == ["Say 100.", "Say 200."]
    assert results.texts == ["100.", *said(10)[:5], "200.", *said(10)[6:]]
    other = await done(qwen.map(say(3), checkpoint=path, model="qwen-flash"))
    assert other.resumed == 0


async def test_duplicates_are_asked_as_often_as_they_stand_there(qwen: Any, box: Sandbox, tmp_path: Path):
    before = len(box.requests)
    first = await done(qwen.map(["Say 7."] * 5, checkpoint=tmp_path / "run.jsonl"))
    again = await done(qwen.map(["Say 7."] * 8, checkpoint=tmp_path / "run.jsonl"))
    assert (len(box.requests) - before, again.resumed) == (8, 5)
    assert first.texts == again.texts[:5]


async def test_values_are_found_again(qwen: Any, box: Sandbox, tmp_path: Path):
    prompts = ["city: Oslo. Give me json."]
    first = await done(qwen.map(prompts, schema=Place, checkpoint=tmp_path / "run.jsonl"))
    before = len(box.requests)
    second = await done(qwen.map(prompts, schema=Place, checkpoint=tmp_path / "run.jsonl"))
    assert len(box.requests) == before
    assert first.values == second.values == [first[0].value]


async def test_no_key_is_in_the_file(qwen: Any, box: Sandbox, tmp_path: Path):
    path = tmp_path / "run.jsonl"
    box.fault("401", times=1)
    await done(qwen.map(say(5), checkpoint=path, stop_on=()))
    assert box.key not in path.read_text("utf-8")
    assert path.read_text("utf-8").count("\n") == 6


# -- interruption -----------------------------------------------------------------------------------------------------


def test_an_interrupted_run_keeps_what_was_done_and_goes_on_later(box: Sandbox, tmp_path: Path):
    """Ctrl-C in the blocking flavour: the thread is gone, nothing is sent any more, the message says how to go on."""
    client = qk.Client(api_key=box.key, base_url=box.url)
    before, path = threads(), tmp_path / "run.jsonl"

    def prompts() -> Iterator[str]:
        for number, prompt in enumerate(say(400)):
            if number == 100:
                box.fault("slow:5", times=None)
                threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
            yield prompt

    with pytest.raises(KeyboardInterrupt) as raised:
        client.map(prompts(), concurrency=8, checkpoint=path)
    box.clear_faults()
    assert "the same call again sends only the others" in raised.value.__notes__[0]
    kept = client.map.last
    assert kept is not None
    assert 80 <= kept.answered <= 108
    assert threads() - {name for name in threads() if name.startswith("Thread-")} <= before
    seen = len(box.requests)
    whole = client.map(say(400), checkpoint=path)
    assert whole.texts == said(400)
    assert (whole.resumed, len(box.requests) - seen) == (kept.answered, 400 - kept.answered)
    unhappy = [entry for entry in client.usage if not entry.ok]
    assert len(unhappy) <= 8  # those that were under way
    client.close()


async def test_a_cancelled_run_keeps_what_was_done_and_retry_goes_on(client: qk.Client, box: Sandbox):
    aqwen = client.aio

    def prompts() -> Iterator[str]:
        for number, prompt in enumerate(say(60)):
            if number == 30:
                box.fault("slow:5", times=None)
            yield prompt

    running = asyncio.ensure_future(aqwen.map(prompts(), concurrency=4))
    while aqwen.map.last is None or aqwen.map.last.answered < 27:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    box.clear_faults()
    assert not await tasks()
    kept = aqwen.map.last
    assert 27 <= kept.answered <= 30
    assert "retry() goes on" in kept.remark
    whole = await kept.retry()
    assert whole.texts == said(60)
    assert whole.remark == ""


async def test_the_blocking_flavour_works_inside_a_running_loop_and_leaves_it_alone(client: qk.Client):
    loop = asyncio.get_running_loop()
    assert client.map(say(10)).texts == said(10)
    assert asyncio.get_running_loop() is loop
    assert client.map.last is not None
    assert client.aio.map.last is None


async def test_two_runs_at_once_do_not_mix(client: qk.Client):
    one, two = await asyncio.gather(client.aio.map(say(40)), client.aio.map(reversed(say(40))))
    assert one.texts == said(40) == two.texts[::-1]
    first, second = await asyncio.gather(asyncio.to_thread(client.map, say(30)), asyncio.to_thread(client.map, say(20)))
    assert (first.texts, second.texts) == (said(30), said(20))


def test_results_are_json_lines_a_person_can_read(box: Sandbox, tmp_path: Path):
    client = qk.Client(api_key=box.key, base_url=box.url)
    hurried(client._core)
    client.map(["Say 1."], checkpoint=tmp_path / "run.jsonl")
    line = json.loads((tmp_path / "run.jsonl").read_text("utf-8").splitlines()[1])
    assert (line["position"], line["answer"]["choices"][0]["text"]) == (0, "1.")
    client.close()
