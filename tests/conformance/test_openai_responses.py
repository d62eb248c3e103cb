"""The Responses and Conversations APIs as the official `openai` SDK uses them, sync and async."""

from __future__ import annotations

import json

import openai
import pytest

from qwenkit.sandbox import Sandbox

TIDE = {
    "type": "function",
    "name": "tide_height",
    "description": "Height of the tide in a town",
    "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
}
ASK = "What is the tide height in Brest?"
SPRING = "When do spring tides return?"
PLAIN = {"enable_thinking": False}
OLD = "/api/v2/apps/protocols/compatible-mode/v1"


async def create(sdk, given="Hello", thinking=False, **options):
    body = {**({} if thinking else PLAIN), **options.pop("extra_body", {})}
    asked = {"model": "qwen3.7-plus", "input": given, "extra_body": body, **options}
    return await sdk.result(sdk.client.responses.create, **asked)


async def events(sdk, given="Hello", **options):
    return await sdk.items(await create(sdk, given, stream=True, **options))


async def helper(sdk, given="Hello", **options):
    """The events and the final response of the SDK's own `stream()` helper."""
    manager = sdk.client.responses.stream(model="qwen3.7-plus", input=given, extra_body=PLAIN, **options)
    if isinstance(sdk.client, openai.OpenAI):
        with manager as stream:
            return list(stream), stream.get_final_response()
    async with manager as stream:
        return [event async for event in stream], await stream.get_final_response()


async def conversation(sdk, **options):
    return await sdk.result(sdk.client.conversations.create, **options)


def types(response):
    return [item.type for item in response.output]


# Create


async def test_a_response_has_text_and_a_bill(sdk):
    response = await create(sdk)
    assert (response.object, response.status, response.error) == ("response", "completed", None)
    assert response.id.startswith("resp_")
    assert response.output_text
    assert response.output[0].content[0].text == response.output_text
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    assert response.usage.input_tokens_details.cached_tokens == 0
    assert response.usage.x_details[0]["x_billing_type"] == "response_api"
    assert response._request_id == response.id.removeprefix("resp_")


async def test_messages_and_parts_are_read(sdk):
    parts = [{"type": "input_text", "text": "Is it "}, {"type": "input_text", "text": "2 + 2 = 4?"}]
    said = [{"role": "developer", "content": "Be brief."}, {"type": "message", "role": "user", "content": parts}]
    assert "4" in (await create(sdk, said)).output_text


async def test_thinking_by_default_and_by_extra_body(sdk):
    thought = await create(sdk, "What is 17 * 23?", thinking=True)
    assert types(thought) == ["reasoning", "message"]
    assert "391" in thought.output[0].summary[0].text
    assert thought.usage.output_tokens_details.reasoning_tokens > 0
    assert types(await create(sdk)) == ["message"]
    assert types(await create(sdk, extra_body={"enable_thinking": True})) == ["reasoning", "message"]


async def test_reasoning_effort(sdk):
    assert types(await create(sdk, thinking=True, reasoning={"effort": "none"})) == ["message"]
    assert types(await create(sdk, reasoning={"effort": "low"})) == ["reasoning", "message"]


async def test_instructions_sampling_and_limits_are_accepted(sdk):
    options = {"temperature": 0.0, "top_p": 0.5, "max_output_tokens": 400, "metadata": {"a": "b"}, "truncation": "auto"}
    response = await create(sdk, "Where is the key?", instructions="The key is under the blue stone.", **options)
    assert "blue stone" in response.output_text
    assert (response.temperature, response.top_p, response.max_output_tokens) == (0.0, 0.5, 400)
    assert (response.metadata, response.truncation) == ({"a": "b"}, "auto")


async def test_a_cut_answer_is_incomplete(sdk):
    response = await create(sdk, "Write a story about a lighthouse", max_output_tokens=16)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")


async def test_raw_answers_keep_their_headers(sdk):
    raw = await sdk.result(sdk.client.responses.with_raw_response.create, model="qwen3.7-plus", input="Hello")
    assert raw.headers["x-request-id"]
    assert raw.parse().status == "completed"


# Stream


