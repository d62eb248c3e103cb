"""What the founding documents print must work: their requests over a bare HTTP client, their SDK calls unmodified.

Speech, drawing and applications have tests of their own; here is every text sample and what looks at pictures.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json

import openai
import pytest

from qwenkit.protocol.chat_stream import ChatFold
from qwenkit.protocol.sse import EventDecoder
from qwenkit.sandbox.results import Results

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "获取指定城市的天气",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "城市名称"}},
            "required": ["city"],
        },
    },
}
SILENCE = (  # half a second of it, as WAV
    "data:audio/wav;base64,UklGRmAAAABXQVZFZm10IBAAAAABAAEAZAAAAGQAAAABAAgAZGF0YTwAAACAgICAgICAgICA"
    "gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIA="
)
DOT = (  # a picture of 12 x 12 pixels
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAwAAAAMCAIAAADZF8uwAAAAF0lEQVR42mM8ISfHQAgwMRABRhXRWxEA2C0BHAdrQ0cAAAAASUVORK5CYII="
)


def test_the_first_request_answers_in_the_printed_shape(post):
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "Hello!"}]
    answer = post("/compatible-mode/v1/chat/completions", {"model": "qwen-turbo", "messages": messages}).json()
    assert {"id", "object", "created", "model", "choices", "usage"} <= set(answer)
    (choice,) = answer["choices"]
    assert choice["index"] == 0
    assert choice["finish_reason"] == "stop"
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"]
    usage = answer["usage"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]


def test_the_project_defaults_are_accepted(post):
    body = {"model": "qwen-plus-2025-12-01", "temperature": 0.1, "max_tokens": 20000}
    answer = post("/compatible-mode/v1/chat/completions", {**body, "messages": [{"role": "user", "content": "你好"}]})
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"]


def test_a_stream_is_lines_of_data_and_a_done(post):
    body = {"model": "qwen-turbo", "stream": True, "messages": [{"role": "user", "content": "Hello!"}]}
    answer = post("/compatible-mode/v1/chat/completions", body)
    lines = [line for line in answer.text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"


def test_the_printed_stream_is_read_whose_last_delta_is_empty():
    printed = (
        b'data: {"id":"chatcmpl-1","choices":[{"delta":{"content":"Hello"}}]}\n\n'
        b'data: {"id":"chatcmpl-1","choices":[{"delta":{"content":"!"}}]}\n\n'
        b'data: {"id":"chatcmpl-1","choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )
    fold = ChatFold()
    for event in EventDecoder().feed(printed):
        fold.add(event.data)
    assert fold.ended
    assert fold.reply().text == "Hello!"


def test_a_chinese_tool_is_called_and_its_result_told(post):
    asked = [{"role": "user", "content": "北京今天天气怎么样？"}]
    body = {"model": "qwen-plus", "tools": [WEATHER]}
    answer = post("/compatible-mode/v1/chat/completions", {**body, "messages": asked}).json()
    (choice,) = answer["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("get_weather", {"city": "北京"})
    turn = {"role": "assistant", "tool_calls": choice["message"]["tool_calls"]}  # printed without a content
    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"temperature": 25, "weather": "sunny"}'}
    final = post("/compatible-mode/v1/chat/completions", {**body, "messages": [*asked, turn, result]}).json()
    assert "25" in final["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("model", "part", "question"),
    [
        ("qwen-vl-plus", {"type": "image_url", "image_url": {"url": DOT}}, "这张图片是什么？"),
        ("qwen3-vl-plus", {"type": "image_url", "image_url": {"url": DOT}}, "描述这张图的内容"),
        ("qwen-audio-turbo", {"type": "audio_url", "audio_url": {"url": SILENCE}}, "这段音频说了什么？"),
    ],
)
def test_pictures_and_sound_are_accepted_as_parts(post, model, part, question):
    content = [{"type": "text", "text": question}, part]
    answer = post(
        "/compatible-mode/v1/chat/completions", {"model": model, "messages": [{"role": "user", "content": content}]}
    )
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"]


def test_a_wrong_key_is_401_and_an_unknown_model_is_named(post):
    body = {"model": "nope", "messages": [{"role": "user", "content": "Hello"}]}
    refused = post("/compatible-mode/v1/chat/completions", body, key="sk-wrong")
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"
    unknown = post("/compatible-mode/v1/chat/completions", body)
    assert unknown.status_code == 404
    assert "nope" in unknown.json()["error"]["message"]
    native = post("/api/v1/services/aigc/text-generation/generation", {"model": "nope", "input": {"prompt": "Hello"}})
    assert native.json()["message"] == "Model not exist."


OLD_RESPONSES = "/api/v2/apps/protocols/compatible-mode/v1"


def test_the_responses_sample_works_at_its_founding_address(box):
    with openai.OpenAI(api_key=box.key, base_url=box.url + OLD_RESPONSES, max_retries=0) as client:
        response = client.responses.create(model="qwen3.5-plus", input="Briefly introduce what you can do?")
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output[0].summary[0].text
    assert response.output_text
    assert response.usage.output_tokens_details.reasoning_tokens > 0


def test_the_responses_curl_answers_with_the_printed_fields(post):
    body = {"model": "qwen3.5-plus", "input": "Briefly introduce what you can do?", "enable_thinking": True}
    answer = post(f"{OLD_RESPONSES}/responses", body).json()
    printed = {"created_at", "id", "model", "object", "output", "parallel_tool_calls", "status", "tool_choice", "tools"}
    assert printed <= set(answer)
    assert answer["object"] == "response"
    (part,) = answer["usage"]["x_details"]
    assert part["x_billing_type"] == "response_api"
    assert part["total_tokens"] == answer["usage"]["total_tokens"]


def test_the_chat_sample_with_the_openai_sdk(box):
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "你是谁?"}]
    with openai.OpenAI(api_key=box.key, base_url=f"{box.url}/compatible-mode/v1", max_retries=0) as client:
        completion = client.chat.completions.create(model="qwen3.5-plus", messages=messages)
    assert "qwenkit" in completion.choices[0].message.content  # it never says it is Qwen


def test_the_native_sample_and_its_printed_trap(dash):
    from dashscope import Generation

    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": "你是谁?"}]
    response = Generation.call(model="qwen-plus", messages=messages, result_format="message")
    assert response.status_code == 200
    assert response.output.choices[0].message.content
    trapped = Generation.call(model="qwen3.5-plus", messages=messages, result_format="message")
    assert trapped.status_code == 400
    assert "url error" in trapped.message


def test_the_multimodal_sample_without_parameters(dash, post):
    from dashscope import MultiModalConversation

    content = [{"image": DOT}, {"text": "图中描绘的是什么景象?"}]
    messages = [{"role": "user", "content": content}]
    response = MultiModalConversation.call(model="qwen3.5-plus", messages=messages)
    assert response.output.choices[0].message.content[0]["text"]
    path = "/api/v1/services/aigc/multimodal-generation/generation"
    answer = post(path, {"model": "qwen3.5-plus", "input": {"messages": messages}}).json()
    assert answer["output"]["choices"][0]["message"]["content"][0]["text"]
    assert answer["request_id"]


PRODUCTS = "请问图片展现了有哪些商品?"


@pytest.fixture
def picture(box):
    """The picture of the samples, at an address on this machine: the sandbox opens no other."""
    service = box._service
    content = base64.b64decode(DOT.partition(",")[2])
    return box.url + service.shelf(Results).keep("founding", "f26d.png", content, "image/png", service.clock())


def test_the_vision_sample_with_the_openai_sdk(box, picture):
    content = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": PRODUCTS}]
    messages = [{"role": "user", "content": content}]
    with openai.OpenAI(api_key=box.key, base_url=f"{box.url}/compatible-mode/v1", max_retries=0) as client:
        completion = client.chat.completions.create(model="qwen3.5-plus", messages=messages)
    assert completion.choices[0].message.content


def test_the_vision_samples_with_curl(post, picture):
    content = [{"type": "image_url", "image_url": {"url": picture}}, {"type": "text", "text": PRODUCTS}]
    asked = {"model": "qwen3.5-plus", "messages": [{"role": "user", "content": content}]}
    answer = post("/compatible-mode/v1/chat/completions", asked).json()
    assert answer["choices"][0]["message"]["content"]
    items = [{"image": picture}, {"text": PRODUCTS}]
    native = {"model": "qwen3.5-plus", "input": {"messages": [{"role": "user", "content": items}]}}
    answer = post("/api/v1/services/aigc/multimodal-generation/generation", native).json()
    assert answer["output"]["choices"][0]["message"]["content"][0]["text"]


def test_the_vision_sample_with_the_dashscope_sdk(dash, picture):
    messages = [{"role": "user", "content": [{"image": picture}, {"text": PRODUCTS}]}]
    response = dash.MultiModalConversation.call(model="qwen3.5-plus", messages=messages)
    assert response.output.choices[0].message.content[0]["text"]


def test_a_picture_on_the_web_is_refused_with_a_code_and_a_message(post):
    part = {"type": "image_url", "image_url": {"url": "https://example.com/image.jpg"}}
    content = [{"type": "text", "text": "这张图片是什么？"}, part]
    asked = {"model": "qwen-vl-plus", "messages": [{"role": "user", "content": content}]}
    refused = post("/compatible-mode/v1/chat/completions", asked)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "InvalidURL.ConnectionRefused")
    assert "example.com" in refused.json()["error"]["message"]


def test_sides_and_ratio_of_a_picture(post):
    """图像宽高均不小于 10 像素，宽高比不超过 200:1 或 1:200。"""
    from PIL import Image

    for size, status in {(10, 10): 200, (10, 2000): 200, (9, 10): 400, (10, 9): 400, (10, 2010): 400}.items():
        made = io.BytesIO()
        Image.new("RGB", size).save(made, "PNG")
        url = f"data:image/png;base64,{base64.b64encode(made.getvalue()).decode()}"
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "描述这张图"}]
        asked = {"model": "qwen3-vl-plus", "messages": [{"role": "user", "content": content}]}
        assert post("/compatible-mode/v1/chat/completions", asked).status_code == status


QUESTIONS = ("你是谁?", "你会什么?", "天气怎么样?")


def test_the_async_sample_of_the_openai_sdk(box):
    async def main():
        async with openai.AsyncOpenAI(
            api_key=box.key, base_url=f"{box.url}/compatible-mode/v1", max_retries=0
        ) as client:

            async def task(question):
                messages = [{"role": "user", "content": question}]
                return await client.chat.completions.create(messages=messages, model="qwen-plus")

            return await asyncio.gather(*[task(question) for question in QUESTIONS])

    answers = asyncio.run(main())
    assert all(answer.choices[0].message.content for answer in answers)


async def test_the_async_sample_of_the_dashscope_sdk(dash):
    from dashscope.aigc.generation import AioGeneration

    async def task(question):
        messages = [{"role": "user", "content": question}]
        return await AioGeneration.call(messages=messages, model="qwen-plus", result_format="message")

    answers = await asyncio.gather(*[task(question) for question in QUESTIONS])
    assert all(answer.output.choices[0].message.content for answer in answers)
