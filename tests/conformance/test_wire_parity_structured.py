"""Wire parity of structure, thinking, prefixes, translation, search, marks and completions."""

from __future__ import annotations

import contextlib
from typing import Any

import openai
import pytest
from test_wire_parity_chat import HI, Case, latest, official, qwen, recorder, said

import qwenkit as qk
from qwenkit.protocol.structured import wire_schema
from qwenkit.sandbox import Sandbox

__all__ = ["official", "qwen", "recorder"]  # fixtures

SCHEMA = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"], "title": "Town"}
STRICT = {"type": "json_schema", "json_schema": {"name": "Town", "strict": True, "schema": SCHEMA}}
WRAPPED = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "strict": True, "schema": wire_schema({"type": "integer"})},
}
MARKED = [{"type": "text", "text": "Read this.", "cache_control": {"type": "ephemeral"}}]
OPTIONS = {"source_lang": "English", "target_lang": "Chinese"}
TERMS = [{"source": "harbour", "target": "海港"}]
FIM = "<|fim_prefix|>def f(a):<|fim_suffix|>\n<|fim_middle|>"

CASES: dict[str, Case] = {
    "a schema": Case(
        {"messages": HI, "model": "qwen3.7-max", "response_format": STRICT, "extra_body": {"enable_thinking": False}},
        "Hi",
        {"schema": SCHEMA, "model": "qwen3.7-max"},
    ),
    "a schema that is no object": Case(
        {"messages": HI, "model": "qwen3.8-max", "response_format": WRAPPED, "extra_body": {"enable_thinking": False}},
        "Hi",
        {"schema": {"type": "integer"}, "model": "qwen3.8-max"},
    ),
    "a schema and thoughts": Case(
        {"messages": HI, "model": "qwen3.7-plus", "response_format": STRICT, "extra_body": {"enable_thinking": True}},
        "Hi",
        {"schema": SCHEMA, "model": "qwen3.7-plus", "thinking": True},
    ),
    "a prefix": Case(
        {"messages": [*HI, {"role": "assistant", "content": "The", "partial": True}]}, "Hi", {"prefix": "The"}
    ),
    "a prefix without thoughts": Case(
        {
            "messages": [*HI, {"role": "assistant", "content": "The", "partial": True}],
            "model": "qwen3.8-max",
            "extra_body": {"enable_thinking": False},
        },
        "Hi",
        {"prefix": "The", "model": "qwen3.8-max"},
    ),
    "an effort": Case(
        {"messages": HI, "model": "qwen3.8-flash", "reasoning_effort": "medium"},
        "Hi",
        {"model": "qwen3.8-flash", "thinking": "medium"},
    ),
    "thoughts kept": Case(
        {"messages": HI, "model": "qwen3.8-max", "extra_body": {"enable_thinking": True, "preserve_thinking": True}},
        "Hi",
        {"model": "qwen3.8-max", "thinking": True, "preserve_thinking": True},
    ),
    "a mark": Case(
        {"messages": [{"role": "system", "content": MARKED}, *HI]}, [qk.Message.system("Read this.").cached(), "Hi"], {}
    ),
    "a search": Case(
        {
            "messages": HI,
            "extra_body": {"enable_search": True, "search_options": {"search_strategy": "max", "forced_search": True}},
        },
        "Hi",
        {"enable_search": True, "search_options": {"search_strategy": "max", "forced_search": True}},
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_both_say_the_same(name: str, streamed: bool, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    case = CASES[name]
    stream: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    before = len(recorder.requests)
    answer = official.chat.completions.create(**{"model": "qwen-plus", **case.official, **stream})
    list(answer) if streamed else None
    theirs = latest(recorder, before)
    with contextlib.suppress(qk.SchemaMismatch):  # the prompt says little; what was sent is the question
        qwen.chat.stream(case.prompt, **case.ours).finish() if streamed else qwen.chat(case.prompt, **case.ours)
    assert said(latest(recorder, before + 1)) == said(theirs)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_both_translate_alike(streamed: bool, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    stream: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    options = {**OPTIONS, "terms": TERMS, "domains": "Talk of sailors."}
    before = len(recorder.requests)
    answer = official.chat.completions.create(
        model="qwen-mt-plus", messages=HI, extra_body={"translation_options": options}, **stream
    )
    list(answer) if streamed else None
    ours = {"to": "Chinese", "source": "English", "terms": {"harbour": "海港"}, "domains": "Talk of sailors."}
    call = (
        qwen.translate.stream("Hi", model="qwen-mt-plus", **ours).finish
        if streamed
        else lambda: qwen.translate("Hi", model="qwen-mt-plus", **ours)
    )
    theirs = latest(recorder, before)
    call()
    assert said(latest(recorder, before + 1)) == said(theirs)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_both_fill_the_middle_alike(streamed: bool, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    stream: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    before = len(recorder.requests)
    answer = official.completions.create(
        model="qwen-coder-turbo", prompt=FIM, temperature=0.2, max_tokens=90, stop=["END"], **stream
    )
    list(answer) if streamed else None
    theirs = latest(recorder, before)
    ours = {"suffix": "\n", "temperature": 0.2, "max_tokens": 90, "stop": ["END"]}
    qwen.completions.stream("def f(a):", **ours).finish() if streamed else qwen.completions("def f(a):", **ours)
    assert said(latest(recorder, before + 1)) == said(theirs)
    assert theirs.path == "/compatible-mode/v1/completions"
