"""Function calling end to end: typed functions, the loop of rounds, manual mode, history, in both flavours."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import threading
import warnings
from pathlib import Path
from typing import Any, Literal

import pytest
from flavours import close, done, pieces
from msgspec import structs
from test_client_chat import asked

import qwenkit as qk
from qwenkit.protocol import chat
from qwenkit.sandbox import Sandbox
from qwenkit.types.reply import ToolCall

WHERE: list[str] = []


def weather(city: str, unit: Literal["celsius", "fahrenheit"] = "celsius") -> dict[str, Any]:
    """The weather in a city right now.

    Args:
        city: Name of the city
        unit: Unit of the temperature
    """
    WHERE.append(threading.current_thread().name)
    return {"city": city, "degrees": 12, "unit": unit}


def to_fahrenheit(celsius: float) -> float:
    """Convert a temperature from celsius to fahrenheit."""
    return celsius * 9 / 5 + 32


async def local_time(city: str) -> str:
    """The local time in a city."""
    await asyncio.sleep(0)
    return f"12:30 in {city}"


def broken(city: str) -> str:
    """The air quality in a city."""
    raise LookupError(f"no station\nin {city}")


BOTH = "What is the weather in Oslo and in Lima?"
TOWNS = ["Oslo", "Lima"]


def roles(talk: Any) -> list[str]:
    return [message.role for message in talk.messages]


def runs(reply: Any) -> list[list[tuple[str, str]]]:
    return [[(run.name, run.result) for run in each.runs] for each in reply.rounds]


def bodies(box: Sandbox, since: int) -> list[Any]:
    return [json.loads(seen.body) for seen in list(box.requests)[since:] if seen.path.endswith("/chat/completions")]


# -- one call ------------------------------------------------------------------------------------------------------


async def test_a_typed_function_is_a_tool_of_a_plain_chat(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("What is the weather in Oslo?", tools=[weather]))
    (call,) = reply.tool_calls
    assert (call.name, call.parsed) == ("weather", {"city": "Oslo"})
    (sent,) = asked(box)["tools"]
    assert sent["function"]["description"] == "The weather in a city right now."
    assert sent["function"]["parameters"]["required"] == ["city"]
    assert sent["function"]["parameters"]["properties"]["unit"]["enum"] == ["celsius", "fahrenheit"]


async def test_one_tool_needs_no_list_and_a_function_chooses_itself(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat("Hello, Oslo!", tools=weather, tool_choice=weather))
    assert reply.tool_calls[0].name == "weather"
    assert asked(box)["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


async def test_what_cannot_be_a_tool_is_refused_before_anything_is_sent(qwen: Any, box: Sandbox):
    before = len(box.requests)
    for tools in ([lambda city: city], [7], [weather, weather]):
        with pytest.raises(qk.ConfigError):
            await done(qwen.chat("Hi", tools=tools))
        with pytest.raises(qk.ConfigError):
            qwen.conversation(tools=tools)
    assert len(box.requests) == before


# -- the loop ------------------------------------------------------------------------------------------------------


async def test_the_loop_runs_the_tool_and_the_model_answers_in_words(qwen: Any, box: Sandbox):
    talk = qwen.conversation(tools=[weather])
    reply = await done(talk("What is the weather in Oslo?"))
    assert "12" in reply.text
    assert reply.finish_reason == "stop"
    assert runs(reply) == [[("weather", '{"city":"Oslo","degrees":12,"unit":"celsius"}')]]
    (run,) = reply.rounds[0].runs
    assert run.value == {"city": "Oslo", "degrees": 12, "unit": "celsius"}
    assert run.seconds is not None
    assert not run.error
    assert roles(talk) == ["user", "assistant", "tool", "assistant"]
    question, call, result = asked(box)["messages"]
    assert question["content"] == "What is the weather in Oslo?"
    assert result == {"role": "tool", "content": run.result, "tool_call_id": call["tool_calls"][0]["id"]}


async def test_parallel_calls_of_every_kind_come_back_in_the_order_of_the_calls(qwen: Any, box: Sandbox):
    talk = qwen.conversation(tools=[local_time, weather], parallel_tool_calls=True)
    before = len(box.requests)
    reply = await done(talk("Weather and local time in Oslo and Lima?"))
    (only,) = reply.rounds
    called = [(call["function"]["name"], call["id"]) for call in talk.messages[1].tool_calls]
    assert len(called) == 4
    assert [(run.name, run.id) for run in only.runs] == called
    assert [message.tool_call_id for message in talk.messages[2:6]] == [id for _, id in called]
    assert sorted(run.value for run in only.runs if run.name == "local_time") == ["12:30 in Lima", "12:30 in Oslo"]
    assert len(bodies(box, before)) == 2


async def test_calls_one_by_one_take_a_round_each_and_the_ledger_books_them_all(client: qk.Client, qwen: Any):
    talk = qwen.conversation(tools=[weather, to_fahrenheit])
    reply = await done(talk("What is the weather in Oslo and convert 12 C to F?"))
    assert [[name for name, _ in each] for each in runs(reply)] == [["weather"], ["to_fahrenheit"]]
    assert "53.6" in reply.text
    assert len(client.usage.entries) == 3


async def test_async_functions_wait_for_each_other_and_so_run_at_once(qwen: Any):
    meeting: list[str] = []

    async def station(city: str) -> str:
        """The weather in a city."""
        meeting.append(city)
        while len(meeting) < 2:  # would never end if the calls ran one after another
            await asyncio.sleep(0.001)
        return city

    reply = await done(qwen.conversation(tools=[station], parallel_tool_calls=True)(BOTH))
    assert [run.value for run in reply.rounds[0].runs] == TOWNS


async def test_plain_functions_run_where_the_flavour_says(qwen: Any, flavour: str):
    WHERE.clear()
    await done(qwen.conversation(tools=[weather], parallel_tool_calls=True)(BOTH))
    mine = threading.current_thread().name
    assert [name == mine for name in WHERE] == [flavour == "sync"] * 2


async def test_plain_functions_of_the_awaited_flavour_run_at_once(client: qk.Client):
    barrier = threading.Barrier(2, timeout=5)

    def station(city: str) -> str:
        """The weather in a city."""
        barrier.wait()
        return city

    reply = await client.aio.conversation(tools=[station], parallel_tool_calls=True)(BOTH)
    assert [run.value for run in reply.rounds[0].runs] == TOWNS


async def test_methods_and_callable_objects_are_tools_too(qwen: Any):
    class Station:
        degrees = 21

        def weather(self, city: str) -> int:
            """The weather in a city."""
            return self.degrees

        async def __call__(self, city: str) -> int:
            """The weather in a city."""
            return self.degrees + 1

    for tool, value in ((Station().weather, 21), (Station(), 22)):
        reply = await done(qwen.conversation(tools=[tool])("What is the weather in Oslo?"))
        assert reply.rounds[0].runs[0].value == value


async def test_an_exception_goes_to_the_model_as_one_line(qwen: Any):
    talk = qwen.conversation(tools=[broken])
    reply = await done(talk("What is the air quality in Oslo?"))
    (run,) = reply.rounds[0].runs
    assert run.error == run.result == "LookupError: no station in Oslo"
    assert talk.messages[2].content == run.error
    assert "no station" in reply.text


async def test_arguments_that_do_not_fit_go_back_to_the_model_and_valid_json_into_the_history(
    qwen: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("qwenkit.protocol.chat._tool_call", _with_arguments("{'town': 'Oslo',}"))
    talk = qwen.conversation(tools=[weather], max_rounds=1)
    with pytest.warns(qk.RoundsWarning):
        reply = await done(talk("What is the weather in Oslo?"))
    assert reply.rounds[0].runs[0].error.startswith("ToolError: weather has no parameter town; weather needs city")
    assert reply.rounds[0].runs[0].arguments == "{'town': 'Oslo',}"
    assert talk.messages[1].tool_calls[0]["function"]["arguments"] == '{"town": "Oslo"}'
    monkeypatch.setattr("qwenkit.protocol.chat._tool_call", _with_arguments("Oslo, please"))
    with pytest.warns(qk.RoundsWarning):
        reply = await done(qwen.conversation(tools=[weather], max_rounds=1)("What is the weather in Oslo?"))
    assert "are not JSON: 'Oslo, please'" in reply.rounds[0].runs[0].error


async def test_a_call_without_an_id_gets_one_that_its_result_can_name(qwen: Any, monkeypatch: pytest.MonkeyPatch):
    real = chat._tool_call
    monkeypatch.setattr(chat, "_tool_call", lambda wire, at: structs.replace(real(wire, at), id=""))
    talk = qwen.conversation(tools=[weather], parallel_tool_calls=True)
    await done(talk(BOTH))
    assert [message.tool_call_id for message in talk.messages[2:4]] == ["call_0", "call_1"]
    by_hand = qwen.conversation(tools=[weather], run_tools=False)
    reply = await done(by_hand("What is the weather in Oslo?"))
    by_hand.tool_result(reply.tool_calls[0], "rain")
    assert by_hand.messages[-1].tool_call_id == "call_0"


def _with_arguments(text: str) -> Any:
    return lambda wire, at: ToolCall(id=wire.id, name=wire.function.name, arguments=text, index=at)


async def test_a_tool_nobody_has_is_named_to_the_model(qwen: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("qwenkit.protocol.chat._tool_call", lambda wire, at: ToolCall(id=wire.id, name="whether"))
    talk = qwen.conversation(tools=[weather], max_rounds=1)
    with pytest.warns(qk.RoundsWarning):
        reply = await done(talk("What is the weather in Oslo?"))
    assert reply.rounds[0].runs[0].error == "ToolError: there is no tool called whether → the tools are: weather"


async def test_a_forced_function_is_forced_once(qwen: Any, box: Sandbox):
    talk = qwen.conversation(tools=[weather], tool_choice=weather)
    before = len(box.requests)
    reply = await done(talk("Hello, Oslo!"))
    assert len(reply.rounds) == 1
    first, second = bodies(box, before)
    assert first["tool_choice"]["function"]["name"] == "weather"
    assert second["tool_choice"] == "auto"


async def test_an_interrupt_in_a_tool_passes_through(client: qk.Client):
    def stop(city: str) -> str:
        """The weather in a city."""
        raise KeyboardInterrupt

    async def stop_later(city: str) -> str:
        """The weather in a city."""
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    for tool in (stop, stop_later):
        talk = client.conversation(tools=[tool])
        with pytest.raises(KeyboardInterrupt):
            talk("What is the weather in Oslo?")
        assert talk.messages == []


async def test_cancelling_ends_the_tools_with_the_turn(client: qk.Client):
    began, ended = asyncio.Event(), asyncio.Event()

    async def slow(city: str) -> str:
        """The weather in a city."""
        began.set()
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()
        return city

    talk = client.aio.conversation(tools=[slow])
    turn = asyncio.ensure_future(talk("What is the weather in Oslo?"))
    await began.wait()
    turn.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await turn
    assert ended.is_set()
    assert turn.cancelled()
    assert talk.messages == []


# -- the limit -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [False, True])
async def test_after_the_stated_number_of_rounds_it_stops_and_says_so(qwen: Any, streamed: bool):
    talk = qwen.conversation(tools=[weather], max_rounds=1)
    with pytest.warns(qk.RoundsWarning, match=r"still asks for weather after 1 round of tools; .*max_rounds"):
        reply = await done(talk.stream(BOTH).finish() if streamed else talk(BOTH))
    assert len(reply.rounds) == 1
    assert reply.tool_calls[0].parsed == {"city": "Lima"}
    assert roles(talk) == ["user", "assistant", "tool", "assistant"]
    with pytest.raises(qk.ConfigError, match="waits for the results of weather") as raised:
        await done(talk("And now?"))
    assert "talk() runs them" in raised.value.hint
    answer = await done(talk.stream().finish() if streamed else talk())
    assert "Lima" in answer.text
    assert [run.value["city"] for run in answer.rounds[0].runs] == ["Lima"]
    assert roles(talk)[3:] == ["assistant", "tool", "assistant"]


async def test_when_the_warning_is_an_error_the_turn_is_not_remembered(qwen: Any):
    talk = qwen.conversation(tools=[weather], max_rounds=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(qk.RoundsWarning):
            await done(talk(BOTH))
    assert talk.messages == []


@pytest.mark.parametrize("most", [0, -1, "8", None, 2.5])
def test_a_limit_that_is_none_is_refused(client: qk.Client, most: Any):
    with pytest.raises(qk.ConfigError, match="max_rounds cannot be"):
        client.conversation(max_rounds=most)


# -- streams -------------------------------------------------------------------------------------------------------


async def test_a_stream_goes_on_from_round_to_round(qwen: Any):
    talk = qwen.conversation(tools=[weather, local_time], parallel_tool_calls=True)
    stream = talk.stream("Weather and local time in Oslo?", thinking=True)
    seen = [_kind(piece) async for piece in pieces(stream)]
    kinds = [kind for at, kind in enumerate(seen) if at == 0 or seen[at - 1] != kind]
    assert kinds == ["thinking", "tool", "end", "ran", "thinking", "text", "end"]
    assert seen.count("ran") == 2
    reply = stream.reply
    assert reply.text
    assert [run.name for run in reply.rounds[0].runs] == ["weather", "local_time"]
    assert reply.rounds[0].thinking
    assert roles(talk) == ["user", "assistant", "tool", "tool", "assistant"]
    assert reply.receipt.streamed
    with pytest.raises(qk.ConfigError, match="already read"):
        await _through(stream)


def _kind(piece: Any) -> str:
    return next((name for name in ("thinking", "text", "tool", "ran") if getattr(piece, name)), "end")


async def _through(stream: Any) -> None:
    async for _ in pieces(stream):
        pass


async def test_the_reply_so_far_has_the_rounds_so_far(qwen: Any):
    talk = qwen.conversation(tools=[weather])
    stream = talk.stream("What is the weather in Oslo?")
    called = ran = False
    async for piece in pieces(stream):
        so_far = stream.reply
        if piece.tool:
            called = True
            assert (so_far.rounds, so_far.tool_calls[0].name) == ([], "weather")
        if piece.ran:
            ran = True
            assert (so_far.rounds[0].runs, so_far.tool_calls) == ([piece.ran], [])
        assert talk.messages == []
    assert called
    assert ran
    assert len(talk) == 4


@pytest.mark.parametrize("until", ["tool", "ran", "text"])
async def test_a_stream_left_anywhere_leaves_the_history_as_it_was(qwen: Any, until: str):
    talk = qwen.conversation(tools=[weather])
    stream = talk.stream("What is the weather in Oslo?")
    async for piece in pieces(stream):
        if getattr(piece, until):
            break
    await close(stream)
    assert talk.messages == []
    assert (await done(talk("What is the weather in Oslo?"))).rounds


async def test_a_stream_that_breaks_carries_its_rounds(qwen: Any, box: Sandbox):
    def weather_then_fault(city: str) -> str:
        """The weather in a city."""
        box.fault("cut:6")
        return "rain and wind and a little sun"

    talk = qwen.conversation(tools=[weather_then_fault])
    with pytest.raises(qk.StreamBroken) as raised:
        await done(talk.stream("What is the weather in Oslo?").finish())
    assert raised.value.reply.text
    assert len(raised.value.reply.rounds) == 1
    assert talk.messages == []


# -- the history ---------------------------------------------------------------------------------------------------


async def test_a_turn_that_fails_in_its_second_round_leaves_the_history_as_it_was(qwen: Any, box: Sandbox):
    def weather(city: str) -> str:
        """The weather in a city."""
        box.fault("400")
        return "rain"

    talk = qwen.conversation(tools=[weather], system="Be kind.")
    await done(talk("My name is Ada."))
    before = list(talk.messages)
    with pytest.raises(qk.APIError):
        await done(talk("What is the weather in Oslo?"))
    assert talk.messages == before


async def test_undo_and_fork_take_a_turn_with_all_its_rounds(qwen: Any):
    talk = qwen.conversation(tools=[weather], max_rounds=3, run_tools=True)
    await done(talk("My name is Ada."))
    await done(talk("What is the weather in Oslo?"))
    other = talk.fork()
    talk.undo()
    assert roles(talk) == ["user", "assistant"]
    assert len(other) == 6
    assert (other.max_rounds, other.options["tools"]) == (3, [weather])
    assert (await done(other("And what is the weather in Lima?"))).rounds


async def test_a_full_window_forgets_whole_turns_and_never_half_a_round(qwen: Any, box: Sandbox):
    talk = qwen.conversation(tools=[weather], context_limit=230)
    for city in ("Oslo", "Lima", "Rome", "Bern"):
        await done(talk(f"What is the weather in {city}?"))
        assert asked(box)["messages"][0]["role"] == "user"
    assert talk.forgotten
    assert talk.forgotten % 4 == 0
    assert roles(talk)[:4] == ["user", "assistant", "tool", "assistant"]


async def test_a_turn_that_goes_on_is_never_cut_to_make_room(qwen: Any, box: Sandbox):
    talk = qwen.conversation(tools=[weather], context_limit=220, run_tools=False)
    await done(talk("My name is Ada."))
    reply = await done(talk("What is the weather in Oslo?"))
    talk.tool_result(reply.tool_calls[0], "rain " * 400)
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match="nothing was sent"):
        await done(talk())
    assert len(box.requests) == before
    talk.messages[-1].content = "rain"
    assert "rain" in (await done(talk())).text


async def test_saved_without_functions_it_names_them_when_it_comes_back(qwen: Any, tmp_path: Path):
    declared = {"type": "function", "function": {"name": "look", "description": "Look"}}
    talk = qwen.conversation(tools=[weather, local_time, declared], tool_choice=weather)
    await done(talk("What is the weather in Oslo?"))
    path = talk.save(tmp_path / "talk.json")
    facts = json.loads(path.read_text("utf-8"))
    assert facts["functions"] == ["weather", "local_time"]
    assert facts["options"]["tools"] == [declared]
    with pytest.raises(
        qk.ConfigError, match=r"talk\.json uses functions, which a file cannot hold: local_time"
    ) as raised:
        qwen.conversation(tools=[weather]).restore(path)
    assert "tools=[local_time]" in raised.value.hint
    other = qwen.conversation(tools=[weather, local_time]).restore(path)
    assert other.messages == talk.messages
    assert other.options["tools"] == [declared, weather, local_time]
    assert (await done(other("What is the weather in Lima?", tool_choice="auto"))).rounds


# -- by hand -------------------------------------------------------------------------------------------------------


async def test_by_hand_the_calls_are_answered_one_by_one_and_the_turn_goes_on(qwen: Any):
    talk = qwen.conversation(tools=[weather], parallel_tool_calls=True, run_tools=False)
    reply = await done(talk(BOTH))
    first, second = reply.tool_calls
    assert reply.rounds == []
    with pytest.raises(qk.ConfigError, match="waits for the results of weather, weather") as raised:
        await done(talk())
    assert "talk() runs" not in raised.value.hint
    talk.tool_result(second, {"degrees": 2})
    talk.tool_result(first.id, "fog")
    assert [message.content for message in talk.messages[2:]] == ["fog", '{"degrees":2}']
    with pytest.raises(qk.ConfigError, match="no call of the last answer waits"):
        talk.tool_result(first, "again")
    answer = await done(talk())
    assert "fog" in answer.text.lower()
    assert roles(talk) == ["user", "assistant", "tool", "tool", "assistant"]
    with pytest.raises(qk.ConfigError, match="has answered already"):
        await done(talk())


async def test_by_hand_for_one_turn_and_by_stream(qwen: Any):
    talk = qwen.conversation(tools=[weather])
    reply = await done(talk.stream("What is the weather in Oslo?", run_tools=False).finish())
    talk.tool_result(reply.tool_calls[0], ValueError("the station is closed"))
    assert talk.messages[-1].content == "ValueError: the station is closed"
    answer = await done(talk.stream().finish())
    assert "closed" in answer.text
    assert (await done(talk("And what is the weather in Lima?"))).rounds


async def test_what_only_a_dict_declares_is_left_to_the_user(qwen: Any):
    declared = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
    talk = qwen.conversation(tools=[declared, local_time], parallel_tool_calls=True)
    reply = await done(talk("What is the weather and the local time in Oslo?"))
    names = [call.name for call in reply.tool_calls]
    assert sorted(names) == ["local_time", "weather"]
    talk.tool_result(reply.tool_calls[names.index("weather")], "rain")
    answer = await done(talk())
    assert [run.name for run in answer.rounds[0].runs] == ["local_time"]
    assert answer.rounds[0].text == ""  # what stood last in the history was a result, not words of the model
    assert "rain" in answer.text


async def test_nothing_to_go_on_from_is_refused(qwen: Any, box: Sandbox):
    before = len(box.requests)
    for talk in (qwen.conversation(), qwen.conversation(system="Be kind.")):
        with pytest.raises(qk.ConfigError, match="nothing to go on from"):
            await done(talk())
        with pytest.raises(qk.ConfigError, match="no call of the last answer waits"):
            talk.tool_result("call_1", "x")
    assert len(box.requests) == before


async def test_a_question_put_into_the_history_is_answered_by_going_on(qwen: Any):
    talk = qwen.conversation()
    talk.messages.append(qk.Message.user("What is 2 plus 2?"))
    assert "4" in (await done(talk())).text


async def test_interrupting_the_cell_ends_the_async_tools_it_waits_for(client: qk.Client):
    ended = threading.Event()

    async def slow(city: str) -> str:
        """The weather in a city."""
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()
        return city

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    talk = client.conversation(tools=[slow])
    try:
        with pytest.raises(KeyboardInterrupt):
            talk("What is the weather in Oslo?")
    finally:
        signal.signal(signal.SIGINT, handler)
    assert ended.is_set()
    assert talk.messages == []


@pytest.mark.parametrize(
    ("model", "options", "kept"),
    [
        ("qwen3.8-flash", {}, True),
        ("qwen3.8-flash", {"preserve_thinking": False}, False),
        ("qwen3.7-plus", {}, False),
        ("qwen3.7-plus", {"preserve_thinking": True}, True),
    ],
)
async def test_thoughts_stay_in_the_history_of_a_model_that_reads_them_again(
    qwen: Any, model: str, options: Any, kept: bool
):
    talk = qwen.conversation(model=model, **options)
    reply = await done(talk("What is 17 * 23?"))
    assert reply.thinking
    assert (talk.messages[-1].reasoning_content == reply.thinking) is kept
