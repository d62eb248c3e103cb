"""The bytes of the native API, whole and in frames, as the service was recorded to send them; and its tasks' clock."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, ClassVar

import httpx
import pytest
from bare_sandbox import Clock, bare

from qwenkit.sandbox import Sandbox

TEXT = "/api/v1/services/aigc/text-generation/generation"
MULTIMODAL = "/api/v1/services/aigc/multimodal-generation/generation"
EMBEDDING = "/api/v1/services/embeddings/text-embedding/text-embedding"
SSE = {"X-DashScope-SSE": "enable"}
ASYNC = {"X-DashScope-Async": "enable"}
ASK = {"messages": [{"role": "user", "content": "What is 17 * 23?"}]}
ITEMS = {"messages": [{"role": "user", "content": [{"text": "What is 17 * 23?"}]}]}
TOOL = {
    "type": "function",
    "function": {
        "name": "pack",
        "description": "Pack things into a box",
        "parameters": {
            "type": "object",
            "properties": {"things": {"type": "array", "items": {"type": "string"}}},
            "required": ["things"],
        },
    },
}
DAY = 1770084672.013


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(DAY)


@pytest.fixture(autouse=True)
def day(clock: Clock) -> None:
    """Every test begins at the same moment, whatever became of the one before it."""
    clock.now = DAY


@pytest.fixture(scope="module")
def box(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(clock=clock) as running:
        yield running


@pytest.fixture
def client(box: Sandbox) -> Iterator[httpx.Client]:
    with bare(box) as open_client:
        yield open_client


def ask(client: httpx.Client, path: str = TEXT, model: str = "qwen-plus", given: Any = ASK, **parameters: Any) -> Any:
    answer = client.post(path, json={"model": model, "input": given, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return answer.json()


def stream(client: httpx.Client, path: str = TEXT, model: str = "qwen-plus", **parameters: Any) -> list[dict[str, Any]]:
    """The data of all frames, after their bytes were looked at."""
    given = ITEMS if path == MULTIMODAL else ASK
    answer = client.post(path, json={"model": model, "input": given, "parameters": parameters}, headers=SSE)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream;charset=UTF-8"
    *frames, end = answer.text.split("\n\n")
    assert end == ""
    found = []
    for number, frame in enumerate(frames, 1):
        head, data = frame.rsplit("\n", 1)
        assert head == f"id:{number}\nevent:result\n:HTTP_STATUS/200"
        found.append(json.loads(data.removeprefix("data:")))
        assert data == "data:" + json.dumps(found[-1], ensure_ascii=False, separators=(",", ":"))
    assert {each["request_id"] for each in found} == {answer.headers["x-request-id"]}
    return found


def test_a_frame_byte_for_byte(client):
    answer = client.post(
        TEXT,
        json={"model": "qwen-plus", "input": ASK, "parameters": {"result_format": "message", "max_tokens": 1}},
        headers=SSE,
    )
    name = answer.headers["x-request-id"]
    word = json.loads(answer.text.split("data:")[1].split("\n")[0])["output"]["choices"][0]["message"]["content"]
    frames = "".join(
        f"id:{at}\nevent:result\n:HTTP_STATUS/200\n"
        f'data:{{"output":{{"choices":[{{"message":{{"content":"{word}","role":"assistant"}},"finish_reason":"{end}"}}]}},'
        f'"usage":{{"total_tokens":21,"input_tokens":20,"output_tokens":1}},"request_id":"{name}"}}\n\n'
        for at, end in ((1, "null"), (2, "length"))
    )
    assert answer.content == frames.encode()


def test_the_three_shapes(client):
    text = ask(client)
    assert (list(text), list(text["output"])) == (["output", "usage", "request_id"], ["finish_reason", "text"])
    assert list(text["usage"]) == ["total_tokens", "input_tokens", "output_tokens"]
    (choice,) = ask(client, result_format="message")["output"]["choices"]
    assert (list(choice), choice["message"]["content"]) == (["message", "finish_reason"], text["output"]["text"])
    items = ask(client, MULTIMODAL, "qwen3-vl-plus", ITEMS)
    assert "391" in items["output"]["choices"][0]["message"]["content"][0]["text"]
    assert items["usage"]["output_tokens_details"] == {"text_tokens": items["usage"]["output_tokens"]}


def test_parameters_may_be_missing(client):
    assert client.post(TEXT, json={"model": "qwen-plus", "input": ASK}).status_code == 200


def test_cumulative_is_the_habit_of_older_models(client):
    older = [frame["output"]["text"] for frame in stream(client)]
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(older))
    newer = [frame["output"]["choices"][0]["message"]["content"] for frame in stream(client, model="qwen3-max")]
    assert "".join(newer) == ask(client, model="qwen3-max")["output"]["choices"][0]["message"]["content"]
    assert newer[-1] == ""


def test_usage_grows_frame_by_frame_to_the_whole(client):
    frames = stream(client, result_format="message", incremental_output=True)
    spent = [frame["usage"]["output_tokens"] for frame in frames]
    assert spent == [*range(1, len(frames)), len(frames) - 1]
    assert frames[-1]["usage"] == ask(client, result_format="message")["usage"]


def test_multimodal_frames_hold_items_and_end_empty(client):
    frames = stream(client, MULTIMODAL, "qwen3-vl-plus", incremental_output=True)
    contents = [frame["output"]["choices"][0]["message"]["content"] for frame in frames]
    assert contents[-1] == []
    assert all(list(part) == ["text"] for content in contents for part in content)


def test_arguments_with_lists_come_in_one_piece_unless_wanted_otherwise(client):
    given = {"messages": [{"role": "user", "content": 'Pack the things ["apple", "pear"] into a box.'}]}

    def calls(**more: Any) -> list[Any]:
        parameters = {"tools": [TOOL], "incremental_output": True, **more}
        answer = client.post(TEXT, json={"model": "qwen-plus", "input": given, "parameters": parameters}, headers=SSE)
        data = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]
        messages = [each["output"]["choices"][0]["message"] for each in data]
        return [call for message in messages for call in message.get("tool_calls", [])]

    (whole,) = calls()
    bits = calls(tool_stream=True)
    assert len(bits) > 1
    assert whole["function"]["arguments"] == "".join(bit["function"]["arguments"] for bit in bits)
    assert list(bits[0]) == ["index", "id", "type", "function"]
    assert [(bit["id"], "name" in bit["function"]) for bit in bits[1:]] == [("", False)] * (len(bits) - 1)


def test_code_that_was_run_is_shown(client):
    parameters = {"enable_code_interpreter": True, "enable_thinking": True, "result_format": "message"}
    ran = ask(client, **parameters)["output"]["tool_info"]
    assert ran == [{"type": "code_interpreter", "code_interpreter": {"code": "print(17 * 23)"}}]


def test_search_tells_its_sources_only_when_asked(client):
    given = {"prompt": "Why are there tides?"}
    found = ask(client, given=given, enable_search=True)
    assert "search_info" not in found["output"]
    assert found["usage"]["plugins"]["search"] == {"count": 1, "strategy": "turbo"}
    told = ask(client, given=given, enable_search=True, search_options={"enable_source": True})
    assert told["output"]["search_info"]["search_results"][0]["title"] == "Why there are tides"


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (TEXT, {"model": "qwen-plus"}, 'Either "prompt" or "messages" must exist and cannot both be none'),
        (TEXT, {"model": "qwen-plus", **ASK}, 'Either "prompt" or "messages" must exist and cannot both be none'),
        (TEXT, {"input": ASK}, 'Required parameter "model" missing from request.'),
        (TEXT, {"model": "qwen-plus", "input": []}, 'Either "prompt" or "messages" must exist and cannot both be none'),
        (TEXT, {"model": "qwen-plus", "input": "Hello"}, "Input should be a valid dictionary: input"),
        (TEXT, {"model": "qwen-plus", "input": {"messages": "Hello"}}, "Input should be a valid list: input.messages"),
        (TEXT, {"model": "qwen-plus", "input": ASK, "parameters": {"incremental_output": 1}}, None),
        (TEXT, {"model": "qwen-plus", "input": {"prompt": "x", "history": ["y"]}}, None),
        (MULTIMODAL, {"model": "qwen3-vl-plus", "input": {"messages": [{"role": "user", "content": [{}]}]}}, None),
        (
            TEXT,
            {"model": "qwen-plus", "input": {"messages": [{"role": "user", "content": [{"image": "data:,"}]}]}},
            None,
        ),
        (TEXT, {"model": "qwen-plus", "input": ITEMS, "parameters": {"result_format": "text", "n": 2}}, None),
        (TEXT, {"model": ["qwen-plus"], "input": ASK}, None),
    ],
)
def test_bodies_it_refuses(client, path, body, message):
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter"), answer.text
    assert message in (None, answer.json()["message"])


def test_a_file_name_is_no_url(client):
    given = {"messages": [{"role": "user", "content": [{"image": "dog.png"}, {"text": "?"}]}]}
    answer = client.post(MULTIMODAL, json={"model": "qwen3-vl-plus", "input": given})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("The provided URL does not appear to be valid.")


def test_an_error_frame(client, box):
    box.fault("error:1")
    answer = client.post(TEXT, json={"model": "qwen-plus", "input": ASK}, headers=SSE)
    frame = answer.text.split("\n\n")[1]
    told = {
        "code": "InternalError",
        "message": "An internal error has occured, please try again later or contact service support.",
        "request_id": answer.headers["x-request-id"],
    }
    data = json.dumps(told, separators=(",", ":"))
    assert frame == f"id:2\nevent:error\n:HTTP_STATUS/500\nstatus:500\ndata:{data}"


def submitted(client: httpx.Client, url: str = "data:,Hello") -> str:
    body = {"model": "text-embedding-async-v1", "input": {"url": url}, "parameters": {}}
    answer = client.post(EMBEDDING, json=body, headers=ASYNC)
    assert list(answer.json()["output"]) == ["task_status", "task_id"]
    return answer.json()["output"]["task_id"]


def fetched(client: httpx.Client, name: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/tasks/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json;charset=UTF-8")
    return answer.json()["output"]


def test_times_are_chinas(client, clock):
    name = submitted(client)
    clock.now += 0.027
    assert fetched(client, name) == {
        "task_id": name,
        "task_status": "RUNNING",
        "submit_time": "2026-02-03 10:11:12.013",
        "scheduled_time": "2026-02-03 10:11:12.040",
        "task_metrics": {"TOTAL": 1, "SUCCEEDED": 0, "FAILED": 0},
    }


def test_a_task_may_be_asked_for_by_post_too(client):
    name = submitted(client)
    assert client.post(f"/api/v1/tasks/{name}").json()["output"]["task_status"] == "RUNNING"


def test_a_task_nobody_asked_for_in_time_is_given_up(client, clock):
    name = submitted(client)
    clock.now += 3 * 3600 + 1
    late = fetched(client, name)
    assert (late["task_status"], late["code"]) == ("FAILED", "InternalError.Timeout")
    clock.now += 24 * 3600 + 1
    assert fetched(client, name) == {"task_id": name, "task_status": "UNKNOWN"}


def test_results_are_gone_after_a_day(client, box, clock):
    name = submitted(client)
    fetched(client, name)
    url = fetched(client, name)["url"]
    assert httpx.get(url, trust_env=False).status_code == 200
    clock.now += 24 * 3600
    late = httpx.get(url, trust_env=False)
    assert (late.status_code, "AccessDenied" in late.text) == (403, True)


def test_the_file_may_come_from_this_machine_only(client, box):
    def ended(url: str) -> dict[str, Any]:
        name = submitted(client, url)
        fetched(client, name)
        return fetched(client, name)

    assert (
        ended("data:text/plain;base64," + base64.b64encode("港口\nbread".encode()).decode())["task_status"]
        == "SUCCEEDED"
    )
    local = ended(ended("data:,Hello")["url"])  # a gzipped result is no text
    assert (local["task_status"], local["code"]) == ("FAILED", "BadRequest.InputDownloadFailed")
    for url in ("http://192.0.2.1/a.txt", "https://127.0.0.1/a.txt", "file:///etc/hostname", "http://[", "x"):
        assert ended(url)["code"] == "BadRequest.InputDownloadFailed"
    assert ended("data:,")["code"] == "InvalidParameter"


class Elsewhere(BaseHTTPRequestHandler):
    """Sends whoever asks to another place."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/again")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_a_redirect_is_not_followed(client):
    with ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        name = submitted(client, f"http://127.0.0.1:{server.server_port}/a.txt")
        fetched(client, name)
        failed = fetched(client, name)
        server.shutdown()
    assert (failed["code"], Elsewhere.asked) == ("BadRequest.InputDownloadFailed", ["/a.txt"])


