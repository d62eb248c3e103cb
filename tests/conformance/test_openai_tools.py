"""Tools, as the official SDK calls them: chosen, refused, forced, several at once, in fragments, and answered."""

from __future__ import annotations

import json


def tool(name, description, **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


RAIN = tool("rain_now", "Whether it is raining in a town", town={"type": "string", "description": "Name of the town"})
CLOCK = tool("local_time", "The local time in a town", town={"type": "string", "description": "Name of the town"})
FORCED = {"type": "function", "function": {"name": "rain_now"}}
QUESTION = "Is it raining in Oslo?"


def calls(completion):
    return completion.choices[0].message.tool_calls


async def test_a_fitting_tool_is_called_with_arguments_from_the_question(sdk):
    completion = await sdk.create(QUESTION, tools=[CLOCK, RAIN])
    (call,) = calls(completion)
    assert (call.type, call.function.name) == ("function", "rain_now")
    assert json.loads(call.function.arguments) == {"town": "Oslo"}
    assert call.id.startswith("call_")
    assert completion.choices[0].finish_reason == "tool_calls"
    assert completion.choices[0].message.content == ""
    assert completion.usage.completion_tokens > 0


async def test_no_tool_is_called_when_none_fits_or_none_is_allowed(sdk):
    assert not calls(await sdk.create("What is 17 * 23?", tools=[RAIN]))
    assert not calls(await sdk.create(QUESTION, tools=[RAIN], tool_choice="none"))


async def test_a_named_tool_is_called_whatever_was_asked(sdk):
    completion = await sdk.create("Hello, Oslo!", tools=[RAIN, CLOCK], tool_choice=FORCED)
    assert [call.function.name for call in calls(completion)] == ["rain_now"]
    json.loads(calls(completion)[0].function.arguments)


async def test_two_towns_are_two_calls_when_they_may_be_parallel(sdk):
    completion = await sdk.create("Is it raining in Oslo and in Lima?", tools=[RAIN], parallel_tool_calls=True)
    towns = [json.loads(call.function.arguments)["town"] for call in calls(completion)]
    assert sorted(towns) == ["Lima", "Oslo"]
    assert len({call.id for call in calls(completion)}) == 2


async def test_the_result_of_a_tool_becomes_a_sentence(sdk):
    asked = [{"role": "user", "content": QUESTION}]
    message = (await sdk.create(asked, tools=[RAIN])).choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": '{"rain": true, "millimetres": 12}'}
    final = await sdk.create([*asked, message.model_dump(exclude_none=True), result], tools=[RAIN])
    assert "12" in final.choices[0].message.content
    assert final.choices[0].finish_reason == "stop"


async def test_fragments_of_a_streamed_call_join_to_the_plain_one(sdk):
    plain = calls(await sdk.create(QUESTION, tools=[RAIN]))[0]
    chunks = await sdk.stream(QUESTION, tools=[RAIN])
    fragments = [call for chunk in chunks for call in chunk.choices[0].delta.tool_calls or []]
    assert (fragments[0].function.name, fragments[0].function.arguments) == (plain.function.name, "")
    assert fragments[0].id.startswith("call_")
    assert {fragment.id for fragment in fragments[1:]} == {""}
    assert "".join(fragment.function.arguments for fragment in fragments) == plain.function.arguments
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_the_helper_puts_parallel_calls_together(sdk):
    _, final = await sdk.helper("Is it raining in Oslo and in Lima?", tools=[RAIN], parallel_tool_calls=True)
    found = final.choices[0].message.tool_calls
    assert sorted(json.loads(call.function.arguments)["town"] for call in found) == ["Lima", "Oslo"]
    assert all(call.id.startswith("call_") and call.function.name == "rain_now" for call in found)