async def test_the_iterator_gives_typed_events_that_join_to_the_answer(sdk):
    found = await events(sdk)
    assert [event.sequence_number for event in found] == list(range(len(found)))
    assert found[0].type == "response.created"
    assert found[0].response.status == "queued"
    text = "".join(event.delta for event in found if event.type == "response.output_text.delta")
    assert found[-1].type == "response.completed"
    assert found[-1].response.output_text == text == (await create(sdk)).output_text


async def test_reasoning_is_streamed_before_the_answer(sdk):
    found = await events(sdk, "What is 17 * 23?", thinking=True)
    thoughts = [event for event in found if event.type == "response.reasoning_text.delta"]
    final = found[-1].response
    assert "".join(event.delta for event in thoughts) == final.output[0].summary[0].text
    assert {event.item_id for event in thoughts} == {final.output[0].id}
    texts = [at for at, event in enumerate(found) if event.type == "response.output_text.delta"]
    assert found.index(thoughts[-1]) < texts[0]


async def test_the_helper_folds_a_plain_answer(sdk):
    found, final = await helper(sdk)
    deltas = [event for event in found if event.type == "response.output_text.delta"]
    assert deltas[-1].snapshot == final.output_text
    assert final.usage.total_tokens > 0


async def test_the_helper_folds_function_calls(sdk):
    found, final = await helper(sdk, ASK, tools=[TIDE])
    deltas = [event for event in found if event.type == "response.function_call_arguments.delta"]
    assert json.loads(deltas[-1].snapshot) == {"town": "Brest"}
    (call,) = final.output
    assert json.loads(call.arguments) == {"town": "Brest"}


async def test_the_helper_survives_built_in_tools_and_reasoning(sdk):
    tools = [{"type": "web_search"}, {"type": "code_interpreter", "container": {"type": "auto"}}]
    found, final = await helper(sdk, SPRING, tools=tools, reasoning={"effort": "low"})
    assert types(final) == ["reasoning", "web_search_call", "reasoning", "message"]
    assert "response.web_search_call.searching" in [event.type for event in found]


async def test_a_refused_stream_yields_a_failed_event(sdk):
    (only,) = await events(sdk, model="nope")
    assert only.type == "response.failed"
    assert only.response.error.message == "Unsupported model: 'nope'"


async def test_a_cut_stream_ends_with_incomplete(sdk):
    found = await events(sdk, "Write a story about a lighthouse", max_output_tokens=16)
    assert found[-1].type == "response.incomplete"
    assert found[-1].response.incomplete_details.reason == "max_output_tokens"


# Functions


async def test_a_round_trip_with_items_sent_back(sdk):
    said = [{"role": "user", "content": ASK}]
    first = await create(sdk, said, tools=[TIDE], thinking=True)
    assert types(first) == ["reasoning", "function_call"]
    call = first.output[1]
    said += first.output
    said.append({"type": "function_call_output", "call_id": call.call_id, "output": '{"metres": 4.1}'})
    second = await create(sdk, said, tools=[TIDE])
    assert types(second) == ["message"]
    assert "4.1" in second.output_text


async def test_a_round_trip_by_previous_response_id(sdk):
    first = await create(sdk, ASK, tools=[TIDE])
    output = {"type": "function_call_output", "call_id": first.output[0].call_id, "output": '{"metres": 4.1}'}
    second = await create(sdk, [output], tools=[TIDE], previous_response_id=first.id)
    assert "4.1" in second.output_text
    assert second.previous_response_id == first.id


async def test_tool_choices(sdk):
    assert types(await create(sdk, ASK, tools=[TIDE], tool_choice="none")) == ["message"]
    assert types(await create(sdk, "Hello, Oslo", tools=[TIDE], tool_choice="required")) == ["function_call"]
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}
    response = await create(sdk, ASK, tools=[TIDE, {"type": "web_search"}], tool_choice=choice)
    assert "function_call" not in types(response)


async def test_parallel_calls(sdk):
    ask = "What is the tide height in Oslo and in Lima?"
    response = await create(sdk, ask, tools=[TIDE], parallel_tool_calls=True)
    assert len({item.call_id for item in response.output}) == 2


