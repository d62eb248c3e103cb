"""`qwen.chat(...)` against the sandbox: every kind of prompt and option, in both flavours."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flavours import done

import qwenkit as qk
from qwenkit.sandbox import Sandbox
from qwenkit.types.reply import Reply

RAIN = {
    "type": "function",
    "function": {
        "name": "rain_now",
        "description": "Is it raining in a town?",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


def asked(box: Sandbox) -> dict[str, Any]:
    """The body of the latest request, as the sandbox saw it."""
    return box.requests[-1].json


async def test_a_question_has_an_answer_with_all_its_facts(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("What is 17 times 23?"))
    assert isinstance(reply, Reply)
    assert "391" in reply.text
    assert str(reply) == reply.text == reply.texts[0]
    assert reply.finish_reason == "stop"
    assert reply.model == "qwen-plus"
    assert reply.id == f"chatcmpl-{reply.request_id}"
    assert reply.request_id == box.requests[-1].request_id
    assert reply.raw["choices"][0]["message"]["content"] == reply.text
    assert reply.usage.total == reply.usage.prompt + reply.usage.completion > 0
    assert reply.cost.currency == "CNY"
    assert reply.receipt.tries == 1
    assert reply.receipt.latency > 0
    assert asked(box) == {"model": "qwen-plus", "messages": [{"role": "user", "content": "What is 17 times 23?"}]}


async def test_both_flavours_send_and_read_the_same(client: qk.Client, box: Sandbox):
    options = {"system": "Be terse.", "temperature": 0.9, "seed": 5, "max_tokens": 40, "logprobs": True}
    first = client.chat("Tell me a story about a cat.", **options)
    second = await client.aio.chat("Tell me a story about a cat.", **options)
    one, two = box.requests[-2:]
    assert (one.body, one.auth, one.path) == (two.body, two.auth, two.path)
    assert one.headers == two.headers
    assert first.choices == second.choices
    assert (first.usage.prompt, first.usage.completion) == (second.usage.prompt, second.usage.completion)


async def test_system_steers_and_goes_first(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("Which colour is the door?", system="The door of the house is green."))
    assert "green" in reply.text.lower()
    assert [message["role"] for message in asked(box)["messages"]] == ["system", "user"]


async def test_messages_may_be_dicts_typed_or_mixed(qwen: Any):
    turns = [
        {"role": "user", "content": "My name is Ada."},
        qk.Message.assistant("Hello Ada."),
        "What is my name?",
    ]
    assert "Ada" in (await done(qwen.chat(turns))).text


async def test_chinese_goes_there_and_back(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("12 乘以 12 等于多少？"))
    assert "144" in reply.text
    assert asked(box)["messages"][0]["content"] == "12 乘以 12 等于多少？"
    assert "等于".encode() in box.requests[-1].body


async def test_a_model_can_be_named_and_an_unknown_one_is_not_found(qwen: Any):
    assert (await done(qwen.chat("Hi", model="qwen-flash"))).model == "qwen-flash"
    with pytest.raises(qk.NotFound) as raised:
        await done(qwen.chat("Hi", model="qwen-nonesuch"))
    assert raised.value.request_id
    assert raised.value.tries == 1


async def test_n_gives_several_answers(qwen: Any):
    reply = await done(qwen.chat("Write a two-sentence story about a cat.", n=3, temperature=1.2))
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len(set(reply.texts)) > 1


async def test_logprobs_come_token_by_token(qwen: Any):
    reply = await done(qwen.chat("Tell me a story about a cat.", logprobs=True, top_logprobs=2, max_tokens=6))
    assert "".join(token.token for token in reply.logprobs) == reply.text
    assert all(token.logprob <= 0 for token in reply.logprobs)
    assert all(1 <= len(token.top_logprobs) <= 2 for token in reply.logprobs)
    assert bytes(reply.logprobs[0].bytes).decode() == reply.logprobs[0].token


async def test_max_tokens_cuts_and_says_so(qwen: Any):
    reply = await done(qwen.chat("Tell me a long story about a cat.", max_tokens=4))
    assert (reply.finish_reason, reply.usage.completion) == ("length", 4)


async def test_stop_ends_the_answer_before_its_words(qwen: Any):
    whole = await done(qwen.chat("Count from one to five in words.", seed=3))
    word = whole.text.split()[2].strip(",.")
    reply = await done(qwen.chat("Count from one to five in words.", seed=3, stop=[word]))
    assert word not in reply.text
    assert whole.text.startswith(reply.text)
    assert reply.finish_reason == "stop"


async def test_a_seed_repeats_an_answer(qwen: Any):
    first, again, other = [
        (await done(qwen.chat("Tell me a story.", seed=seed, temperature=1.5))).text for seed in (7, 7, 8)
    ]
    assert first == again != other


async def test_tools_are_passed_and_their_calls_come_back(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("Is it raining in Oslo?", tools=[RAIN]))
    assert reply.finish_reason == "tool_calls"
    assert [call.name for call in reply.tool_calls] == ["rain_now"]
    assert json.loads(reply.tool_calls[0].arguments) == {"town": "Oslo"}
    assert reply.tool_calls[0].id.startswith("call_")
    assert asked(box)["tools"] == [RAIN]
    call = reply.raw["choices"][0]["message"]["tool_calls"]
    turns = [
        "Is it raining in Oslo?",
        qk.Message("assistant", "", tool_calls=call),
        qk.Message.tool('{"rain": true}', reply.tool_calls[0].id),
    ]
    said = await done(qwen.chat(turns, tools=[RAIN]))
    assert said.finish_reason == "stop"
    assert said.text


async def test_json_comes_when_asked_for(qwen: Any):
    reply = await done(qwen.chat("Give me a json object with a town.", response_format={"type": "json_object"}))
    assert isinstance(json.loads(reply.text), dict)


async def test_a_partial_message_is_continued(qwen: Any):
    turns = ["Write a line about the sea.", qk.Message.assistant("The sea is", partial=True)]
    reply = await done(qwen.chat(turns))
    assert reply.text
    assert not reply.text.startswith("The sea is")


# -- thinking -----------------------------------------------------------------------------------------------------


async def test_thinking_can_be_switched_on(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("What is 17 times 23?", thinking=True))
    assert reply.thinking
    assert "391" in reply.text
    assert reply.usage.reasoning > 0
    assert asked(box)["enable_thinking"] is True


async def test_thinking_can_be_switched_off(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("Hi", thinking=False, model="qwen3.5-plus"))
    assert (reply.thinking, reply.usage.reasoning) == ("", 0)
    assert asked(box)["enable_thinking"] is False


async def test_thinking_takes_a_budget(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("What is 17 times 23?", thinking=5))
    assert reply.usage.reasoning <= 5
    assert (asked(box)["enable_thinking"], asked(box)["thinking_budget"]) == (True, 5)


async def test_thinking_takes_an_effort(qwen: Any, box: Sandbox):
    await done(qwen.chat("Hi", thinking="low", model="qwen3.8-max"))
    assert asked(box)["reasoning_effort"] == "low"


async def test_extra_reaches_the_wire(qwen: Any, box: Sandbox):
    await done(qwen.chat("Hi", extra={"something_new": {"deep": [1]}, "temperature": 0.5}))
    assert asked(box)["something_new"] == {"deep": [1]}
    assert asked(box)["temperature"] == 0.5


# -- what is refused, here or there ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"temprature": 1}, {"stream": True}, {"messages": []}, {"tools": [object()]}, {"system": "\ud800"}]
)
async def test_what_cannot_be_sent_is_refused_before_it_is(qwen: Any, box: Sandbox, options: dict[str, Any]):
    before = len(box.requests)
    with pytest.raises(qk.ConfigError) as raised:
        await done(qwen.chat("Hi", **options))
    assert raised.value.hint
    assert len(box.requests) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": 2.5}, "Temperature should be in"),
        ({"n": 9}, "Range of n should be [1, 4]"),
        ({"top_p": 0}, "Range of top_p"),
        ({"response_format": {"type": "json_object"}}, "must contain the word 'json'"),
    ],
)
async def test_what_the_service_refuses_says_why_and_is_not_repeated(qwen: Any, options: Any, words: str):
    with pytest.raises(qk.InvalidRequest) as raised:
        await done(qwen.chat("Hi", **options))
    error = raised.value
    assert words in error.message
    assert (error.status, error.tries) == (400, 1)
    assert error.request == "POST /compatible-mode/v1/chat/completions"
    assert error.request_id
    assert error.hint


@pytest.mark.parametrize("options", [{"max_tokens": "many"}, {"n": "two", "max_tokens": 5}])
async def test_nonsense_in_a_number_is_the_services_to_refuse_even_with_a_budget(
    box: Sandbox, flavour: str, options: dict[str, Any]
):
    with qk.Client(api_key=box.key, base_url=box.url, budget=5) as client:
        noun: Any = client if flavour == "sync" else client.aio
        with pytest.raises(qk.InvalidRequest):
            await done(noun.chat("Hi", **options))
        assert (await done(noun.chat("Hi", n=None, max_tokens=5))).text
        await client.aio.close()


async def test_a_wrong_key_is_an_auth_error(box: Sandbox, flavour: str):
    with qk.Client(api_key="sk-wrong-wrong-wrong", base_url=box.url) as client:
        noun: Any = client if flavour == "sync" else client.aio
        with pytest.raises(qk.AuthError) as raised:
            await done(noun.chat("Hi"))
        assert (raised.value.status, raised.value.code) == (401, "invalid_api_key")
        await client.aio.close()


async def test_a_timeout_of_one_call_is_its_own(qwen: Any, box: Sandbox):
    box.fault("slow:2")
    with pytest.raises(qk.TransportError) as raised:
        await done(qwen.chat("Hi", timeout=0.1))
    assert raised.value.kind == "timeout"
    assert "timeout" not in asked(box)
    assert (await done(qwen.chat("Hi"))).text
