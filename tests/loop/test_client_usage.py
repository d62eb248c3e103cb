"""Ledger, budget, models, temporary keys and the client's own card, against the sandbox."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from flavours import close, done, opened, pieces

import qwenkit as qk
from qwenkit.notebook.connect import connect
from qwenkit.sandbox import Sandbox
from qwenkit.types.connection import Connection


async def test_every_call_is_an_entry(qwen: Any, client: qk.Client):
    reply = await done(qwen.chat("What is 17 times 23?", thinking=True))
    streamed = await done(qwen.chat.stream("Hi", model="qwen-flash").finish())
    with pytest.raises(qk.InvalidRequest):
        await done(qwen.chat("Hi", temperature=9))
    usage = qwen.usage
    assert usage is client.usage
    assert [(entry.number, entry.model, entry.ok) for entry in usage] == [
        (1, "qwen-plus", True),
        (2, "qwen-flash", True),
        (3, "qwen-plus", False),
    ]
    first, second, third = usage
    assert (first.prompt, first.completion, first.reasoning) == (
        reply.usage.prompt,
        reply.usage.completion,
        reply.usage.reasoning,
    )
    assert (first.cost, first.request_id) == (reply.cost, reply.request_id)
    assert (second.cost, second.first_token) == (streamed.cost, streamed.receipt.first_token)
    assert (third.total, third.cost) == (0, None)
    assert third.request_id
    assert usage.cost == {"CNY": pytest.approx(reply.cost.amount + streamed.cost.amount)}
    assert usage.tokens == reply.usage.total + streamed.usage.total


async def test_both_flavours_share_one_ledger(client: qk.Client):
    client.chat("Hi")
    await client.aio.chat("Hi")
    assert [entry.number for entry in client.usage] == [1, 2]
    assert client.aio.usage is client.usage


async def test_a_stream_left_early_is_booked_as_failed(qwen: Any):
    async with opened(qwen.chat.stream("Tell me a story.")) as stream:
        async for _ in pieces(stream):
            break
    assert [(entry.ok, entry.family) for entry in qwen.usage] == [(False, "chat")]


# -- the budget ---------------------------------------------------------------------------------------------------


def tight(box: Sandbox, flavour: str, budget: Any) -> Any:
    client = qk.Client(api_key=box.key, base_url=box.url, budget=budget)
    return client if flavour == "sync" else client.aio


async def _spend(qwen: Any) -> None:
    for _ in range(40):
        await done(qwen.chat("Tell me a story about a cat.", max_tokens=40))


async def test_a_budget_warns_and_then_refuses_with_nothing_sent(box: Sandbox, flavour: str):
    qwen = tight(box, flavour, "¥0.001")  # of qwen-plus: about 500 tokens of answers
    async with opened(qwen):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            with pytest.raises(qk.BudgetExceeded) as raised:
                await _spend(qwen)
        spent = qwen.usage.cost["CNY"]
        assert spent <= 0.001
        assert [warning.category for warning in seen] == [qk.BudgetWarning]
        assert "/qwenkit/api/" not in seen[0].filename.replace("\\", "/")
        assert "nothing was sent" in raised.value.message
        calls, before = len(qwen.usage), len(box.requests)
        assert calls > 3
        with pytest.raises(qk.BudgetExceeded):
            await done(qwen.chat("Hi", max_tokens=400))
        with pytest.raises(qk.BudgetExceeded):
            await done(qwen.chat.stream("Hi", max_tokens=400).finish())
        assert len(box.requests) == before
        assert len(qwen.usage) == calls
        assert qwen.usage.cost["CNY"] == spent


async def test_calls_at_once_cannot_slip_through_together(box: Sandbox):
    import asyncio

    client = qk.Client(api_key=box.key, base_url=box.url, budget="¥0.001")
    async with client.aio as aqwen:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = await asyncio.gather(
                *(aqwen.chat("Tell me a story about a cat.", max_tokens=100) for _ in range(30)), return_exceptions=True
            )
        refused = [result for result in results if isinstance(result, qk.BudgetExceeded)]
        assert len(refused) >= 24
        assert len(refused) + len(client.usage) == 30
        assert client.usage.cost["CNY"] <= 0.001


# -- models -------------------------------------------------------------------------------------------------------


async def test_models_are_the_catalogues_and_live_ones_the_services(qwen: Any, box: Sandbox):
    before = len(box.requests)
    assert qwen.models["qwen-plus"].name == "qwen-plus"
    assert "qwen3-vl-plus" in [model.name for model in qwen.models.search("vl")]
    assert len(qwen.models) == len(list(qwen.models)) > 50
    assert len(box.requests) == before
    live = await done(qwen.models.live())
    assert "qwen-plus" in live.names
    assert (box.requests[-1].method, box.requests[-1].path) == ("GET", "/compatible-mode/v1/models")


async def test_a_model_the_catalogue_lacks_is_not_found_with_a_suggestion(qwen: Any):
    with pytest.raises(qk.NotFound) as raised:
        qwen.models["qwen-pluss"]
    assert "qwen-plus" in raised.value.hint


# -- temporary keys -----------------------------------------------------------------------------------------------


async def test_a_temporary_key_is_a_key(qwen: Any, box: Sandbox):
    key = await done(qwen.temporary_key(seconds=90))
    assert key.token.startswith("st-")
    assert key.expires_at > 1_700_000_000
    assert key.token not in f"{key!r} {key} {[key]}"
    assert box.requests[-1].query == {"expire_in_seconds": "90"}
    with qk.Client(api_key=key.token, base_url=box.url) as guest:
        assert guest.chat("Hi").text
        with pytest.raises(qk.AuthError):
            guest.temporary_key()


@pytest.mark.parametrize("seconds", [0, -1, 1801])
async def test_a_life_nobody_grants_is_refused_here(qwen: Any, box: Sandbox, seconds: int):
    before = len(box.requests)
    with pytest.raises(qk.InvalidRequest, match=str(seconds)):
        await done(qwen.temporary_key(seconds=seconds))
    assert len(box.requests) == before


# -- the client itself --------------------------------------------------------------------------------------------


async def test_the_client_shows_where_it_calls_and_masks_its_key(qwen: Any, box: Sandbox):
    card = qwen.connection
    assert isinstance(card, Connection)
    assert card.masked_key == "sk-…ests"
    assert (card.model, card.key_from, card.sandbox) == ("qwen-plus", "argument", False)
    assert card.urls["compatible"] == f"{box.url}/compatible-mode/v1"
    assert "root" not in card.urls
    bundle = qwen._repr_mimebundle_()
    assert box.key not in str(bundle)
    assert box.key not in repr(qwen)
    for shown in bundle.values():  # without the port, which differs from run to run
        assert "127.0.0.1" in shown
        assert "/compatible-mode/v1" in shown


async def test_a_plain_server_says_what_it_lacks(box: Sandbox, flavour: str):
    client = qk.Client(api_key=box.key, base_url="http://127.0.0.1:9/v1")
    qwen: Any = client if flavour == "sync" else client.aio
    with pytest.raises(qk.ConfigError, match="plain OpenAI-compatible server"):
        await done(qwen.temporary_key())


async def test_a_closed_client_opens_again_when_it_is_used(qwen: Any):
    await done(qwen.chat("Hi"))
    await close(qwen)
    assert (await done(qwen.chat("Hi"))).text


async def test_a_workspace_travels_in_its_header(box: Sandbox, flavour: str):
    client = qk.Client(api_key=box.key, base_url=box.url, workspace="ws-7")
    qwen: Any = client if flavour == "sync" else client.aio
    async with opened(qwen):
        await done(qwen.chat("Hi"))
        await done(qwen.chat.stream("Hi").finish())
    assert [seen.headers["x-dashscope-workspace"] for seen in box.requests[-2:]] == ["ws-7", "ws-7"]


def test_connect_takes_the_sandbox_without_a_key_and_one_serves_the_kernel():
    first, second = connect(), connect(model="qwen-flash")
    try:
        assert first.connection.sandbox
        assert first.connection.urls == second.connection.urls
        assert second.model == "qwen-flash"
        assert first.chat("Hi").receipt.sandbox
    finally:
        first.close()
        second.close()


def test_connect_goes_live_with_a_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-0123456789abcdef")
    qwen = connect(region="singapore")
    assert not qwen.connection.sandbox
    assert qwen.connection.region == "singapore"
    assert qwen.connection.key_from == "DASHSCOPE_API_KEY"