# Built-in tools


async def test_a_web_search_has_typed_sources(sdk):
    response = await create(sdk, SPRING, tools=[{"type": "web_search"}])
    search = response.output[0]
    assert search.action.query == SPRING
    assert search.action.sources[0].url.startswith("https://")
    assert "two weeks" in response.output_text
    assert response.usage.x_tools == {"web_search": {"count": 1}}


async def test_the_code_interpreter_has_logs(sdk):
    response = await create(sdk, "What is 17 * 23?", tools=[{"type": "code_interpreter"}])
    item = response.output[0]
    assert (item.code, item.outputs[0].logs) == ("print(17 * 23)", "391\n")
    assert item.container_id


async def test_file_search_and_mcp_items_are_typed(sdk):
    response = await create(sdk, ASK, tools=[{"type": "file_search", "vector_store_ids": ["kb-files"]}])
    assert (response.output[0].type, response.output[0].queries) == ("file_search_call", [ASK])
    server = {"type": "mcp", "server_label": "tides", "server_url": "http://127.0.0.1:9/sse"}
    item = (await create(sdk, "Ask the mcp server", tools=[server])).output[0]
    assert (item.type, item.server_label) == ("mcp_call", "tides")
    assert "no MCP server" in item.output


async def test_items_that_openai_does_not_have_are_reachable_by_attribute(sdk):
    tools = [{"type": "web_search"}, {"type": "web_extractor"}, {"type": "web_search_image"}]
    response = await create(sdk, f"{SPRING} And find a picture.", tools=tools)
    found = {item.type: item for item in response.output}
    assert found["web_extractor_call"].urls[0].startswith("https://")
    assert found["web_extractor_call"].output
    assert found["web_search_image_call"].output == "[]"
    streamed = await events(sdk, f"{SPRING} And find a picture.", tools=tools)
    done = [event.item for event in streamed if event.type == "response.output_item.done"]
    assert [item.type for item in done] == types(response)


# What is kept


async def test_retrieve_and_delete(sdk):
    response = await create(sdk)
    kept = await sdk.result(sdk.client.responses.retrieve, response.id)
    assert (kept.id, kept.output_text) == (response.id, response.output_text)
    assert await sdk.result(sdk.client.responses.delete, response.id) is None
    with pytest.raises(openai.NotFoundError, match="not found"):
        await sdk.result(sdk.client.responses.retrieve, response.id)


async def test_a_streamed_response_is_kept_too(sdk):
    final = (await events(sdk))[-1].response
    assert (await sdk.result(sdk.client.responses.retrieve, final.id)).output_text == final.output_text


async def test_not_stored(sdk):
    response = await create(sdk, store=False)
    with pytest.raises(openai.NotFoundError):
        await sdk.result(sdk.client.responses.retrieve, response.id)
    with pytest.raises(openai.BadRequestError, match="Not found previous_response_id"):
        await create(sdk, previous_response_id=response.id)


async def test_a_chain(sdk):
    first = await create(sdk, "My name is Ada.")
    second = await create(sdk, "What is my name?", previous_response_id=first.id)
    assert "Ada" in second.output_text


async def test_input_items_follow_the_pages(sdk):
    response = await create(sdk, [{"role": "user", "content": str(n)} for n in range(7)])
    found = await sdk.items(sdk.client.responses.input_items.list(response.id, limit=3, order="asc"))
    assert [item.content[0].text for item in found] == [str(n) for n in range(7)]
    assert {item.type for item in found} == {"message"}


# Conversations


async def test_a_conversation_is_made_read_changed_and_deleted(sdk):
    made = await conversation(sdk, metadata={"topic": "tides"})
    assert (made.object, made.metadata) == ("conversation", {"topic": "tides"})
    calls = sdk.client.conversations
    assert (await sdk.result(calls.retrieve, made.id)).created_at == made.created_at
    assert (await sdk.result(calls.update, made.id, metadata={"a": "b"})).metadata == {"a": "b"}
    gone = await sdk.result(calls.delete, made.id)
    assert (gone.object, gone.deleted) == ("conversation.deleted", True)
    with pytest.raises(openai.NotFoundError):
        await sdk.result(calls.retrieve, made.id)


