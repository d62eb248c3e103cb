"""Applications without I/O: bodies from words and options, replies from frames of every shape."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from qwenkit.errors import AuthError, ConfigError, PermissionDenied, ServerError, StreamBroken
from qwenkit.protocol import apps
from qwenkit.protocol.apps_stream import AppFold, read
from qwenkit.types.app import AppPiece, AppReply

BASE = type("KnowledgeBase", (), {"id": "kb1"})()


@pytest.mark.parametrize(
    ("options", "told", "parameters"),
    [
        ({}, {"prompt": "q"}, {}),
        ({"session": "5d0e"}, {"prompt": "q", "session_id": "5d0e"}, {}),
        ({"session": AppReply(session_id="5d0e")}, {"prompt": "q", "session_id": "5d0e"}, {}),
        (
            {"memory_id": "m1", "biz_params": {"lot": 7}},
            {"prompt": "q", "memory_id": "m1", "biz_params": {"lot": 7}},
            {},
        ),
        ({"images": ["https://x/a.png"]}, {"prompt": "q", "image_list": ["https://x/a.png"]}, {}),
        ({"thoughts": True, "thinking": False}, {"prompt": "q"}, {"has_thoughts": True, "enable_thinking": False}),
        ({"thinking": True}, {"prompt": "q"}, {"enable_thinking": True, "has_thoughts": True}),
        ({"search": True, "dialog_round": 3}, {"prompt": "q"}, {"enable_web_search": True, "dialog_round": 3}),
        ({"knowledge": [BASE, "kb2"]}, {"prompt": "q"}, {"rag_options": {"pipeline_ids": ["kb1", "kb2"]}}),
        (
            {"knowledge": BASE, "rag_options": {"tags": ["a"]}},
            {"prompt": "q"},
            {"rag_options": {"tags": ["a"], "pipeline_ids": ["kb1"]}},
        ),
        (
            {"rag_options": {"session_file_ids": ["file_session_1"]}},
            {"prompt": "q"},
            {"rag_options": {"session_file_ids": ["file_session_1"]}},
        ),
        ({"flow_stream_mode": "agent_format"}, {"prompt": "q"}, {"flow_stream_mode": "agent_format"}),
        ({"extra": {"mcp_servers": []}, "seed": 1}, {"prompt": "q"}, {"seed": 1, "mcp_servers": []}),
    ],
)
def test_options_become_the_body(options: dict[str, Any], told: dict[str, Any], parameters: dict[str, Any]):
    assert apps.body("q", options) == {"input": told, "parameters": parameters, "debug": {}}


def test_messages_take_the_place_of_the_prompt():
    history = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    assert apps.body("", {"messages": history})["input"] == {"messages": history}


def test_a_stream_asks_for_what_is_new():
    assert apps.body("q", {}, stream=True)["parameters"] == {"incremental_output": True}


@pytest.mark.parametrize(
    ("prompt", "options", "told"),
    [
        ("", {}, "ask in words"),
        ("", {"biz_params": {"x": 1}}, "biz_params"),
        ("q", {"messages": [{"role": "user", "content": "x"}]}, "do not go together"),
        ("", {"messages": [{"role": "user", "content": "x"}], "session": "s"}, "do not go together"),
        ("", {"messages": []}, "no messages"),
        ("", {"messages": ["hi"]}, "a role and a content"),
        ("q", {"session": AppReply()}, "belongs to no session"),
        ("q", {"session": 3}, "session cannot be 3"),
        ("q", {"thougts": True}, "did you mean 'thoughts'"),
        ("q", {"model": "qwen-max"}, "model_id"),
        ("q", {"flow_stream_mode": "fast"}, "full_thoughts"),
        ("q", {"rag_options": {"pipeline_ids": list("abcdef")}}, "at most 5"),
        ("q", {"rag_options": {"pipeline_ids": "kb"}}, "a list of ids"),
        ("q", {"rag_options": {"tags": ["a"]}}, "none is named"),
        ("q", {"rag_options": {"session_file_ids": ["file_1"]}}, "file_session_"),
        ("q", {"rag_options": ["kb"]}, "it is a dict"),
        ("q", {"knowledge": 3}, "knowledge cannot be 3"),
        ("q", {"rag_options": {"pipeline_ids": ["kb"], "file_id": ["x"]}}, "did you mean 'file_ids'"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(prompt: str, options: dict[str, Any], told: str):
    with pytest.raises(ConfigError, match=told):
        apps.body(prompt, options)


@pytest.mark.parametrize("given", ["", "a b", None, "sk-0123456789abcdef", 7])
def test_an_id_must_look_like_one(given: Any):
    with pytest.raises(ConfigError, match="no id of an application") as refused:
        apps.identity(given)
    assert "sk-0" not in str(refused.value)


def frame(output: dict[str, Any], usage: Any = None) -> bytes:
    return json.dumps({"output": output, "usage": usage or {}, "request_id": "r1"}).encode()


def folded(*frames: bytes, **how: Any) -> tuple[AppReply, list[AppPiece]]:
    fold = AppFold(**how)
    pieces = [piece for each in frames for piece in fold.add(each)]
    assert fold.ended
    return fold.reply(), pieces


def bill(model: str, read: int, said: int) -> dict[str, Any]:
    return {"models": [{"model_id": model, "input_tokens": read, "output_tokens": said}]}


LONG = "The harbour ferry leaves at nine, "


@pytest.mark.parametrize(
    ("texts", "incremental"),
    [
        ([LONG, "and ", "returns.", ""], True),
        ([LONG, LONG + "and ", LONG + "and returns."], False),
        ([LONG, LONG + "and ", LONG + "and returns."], True),  # a service that repeats though it was asked not to
        ([LONG, "and ", "returns."], True),
        (["The ", "harbour ferry leaves at nine, ", "and returns."], True),
    ],
)
def test_text_is_read_in_both_dialects(texts: list[str], incremental: bool):
    ends = ["null"] * (len(texts) - 1) + ["stop"]
    frames = [
        frame({"text": text, "finish_reason": end, "session_id": "s"}) for text, end in zip(texts, ends, strict=True)
    ]
    reply, pieces = folded(*frames, incremental=incremental)
    assert (reply.text, reply.finish_reason, reply.session_id) == (LONG + "and returns.", "stop", "s")
    assert "".join(piece.text for piece in pieces) == reply.text
    assert len(reply.raw) == len(texts)


def test_a_forced_stop_has_no_reason():
    assert folded(frame({"text": "half", "finish_reason": "null"}))[0].finish_reason is None


RAG = {
    "action_type": "agentRag",
    "action_name": "知识检索",
    "action": "rag",
    "arguments": '{"query": "pump"}',
    "observation": json.dumps([{"content": "P-4 fits.", "dataName": "pumps", "score": 0.7, "referenceIndex": 1}]),
}


@pytest.mark.parametrize("given", [{}, {"action_input": {"query": "pump"}}, {"action_input": '{"query": "pump"}'}])
def test_thoughts_repeated_by_every_frame_are_told_once(given: dict[str, Any]):
    thought = {**RAG, **given}
    without = {name: value for name, value in thought.items() if name != "observation"}
    ticks = itertools.count()
    reply, pieces = folded(
        frame({"thoughts": [without], "finish_reason": "null"}),
        frame({"thoughts": [thought], "finish_reason": "null", "text": "P-4"}),
        frame({"thoughts": [thought], "finish_reason": "stop", "text": "."}),
        clock=lambda: float(next(ticks)),
    )
    assert [piece.thought is not None for piece in pieces].count(True) == 1
    (found,) = reply.thoughts
    assert (found.action, found.input, found.seconds) == ("rag", {"query": "pump"}, 1.0)
    assert found.found[0]["content"] == "P-4 fits."


@pytest.mark.parametrize("pieces", [["Let me ", "see."], ["Let me ", "Let me see."]])
def test_reasoning_grows_in_both_dialects(pieces: list[str]):
    frames = [
        frame({"thoughts": [{"action": "reasoning", "action_type": "reasoning", "thought": each, "response": each}]})
        for each in pieces
    ]
    reply, seen = folded(*frames, frame({"text": "4", "finish_reason": "stop"}))
    assert reply.thinking == "Let me see."
    assert "".join(piece.thinking for piece in seen) == "Let me see."


def test_references_are_joined_with_their_scores_and_cited_in_order():
    wire = [
        {"index_id": "1", "title": "Pumps", "doc_name": "pumps", "text": "P-4 fits.", "page_number": [3], "images": []},
        {"index_id": "2", "title": "Valves", "doc_url": None, "page_number": None},
    ]
    text = "Use valve V <ref>[2]</ref> and pump P-4<ref>[1]</ref>."
    reply, _ = folded(frame({"thoughts": [RAG], "doc_references": wire, "text": text, "finish_reason": "stop"}))
    assert reply.words == "Use valve V [2] and pump P-4 [1]."
    assert [(each.number, each.title, each.score, each.pages) for each in reply.cited] == [
        (2, "Valves", None, []),
        (1, "Pumps", 0.7, [3]),
    ]


def node(kind: str, content: str, status: str = "executing", done: Any = False, parent: str | None = None) -> bytes:
    message = {"role": "assistant", "content": content}
    where = {"node_id": f"{kind}_1", "node_name": kind.title(), "node_type": kind, "parent_node_id": parent}
    state = {"node_status": status, "node_msg_seq_id": 0, "node_is_completed": done}
    return frame({"finish_reason": "null", "workflow_message": {**where, **state, "message": message}})


def test_nodes_append_text_and_replace_json():
    reply, pieces = folded(
        node("LLM", '{"result": "Rain"}'),
        node("LLM", '{"result": "Rain falls.", "reasoningContent": "hm"}', "success", "true"),
        node("Component", '{"nodeExecTime": "120ms", "output": "x", "errorInfo": ""}', "success", True, "Loop_1"),
        node("End", "Rain "),
        node("End", "falls.", "success", True),
        frame({"text": "Rain falls.", "finish_reason": "stop", "session_id": "s"}, bill("qwen-plus", 9, 3)),
    )
    assert [(step.kind, step.status, step.text, step.parent) for step in reply.steps] == [
        ("LLM", "success", "Rain falls.", ""),
        ("Component", "success", "x", "Loop_1"),
        ("End", "success", "Rain falls.", ""),
    ]
    assert (reply.text, reply.steps[1].seconds, reply.thinking) == ("Rain falls.", 0.12, "hm")
    assert "".join(piece.text for piece in pieces) == "Rain falls."


def test_the_bill_is_that_of_all_models():
    usage = {"models": [*bill("qwen-plus", 10, 2)["models"], *bill("qwen-max", 30, 4)["models"]]}
    reply, _ = folded(frame({"text": "x", "finish_reason": "stop"}, usage))
    assert reply.usage is not None
    assert (reply.model, reply.usage.prompt, reply.usage.completion) == ("qwen-plus, qwen-max", 40, 6)
    assert list(reply.usage.shares) == ["qwen-plus", "qwen-max"]
    assert folded(frame({"text": "x", "finish_reason": "stop"}))[0].usage is None


@pytest.mark.parametrize(
    "odd",
    [
        {"thoughts": [None, 3, {"action": 5, "observation": {"a": 1}}], "doc_references": "none"},
        {"thoughts": None, "doc_references": [None, {"index_id": None, "text": 4}], "workflow_message": []},
        {"workflow_message": {"message": "text", "node_id": 3}, "session_id": 9},
        {"text": None, "brand_new": {"x": 1}},
    ],
)
def test_what_nobody_expects_is_read_and_kept(odd: dict[str, Any]):
    reply, _ = folded(frame(odd), frame({"text": "x", "finish_reason": "stop"}))
    assert reply.text == "x"
    assert reply.raw[0]["output"] == odd


def test_an_error_in_the_stream_carries_what_had_come():
    fold = AppFold(request="POST /x")
    fold.add(frame({"text": "half", "finish_reason": "null"}))
    with pytest.raises(ServerError) as failed:
        fold.add(b'{"code":"InternalError","message":"broken","request_id":"r1"}')
    assert failed.value.reply.text == "half"
    with pytest.raises(StreamBroken):
        fold.add(b"{nonsense")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"code":"InvalidApiKey","message":"no","request_id":"r"}', AuthError),
        (b'{"code":"App.AccessDenied","message":"App access denied."}', PermissionDenied),
        (b'{"output": null}', ServerError),
        (b"<html>", ServerError),
        (b"[]", ServerError),
    ],
)
def test_a_body_that_is_no_answer_says_what_it_is(body: bytes, kind: type[Exception]):
    with pytest.raises(kind):
        read(body, request="POST /x", request_id="r")


def test_a_plain_answer_is_a_stream_of_one():
    reply = read(frame({"text": "a", "finish_reason": "stop"}, bill("qwen-plus", 1, 1)), request="", request_id="r")
    assert (reply.text, reply.model, reply.raw["output"]["text"]) == ("a", "qwen-plus", "a")
