"""Wire parity: for the same call the official SDK and qwenkit send the same path, the same key, the same JSON."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from parity import HI, RAIN, Case, latest, sent

import qwenkit as qk
from qwenkit.sandbox import Sandbox

SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "r1",
        "strict": True,
        "schema": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}
ROUND_TRIP = [
    {"role": "user", "content": "Is it raining in Oslo?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "rain_now", "arguments": '{"town": "Oslo"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"rain": true}'},
]
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def same(options: dict[str, Any], prompt: Any = "Hi", messages: Any = HI) -> Case:
    """A call whose options both libraries spell alike."""
    return Case({"messages": messages, **options}, prompt, options)


def extra(options: dict[str, Any], **ours: Any) -> Case:
    """A call with fields outside the OpenAI schema, which the SDK takes as `extra_body`."""
    return Case({"messages": HI, "extra_body": options}, "Hi", ours or options)


CASES: dict[str, Case] = {
    "plain": same({}),
    "model": same({"model": "qwen-flash"}),
    "system": Case({"messages": [{"role": "system", "content": "Be terse."}, *HI]}, "Hi", {"system": "Be terse."}),
    "chinese": same({}, "你好，世界 🌊", [{"role": "user", "content": "你好，世界 🌊"}]),
    "typed messages": Case(
        {"messages": [*HI, {"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Again"}]},
        [qk.Message.user("Hi"), qk.Message.assistant("Hello"), "Again"],
        {},
    ),
    "sampling": same({"temperature": 0.3, "top_p": 0.9, "presence_penalty": 0.5, "seed": 7}),
    "more than OpenAI's sampling": extra({"top_k": 5, "repetition_penalty": 1.1}),
    "top_k off": extra({"top_k": None}),
    "length": same({"max_tokens": 12}),
    "length with thoughts": same({"max_completion_tokens": 40}),
    "one stop": same({"stop": "END"}),
    "stops": same({"stop": ["\n", "END"]}),
    "n": same({"n": 3}),
    "logprobs": same({"logprobs": True, "top_logprobs": 2}),
    "tools": same({"tools": [RAIN], "tool_choice": "auto", "parallel_tool_calls": True}),
    "a forced tool": same({"tools": [RAIN], "tool_choice": {"type": "function", "function": {"name": "rain_now"}}}),
    "tool results": same({"tools": [RAIN]}, ROUND_TRIP, ROUND_TRIP),
    "json": same(
        {"response_format": {"type": "json_object"}}, "json please", [{"role": "user", "content": "json please"}]
    ),
    "schema": same({"response_format": SCHEMA, "model": "qwen3.7-plus"}),
    "parts": same(
        {"model": "qwen3-vl-plus"},
        [qk.Message.user([{"type": "text", "text": "Hi"}, PICTURE])],
        [{"role": "user", "content": [{"type": "text", "text": "Hi"}, PICTURE]}],
    ),
    "a prefix": same(
        {},
        ["Hi", qk.Message.assistant("The", partial=True)],
        [*HI, {"role": "assistant", "content": "The", "partial": True}],
    ),
    "thinking": extra({"enable_thinking": True}, thinking=True),
    "no thinking": extra({"enable_thinking": False}, thinking=False),
    "a budget of thoughts": extra({"enable_thinking": True, "thinking_budget": 50}, thinking=50),
    "an effort": Case(
        {"messages": HI, "model": "qwen3.8-max", "reasoning_effort": "low"},
        "Hi",
        {"model": "qwen3.8-max", "thinking": "low"},
    ),
    "search": extra({"enable_search": True, "search_options": {"forced_search": True}}),
    "translation": Case(
        {
            "messages": HI,
            "model": "qwen-mt-plus",
            "extra_body": {"translation_options": {"source_lang": "auto", "target_lang": "Chinese"}},
        },
        "Hi",
        {"model": "qwen-mt-plus", "translation_options": {"source_lang": "auto", "target_lang": "Chinese"}},
    ),
    "what neither knows": extra({"brand_new": [1, {"a": None}]}, extra={"brand_new": [1, {"a": None}]}),
    "user": same({"user": "u-1", "metadata": {"lesson": "01"}}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_both_say_the_same(name: str, streamed: bool, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    case = CASES[name]
    stream: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    theirs = sent(recorder, official.chat.completions.create, **{"model": "qwen-plus", **case.official, **stream})
    assert theirs == sent(recorder, qwen.chat.stream if streamed else qwen.chat, case.prompt, **case.ours)
    one, two = recorder.requests[-2:]
    assert one.headers["content-type"] == two.headers["content-type"]
    assert theirs.path == "/compatible-mode/v1/chat/completions"


async def test_the_awaited_twins_say_the_same_too(recorder: Sandbox, qwen: qk.Client):
    case = CASES["tools"]
    async with openai.AsyncOpenAI(
        api_key=recorder.key, base_url=f"{recorder.url}/compatible-mode/v1", max_retries=0, timeout=10
    ) as sdk:
        before = len(recorder.requests)
        await sdk.chat.completions.create(model="qwen-plus", **case.official)
    theirs = latest(recorder, before)
    await qwen.aio.chat(case.prompt, **case.ours)
    await qwen.aio.close()
    assert latest(recorder, before + 1) == theirs


def test_both_ask_for_the_models_alike(recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    assert sent(recorder, official.models.list) == sent(recorder, qwen.models.live)


def test_there_are_enough_cases():
    assert len(CASES) >= 15
