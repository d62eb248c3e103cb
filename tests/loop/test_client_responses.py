"""The Responses and Conversations APIs against the sandbox, both flavours: chains, forks, tools, streams, failures."""

from __future__ import annotations

from typing import Any

import pytest
from flavours import close, done, opened, pieces
from remains import settled

import qwenkit as qk
from qwenkit.sandbox import Sandbox

ASK = "Why is the sky blue?"


def rain_now(town: str) -> dict[str, Any]:
    """Is it raining in a town?"""
    return {"town": town, "rain": True}


async def arain_now(town: str) -> dict[str, Any]:
    """Is it raining in a town?"""
    return rain_now(town)


def asked(box: Sandbox) -> Any:
    return box.requests[-1].json


# -- one turn -----------------------------------------------------------------------------------------------------


async def test_a_question_is_answered(qwen: Any, client: qk.Client, box: Sandbox):
    reply = await done(qwen.responses(ASK, thinking=False))
    assert "scatter" in reply.text
    assert (reply.status, reply.model, reply.raw["object"]) == ("completed", "qwen3.5-plus", "response")
    assert reply.usage.total > 10
    assert reply.cost.amount > 0
    assert reply.request_id == box.requests[-1].request_id
    assert asked(box) == {"model": "qwen3.5-plus", "input": ASK, "enable_thinking": False}
    assert box.requests[-1].path == "/compatible-mode/v1/responses"
    entry = client.usage[-1]
    assert (entry.family, entry.ok, entry.total) == ("responses", True, reply.usage.total)


async def test_thinking_comes_as_an_item(qwen: Any):
    reply = await done(qwen.responses(ASK, thinking="low"))
    assert [item.type for item in reply.output] == ["reasoning", "message"]
    assert reply.thinking
    assert reply.usage.reasoning > 0


async def test_instructions_hold_for_their_turn(qwen: Any, box: Sandbox):
    await done(qwen.responses(ASK, system="Be terse."))
    assert asked(box)["instructions"] == "Be terse."


async def test_a_cut_answer_says_so(qwen: Any):
    reply = await done(qwen.responses("Tell me a long story.", max_output_tokens=16, thinking=False))
    assert (reply.status, reply.incomplete) == ("incomplete", "max_output_tokens")
    assert reply.text


async def test_the_session_cache_is_a_header(qwen: Any, box: Sandbox):
    await done(qwen.responses(ASK, session_cache=True))
    assert box.requests[-1].headers["x-dashscope-session-cache"] == "enable"
    await done(qwen.responses(ASK))
    assert "x-dashscope-session-cache" not in box.requests[-1].headers


async def test_a_model_given_to_the_client_holds_here_too(box: Sandbox, flavour: str):
    client = qk.Client(api_key=box.key, base_url=box.url, model="qwen3.7-plus")
    reply = await done((client if flavour == "sync" else client.aio).responses(ASK))
    assert reply.model == "qwen3.7-plus"
    await client.aio.close()


# -- chains -------------------------------------------------------------------------------------------------------


async def test_a_chain_remembers_and_forks(qwen: Any, client: qk.Client):
    first = await done(qwen.responses("My name is Ada.", thinking=False))
    second = await done(qwen.responses("What is my name?", previous=first, thinking=False))
    other = await done(qwen.responses("Why is grass green?", previous=first.id, thinking=False))
    assert "Ada" in second.text
    assert second.previous == other.previous == first.id
    assert [turn.after for turn in client.responses.tree] == [0, 1, 1]
    assert client.responses.tree is client.aio.responses.tree
    assert "├─ 2 What is my name? → Your name is Ada." in str(client.responses.tree)


async def test_what_was_not_stored_cannot_be_gone_on_from(qwen: Any):
    reply = await done(qwen.responses(ASK, store=False))
    with pytest.raises(qk.NotFound, match="previous_response_id"):
        await done(qwen.responses("And?", previous=reply))
    with pytest.raises(qk.NotFound, match="not found"):
        await done(qwen.responses.get(reply))


