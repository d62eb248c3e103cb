"""Streams against the sandbox: pieces, the reply so far, early ends, and what a stream refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flavours import close, done, opened, pieces
from remains import settled
from test_client_chat import RAIN, asked

import qwenkit as qk
from qwenkit.sandbox import Sandbox

STORY = {"prompt": "Tell me a story about a cat.", "seed": 11, "temperature": 1.0}


def told(qwen: Any, **options: Any) -> Any:
    facts = {**STORY, **options}
    return qwen.chat.stream(facts.pop("prompt"), **facts)


async def test_pieces_add_up_to_the_reply(qwen: Any, box: Sandbox):
    stream = told(qwen)
    got = [piece async for piece in pieces(stream)]
    reply = stream.reply
    assert len(got) > 5
    assert "".join(piece.text for piece in got) == reply.text
    assert [piece.finish_reason for piece in got if piece.finish_reason] == ["stop"]
    assert got[-1].usage == reply.usage
    assert reply.receipt.streamed
    assert reply.receipt.first_token <= reply.receipt.latency
    assert stream.request_id == reply.request_id == box.requests[-1].request_id
    assert asked(box)["stream"] is True
    assert asked(box)["stream_options"] == {"include_usage": True}


async def test_a_stream_says_what_the_whole_answer_would(qwen: Any):
    whole = await done(qwen.chat(STORY["prompt"], seed=11, temperature=1.0, n=2, logprobs=True, top_logprobs=1))
    streamed = await done(told(qwen, n=2, logprobs=True, top_logprobs=1).finish())
    assert streamed.choices == whole.choices
    assert (streamed.usage.prompt, streamed.usage.completion) == (whole.usage.prompt, whole.usage.completion)


async def test_nothing_is_sent_before_it_is_read(qwen: Any, box: Sandbox):
    before = len(box.requests)
    stream = told(qwen)
    assert stream.reply.text == ""
    assert len(box.requests) == before
    await done(stream.finish())
    assert len(box.requests) == before + 1


async def test_the_reply_so_far_grows_with_the_pieces(qwen: Any):
    async with opened(told(qwen)) as stream:
        text = ""
        async for piece in pieces(stream):
            text += piece.text
            assert stream.reply.text == text
    assert text == stream.reply.text != ""


async def test_text_is_only_the_words(qwen: Any):
    stream = told(qwen, thinking=True)
    words = [text async for text in pieces(stream.text())]
    assert "".join(words) == stream.reply.text
    assert stream.reply.thinking


async def test_thinking_arrives_before_the_answer(qwen: Any):
    got = [piece async for piece in pieces(qwen.chat.stream("What is 17 times 23?", thinking=True))]
    kinds = ["thinking" if piece.thinking else "text" for piece in got if piece.thinking or piece.text]
    assert kinds == sorted(kinds, reverse=True)
    assert {"thinking", "text"} == set(kinds)


async def test_tool_calls_arrive_in_fragments(qwen: Any):
    stream = qwen.chat.stream("Is it raining in Oslo?", tools=[RAIN])
    fragments = [piece.tool async for piece in pieces(stream) if piece.tool]
    assert len(fragments) > 2
    call = stream.reply.tool_calls[0]
    assert "".join(fragment.arguments for fragment in fragments) == call.arguments
    assert {(fragment.id, fragment.name) for fragment in fragments} == {(call.id, "rain_now")}
    assert json.loads(call.arguments) == {"town": "Oslo"}
    assert stream.reply.finish_reason == "tool_calls"


async def test_without_usage_the_reply_has_none(qwen: Any):
    reply = await done(told(qwen, stream_options={"include_usage": False}).finish())
    assert (reply.usage, reply.cost) == (None, None)
    assert reply.text


async def test_raw_is_the_list_of_events(qwen: Any):
    reply = await done(told(qwen, max_tokens=3).finish())
    assert reply.raw[0]["object"] == "chat.completion.chunk"
    assert reply.raw[-1]["usage"]["completion_tokens"] == 3


# -- early ends ---------------------------------------------------------------------------------------------------


async def test_breaking_out_of_a_with_block_lets_go(qwen: Any, client: qk.Client, box: Sandbox):
    async with opened(told(qwen)) as stream:
        async for piece in pieces(stream):
            if piece.text:
                break
    assert stream.reply.text == piece.text
    assert stream.reply.finish_reason is None
    assert settled(int(box.url.rpartition(":")[2]))
    assert [entry.ok for entry in client.usage] == [False]
    assert (await done(qwen.chat("Hi"))).text


async def test_reading_may_go_on_after_a_break(qwen: Any):
    stream = told(qwen)
    async for first in pieces(stream):
        if first.text:
            break
    reply = await done(stream.finish())
    assert reply.text.startswith(first.text)
    assert reply.finish_reason == "stop"


async def test_closing_is_always_safe(qwen: Any, box: Sandbox):
    before = len(box.requests)
    stream = told(qwen)
    await close(stream)
    await close(stream)
    assert len(box.requests) == before
    stream = told(qwen)
    await done(stream.finish())
    await close(stream)
    assert stream.reply.text


async def test_a_stream_is_read_once(qwen: Any):
    stream = told(qwen)
    reply = await done(stream.finish())
    with pytest.raises(qk.ConfigError, match="already read") as raised:
        [piece async for piece in pieces(stream)]
    assert "stream.reply" in raised.value.hint
    assert await done(stream.finish()) is reply


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_closed_stream_is_not_read_again(qwen: Any, when: str):
    stream = told(qwen)
    if when == "during":
        async for _ in pieces(stream):
            break
    await close(stream)
    for attempt in (lambda: stream.finish(), lambda: _all(stream)):
        with pytest.raises(qk.ConfigError, match="already read"):
            await done(attempt())


async def _all(stream: Any) -> list[Any]:
    return [piece async for piece in pieces(stream)]


# -- what goes wrong ----------------------------------------------------------------------------------------------


async def test_a_refused_stream_raises_the_typed_error(qwen: Any, client: qk.Client):
    with pytest.raises(qk.InvalidRequest, match="Temperature") as raised:
        await done(told(qwen, temperature=3).finish())
    assert raised.value.tries == 1
    assert [entry.ok for entry in client.usage] == [False]


async def test_a_body_framed_as_an_event_is_typed_too(qwen: Any, box: Sandbox):
    box.fault("sse400")
    with pytest.raises(qk.ContentRejected) as raised:
        await done(told(qwen).finish())
    assert (raised.value.status, raised.value.code) == (400, "data_inspection_failed")


async def test_an_error_inside_the_stream_carries_what_had_arrived(qwen: Any, box: Sandbox):
    box.fault("error:4")
    stream = told(qwen)
    with pytest.raises(qk.ServerError) as raised:
        await done(stream.finish())
    assert raised.value.reply.text == stream.reply.text != ""
    assert raised.value.request_id == stream.request_id != ""
    assert raised.value.tries == 1


async def test_a_stream_that_is_cut_carries_what_had_arrived(qwen: Any, box: Sandbox):
    box.fault("cut:4")
    stream = told(qwen)
    with pytest.raises(qk.StreamBroken) as raised:
        await done(stream.finish())
    error = raised.value
    assert error.reply.text == stream.reply.text != ""
    assert error.request == "POST /compatible-mode/v1/chat/completions"
    assert error.request_id == stream.request_id != ""
    assert len(box.requests) > 0
    assert "error.reply" in error.hint


async def test_opening_is_tried_again_and_reading_is_not(qwen: Any, box: Sandbox):
    box.fault("429", times=2)
    before = len(box.requests)
    reply = await done(told(qwen).finish())
    assert (reply.receipt.tries, len(box.requests) - before) == (3, 3)
    box.fault("429")
    box.fault("cut:2")
    with pytest.raises(qk.StreamBroken) as raised:
        await done(told(qwen).finish())
    assert (raised.value.tries, len(box.requests) - before) == (2, 5)
