"""What the catalogue says about errors: by code, by message where the code misleads, by status."""

from __future__ import annotations

import pytest

from qwenkit import catalogue


@pytest.mark.parametrize(
    ("code", "kind", "retry"),
    [
        ("InvalidApiKey", "AuthError", "no"),
        ("invalid_api_key", "AuthError", "no"),
        ("NOT AUTHORIZED", "AuthError", "no"),
        ("Arrearage", "QuotaExceeded", "later"),
        ("access_denied", "PermissionDenied", "no"),
        ("Model.AccessDenied", "PermissionDenied", "no"),
        ("AllocationQuota.FreeTierOnly", "QuotaExceeded", "later"),
        ("model_not_found", "NotFound", "no"),
        ("model_not_supported", "NotFound", "no"),
        ("PostpaidBillOverdue", "QuotaExceeded", "later"),
        ("InvalidParameter", "InvalidRequest", "no"),
        ("invalid_parameter_error", "InvalidRequest", "no"),
        ("InternalError.Algo.InvalidParameter", "InvalidRequest", "no"),
        ("BadRequest.TooLarge", "InvalidRequest", "no"),
        ("ServiceUnavailableError", "InvalidRequest", "no"),
        ("DataInspectionFailed", "ContentRejected", "no"),
        ("data_inspection_failed", "ContentRejected", "no"),
        ("Throttling", "RateLimited", "yes"),
        ("limit_requests", "RateLimited", "yes"),
        ("LimitRequests", "RateLimited", "yes"),
        ("Throttling.BurstRate", "RateLimited", "yes"),
        ("insufficient_quota", "RateLimited", "yes"),
        ("internal_error", "ServerError", "yes"),
        ("InternalError.Algo", "ServerError", "yes"),
        ("ModelServingError", "ServerError", "yes"),
        ("FILE_SERVER_ERROR", "ServerError", "yes"),
    ],
)
def test_a_code_tells_class_and_retry(code: str, kind: str, retry: str) -> None:
    fact = catalogue.code_facts(code)
    assert fact is not None
    assert (fact.kind, fact.retry, fact.retryable) == (kind, retry, retry == "yes")


@pytest.mark.parametrize(
    ("code", "family"),
    [
        ("InvalidFile.AspectRatio", "InvalidFile"),
        ("InvalidImage.NoHumanFace", "InvalidImage"),
        ("Audio.AudioSilentError", "Audio"),
        ("BadRequest.SomethingNew", "BadRequest"),
        ("Throttling.SomethingNew", "Throttling"),
        ("INVALIDAPIKEY", "InvalidApiKey"),
    ],
)
def test_an_unlisted_code_is_read_by_its_first_part_and_in_any_case(code: str, family: str) -> None:
    fact = catalogue.code_facts(code) or catalogue.code_facts(code.lower())
    assert fact is not None
    assert fact.code == family


RATE, QUOTA, WRONG = ("RateLimited", "yes"), ("QuotaExceeded", "no"), ("InvalidRequest", "no")
AGAIN, BROKEN = ("InvalidRequest", "yes"), ("ServerError", "yes")


