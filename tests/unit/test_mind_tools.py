"""Tool use: which tool, which arguments, and a sentence from what came back."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from qwenkit.sandbox.mind import Answer, Prompt, Sampling, answer

TODAY = datetime.date(2026, 11, 21)


def tool(name: str, description: str, required: tuple[str, ...] = (), **properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}
WEATHER = tool(
    "get_weather",
    "Get the current weather for a city",
    ("city",),
    city=TEXT,
    unit={**TEXT, "enum": ["celsius", "fahrenheit"]},
)
CLOCK = {
    "type": "function",
    "function": {"name": "get_current_time", "description": "当你想知道现在的时间时非常有用。", "parameters": {}},
}
FLIGHT = tool(
    "book_flight",
    "Book a flight",
    ("origin", "destination", "date"),
    origin=TEXT,
    destination=TEXT,
    date={**TEXT, "format": "date"},
    passengers=WHOLE,
    window_seat={"type": "boolean"},
)
TIME = tool("get_current_time", "The current time.")
ORDER = tool("lookup", "Look up an order by its id", ("order_id",), order_id=TEXT)
WRITE = tool("send_email", "Send an email", ("to", "subject", "body"), to=TEXT, subject=TEXT, body=TEXT)
BOOK = tool("book", "Book an event", ("title", "people"), title=TEXT, people=WHOLE)
TASK = tool("add_task", "Add a task to the list", ("title",), title=TEXT)
UNTYPED = tool("unknown", "Double a number", ("x",), x={})
SUMS = tool("calculate", "Evaluate an arithmetic expression", ("expression",), expression=TEXT)
MAIL = tool(
    "send_email",
    "Send an email",
    ("to", "subject"),
    to={"type": "array", "items": {**TEXT, "format": "email"}},
    subject=TEXT,
)
WEB = tool("search_web", "Search the web", ("query",), query=TEXT, max_results=WHOLE)
TOOLS = [WEATHER, CLOCK, FLIGHT, SUMS, MAIL, WEB]


def ask(question: str, **options: Any) -> Answer:
    options = {"tools": TOOLS, "sampling": Sampling(temperature=0), "today": TODAY, **options}
    return answer(Prompt([{"role": "user", "content": question}], **options))


def calls(question: str, **options: Any) -> list[tuple[str, Any]]:
    return [(call.name, json.loads(call.arguments)) for call in ask(question, **options).calls]


@pytest.mark.parametrize(
    ("question", "name", "arguments"),
    [
        ("What's the weather in Paris?", "get_weather", {"city": "Paris"}),
        ("Is it raining in Oslo?", "get_weather", {"city": "Oslo"}),
        ("weather in springfield in fahrenheit", "get_weather", {"city": "Springfield", "unit": "fahrenheit"}),
        ("北京天气怎么样?", "get_weather", {"city": "北京"}),
        ("明天杭州会下雨吗？用摄氏度", "get_weather", {"city": "杭州", "unit": "celsius"}),
        ("现在几点了？", "get_current_time", {}),
        (
            "Book a flight from Paris to London on 2026-12-01 for 2 passengers with a window seat",
            "book_flight",
            {"origin": "Paris", "destination": "London", "date": "2026-12-01", "passengers": 2, "window_seat": True},
        ),
        (
            "Book me a flight to Tokyo from Oslo tomorrow, no window seat",
            "book_flight",
            {"origin": "Oslo", "destination": "Tokyo", "date": "2026-11-22", "window_seat": False},
        ),
        ("What is 17*23?", "calculate", {"expression": "17 * 23"}),
        (
            'Send an email to ada@example.com and bob@example.com with subject "Lunch"',
            "send_email",
            {"to": ["ada@example.com", "bob@example.com"], "subject": "Lunch"},
        ),
        ("Search the web for qwen pricing", "search_web", {"query": "qwen pricing"}),
        ("Search the web for cats, max results 3", "search_web", {"query": "cats, max results 3", "max_results": 3}),
    ],
)
def test_it_calls_the_tool_the_prompt_is_about(question: str, name: str, arguments: dict[str, Any]) -> None:
    assert calls(question) == [(name, arguments)]
    reply = ask(question)
    assert reply.finish_reason == "tool_calls"
    assert reply.text == ""
    assert reply.calls[0].arguments == json.dumps(arguments, ensure_ascii=False)


@pytest.mark.parametrize(
    ("question", "offered", "arguments"),
    [
        ("What is the current time?", TIME, {}),
        ("现在几点？", TIME, {}),
        ("Where is my order A1234?", ORDER, {"order_id": "A1234"}),
        ("订单 B-77 到哪了？", ORDER, {"order_id": "B-77"}),
        *(
            (said, WRITE, {"to": "bob@example.com", "subject": "lunch is at noon", "body": "lunch is at noon"})
            for said in ("Write to bob@example.com that lunch is at noon", "Email bob@example.com: lunch is at noon.")
        ),
        (
            "Send an email to bob@example.com, subject: Lunch, body: at noon",
            WRITE,
            {"subject": "Lunch", "body": "at noon"},
        ),
        ("给bob@example.com写邮件说明天开会", WRITE, {"to": "bob@example.com", "body": "明天开会"}),
        ("Book the lighthouse tour for 3 people", BOOK, {"title": "lighthouse tour", "people": 3}),
        ("Add a task to water the plants", TASK, {"title": "water the plants"}),
        ("Double 21", UNTYPED, {"x": 21}),
        (
            "What is the climate of Peru?",
            tool("climate", "How warm a country is", ("country",), country=TEXT),
            {"country": "Peru"},
        ),
        ("Weather in Singapore?", WEATHER, {"city": "Singapore"}),
        (
            "Play Yesterday by the Beatles",
            tool("play", "Play music", ("song",), song=TEXT),
            {"song": "Yesterday by the Beatles"},
        ),
    ],
)
def test_arguments_are_the_part_of_the_prompt_that_is_meant(
    question: str, offered: Any, arguments: dict[str, Any]
) -> None:
    ((name, given),) = calls(question, tools=[WEATHER, offered])
    assert name == offered["function"]["name"]
    assert {**given, **arguments} == given


@pytest.mark.parametrize(
    ("question", "offered", "key"),
    [
        ("Write to bob@example.com", WRITE, "subject"),
        ("Please book me a table", BOOK, "people"),
        ("Where is my order?", ORDER, "order id"),
        ("Play a song", tool("play", "Play music", ("song",), song=TEXT), "song"),
    ],
)
def test_it_asks_in_words_for_what_nothing_fits(question: str, offered: Any, key: str) -> None:
    reply = ask(question, tools=[offered])
    assert reply.calls == []
    assert f"the {key} be?" in reply.text or f"Which {key} do you mean?" in reply.text


@pytest.mark.parametrize(
    ("offered", "said", "arguments"),
    [
        (
            WRITE,
            ["Write to bob@example.com", "Lunch", "See you at noon"],
            {"subject": "Lunch", "body": "See you at noon"},
        ),
        (BOOK, ["Please book me a table", "4, please"], {"title": "table", "people": 4}),
        (BOOK, ["订一个会议", "4个人"], {"title": "会议", "people": 4}),
        (ORDER, ["Where is my order?", "It is A1234"], {"order_id": "A1234"}),
    ],
)
def test_answers_to_what_it_asks_back_are_put_together(
    offered: Any, said: list[str], arguments: dict[str, Any]
) -> None:
    messages: list[dict[str, Any]] = []
    for text in said:
        messages.append({"role": "user", "content": text})
        reply = answer(Prompt(messages, tools=[offered], today=TODAY))
        messages.append({"role": "assistant", "content": reply.text})
    (call,) = reply.calls
    given = json.loads(call.arguments)
    assert {**given, **arguments} == given


@pytest.mark.parametrize(
    ("said", "offered", "wanted"),
    [
        (["What's the weather in Oslo?", "And in Lima?"], WEATHER, ["Lima"]),
        (["What's the weather in Oslo?", "What about Lima?"], WEATHER, ["Lima"]),
        (["What's the weather in Oslo?", "And Lima?", "How about Paris and Rome?"], WEATHER, ["Paris", "Rome"]),
        (["What's the weather in Oslo?", "那利马呢？"], WEATHER, ["利马"]),
        (["杭州和北京天气怎么样？", "上海呢？"], WEATHER, ["上海"]),
        (["Where is my order A1234?", "And B-77?"], ORDER, ["B-77"]),
        (["Double 21", "and 34?"], UNTYPED, [34]),
        (["What is 17*23?", "And 18*4?"], SUMS, ["18 * 4"]),
        (["What's the weather in Oslo?", "Thanks!"], WEATHER, []),
        (["And in Lima?"], WEATHER, []),
    ],
)
def test_a_follow_up_is_the_question_before_about_something_else(
    said: list[str], offered: Any, wanted: list[Any]
) -> None:
    messages = [
        turn for text in said for turn in ({"role": "user", "content": text}, {"role": "assistant", "content": "-"})
    ]
    reply = answer(Prompt(messages[:-1], tools=[offered], parallel_tool_calls=True))
    assert [next(iter(json.loads(call.arguments).values())) for call in reply.calls] == wanted


@pytest.mark.parametrize(
    "question",
    ["Hello", "Who are you?", "Tell me about time travel", "Tell me about Paris", "Write a poem about the sea", "你好"],
)
def test_it_calls_nothing_when_nothing_fits(question: str) -> None:
    assert calls(question) == []
    assert ask(question).finish_reason == "stop"


def test_adding_a_task_is_no_sum() -> None:
    assert ask("What's 15% of 80?", tools=[TASK]).text == "15% × 80 = 12"


def test_tool_choice_forbids_and_forces() -> None:
    assert calls("What's the weather in Paris?", tool_choice="none") == []
    forced = {"type": "function", "function": {"name": "get_weather"}}
    assert calls("What is 1+1 in Rome?", tool_choice=forced) == [("get_weather", {"city": "Rome"})]
    (name, arguments), *_ = calls("hi", tool_choice=forced)
    assert name == "get_weather"
    assert arguments == {"city": ""}, "nobody named a city, and none is made up"
    assert calls("hi", tool_choice="required")


def test_it_asks_for_what_is_missing_and_understands_the_answer() -> None:
    question = ask("What is the weather?").text
    assert "city" in question
    messages = [
        {"role": "user", "content": "What is the weather?"},
        {"role": "assistant", "content": question},
        {"role": "user", "content": "In Lisbon"},
    ]
    (call,) = answer(Prompt(messages, tools=[WEATHER])).calls
    assert json.loads(call.arguments) == {"city": "Lisbon"}


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("Weather in Paris, London and Tokyo?", ["Paris", "London", "Tokyo"]),
        ("杭州和上海的天气怎么样？", ["杭州", "上海"]),
    ],
)
def test_parallel_calls_one_for_each_place(question: str, wanted: list[str]) -> None:
    assert [arguments["city"] for _, arguments in calls(question, parallel_tool_calls=True)] == wanted
    assert [arguments["city"] for _, arguments in calls(question)] == wanted[:1]


def test_parallel_calls_of_different_tools() -> None:
    assert calls("What's the weather in Oslo and what is 12*12?", parallel_tool_calls=True) == [
        ("get_weather", {"city": "Oslo"}),
        ("calculate", {"expression": "12 * 12"}),
    ]


@pytest.mark.parametrize("parallel", [True, False])
def test_two_places_and_the_time_are_three_calls(parallel: bool) -> None:
    place = {**TEXT, "description": "城市或县区，比如北京市、杭州市、余杭区等。"}
    weather = tool("get_current_weather", "当你想查询指定城市的天气时非常有用。", ("location",), location=place)
    made, text = loop(
        "杭州和北京天气怎么样？现在几点了？", "09:30", "晴", "雨", tools=[CLOCK, weather], parallel_tool_calls=parallel
    )
    assert [json.loads(arguments) for arguments in made] == [{}, {"location": "杭州"}, {"location": "北京"}]
    assert text == "Current time：09:30。\n杭州：晴。\n北京：雨。"


def loop(question: str, *results: str, **options: Any) -> tuple[list[str], str]:
    """The rounds of a program that runs the tools; every call gets the next result."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
    waiting, made = list(results), []
    options = {"tools": TOOLS, "sampling": Sampling(temperature=0), "today": TODAY, **options}
    for _ in range(6):
        reply = answer(Prompt(messages, **options))
        if not reply.calls:
            return made, reply.text
        ids = [f"call_{len(messages)}_{at}" for at in range(len(reply.calls))]
        made += [call.arguments for call in reply.calls]
        functions = [
            {"id": i, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for i, c in zip(ids, reply.calls, strict=True)
        ]
        messages.append({"role": "assistant", "content": "", "tool_calls": functions})
        messages += [{"role": "tool", "tool_call_id": i, "content": waiting.pop(0)} for i in ids]
    raise AssertionError("the loop does not end")


@pytest.mark.parametrize(
    ("question", "result", "expected"),
    [
        ("Is it raining in Oslo?", '{"rain": true}', "Yes. For Oslo, get_weather reports rain: yes."),
        ("Is it raining in Oslo?", '{"rain": false}', "No. "),
        (
            "What's the weather in Paris?",
            '{"city": "Paris", "temp_c": 18}',
            "According to get_weather: city: Paris, temp c: 18.",
        ),
        ("北京天气怎么样?", "北京今天是晴天。", "北京今天是晴天。"),
        ("北京天气怎么样?", '{"温度": 3, "风": {"级": 2}}', "北京：温度: 3，风: (级: 2)（来自 get_weather）。"),
        ("What is 17*23?", "391", "The result is 391."),
        ("Weather in Paris?", "4 °C, rain", "Paris: 4 °C, rain."),
        ("Do I need an umbrella in Oslo?", "12 °C, light rain", "Yes: 12 °C, light rain."),
        ("Do I need an umbrella in Lima?", "19 °C, no rain", "No rain is reported: 19 °C, no rain."),
        ("Do I need an umbrella in Lima?", '{"sky": "storm"}', "Yes. For Lima, get_weather reports sky: storm."),
        ("北京今天需要带伞吗？", "小雨", "是的：小雨。"),
        ("上海今天需要带伞吗？", "晴，没有雨", "结果里没有提到下雨：晴，没有雨。"),
        ("Weather in Paris?", '{"error": "city not found"}', "The tool get_weather reported an error: city not found"),
        ("Weather in Paris?", "Error: timeout", "reported an error: Error: timeout"),
        ("Weather in Paris?", "KeyError: 'Paris'", "reported an error: KeyError: 'Paris'"),
        ("Weather in Paris?", "", "returned nothing"),
    ],
)
def test_it_tells_what_a_tool_brought(question: str, result: str, expected: str) -> None:
    made, text = loop(question, result)
    assert len(made) == 1
    assert expected in text


@pytest.mark.parametrize(
    ("question", "offered", "results", "expected"),
    [
        ("Weather in Oslo and Lima?", WEATHER, ["4 °C, rain", "19 °C, fog"], "Oslo: 4 °C, rain. Lima: 19 °C, fog."),
        ("Umbrella in Oslo and Lima? Do I need one?", WEATHER, ["rain", "fog"], "Oslo: rain. Lima: fog."),
        ("奥斯陆和北京天气怎么样？", WEATHER, ["4 °C，雨", "北京今天晴。"], "奥斯陆：4 °C，雨。北京今天晴。"),
        ("Weather in Paris and what is 12*12?", WEATHER, ["fog", "144"], "Paris: fog. 12 * 12: 144."),
    ],
)
def test_several_results_say_what_each_is_about(question: str, offered: Any, results: list[str], expected: str) -> None:
    _, text = loop(question, *results, tools=[offered, SUMS], parallel_tool_calls=True)
    assert text == expected


def test_without_parallel_calls_it_works_through_them_one_by_one() -> None:
    made, text = loop("Weather in Paris and London?", '{"temp_c": 18}', '{"temp_c": 12}')
    assert made == ['{"city": "Paris"}', '{"city": "London"}']
    assert "18" in text
    assert "12" in text


HOME = tool("home", "The city where a person lives", ("person",), person=TEXT)
NEXT = tool("successor", "The number that follows a number", ("number",), number=WHOLE)
FIRST = tool("start", "The first number", ())


def test_what_one_tool_brings_another_may_need() -> None:
    made, text = loop(
        "What is the weather where Ada lives?", '{"city": "Rome"}', '{"temp_c": 18}', tools=[WEATHER, HOME]
    )
    assert made == ['{"person": "Ada"}', '{"city": "Rome"}']
    assert "18" in text
    made, _ = loop("What is the weather where Ada lives?", '{"city": 7}', tools=[WEATHER, HOME])
    assert made == ['{"person": "Ada"}']


def test_a_tool_does_not_live_on_its_own_results() -> None:
    results = [json.dumps({"number": at}) for at in range(1, 6)]
    made, _ = loop("What is the first number, and which number follows it?", *results, tools=[FIRST, NEXT])
    assert made == ["{}", '{"number": 1}']


def test_thinking_names_the_tool_it_chose() -> None:
    thought = "".join(ask("What's the weather in Paris?", thinking=True).thinking)
    assert "get_weather" in thought
    assert '{"city": "Paris"}' in thought
