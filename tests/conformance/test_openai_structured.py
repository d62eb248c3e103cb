"""Structure, thinking, prefixes, translation, search, cache marks and completions, as the official SDK meets them."""

from __future__ import annotations

import json
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

USER = "Dinner: 4 guests, vegan, mild"


class Plate(BaseModel):
    guests: int
    vegan: bool
    spice: Literal["mild", "hot"]
    notes: str | None


STRICT = {
    "type": "json_schema",
    "json_schema": {
        "name": "plate",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"guests": {"type": "integer"}, "sides": {"type": "array", "items": {"type": "string"}}},
            "required": ["guests", "sides"],
            "additionalProperties": False,
        },
    },
}


def said(completion: Any) -> str:
    return completion.choices[0].message.content


async def test_json_mode_gives_an_object(sdk):
    completion = await sdk.create(
        f"{USER}. As json with the keys guests and is_vegan.", response_format={"type": "json_object"}
    )
    assert json.loads(said(completion)) == {"guests": 4, "is_vegan": True}


async def test_json_mode_wants_the_word(sdk):
    with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
        await sdk.create(USER, response_format={"type": "json_object"})


async def test_a_schema_is_obeyed(sdk):
    completion = await sdk.create(f"{USER}, with sides: rice, beans", model="qwen3.7-plus", response_format=STRICT)
    assert json.loads(said(completion)) == {"guests": 4, "sides": ["rice", "beans"]}


async def test_a_schema_written_into_the_prompt_is_obeyed_in_json_mode(sdk):
    schema = json.dumps(STRICT["json_schema"]["schema"])
    messages = [
        {"role": "system", "content": f"Answer as JSON for this schema: {schema}"},
        {"role": "user", "content": USER},
    ]
    completion = await sdk.create(messages, response_format={"type": "json_object"})
    assert json.loads(said(completion))["guests"] == 4


async def test_a_schema_is_for_the_models_that_read_one(sdk):
    with pytest.raises(openai.BadRequestError, match="response_format"):
        await sdk.create(f"{USER} json", model="qwen-plus", response_format=STRICT)


async def test_parse_gives_a_pydantic_model(sdk):
    parse = sdk.client.chat.completions.parse
    messages = [{"role": "user", "content": USER}]
    completion = await sdk.result(parse, model="qwen3.7-max", messages=messages, response_format=Plate)
    assert completion.choices[0].message.parsed == Plate(guests=4, vegan=True, spice="mild", notes=None)


async def test_the_stream_helper_parses_too(sdk):
    manager = sdk.client.chat.completions.stream(
        model="qwen3.8-max", messages=[{"role": "user", "content": USER}], response_format=Plate
    )
    if isinstance(sdk.client, openai.OpenAI):
        with manager as stream:
            final = stream.get_final_completion()
    else:
        async with manager as astream:
            final = await astream.get_final_completion()
    assert final.choices[0].message.parsed.guests == 4


async def test_a_streamed_schema_answer_is_the_same_text(sdk):
    chunks = await sdk.stream(USER, model="qwen3.7-plus", response_format=STRICT)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert json.loads(text)["guests"] == 4


async def test_thinking_comes_apart_from_the_answer(sdk):
    completion = await sdk.create("What is 17 * 23?", extra_body={"enable_thinking": True})
    message = completion.choices[0].message
    assert "391" in message.content
    assert message.reasoning_content
    assert completion.usage.completion_tokens_details.reasoning_tokens > 10


async def test_a_budget_stops_the_thinking(sdk):
    completion = await sdk.create("What is 17 * 23?", extra_body={"enable_thinking": True, "thinking_budget": 7})
    assert completion.usage.completion_tokens_details.reasoning_tokens == 7
    assert "391" in said(completion)


async def test_budgets_have_a_ceiling_and_exclude_efforts(sdk):
    with pytest.raises(openai.BadRequestError, match="not greater than 81920"):
        await sdk.create("Hi", extra_body={"enable_thinking": True, "thinking_budget": 81_921})
    with pytest.raises(openai.BadRequestError, match="cannot be set at the same time"):
        await sdk.create("Hi", model="qwen3.8-max", reasoning_effort="low", extra_body={"thinking_budget": 9})


async def test_an_effort_is_the_sdks_own_parameter(sdk):
    low = await sdk.create("What is 17 * 23?", model="qwen3.8-max", reasoning_effort="low")
    none = await sdk.create("What is 17 * 23?", model="qwen3.8-max", reasoning_effort="none")
    assert low.usage.completion_tokens_details.reasoning_tokens > 0
    assert none.usage.completion_tokens_details is None


