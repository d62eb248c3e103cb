"""Streams, as the official SDK reads them: their order, their parts, and its own accumulating helper."""

from __future__ import annotations

import asyncio

import openai
import pytest

STORY = "Write a three-sentence story about a cat and a sunbeam."


def text(chunks, index=0):
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices if choice.index == index)


async def test_the_chunks_join_to_the_plain_answer(sdk):
    plain = await sdk.create(STORY, seed=5)
    chunks = await sdk.stream(STORY, seed=5)
    assert text(chunks) == plain.choices[0].message.content
    assert len(chunks) > 20


async def test_the_order_is_role_then_words_then_the_reason(sdk):
    chunks = await sdk.stream(STORY)
    first, *middle, last = [chunk.choices[0] for chunk in chunks]
    assert (first.delta.role, first.delta.content) == ("assistant", "")
    assert all(choice.delta.role is None and choice.finish_reason is None for choice in middle)
    assert (last.delta.content, last.finish_reason) == ("", "stop")
    assert len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


async def test_the_usage_chunk_comes_last_and_only_when_asked_for(sdk):
    plain = await sdk.create(STORY, seed=5)
    *rest, last = await sdk.stream(STORY, seed=5, stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage == plain.usage
    assert all(chunk.usage is None and chunk.choices for chunk in rest)


async def test_several_choices_can_be_told_apart(sdk):
    chunks = await sdk.stream(STORY, n=2, temperature=1.5, seed=11)
    plain = await sdk.create(STORY, n=2, temperature=1.5, seed=11)
    assert [text(chunks, index) for index in (0, 1)] == [choice.message.content for choice in plain.choices]


async def test_thinking_streams_before_the_answer(sdk):
    chunks = await sdk.stream("What is 17 * 23?", extra_body={"enable_thinking": True})
    deltas = [chunk.choices[0].delta for chunk in chunks]
    thoughts = [position for position, delta in enumerate(deltas) if getattr(delta, "reasoning_content", None)]
    words = [position for position, delta in enumerate(deltas) if delta.content]
    assert thoughts
    assert words
    assert max(thoughts) < min(words)
    assert "391" in text(chunks)


async def test_a_model_that_always_thinks_answers_streams_only(sdk):
    chunks = await sdk.stream("What is 17 * 23?", model="qwq-plus")
    assert any(getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in chunks)
    with pytest.raises(openai.BadRequestError, match="only support stream mode"):
        await sdk.create("What is 17 * 23?", model="qwq-plus")


async def test_logprobs_come_with_their_chunks(sdk):
    chunks = await sdk.stream(STORY, logprobs=True, top_logprobs=2)
    entries = [entry for chunk in chunks if chunk.choices[0].logprobs for entry in chunk.choices[0].logprobs.content]
    assert "".join(entry.token for entry in entries) == text(chunks)


async def test_length_is_the_reason_when_max_tokens_ends_a_stream(sdk):
    chunks = await sdk.stream(STORY, max_tokens=4)
    assert chunks[-1].choices[0].finish_reason == "length"


async def test_chinese_and_emoji_are_never_split(sdk):
    chunks = await sdk.stream("请介绍一下你自己 😀")
    assert "\ufffd" not in text(chunks)
    assert any("\u4e00" <= sign <= "\u9fff" for sign in text(chunks))


async def test_the_helper_accumulates_the_same_completion(sdk):
    plain = await sdk.create(STORY, seed=5)
    events, final = await sdk.helper(STORY, seed=5)
    assert final.choices[0].message.content == plain.choices[0].message.content
    assert events[-1].type == "content.done"
    snapshots = [event.snapshot for event in events if event.type == "content.delta"]
    assert snapshots[-1] == final.choices[0].message.content


async def test_a_stream_may_be_left_early_and_the_client_goes_on(sdk):
    stream = await sdk.create(STORY, stream=True)
    if isinstance(sdk.client, openai.OpenAI):
        next(iter(stream))
        stream.close()
    else:
        await anext(aiter(stream))
        await stream.close()
    assert (await sdk.create("Hello")).choices


async def test_streams_do_not_mix(sdk):
    questions = [f"What is {number} + 1000?" for number in range(10)]
    answers = await asyncio.gather(*(sdk.stream(question) for question in questions))
    assert all(str(1000 + number) in text(chunks) for number, chunks in enumerate(answers))
