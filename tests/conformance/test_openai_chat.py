"""Plain answers, as the official SDK reads them: parameters that do what they say, and the models there are."""

from __future__ import annotations

import asyncio
import json
import math

import jsonschema
import pytest

PLATE = {
    "type": "object",
    "properties": {
        "dish": {"type": "string"},
        "guests": {"type": "integer", "minimum": 1},
        "vegan": {"type": "boolean"},
        "spice": {"enum": ["mild", "hot"]},
        "sides": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    },
    "required": ["dish", "guests", "vegan", "spice", "sides"],
    "additionalProperties": False,
}
STORY = "Write a three-sentence story about a cat and a sunbeam."


def said(completion):
    return completion.choices[0].message.content


async def test_a_completion_has_everything_the_sdk_knows(sdk):
    completion = await sdk.create("Hello")
    assert completion.object == "chat.completion"
    assert completion.model == "qwen-plus"
    assert completion.id == f"chatcmpl-{completion._request_id}"
    assert completion.created > 1_700_000_000
    (choice,) = completion.choices
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant")
    assert choice.message.content
    usage = completion.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details.cached_tokens == 0


async def test_it_says_that_it_is_the_sandbox(sdk):
    assert "sandbox" in said(await sdk.create("Who are you?")).lower()


async def test_a_short_greeting_costs_about_eleven_tokens(sdk):
    assert 9 <= (await sdk.create("Hi")).usage.prompt_tokens <= 13


async def test_system_text_is_read(sdk):
    messages = [
        {"role": "system", "content": "The ferry leaves at nine. The museum opens at ten."},
        {"role": "user", "content": "When does the ferry leave?"},
    ]
    assert "nine" in said(await sdk.create(messages))


async def test_earlier_turns_are_remembered(sdk):
    messages = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Nice to meet you, Ada."},
        {"role": "user", "content": "What is my name?"},
    ]
    assert "Ada" in said(await sdk.create(messages))


async def test_arithmetic_is_right(sdk):
    assert "391" in said(await sdk.create("What is 17 * 23?"))


async def test_content_may_come_in_parts(sdk):
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "2 + 5?"}]}]
    assert "7" in said(await sdk.create(messages))


@pytest.mark.parametrize("question", ["你好！你是谁？", "今天天气怎么样？ 😀", "Répondez en français: qui êtes-vous ?"])
async def test_other_scripts_come_back_whole(sdk, question):
    answer = said(await sdk.create(question))
    assert answer
    assert "\ufffd" not in answer


async def test_chinese_is_answered_in_chinese(sdk):
    assert any("\u4e00" <= sign <= "\u9fff" for sign in said(await sdk.create("你是谁？")))


async def test_n_choices_have_their_own_index_and_words(sdk):
    completion = await sdk.create(STORY, n=4, temperature=1.5)
    assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
    assert len({choice.message.content for choice in completion.choices}) > 1


async def test_a_stop_text_ends_the_answer_and_is_not_in_it(sdk):
    whole = said(await sdk.create(STORY, seed=3))
    end = whole.split()[3]
    cut = await sdk.create(STORY, seed=3, stop=[end, "never said"])
    assert said(cut) == whole[: whole.index(end)]
    assert cut.choices[0].finish_reason == "stop"


async def test_max_tokens_cuts_and_says_so(sdk):
    completion = await sdk.create(STORY, max_tokens=5)
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 5


async def test_the_same_seed_repeats_the_words(sdk):
    first, second = [said(await sdk.create(STORY, seed=7, temperature=1.2)) for _ in range(2)]
    assert first == second
    others = [said(await sdk.create(STORY, seed=seed, temperature=1.2)) for seed in range(5)]
    assert len(set(others)) > 1


async def test_temperature_changes_the_words(sdk):
    cold = {said(await sdk.create(STORY, seed=seed, temperature=0.1)) for seed in range(6)}
    hot = {said(await sdk.create(STORY, seed=seed, temperature=1.5)) for seed in range(6)}
    assert len(cold) < len(hot)


async def test_logprobs_are_probabilities_of_the_words_said(sdk):
    completion = await sdk.create(STORY, logprobs=True, top_logprobs=5)
    entries = completion.choices[0].logprobs.content
    assert "".join(entry.token for entry in entries) == said(completion)
    assert completion.usage.completion_tokens == len(entries)
    for entry in entries:
        assert entry.logprob <= 0
        assert bytes(entry.bytes).decode() == entry.token
        assert len(entry.top_logprobs) <= 5
        assert sum(math.exp(each.logprob) for each in entry.top_logprobs) <= 1.0001


async def test_logprobs_without_alternatives_are_bare(sdk):
    entries = (await sdk.create("Hello", logprobs=True)).choices[0].logprobs.content
    assert all(entry.top_logprobs == [] for entry in entries)


async def test_thinking_is_reported_beside_the_answer(sdk):
    completion = await sdk.create("What is 17 * 23?", extra_body={"enable_thinking": True})
    assert completion.choices[0].message.reasoning_content
    assert "391" in said(completion)
    assert completion.usage.completion_tokens_details.reasoning_tokens > 0
    plain = await sdk.create("What is 17 * 23?")
    assert not hasattr(plain.choices[0].message, "reasoning_content")
    assert plain.usage.completion_tokens_details is None


async def test_a_thinking_budget_is_kept(sdk):
    extra = {"enable_thinking": True, "thinking_budget": 6}
    completion = await sdk.create("What is 17 * 23?", extra_body=extra)
    assert completion.usage.completion_tokens_details.reasoning_tokens <= 6
    assert "391" in said(completion)


async def test_json_object_is_an_object(sdk):
    completion = await sdk.create(
        "Give the ferry's time as JSON: it leaves at nine.", response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(said(completion)), dict)


async def test_json_schema_is_obeyed(sdk):
    wanted = {"type": "json_schema", "json_schema": {"name": "plate", "strict": True, "schema": PLATE}}
    completion = await sdk.create(
        "A hot vegan curry for 4 guests.",
        model="qwen3.7-plus",
        response_format=wanted,
        extra_body={"enable_thinking": False},
    )
    jsonschema.validate(json.loads(said(completion)), PLATE)


async def test_unknown_fields_are_reachable(sdk):
    raw = await sdk.result(
        sdk.client.chat.completions.with_raw_response.create,
        model="qwen-plus",
        messages=[{"role": "user", "content": "Hello"}],
    )
    assert raw.headers["x-dashscope-call-gateway"] == "true"
    assert raw.headers["x-request-id"] == raw.parse()._request_id


async def test_many_at_once_each_get_their_own_answer(sdk):
    async def double(number):
        return said(await sdk.create(f"What is {number} + {number}?"))

    answers = await asyncio.gather(*(double(number) for number in range(20, 60)))
    for number, answer in zip(range(20, 60), answers, strict=True):
        assert str(2 * number) in answer


async def test_the_models_can_be_listed_and_fetched(sdk):
    listed = (
        [model async for model in sdk.client.models.list()]
        if hasattr(sdk.client.models.list(), "__aiter__")
        else list(sdk.client.models.list())
    )
    assert {"qwen-plus", "qwen3-max"} <= {model.id for model in listed}
    one = await sdk.result(sdk.client.models.retrieve, "qwen-plus")
    assert (one.id, one.object) == ("qwen-plus", "model")
