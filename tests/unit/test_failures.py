"""From an error body to the right exception: every shape the service was seen to use, and what proxies make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit import errors
from qwenkit.protocol import failures
from qwenkit.protocol.flow import Answer, Request

RECORDED = Path(__file__).parents[1] / "recorded" / "errors"
REQUEST = Request("POST", "https://host.example/compatible-mode/v1/chat/completions?x=1")
ID = "5e5e5e5e-0002-4b4b-9c9c-0a0a0b0b0c0c"


def error(body: bytes, status: int = 400, **headers: str) -> errors.APIError:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return failures.from_answer(Answer(status, told, body), REQUEST)


def recorded(name: str, status: int = 400, **headers: str) -> errors.APIError:
    return error((RECORDED / f"{name}.txt").read_bytes(), status, **headers)


# -- the shapes of one and the same refusal -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "code", "request_id"),
    [
        ("native", "InvalidParameter", ID),
        ("compatible", "invalid_parameter_error", ID),
        ("compatible_request_id_only", "invalid_parameter_error", ID),
        ("compatible_id_only", "invalid_parameter_error", ID),
        ("compatible_without_ids", "invalid_parameter_error", "from-the-header"),
        ("id_inside_error", "invalid_parameter_error", ID),
        ("param_is_none_as_text", "invalid_parameter_error", ID),
        ("param_copies_the_code", "invalid_parameter_error", ID),
        ("flat_on_a_compatible_url", "InvalidParameter", "from-the-header"),
    ],
)
def test_every_shape_of_the_same_refusal_reads_the_same(name: str, code: str, request_id: str):
    refused = recorded(name, x_request_id="from-the-header")
    assert type(refused) is errors.InvalidRequest
    assert refused.message == "Range of max_tokens should be [1, 8192]"
    assert (refused.status, refused.code, refused.request_id) == (400, code, request_id)
    assert refused.request == "POST /compatible-mode/v1/chat/completions"
    assert refused.retry == "no"
    assert refused.hint


def test_a_body_framed_as_an_event_is_unwrapped():
    refused = recorded("framed_stream_failure")
    assert type(refused) is errors.ContentRejected
    assert (refused.code, refused.message) == (
        "data_inspection_failed",
        "Input data may contain inappropriate content.",
    )
    assert refused.request_id == ID


def test_a_native_frame_is_unwrapped():
    refused = recorded("native_frame", 200)
    assert type(refused) is errors.RateLimited
    assert (refused.code, refused.request_id, refused.retry) == ("Throttling.RateQuota", ID, "yes")


def test_the_engines_prefix_does_not_hide_the_cause():
    refused = recorded("engine_prefix")
    assert type(refused) is errors.InvalidRequest
    assert "Range of max_tokens" in refused.message
    assert "max_tokens" in refused.hint


def test_a_help_address_at_the_end_does_no_harm():
    refused = recorded("help_address")
    assert type(refused) is errors.QuotaExceeded
    assert refused.code == "Arrearage"


def test_json_in_the_message_is_another_models_error():
    refused = recorded("json_in_the_message", 500)
    assert refused.message == "The prompt is longer than the model reads."
    assert (refused.code, refused.request_id) == ("InternalError.Algo", ID)


@pytest.mark.parametrize("message", ['{"a": 1}', "{not json", '"text"', '{"error": {"message": 7}}'])
def test_json_in_the_message_that_says_nothing_stays_as_it_is(message: str):
    assert error(msgspec.json.encode({"code": "InternalError.Algo", "message": message})).message == message


def test_words_in_place_of_an_error_object_are_the_message():
    refused = recorded("words_only", 404)
    assert (type(refused), refused.message) == (errors.NotFound, "model not loaded")


def test_a_frameworks_own_detail_is_the_message():
    assert error(b'{"detail": "Method Not Allowed"}', 405).message == "Method Not Allowed"


def test_json_without_a_reason_is_quoted():
    assert error(b'{"ok": false}', 500).message == """the answer is not in the service's form: '{"ok": false}'"""


# -- what does not come from the service --------------------------------------------------------------------------


def test_a_proxys_page_is_named_as_one():
    refused = recorded("proxy_page", 502)
    assert type(refused) is errors.ServerError
    assert "502 Bad Gateway" in refused.message
    assert "proxy" in refused.message
    assert refused.retry == "yes"


def test_a_page_without_a_title_is_still_a_page():
    assert "web page" in error(b"<html><body>no</body></html>", 403).message