async def test_a_history_may_be_sent_by_hand(qwen: Any, box: Sandbox):
    first = await done(qwen.responses("My name is Ada.", store=False, thinking=False))
    second = await done(qwen.responses(["My name is Ada.", first, "What is my name?"], store=False, thinking=False))
    assert "Ada" in second.text
    assert [item.get("role") for item in asked(box)["input"]] == ["user", "assistant", "user"]


async def test_a_stored_response_is_read_and_forgotten(qwen: Any, client: qk.Client):
    first = await done(qwen.responses("My name is Ada."))
    second = await done(qwen.responses([{"role": "user", "content": "What is my name?"}], previous=first))
    calls = len(client.usage)
    again = await done(qwen.responses.get(second.id))
    assert (again.id, again.text, again.output) == (second.id, second.text, second.output)
    assert again.usage == second.usage
    inputs = await done(qwen.responses.input_items(second))
    assert inputs[-1].text == "What is my name?"
    assert await done(qwen.responses.delete(second)) is True
    with pytest.raises(qk.NotFound, match="not found"):
        await done(qwen.responses.get(second))
    assert len(client.usage) == calls  # reading costs nothing and is not in the ledger


async def test_input_items_come_in_pages(qwen: Any, box: Sandbox):
    many = [{"role": "user", "content": f"Line {n}"} for n in range(130)]
    reply = await done(qwen.responses(many, thinking=False))
    before = len(box.requests)
    items = await done(qwen.responses.input_items(reply))
    assert [item.text for item in items] == [f"Line {n}" for n in range(130)]
    assert [seen.query for seen in box.requests[before:]] == [
        {"limit": "100", "order": "asc"},
        {"after": items[99].id, "limit": "100", "order": "asc"},
    ]
    few = await done(qwen.responses.input_items(reply, limit=3, order="desc"))
    assert [item.text for item in few] == ["Line 129", "Line 128", "Line 127"]


@pytest.mark.parametrize("options", [{"limit": 0}, {"limit": "3"}, {"limit": 2.5}, {"order": "up"}])
async def test_a_list_that_makes_no_sense_is_refused(qwen: Any, options: dict[str, Any]):
    with pytest.raises(qk.ConfigError):
        await done(qwen.responses.input_items("resp_1", **options))


# -- conversations ------------------------------------------------------------------------------------------------


async def test_a_conversation_keeps_its_turns(qwen: Any, client: qk.Client):
    nouns = qwen.responses.conversations
    talk = await done(nouns.create(["Call me Ada."], metadata={"topic": "names"}))
    assert talk.metadata == {"topic": "names"}
    reply = await done(qwen.responses("My name is Ada.", conversation=talk, thinking=False))
    await done(qwen.responses("What is my name?", conversation=talk.id, thinking=False))
    assert reply.conversation == talk.id
    items = await done(nouns.items(talk).list())
    assert [item.text for item in items][:2] == ["Call me Ada.", "My name is Ada."]
    assert "Ada" in items[-1].text
    assert [turn.after for turn in client.responses.tree] == [0, 1]


async def test_a_conversation_is_read_changed_and_deleted(qwen: Any):
    nouns = qwen.responses.conversations
    talk = await done(nouns.create())
    assert (await done(nouns.update(talk, metadata={"a": "b"}))).metadata == {"a": "b"}
    assert (await done(nouns.get(talk.id))).metadata == {"a": "b"}
    assert await done(nouns.delete(talk)) is True
    with pytest.raises(qk.NotFound):
        await done(nouns.get(talk))


async def test_items_are_added_read_and_taken_out(qwen: Any):
    nouns = qwen.responses.conversations
    items = nouns.items(await done(nouns.create()))
    added = await done(items.add(["One", qk.Message.assistant("Two")]))
    assert [(item.role, item.text) for item in added] == [("user", "One"), ("assistant", "Two")]
    assert (await done(items.get(added[0]))).text == "One"
    assert await done(items.delete(added[0].id)) is True
    assert [item.text for item in await done(items.list())] == ["Two"]
    with pytest.raises(qk.NotFound):
        await done(items.get(added[0]))


async def test_metadata_is_a_dict(qwen: Any, box: Sandbox):
    before = len(box.requests)
    for calls in (qwen.responses.conversations.create, lambda **how: qwen.responses.conversations.update("c", **how)):
        with pytest.raises(qk.ConfigError, match="metadata"):
            await done(calls(metadata=["topic"]))
    assert len(box.requests) == before


