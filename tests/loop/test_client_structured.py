"""Structured answers, prefixes and thinking rules against the sandbox, in both flavours."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import msgspec
import pytest
from flavours import done, opened, pieces

import qwenkit as qk
from qwenkit.sandbox import Sandbox

MODELS = pytest.mark.parametrize("model", ["qwen-plus", "qwen3.7-plus"])
DINNER = "Dinner: 4 guests, vegan, mild, on 2026-05-03"

DOT = (  # a picture of 12 x 12 pixels
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAwAAAAMAQMAAABsu86kAAAAA1BMVEUAAACnej3aAAAAC0lEQVR42mNg"
    "IAwAACQAASXCqOMAAAAASUVORK5CYII="
)


class Spice(enum.Enum):
    MILD = "mild"
    HOT = "hot"


@dataclass
class Plate:
    guests: int
    vegan: bool
    spice: Spice
    date: str
    notes: str | None = None


class Guest(msgspec.Struct):
    name: str
    age: int


class Town(TypedDict):
    town: str
    guests: int


def body(box: Sandbox) -> dict[str, Any]:
    return box.requests[-1].json


@MODELS
async def test_a_dataclass_goes_in_and_an_instance_comes_out(qwen: Any, model: str):
    reply = await done(qwen.chat(DINNER, schema=Plate, model=model))
    assert reply.value == Plate(4, True, Spice.MILD, "2026-05-03")


@MODELS
@pytest.mark.parametrize(
    ("shape", "prompt", "value"),
    [
        (list[str], "Colours: red, green, blue", ["red", "green", "blue"]),
        (Literal["good", "bad"], "Is this review good or bad? It is simply good.", "good"),
        (int, "There are 12 boats.", 12),
        (Town, "7 guests in Oslo", {"town": "Oslo", "guests": 7}),
    ],
    ids=["list", "literal", "int", "typed dict"],
)
async def test_a_root_that_is_no_object_is_wrapped_and_unwrapped(
    qwen: Any, box: Sandbox, model: str, shape: Any, prompt: str, value: Any
):
    assert (await done(qwen.chat(prompt, schema=shape, model=model))).value == value


async def test_the_catalogue_decides_how_the_schema_is_sent(qwen: Any, box: Sandbox):
    await done(qwen.chat("Ada is 36", schema=Guest, model="qwen3.7-plus"))
    sent = body(box)["response_format"]
    assert (sent["type"], sent["json_schema"]["name"], sent["json_schema"]["strict"]) == ("json_schema", "Guest", True)
    assert sent["json_schema"]["schema"]["additionalProperties"] is False
    assert body(box)["messages"] == [{"role": "user", "content": "Ada is 36"}]
    assert body(box)["enable_thinking"] is False
    await done(qwen.chat("Ada is 36", schema=Guest, system="Be exact.", model="qwen-plus"))
    assert body(box)["response_format"] == {"type": "json_object"}
    told = body(box)["messages"][0]["content"]
    assert told.startswith("Be exact.\n\n")
    assert "json" in told.lower()
    assert '"age"' in told
    assert "enable_thinking" not in body(box)


async def test_a_picture_takes_the_strict_mode_away(qwen: Any, box: Sandbox):
    picture = {"type": "image_url", "image_url": {"url": DOT}}
    parts = [{"type": "text", "text": "Ada is 36"}, picture]
    await done(qwen.chat(qk.Message.user(parts), schema=Guest, model="qwen3.7-plus"))
    assert body(box)["response_format"] == {"type": "json_object"}


async def test_thinking_stays_on_for_whoever_asks(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("Ada is 36", schema=Guest, model="qwen3.7-plus", thinking=True))
    assert body(box)["enable_thinking"] is True
    assert reply.thinking
    assert reply.value == Guest("Ada", 36)


async def test_a_dict_schema_gives_plain_data_and_names_the_place_that_does_not_fit(qwen: Any):
    schema = {"type": "object", "properties": {"guests": {"type": "integer"}}, "required": ["guests"]}
    assert (await done(qwen.chat(DINNER, schema=schema))).value == {"guests": 4}
    asked = {"role": "assistant", "content": '{"guests": "four', "partial": True}
    with pytest.raises(qk.SchemaMismatch, match=r"at \$.guests") as raised:
        await done(qwen.chat([DINNER, asked], schema=schema, prefix='{"guests": "four"}'))
    assert raised.value.path == "$.guests"
    assert raised.value.reply.usage.total > 0
    assert raised.value.request_id == raised.value.reply.request_id


async def test_a_cut_answer_says_that_it_was_cut(qwen: Any, client: qk.Client):
    before = len(client.usage)
    with pytest.raises(qk.SchemaMismatch, match="cut at max_tokens") as raised:
        await done(qwen.chat(DINNER, schema=Plate, max_tokens=4))
    assert raised.value.reply.finish_reason == "length"
    assert raised.value.text == raised.value.reply.text
    assert "raise max_tokens" in raised.value.hint
    assert len(client.usage) == before + 1, "the call was paid for"


async def test_a_stream_has_its_value_at_the_end_and_raises_only_when_asked(qwen: Any):
    stream = qwen.chat.stream(DINNER, schema=Plate)
    async with opened(stream):
        assert "".join([piece.text async for piece in pieces(stream)]) == stream.reply.text
    assert stream.reply.value.guests == 4
    cut = await done(qwen.chat.stream(DINNER, schema=Plate, max_tokens=4).finish())
    with pytest.raises(qk.SchemaMismatch):
        _ = cut.value


async def test_without_a_schema_the_value_is_whatever_json_there_is(qwen: Any):
    reply = await done(qwen.chat('Give me {"age": 1} as JSON: Ada is 36'))
    assert reply.text.startswith("```json")
    assert reply.value == {"age": 36}
    with pytest.raises(qk.SchemaMismatch, match="is not JSON"):
        _ = (await done(qwen.chat("Hello"))).value


async def test_a_conversation_answers_in_values_too(qwen: Any):
    talk = qwen.conversation(schema=Guest)
    assert (await done(talk("Ada is 36"))).value == Guest("Ada", 36)
    assert talk.messages[-1].content == '{"name": "Ada", "age": 36}'


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"schema": int, "response_format": {"type": "json_object"}}, "twice"),
        ({"schema": int, "model": "qwen-mt-plus"}, "no structured answers"),
        ({"schema": ...}, "no JSON schema"),
        ({"prefix": "a", "model": "qwen-long"}, "cannot continue a prefix → use a model that can, such as qwen-plus"),
        ({"prefix": "a", "thinking": True}, "do not go together"),
        ({"prefix": 7}, "prefix cannot be of type int"),
        ({"thinking": False, "model": "qwq-plus"}, "always thinks"),
        ({"thinking": True, "model": "qwen-max"}, "does not think"),
        ({"thinking": "low", "model": "qwen-max"}, "does not think"),
        ({"thinking": 81_921}, "at most 81,920 tokens"),
        ({"thinking": 0}, "cannot be 0"),
        ({"thinking": 1.5}, "thinking cannot be 1.5"),
        ({"thinking": 9, "reasoning_effort": "low"}, "cannot be set together"),
        ({"model": "qwen3-32b"}, r"thinks only in a stream → use \.stream"),
    ],
    ids=str,
)
async def test_what_cannot_work_is_refused_before_it_is_sent(qwen: Any, box: Sandbox, options: Any, said: str):
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match=said):
        await done(qwen.chat("Hi", **options))
    assert len(box.requests) == before


async def test_extra_is_never_questioned_and_unknown_models_pass(qwen: Any, box: Sandbox):
    with pytest.raises(qk.InvalidRequest, match="restricted to True"):
        await done(qwen.chat("Hi", model="deepseek-r1", extra={"enable_thinking": False}))
    with pytest.raises(qk.NotFound):
        await done(qwen.chat("Hi", model="brand-new-thinker", thinking=999_999))
    assert body(box)["thinking_budget"] == 999_999


async def test_a_model_without_the_switch_is_not_told_to_leave_it_off(qwen: Any, box: Sandbox):
    await done(qwen.chat("Hi", model="qwen-max", thinking=False))
    assert "enable_thinking" not in body(box)


async def test_a_prefix_is_continued_and_not_repeated(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("Write a line about the sea.", prefix="The sea is"))
    assert body(box)["messages"][-1] == {"role": "assistant", "content": "The sea is", "partial": True}
    assert not reply.text.startswith("The sea")
    assert reply.whole == "The sea is" + reply.text
    assert str(reply) == reply.text
    assert reply.whole in reply._repr_mimebundle_()["text/plain"]
    stream = qwen.chat.stream("Write a line about the sea.", prefix="The sea is", model="qwen3.8-max")
    streamed = await done(stream.finish())
    assert streamed.whole.startswith("The sea is")
    assert body(box)["enable_thinking"] is False


async def test_a_conversation_remembers_the_whole(qwen: Any):
    talk = qwen.conversation()
    reply = await done(talk("Write a line about the sea.", prefix="The sea is"))
    assert talk.messages[-1].content == reply.whole
    assert talk.messages[-1].partial is None


async def test_a_prefix_may_begin_the_value(qwen: Any):
    reply = await done(qwen.chat("Ada is 36", schema=Guest, prefix='{"name": "Bob", '))
    assert reply.value == Guest("Bob", 36)


@pytest.mark.parametrize("model", ["qwen-plus", "qwen3.8-max"])
async def test_a_budget_bounds_the_thinking_and_its_cost_is_shown(qwen: Any, model: str):
    free = await done(qwen.chat("What is 17 * 23?", thinking=True, model=model))
    short = await done(qwen.chat("What is 17 * 23?", thinking=10, model=model))
    assert short.usage.reasoning == 10 < free.usage.reasoning
    assert "391" in short.text
    assert 0 < short.thinking_cost.amount < free.thinking_cost.amount < free.cost.amount
    assert f"of it thinking {free.thinking_cost}" in free._repr_mimebundle_()["text/html"]
    assert (await done(qwen.chat("Hi", thinking=False))).thinking_cost is None


async def test_more_effort_is_more_thinking(qwen: Any):
    asked = [
        await done(qwen.chat("What is 17 * 23?", thinking=effort, model="qwen3.8-max"))
        for effort in ("none", "low", "medium", "xhigh")
    ]
    spent = [reply.usage.reasoning for reply in asked]
    assert spent == sorted(set(spent))
    assert spent[0] == 0


@pytest.mark.parametrize(("turns", "thinks"), [(["/no_think"], False), (["/think"], True), (["/no_think", ""], False)])
async def test_open_hybrids_obey_the_words_in_the_prompt(qwen: Any, turns: list[str], thinks: bool):
    messages = [qk.Message.user(f"What is 2 + 3? {turn}") for turn in turns]
    stream = qwen.chat.stream(messages, model="qwen3-32b", thinking=True)
    reply = await done(stream.finish())
    assert bool(reply.thinking) is thinks
    assert "5" in reply.text
    assert "think" not in reply.text
