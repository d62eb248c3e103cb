"""Failures, as the official SDK reports them: class, code and request id, retries, and streams that break."""

from __future__ import annotations

import httpx
import openai
import pytest

BROKEN = (openai.APIConnectionError, httpx.RemoteProtocolError)  # the second from older releases
FAULT = "X-Sandbox-Fault"
STATUS = [
    ("400", openai.BadRequestError, "invalid_parameter_error"),
    ("401", openai.AuthenticationError, "invalid_api_key"),
    ("403", openai.PermissionDeniedError, "access_denied"),
    ("404:ModelNotFound", openai.NotFoundError, "model_not_found"),
    ("409", openai.ConflictError, "Conflict"),
    ("422", openai.UnprocessableEntityError, "invalid_parameter_error"),
    ("429", openai.RateLimitError, "limit_requests"),
    ("429:insufficient_quota", openai.RateLimitError, "insufficient_quota"),
    ("500", openai.InternalServerError, "internal_error"),
    ("503", openai.InternalServerError, "ModelUnavailable"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("fault", "kind", "code"), STATUS, ids=[fault for fault, _, _ in STATUS])
async def test_each_status_has_its_class_code_and_request_id(sdk, fault, kind, code, stream):
    with pytest.raises(kind) as caught:
        await sdk.create(stream=stream, extra_headers={FAULT: fault})
    assert type(caught.value) is kind
    assert caught.value.code == code
    assert caught.value.status_code == int(fault[:3])
    assert caught.value.request_id == caught.value.response.headers["x-request-id"]


@pytest.mark.parametrize(
    ("options", "kind", "code", "words"),
    [
        ({"model": "qwen-9000"}, openai.NotFoundError, "model_not_found", "qwen-9000 does not exist"),
        ({"temperature": 2.5}, openai.BadRequestError, "invalid_parameter_error", "Temperature should be in"),
        ({"n": 9}, openai.BadRequestError, "invalid_parameter_error", "Range of n should be"),
        ({"seed": -1}, openai.BadRequestError, "invalid_value", "lesser than the minimum of 0"),
        ({"content": []}, openai.BadRequestError, "invalid_parameter_error", "is too short - 'messages'"),
        (
            {"response_format": {"type": "json_object"}},
            openai.BadRequestError,
            "invalid_parameter_error",
            "must contain the word 'json'",
        ),
        (
            {"model": "qwen-long", "extra_body": {"enable_thinking": True}},
            openai.BadRequestError,
            "InvalidParameter.NotSupportEnableThinking",
            "does not support enable_thinking",
        ),
    ],
)
async def test_real_mistakes_are_told_in_the_documented_words(sdk, options, kind, code, words):
    with pytest.raises(kind, match=words) as caught:
        await sdk.create(**options)
    assert (caught.value.code, caught.value.type) == (code, "invalid_request_error")


async def test_a_wrong_key_is_an_authentication_error(sdk):
    sdk.client.api_key = "sk-wrong"
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key provided") as caught:
        await sdk.create()
    assert caught.value.code == "invalid_api_key"


async def test_a_temporary_key_is_as_good_as_its_parent(sdk, box):
    headers = {"Authorization": f"Bearer {box.key}"}
    minted = httpx.post(box.url + "/api/v1/tokens", headers=headers, trust_env=False).json()
    sdk.client.api_key = minted["token"]
    assert (await sdk.create()).choices


async def test_retries_heal_what_passes(sdk, box):
    box.fault("429;retry-after=0.01")
    box.fault("503;retry-after=0.01")
    before = len(box.requests)
    assert (await sdk.retrying(2).create()).choices
    assert len(box.requests) - before == 3


async def test_retries_give_up_in_the_end(sdk, box):
    box.fault("500;retry-after=0.01", times=None)
    before = len(box.requests)
    with pytest.raises(openai.InternalServerError):
        await sdk.retrying(1).create()
    assert len(box.requests) - before == 2


async def test_a_mistake_is_not_retried(sdk, box):
    before = len(box.requests)
    with pytest.raises(openai.BadRequestError):
        await sdk.retrying(2).create(temperature=3)
    assert len(box.requests) - before == 1


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_cut_stream_raises_after_the_chunks_that_came(sdk, box, count):
    box.fault(f"cut:{count}")
    stream = await sdk.create(stream=True)
    arrived = []
    with pytest.raises(BROKEN):
        await collect(sdk, stream, arrived)
    assert len(arrived) == count


async def test_an_error_inside_a_stream_is_an_api_error(sdk, box):
    box.fault("error:3")
    stream = await sdk.create(stream=True)
    arrived = []
    with pytest.raises(openai.APIError, match="internal error") as caught:
        await collect(sdk, stream, arrived)
    assert caught.value.code == "internal_error"
    assert len(arrived) == 3


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reset_is_a_connection_error(sdk, box, stream):
    box.fault("reset")
    with pytest.raises(openai.APIConnectionError):
        await sdk.create(stream=stream)


async def test_a_slow_answer_is_a_timeout(sdk, box):
    box.fault("slow:30")
    with pytest.raises(openai.APITimeoutError):
        await sdk.create(timeout=0.05)


async def test_a_proxy_page_is_a_server_error(sdk, box):
    box.fault("html")
    with pytest.raises(openai.InternalServerError) as caught:
        await sdk.create()
    assert caught.value.status_code == 502


async def test_a_body_framed_as_an_event_is_still_a_bad_request(sdk, box):
    box.fault("sse400")
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.create(stream=True)
    assert "data_inspection_failed" in caught.value.response.text


async def test_garbage_in_a_stream_breaks_it(sdk, box):
    box.fault("garbage")
    stream = await sdk.create(stream=True)
    with pytest.raises(ValueError, match="Unterminated string"):
        await sdk.items(stream)


async def collect(sdk, stream, arrived):
    """Read a stream into a list that keeps what came before it broke."""
    if isinstance(sdk.client, openai.OpenAI):
        for chunk in stream:
            arrived.append(chunk)
    else:
        async for chunk in stream:
            arrived.append(chunk)
