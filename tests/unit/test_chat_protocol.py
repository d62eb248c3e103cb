"""The chat protocol without I/O: words and options become a body, an answer's bytes become a reply."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit.errors import ConfigError, RateLimited, ServerError
from qwenkit.protocol import chat
from qwenkit.types.message import Message
from qwenkit.types.options import FRIENDLY, KNOWN, ChatOptions
from qwenkit.types.reply import Choice, Reply, ToolCall
from qwenkit.types.usage import PromptDetails, Usage

RECORDED = Path(__file__).parents[1] / "recorded" / "chat"
HI = [{"role": "user", "content": "Hi"}]


def body(options: dict[str, Any] | None = None, *, stream: bool = False, system: str = "") -> dict[str, Any]:
    return chat.body("Hi", options or {}, model="qwen-plus", system=system, stream=stream)


# -- messages -----------------------------------------------------------------------------------------------------


def test_a_string_is_one_user_message():
    assert chat.messages("Hi") == HI


def test_one_message_or_dict_stands_for_a_list_of_one():
    assert chat.messages(Message.user("Hi")) == chat.messages({"role": "user", "content": "Hi"}) == HI


def test_kinds_may_be_mixed_and_any_iterable_will_do():
    turns = [Message.system("Be terse."), {"role": "user", "content": "1+1?"}, Message.assistant("2"), "And 2+2?"]
    assert [turn["content"] for turn in chat.messages(iter(turns))] == ["Be terse.", "1+1?", "2", "And 2+2?"]
    assert chat.messages(iter(turns))[-1]["role"] == "user"


def test_system_goes_first():
    assert chat.messages("Hi", system="Be terse.") == [{"role": "system", "content": "Be terse."}, *HI]


def test_what_the_caller_passed_is_not_changed():
    given_ = [{"role": "user", "content": "Hi", "odd": 1}]
    wire = chat.messages(given_, system="Be terse.")
    wire[1]["content"] = "changed"
    assert given_ == [{"role": "user", "content": "Hi", "odd": 1}]


@pytest.mark.parametrize("nothing", [[], (), iter([])])
def test_nothing_to_send_is_refused(nothing: Any):
    with pytest.raises(ConfigError, match="nothing to send"):
        chat.messages(nothing)


@pytest.mark.parametrize("odd", [None, 7, 1.5, True, [7], [None], b"bytes", [b"bytes"], object()])
def test_what_is_no_message_is_refused_with_its_cure(odd: Any):
    with pytest.raises(ConfigError, match=r"a message cannot be of type \w+") as raised:
        chat.messages(odd)
    assert "qk.Message.user" in raised.value.hint


# -- options ------------------------------------------------------------------------------------------------------


def test_the_smallest_body_is_model_and_messages():
    assert body() == {"model": "qwen-plus", "messages": HI}


WIRE: dict[str, Any] = {
    "temperature": 0.4,
    "top_p": 0.9,
    "top_k": None,
    "seed": 7,
    "n": 2,
    "max_tokens": 30,
    "max_completion_tokens": 60,
    "stop": ["\n", "END"],
    "repetition_penalty": 1.1,
    "presence_penalty": -0.5,
    "logprobs": True,
    "top_logprobs": 3,
    "response_format": {"type": "json_object"},
    "tools": [{"type": "function", "function": {"name": "rain_now", "parameters": {"type": "object"}}}],
    "tool_choice": {"type": "function", "function": {"name": "rain_now"}},
    "parallel_tool_calls": True,
    "tool_stream": True,
    "stream_options": {"include_usage": True},
    "enable_thinking": True,
    "thinking_budget": 100,
    "reasoning_effort": "low",
    "preserve_thinking": True,
    "enable_search": True,
    "search_options": {"forced_search": True},
    "enable_text_image_mixed": False,
    "enable_code_interpreter": True,
    "skill": [{"type": "ppt"}],
    "modalities": ["text", "audio"],
    "audio": {"voice": "Cherry", "format": "wav"},
    "vl_high_resolution_images": True,
    "asr_options": {"language": "en"},
    "translation_options": {"target_lang": "English"},
    "user": "u1",
    "metadata": {"lesson": "01"},
}


def test_every_documented_parameter_has_an_option():
    assert set(WIRE) | FRIENDLY == KNOWN == set(ChatOptions.__annotations__)


@pytest.mark.parametrize("name", WIRE)
def test_wire_options_travel_as_they_are(name: str):
    assert body({name: WIRE[name]}) == {"model": "qwen-plus", "messages": HI, name: WIRE[name]}


@pytest.mark.parametrize(
    ("thinking", "wire"),
    [
        (None, {}),
        (True, {"enable_thinking": True}),
        (False, {"enable_thinking": False}),
        (200, {"enable_thinking": True, "thinking_budget": 200}),
        ("low", {"reasoning_effort": "low"}),
    ],
)
def test_thinking_is_a_switch_a_budget_or_an_effort(thinking: Any, wire: dict[str, Any]):
    assert body({"thinking": thinking}) == {"model": "qwen-plus", "messages": HI, **wire}


def test_friendly_options_do_not_travel():
    assert body({"timeout": 3.0, "extra": None, "thinking": None}) == body()


def test_extra_goes_in_last_and_wins():
    assert body({"seed": 1, "extra": {"seed": 2, "new_field": {"a": 1}}}) == {
        **body(),
        "seed": 2,
        "new_field": {"a": 1},
    }


def test_a_stream_asks_for_its_usage_unless_told_otherwise():
    assert body(stream=True) == {**body(), "stream": True, "stream_options": {"include_usage": True}}
    assert body({"stream_options": {"include_usage": False}}, stream=True)["stream_options"] == {"include_usage": False}


def test_a_misspelt_option_names_the_nearest():
    with pytest.raises(ConfigError, match="no option 'temprature'") as raised:
        body({"temprature": 0.1})
    assert raised.value.hint == "did you mean 'temperature'?"


@pytest.mark.parametrize(
    ("name", "cure"), [("stream", "qwen.chat.stream(…)"), ("messages", "qwen.chat([…])"), ("extra_body", "extra={…}")]
)
def test_what_users_of_other_libraries_look_for_is_pointed_at(name: str, cure: str):
    with pytest.raises(ConfigError) as raised:
        body({name: True})
    assert cure in raised.value.hint


def test_an_unknown_option_points_at_extra():
    with pytest.raises(ConfigError) as raised:
        body({"zzz": 1})
    assert "extra={'zzz': …}" in raised.value.hint


@given(st.text())
def test_words_are_encoded_as_they_are(words: str):
    wire = chat.body(words, {}, model="qwen-plus")
    try:
        words.encode()
    except UnicodeEncodeError:
        return
    assert json.loads(msgspec.json.encode(wire))["messages"][0]["content"] == words


# -- reading ------------------------------------------------------------------------------------------------------


def read(name: str) -> Reply:
    return chat.read((RECORDED / f"{name}.json").read_bytes())


def test_a_whole_answer_is_read():
    reply = read("whole")
    assert reply.choices == [Choice(text="Seven.", finish_reason="stop")]
    assert reply.usage == Usage(18, 2, 20, PromptDetails(cached_tokens=0))
    assert (reply.model, reply.created) == ("qwen-plus", 1790001234)
    assert reply.id == "chatcmpl-4d1f0a52-77c3-9b06-8e55-0c2f6a1b9d10"
    assert reply.raw["object"] == "chat.completion"


def test_tool_calls_and_thinking_of_a_whole_answer_are_read():
    reply = read("whole_tools")
    assert reply.tool_calls == [ToolCall("call_5b0f", "rain_now", '{"town": "Oslo"}', 0)]
    assert (reply.text, reply.thinking, reply.finish_reason) == ("", "Ask the station.", "tool_calls")


def test_tool_calls_without_an_index_are_counted():
    calls = [{"id": f"c{at}", "function": {"name": "now", "arguments": "{}"}} for at in (0, 1)]
    reply = chat.read(json.dumps({"choices": [{"message": {"tool_calls": calls}}]}).encode())
    assert [call.index for call in reply.tool_calls] == [0, 1]


def test_several_choices_are_several_texts():
    choices = [{"index": at, "message": {"content": text}} for at, text in enumerate(("red", "blue"))]
    reply = chat.read(json.dumps({"choices": choices}).encode())
    assert (reply.texts, reply.text) == (["red", "blue"], "red")


def test_an_answer_cut_by_the_services_own_timeout_has_no_reason():
    reply = chat.read(b'{"choices": [{"index": 0, "finish_reason": null, "message": {"content": "so f"}}]}')
    assert (reply.text, reply.finish_reason, reply.usage) == ("so f", None, None)


def test_an_answer_without_choices_is_an_empty_reply():
    reply = chat.read(b"{}")
    assert (reply.text, reply.texts, reply.tool_calls, reply.logprobs, reply.finish_reason) == ("", [], [], None, None)


@pytest.mark.parametrize("rubbish", [b"", b"<html>", b'{"choices": [', b"[]", b"null", b"\xff", b"[" * 10_000])
def test_a_body_that_is_no_completion_is_the_servers_fault(rubbish: bytes):
    with pytest.raises(ServerError, match="not a chat completion") as raised:
        chat.read(rubbish, request="POST /x", request_id="r1")
    assert (raised.value.request, raised.value.request_id, raised.value.status) == ("POST /x", "r1", 200)
    assert len(raised.value.raw) <= 2000
    assert raised.value.hint


@pytest.mark.parametrize(
    "refused",
    [
        b'{"error": {"code": "limit_requests", "message": "slow down"}, "request_id": "r2"}',
        b'{"code": "Throttling.RateQuota", "message": "slow down", "request_id": "r2"}',
    ],
)
def test_an_error_that_comes_with_a_good_status_is_an_error(refused: bytes):
    with pytest.raises(RateLimited, match="slow down") as raised:
        chat.read(refused, request="POST /x", request_id="r1")
    assert (raised.value.status, raised.value.request_id, raised.value.request) == (200, "r2", "POST /x")


@given(st.binary(max_size=60))
def test_any_body_is_read_or_refused_with_our_own_error(data: bytes):
    try:
        assert isinstance(chat.read(data), Reply)
    except ServerError as error:
        str(error)


def test_a_reply_prints_its_text_and_keeps_its_repr_short():
    reply = Reply(choices=[Choice(text="word " * 40)], model="qwen-plus", usage=Usage(3, 40))
    assert str(reply) == "word " * 40
    assert len(repr(reply)) < 130
    assert "tokens=43" in repr(reply)


def test_a_file_is_not_sent_to_a_model_that_would_see_only_its_id():
    asked = [{"role": "system", "content": "fileid://file-fe-1"}, {"role": "user", "content": "What does it say?"}]
    with pytest.raises(ConfigError, match=r"qwen-plus reads no files.*qwen-long"):
        chat.body(asked, {}, model="qwen-plus")
    for model in ("qwen-long", "qwen-doc-turbo", "a-model-nobody-knows"):
        assert chat.body(asked, {}, model=model)["messages"] == asked
