"""ACS3-HMAC-SHA256 as the sandbox checks it: the sheet's vectors, then everything that can be wrong with a request."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

import pytest

from qwenkit.sandbox.knowledge.acs import Sent, canonical, check, signature, to_sign
from qwenkit.sandbox.knowledge.values import Wrong
from qwenkit.sandbox.service import Service

HOST, DATE = "bailian.cn-beijing.aliyuncs.com", "2026-01-02T03:04:05Z"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
SECRET = "SKdemo"
FORM = "application/x-www-form-urlencoded"
LEASE = b"CategoryType=UNSTRUCTURED&FileName=a+b.txt&Md5=0cc175b9c0f1b6a831c399e269772661&SizeInBytes=1"
GATEWAY = "x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"


def sent(
    path: str = "/llm-demo01/index/submit_index_job",
    query: str = "IndexId=kb00demo",
    action: str = "SubmitIndexJob",
    body: bytes = b"",
    names: str = f"host;{GATEWAY}",
    key: str = "AKdemo",
    secret: str = SECRET,
    method: str = "POST",
    **more: str,
) -> Sent:
    """A request, signed as the sheet says; `more` are headers, `_` for `-`."""
    headers = {
        "host": HOST,
        "x-acs-action": action,
        "x-acs-version": "2023-12-29",
        "x-acs-date": DATE,
        "x-acs-signature-nonce": "n-0001",
        "x-acs-content-sha256": sha256(body).hexdigest(),
        **({"content-type": FORM} if body else {}),
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    request = Sent(method, path, query, [*headers.items()], body)
    told = signature(secret, to_sign(request, names.split(";")))
    written = f"ACS3-HMAC-SHA256 Credential={key},SignedHeaders={names},Signature={told}"
    return request._replace(headers=[*request.headers, ("authorization", written)])


def service(**options: float) -> Service:
    now = options.get("now", NOW)
    return Service(key="sk-x", access_key_id="AKdemo", access_key_secret=SECRET, clock=lambda: now)


def refusal(request: Sent, at: Service | None = None) -> tuple[str, int]:
    with pytest.raises(Wrong) as refused:
        check(at or service(), request)
    assert SECRET not in str(refused.value)
    return refused.value.code, refused.value.status


def of(request: Sent) -> str:
    return request.header("authorization").rpartition("=")[2]


def test_the_first_vector_without_a_body():
    request = sent()
    hashed = sha256(canonical(request, f"host;{GATEWAY}".split(";")).encode()).hexdigest()
    assert hashed == "30dd1630203a52b13daf465e1973f634185cd96029e0a1243d3b266baedde655"
    assert of(request) == "dc6a79ce4714d24f9db270f8d295382afdaab9190ec88df9fd03d44b8baed053"
    check(service(), request)


def test_the_second_vector_with_a_form():
    names = f"content-type;host;{GATEWAY}"
    request = sent(
        "/llm-demo01/datacenter/category/default",
        "",
        "ApplyFileUploadLease",
        LEASE,
        names,
        x_acs_signature_nonce="n-0002",
    )
    hashed = sha256(canonical(request, names.split(";")).encode()).hexdigest()
    assert hashed == "d5f2244286cc0ef1cde2e47441be5adba1e0472f7bebd4b09751aad847130b76"
    assert of(request) == "60def51ea172902c10ef7fa4e7871bbe33f7e9f54c923feacb4089499991e787"
    check(service(), request)


@pytest.mark.parametrize(
    ("query", "signed"),
    [
        ("b=2&a=1", "a=1&b=2"),
        ("Query=where+is+it%3F", "Query=where%20is%20it%3F"),
        ("Query=where%20is%20it%3F", "Query=where%20is%20it%3F"),
        ("Name=%E6%B8%AF*~", "Name=%E6%B8%AF%2A~"),
        ("Name=", "Name="),
        ("", ""),
    ],
)
def test_a_query_is_read_and_written_anew(query: str, signed: str):
    assert canonical(sent(query=query), ["host"]).split("\n")[2] == signed


def test_headers_are_trimmed_and_several_of_one_name_sorted():
    request = sent()._replace(headers=[("host", f" {HOST}  "), ("x-acs-two", "b"), ("x-acs-two", "a")])
    assert canonical(request, ["x-acs-two", "host"]).split("\n")[3:6] == [f"host:{HOST}", "x-acs-two:a,b", ""]


def test_blanks_after_the_commas_of_the_header_are_taken():
    request = sent()
    name, written = request.headers[-1]
    check(service(), request._replace(headers=[*request.headers[:-1], (name, written.replace(",", ", "))]))


@pytest.mark.parametrize(
    "written", ["", "Bearer sk-x", "ACS3-HMAC-SHA256 Credential=AKdemo,Signature=0", "ACS3-HMAC-SM3 x"]
)
def test_a_malformed_header_is_an_incomplete_signature(written: str):
    request = sent()
    assert refusal(request._replace(headers=[*request.headers[:-1], ("authorization", written)])) == (
        "IncompleteSignature",
        400,
    )


@pytest.mark.parametrize(
    "unsigned",
    [
        sent(names=GATEWAY),
        sent(names=f"host;{GATEWAY}".replace("x-acs-date;", "")),
        sent(x_acs_security_token="sts"),
        sent(body=LEASE),
    ],
    ids=["host", "date", "token", "content-type"],
)
def test_what_must_be_signed_and_is_not_is_an_incomplete_signature(unsigned: Sent):
    assert refusal(unsigned) == ("IncompleteSignature", 400)


@pytest.mark.parametrize(
    ("request_", "code", "status"),
    [
        (sent(key="AKother"), "InvalidAccessKeyId.NotFound", 404),
        (sent(secret="SKother"), "SignatureDoesNotMatch", 400),
        (sent()._replace(path="/llm-demo01/index/delete"), "SignatureDoesNotMatch", 400),
        (sent()._replace(path="/llm-demo01/index/submit_index_job/"), "SignatureDoesNotMatch", 400),
        (sent()._replace(query="IndexId=kb00other"), "SignatureDoesNotMatch", 400),
        (sent()._replace(method="GET"), "SignatureDoesNotMatch", 400),
        (sent()._replace(body=b"x"), "SignatureDoesNotMatch", 400),
        (sent(x_acs_date="yesterday"), "InvalidTimeStamp.Format", 400),
        (sent(x_acs_date="2026-01-02T03:19:06Z"), "InvalidTimeStamp.Expired", 400),
        (sent(x_acs_date="2026-01-02T02:49:04Z"), "InvalidTimeStamp.Expired", 400),
    ],
)
def test_a_request_that_is_not_as_signed_is_refused(request_: Sent, code: str, status: int):
    assert refusal(request_) == (code, status)


def test_a_quarter_of_an_hour_is_near_enough():
    for date in ("2026-01-02T03:19:05Z", "2026-01-02T02:49:05Z"):
        check(service(), sent(x_acs_date=date))


def test_a_nonce_comes_once_for_as_long_as_its_date_holds():
    at, now = service(), [NOW]
    at.clock = lambda: now[0]
    check(at, sent())
    assert refusal(sent(), at) == ("SignatureNonceUsed", 400)
    check(at, sent(x_acs_signature_nonce="n-0002"))
    now[0] += 900
    assert refusal(sent(), at) == ("SignatureNonceUsed", 400)
    now[0] += 1
    assert refusal(sent(), at) == ("InvalidTimeStamp.Expired", 400)


def test_a_refused_request_uses_up_no_nonce():
    at = service()
    assert refusal(sent(secret="SKother"), at) == ("SignatureDoesNotMatch", 400)
    check(at, sent())


def test_no_secret_shows():
    assert SECRET not in repr(service())