async def test_one_history_at_a_time(qwen: Any, box: Sandbox):
    first, talk = await done(qwen.responses(ASK)), await done(qwen.responses.conversations.create())
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match="not from both"):
        await done(qwen.responses("And?", previous=first, conversation=talk))
    assert len(box.requests) == before
    with pytest.raises(qk.InvalidRequest, match="Mutually exclusive") as raised:
        await done(qwen.responses("And?", previous=first, extra={"conversation": talk.id}))
    assert "not both" in raised.value.hint


# -- tools --------------------------------------------------------------------------------------------------------


async def test_a_function_is_asked_for_and_answered_by_hand(qwen: Any, box: Sandbox):
    reply = await done(qwen.responses("Is it raining in Oslo?", tools=[rain_now]))
    call = reply.tool_calls[0]
    assert (call.name, call.parsed) == ("rain_now", {"town": "Oslo"})
    final = await done(qwen.responses([reply.result(call, rain_now(**call.parsed))], previous=reply, tools=[rain_now]))
    assert asked(box)["input"][0]["type"] == "function_call_output"
    assert asked(box)["tools"][0]["name"] == "rain_now"
    assert "Oslo" in final.text


@pytest.mark.parametrize("store", [True, False], ids=["stored", "by hand"])
async def test_functions_run_until_the_answer_is_words(qwen: Any, client: qk.Client, store: bool):
    reply = await done(qwen.responses("Is it raining in Oslo?", tools=[rain_now], run_tools=True, store=store))
    assert "Oslo" in reply.text
    run = reply.rounds[0].runs[0]
    assert (run.name, run.value) == ("rain_now", {"town": "Oslo", "rain": True})
    assert [entry.ok for entry in client.usage] == [True, True]


async def test_what_is_not_stored_still_goes_on_from_what_is(qwen: Any, box: Sandbox):
    first = await done(qwen.responses("My name is Ada.", thinking=False))
    before, prompt = len(box.requests), (text for text in ["Is it raining in Oslo?"])
    reply = await done(qwen.responses(prompt, previous=first, store=False, tools=[rain_now], run_tools=True))
    assert "Oslo" in reply.text
    sent = [seen.json for seen in box.requests[before:]]
    assert [body["previous_response_id"] for body in sent] == [first.id, first.id]
    assert sent[1]["input"][0] == sent[0]["input"][0] == {"role": "user", "content": "Is it raining in Oslo?"}


async def test_functions_run_in_a_conversation_too(qwen: Any):
    talk = await done(qwen.responses.conversations.create())
    reply = await done(
        qwen.responses("Is it raining in Oslo?", conversation=talk, tools=[rain_now], run_tools=True, thinking=False)
    )
    assert "Oslo" in reply.text
    kinds = [item.type for item in await done(qwen.responses.conversations.items(talk).list())]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


async def test_async_functions_run_in_the_awaited_client(client: qk.Client):
    reply = await client.aio.responses("Is it raining in Oslo?", tools=[arain_now], run_tools=True)
    assert reply.rounds[0].runs[0].value == {"town": "Oslo", "rain": True}


async def test_a_function_that_is_asked_for_for_ever_is_stopped(
    qwen: Any, box: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("qwenkit.api.responses.MOST_ROUNDS", 0)
    with pytest.warns(qk.RoundsWarning, match="rain_now"):
        reply = await done(qwen.responses("Is it raining in Oslo?", tools=[rain_now], run_tools=True))
    assert reply.tool_calls


async def test_what_functions_have_done_is_not_lost_when_the_next_round_fails(qwen: Any, box: Sandbox):
    ran: list[str] = []

    def rain_now(town: str) -> dict[str, Any]:
        """Is it raining in a town?"""
        box.fault("400")
        ran.append(town)
        return {"rain": True}

    with pytest.raises(qk.InvalidRequest) as raised:
        await done(qwen.responses("Is it raining in Oslo?", tools=[rain_now], run_tools=True))
    assert ran == ["Oslo"]
    assert raised.value.reply.rounds[0].runs[0].value == {"rain": True}


@pytest.mark.parametrize("choice", ["required", rain_now], ids=["a word", "a function"])
async def test_a_forced_function_is_forced_once(qwen: Any, box: Sandbox, choice: Any):
    before = len(box.requests)
    await done(qwen.responses("Is it raining in Oslo?", tools=[rain_now], tool_choice=choice, run_tools=True))
    only = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "rain_now"}]}
    sent = [seen.json["tool_choice"] for seen in box.requests[before:]]
    assert sent == ["required" if choice == "required" else only, "auto"]