async def test_items_are_created_listed_retrieved_and_deleted(sdk):
    made = await conversation(sdk, items=[{"type": "message", "role": "user", "content": "0"}])
    calls = sdk.client.conversations.items
    more = [{"type": "message", "role": "user", "content": str(n)} for n in range(1, 6)]
    added = await sdk.result(calls.create, made.id, items=more)
    assert [item.content[0].text for item in added.data] == ["1", "2", "3", "4", "5"]
    assert added.has_more is False
    found = await sdk.items(calls.list(made.id, limit=2))
    assert [item.content[0].text for item in found] == ["5", "4", "3", "2", "1", "0"]
    one = await sdk.result(calls.retrieve, added.first_id, conversation_id=made.id)
    assert (one.status, one.content[0].text) == ("completed", "1")
    after = await sdk.result(calls.delete, one.id, conversation_id=made.id)
    assert (after.id, after.object) == (made.id, "conversation")
    with pytest.raises(openai.NotFoundError):
        await sdk.result(calls.retrieve, one.id, conversation_id=made.id)


async def test_a_response_continues_a_conversation(sdk):
    made = await conversation(sdk, items=[{"type": "message", "role": "user", "content": "My name is Ada."}])
    response = await create(sdk, "What is my name?", conversation=made.id)
    assert "Ada" in response.output_text
    assert response.conversation.id == made.id
    await events(sdk, SPRING, conversation=made.id, tools=[{"type": "web_search"}])
    found = await sdk.items(sdk.client.conversations.items.list(made.id, order="asc"))
    assert [item.type for item in found] == ["message"] * 4 + ["web_search_call", "message"]
    assert found[2].content[0].text == response.output_text


# Errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "nope"}, "Unsupported model: 'nope'"),
        ({"max_output_tokens": 1}, "must be greater than or equal to 16, got 1."),
        ({"temperature": 5}, r"Expected a value between \[0,2\), but got 5 instead."),
        ({"previous_response_id": "resp_x"}, "Not found previous_response_id: resp_x"),
        ({"previous_response_id": "resp_x", "conversation": "conv_x"}, "Mutually exclusive parameters"),
        ({"tools": [{"type": "function", "function": {"name": "x"}}]}, "<400> InternalError.Algo.InvalidParameter: "),
    ],
)
async def test_refusals_are_bad_requests_with_a_flat_body(sdk, options, words):
    with pytest.raises(openai.BadRequestError, match=words) as caught:
        await create(sdk, **options)
    error = caught.value
    assert (error.code, error.type) == ("InvalidParameter", None)
    assert set(error.body) == {"request_id", "code", "message"}


async def test_a_wrong_key_is_an_authentication_error(sdk):
    stranger = sdk.client.with_options(api_key="sk-wrong")
    with pytest.raises(openai.AuthenticationError, match="Invalid API-key provided") as caught:
        await sdk.result(stranger.responses.create, model="qwen3.7-plus", input="Hello")
    assert caught.value.code == "InvalidApiKey"


async def test_a_fault_is_retried(sdk, box: Sandbox):
    box.fault("429", times=2, path="/responses")
    assert (await create(sdk.retrying(2))).status == "completed"
    box.fault("429", path="/responses")
    with pytest.raises(openai.RateLimitError):
        await create(sdk)


# The older address


async def test_everything_is_there_under_the_older_address(sdk, box: Sandbox):
    client = sdk.client.with_options(base_url=box.url + OLD)
    created = await sdk.result(
        client.responses.create, model="qwen3.5-plus", input="Briefly introduce what you can do?"
    )
    assert types(created) == ["reasoning", "message"]
    made = await sdk.result(client.conversations.create)
    again = await sdk.result(client.responses.create, model="qwen3.5-plus", input="Hello", conversation=made.id)
    assert again.status == "completed"
    kept = await sdk.result(client.responses.retrieve, created.id)
    assert kept.output_text == created.output_text
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.result(client.responses.create, model="nope", input="Hello")
    assert caught.value.code == "InvalidParameter"