@pytest.mark.parametrize(
    "query",
    [
        {"page_no": "0"},
        {"page_size": "x"},
        {"start_time": "yesterday"},
        {"start_time": "20260101000000", "end_time": "20260103000000"},
    ],
)
def test_lists_it_refuses(client, query):
    assert client.get("/api/v1/tasks", params=query).status_code == 400


def test_the_list_is_of_the_last_day_unless_told(client, clock):
    name = submitted(client)
    row = client.get("/api/v1/tasks/", params={"task_id": name}).json()["data"][0]
    assert (row["status"], row["region"], row["gmt_create"]) == ("PENDING", "cn-beijing", int(clock.now * 1000))
    clock.now += 2 * 24 * 3600
    assert client.get("/api/v1/tasks", params={"task_id": name}).json()["total"] == 0
    day = {"start_time": "20260203000000", "end_time": "20260203235959", "task_id": name}
    assert client.get("/api/v1/tasks", params=day).json()["total"] == 1


def test_tasks_and_their_ids_repeat():
    def names() -> list[str]:
        with Sandbox(key="sk-x", seed=3) as running, httpx.Client(base_url=running.url, trust_env=False) as one:
            one.headers["Authorization"] = "Bearer sk-x"
            return [submitted(one), submitted(one)]

    assert names() == names()


def test_tasks_outlive_the_sandbox(tmp_path):
    with (
        Sandbox(key="sk-x", data=tmp_path / "kept.db") as first,
        httpx.Client(base_url=first.url, trust_env=False) as one,
    ):
        one.headers["Authorization"] = "Bearer sk-x"
        name = submitted(one)
    with Sandbox(key="sk-x", data=tmp_path / "kept.db") as second:
        told = httpx.get(
            f"{second.url}/api/v1/tasks/{name}", headers={"Authorization": "Bearer sk-x"}, trust_env=False
        ).json()
    assert told["output"]["task_status"] == "RUNNING"