async def test_open_models_think_only_in_streams(sdk):
    with pytest.raises(openai.BadRequestError, match="must be set to false for non-streaming calls"):
        await sdk.create("Hi", model="qwen3-32b")
    chunks = await sdk.stream("Hi", model="qwen3-32b")
    assert any(getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in chunks if chunk.choices)


async def test_a_prefix_is_continued(sdk):
    messages = [
        {"role": "user", "content": "Write a line about the sea."},
        {"role": "assistant", "content": "The sea is", "partial": True},
    ]
    text = said(await sdk.create(messages))
    assert text
    assert not text.startswith("The sea")
    with pytest.raises(openai.BadRequestError, match="enable_thinking"):
        await sdk.create(messages, extra_body={"enable_thinking": True})
    with pytest.raises(openai.BadRequestError, match="partial mode"):
        await sdk.create(messages, model="qwen-long")


MT = {"translation_options": {"source_lang": "auto", "target_lang": "Chinese"}}


async def test_translation_through_extra_body(sdk):
    completion = await sdk.create("Where is the harbour?", model="qwen-mt-flash", extra_body=MT)
    assert said(completion) == "港口在哪里？"
    assert completion.usage.prompt_tokens_details is None


@pytest.mark.parametrize(("model", "cumulative"), [("qwen-mt-plus", True), ("qwen-mt-flash", False)])
async def test_translations_stream_in_two_dialects(sdk, model, cumulative):
    chunks = await sdk.stream("Good morning! Where is the harbour?", model=model, extra_body=MT)
    texts = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    whole = texts[-1] if cumulative else "".join(texts)
    assert whole == "早上好！港口在哪里？"


async def test_an_unknown_language_is_refused_in_chinese(sdk):
    options = {"translation_options": {"source_lang": "auto", "target_lang": "Klingon"}}
    with pytest.raises(openai.BadRequestError, match="暂时不支持当前设置的语种！"):
        await sdk.create("Hello", model="qwen-mt-plus", extra_body=options)


async def test_search_shows_only_in_the_answer_and_the_bill(sdk):
    question = "How large is the tidal range in the Bay of Fundy?"
    alone = await sdk.create(question)
    found = await sdk.create(question, extra_body={"enable_search": True, "search_options": {"forced_search": True}})
    assert "16 metres" in said(found)
    assert found.usage.prompt_tokens > alone.usage.prompt_tokens
    assert not hasattr(found, "search_info")
    with pytest.raises(openai.BadRequestError, match="does not support enable_search"):
        await sdk.create("Hi", model="kimi-k2.5", extra_body={"enable_search": True})


async def test_a_cache_mark_is_billed_twice_over(sdk, request):
    manual = f"{request.node.name}: the ferry leaves at nine. " * 200
    part = {"type": "text", "text": manual, "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [part]}, {"role": "user", "content": "When does the ferry leave?"}]
    first, second = [(await sdk.create(messages)).usage.prompt_tokens_details for _ in range(2)]
    assert first.cache_creation_input_tokens > 1024
    assert first.cache_creation["ephemeral_5m_input_tokens"] == first.cache_creation_input_tokens
    assert second.cached_tokens == first.cache_creation_input_tokens
    assert second.cache_type == "ephemeral"


GAP = "<|fim_prefix|>def add(a, b):<|fim_suffix|>\n\nprint(add(1, 2))<|fim_middle|>"


async def test_a_completion_fills_the_middle(sdk):
    completion = await sdk.result(sdk.client.completions.create, model="qwen-coder-turbo", prompt=GAP)
    assert completion.object == "text_completion"
    assert completion.id == f"cmpl-{completion._request_id}"
    assert completion.choices[0].text == "\n    return a + b"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens > 0


async def test_a_completion_streams(sdk):
    create = sdk.client.completions.create
    options = {
        "model": "qwen2.5-coder-7b-instruct",
        "prompt": GAP,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    chunks = await sdk.items(await sdk.result(create, **options))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "\n    return a + b"
    assert chunks[-1].usage.completion_tokens > 0
    assert chunks[-2].choices[0].finish_reason == "stop"


async def test_a_completion_is_for_coders(sdk):
    with pytest.raises(openai.NotFoundError, match="Unsupported model"):
        await sdk.result(sdk.client.completions.create, model="qwen-plus", prompt=GAP)
    with pytest.raises(openai.BadRequestError, match="prompt"):
        await sdk.result(sdk.client.completions.create, model="qwen-coder-turbo", prompt="")
