"""Where httpx begins and ends: proxies and certificates from the environment, failures in our own words."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx
import pytest

from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Request
from qwenkit.secret import Secret
from qwenkit.transport.crossing import bare, outgoing, proxy_for, tls_for, told, translated

SERVICE = "https://dashscope.aliyuncs.com/compatible-mode/v1"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# -- proxies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("env", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"https_proxy": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, None),
        ({"ALL_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "aliyuncs.com"}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "other.example"}, "http://proxy.example:3128"),
    ],
)
def test_proxies_come_from_the_environment(env: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(SERVICE) == proxy


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://localhost/v1", "https://[::1]:8443/v1"])
def test_this_machine_is_never_behind_a_proxy(url: str, monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    assert proxy_for(url) is None


# -- certificates -------------------------------------------------------------------------------------------------


def test_https_is_verified():
    context = tls_for(SERVICE, None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_plain_http_loads_no_certificates_and_would_trust_nobody():
    context = tls_for("http://127.0.0.1:8000", None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.get_ca_certs() == []


def test_certificates_that_cannot_be_read_name_the_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match="certificates cannot be read") as raised:
        tls_for(SERVICE, None)
    assert "SSL_CERT_FILE" in raised.value.hint
    (tmp_path / "none.pem").write_text("not a certificate")
    with pytest.raises(ConfigError):
        tls_for(SERVICE, None)


# -- requests -----------------------------------------------------------------------------------------------------


def test_a_request_leaves_with_its_key_and_its_patience():
    request = Request("POST", SERVICE, {"X-Odd": "1"}, b"{}", key=Secret("sk-0123456789abcdef"), timeout=40.0)
    sent = outgoing(request)
    assert sent.headers["authorization"] == "Bearer sk-0123456789abcdef"
    assert (sent.headers["x-odd"], sent.headers["content-length"], sent.method) == ("1", "2", "POST")
    assert sent.extensions["timeout"] == {"connect": 15.0, "read": 40.0, "write": 40.0, "pool": 40.0}
    assert request.headers == {"X-Odd": "1"}
    assert "sk-" not in repr(request)


def test_a_request_without_a_key_says_nothing_of_one():
    assert "authorization" not in outgoing(Request("GET", SERVICE, key=Secret(""))).headers


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/b?token=1", "POST /a/b"),
        ("https://h/", "POST /"),
        ("https://h", "POST /"),
        ("https://user:pw@h/a", "POST /a"),
    ],
)
def test_a_request_is_named_by_its_path_alone(url: str, name: str):
    assert Request("POST", url).name == name


# -- failures -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectTimeout("slow"), "connect"),
        (httpx.ReadTimeout("slow"), "timeout"),
        (httpx.WriteTimeout("slow"), "timeout"),
        (httpx.PoolTimeout("slow"), "timeout"),
        (httpx.ProxyError("407"), "proxy"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "dns"),
        (httpx.ConnectError("[Errno 11001] getaddrinfo failed"), "dns"),
        (httpx.ConnectError("[Errno 8] nodename nor servname provided, or not known"), "dns"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"), "tls"),
        (httpx.ConnectError("[Errno 111] Connection refused"), "connect"),
        (httpx.ReadError(""), "reset"),
        (httpx.WriteError("broken pipe"), "reset"),
        (httpx.RemoteProtocolError("Server disconnected"), "reset"),
        (httpx.DecodingError("bad gzip"), "protocol"),
        (httpx.LocalProtocolError("odd"), "protocol"),
        (httpx.InvalidURL("odd"), "dns"),
    ],
)
def test_every_failure_has_a_kind_a_sentence_and_a_cure(error: Exception, kind: str):
    ours = translated(error, Request("POST", SERVICE))
    assert ours.kind == kind
    assert (str(error) or type(error).__name__) in ours.message
    assert ours.hint
    assert ours.request == "POST /compatible-mode/v1"
    assert "\n" not in str(ours)


def test_an_echoed_key_is_masked_in_any_answer():
    request = Request("POST", SERVICE, key=Secret("sk-0123456789abcdef"))
    echoed = b"you sent Bearer sk-0123456789abcdef"
    assert told(echoed, request) == "you sent Bearer sk-…cdef".encode()
    assert told(echoed, Request("POST", SERVICE)) is echoed


def test_a_bare_error_keeps_its_causes_but_no_frames():
    def deep() -> None:
        try:
            raise OSError("reset")
        except OSError as cause:
            raise httpx.ReadError("reset") from cause

    with pytest.raises(httpx.ReadError) as raised:
        deep()
    error = bare(raised.value)
    assert error is raised.value
    assert error.__traceback__ is None
    assert isinstance(error.__cause__, OSError)
    assert error.__cause__.__traceback__ is None
