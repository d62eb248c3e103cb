"""Who gets in, and in which words the others are sent away."""

from __future__ import annotations

import hashlib
import json
import socket

import httpx
import pytest
from bare_sandbox import Clock, bare

from qwenkit.sandbox import Sandbox

CHAT = "/compatible-mode/v1/chat/completions"
HELLO = {"model": "qwen-plus", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="module")
def box():
    with Sandbox(key="sk-canary-door") as running:
        yield running


@pytest.fixture
def client(box):
    with bare(box) as open_client:
        yield open_client


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_in_any_case(box, scheme):
    answer = httpx.post(box.url + CHAT, json=HELLO, headers={"Authorization": f"{scheme} {box.key}"}, trust_env=False)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", "Basic sk-canary-door", "sk-canary-door"]
)
def test_compatible_paths_refuse_a_bad_key_with_an_error_object(box, authorization):
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = httpx.post(box.url + CHAT, json=HELLO, headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {
            "message": "Incorrect API key provided. ",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_api_key",
        },
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    ("authorization", "message"), [(None, "No API-key provided."), ("Bearer wrong", "Invalid API-key provided.")]
)
def test_native_paths_refuse_a_bad_key_flat(box, authorization, message):
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = httpx.get(box.url + "/api/v1/models", headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert answer.json() == {
        "code": "InvalidApiKey",
        "message": message,
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8000", "[::1]:80"])
def test_loopback_names_are_welcome(client, host):
    assert client.post(CHAT, json=HELLO, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "127.0.0.1:80@evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example:8888"},
    ],
)
def test_other_hosts_and_origins_are_refused_even_with_the_key(client, headers):
    answer = client.post(CHAT, json=HELLO, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "access_denied"
    assert "this machine only" in answer.json()["error"]["message"]


def test_a_page_of_this_machine_may_ask(client):
    assert client.post(CHAT, json=HELLO, headers={"Origin": "http://localhost:8888"}).status_code == 200


def test_it_listens_on_the_loopback_interface_only(box):
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", int(box.url.rpartition(":")[2]))) != 0


def test_a_temporary_key_works_until_it_expires():
    clock = Clock()
    with Sandbox(key="sk-parent", clock=clock) as box, httpx.Client(base_url=box.url, trust_env=False) as client:
        parent = {"Authorization": "Bearer sk-parent"}
        minted = client.post("/api/v1/tokens?expire_in_seconds=90", headers=parent).json()
        assert minted["expires_at"] == 1_790_000_090
        assert minted["token"].startswith("st-")
        child = {"Authorization": f"Bearer {minted['token']}"}
        assert client.post(CHAT, json=HELLO, headers=child).status_code == 200
        clock.now += 89.9
        assert client.post(CHAT, json=HELLO, headers=child).status_code == 200
        clock.now += 0.1
        assert client.post(CHAT, json=HELLO, headers=child).json()["error"]["code"] == "invalid_api_key"


def test_a_temporary_key_lives_a_minute_unless_told_and_cannot_make_others():
    clock = Clock()
    with Sandbox(key="sk-parent", clock=clock) as box, httpx.Client(base_url=box.url, trust_env=False) as client:
        minted = client.post("/api/v1/tokens", headers={"Authorization": "Bearer sk-parent"}).json()
        assert minted["expires_at"] == 1_790_000_060
        child = {"Authorization": f"Bearer {minted['token']}"}
        assert client.post("/api/v1/tokens", headers=child).json()["code"] == "InvalidApiKey"


@pytest.mark.parametrize("seconds", ["0", "1801", "-1", "ten", "", "1.5", "99999999999999", "٣"])
def test_a_life_out_of_range_is_refused(client, seconds):
    answer = client.post("/api/v1/tokens", params={"expire_in_seconds": seconds})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")
    assert "[1, 1800]" in answer.json()["message"]


def test_temporary_keys_survive_a_restart_in_a_data_file_that_does_not_hold_them(tmp_path):
    data = tmp_path / "state.db"
    with Sandbox(key="sk-parent", data=data) as box:
        headers = {"Authorization": "Bearer sk-parent"}
        token = httpx.post(box.url + "/api/v1/tokens", headers=headers, trust_env=False).json()["token"]
    assert token.encode() not in data.read_bytes()
    with Sandbox(key="sk-parent", data=data) as box:
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.post(box.url + CHAT, json=HELLO, headers=headers, trust_env=False).status_code == 200


def test_any_workspace_is_accepted_unless_the_sandbox_knows_its_own(client):
    assert client.post(CHAT, json=HELLO, headers={"X-DashScope-WorkSpace": "ws-any"}).status_code == 200
    with Sandbox(key="k", workspaces=["ws-mine"]) as box, httpx.Client(base_url=box.url, trust_env=False) as strict:
        key = {"Authorization": "Bearer k"}
        assert strict.post(CHAT, json=HELLO, headers=key).status_code == 200
        assert strict.post(CHAT, json=HELLO, headers={**key, "X-DashScope-WorkSpace": "ws-mine"}).status_code == 200
        foreign = strict.post(CHAT, json=HELLO, headers={**key, "X-DashScope-WorkSpace": "ws-other"})
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (401, "NOT AUTHORIZED")


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "message"),
    [
        ("GET", CHAT, 400, "invalid_parameter_error", "Request method 'GET' is not supported."),
        (
            "DELETE",
            "/compatible-mode/v1/models",
            400,
            "invalid_parameter_error",
            "Request method 'DELETE' is not supported.",
        ),
        ("POST", "/compatible-mode/v1/nothing", 404, "NotFound", "Request path not found."),
        ("GET", "/api/v1/tokens", 400, "InvalidParameter", "Request method 'GET' is not supported."),
        ("POST", "/api/v1/services/aigc/nothing", 400, "InvalidParameter", "url error, please check url！"),
        ("GET", "/nothing", 404, "NotFound", "Request path not found."),
        ("GET", CHAT + "/", 404, "NotFound", "Request path not found."),
    ],
)
def test_wrong_methods_and_paths_get_the_documented_words(client, method, path, status, code, message):
    answer = client.request(method, path)
    body = answer.json()
    error = body["error"] if path.startswith("/compatible-mode/") else body
    assert (answer.status_code, error["code"], error["message"]) == (status, code, message)
    assert body["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b'{"model": NaN}',
        b"\xff\xfe",
        b'{"model": "qwen-plus", "messages": [{"role": "user", "content": "\\ud83d"}]}',
        b"[" * 100_000,
        b'{"seed": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client, body):
    answer = client.post(CHAT, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Required body invalid, please check the request body format."


def test_an_escaped_emoji_is_whole(client):
    body = json.dumps({"model": "qwen-plus", "messages": [{"role": "user", "content": "Say 😀"}]}, ensure_ascii=True)
    assert client.post(CHAT, content=body.encode()).status_code == 200


def test_a_body_beyond_sixteen_mebibytes_is_refused(client):
    answer = client.post(CHAT, content=b"x" * (16 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Payload Too Large.")
    assert client.post(CHAT, json=HELLO).status_code == 200


def test_every_answer_has_its_own_request_id_and_says_it_came_through_the_gateway(client):
    answers = [client.post(CHAT, json=HELLO), client.get("/nothing"), client.get("/compatible-mode/v1/models")]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert len(set(ids)) == 3
    assert all(answer.headers["x-dashscope-call-gateway"] == "true" for answer in answers)


def test_the_front_page_says_what_it_is_to_programs_and_people_without_a_key(box):
    for accept, kind in (("*/*", "application/json"), ("text/html", "text/html")):
        page = httpx.get(box.url, headers={"Accept": accept}, trust_env=False)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith(kind)
        assert "It is not Qwen" in page.text


def test_the_journal_shows_requests_and_hides_keys():
    with Sandbox(key="sk-canary-journal") as box:
        headers = {"Authorization": "bearer sk-canary-journal", "X-Mine": "1"}
        httpx.post(box.url + CHAT, params={"a": "b"}, json=HELLO, headers=headers, trust_env=False)
        httpx.post(box.url + CHAT, content=b"{", headers={"Authorization": "sk-canary-bare"}, trust_env=False)
        first, second = box.requests
    assert (first.method, first.path, first.query, first.json) == ("POST", CHAT, {"a": "b"}, HELLO)
    assert first.headers["x-mine"] == "1"
    assert first.headers["authorization"] == "bearer ***"
    assert first.auth == {"scheme": "bearer", "sha256": hashlib.sha256(b"sk-canary-journal").hexdigest()}
    assert second.json is None
    assert "canary" not in repr(box.requests)


def test_a_key_is_in_no_answer(client):
    answers = [
        client.post(CHAT, json=HELLO),
        client.get("/"),
        client.post(CHAT, json={}),
        client.post(CHAT, json=HELLO, headers={"Authorization": "Bearer sk-canary-wrong"}),
    ]
    for answer in answers:
        assert "canary" not in answer.text + str(answer.headers)


def test_an_unexpected_failure_is_a_documented_error_and_goes_to_stderr(client, monkeypatch, capsys):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("qwenkit.sandbox.chat.usage", fail)
    answer = client.post(CHAT, json=HELLO)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "a bug" not in answer.text
    assert "ZeroDivisionError: a bug" in capsys.readouterr().err


def test_an_unexpected_failure_in_a_stream_is_an_error_event(client, monkeypatch, capsys):
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("qwenkit.sandbox.answers.Letterhead._said", fail)
    answer = client.post(CHAT, json={**HELLO, "stream": True})
    last = answer.text.strip().splitlines()[-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "internal_error"
    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize(
    "upgrade", [{}, {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}]
)
def test_a_path_without_a_socket_answers_a_handshake_as_any_request(client, upgrade):
    assert client.get("/api-ws/v1/nothing", headers=upgrade).status_code == 404


def test_a_malformed_request_gets_400_and_prints_nothing(box, capfd):
    with socket.create_connection(("127.0.0.1", int(box.url.rpartition(":")[2]))) as raw:
        raw.sendall(b"NONSENSE\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 400")
    assert capfd.readouterr().err == ""