@pytest.mark.parametrize("body", [b"", b"  \r\n "])
def test_an_empty_body_says_so(body: bytes):
    refused = error(body, 503)
    assert type(refused) is errors.ServerError
    assert refused.message == "the answer was empty (HTTP 503)"


def test_words_that_are_no_json_are_quoted():
    assert "upstream connect error" in recorded("plain_words", 503).message


@pytest.mark.parametrize("body", [b"[]", b"7", b"null", b'"text"', b"[1, 2]", b"data: [DONE]\n\n", b"{" * 9000])
def test_json_of_another_kind_is_quoted_too(body: bytes):
    refused = error(body, 500)
    assert type(refused) is errors.ServerError
    assert len(refused.message) < 300


def test_a_code_that_only_repeats_the_status_is_not_said_twice():
    refused = error(b'{"object": "error", "message": "no such model", "type": "NotFoundError", "code": 404}', 404)
    assert str(refused).startswith("404: no such model")


def test_raw_keeps_the_body_up_to_a_bound():
    assert recorded("compatible").raw == (RECORDED / "compatible.txt").read_text(encoding="utf-8")
    assert len(error(b"x" * 1_000_000, 500).raw) <= 20_000


# -- which class ---------------------------------------------------------------------------------------------------

TABLE: list[tuple[int, str, str, type[errors.APIError], bool]] = [
    # authentication
    (401, "InvalidApiKey", "Invalid API-key provided.", errors.AuthError, False),
    (401, "invalid_api_key", "Incorrect API key provided. ", errors.AuthError, False),
    (401, "invalid access token or token expired", "Invalid API-key provided.", errors.AuthError, False),
    (401, "NOT AUTHORIZED", "Access denied: Either you are not authorized …", errors.AuthError, False),
    # permission
    (403, "AccessDenied", "Access denied.", errors.PermissionDenied, False),
    (403, "access_denied", "Access denied.", errors.PermissionDenied, False),
    (403, "AccessDenied.Unpurchased", "Access to model denied.", errors.PermissionDenied, False),
    (403, "Model.AccessDenied", "Model access denied.", errors.PermissionDenied, False),
    (403, "App.AccessDenied", "App access denied.", errors.PermissionDenied, False),
    (403, "Workspace.AccessDenied", "Workspace access denied.", errors.PermissionDenied, False),
    # money, whatever the status
    (400, "Arrearage", "Access denied, please make sure your account …", errors.QuotaExceeded, False),
    (
        403,
        "AllocationQuota.FreeTierOnly",
        "The free tier of the model has been exhausted.",
        errors.QuotaExceeded,
        False,
    ),
    (429, "CommodityNotPurchased", "Commodity has not purchased yet.", errors.QuotaExceeded, False),
    (429, "PrepaidBillOverdue", "The prepaid bill is overdue.", errors.QuotaExceeded, False),
    (429, "insufficient_quota", "Free allocated quota exceeded.", errors.QuotaExceeded, False),
    (400, "Throttling.AllocationQuota", "Free allocated quota exceeded.", errors.QuotaExceeded, False),
    # throttling
    (429, "Throttling", "Requests throttling triggered.", errors.RateLimited, True),
    (429, "Throttling.RateQuota", "Requests rate limit exceeded, please try again later.", errors.RateLimited, True),
    (429, "limit_requests", "You exceeded your current requests list.", errors.RateLimited, True),
    (429, "Throttling.BurstRate", "Request rate increased too quickly. …", errors.RateLimited, True),
    (429, "limit_burst_rate", "Request rate increased too quickly. …", errors.RateLimited, True),
    (429, "Throttling.AllocationQuota", "Allocated quota exceeded, please …", errors.RateLimited, True),
    (429, "insufficient_quota", "You exceeded your current quota, please check …", errors.RateLimited, True),
    # validation
    (400, "InvalidParameter", "Range of n should be [1, 4]", errors.InvalidRequest, False),
    (400, "invalid_parameter_error", "Temperature should be in [0.0, 2.0)", errors.InvalidRequest, False),
    (400, "invalid_request_error", "you must provide a model parameter.", errors.InvalidRequest, False),
    (400, "invalid_value", "-1 is lesser than the minimum of 0 - 'seed'", errors.InvalidRequest, False),
    (400, "InternalError.Algo.InvalidParameter", "Repetitive tool calls detected …", errors.InvalidRequest, False),
    (413, "BadRequest.TooLarge", "Payload Too Large.", errors.InvalidRequest, False),
    (400, "InvalidFile.AspectRatio", "…", errors.InvalidRequest, False),
    (400, "ServiceUnavailableError", "Role must be user or assistant and …", errors.InvalidRequest, False),
    (400, "InvalidURL.Timeout", "Download a.png timeout, …", errors.InvalidRequest, True),
    # not found
    (404, "ModelNotFound", "Model can not be found.", errors.NotFound, False),
    (404, "model_not_found", "The model xxx does not exist.", errors.NotFound, False),
    (400, "InvalidParameter", "Model not exist.", errors.NotFound, False),
    (404, "model_not_supported", "Unsupported model xxx for OpenAI compatibility mode.", errors.NotFound, False),
    (404, "WorkSpaceNotFound", "WorkSpace can not be found.", errors.NotFound, False),
    # safety
    (400, "DataInspectionFailed", "Input data may contain inappropriate content.", errors.ContentRejected, False),
    (400, "data_inspection_failed", "Output data may contain …", errors.ContentRejected, False),
    (400, "IPInfringementSuspect", "Input data is suspected …", errors.ContentRejected, False),
    # server
    (500, "InternalError", "An internal error has occured, please try again …", errors.ServerError, True),
    (500, "internal_error", "Internal server error!", errors.ServerError, True),
    (500, "InternalError.Algo", "inference internal error.", errors.ServerError, True),
    (500, "InternalError.Algo", "Role must be in [user, assistant]", errors.InvalidRequest, False),
    (500, "InternalError.Timeout", "An internal timeout error has occured …", errors.ServerError, True),
    (500, "SystemError", "An system error has occured, please try again later.", errors.ServerError, True),
    (408, "RequestTimeOut", "Request timed out, please try again later.", errors.ServerError, True),
    (503, "ModelUnavailable", "Model is unavailable, please try again later.", errors.ServerError, True),
    (503, "ModelServingError", "Too many requests. Your requests are being throttled …", errors.ServerError, True),
]