@pytest.mark.parametrize(
    ("code", "message", "verdict"),
    [
        ("insufficient_quota", "You exceeded your current quota, please check your plan and billing details.", RATE),
        ("insufficient_quota", "Free allocated quota exceeded.", QUOTA),
        ("Throttling.AllocationQuota", "Allocated quota exceeded, please increase your quota limit.", RATE),
        ("Throttling.AllocationQuota", "Free allocated quota exceeded.", QUOTA),
        ("Throttling.AllocationQuota", "Maximum voice storage limit exceeded, please delete existing voices.", QUOTA),
        ("invalid_parameter_error", "File [id:file-fe-1] cannot be found.", WRONG),
        ("invalid_parameter_error", "Invalid file [id:file-batch-1].", WRONG),
        ("InternalError.Algo", "inference internal error.", BROKEN),
        ("InternalError.Algo", "Expecting ',' delimiter: line 1 column 5 (char 4)", WRONG),
        ("InternalError.Algo", "Missing Content-Length of multimodal url.", WRONG),
        ("InternalError.Algo", "Role must be in [user, assistant]", WRONG),
        ("internal_error", "<500> InternalError.Algo: list index out of range", WRONG),
        ("InvalidParameter", "Model not exist.", ("NotFound", "no")),
        ("InvalidParameter", "url error, please check url！", WRONG),
        ("InvalidParameter", "Failed to download multimodal content.", AGAIN),
        ("InvalidParameter", "Download the media resource timed out during the data inspection process.", AGAIN),
        (
            "invalid_parameter_error",
            "<400> InternalError.Algo.InvalidParameter: Download the media resource timed out",
            AGAIN,
        ),
        ("InvalidParameter.DataInspection", "The media format is not supported", WRONG),
        ("invalid_parameter_error", "File parsing in progress, please try again later.", AGAIN),
        ("AccessDenied", "Invalid according to Policy: Policy expired.", ("PermissionDenied", "later")),
        ("", "The engine is currently overloaded, please try again later", BROKEN),
    ],
)
def test_a_message_outranks_a_code_that_misleads(code: str, message: str, verdict: tuple[str, str]) -> None:
    fact = catalogue.code_facts(code, message)
    assert fact is not None
    assert (fact.kind, fact.retry) == verdict


def test_downloads_and_parsing_are_tried_twice_at_most() -> None:
    for message in ("Failed to download multimodal content.", "File parsing in progress, please try again later."):
        fact = catalogue.code_facts("InvalidParameter", message)
        assert fact is not None
        assert fact.tries == 2


@pytest.mark.parametrize(
    ("message", "cure"),
    [
        ("parameter.enable_thinking must be set to false for non-streaming calls", "qwen.chat.stream"),
        ("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]", "max_tokens"),
        (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "JSON",
        ),
        ("Range of input length should be [1, 30720]", "shorten"),
        ("Temperature should be in [0.0, 2.0)", "up to, but not including, 2"),
        ("Tool names are not allowed to be [search]", "rename"),
        ("something never seen", "change what the message names"),
    ],
)
def test_known_wordings_bring_a_cure_of_their_own(message: str, cure: str) -> None:
    fact = catalogue.code_facts("invalid_parameter_error", message)
    assert fact is not None
    assert fact.code in {"invalid_parameter_error", "InvalidParameter"}
    assert cure in fact.cure


def test_an_unknown_code_is_none() -> None:
    assert catalogue.code_facts("weird") is None
    assert catalogue.code_facts("") is None
    assert catalogue.code_facts("", "<html>Bad: gateway</html>") is None


@pytest.mark.parametrize(
    ("status", "kind", "retry"),
    [
        (400, "InvalidRequest", "no"),
        (401, "AuthError", "no"),
        (403, "PermissionDenied", "no"),
        (404, "NotFound", "no"),
        (408, "ServerError", "yes"),
        (418, "InvalidRequest", "no"),
        (429, "RateLimited", "yes"),
        (500, "ServerError", "yes"),
        (503, "ServerError", "yes"),
        (529, "ServerError", "yes"),
    ],
)
def test_a_status_speaks_where_the_code_is_unknown(status: int, kind: str, retry: str) -> None:
    fact = catalogue.status_facts(status)
    assert fact is not None
    assert (fact.kind, fact.retry) == (kind, retry)


def test_a_good_status_is_no_error() -> None:
    assert catalogue.status_facts(200) is None


def test_every_code_of_the_table_finds_itself() -> None:
    for fact in catalogue.codes():
        for name in (fact.code, *fact.aliases):
            assert catalogue.code_facts(name) == fact


@pytest.mark.parametrize(
    ("message", "cure"),
    [
        ("File [id:file-fe-1] cannot be found.", "upload it again"),
        ("Invalid file [id:file-batch-1].", "file-fe-"),
        ("File parsing in progress, please try again later.", "qwen.files.wait"),
        ("File [id:file-fe-1] content blank.", "real text"),
        ("File [id:file-fe-1] exceeds page limits (15000 pages).", "split"),
        ("Too many files provided.", "fewer"),
    ],
)
def test_a_document_that_cannot_be_read_has_a_cure_of_its_own(message: str, cure: str) -> None:
    fact = catalogue.code_facts("invalid_parameter_error", message)
    assert fact is not None
    assert cure in fact.cure
