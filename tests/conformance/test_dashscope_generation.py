"""Text and multimodal generation, as the official `dashscope` SDK asks and reads it: whole, streamed, awaited."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from http import HTTPStatus
from pathlib import Path

import dashscope
import pytest
from dashscope.v2 import errors as newer

DATA = Path(__file__).parents[2] / "data"
ASK = [{"role": "user", "content": "What is 17 * 23?"}]
ITEMS = [{"role": "user", "content": [{"text": "What is 17 * 23?"}]}]
RAIN = {
    "type": "function",
    "function": {
        "name": "rain_now",
        "description": "Whether it is raining in a town",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}
OSLO = [{"role": "user", "content": "Is it raining in Oslo?"}]


def content(response):
    assert response.status_code == HTTPStatus.OK, response
    return response.output.choices[0].message.content


def test_an_answer_as_text(dash):
    response = dash.Generation.call("qwen-plus", messages=ASK)
    assert (response.status_code, response.output.finish_reason, response.output.choices) == (200, "stop", None)
    assert "391" in response.output.text
    assert response.usage.input_tokens + response.usage.output_tokens == response.usage["total_tokens"]
    assert response.request_id == response.headers["x-request-id"]


def test_an_answer_as_a_message(dash):
    response = dash.Generation.call("qwen-plus", messages=ASK, result_format="message")
    assert "391" in content(response)
    assert (response.output.text, response.output.choices[0].message.role) == (None, "assistant")


def test_newer_models_answer_as_messages_unasked(dash):
    assert "391" in content(dash.Generation.call("qwen3-max", messages=ASK))
    assert dash.Generation.call("qwen-turbo", messages=ASK).output.choices is None
    assert "sandbox" in content(
        dash.Generation.call("qwen-long", messages=[{"role": "user", "content": "Who are you?"}])
    )


FERRY = {"role": "system", "content": "The ferry leaves at nine."}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt": "What is 17 * 23?"}, "391"),
        ({"prompt": "What is my name?", "history": [{"user": "My name is Ada.", "bot": "Hello, Ada."}]}, "Ada"),
        ({"messages": [FERRY, {"role": "user", "content": "When does it leave?"}]}, "nine"),
        ({"prompt": "你是谁？"}, "沙箱"),
    ],
    ids=["a prompt in place of messages", "a history in pairs", "a system text", "Chinese"],
)
def test_what_was_said_is_read(dash, asked, said):
    assert said in dash.Generation.call("qwen-plus", **asked).output.text


def test_the_same_seed_tells_the_same_story(dash):
    tell = {"prompt": "Write a three-sentence story about a cat.", "temperature": 1.2, "top_p": 0.99}
    first, again, other = (dash.Generation.call("qwen-plus", seed=seed, **tell).output.text for seed in (5, 5, 6))
    assert first == again != other


def test_max_tokens_cuts(dash):
    response = dash.Generation.call("qwen-plus", prompt="Write a story about a cat.", max_tokens=5)
    assert (response.output.finish_reason, response.usage.output_tokens) == ("length", 5)


def test_stop_ends_before_the_word(dash):
    whole = dash.Generation.call("qwen-plus", messages=ASK, seed=1).output.text
    assert dash.Generation.call("qwen-plus", messages=ASK, seed=1, stop=["39"]).output.text == whole.partition("39")[0]


def test_several_answers(dash):
    response = dash.Generation.call("qwen-plus", messages=ASK, n=3, result_format="message")
    assert [choice["index"] for choice in response.output.choices] == [0, 1, 2]


def test_logprobs_of_every_token(dash):
    response = dash.Generation.call(
        "qwen-plus", messages=ASK, logprobs=True, top_logprobs=2, result_format="message", max_tokens=4
    )
    weighed = response.output.choices[0]["logprobs"]["content"]
    assert "".join(token["token"] for token in weighed) == content(response)
    assert all(1 <= len(token["top_logprobs"]) <= 2 for token in weighed)


def test_json_when_json_is_wanted(dash):
    ask = [{"role": "user", "content": "Ada is 36. Give name and age as JSON."}]
    response = dash.Generation.call(
        "qwen-plus", messages=ask, response_format={"type": "json_object"}, result_format="message"
    )
    assert isinstance(json.loads(content(response)), dict)


def test_a_tool_is_called_and_its_result_read(dash):
    response = dash.Generation.call("qwen-plus", messages=OSLO, tools=[RAIN], result_format="message")
    (choice,) = response.output.choices
    (call,) = choice.message.tool_calls
    assert (choice.finish_reason, call["function"]["name"]) == ("tool_calls", "rain_now")
    assert json.loads(call["function"]["arguments"]) == {"town": "Oslo"}
    told = [*OSLO, choice.message, {"role": "tool", "tool_call_id": call["id"], "content": '{"rain": true}'}]
    assert "rain" in content(dash.Generation.call("qwen-plus", messages=told, tools=[RAIN], result_format="message"))


def test_thinking_and_its_tokens(dash):
    response = dash.Generation.call("qwen-plus", messages=ASK, enable_thinking=True, result_format="message")
    assert "17" in response.output.choices[0].message["reasoning_content"]
    assert response.usage["output_tokens_details"]["reasoning_tokens"] > 3


def test_search_shows_its_sources(dash):
    response = dash.Generation.call(
        "qwen-plus", prompt="Why are there tides?", enable_search=True, search_options={"enable_source": True}
    )
    first = response.output["search_info"]["search_results"][0]
    assert first["url"].startswith("https://")
    assert first["index"] == 1
    assert response.usage["plugins"]["search"]["count"] == 1


@pytest.mark.parametrize("form", ["text", "message"])
def test_a_stream_repeats_all_that_was_said(dash, form):
    frames = list(dash.Generation.call("qwen-plus", messages=ASK, stream=True, result_format=form))
    said = [frame.output.text if form == "text" else content(frame) for frame in frames]
    assert len(said) > 4
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(said))
    assert "391" in said[-1]
    spent = [frame.usage.output_tokens for frame in frames]
    assert spent == sorted(spent)
    assert len({frame.request_id for frame in frames}) == 1


def test_a_stream_brings_what_is_new(dash):
    frames = list(
        dash.Generation.call("qwen-plus", messages=ASK, stream=True, incremental_output=True, result_format="message")
    )
    whole = dash.Generation.call("qwen-plus", messages=ASK, result_format="message")
    assert "".join(map(content, frames)) == content(whole)
    assert [frame.output.choices[0].finish_reason for frame in frames][-2:] == ["null", "stop"]
    assert frames[-1].usage["total_tokens"] == whole.usage["total_tokens"]


@pytest.mark.parametrize("n", [1, 2])
def test_the_sdk_merges_what_is_new(dash, box, n):
    """With `incremental_output=False` the SDK asks for increments and joins them itself."""
    frames = list(
        dash.Generation.call(
            "qwen3-max", messages=ASK, stream=True, incremental_output=False, result_format="message", n=n
        )
    )
    assert box.requests[-1].json["parameters"]["incremental_output"] is True
    whole = dash.Generation.call("qwen3-max", messages=ASK, result_format="message", n=n)
    joined = {choice["index"] if n > 1 else 0: choice for frame in frames for choice in frame.output.choices}
    said = [joined[at]["message"]["content"] for at in range(n)]
    assert said == [choice["message"]["content"] for choice in whole.output.choices]


def test_a_streamed_tool_call(dash):
    frames = list(
        dash.Generation.call(
            "qwen-plus", messages=OSLO, tools=[RAIN], stream=True, incremental_output=True, result_format="message"
        )
    )
    calls = [call for frame in frames for call in frame.output.choices[0].message.get("tool_calls") or []]
    assert calls[0]["id"].startswith("call_")
    assert {call["id"] for call in calls[1:]} == {""}
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"town": "Oslo"}
    assert frames[-1].output.choices[0].finish_reason == "tool_calls"


def test_streamed_thinking_comes_first(dash):
    frames = dash.Generation.call(
        "qwen-plus", messages=ASK, stream=True, incremental_output=True, enable_thinking=True, result_format="message"
    )
    messages = [frame.output.choices[0].message for frame in frames]
    kinds = ["thought" if message["reasoning_content"] else "said" if message.content else "" for message in messages]
    assert kinds[0] == "thought"
    assert kinds == sorted(kinds, key=["thought", "said", ""].index)


async def test_an_awaited_answer(dash):
    assert "391" in content(await dash.AioGeneration.call("qwen-plus", messages=ASK, result_format="message"))


async def test_the_founding_questions_asked_at_once(dash):
    questions = ["你是谁?", "你会什么?", "天气怎么样?"]
    system = {"role": "system", "content": "You are a helpful assistant."}
    asked = [[system, {"role": "user", "content": question}] for question in questions]
    calls = [dash.AioGeneration.call("qwen-plus", messages=each, result_format="message") for each in asked]
    assert all(map(content, await asyncio.gather(*calls)))


async def test_an_awaited_stream(dash):
    stream = await dash.AioGeneration.call(
        "qwen-plus", messages=ASK, stream=True, incremental_output=True, result_format="message"
    )
    assert "391" in "".join([content(frame) async for frame in stream])


def test_a_multimodal_answer_is_a_list(dash):
    response = dash.MultiModalConversation.call(model="qwen3-vl-plus", messages=ITEMS)
    assert "391" in content(response)[0]["text"]


def test_the_founding_picture_question(dash):
    """No parameters, a picture and a question, to a model of the newer family."""
    plate = "data:image/png;base64," + base64.b64encode((DATA / "plate.png").read_bytes()).decode()
    ask = [{"role": "user", "content": [{"image": plate}, {"text": "What is it?"}]}]
    response = dash.MultiModalConversation.call(model="qwen3.5-plus", messages=ask)
    assert "plate" in response.output.choices[0].message.content[0]["text"]


def test_a_multimodal_stream(dash):
    frames = list(dash.MultiModalConversation.call(model="qwen3-vl-plus", messages=ITEMS, stream=True))
    said = ["".join(part["text"] for part in content(frame)) for frame in frames]
    assert "391" in "".join(said)
    assert content(frames[-1]) == []


def test_a_multimodal_stream_merged_by_the_sdk(dash):
    frames = list(
        dash.MultiModalConversation.call(model="qwen3-vl-plus", messages=ITEMS, stream=True, incremental_output=False)
    )
    assert "391" in content(frames[-1])[0]["text"]


async def test_an_awaited_multimodal_answer(dash):
    response = await dash.AioMultiModalConversation.call(model="qwen3-vl-plus", messages=ITEMS)
    assert "391" in content(response)[0]["text"]


# The newer surface of the same SDK: it raises, retries, and always speaks in messages.


def test_the_newer_client(box):
    client = dashscope.Client(api_key=box.key, base_url=f"{box.url}/api/v1")
    answer = client.chat.completions.create(model="qwen-plus", messages=ASK)
    assert "391" in answer.choices[0].message.content
    chunks = client.chat.completions.create(model="qwen-plus", messages=ASK, stream=True)
    assert "391" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    client.close()


async def test_the_newer_awaited_client(box):
    client = dashscope.AsyncClient(api_key=box.key, base_url=f"{box.url}/api/v1")
    answer = await client.chat.completions.create(model="qwen-plus", messages=ASK)
    assert "391" in answer.choices[0].message.content
    chunks = await client.chat.completions.create(model="qwen-plus", messages=ASK, stream=True)
    assert "391" in "".join([chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices])
    await client.aclose()


def test_the_newer_client_raises_and_tries_again(box):
    client = dashscope.Client(api_key=box.key, base_url=f"{box.url}/api/v1")
    with pytest.raises(newer.BadRequestError, match="Model not exist"):
        client.chat.completions.create(model="nope", messages=ASK)
    box.fault("429;retry-after=0.01")
    before = len(box.requests)
    assert "391" in client.chat.completions.create(model="qwen-plus", messages=ASK).choices[0].message.content
    assert len(box.requests) == before + 2
    client.close()
