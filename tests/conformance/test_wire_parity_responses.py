"""Wire parity: for the same Responses call the official SDK and qwenkit send the same path, key, header and JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai
import pytest
from parity import Case, sent

import qwenkit as qk
from qwenkit.sandbox import Sandbox

TIDE = {
    "type": "function",
    "name": "tide",
    "description": "How high the tide is in a port.",
    "parameters": {"type": "object", "properties": {"port": {"type": "string"}}, "required": ["port"]},
}
CALL = {"type": "function_call", "call_id": "call_77", "name": "tide", "arguments": '{"port": "Brest"}'}
RESULT = {"type": "function_call_output", "call_id": "call_77", "output": "4.1"}
HELLO = {"type": "message", "role": "user", "content": "Hello"}


def tide(port: str):
    """How high the tide is in a port."""


def same(prompt: Any = "Hi", **options: Any) -> Case:
    return Case({"input": prompt, **options}, prompt, options)


def extra(body: dict[str, Any], **ours: Any) -> Case:
    return Case({"input": "Hi", "extra_body": body}, "Hi", ours)


CASES: dict[str, Case] = {
    "plain": same(),
    "chinese": same("你好，世界 🌊"),
    "model": same(model="qwen3.7-plus"),
    "instructions": Case({"input": "Hi", "instructions": "Be terse."}, "Hi", {"system": "Be terse."}),
    "messages": Case(
        {"input": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
        [qk.Message.user("Hi"), qk.Message.assistant("Hello")],
        {},
    ),
    "parts": same([{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]),
    "previous": Case({"input": "Hi", "previous_response_id": "resp_1"}, "Hi", {"previous": "resp_1"}),
    "conversation": Case({"input": "Hi", "conversation": "conv_1"}, "Hi", {"conversation": "conv_1"}),
    "sampling": same(temperature=0.3, top_p=0.9, max_output_tokens=64),
    "not stored": same(store=False),
    "metadata": same(metadata={"lesson": "08"}),
    "an effort": Case({"input": "Hi", "reasoning": {"effort": "low"}}, "Hi", {"thinking": "low"}),
    "thinking": extra({"enable_thinking": True}, thinking=True),
    "no thinking": extra({"enable_thinking": False}, thinking=False),
    "a function": Case({"input": "Hi", "tools": [TIDE]}, "Hi", {"tools": [tide]}),
    "a function as a dict": same(tools=[TIDE], tool_choice="auto", parallel_tool_calls=True),
    "function results": same([HELLO, CALL, RESULT], tools=[TIDE]),
    "built-in tools": Case(
        {"input": "Hi", "tools": [{"type": "web_search"}, {"type": "web_extractor"}, {"type": "code_interpreter"}]},
        "Hi",
        {"tools": ["web_search", "web_extractor", "code_interpreter"]},
    ),
    "tools with settings": same(
        tools=[{"type": "file_search", "vector_store_ids": ["kb-1"]}, {"type": "mcp", "server_label": "tides"}]
    ),
    "what neither knows": extra({"brand_new": [1, {"a": None}]}, extra={"brand_new": [1, {"a": None}]}),
    "the session cache": Case(
        {"input": "Hi", "extra_headers": {"x-dashscope-session-cache": "enable"}}, "Hi", {"session_cache": True}
    ),
}

# What the service keeps: the same call in both libraries.
KEPT: dict[str, tuple[Callable[[Any], Any], Callable[[qk.Client], Any]]] = {
    "retrieve": (lambda sdk: sdk.responses.retrieve("resp_1"), lambda qwen: qwen.responses.get("resp_1")),
    "delete": (lambda sdk: sdk.responses.delete("resp_1"), lambda qwen: qwen.responses.delete("resp_1")),
    "input items": (
        lambda sdk: list(sdk.responses.input_items.list("resp_1", limit=7, order="desc")),
        lambda qwen: qwen.responses.input_items("resp_1", limit=7, order="desc"),
    ),
    "conversation": (
        lambda sdk: sdk.conversations.create(items=[HELLO], metadata={"a": "b"}),
        lambda qwen: qwen.responses.conversations.create(HELLO, metadata={"a": "b"}),
    ),
    "read it": (
        lambda sdk: sdk.conversations.retrieve("conv_1"),
        lambda qwen: qwen.responses.conversations.get("conv_1"),
    ),
    "change it": (
        lambda sdk: sdk.conversations.update("conv_1", metadata={"a": "c"}),
        lambda qwen: qwen.responses.conversations.update("conv_1", metadata={"a": "c"}),
    ),
    "delete it": (
        lambda sdk: sdk.conversations.delete("conv_1"),
        lambda qwen: qwen.responses.conversations.delete("conv_1"),
    ),
    "add items": (
        lambda sdk: sdk.conversations.items.create("conv_1", items=[HELLO]),
        lambda qwen: qwen.responses.conversations.items("conv_1").add(HELLO),
    ),
    "list items": (
        lambda sdk: list(sdk.conversations.items.list("conv_1", limit=100, order="asc")),
        lambda qwen: qwen.responses.conversations.items("conv_1").list(),
    ),
    "read an item": (
        lambda sdk: sdk.conversations.items.retrieve("msg_1", conversation_id="conv_1"),
        lambda qwen: qwen.responses.conversations.items("conv_1").get("msg_1"),
    ),
    "delete an item": (
        lambda sdk: sdk.conversations.items.delete("msg_1", conversation_id="conv_1"),
        lambda qwen: qwen.responses.conversations.items("conv_1").delete("msg_1"),
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_both_say_the_same(name: str, streamed: bool, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    case = CASES[name]
    asked = {"model": "qwen3.5-plus", **case.official, **({"stream": True} if streamed else {})}
    theirs = sent(recorder, lambda: list(official.responses.create(**asked)))
    ours = sent(recorder, qwen.responses.stream if streamed else qwen.responses, case.prompt, **case.ours)
    assert ours == theirs
    assert theirs.path == "/compatible-mode/v1/responses"


@pytest.mark.parametrize("name", KEPT)
def test_both_ask_alike_for_what_is_kept(name: str, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    theirs, ours = KEPT[name]
    assert sent(recorder, ours, qwen)[:5] == sent(recorder, theirs, official)[:5]  # a GET may name any content type


async def test_the_awaited_twin_says_the_same_too(recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    case = CASES["a function"]
    theirs = sent(recorder, official.responses.create, model="qwen3.5-plus", **case.official)
    before = len(recorder.requests)
    await qwen.aio.responses(case.prompt, **case.ours)
    await qwen.aio.close()
    (seen,) = recorder.requests[before:]
    assert (seen.method, seen.path, seen.query, seen.auth, seen.json) == theirs[:5]
