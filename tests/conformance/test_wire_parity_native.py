"""Wire parity of the native API: for the same call the official `dashscope` SDK and qwenkit send the same request.

The same method, path, key and JSON, and the headers that mean something to the service.
"""

from __future__ import annotations

from typing import Any

import pytest
from parity import HI, RAIN, Case, sent

import qwenkit as qk
from qwenkit.sandbox import Sandbox

ITEMS = [{"image": "https://example.com/dog.png"}, {"text": "What is it?"}]
ROUND_TRIP = [
    {"role": "user", "content": "Is it raining in Oslo?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "rain_now", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": '{"rain": true}'},
]
EMBEDDING = "/services/embeddings/text-embedding/text-embedding"


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


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", TEXT)
def test_generation(name: str, streamed: bool, recorder: Sandbox, native: Any, qwen: qk.Client):
    case = TEXT[name]
    stream = {"stream": True, "incremental_output": True} if streamed else {}
    asked = {"model": "qwen-plus", "result_format": "message", **case.official, **stream}
    call = qwen.native.generate.stream if streamed else qwen.native.generate
    ours = sent(recorder, call, case.prompt, **case.ours)
    assert ours == sent(recorder, native.Generation.call, **asked)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", MULTIMODAL)
def test_multimodal(name: str, streamed: bool, recorder: Sandbox, native: Any, qwen: qk.Client):
    items, options = MULTIMODAL[name]
    stream = {"stream": True, "incremental_output": True} if streamed else {}
    asked = {"model": "qwen3-vl-plus", "messages": [{"role": "user", "content": items}], **options, **stream}
    call = qwen.native.multimodal.stream if streamed else qwen.native.multimodal
    assert sent(recorder, call, items, **options) == sent(recorder, native.MultiModalConversation.call, **asked)


def test_tasks(recorder: Sandbox, native: Any, qwen: qk.Client):
    model, batch = "text-embedding-async-v2", native.BatchTextEmbedding
    theirs = sent(recorder, batch.async_call, model, url="data:,Hi", text_type="query")
    embedding = {"model": model, "input": {"url": "data:,Hi"}, "parameters": {"text_type": "query"}}
    assert sent(recorder, qwen.tasks.submit, EMBEDDING, **embedding) == theirs
    task = batch.async_call(model, url="data:,Hi")
    for theirs_call, ours_call in ((batch.cancel, qwen.tasks.cancel), (batch.fetch, qwen.tasks.get)):
        theirs = sent(recorder, theirs_call, task)  # the second cancel is refused, and so does not look again
        assert sent(recorder, ours_call, task.output.task_id)[:4] == theirs[:4]


def test_the_list_of_tasks(recorder: Sandbox, native: Any, qwen: qk.Client):
    asked = {"status": "FAILED", "model_name": "wan2.6-t2i", "page_no": 2, "page_size": 5}
    ours = sent(recorder, qwen.tasks.list, status="failed", model="wan2.6-t2i", page=2, size=5)
    assert ours[:4] == sent(recorder, native.BatchTextEmbedding.list, **asked)[:4]
