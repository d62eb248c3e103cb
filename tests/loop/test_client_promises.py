"""Promises under pressure: budgets with threads, histories after refusals, loops and clients that come and go."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
import traceback
import weakref
from pathlib import Path
from typing import Any

import pytest
from flavours import done, opened

import qwenkit as qk
from qwenkit.config import Settings
from qwenkit.notebook import probes
from qwenkit.sandbox import Sandbox
from qwenkit.types.keys import TemporaryKey


def test_loops_that_ended_are_let_go(box: Sandbox):
    client = qk.Client(api_key=box.key, base_url=box.url)
    loops = []

    async def ask() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await client.aio.chat("Hi")

    for _ in range(3):
        asyncio.run(ask())
    gc.collect()
    assert [loop() for loop in loops] == [None, None, None]


def test_threads_share_one_awaited_driver(box: Sandbox):
    client = qk.Client(api_key=box.key, base_url=box.url)
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(client._core.async_driver)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(driver) for driver in found}) == 1


@pytest.mark.filterwarnings("ignore::qwenkit.errors.BudgetWarning")
def test_threads_cannot_slip_past_a_budget_together(box: Sandbox):
    client = qk.Client(api_key=box.key, base_url=box.url, budget=0.002)
    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def spend() -> None:
        for _ in range(20):
            try:
                client.chat("Name one colour.", max_tokens=20)
            except qk.BudgetExceeded:
                return

    threads = [threading.Thread(target=spend) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(patience)
    assert 0 < client.usage.cost["CNY"] <= 0.002


async def test_a_stream_left_early_is_billed_for_what_came(qwen: Any):
    async with opened(qwen.chat.stream("Count from 1 to 30.")) as stream:
        await _first(stream, 5)
    entry = qwen.usage[-1]
    assert not entry.ok
    assert entry.prompt > 0
    assert entry.completion > 0
    assert entry.cost.amount > 0


@pytest.mark.filterwarnings("ignore::qwenkit.errors.BudgetWarning")
async def test_a_budget_holds_for_streams_left_early(box: Sandbox):
    client = qk.Client(api_key=box.key, base_url=box.url, budget=0.001)
    refused = False
    for _ in range(200):
        try:
            with client.chat.stream("Count from 1 to 30.", max_tokens=40) as stream:
                await _first(stream, 5)
        except qk.BudgetExceeded:
            refused = True
            break
    assert refused
    assert client.usage.cost["CNY"] <= 0.001


async def test_what_comes_after_the_end_marker_does_not_matter(box: Sandbox, qwen: Any):
    pieces = await done(qwen.chat.stream("Say: Hello!").finish())
    box.fault(f"cut:{len(pieces.events) + 1}")
    again = await done(qwen.chat.stream("Say: Hello!").finish())
    assert again.text == pieces.text


async def test_trimming_waits_for_the_answer(qwen: Any, box: Sandbox):
    talk = qwen.conversation(context_limit=120)
    for words in ("My name is Ada.", "I live in Oslo.", "I like tea."):
        await done(talk(words))
    before = list(talk.messages)
    with pytest.raises(qk.ConfigError, match="limited to 120") as raised:
        await done(talk("word " * 400))
    assert "trim" not in raised.value.hint
    assert talk.messages == before
    talk.stream("Tell me a longer story about a cat and a sunbeam, please. " * 3)
    assert talk.messages == before
    box.fault("400")
    with pytest.raises(qk.APIError):
        await done(talk("What is a token, and why does a model count them? " * 3))
    assert talk.messages == before
    await done(talk("What is a token, and why does a model count them? " * 3))
    assert talk.forgotten > 0
    assert talk.messages != before


async def test_the_turn_a_tool_answers_is_never_left_behind(qwen: Any):
    talk = qwen.conversation(context_limit=40)
    talk.messages = [
        qk.Message.user("What is the weather in Oslo?"),
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
        },
    ]
    with pytest.raises(qk.ConfigError, match="limited to 40"):
        await done(talk(qk.Message.tool("rain " * 60, "c1")))
    assert len(talk.messages) == 2


def test_a_stopped_sandbox_is_started_anew():
    first = qk.connect()
    first.box.stop()
    second = qk.connect()
    assert second.box.running
    assert second.chat("Hello").text


def test_a_conversation_keeps_its_sandbox_alive():
    talk = qk.sandbox(fresh=True).conversation()
    gc.collect()
    assert talk("Hello").text


def test_the_awaited_side_knows_the_sandbox_too():
    qwen = qk.connect()
    assert qwen.aio.box is qwen.box


@pytest.mark.parametrize("proxy", ["socks://127.0.0.1:1", "socks4://127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_secrets(proxy: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("ALL_PROXY", proxy.replace("//", "//ada:hunter2@"))
    with pytest.raises(qk.ConfigError, match="socks") as raised:
        qk.Client(api_key="sk-0123456789abcdef", base_url="http://192.0.2.1").chat("Hi")
    assert "hunter2" not in str(raised.value)


def test_a_temporary_key_is_masked_for_rich_too():
    key = TemporaryKey("st-0123456789abcdef", 1)
    assert "0123456789" not in str(key.__rich_repr__())


@pytest.mark.parametrize(
    "settings", [{"workspace": "sk-0123456789abcdef"}, {"base_url": "https://ada:hunter2@host/v1"}]
)
def test_secrets_in_the_wrong_place_are_refused_before_anything_is_sent(settings: dict[str, Any]):
    with pytest.raises(qk.ConfigError) as raised:
        qk.Client(api_key="sk-fedcba9876543210", **settings)
    assert "0123456789" not in str(raised.value)
    assert "hunter2" not in str(raised.value)


async def _first(stream: Any, count: int) -> None:
    if hasattr(stream, "__aiter__"):
        async for _ in stream:
            count -= 1
            if not count:
                return
    for _ in stream:
        count -= 1
        if not count:
            return


def test_each_of_several_answers_is_counted_before_sending(box: Sandbox):
    one = qk.Client(api_key=box.key, base_url=box.url, budget=0.0015)
    assert one.chat("Hi", n=1).cost
    four = qk.Client(api_key=box.key, base_url=box.url, budget=0.0015)
    sent = len(box.requests)
    with pytest.raises(qk.BudgetExceeded):
        four.chat("Hi", n=4)
    assert len(box.requests) == sent


async def test_a_save_that_fails_leaves_the_old_file(qwen: Any, tmp_path: Path):
    talk = qwen.conversation(context_limit=500)
    await done(talk("My name is Ada."))
    path = talk.save(tmp_path / "talk.json")
    kept = path.read_bytes()
    talk.messages.append(qk.Message.user("\ud800"))
    with pytest.raises(qk.ConfigError, match="cannot be written"):
        talk.save(path)
    assert path.read_bytes() == kept
    assert list(tmp_path.iterdir()) == [path]
    assert qwen.conversation().restore(path).context_limit == 500


@pytest.mark.parametrize("odd", [{"when_full": "banana"}, {"options": {"heat": 1}}, {"options": [1]}], ids=str)
async def test_an_odd_file_is_not_restored_and_changes_nothing(qwen: Any, tmp_path: Path, odd: dict[str, Any]):
    talk = qwen.conversation()
    await done(talk("My name is Ada."))
    path = talk.save(tmp_path / "talk.json")
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **odd}), "utf-8")
    before = list(talk.messages)
    with pytest.raises(qk.ConfigError):
        talk.restore(path)
    assert talk.messages == before
    assert talk.policy == "trim"


def test_the_doctor_holds_no_key_in_its_frames(box: Sandbox, monkeypatch: pytest.MonkeyPatch):
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(probes, "region_of", stop)
    settings = {"DASHSCOPE_API_KEY": box.key, "DASHSCOPE_BASE_URL": box.url}
    with pytest.raises(KeyboardInterrupt) as raised:
        list(probes.live_findings(Settings(settings)))
    ours = [frame for frame in traceback.walk_tb(raised.value.__traceback__) if "probes" in frame[0].f_code.co_filename]
    assert ours
    assert not any(box.key in repr(frame.f_locals) for frame, _ in ours)
