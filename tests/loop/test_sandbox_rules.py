"""What a chat request may say, rule by rule, in the words of the documentation."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from bare_sandbox import DOT

from qwenkit.sandbox import Sandbox

CHAT = "/compatible-mode/v1/chat/completions"
ASK = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "rain_now", "parameters": {"type": "object", "properties": {}}}}
FORCED = {"type": "function", "function": {"name": "rain_now"}}
PARTIAL = [*ASK, {"role": "assistant", "content": "Well,", "partial": True}]
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": DOT}}]}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "r", "schema": {"type": "object"}}}


@pytest.fixture(scope="module")
def client():
    with Sandbox() as box:
        headers = {"Authorization": f"Bearer {box.key}"}
        with httpx.Client(base_url=box.url + "/compatible-mode/v1", headers=headers, trust_env=False) as open_client:
            yield open_client


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def tool_after(*before: dict[str, Any]) -> list[dict[str, Any]]:
    return [*ASK, *before, {"role": "tool", "tool_call_id": "call_1", "content": "{}"}]


CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", **named("rain_now")}]}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"messages": None}, "Required parameter(messages) missing or invalid, please check the request parameters."),
    ({"messages": "Hello"}, "Input should be a valid list: input.messages"),
    ({"messages": []}, "[] is too short - 'messages'"),
    ({"messages": ["Hello"]}, "Input should be a valid dictionary or instance of GPT3Message"),
    ({"messages": [{"role": "user"}]}, "The content field is a required field."),
    ({"messages": [*ASK, {"role": "assistant", "content": None}]}, "The content field is a required field."),
    ({"messages": [{"role": "user", "content": 7}]}, "input content must be a string."),
    ({"messages": [{"role": "user", "content": []}]}, "[] is too short - 'messages.0.content'"),
    (
        {"messages": [{"role": "user", "content": ["Hello"]}]},
        "The item of content should be a message of a certain modal.",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "The item of content should be a message of a certain modal.",
    ),
    (
        {"messages": IMAGE},
        "The provided messages input is invalid. The error info is [Unexpected item type in content.]",
    ),
    (
        {"messages": [{"role": "robot", "content": "Hi"}]},
        "'robot' is not one of ['system', 'user', 'assistant', 'tool'] - 'messages.0.role'",
    ),
    (
        {"messages": [{"role": "system", "content": "Be kind."}]},
        "The input messages do not contain elements with the role of user.",
    ),
    (
        {"messages": tool_after()},
        'messages with role "tool" must be a response to a preceeding message with "tool_calls"',
    ),
    (
        {"messages": tool_after(CALL, {"role": "assistant", "content": "It rains."})},
        'messages with role "tool" must be a response to a preceeding message with "tool_calls"',
    ),
    (
        {"messages": [*ASK, {"role": "assistant", "content": "", "tool_calls": []}]},
        "Empty tool_calls is not supported in message",
    ),
    (
        {"messages": [*ASK, {"role": "assistant", "content": "", "tool_calls": [{}]}]},
        "Input should be a valid list of function calls: messages.tool_calls",
    ),
    ({"temperature": -0.1}, "Temperature should be in [0.0, 2.0)"),
    ({"temperature": 2}, "Temperature should be in [0.0, 2.0)"),
    ({"temperature": "hot"}, "'temperature' must be Float"),
    ({"temperature": True}, "'temperature' must be Float"),
    ({"top_p": 0}, "Range of top_p should be (0.0, 1.0]"),
    ({"top_p": 1.1}, "Range of top_p should be (0.0, 1.0]"),
    ({"top_k": -1}, "Parameter top_k be greater than or equal to 0"),
    ({"top_k": 1.5}, "Parameter top_k be greater than or equal to 0"),
    ({"repetition_penalty": 0}, "Repetition_penalty should be greater than 0.0"),
    ({"presence_penalty": 2.1}, "Presence_penalty should be in [-2.0, 2.0]"),
    ({"n": 0}, "Range of n should be [1, 4]"),
    ({"n": 5}, "Range of n should be [1, 4]"),
    ({"n": 2, "tools": [TOOL]}, "Range of n should be [1, 1] with tools"),
    ({"n": 2, "model": "qwen-long"}, "Range of n should be [1, 1]"),
    ({"seed": 2**63}, "Range of seed should be [0, 9223372036854775807]"),
    ({"max_tokens": 0}, "Range of max_tokens should be [1, 32768]"),
    ({"max_tokens": 32769}, "Range of max_tokens should be [1, 32768]"),
    ({"top_logprobs": 6, "logprobs": True}, "Range of top_logprobs should be [0, 5]"),
    ({"logprobs": "yes"}, "'logprobs' must be Boolean"),
    ({"stream": 1}, "'stream' must be Boolean"),
    ({"stream_options": {"include_usage": True}}, "stream_options is only allowed when stream is true"),
    (
        {"response_format": {"type": "json_object"}},
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
    ),
    ({"tools": [named("search")]}, "Tool names are not allowed to be [search]"),
    ({"tools": [named("rain now")]}, "Tool names should match [A-Za-z0-9_-]{1,64}"),
    ({"tools": [named("x" * 65)]}, "Tool names should match [A-Za-z0-9_-]{1,64}"),
    ({"tools": [{"type": "function"}]}, "Field required: tools.function.name"),
    ({"tools": [TOOL], "model": "qwen-mt-plus"}, "The tool call is not supported."),
    ({"tools": [TOOL], "tool_choice": "required"}, 'tool_choice is one of the strings that should be ["none", "auto"]'),
    ({"tools": [TOOL], "tool_choice": "maybe"}, 'tool_choice is one of the strings that should be ["none", "auto"]'),
    ({"tools": [TOOL], "tool_choice": named("other")}, "tool_choice names an unknown tool"),
    (
        {"tools": [TOOL], "tool_choice": FORCED, "enable_thinking": True},
        "The tool_choice parameter does not support being set to required or object in thinking mode",
    ),
    (
        {"model": "qwq-plus", "stream": True, "enable_thinking": False},
        "The value of the enable_thinking parameter is restricted to True.",
    ),
    (
        {"model": "qwq-plus"},
        "This model only support stream mode, please enable the stream parameter to access the model.",
    ),
    ({"model": "qwen3-32b"}, "parameter.enable_thinking must be set to false for non-streaming calls"),
    (
        {"enable_thinking": True, "thinking_budget": 81_921},
        "The thinking_budget parameter must be a positive integer and not greater than 81920",
    ),
    (
        {"enable_thinking": True, "thinking_budget": 0},
        "The thinking_budget parameter must be a positive integer and not greater than 81920",
    ),
    (
        {"enable_thinking": True, "thinking_budget": 9, "reasoning_effort": "low"},
        "thinking_budget and reasoning_effort cannot be set at the same time",
    ),
    ({"reasoning_effort": "huge"}, "Unknown reasoning_effort: huge"),
    ({"messages": PARTIAL, "enable_thinking": True}, "Partial mode is not supported when enable_thinking is true"),
    ({"messages": PARTIAL, "model": "qwen-long"}, "This model does not support partial mode."),
    (
        {"modalities": ["text", "audio"], "model": "qwen3.5-omni-plus"},
        "'audio' output only support with stream=true",
    ),
    (
        {"model": "qwen-math-plus", "messages": [{"role": "user", "content": "one " * 3100}]},
        "Range of input length should be [1, 3072]",
    ),
]


@pytest.mark.parametrize(("change", "message"), REFUSED, ids=[str(change)[:60] for change, _ in REFUSED])
def test_it_refuses(client, change, message):
    answer = client.post("/chat/completions", json={"model": "qwen-plus", "messages": ASK, **change})
    body = answer.json()
    assert (answer.status_code, body["error"]["message"]) == (400, message)
    assert (body["error"]["code"], body["error"]["type"]) == ("invalid_parameter_error", "invalid_request_error")
    assert body["id"] == f"chatcmpl-{body['request_id']}"


@pytest.mark.parametrize("stop", [7, [1, "a"], [[1], ["a"]], {"a": 1}, [None]])
def test_stop_must_be_of_one_type(client, stop):
    answer = client.post("/chat/completions", json={"model": "qwen-plus", "messages": ASK, "stop": stop})
    assert answer.json()["error"]["message"].startswith('The "stop" parameter must be of type "str", "list[str]"')


@pytest.mark.parametrize("given", [{"type": "xml"}, "json", {}, {"type": "json_schema"}, SCHEMA, {"type": ["text"]}])
def test_a_format_that_the_model_cannot_do_is_unknown(client, given):
    body = {"model": "qwen-plus", "messages": ASK, "response_format": given}
    answer = client.post("/chat/completions", json=body)
    assert answer.json()["error"]["message"].startswith("Unknown format of response_format, response_format should be")


@pytest.mark.parametrize(
    ("change", "status", "code", "message"),
    [
        ({"model": None}, 400, "invalid_request_error", "you must provide a model parameter."),
        ({"model": 7}, 400, "invalid_request_error", "you must provide a model parameter."),
        (
            {"model": "gpt-9"},
            404,
            "model_not_found",
            "The model gpt-9 does not exist or you do not have access to it.",
        ),
        (
            {"model": "text-embedding-v4"},
            404,
            "model_not_supported",
            "Unsupported model text-embedding-v4 for OpenAI compatibility mode.",
        ),
        ({"seed": -1}, 400, "invalid_value", "-1 is lesser than the minimum of 0 - 'seed'"),
        (
            {"model": "qwen-long", "enable_thinking": True},
            400,
            "InvalidParameter.NotSupportEnableThinking",
            "The model qwen-long does not support enable_thinking.",
        ),
    ],
)
def test_some_mistakes_have_codes_of_their_own(client, change, status, code, message):
    answer = client.post("/chat/completions", json={"model": "qwen-plus", "messages": ASK, **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["message"]) == (status, code, message)


ACCEPTED: list[dict[str, Any]] = [
    {"temperature": 0, "top_p": 1, "top_k": 0, "presence_penalty": -2, "repetition_penalty": 1.2, "seed": 2**63 - 1},
    {"temperature": None, "n": None, "stop": None, "tools": None, "max_tokens": None, "response_format": None},
    {"stop": ["a", "b"]},
    {"stop": [1, 2]},
    {"stop": [[1], [2, 3]]},
    {"max_tokens": 32768},
    {"max_completion_tokens": 5},
    {"frequency_penalty": 1, "user": "u", "metadata": {}, "logit_bias": {}, "enable_search": True, "anything": [1]},
    {"response_format": {"type": "text"}},
    {"response_format": SCHEMA, "model": "qwen3.7-plus"},
    {"tools": [], "tool_choice": "none"},
    {"tools": [TOOL], "n": 1, "parallel_tool_calls": True},
    {"enable_thinking": True, "thinking_budget": 81920},
    {"enable_thinking": True, "reasoning_effort": "low"},
    {"enable_thinking": False, "model": "qwen-long"},
    {"enable_thinking": False, "model": "qwen3-32b"},
    {"enable_thinking": True, "model": "qwen3-32b", "messages": [{"role": "user", "content": "Hello /no_think"}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
    {"messages": tool_after(CALL)},
    {"messages": tool_after(CALL, {"role": "tool", "tool_call_id": "call_0", "content": "{}"})},
    {"messages": IMAGE, "model": "qwen3-vl-plus"},
    {"model": "qwen-plus-2025-12-01"},
]


@pytest.mark.parametrize("change", ACCEPTED, ids=[str(change)[:60] for change in ACCEPTED])
def test_it_accepts(client, change):
    answer = client.post("/chat/completions", json={"model": "qwen-plus", "messages": ASK, **change})
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == change.get("model", "qwen-plus")


def test_a_long_value_is_not_echoed_whole(client):
    answer = client.post(
        "/chat/completions", json={"model": "qwen-plus", "messages": ASK, "reasoning_effort": "x" * 9999}
    )
    assert len(answer.text) < 500
