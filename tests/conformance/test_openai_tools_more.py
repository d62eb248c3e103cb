"""Tools through the official SDK, further: loops, helpers, pydantic tools, thinking, refusals in documented words."""

from __future__ import annotations

import json
from typing import Any, Literal

import openai
import pydantic
import pytest

PRECEDING = 'messages with role "tool" must be a response to a preceeding message with "tool_calls"'


class WeatherNow(pydantic.BaseModel):
    """The weather in a city right now"""

    city: str = pydantic.Field(description="Name of the city")
    unit: Literal["celsius", "fahrenheit"]


def weather(city: str, **_: Any) -> str:
    if city == "Lima":
        return "Error: no station in Lima"
    return json.dumps({"city": city, "degrees": 12})


def convert(celsius: float) -> str:
    return json.dumps(celsius * 9 / 5 + 32)


def tool(name: str, description: str, required: list[str] | None = None, **properties: Any) -> dict[str, Any]:
    wanted = list(properties) if required is None else required
    parameters = {"type": "object", "properties": properties, "required": wanted}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TEXT = {"type": "string"}
WEATHER = tool("weather", "The weather in a city", city=TEXT)
CONVERT = tool("convert", "Convert a temperature from celsius to fahrenheit", celsius={"type": "number"})
TOOLS = [WEATHER, CONVERT]
FORCED = {"type": "function", "function": {"name": "weather"}}
DOERS = {"weather": weather, "convert": convert}
OSLO = "What is the weather in Oslo?"


async def run_tools(sdk: Any, question: str, most: int = 6, **options: Any) -> tuple[list[Any], list[Any]]:
    """The loop everybody writes: ask, call, answer, until there are words. Gives the rounds' names and the messages."""
    messages: list[Any] = [{"role": "user", "content": question}]
    rounds: list[list[str]] = []
    for _ in range(most):
        message = (await sdk.create(messages, tools=TOOLS, **options)).choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        if not message.tool_calls:
            return rounds, messages
        rounds.append([call.function.name for call in message.tool_calls])
        for call in message.tool_calls:
            result = DOERS[call.function.name](**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
    raise AssertionError(f"still calling after {most} rounds: {rounds}")


async def test_a_loop_takes_a_round_for_each_call_when_they_are_not_parallel(sdk):
    rounds, messages = await run_tools(sdk, "What is the weather in Oslo and convert 12 C to F?")
    assert rounds == [["weather"], ["convert"]]
    assert "53.6" in messages[-1]["content"]


async def test_a_loop_takes_one_round_when_calls_are_parallel(sdk):
    question = "What is the weather in Oslo, in Rome and in Bern?"
    rounds, messages = await run_tools(sdk, question, parallel_tool_calls=True)
    assert rounds == [["weather"] * 3]
    assert all(city in messages[-1]["content"] for city in ("Oslo", "Rome", "Bern"))


async def test_a_loop_ends_although_a_tool_fails(sdk):
    rounds, messages = await run_tools(sdk, "What is the weather in Lima?")
    assert rounds == [["weather"]]
    assert "no station in Lima" in messages[-1]["content"]


async def test_an_exceptions_name_in_a_result_is_reported_as_an_error(sdk):
    asked = [{"role": "user", "content": OSLO}]
    message = (await sdk.create(asked, tools=TOOLS)).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "TimeoutError: no answer"}
    final = await sdk.create([*asked, message.model_dump(exclude_none=True), result], tools=TOOLS)
    assert "TimeoutError" in final.choices[0].message.content
    assert not final.choices[0].message.tool_calls


async def test_a_second_question_is_a_call_of_its_own(sdk):
    _, messages = await run_tools(sdk, OSLO)
    again = [*messages, {"role": "user", "content": "And what is the weather in Rome?"}]
    (call,) = (await sdk.create(again, tools=TOOLS)).choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Rome"}


async def test_a_pydantic_tool_fills_its_fields(sdk):
    given = openai.pydantic_function_tool(WeatherNow)
    completion = await sdk.create("What is the weather in Oslo in fahrenheit?", tools=[given])
    (call,) = completion.choices[0].message.tool_calls
    assert call.function.name == "WeatherNow"
    assert WeatherNow.model_validate_json(call.function.arguments) == WeatherNow(city="Oslo", unit="fahrenheit")


async def test_the_parsing_helper_gives_pydantic_arguments(sdk):
    given = openai.pydantic_function_tool(WeatherNow, name="weather_now")
    completion = await sdk.result(
        sdk.client.chat.completions.parse,
        model="qwen-plus",
        messages=[{"role": "user", "content": "What is the weather in Rome in celsius?"}],
        tools=[given],
    )
    (call,) = completion.choices[0].message.tool_calls
    assert call.function.parsed_arguments == WeatherNow(city="Rome", unit="celsius")


async def test_the_stream_helper_tells_every_fragment_and_the_done_call(sdk):
    events, final = await sdk.helper(OSLO, tools=[openai.pydantic_function_tool(WeatherNow)])
    fragments = [event for event in events if event.type == "tool_calls.function.arguments.delta"]
    (done,) = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert "".join(each.arguments_delta for each in fragments) == done.arguments
    assert done.parsed_arguments.city == "Oslo"
    (call,) = final.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("WeatherNow", done.arguments)
    assert final.choices[0].finish_reason == "tool_calls"