@pytest.mark.parametrize(
    ("tool", "prompt", "kind"),
    [
        ("web_search", "When does the ferry leave?", "web_search_call"),
        ("code_interpreter", "What is 17 * 23? Use code.", "code_interpreter_call"),
    ],
)
async def test_built_in_tools_run_at_the_service(qwen: Any, client: qk.Client, tool: str, prompt: str, kind: str):
    reply = await done(qwen.responses(prompt, tools=[tool]))
    item = next(item for item in reply.output if item.type == kind)
    assert item.status == "completed"
    assert item.queries or item.logs
    assert reply.usage.tools == client.usage[-1].tools == {tool: 1}
    assert reply.usage.parts == client.usage[-1].parts
    assert (reply.cost.amount > 0.004) is (tool == "web_search")  # a search has a price of its own
    assert reply.usage.parts


# -- streams ------------------------------------------------------------------------------------------------------


async def test_a_stream_adds_up_to_its_response(qwen: Any, client: qk.Client, box: Sandbox):
    stream = qwen.responses.stream(ASK)
    events = [event async for event in pieces(stream)]
    reply = stream.reply
    assert "".join(event.text for event in events) == reply.text != ""
    assert "".join(event.thinking for event in events) == reply.thinking != ""
    assert [event.raw for event in events] == reply.raw
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert reply.receipt.streamed
    assert asked(box)["stream"] is True
    assert client.usage[-1].total == reply.usage.total
    assert len(client.responses.tree) == 1


async def test_a_stream_and_a_call_say_the_same(qwen: Any):
    whole = await done(qwen.responses(ASK, temperature=0))
    streamed = await done(qwen.responses.stream(ASK, temperature=0).finish())
    assert (streamed.text, streamed.thinking) == (whole.text, whole.thinking)
    assert streamed.usage == whole.usage


async def test_a_streamed_answer_can_be_gone_on_from(qwen: Any):
    first = await done(qwen.responses.stream("My name is Ada.").finish())
    second = await done(qwen.responses.stream("What is my name?", previous=first, thinking=False).finish())
    assert "Ada" in second.text
    assert second.previous == first.id


async def test_tools_are_streamed_item_by_item(qwen: Any):
    events = [event async for event in pieces(qwen.responses.stream("What is 17 * 23?", tools=["code_interpreter"]))]
    types = [event.type for event in events]
    assert "response.code_interpreter_call.interpreting" in types
    item = next(event.item for event in events if event.item and event.item.type == "code_interpreter_call")
    assert item.code
    stream = qwen.responses.stream("Is it raining in Oslo?", tools=[rain_now])
    fragments = [event.tool async for event in pieces(stream) if event.tool]
    assert "".join(fragment.arguments for fragment in fragments) == stream.reply.tool_calls[0].arguments


async def test_a_stream_left_early_lets_go_and_is_billed(qwen: Any, client: qk.Client, box: Sandbox):
    async with opened(qwen.responses.stream(ASK, thinking=False)) as stream:
        async for event in pieces(stream):
            if event.text:
                break
    assert stream.reply.text == event.text
    assert stream.reply.status == "in_progress"
    assert settled(int(box.url.rpartition(":")[2]))
    assert [(entry.ok, entry.completion > 0) for entry in client.usage] == [(False, True)]
    assert len(client.responses.tree) == 0


async def test_an_invalid_stream_raises_the_typed_error(qwen: Any, client: qk.Client):
    with pytest.raises(qk.NotFound, match="Unsupported model") as raised:
        await done(qwen.responses.stream(ASK, model="nope").finish())
    assert raised.value.reply.status == "failed"
    assert [entry.ok for entry in client.usage] == [False]


