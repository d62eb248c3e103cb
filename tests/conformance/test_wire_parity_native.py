"""Wire parity of the native API: for the same call the official `dashscope` SDK and qwenkit send the same request.

The same method, path, key and JSON, and the headers that mean something to the service.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

import qwenkit as qk
from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.journal import Seen

HI = [{"role": "user", "content": "Hi"}]
ITEMS = [{"image": "https://example.com/dog.png"}, {"text": "What is it?"}]
RAIN = {
    "type": "function",
    "function": {
        "name": "rain_now",
        "description": "Is it raining in a town?",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}
ROUND_TRIP = [
    {"role": "user", "content": "Is it raining in Oslo?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "rain_now", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": '{"rain": true}'},
]
SWITCHES = ("x-dashscope-sse", "x-dashscope-async", "x-dashscope-ossresourceresolve", "x-dashscope-workspace")
EMBEDDING = "/services/embeddings/text-embedding/text-embedding"


class Case(NamedTuple):
    """One call of `generate` as each library spells it; both ask for messages."""

    official: dict[str, Any]
    prompt: Any = "Hi"
    ours: dict[str, Any] | None = None


def same(**options: Any) -> Case:
    return Case({"messages": HI, **options}, "Hi", options)


TEXT = {
    "plain": same(),
    "another model": same(model="qwen3-max"),
    "as text": same(result_format="text"),
    "system": Case({"messages": [{"role": "system", "content": "Be terse."}, *HI]}, "Hi", {"system": "Be terse."}),
    "chinese": Case({"messages": [{"role": "user", "content": "你好 🌊"}]}, "你好 🌊"),
    "sampling": same(temperature=0.3, top_p=0.9, top_k=5, seed=7, repetition_penalty=1.1, presence_penalty=0.5),
    "length and stop": same(max_tokens=12, stop=["END"]),
    "several": same(n=2),
    "logprobs": same(logprobs=True, top_logprobs=2),
    "tools": same(tools=[RAIN], tool_choice="auto", parallel_tool_calls=True),
    "a tool's result": Case({"messages": ROUND_TRIP, "tools": [RAIN]}, ROUND_TRIP, {"tools": [RAIN]}),
    "thinking": Case({"messages": HI, "enable_thinking": True, "thinking_budget": 50}, "Hi", {"thinking": 50}),
    "search": same(enable_search=True, search_options={"enable_source": True}),
    "json": same(response_format={"type": "json_object"}),
    "what neither knows": Case({"messages": HI, "brand_new": [1]}, "Hi", {"extra": {"brand_new": [1]}}),
}
MULTIMODAL: dict[str, tuple[Any, dict[str, Any]]] = {
    "items": (ITEMS, {}),
    "a model": (ITEMS, {"model": "qwen3.5-plus"}),
    "options": (ITEMS, {"top_p": 0.5, "max_tokens": 9, "vl_high_resolution_images": True}),
    "already uploaded": ([{"image": "oss://dashscope-instant/dog.png"}, {"text": "?"}], {}),
    "frames of a video": ([{"video": ["https://example.com/1.png"] * 4, "fps": 2}, {"text": "?"}], {}),
}


@pytest.fixture(scope="module")
def recorder() -> Iterator[Sandbox]:
    """A sandbox of our own, so that the latest requests are surely ours. Whether it likes them does not matter here."""
    with Sandbox(key="sk-parity") as running:
        yield running


@pytest.fixture(scope="module")
def qwen(recorder: Sandbox) -> Iterator[qk.Client]:
    with qk.Client(api_key=recorder.key, base_url=recorder.url, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
def official(dash: Any, recorder: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(dash, "base_http_api_url", f"{recorder.url}/api/v1")
    monkeypatch.setattr(dash, "api_key", recorder.key)
    return dash


def said(seen: Seen) -> tuple[Any, ...]:
    """What a request means: where it goes, who asks, what it says."""
    kind = seen.headers.get("content-type", "").partition(";")[0]
    switches = {name: seen.headers[name] for name in SWITCHES if name in seen.headers}
    return seen.method, seen.path, seen.query, seen.auth, kind, switches, seen.json


def latest(recorder: Sandbox, before: int) -> Seen:
    assert len(recorder.requests) == before + 1, "exactly one request was sent"
    return recorder.requests[-1]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", TEXT)
def test_generation(name: str, streamed: bool, recorder: Sandbox, official: Any, qwen: qk.Client):
    case, before = TEXT[name], len(recorder.requests)
    stream = {"stream": True, "incremental_output": True} if streamed else {}
    answer = official.Generation.call(**{"model": "qwen-plus", "result_format": "message", **case.official, **stream})
    if streamed:
        list(answer)
    theirs = latest(recorder, before)
    ask(qwen.native.generate, streamed, case.prompt, **(case.ours or {}))
    assert said(latest(recorder, before + 1)) == said(theirs)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", MULTIMODAL)
def test_multimodal(name: str, streamed: bool, recorder: Sandbox, official: Any, qwen: qk.Client):
    (items, options), before = MULTIMODAL[name], len(recorder.requests)
    stream = {"stream": True, "incremental_output": True} if streamed else {}
    asked = {"model": "qwen3-vl-plus", "messages": [{"role": "user", "content": items}], **options, **stream}
    answer = official.MultiModalConversation.call(**asked)
    if streamed:
        list(answer)
    theirs = latest(recorder, before)
    ask(qwen.native.multimodal, streamed, items, **options)
    assert said(latest(recorder, before + 1)) == said(theirs)


def ask(noun: Any, streamed: bool, prompt: Any, **options: Any) -> None:
    with contextlib.suppress(qk.APIError):
        _ = noun.stream(prompt, **options).finish() if streamed else noun(prompt, **options)


def test_tasks(recorder: Sandbox, official: Any, qwen: qk.Client):
    before = len(recorder.requests)
    task = official.BatchTextEmbedding.async_call("text-embedding-async-v2", url="data:,Hi", text_type="query")
    theirs = latest(recorder, before)
    embedding = {"model": "text-embedding-async-v2", "input": {"url": "data:,Hi"}, "parameters": {"text_type": "query"}}
    qwen.tasks.submit(EMBEDDING, **embedding)
    assert said(latest(recorder, before + 1)) == said(theirs)
    for verb in ("cancel", "fetch"):
        before = len(recorder.requests)
        getattr(official.BatchTextEmbedding, verb)(task)
        theirs = latest(recorder, before)
        with contextlib.suppress(qk.InvalidRequest):  # it was cancelled already
            getattr(qwen.tasks, {"fetch": "get"}.get(verb, verb))(task.output.task_id)
        ours = recorder.requests[before + 1]
        assert (ours.method, ours.path, ours.auth, ours.body) == (theirs.method, theirs.path, theirs.auth, theirs.body)


def test_the_list_of_tasks(recorder: Sandbox, official: Any, qwen: qk.Client):
    before = len(recorder.requests)
    official.BatchTextEmbedding.list(status="FAILED", model_name="wan2.6-t2i", page_no=2, page_size=5)
    theirs = latest(recorder, before)
    qwen.tasks.list(status="failed", model="wan2.6-t2i", page=2, size=5)
    ours = latest(recorder, before + 1)
    assert (ours.path, ours.query, ours.auth) == (theirs.path, theirs.query, theirs.auth)
