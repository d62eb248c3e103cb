"""Whatever is sent to the embedding and rerank paths, the sandbox answers with a vector, a ranking or a refusal."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from bare_sandbox import bare

from qwenkit.sandbox import Sandbox

DATA = "data:image/png;base64,aGVsbG8="
GOOD: dict[str, dict[str, Any]] = {
    "/compatible-mode/v1/embeddings": {
        "model": "text-embedding-v4",
        "input": ["a", "b"],
        "dimensions": 64,
        "encoding_format": "float",
    },
    "/api/v1/services/embeddings/text-embedding/text-embedding": {
        "model": "text-embedding-v4",
        "input": {"texts": ["a", "b"]},
        "parameters": {"dimension": 64, "text_type": "query", "output_type": "dense&sparse", "instruct": "x"},
    },
    "/api/v1/services/embeddings/multimodal-embedding/multimodal-embedding": {
        "model": "qwen3-vl-embedding",
        "input": {"contents": [{"text": "a"}, {"image": DATA}, {"multi_images": [DATA]}]},
        "parameters": {"dimension": 256, "output_type": "dense", "enable_fusion": True, "instruct": "x"},
    },
    "/compatible-api/v1/reranks": {
        "model": "qwen3-rerank",
        "query": "a",
        "documents": ["a", "b"],
        "top_n": 1,
        "instruct": "x",
    },
    "/api/v1/services/rerank/text-rerank/text-rerank": {
        "model": "qwen3-vl-rerank",
        "input": {"query": {"text": "a"}, "documents": ["a", {"text": "b"}, {"image": DATA}]},
        "parameters": {"top_n": 1, "return_documents": True, "instruct": "x"},
    },
}
JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    7,
    1e308,
    10**30,
    "",
    "x",
    "\ud800",
    [],
    [[]],
    [None],
    {},
    {"": None},
    {"text": {}},
]


def places(value: Any) -> Iterator[list[Any]]:
    """The way to every value in a body."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield [key]
        for rest in places(inner):
            yield [key, *rest]


def replaced(body: dict[str, Any], way: list[Any], junk: Any) -> dict[str, Any]:
    made = copy.deepcopy(body)
    inner: Any = made
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = junk
    return made


@pytest.mark.parametrize("path", GOOD)
def test_junk_anywhere_in_a_body_is_answered_and_never_breaks_the_sandbox(box: Sandbox, path: str):
    with bare(box) as client:
        for way in places(GOOD[path]):
            for junk in JUNK:
                sent = json.dumps(replaced(GOOD[path], way, junk)).encode("utf-8", "surrogatepass")
                answer = client.post(path, content=sent, headers={"Content-Type": "application/json"})
                assert answer.status_code in (200, 400, 404), (way, junk, answer.text)
                told = answer.json()
                assert answer.status_code == 200 or told.get("message") or told["error"]["message"], (way, junk)


def test_a_good_body_is_a_good_body(box: Sandbox):
    with bare(box) as client:
        statuses = [client.post(path, json=body).status_code for path, body in GOOD.items()]
    assert statuses == [200, 200, 400, 200, 400]  # two hold a picture that is none


def test_the_same_requests_get_the_same_bytes_from_a_fresh_sandbox():
    answers = []
    for _ in range(2):
        with Sandbox(key="sk-same") as box, httpx.Client(base_url=box.url) as client:
            sent = [
                client.post(path, json=body, headers={"Authorization": "Bearer sk-same"}) for path, body in GOOD.items()
            ]
            answers.append([answer.content for answer in sent])
    assert answers[0] == answers[1]


@pytest.mark.parametrize("path", [path for path in GOOD if path.startswith("/api/") or "reranks" in path])
def test_refusals_of_these_paths_are_flat(box: Sandbox, path: str):
    answer = httpx.post(
        box.url + path, json={**GOOD[path], "model": "none"}, headers={"Authorization": f"Bearer {box.key}"}
    )
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "message", "request_id"}