async def test_a_stream_that_is_cut_carries_what_had_arrived(qwen: Any, box: Sandbox):
    box.fault("cut:12")
    stream = qwen.responses.stream(ASK)
    with pytest.raises(qk.StreamBroken) as raised:
        await done(stream.finish())
    assert raised.value.reply.thinking == stream.reply.thinking != ""
    await close(stream)


async def test_a_failure_within_a_stream_raises_its_error_and_carries_what_had_arrived(
    qwen: Any, client: qk.Client, box: Sandbox
):
    box.fault("error:3")
    with pytest.raises(qk.ServerError, match="internal error") as early:
        await done(qwen.responses.stream(ASK, thinking=False).finish())
    assert (early.value.reply.text, early.value.reply.status) == ("", "failed")
    assert early.value.request_id == box.requests[-1].request_id
    box.fault("error:9")
    stream = qwen.responses.stream(ASK, thinking=False)
    with pytest.raises(qk.ServerError) as late:
        await done(stream.finish())
    whole = await done(qwen.responses(ASK, thinking=False))
    assert whole.text.startswith(late.value.reply.text)
    assert len(late.value.reply.text) > 5
    assert (late.value.reply.error.code, stream.reply.text) == ("InternalError", late.value.reply.text)
    assert [(entry.ok, entry.completion > 0) for entry in client.usage][1:] == [(False, True), (True, True)]
    assert len(client.responses.tree) == 1


async def test_opening_a_call_is_tried_again(qwen: Any, box: Sandbox):
    box.fault("429", times=1)
    assert (await done(qwen.responses(ASK))).receipt.tries == 2
    box.fault("500", times=1)
    assert (await done(qwen.responses.stream(ASK).finish())).receipt.tries == 2


# -- refusals and budgets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "kind", "hint"),
    [
        ({"max_output_tokens": 1}, qk.InvalidRequest, "16"),
        ({"temperature": 5}, qk.InvalidRequest, "2"),
        ({"top_p": 9}, qk.InvalidRequest, "up to 1"),
        ({"store": "x"}, qk.InvalidRequest, "store=False"),
        ({"thinking": "hard"}, qk.InvalidRequest, "'low'"),
        ({"previous": "resp_gone"}, qk.NotFound, "7 days"),
        ({"model": "nope"}, qk.NotFound, "qwen.models"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
async def test_what_the_service_refuses_comes_with_its_cure(
    qwen: Any, client: qk.Client, options: dict[str, Any], kind: type[qk.APIError], hint: str, streamed: bool
):
    with pytest.raises(kind) as raised:
        await done(qwen.responses.stream(ASK, **options).finish() if streamed else qwen.responses(ASK, **options))
    assert hint in raised.value.hint
    assert [(entry.family, entry.ok) for entry in client.usage] == [("responses", False)]


async def test_a_budget_counts_the_history_too(box: Sandbox, flavour: str):
    client = qk.Client(api_key=box.key, base_url=box.url, budget=0.02)
    qwen = client if flavour == "sync" else client.aio
    first = await done(qwen.responses(f"{flavour} " * 15_000, max_output_tokens=16, thinking=False))
    before = len(box.requests)
    with pytest.raises(qk.BudgetExceeded, match="nothing was sent"):
        await done(qwen.responses("And?", previous=first, max_output_tokens=16))
    assert len(box.requests) == before
    await client.aio.close()


# -- addresses ----------------------------------------------------------------------------------------------------


async def test_the_founding_path_is_used_when_it_is_the_base_url(box: Sandbox, flavour: str):
    founding = "/api/v2/apps/protocols/compatible-mode/v1"
    client = qk.Client(api_key=box.key, base_url=box.url + founding)
    qwen = client if flavour == "sync" else client.aio
    assert "scatter" in (await done(qwen.responses(ASK))).text
    assert box.requests[-1].path == founding + "/responses"
    with pytest.raises(qk.NotFound, match="Unsupported model"):
        await done(qwen.responses(ASK, model="nope"))
    await client.aio.close()
