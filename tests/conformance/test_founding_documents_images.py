"""The founding documents' way to a picture: their curl, their polling, their way to find the address."""

from __future__ import annotations

import httpx

PATH = "/api/v1/services/aigc/image-generation/generation"


def asked(text="一只可爱的猫咪", **parameters):
    messages = [{"role": "user", "content": [{"text": text}]}]
    return {"model": "wan2.6-t2i", "input": {"messages": messages}, "parameters": parameters}


def polled(box, task_id, times=5):
    for _ in range(times):
        path = f"{box.url}/api/v1/tasks/{task_id}"
        output = httpx.get(path, headers={"Authorization": f"Bearer {box.key}"}).json()["output"]
        if output["task_status"] in ("SUCCEEDED", "FAILED"):
            return output
    raise AssertionError("the polls ran out")


def test_the_printed_curl_gives_a_task(post):
    answer = post(PATH, asked(), **{"X-DashScope-Async": "enable"})  # `parameters` is empty, as printed
    assert answer.status_code == 200
    assert answer.json()["output"]["task_id"]


def test_the_address_is_where_they_say(post, box):
    task_id = post(PATH, asked(n=1, size="768*768"), **{"X-DashScope-Async": "enable"}).json()["output"]["task_id"]
    output = polled(box, task_id)
    assert output["task_status"] == "SUCCEEDED"
    (url,) = [item["image"] for item in output["choices"][0]["message"]["content"] if item["type"] == "image"]
    assert httpx.get(url).content.startswith(b"\x89PNG")


def test_a_failure_is_told_in_its_message(post, box):
    submitted = post(PATH, asked("一只猫 [fail]"), **{"X-DashScope-Async": "enable"}).json()["output"]
    output = polled(box, submitted["task_id"])
    assert (output["task_status"], bool(output["message"])) == ("FAILED", True)


def test_the_header_is_a_must(post):
    answer = post(PATH, asked())
    assert (answer.status_code, answer.json()["code"]) == (403, "AccessDenied")
    assert answer.json()["message"] == "current user api does not support synchronous calls."
