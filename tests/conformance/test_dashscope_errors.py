"""Errors of the native API, as the official `dashscope` SDK reports them: a status, a code and a message."""

from __future__ import annotations

import pytest

ASK = [{"role": "user", "content": "Hello"}]
MESSAGE = {"result_format": "message"}


def refused(response):
    assert response.output is None
    assert response.request_id
    return response.status_code, response.code, response.message


def test_a_wrong_key(dash):
    response = dash.Generation.call("qwen-plus", messages=ASK, api_key="sk-wrong")
    assert refused(response) == (401, "InvalidApiKey", "Invalid API-key provided.")


def test_a_wrong_key_in_a_stream(dash):
    (response,) = dash.Generation.call("qwen-plus", messages=ASK, api_key="sk-wrong", stream=True)
    assert refused(response)[:2] == (401, "InvalidApiKey")


def test_an_unknown_model(dash):
    assert refused(dash.Generation.call("nope", messages=ASK)) == (400, "InvalidParameter", "Model not exist.")


@pytest.mark.parametrize("model", ["qwen3.5-plus", "qwen-vl-max", "qwen3-vl-plus", "text-embedding-v4"])
def test_a_model_on_the_text_path_that_is_not_there(dash, model):
    response = dash.Generation.call(model, messages=ASK)
    assert refused(response) == (400, "InvalidParameter", "url error, please check url！")


def test_a_text_model_on_the_multimodal_path(dash):
    messages = [{"role": "user", "content": [{"text": "Hello"}]}]
    response = dash.MultiModalConversation.call(model="qwen-plus", messages=messages)
    assert refused(response) == (400, "InvalidParameter", "url error, please check url！")


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"temperature": 2.5}, "Temperature should be in [0.0, 2.0)"),
        ({"top_p": 0}, "Range of top_p should be (0.0, 1.0]"),
        ({"n": 5}, "Range of n should be [1, 4]"),
        ({"seed": -1}, "Range of seed should be [0, 9223372036854775807]"),
        ({"result_format": "yaml"}, "Unknown result_format: yaml, it should be text or message"),
        ({"enable_thinking": True}, 'The result_format parameter must be "message" when enable_thinking is true'),
    ],
)
def test_parameters_the_service_refuses(dash, parameters, told):
    assert refused(dash.Generation.call("qwen-plus", messages=ASK, **parameters)) == (400, "InvalidParameter", told)


def test_thinking_streams_only_what_is_new(dash):
    (response,) = dash.Generation.call("qwen-plus", messages=ASK, stream=True, enable_thinking=True, **MESSAGE)
    assert refused(response)[2] == 'The incremental_output parameter must be "true" when enable_thinking is true'


def test_a_model_that_does_not_think(dash):
    response = dash.Generation.call("qwen-max", messages=ASK, enable_thinking=True, **MESSAGE)
    assert refused(response)[:2] == (400, "InvalidParameter.NotSupportEnableThinking")


@pytest.mark.parametrize("stream", [False, True])
def test_too_many_requests(dash, box, stream):
    box.fault("429")
    response = dash.Generation.call("qwen-plus", messages=ASK, stream=stream)
    assert refused(next(response) if stream else response)[:2] == (429, "Throttling.RateQuota")


def test_an_error_after_the_first_frames(dash, box):
    box.fault("error:2")
    *frames, last = dash.Generation.call("qwen-plus", messages=ASK, stream=True)
    assert [frame.status_code for frame in frames] == [200, 200]
    assert refused(last)[:2] == (500, "InternalError")


async def test_an_awaited_error_after_the_first_frames(dash, box):
    box.fault("error:1")
    stream = await dash.AioGeneration.call("qwen-plus", messages=ASK, stream=True)
    frames = [frame async for frame in stream]
    assert (frames[0].status_code, frames[-1].status_code, frames[-1].code) == (200, 500, "InternalError")


async def test_an_awaited_wrong_key(dash):
    response = await dash.AioGeneration.call("qwen-plus", messages=ASK, api_key="sk-wrong")
    assert refused(response)[:2] == (401, "InvalidApiKey")