@pytest.mark.parametrize(("status", "code", "message", "kind", "heals"), TABLE)
@pytest.mark.parametrize("nested", [True, False], ids=["compatible", "native"])
def test_codes_become_their_class(
    status: int, code: str, message: str, kind: type[errors.APIError], heals: bool, nested: bool
):
    inner = {"code": code, "message": message}
    refused = error(msgspec.json.encode({"error": {**inner, "type": code, "param": None}} if nested else inner), status)
    assert type(refused) is kind
    assert (refused.retry == "yes") is heals
    assert refused.hint


@pytest.mark.parametrize(
    ("status", "kind", "heals"),
    [
        (400, errors.InvalidRequest, False),
        (401, errors.AuthError, False),
        (403, errors.PermissionDenied, False),
        (404, errors.NotFound, False),
        (408, errors.ServerError, True),
        (409, errors.InvalidRequest, True),
        (418, errors.InvalidRequest, False),
        (429, errors.RateLimited, True),
        (500, errors.ServerError, True),
        (502, errors.ServerError, True),
        (503, errors.ServerError, True),
        (504, errors.ServerError, True),
        (529, errors.ServerError, True),
    ],
)
def test_an_unknown_code_falls_back_on_the_status(status: int, kind: type[errors.APIError], heals: bool):
    refused = error(b'{"code": "NobodyKnowsThis", "message": "hm"}', status)
    assert type(refused) is kind
    assert (refused.retry == "yes") is heals


def test_a_status_of_no_error_is_an_error_all_the_same():
    assert isinstance(error(b"", 302), errors.APIError)


# -- retry-after ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.25"}, 0.25),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-acs-retry-after": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_seconds(headers: dict[str, str], seconds: float | None):
    assert failures.retry_after(headers) == seconds


# -- inside a stream, and anything at all ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "event", [b'{"choices": []}', b'{"error": null}', b"[]", b"", b"junk", b'{"code": "x", "choices": []}']
)
def test_an_event_that_is_no_error_gives_none(event: bytes):
    assert failures.from_event(event, status=None, request="", request_id="") is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "message", "type", "id", "request_id", "param"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(_JSON, st.integers(300, 599))
def test_any_json_becomes_an_api_error(value: Any, status: int):
    refused = error(msgspec.json.encode(value), status)
    assert isinstance(refused, errors.APIError)
    assert isinstance(refused.message, str)
    assert isinstance(refused.request_id, str)
    str(refused)


@given(st.binary(max_size=80), st.integers(300, 599))
def test_any_bytes_become_an_api_error(body: bytes, status: int):
    refused = error(body, status)
    assert refused.message
    str(refused)
