"""Signing: the published vectors, and the pitfalls around them."""

from __future__ import annotations

import hashlib

import pytest

from qwenkit.protocol import acs3

HOST = "https://bailian.cn-beijing.aliyuncs.com"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
BODY = b"CategoryType=UNSTRUCTURED&FileName=a+b.txt&Md5=0cc175b9c0f1b6a831c399e269772661&SizeInBytes=1"
USUAL = {"key_id": "AKdemo", "secret": "SKdemo", "version": "2023-12-29", "date": "2026-01-02T03:04:05Z"}
NAMES = "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"


@pytest.mark.parametrize(
    ("path", "headers", "body", "action", "nonce", "names", "signature"),
    [
        (
            "/llm-demo01/index/submit_index_job?IndexId=kb00demo",
            {},
            b"",
            "SubmitIndexJob",
            "n-0001",
            NAMES,
            "dc6a79ce4714d24f9db270f8d295382afdaab9190ec88df9fd03d44b8baed053",
        ),
        (
            "/llm-demo01/datacenter/category/default",
            FORM,
            BODY,
            "ApplyFileUploadLease",
            "n-0002",
            f"content-type;{NAMES}",
            "60def51ea172902c10ef7fa4e7871bbe33f7e9f54c923feacb4089499991e787",
        ),
    ],
)
def test_the_vectors_of_the_sheet(path, headers, body, action, nonce, names, signature):
    found = acs3.signed("POST", HOST + path, headers, body, action=action, nonce=nonce, **USUAL)
    told = f"ACS3-HMAC-SHA256 Credential=AKdemo,SignedHeaders={names},Signature={signature}"
    assert found["Authorization"] == told
    assert found["x-acs-content-sha256"] == hashlib.sha256(body).hexdigest()


def sign(url: str, **changed: str) -> str:
    settings = {**USUAL, "action": "A", "nonce": "n", **changed}
    return acs3.signed("GET", HOST + url, {}, **settings)["Authorization"]


def test_the_spelling_of_the_query_does_not_matter_but_its_values_do():
    assert sign("/a?q=two+words&b=%2A~") == sign("/a?b=*%7E&q=two%20words")
    assert sign("/a?q=") != sign("/a?q=x")
    assert sign("/a?q=") == sign("/a?q")


@pytest.mark.parametrize("changed", [{"nonce": "m"}, {"date": "2026-01-02T03:04:06Z"}, {"secret": "other"}])
def test_everything_that_is_signed_changes_the_signature(changed):
    assert sign("/a", **changed) != sign("/a")


def test_temporary_credentials_are_signed_too():
    found = acs3.signed("GET", f"{HOST}/a", {}, action="A", nonce="n", token="sts", **USUAL)
    assert found["x-acs-security-token"] == "sts"
    assert "SignedHeaders=host;x-acs-accesskey-id;" in found["Authorization"]


def test_no_header_holds_the_secret():
    assert "SKdemo" not in str(acs3.signed("GET", f"{HOST}/a", {}, action="A", nonce="n", **USUAL))
