"""The native API through the client, both flavours: where calls go, what comes back, what it costs, what goes wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from flavours import done, opened, pieces

import qwenkit as qk

TEXT = "/api/v1/services/aigc/text-generation/generation"
MULTIMODAL = "/api/v1/services/aigc/multimodal-generation/generation"
ASK = "What is 17 * 23?"


def rain_now(town: str) -> bool:
    """Whether it is raining in a town.

    Args:
        town: its name
    """
    return town == "Bergen"


async def test_an_answer(qwen, box):
    reply = await done(qwen.native.generate(ASK, system="Be terse."))
    assert "391" in reply.text
    assert (reply.model, reply.finish_reason) == ("qwen-plus", "stop")
    assert reply.request_id == reply.raw["request_id"] == box.requests[-1].request_id
    assert box.requests[-1].json["input"]["messages"][0] == {"role": "system", "content": "Be terse."}
    (entry,) = qwen.usage
    assert (entry.family, entry.total, entry.ok) == ("native", reply.usage.total, True)


async def test_the_same_value_as_chat_gives(qwen):
    native, chat = await done(qwen.native.generate(ASK, seed=3)), await done(qwen.chat(ASK, seed=3))
    assert (native.text, native.usage.total) == (chat.text, chat.usage.total)
    assert isinstance(native, type(chat))


@pytest.mark.parametrize(
    ("model", "path"),
    [("qwen-plus", TEXT), ("qwen3-max", TEXT), ("qwen3.5-plus", MULTIMODAL), ("qwen3-vl-plus", MULTIMODAL)],
)
async def test_a_question_goes_where_its_model_lives(qwen, box, model, path):
    assert "391" in (await done(qwen.native.generate(ASK, model=model))).text
    assert box.requests[-1].path == path


@pytest.mark.parametrize("shape", [{}, {"result_format": "text"}, {"model": "qwen3-vl-plus"}])
@pytest.mark.parametrize("incremental", [True, False])
async def test_streams_of_every_dialect_read_alike(qwen, shape, incremental):
    if shape.get("model") and not incremental:
        shape = {**shape, "thinking": False}
    whole = await done(qwen.native.generate(ASK, seed=1, **shape))
    async with opened(qwen.native.generate.stream(ASK, seed=1, incremental_output=incremental, **shape)) as stream:
        said = [piece.text async for piece in pieces(stream)]
    assert len(said) > 4
    assert "".join(said) == stream.reply.text == whole.text
    assert (stream.reply.usage, stream.reply.finish_reason) == (whole.usage, "stop")
    assert stream.reply.receipt.first_token is not None


async def test_thinking_streams_before_the_answer(qwen):
    async with opened(qwen.native.generate.stream(ASK, thinking=True)) as stream:
        kinds = [
            "thinking" if piece.thinking else "text" async for piece in pieces(stream) if piece.thinking or piece.text
        ]
    assert kinds[0] == "thinking"
    assert kinds == sorted(kinds, reverse=True)
    assert stream.reply.thinking
    assert stream.reply.usage.reasoning > 0


@pytest.mark.parametrize("incremental", [True, False])
async def test_functions_are_tools_here_too(qwen, incremental):
    ask = "Is it raining in Bergen?"
    reply = await done(qwen.native.generate(ask, tools=[rain_now]))
    (call,) = reply.tool_calls
    assert (reply.finish_reason, call.name, json.loads(call.arguments)) == (
        "tool_calls",
        "rain_now",
        {"town": "Bergen"},
    )
    told = [ask, reply, {"role": "tool", "tool_call_id": call.id, "content": "true"}]
    assert (await done(qwen.native.generate(told, tools=[rain_now]))).text
    async with opened(qwen.native.generate.stream(ask, tools=[rain_now], incremental_output=incremental)) as stream:
        async for _ in pieces(stream):
            pass
    assert stream.reply.tool_calls[0].arguments == call.arguments


async def test_schemas_and_prefixes_come_along(qwen):
    @dataclass
    class Person:
        name: str
        age: int

    reply = await done(qwen.native.generate("Ada is 36. Give her name and age.", schema=Person, model="qwen3-max"))
    assert reply.value == Person("Ada", 36)
    going_on = await done(qwen.native.generate("Count: one, two, three.", prefix="one, "))
    assert going_on.whole.startswith("one, ")


async def test_several_answers_and_their_odds(qwen):
    reply = await done(qwen.native.generate(ASK, n=2, logprobs=True, top_logprobs=1))
    assert [choice.index for choice in reply.choices] == [0, 1]
    assert "".join(token.token for token in reply.logprobs) == reply.text


async def test_what_only_this_protocol_tells_is_in_raw(qwen):
    reply = await done(
        qwen.native.generate("Why are there tides?", enable_search=True, search_options={"enable_source": True})
    )
    assert reply.raw["output"]["search_info"]["search_results"][0]["url"].startswith("https://")
    assert reply.usage.tools == {"search": 1}


async def test_content_items(qwen, box):
    with pytest.raises(qk.InvalidRequest, match="opens no address outside this machine"):
        await done(qwen.native.multimodal([{"image": "https://example.com/dog.png"}, "What is it?"]))
    sent = box.requests[-1]
    assert (sent.path, sent.json["model"], sent.json["parameters"]) == (MULTIMODAL, "qwen3-vl-plus", {})
    (message,) = sent.json["input"]["messages"]
    assert message["content"] == [{"image": "https://example.com/dog.png"}, {"text": "What is it?"}]


async def test_multimodal_streams_and_takes_words_and_messages(qwen):
    assert "391" in (await done(qwen.native.multimodal(ASK))).text
    assert "391" in (await done(qwen.native.multimodal([qk.Message.user(ASK)]))).text
    async with opened(qwen.native.multimodal.stream([{"text": ASK}])) as stream:
        said = [piece.text async for piece in pieces(stream)]
    assert "391" in "".join(said)


async def test_a_reference_to_an_uploaded_file_switches_its_header_on(qwen, box):
    with pytest.raises(qk.InvalidRequest, match="download"):
        await done(qwen.native.multimodal([{"image": "oss://dashscope-instant/dog.png"}, {"text": "?"}]))
    assert box.requests[-1].headers["x-dashscope-ossresourceresolve"] == "enable"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_url_error_says_which_call_to_use(qwen, monkeypatch, streamed):
    """As when the catalogue is behind: it still places a model on the path that it left."""
    monkeypatch.setattr("qwenkit.protocol.native.path", lambda model: "/services/aigc/text-generation/generation")
    with pytest.raises(qk.InvalidRequest) as caught:
        await done(
            qwen.native.generate.stream(ASK, model="qwen3-vl-plus").finish()
            if streamed
            else qwen.native.generate(ASK, model="qwen3-vl-plus")
        )
    assert "url error" in caught.value.message
    assert "qwen.native.multimodal(" in caught.value.hint


async def test_a_text_model_is_not_sent_to_the_multimodal_path(qwen, box):
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match=r"native\.generate"):
        await done(qwen.native.multimodal([{"text": "Hi"}], model="qwen-plus"))
    assert len(box.requests) == before


async def test_a_misspelt_model_gets_near_names(qwen):
    with pytest.raises(qk.NotFound, match="did you mean qwen-plus"):
        await done(qwen.native.generate("Hi", model="qwen-pluss"))


async def test_an_error_frame_carries_what_had_arrived(qwen, box):
    box.fault("error:2")
    with pytest.raises(qk.ServerError) as caught:
        await done(qwen.native.generate.stream(ASK).finish())
    assert (caught.value.code, bool(caught.value.reply.text)) == ("InternalError", True)
    assert [entry.ok for entry in qwen.usage] == [False]


async def test_a_cut_stream_is_broken_not_short(qwen, box):
    box.fault("cut:2")
    with pytest.raises(qk.StreamBroken):
        await done(qwen.native.generate.stream(ASK).finish())


async def test_throttling_is_tried_again(qwen, box):
    box.fault("429")
    assert (await done(qwen.native.generate(ASK))).receipt.tries == 2


async def test_a_budget_stops_a_call_before_it_is_sent(box, flavour):
    client = qk.Client(api_key=box.key, base_url=box.url, budget=0.0)
    before = len(box.requests)
    with pytest.raises(qk.BudgetExceeded):
        await done((client if flavour == "sync" else client.aio).native.generate(ASK))
    assert len(box.requests) == before
    await client.aio.close()
