"""The bytes of an answer, plain and streamed, as the service was recorded to send them."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import httpx
import pytest
from bare_sandbox import bare

from qwenkit import catalogue
from qwenkit.sandbox import Sandbox

CHAT = "/compatible-mode/v1/chat/completions"
ASK = [{"role": "user", "content": "Hello"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "rain_now",
        "description": "Whether it is raining in a town",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}
ORDER = ["choices", "object", "usage", "created", "system_fingerprint", "model", "id"]


@pytest.fixture(scope="module")
def box():
    with Sandbox() as running:
        yield running


@pytest.fixture
def client(box):
    with bare(box) as open_client:
        yield open_client


def chat(client: httpx.Client, **body: Any) -> httpx.Response:
    answer = client.post(CHAT, json={"model": "qwen-plus", "messages": ASK, **body})
    assert answer.status_code == 200, answer.text
    return answer


def chunks(client: httpx.Client, **body: Any) -> list[dict[str, Any]]:
    """The events of a stream, checked for what every stream has in common."""
    answer = chat(client, stream=True, **body)
    assert answer.headers["content-type"] == "text/event-stream;charset=UTF-8"
    events = answer.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    found = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert all(event.startswith("data: {") and "\n" not in event for event in events[:-2])
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in found}) == 1
    assert all(list(chunk) == ORDER for chunk in found)
    return found


def deltas(found: list[dict[str, Any]], index: int = 0) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in found for choice in chunk["choices"] if choice["index"] == index]


def test_a_plain_answer(client):
    answer = chat(client)
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert body["id"] == f"chatcmpl-{answer.headers['x-request-id']}"
    assert (body["object"], body["model"], body["system_fingerprint"]) == ("chat.completion", "qwen-plus", None)
    (choice,) = body["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    assert list(choice["message"]) == ["role", "content"]
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0}
    assert "completion_tokens_details" not in usage


def test_a_stream_tells_the_same_as_the_plain_answer(client):
    plain = chat(client).json()
    found = chunks(client, stream_options={"include_usage": True})
    first, *middle, last, bill = found
    assert first["choices"][0]["delta"] == {"content": "", "role": "assistant"}
    assert all(list(chunk["choices"][0]["delta"]) == ["content"] for chunk in middle)
    assert last["choices"][0]["delta"] == {"content": ""}
    assert last["choices"][0]["finish_reason"] == "stop"
    assert "".join(delta["content"] for delta in deltas(found)) == plain["choices"][0]["message"]["content"]
    assert (bill["choices"], bill["usage"]) == ([], plain["usage"])
    assert all(chunk["usage"] is None for chunk in found[:-1])


def test_without_include_usage_no_chunk_has_it(client):
    for options in ({}, {"stream_options": {"include_usage": False}}):
        found = chunks(client, **options)
        assert all(chunk["usage"] is None and chunk["choices"] for chunk in found)


def test_thinking_comes_first_and_never_shares_a_chunk_with_the_answer(client):
    found = chunks(client, enable_thinking=True, stream_options={"include_usage": True})
    first, *middle, last = deltas(found)
    assert first == {"content": None, "role": "assistant", "reasoning_content": ""}
    assert last == {"content": "", "reasoning_content": None}
    thoughts = [delta for delta in middle if delta["content"] is None]
    words = [delta for delta in middle if delta["content"] is not None]
    assert thoughts
    assert words
    assert middle == thoughts + words
    assert all(delta["reasoning_content"] is None for delta in words)
    details = found[-1]["usage"]["completion_tokens_details"]
    assert details == {"reasoning_tokens": len(thoughts)}
    plain = chat(client, enable_thinking=True).json()
    message = plain["choices"][0]["message"]
    assert message["reasoning_content"] == "".join(delta["reasoning_content"] for delta in thoughts)
    assert plain["usage"] == found[-1]["usage"]


def test_a_tool_call_comes_in_fragments_whose_id_is_empty_after_the_first(client):
    ask = [{"role": "user", "content": "Is it raining in Oslo?"}]
    found = chunks(client, messages=ask, tools=[TOOL])
    first, *rest, last = deltas(found)
    (opening,) = first["tool_calls"]
    assert (first["role"], first["content"]) == ("assistant", None)
    assert opening["id"].startswith("call_")
    assert len(opening["id"]) == 27
    assert opening["function"] == {"name": "rain_now", "arguments": ""}
    assert all(delta["tool_calls"][0]["id"] == "" for delta in rest)
    assert all(list(delta["tool_calls"][0]["function"]) == ["arguments"] for delta in rest)
    assert len(rest) > 1
    assert last == {"content": ""}
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"
    plain = chat(client, messages=ask, tools=[TOOL]).json()["choices"][0]
    (call,) = plain["message"]["tool_calls"]
    assert plain["message"]["content"] == ""
    assert plain["finish_reason"] == "tool_calls"
    assert (call["index"], call["type"], call["function"]["name"]) == (0, "function", "rain_now")
    joined = "".join(delta["tool_calls"][0]["function"]["arguments"] for delta in rest)
    assert joined == call["function"]["arguments"]
    assert json.loads(joined) == {"town": "Oslo"}


def test_several_choices_take_turns(client):
    found = chunks(client, n=3, temperature=1.2, messages=[{"role": "user", "content": "Tell a story about a cat"}])
    assert [chunk["choices"][0]["index"] for chunk in found[:6]] == [0, 1, 2, 0, 1, 2]
    assert all(deltas(found, index)[0]["role"] == "assistant" for index in range(3))
    finished = [choice for chunk in found for choice in chunk["choices"] if choice["finish_reason"]]
    assert sorted(choice["index"] for choice in finished) == [0, 1, 2]


def test_logprobs_ride_on_the_chunks(client):
    found = chunks(client, logprobs=True, top_logprobs=2)
    plain = chat(client, logprobs=True, top_logprobs=2).json()["choices"][0]["logprobs"]["content"]
    streamed = [choice["logprobs"]["content"] for chunk in found for choice in chunk["choices"] if choice["logprobs"]]
    assert [entry for (entry,) in streamed] == plain
    assert all(list(entry) == ["token", "bytes", "logprob", "top_logprobs"] for entry in plain)
    assert all(bytes(entry["bytes"]).decode() == entry["token"] for entry in plain)
    assert all(len(entry["top_logprobs"]) <= 2 for entry in plain)


def test_a_model_without_logprobs_leaves_them_null(client):
    assert chat(client, model="qwen3-max", logprobs=True).json()["choices"][0]["logprobs"] is None


def test_the_wire_is_utf8_and_not_escaped(client):
    ask = [{"role": "user", "content": "Repeat exactly: 世界 😀"}]
    assert "\\u" not in chat(client, messages=ask).text
    assert "\\u" not in chat(client, messages=ask, stream=True).text


def test_the_answer_is_cut_where_max_completion_tokens_ends(client):
    body = chat(client, enable_thinking=True, max_completion_tokens=4).json()
    assert body["usage"]["completion_tokens"] == 4
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 4
    assert (body["choices"][0]["message"]["content"], body["choices"][0]["finish_reason"]) == ("", "length")


LONG = "The ferry leaves the island at nine and comes back before noon. " * 40


def cached(client: httpx.Client, messages: list[dict[str, Any]], **body: Any) -> dict[str, Any]:
    details: dict[str, Any] = chat(client, messages=messages, **body).json()["usage"]["prompt_tokens_details"]
    return details


def test_a_repeated_beginning_of_a_prompt_is_a_cache_hit():
    with Sandbox() as box, bare(box) as client:
        first = [{"role": "system", "content": LONG}, {"role": "user", "content": "When does it leave?"}]
        second = [{"role": "system", "content": LONG}, {"role": "user", "content": "And when is it back?"}]
        assert cached(client, first) == {"cached_tokens": 0}
        hits = cached(client, second)["cached_tokens"]
        assert hits >= 256
        assert hits % 64 == 0
        assert cached(client, second, model="qwen-flash") == {"cached_tokens": 0}
        assert cached(client, [{"role": "user", "content": "x " + LONG}]) == {"cached_tokens": 0}
        assert cached(client, ASK) == cached(client, ASK) == {"cached_tokens": 0}


def test_a_marked_part_is_written_to_the_cache_and_read_for_five_minutes():
    now = [1_790_000_000.0]
    marked = {"type": "text", "text": LONG * 3, "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [marked]}, *ASK]
    with (
        Sandbox(clock=lambda: now[0]) as box,
        bare(box) as client,
    ):
        written = cached(client, messages)
        size = written["cache_creation_input_tokens"]
        assert size >= 1024
        assert written == {
            "cached_tokens": 0,
            "cache_creation_input_tokens": size,
            "cache_creation": {"ephemeral_5m_input_tokens": size},
            "cache_type": "ephemeral",
        }
        now[0] += 299
        assert cached(client, messages)["cached_tokens"] == size
        now[0] += 299
        assert cached(client, messages)["cached_tokens"] == size, "a hit renews it"
        now[0] += 301
        assert cached(client, messages)["cached_tokens"] == 0


def test_a_pace_spreads_the_stream_and_each_event_leaves_at_once():
    with (
        Sandbox(pace=100) as box,
        bare(box) as client,
    ):
        body = {"model": "qwen-plus", "messages": ASK, "stream": True}
        with client.stream("POST", CHAT, json=body) as response:
            arrivals = [time.monotonic() for line in response.iter_lines() if line]
    assert len({round(moment, 3) for moment in arrivals}) > len(arrivals) / 2


def test_a_client_that_leaves_ends_its_stream(monkeypatch):
    ended = threading.Event()
    from qwenkit.sandbox import chat as route

    original = route.paced

    async def watched(events: Any, pace: float | None) -> Any:
        try:
            async for event in original(events, pace):
                yield event
        finally:
            ended.set()

    monkeypatch.setattr(route, "paced", watched)
    with (
        Sandbox(pace=1) as box,
        bare(box) as client,
    ):
        with client.stream("POST", CHAT, json={"model": "qwen-plus", "messages": ASK, "stream": True}) as response:
            next(response.iter_lines())
        assert ended.wait(5)


def test_the_list_of_models_for_openai_clients(client):
    listed = client.get("/compatible-mode/v1/models").json()
    assert listed["object"] == "list"
    names = [entry["id"] for entry in listed["data"]]
    assert len(names) == len(set(names)) > 50
    assert {"qwen-plus", "qwen3-max", "text-embedding-v4"} <= set(names)
    assert all(list(entry) == ["id", "object", "created", "owned_by"] for entry in listed["data"])
    one = client.get("/compatible-mode/v1/models/qwen-plus-2025-12-01").json()
    assert (one["id"], one["object"]) == ("qwen-plus-2025-12-01", "model")
    missing = client.get("/compatible-mode/v1/models/gpt-9")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


def test_the_native_list_has_pages_filters_and_prices(client):
    body = client.get("/api/v1/models", params={"page_no": 2, "page_size": 5}).json()
    assert (body["code"], body["message"], body["success"]) == (None, None, True)
    output = body["output"]
    assert (output["page_no"], output["page_size"], len(output["models"])) == (2, 5, 5)
    found = client.get("/api/v1/models", params={"model": "qwen-plus", "capabilities": "TG"}).json()["output"]["models"]
    plus = next(model for model in found if model["model"] == "qwen-plus")
    assert plus["model_info"]["context_window"] == 1_000_000
    assert plus["prices"][0]["range_name"] == f"<={catalogue.price_table('qwen-plus').tiers[0].upto}"
    assert plus["prices"][0]["prices"][0]["price_unit"] == "CNY/1M tokens"
    assert client.get("/api/v1/models", params={"page_size": "many"}).json()["code"] == "InvalidParameter"
    assert client.get("/api/v1/models", params={"model": "nothing-like-it"}).json()["output"]["total"] == 0