async def test_parallel_calls_stream_one_index_after_the_other(sdk):
    chunks = await sdk.stream("Weather in Oslo and in Rome?", tools=TOOLS, parallel_tool_calls=True)
    fragments = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    indexes = [each.index for each in fragments]
    assert indexes == sorted(indexes)
    assert set(indexes) == {0, 1}
    heads = [each for each in fragments if each.function.name]
    assert [each.index for each in heads] == [0, 1]
    assert all(each.id.startswith("call_") and each.type == "function" for each in heads)
    assert len({each.id for each in heads}) == 2


async def test_a_streamed_call_has_no_text_and_one_ending(sdk):
    chunks = await sdk.stream(OSLO, tools=TOOLS)
    assert not "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["tool_calls"]


async def test_thoughts_come_before_the_calls(sdk):
    chunks = await sdk.stream(OSLO, tools=TOOLS, extra_body={"enable_thinking": True})
    kinds = ["tool" if chunk.choices[0].delta.tool_calls else "thought" for chunk in chunks if _says(chunk)]
    assert set(kinds) == {"thought", "tool"}
    assert kinds == sorted(kinds)


def _says(chunk: Any) -> bool:
    delta = chunk.choices[0].delta
    return bool(delta.tool_calls or getattr(delta, "reasoning_content", None))


async def test_after_a_thinking_call_the_answer_may_think_again(sdk):
    think = {"enable_thinking": True}
    rounds, messages = await run_tools(sdk, OSLO, extra_body=think)
    assert rounds == [["weather"]]
    assert messages[-1]["reasoning_content"]
    assert "12" in messages[-1]["content"]


async def test_a_forced_call_ends_once_it_has_its_result(sdk):
    asked = [{"role": "user", "content": "Hello, Oslo!"}]
    message = (await sdk.create(asked, tools=TOOLS, tool_choice=FORCED)).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "rain"}
    final = await sdk.create([*asked, message.model_dump(exclude_none=True), result], tools=TOOLS, tool_choice=FORCED)
    assert not final.choices[0].message.tool_calls
    assert "rain" in final.choices[0].message.content.lower()


async def test_none_keeps_the_tools_and_forbids_them(sdk):
    completion = await sdk.create(OSLO, tools=TOOLS, tool_choice="none")
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.content
    assert completion.usage.prompt_tokens > (await sdk.create(OSLO)).usage.prompt_tokens


async def test_a_merged_tool_message_of_parts_is_read(sdk):
    asked = [{"role": "user", "content": OSLO}]
    message = (await sdk.create(asked, tools=TOOLS)).choices[0].message
    id = message.tool_calls[0].id
    result = {"role": "tool", "tool_call_id": id, "content": [{"type": "text", "text": "fog", "tool_call_id": id}]}
    final = await sdk.create([*asked, message.model_dump(exclude_none=True), result], tools=TOOLS)
    assert "fog" in final.choices[0].message.content.lower()


async def test_the_same_question_makes_the_same_arguments(sdk):
    first, second = [(await sdk.create(OSLO, tools=TOOLS)).choices[0].message.tool_calls[0] for _ in range(2)]
    assert first.function == second.function
    assert first.id != second.id


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tool_choice": "required"}, 'tool_choice is one of the strings that should be ["none", "auto"]'),
        (
            {"tool_choice": FORCED, "extra_body": {"enable_thinking": True}},
            "does not support being set to required or object",
        ),
        ({"tools": [tool("search", "Search")]}, "Tool names are not allowed to be [search]"),
        ({"tools": [tool("a b", "Bad")]}, "Tool names should match"),
        ({"tools": [{"type": "function", "function": {}}]}, "Field required: tools.function.name"),
        ({"n": 2}, "Range of n should be [1, 1]"),
        ({"parallel_tool_calls": "yes"}, "'parallel_tool_calls' must be Boolean"),
        ({"model": "qwen-mt-plus"}, "The tool call is not supported."),
    ],
)
async def test_a_refusal_has_the_documented_words(sdk, options: dict[str, Any], words: str):
    with pytest.raises(openai.BadRequestError) as raised:
        await sdk.create(OSLO, **{"tools": TOOLS, **options})
    assert words in raised.value.message
    assert raised.value.type == "invalid_request_error"
    assert raised.value.request_id


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ([{"role": "tool", "tool_call_id": "call_1", "content": "x"}], PRECEDING),
        ([{"role": "assistant", "content": "", "tool_calls": []}], "Empty tool_calls is not supported in message"),
        ([{"role": "assistant", "content": "x"}, {"role": "tool", "tool_call_id": "c", "content": "x"}], PRECEDING),
    ],
)
async def test_a_history_out_of_order_is_refused(sdk, extra: list[Any], words: str):
    with pytest.raises(openai.BadRequestError) as raised:
        await sdk.create([{"role": "user", "content": OSLO}, *extra], tools=TOOLS)
    assert words in raised.value.message
