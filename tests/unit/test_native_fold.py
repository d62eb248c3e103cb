"""The native protocol read: recorded frames and answers of every shape against what they must become."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit import errors
from qwenkit.protocol import native, tasks
from qwenkit.protocol.flow import Answer, Request
from qwenkit.protocol.native_stream import NativeFold
from qwenkit.protocol.sse import EventDecoder
from qwenkit.types.reply import Choice, Piece, Reply, ToolCall
from qwenkit.types.task import Task
from qwenkit.types.usage import CompletionDetails, PromptDetails, Usage

RECORDED = Path(__file__).parents[1] / "recorded" / "native"
STREAMS = sorted(path.stem for path in RECORDED.glob("*.sse"))
BROKEN = {"error_first", "error_after_text", "error_without_event", "cut"}
REPEATING = {"text", "cumulative", "thinking_cumulative", "tools_cumulative"}
TASK = "5d4c3b2a-9f8e-4c1d-8b7a-665544332211"


def fold(data: bytes, cumulative: bool = False, size: int = 10_000) -> tuple[NativeFold, list[Piece]]:
    decoder, folded = EventDecoder(), NativeFold(model="qwen-plus", cumulative=cumulative, request="POST /generation")
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    events = [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.close()
    return folded, [piece for event in events for piece in folded.add(event.data)]


def recorded(name: str) -> bytes:
    return (RECORDED / f"{name}.sse").read_bytes()


def whole(name: str) -> Reply:
    return native.read((RECORDED / f"{name}.json").read_bytes(), model="qwen-plus")


CALLS = [
    ToolCall("call_9f31", "lookup_tide", '{"port": "Brest"}', 0),
    ToolCall("call_9f32", "lookup_tide", '{"port": "Oban"}', 1),
]
PICTURE = Usage(1290, 6, 1296, PromptDetails(text_tokens=43, image_tokens=1247), CompletionDetails(text_tokens=6))
THOUGHT = Usage(11, 3, 14, None, CompletionDetails(reasoning_tokens=2))
BECOMES: dict[str, tuple[list[Choice], Usage | None]] = {
    "incremental": ([Choice(text="43", finish_reason="stop")], Usage(22, 2, 24)),
    "text": ([Choice(text="43", finish_reason="stop")], Usage(22, 2, 24)),
    "cumulative": ([Choice(text="潮水九点转 🌊", finish_reason="stop")], Usage(14, 6, 20)),
    "multimodal": ([Choice(text="A red kite.", finish_reason="stop")], PICTURE),
    "thinking": ([Choice(text="Four", thinking="Two and two.", finish_reason="stop")], THOUGHT),
    "thinking_cumulative": ([Choice(text="Four", thinking="Two and two.", finish_reason="stop")], THOUGHT),
    "tools": ([Choice(tool_calls=CALLS, finish_reason="tool_calls")], Usage(90, 18, 108)),
    "tools_cumulative": ([Choice(tool_calls=CALLS, finish_reason="tool_calls")], Usage(90, 18, 108)),
    "two_choices": (
        [Choice(0, "A", finish_reason="stop"), Choice(1, "B!", finish_reason="stop")],
        Usage(9, 3, 12),
    ),
    "changing_ids": ([Choice(text="Hi", finish_reason="stop")], Usage(9, 1, 10)),
    "late_usage": ([Choice(text="Hi", finish_reason="stop")], None),
    "spaced": ([Choice(text="Hi", finish_reason="stop")], Usage(9, 1, 10)),
    "search": ([Choice(text="Tides turn at nine.", finish_reason="stop")], Usage(14, 6, 20, tools={"search": 2})),
    "wrong_types": ([Choice(text="Hi", finish_reason="stop")], Usage(9, 1, 10)),
}


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("name", [name for name in STREAMS if name not in BROKEN])
def test_a_recorded_stream_becomes_its_reply(name, size):
    folded, pieces = fold(recorded(name), name in REPEATING, size)
    choices, usage = BECOMES[name]
    reply = folded.reply()
    assert (reply.choices, reply.usage, reply.model) == (choices, usage, "qwen-plus")
    assert folded.ended
    for choice in choices:
        mine = [piece for piece in pieces if piece.index == choice.index]
        assert "".join(piece.text for piece in mine) == choice.text
        assert "".join(piece.thinking for piece in mine) == choice.thinking
        arguments = "".join(piece.tool.arguments for piece in mine if piece.tool)
        assert arguments == "".join(call.arguments for call in choice.tool_calls)


def test_every_recording_is_looked_at():
    assert {*BECOMES, *BROKEN} == set(STREAMS)


def test_a_cumulative_stream_is_not_doubled_by_what_it_repeats():
    pieces = fold(recorded("tools_cumulative"), True)[1]
    assert [piece.tool.arguments for piece in pieces if piece.tool] == ['{"port": ', '"Brest"}', '{"port"', ': "Oban"}']


def test_usage_rides_on_the_pieces():
    pieces = fold(recorded("incremental"))[1]
    assert [(piece.text, piece.usage.completion) for piece in pieces if piece.usage] == [("4", 1), ("3", 2), ("", 2)]


def test_the_last_id_holds():
    folded, _ = fold(recorded("changing_ids"))
    assert folded.reply().id == folded.request_id == "0c1d2e3f-0002-4a2b-9c3d-44556677aabb"


def test_raw_keeps_what_no_field_holds():
    reply = fold(recorded("search"))[0].reply()
    assert reply.raw[0]["output"]["search_info"]["search_results"][0]["site_name"] == "sea.example"


@pytest.mark.parametrize(
    ("name", "kind", "code", "arrived"),
    [
        ("error_first", errors.InvalidRequest, "InvalidParameter", ""),
        ("error_after_text", errors.RateLimited, "Throttling.AllocationQuota", "4"),
        ("error_without_event", errors.ServerError, "InternalError", "4"),
    ],
)
def test_error_frames_raise_and_carry_what_had_arrived(name, kind, code, arrived):
    with pytest.raises(kind) as caught:
        fold(recorded(name))
    assert (caught.value.code, caught.value.reply.text) == (code, arrived)


def test_a_stream_without_its_end_has_not_ended():
    assert not fold(recorded("cut"))[0].ended


def test_rubbish_breaks_the_stream():
    with pytest.raises(errors.StreamBroken):
        fold(recorded("cut") + b"data:{oh\n\n")


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_fold(data):
    with contextlib.suppress(errors.QwenError):
        fold(b"data:" + data + b"\n\n", True)


@pytest.mark.parametrize("name", ["whole_text", "whole_message", "whole_as_the_sdk_prints"])
def test_one_reading_serves_all_shapes(name):
    reply = whole(name)
    assert (reply.text, reply.finish_reason, reply.usage.total, reply.usage.prompt) == ("43", "stop", 24, 22)


def test_content_items_are_joined():
    reply = whole("whole_items")
    assert (reply.text, reply.usage) == ("A red kite.", PICTURE)


def test_choices_keep_the_numbers_they_come_with():
    told = b'{"output":{"choices":[{"index":1,"message":{"content":"B"}},{"index":0,"message":{"content":"A"}}]}}'
    assert [choice.index for choice in native.read(told, model="qwen-plus").choices] == [1, 0]


def test_tool_calls_are_read():
    (call,) = whole("whole_tools").tool_calls
    assert (call.id, call.name, call.arguments) == ("call_9f31", "lookup_tide", '{"port": "Brest"}')


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"output":null}', b'{"output":7}', b"<html>", b"\xff"])
def test_what_is_no_answer_says_so(data):
    with pytest.raises(errors.ServerError, match="not one of the native API"):
        native.read(data, model="qwen-plus")


def test_an_error_with_a_200_is_an_error():
    with pytest.raises(errors.InvalidRequest):
        native.read(b'{"code":"InvalidParameter","message":"no","request_id":"x"}', model="qwen-plus")


# -- bodies -------------------------------------------------------------------------------------------------------


def body(prompt: Any, to: str = native.TEXT, model: str = "qwen-plus", **options: Any) -> dict[str, Any]:
    return native.body(prompt, options, model=model, to=to)


def test_a_body_has_three_parts():
    assert body("Hi", top_p=0.5) == {
        "model": "qwen-plus",
        "input": {"messages": [{"role": "user", "content": "Hi"}]},
        "parameters": {"result_format": "message", "top_p": 0.5},
    }


def test_chat_parts_are_respelled():
    parts = [
        {"type": "text", "text": "?"},
        {"type": "image_url", "image_url": {"url": "https://x.example/1.png"}},
        {"type": "input_audio", "input_audio": {"data": "data:,"}},
    ]
    sent = body([{"role": "user", "content": parts}], native.MULTIMODAL, "qwen3-vl-plus")["input"]["messages"][0]
    assert sent["content"] == [{"text": "?"}, {"image": "https://x.example/1.png"}, {"audio": "data:,"}]


@pytest.mark.parametrize(
    "part", [{"type": ["image_url"]}, {"type": "image_url"}, {"type": "image_url", "image_url": None}]
)
def test_odd_parts_are_left_to_the_service(part):
    sent = body([{"role": "user", "content": [part]}], native.MULTIMODAL, "qwen3-vl-plus")["input"]["messages"]
    assert list(sent[0]["content"][0]) == [key for key in part if key != "type"]


@pytest.mark.parametrize("value", ["dog.png", "file:///dog.png", Path("dog.png"), 7])
def test_a_file_is_not_sent(value):
    with pytest.raises(errors.ConfigError, match="cannot be sent"):
        body(native.turns([{"image": value}]), native.MULTIMODAL, "qwen3-vl-plus")


def test_a_typo_finds_its_option():
    with pytest.raises(errors.ConfigError, match="result_format"):
        body("Hi", result_formt="text")


@pytest.mark.parametrize("name", ["stream_options", "modalities", "audio"])
def test_options_that_are_only_chats_are_refused(name):
    with pytest.raises(errors.ConfigError, match="native API has no option"):
        body("Hi", **{name: {}})


def test_where_models_live():
    assert native.path("qwen-plus") == native.path("never-heard-of") == native.TEXT
    assert native.path("qwen3.5-plus") == native.path("qwen3-vl-plus") == native.MULTIMODAL


# -- tasks --------------------------------------------------------------------------------------------------------


def task(name: str, before: Any = "") -> Any:
    answer = Answer(200, {"x-request-id": "r"}, (RECORDED / f"{name}.json").read_bytes())
    return tasks.read(answer, Request("GET", "http://x/tasks/1"), before)


def test_a_task_that_runs():
    seen = task("task_running")
    assert (seen.id, seen.status, seen.done, seen.urls) == (TASK, "RUNNING", False, [])
    assert seen.metrics == {"TOTAL": 4, "SUCCEEDED": 1, "FAILED": 0}
    assert seen.times == {"submitted": "2026-02-03 10:11:12.013", "begun": "2026-02-03 10:11:12.040"}


def test_a_task_that_partly_succeeded():
    seen = task("task_succeeded")
    assert (seen.ok, len(seen.urls), seen.url) == (True, 2, "https://results.example/1.png?Expires=1")
    assert seen.code == ""


@pytest.mark.parametrize(
    ("name", "code"), [("task_failed", "InvalidParameter"), ("task_failed_elsewhere", "InvalidURL")]
)
def test_a_task_that_failed_says_why(name, code):
    seen = task(name)
    error = tasks.failed(seen)
    assert (seen.done, seen.ok, seen.code, error.task) == (True, False, code, seen)
    assert code in str(error)


def test_a_code_alone_is_told_once_and_in_words():
    silent = "SUCCESS_WITH_NO_VALID_FRAGMENT"
    error = tasks.failed(Task(TASK, "FAILED", output={"code": silent, "message": silent}))
    assert str(error).startswith(f"the task failed: no speech was found in the recording ({silent}) → check")


def test_a_task_needs_an_id_only():
    assert (task("task_minimal").id, task("task_minimal").status) == (TASK, "PENDING")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"output":7}', b'{"output":{}}', b"\xff"])
def test_what_is_no_task_says_so(data):
    with pytest.raises(errors.ServerError, match="not a task"):
        tasks.read(Answer(200, {}, data), Request("POST", "http://x/"))


def test_what_is_no_list_is_not_taken_for_an_empty_one():
    for data in (b"", b"[]", b"{}", b'{"data":7}'):
        with pytest.raises(errors.ServerError):
            tasks.read_list(Answer(200, {}, data), Request("GET", "http://x/"))


def test_a_list_with_surprises():
    data = b'{"data":[{"task_id":"a","status":"FAILED","model_name":"m","code":"X"},7,{}],"total":"many"}'
    table = tasks.read_list(Answer(200, {}, data), Request("GET", "http://x/"))
    assert [(row.id, row.status) for row in table] == [("a", "FAILED"), ("", "UNKNOWN")]
    assert table.total == 2
