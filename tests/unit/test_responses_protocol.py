"""The Responses protocol without I/O: what is sent for what was given, what is refused, and what is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import qwenkit as qk
from qwenkit.protocol import chat
from qwenkit.protocol import responses as protocol
from qwenkit.protocol.failures import build
from qwenkit.types.reply import Choice, Reply, ToolCall
from qwenkit.types.response import ConversationObject, Item, Items, Response
from qwenkit.types.response_tree import ResponseTree

RECORDED = Path(__file__).parents[1] / "recorded" / "responses"
CALL = {"type": "function_call", "call_id": "call_77", "name": "tide", "arguments": '{"port": "Brest"}'}
RESULT = {"type": "function_call_output", "call_id": "call_77", "output": "4.1"}


def tide(port: str) -> float:
    """How high the tide is in a port."""
    return 4.1


def sent(prompt: Any = "Hi", /, **options: Any) -> dict[str, Any]:
    how = {name: options.pop(name) for name in ("system", "previous", "conversation", "stream") if name in options}
    return protocol.body(prompt, options, model="m", **how)


def answered(**wire: Any) -> Response:
    return protocol.response({"id": "resp_1", "object": "response", "status": "completed", **wire})


# -- what is sent -------------------------------------------------------------------------------------------------


def test_a_text_stays_a_text_and_nothing_is_added():
    assert sent() == {"model": "m", "input": "Hi"}
    assert sent(stream=True) == {"model": "m", "input": "Hi", "stream": True}


@pytest.mark.parametrize(
    ("prompt", "items"),
    [
        (
            ["Hi", {"role": "user", "content": "Again"}],
            [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Again"}],
        ),
        (qk.Message.user("Hi"), [{"role": "user", "content": "Hi"}]),
        ({"role": "user", "content": "Hi"}, [{"role": "user", "content": "Hi"}]),
        ([CALL, RESULT], [CALL, RESULT]),
        (qk.Message.tool("4.1", "call_77"), [RESULT]),
        (Reply(choices=[Choice(tool_calls=[ToolCall("call_77", "tide", '{"port": "Brest"}')])]), [CALL]),
        (Reply(choices=[Choice(text="Yes")]), [{"role": "assistant", "content": "Yes"}]),
        (Items([Item(CALL), Item(RESULT)]), [CALL, RESULT]),
        ([answered(output=[CALL]), Item(RESULT), "So?"], [CALL, RESULT, {"role": "user", "content": "So?"}]),
    ],
)
def test_everything_that_can_be_said_becomes_items(prompt: Any, items: list[Any]):
    assert sent(prompt)["input"] == items


@pytest.mark.parametrize("prompt", [[], (), 7, [7], b"bytes", None])
def test_what_cannot_be_said_is_refused(prompt: Any):
    with pytest.raises(qk.ConfigError):
        sent(prompt)


def test_a_turn_goes_on_from_a_reply_or_its_id():
    assert sent(previous=answered())["previous_response_id"] == "resp_1"
    assert sent(previous="resp_2")["previous_response_id"] == "resp_2"
    assert sent(conversation="conv_1")["conversation"] == "conv_1"


@pytest.mark.parametrize("previous", ["", 7, Response({}), Reply(id="chatcmpl-1"), ["resp_1"]])
def test_what_has_no_id_cannot_be_gone_on_from(previous: Any):
    with pytest.raises(qk.ConfigError, match="previous"):
        sent(previous=previous)


def test_one_history_is_enough():
    with pytest.raises(qk.ConfigError, match="not from both"):
        sent(previous="a", conversation="b")
    with pytest.raises(qk.ConfigError, match="same thing"):
        sent(system="a", instructions="b")


def test_friendly_options_become_wire_fields():
    assert sent(system="Be terse.")["instructions"] == "Be terse."
    assert sent(thinking=True)["enable_thinking"] is True
    assert sent(thinking="low")["reasoning"] == {"effort": "low"}
    assert sent(extra={"brand_new": 1})["brand_new"] == 1
    assert "session_cache" not in sent(session_cache=True, timeout=3)


def test_tools_are_names_functions_and_dicts_of_both_shapes():
    flat = {"type": "function", "name": "rain", "parameters": {"type": "object"}}
    nested = {"type": "function", "function": {"name": "snow", "parameters": {"type": "object"}}}
    files = {"type": "file_search", "vector_store_ids": ["kb-1"]}
    tools = sent(tools=["web_search", tide, flat, nested, files])["tools"]
    assert [tool["type"] for tool in tools] == ["web_search", "function", "function", "function", "file_search"]
    assert [tool.get("name") for tool in tools[1:4]] == ["tide", "rain", "snow"]
    assert tools[1]["parameters"]["required"] == ["port"]
    assert tools[4] == files
    assert sent(tools="web_search")["tools"] == sent(tools=["web_search"])["tools"]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"max_output_token": 1}, "max_output_tokens"),
        ({"max_tokens": 1}, "max_output_tokens"),
        ({"previous_response_id": "x"}, "previous=reply"),
        ({"schema": {}}, "qwen.chat"),
        ({"thinking": 500}, "effort"),
        ({"run_tools": True}, "stream.reply"),
        ({"thinking_budget": 500}, "effort"),
        ({"wholly_new": 1}, "extra="),
        ({"tools": ["websearch"]}, "web_search"),
        ({"tools": ["mcp"]}, "server_url"),
        ({"tools": ["file_search"]}, "vector_store_ids"),
        ({"tools": [7]}, "function"),
        ({"tools": [tide, {"type": "function", "name": "tide"}]}, "name of its own"),
        ({"extra": ["a"]}, "dict"),
    ],
)
def test_a_wrong_option_is_refused_with_its_cure(options: dict[str, Any], hint: str):
    with pytest.raises(qk.ConfigError) as raised:
        sent(**options)
    assert hint in raised.value.hint


# -- what is read -------------------------------------------------------------------------------------------------


def test_a_whole_answer_is_read():
    reply = protocol.read((RECORDED / "whole.json").read_bytes())
    assert (reply.text, reply.thinking, reply.status) == ("Hello there.", "User wants a greeting.", "completed")
    assert (reply.usage.prompt, reply.usage.completion, reply.usage.reasoning) == (50, 60, 41)
    assert reply.raw["service_tier"] == "default"
    assert (reply.choices[0].text, reply.finish_reason) == (reply.text, "stop")


def test_a_response_is_a_reply_to_code_that_knows_chat():
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes"}]}
    reply = answered(output=[said, CALL])
    assert isinstance(reply, Reply)
    assert (reply.finish_reason, reply.message.text) == ("tool_calls", "Yes")
    assert chat.messages([reply])[0]["tool_calls"][0]["id"] == "call_77"
    assert answered(status="incomplete").finish_reason == "length"
    assert answered(status="failed").finish_reason is None


def test_the_bill_may_name_its_tools_in_three_places():
    tokens = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    used = {"web_search": {"count": 1}}
    for bill in (
        {"x_tools": used, "x_details": [{**tokens, "plugins": used}]},
        {"plugins": used},
        {"x_details": [{**tokens, "plugins": used}, tokens, "odd"]},
    ):
        read = protocol.usage({**tokens, **bill})
        assert (read.tools, read.total) == ({"web_search": 1}, 5)
    assert protocol.usage(None) is None
    assert protocol.usage({**tokens, "x_details": [tokens]}).parts == [tokens]


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"hello": 1}', b"null", b'"text"'])
def test_what_is_no_response_says_so(body: bytes):
    with pytest.raises(qk.ServerError, match="not a response"):
        protocol.read(body, request="POST /responses", request_id="r")


def test_an_error_with_a_200_is_an_error():
    with pytest.raises(qk.InvalidRequest, match="bad"):
        protocol.read(b'{"code": "InvalidParameter", "message": "bad", "request_id": "r"}')


def test_a_new_response_that_failed_raises_and_a_stored_one_says_why():
    body = json.dumps({"id": "r", "status": "failed", "error": {"code": "InternalError", "message": "broken"}}).encode()
    with pytest.raises(qk.ServerError, match="broken") as raised:
        protocol.read(body)
    assert raised.value.reply.status == "failed"
    assert protocol.response(json.loads(body)).error.message == "broken"


def test_a_conversation_is_read_whatever_else_it_says():
    odd = {"id": "c", "created_at": "soon", "metadata": {"a": "b"}, "deleted": None, "more": 1}
    assert protocol.conversation(odd) == ConversationObject("c", 0, {"a": "b"})
    for metadata in (None, "text", {"a": 3}):
        assert protocol.conversation({"id": "c", "metadata": metadata}) == ConversationObject("c")


@pytest.mark.parametrize("reason", [{"reason": "max_output_tokens"}, None, "text"])
def test_why_an_answer_was_cut_may_be_missing(reason: Any):
    reply = answered(status="incomplete", incomplete_details=reason)
    assert reply.incomplete == ("max_output_tokens" if isinstance(reason, dict) else "unknown")


def test_a_result_answers_its_call():
    reply = answered(output=[CALL])
    assert reply.result(reply.tool_calls[0], "4.1") == RESULT
    assert reply.result("call_77", {"m": 4.1})["output"] == '{"m":4.1}'


EXCLUSIVE = "Mutually exclusive parameters: Ensure you are only providing one of: a or b."
RANGE = "Invalid '{}': 9. Expected a value between {}, but got 9 instead."
REFUSED = [  # most are a 400 InvalidParameter
    ("Unsupported model: 'nope'", "NotFound", "qwen.models"),
    ("Invalid 'max_output_tokens': must be greater than or equal to 16, got 1.", "InvalidRequest", "16"),
    (RANGE.format("top_p", "(0,1]"), "InvalidRequest", "up to 1"),
    (RANGE.format("temperature", "[0,2)"), "InvalidRequest", "not including, 2"),
    ("Invalid 'reasoning.effort': x. Supported values are: ('none','minimal').", "InvalidRequest", "'xhigh'"),
    ("Invalid 'store': x. Must be a boolean.", "InvalidRequest", "store=False"),
    ("Not found previous_response_id: resp_1", "NotFound", "7 days"),
    (EXCLUSIVE, "InvalidRequest", "not both"),
    (EXCLUSIVE, "InvalidRequest", "not both", "INVALID_REQUEST"),
    ("<400> InternalError.Algo.InvalidParameter: tools.0.name is missing", "InvalidRequest", "message names"),
    ("Response with id 'resp_x' not found.", "NotFound", "7 days", "InvalidParameter", 404),
    ("Conversation with id 'conv_x' not found.", "NotFound", "deleted"),
    ("No API-key provided.", "AuthError", "DASHSCOPE_API_KEY", "InvalidApiKey", 401),
    ("Not support", "NotFound", "path", "Not Found", 404),
    ("Method 'GET' is not allowed for '/responses'.", "InvalidRequest", "POST", "Method Not Allowed", 405),
]


@pytest.mark.parametrize("refused", REFUSED, ids=[row[0] for row in REFUSED])
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_every_documented_error_has_its_class_and_cure(refused: Any, nested: bool):
    message, kind, cure, code, status = (*refused, *("InvalidParameter", 400)[len(refused) - 3 :])
    flat = {"code": code, "message": message, "request_id": "r"}
    body = {"error": {"message": message, "type": code}, "request_id": "r"} if nested else flat
    error = build(status, {}, json.dumps(body).encode(), request="POST /responses")
    assert (type(error).__name__, error.code, error.request_id) == (kind, code, "r")
    assert cure in error.hint


# -- the tree -----------------------------------------------------------------------------------------------------


def grown() -> ResponseTree:
    tree = ResponseTree()
    for name, previous in (("a", ""), ("b", "a"), ("c", "a"), ("d", "b"), ("e", "gone")):
        reply = answered(id=name, previous_response_id=previous or None)
        tree.add(f"ask {name}", reply)
    return tree


def test_a_tree_knows_what_goes_on_from_what():
    tree = grown()
    assert [turn.after for turn in tree] == [0, 1, 1, 2, -1]
    assert [turn.number for turn in tree.after(None)] == [1, 5]
    assert [turn.number for turn in tree.after(tree.turns[0])] == [2, 3]


def test_the_turns_of_a_conversation_are_a_chain():
    tree = ResponseTree()
    for name in "abc":
        tree.add("hi", answered(id=name, conversation={"id": "conv_1"}))
    assert [turn.after for turn in tree] == [0, 1, 2]


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("Hi", "Hi"),
        ([{"role": "user", "content": "Hi"}], "Hi"),
        ([{"role": "user", "content": "Hi"}, CALL, RESULT], "(1 tool result)"),
        ([RESULT, RESULT], "(2 tool results)"),
        ([RESULT, {"role": "user", "content": [{"type": "input_text", "text": "So?"}]}], "So?"),
        (7, ""),
        ([], ""),
    ],
)
def test_what_a_turn_asks_in_a_few_words(given: Any, asked: str):
    assert protocol.asked(given) == asked
