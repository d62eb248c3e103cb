"""The sandbox's storage: policies, forms, `oss://` addresses and results, their signatures and their ends."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from shapes_of_media import png, uri
from wayward import Line, Wayward, head

from qwenkit.sandbox import Sandbox, uploads
from qwenkit.sandbox.results import Results

NOW = 1_790_000_000.0
RED = png()
CHAT = "/compatible-mode/v1/chat/completions"
NATIVE = "/api/v1/services/aigc/multimodal-generation/generation"
RESOLVE = {"X-DashScope-OssResourceResolve": "enable"}
NO_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
NO_DOWNLOAD = "Failed to download multimodal content."


class Storage:
    """A sandbox whose clock can be set, and the steps of an upload."""

    def __init__(self, box: Sandbox, http: httpx.Client, clock: list[float]) -> None:
        self.box, self.http, self.clock = box, http, clock

    def policy(self, model: str = "qwen3-vl-plus", action: str = "getPolicy") -> httpx.Response:
        return self.http.get("/api/v1/uploads", params={"action": action, "model": model}, headers=self.key)

    @property
    def key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.box.key}"}

    def fields(self, data: dict[str, Any], name: str = "red.png") -> dict[str, str]:
        return {
            "OSSAccessKeyId": data["oss_access_key_id"],
            "Signature": data["signature"],
            "policy": data["policy"],
            "key": f"{data['upload_dir']}/{name}",
            "x-oss-object-acl": data["x_oss_object_acl"],
            "x-oss-forbid-overwrite": data["x_oss_forbid_overwrite"],
            "success_action_status": "200",
        }

    def post(self, fields: dict[str, str], content: bytes = RED, url: str = "") -> httpx.Response:
        return self.http.post(url or uploads.STORAGE, data=fields, files={"file": ("red.png", content)})

    def uploaded(self, model: str = "qwen3-vl-plus", content: bytes = RED) -> str:
        data = self.policy(model).json()["data"]
        fields = self.fields(data)
        answer = self.post(fields, content, data["upload_host"])
        assert (answer.status_code, answer.content) == (200, b"")
        return f"oss://{fields['key']}"

    def ask(self, url: Any, model: str = "qwen3-vl-plus", headers: dict[str, str] = RESOLVE) -> httpx.Response:
        content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "?"}]
        body = {"model": model, "messages": [{"role": "user", "content": content}]}
        return self.http.post(CHAT, json=body, headers={**self.key, **headers})

    def native(self, url: str, headers: dict[str, str] = RESOLVE) -> httpx.Response:
        body = {"model": "qwen3-vl-plus", "input": {"messages": [{"role": "user", "content": [{"image": url}]}]}}
        return self.http.post(NATIVE, json=body, headers={**self.key, **headers})

    def result(self, kind: str = "image/png") -> str:
        service: Any = self.box._service
        return self.box.url + str(service.shelf(Results).keep("call", "red.png", RED, kind, service.clock()))


@pytest.fixture(scope="module")
def running() -> Iterator[Storage]:
    clock = [NOW]
    with (
        Sandbox(key="sk-storage", clock=lambda: clock[0]) as box,
        httpx.Client(base_url=box.url, trust_env=False, timeout=20) as http,
    ):
        yield Storage(box, http, clock)


@pytest.fixture
def at(running: Storage) -> Storage:
    running.clock[0] = NOW
    return running


def said(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    return answer.status_code, body.get("error", body)["message"].removeprefix(
        "<400> InternalError.Algo.InvalidParameter: "
    )


def test_a_policy_has_the_recorded_fields(at: Storage):
    answer = at.policy().json()
    data = answer["data"]
    assert list(answer) == ["request_id", "data"]
    assert data["upload_dir"].startswith("dashscope-instant/")
    assert data["upload_host"].startswith(at.box.url)
    assert (data["expire_in_seconds"], data["max_file_size_mb"], data["capacity_limit_mb"]) == (300, 100, 999999999)
    assert (data["x_oss_object_acl"], data["x_oss_forbid_overwrite"]) == ("private", "true")
    assert at.policy().json()["data"]["upload_dir"] != data["upload_dir"]
    assert said(at.policy(model=""))[0] == said(at.policy(action="putPolicy"))[0] == 400
    assert said(at.policy(model="nope")) == (400, "Model not exist.")
    assert at.http.get("/api/v1/uploads", params={"action": "getPolicy", "model": "qwen3-vl-plus"}).status_code == 401


def test_an_upload_is_read_by_its_model_for_two_days(at: Storage):
    url = at.uploaded()
    assert at.ask(url).status_code == at.native(url).status_code == 200
    assert said(at.ask(url, headers={})) == said(at.native(url, headers={})) == (400, NO_URL)
    assert said(at.ask(url, model="qwen3-vl-flash")) == (400, NO_DOWNLOAD)
    assert said(at.ask(url + "x")) == (400, NO_DOWNLOAD)
    at.clock[0] = NOW + uploads.LIFE - 1
    assert at.ask(url).status_code == 200
    at.clock[0] = NOW + uploads.LIFE
    assert said(at.ask(url)) == (400, NO_DOWNLOAD)


def test_in_responses_too(at: Storage):
    part = {"type": "input_image", "image_url": at.uploaded("qwen3.5-plus")}
    body = {"model": "qwen3.5-plus", "input": [{"role": "user", "content": [part]}]}
    for headers, status in ((RESOLVE, 200), ({}, 400)):
        answer = at.http.post("/compatible-mode/v1/responses", json=body, headers={**at.key, **headers})
        assert answer.status_code == status


def changed(fields: dict[str, str], **other: str | None) -> dict[str, str]:
    return {name: value for name, value in {**fields, **other}.items() if value is not None}


def forged(fields: dict[str, str]) -> dict[str, str]:
    told = json.loads(base64.b64decode(fields["policy"]))
    told["conditions"][0][2] = 2**40
    return {**fields, "policy": base64.b64encode(json.dumps(told).encode()).decode()}


FORMS = {
    "another folder": (lambda form: changed(form, key="elsewhere/red.png"), 403, "Policy Condition failed"),
    "a folder beside it": (lambda form: changed(form, key=form["key"].replace("/red", "0/red")), 403, "Condition"),
    "a wrong signature": (lambda form: changed(form, Signature="AAAA"), 403, "SignatureDoesNotMatch"),
    "a forged policy": (forged, 403, "SignatureDoesNotMatch"),
    "another's key id": (lambda form: changed(form, OSSAccessKeyId="AK"), 403, "InvalidAccessKeyId"),
    "no policy": (lambda form: changed(form, policy=None), 400, "policy"),
    "no key": (lambda form: changed(form, key=None), 400, "key"),
}


def test_a_form_is_held_against_its_policy(at: Storage):
    fields = at.fields(at.policy().json()["data"])
    for name, (change, status, words) in FORMS.items():
        answer = at.post(change(fields))
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/xml"), name
        assert words in answer.text


def test_a_form_is_late_double_or_out_of_order(at: Storage):
    fields = at.fields(at.policy().json()["data"])
    assert at.post(fields).status_code == 200
    assert "FileAlreadyExists" in at.post(fields).text
    first = at.http.post(
        uploads.STORAGE, files=[("file", ("a.png", RED)), *((k, (None, v)) for k, v in fields.items())]
    )
    assert (first.status_code, "OSSAccessKeyId" in first.text) == (400, True)  # what follows the file is not read
    assert at.http.post(uploads.STORAGE, data=fields).status_code == 400
    assert at.http.post(uploads.STORAGE, content=b"nonsense").status_code == 400
    fields["key"] = fields["key"].replace("red", "late")
    at.clock[0] = NOW + uploads.POLICY_LIFE
    assert at.post(fields).status_code == 200
    at.clock[0] += 1
    fields["key"] = fields["key"].replace("late", "later")
    answer = at.post(fields)
    assert (answer.status_code, "Invalid according to Policy: Policy expired." in answer.text) == (403, True)


def test_an_upload_may_have_so_many_bytes(at: Storage, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(uploads, "LARGEST", 1)
    fields = at.fields(at.policy().json()["data"])
    assert at.post(fields, b"x" * 2**20).status_code == 200
    answer = at.post({**fields, "key": fields["key"] + "2"}, b"x" * (2**20 + 1))
    assert (answer.status_code, "EntityTooLarge" in answer.text) == (400, True)


def test_a_result_is_there_for_a_day_by_its_signed_address(at: Storage):
    url = at.result()
    answer = at.http.get(url)
    assert (answer.content, answer.headers["content-type"]) == (RED, "image/png")
    assert answer.headers["content-length"] == str(len(RED))
    assert at.ask(url).status_code == at.native(url).status_code == 200
    path, _, query = url.partition("?")
    expires = int(httpx.URL(url).params["Expires"])
    for wrong in (path, f"{path}?{query[:-1]}", url.replace(str(expires), str(expires + 9))):
        refused = at.http.get(wrong)
        assert (refused.status_code, "<Code>AccessDenied</Code>" in refused.text) == (403, True)
        assert said(at.ask(wrong)) == (400, NO_DOWNLOAD)
    at.clock[0] = NOW + 24 * 3600
    assert "Request has expired." in at.http.get(url).text
    assert said(at.ask(url)) == (400, NO_DOWNLOAD)


URLS: list[tuple[Any, str]] = [
    ("red.png", NO_URL),
    ("file:///red.png", NO_URL),
    ("data:image/png,abc", NO_URL),
    ("data:image/png;base64,€", NO_URL),
    ("data:image/png;base64,AAA", NO_URL),
    ("data:;base64,AAAA", "Failed to decode the image during the data inspection."),
    (7, NO_URL),
    ("http://127.0.0.1:1/a.png", NO_DOWNLOAD),
    ("http://[/a.png", NO_URL),
]


def test_addresses_that_lead_nowhere(at: Storage):
    for url, words in URLS:
        assert said(at.ask(url)) == (400, words), url


def test_a_data_uri_need_not_say_its_type(at: Storage):
    for url in ("data:;base64,", "data:image/x-odd;base64,", "data:image/png;charset=x;base64,"):
        assert at.ask(url + uri(RED).partition(",")[2]).status_code == 200


SERVED: dict[str, tuple[dict[str, str], bytes, tuple[int, str] | None]] = {
    "as it should be": ({"content-length": str(len(RED))}, RED, None),
    "another type": ({"content-length": "4", "content-type": "text/html"}, b"abcd", (400, "Wrong Content-Type")),
    "no length": ({}, RED, (500, "Missing Content-Length of multimodal url.")),
    "too long": ({"content-length": str(21 * 2**20)}, b"x", (400, "Multimodal file size is too large")),
    "cut": ({"content-length": "9999"}, RED, (400, NO_DOWNLOAD)),
}


@pytest.mark.parametrize("name", SERVED)
def test_a_file_of_another_server_on_this_machine(name: str, at: Storage):
    headers, body, refused = SERVED[name]
    kind = headers.get("content-type", "image/png")

    def act(line: Line) -> None:
        line.send(head(200, kind, **{each: told for each, told in headers.items() if each != "content-type"}) + body)
        line.hang_up()

    with Wayward(act) as server:
        answer = at.ask(f"{server.url}/a.png")
    if refused is None:
        assert answer.status_code == 200
    else:
        assert (said(answer)[0], refused[1] in said(answer)[1]) == (refused[0], True)


def test_uploads_outlive_a_restart(tmp_path: Any):
    with Sandbox(key="sk-storage", data=tmp_path / "kept.db") as box, httpx.Client(base_url=box.url) as http:
        first = Storage(box, http, [NOW])
        url, result = first.uploaded(), first.result()
    with Sandbox(key="sk-storage", data=tmp_path / "kept.db") as box, httpx.Client(base_url=box.url) as http:
        again = Storage(box, http, [NOW])
        assert again.ask(url).status_code == 200
        assert http.get(httpx.URL(result).raw_path.decode()).content == RED
