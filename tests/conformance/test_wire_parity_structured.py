"""Wire parity of structure, thinking, prefixes, translation, search, marks and completions."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import openai
import pytest
from parity import HI, Case, sent

import qwenkit as qk
from qwenkit.protocol.structured import wire_schema
from qwenkit.sandbox import Sandbox

SCHEMA = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"], "title": "Town"}
STRICT = {"type": "json_schema", "json_schema": {"name": "Town", "strict": True, "schema": SCHEMA}}
WRAPPED = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "strict": True, "schema": wire_schema({"type": "integer"})},
}
MARKED = [{"type": "text", "text": "Read this.", "cache_control": {"type": "ephemeral"}}]
OPTIONS = {"source_lang": "English", "target_lang": "Chinese", "domains": "Sea."}
TERMS = [{"source": "harbour", "target": "海港"}]
FIM = "<|fim_prefix|>def f(a):<|fim_suffix|>\n<|fim_middle|>"
SAMPLING = {"temperature": 0.2, "max_tokens": 90, "stop": ["END"]}

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


TRANSLATION = Case(
    {"model": "qwen-mt-plus", "messages": HI, "extra_body": {"translation_options": {**OPTIONS, "terms": TERMS}}},
    "Hi",
    {
        "model": "qwen-mt-plus",
        "to": "Chinese",
        "source": "English",
        "terms": {"harbour": "海港"},
        "domains": "Sea.",
    },
)
MIDDLE = Case({"model": "qwen-coder-turbo", "prompt": FIM, **SAMPLING}, "def f(a):", {"suffix": "\n", **SAMPLING})
# The SDK's resource, ours, and how each is called.
CALLS: dict[str, tuple[str, str, Case]] = {
    **{name: ("chat.completions", "chat", case) for name, case in CASES.items()},
    "a translation": ("chat.completions", "translate", TRANSLATION),
    "a middle": ("completions", "completions", MIDDLE),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_both_say_the_same(name: str, streamed: bool, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    resource, noun, case = CALLS[name]
    stream: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    asked = {"model": "qwen-plus", **case.official, **stream}
    theirs, call = sent(recorder, attrgetter(resource)(official).create, **asked), getattr(qwen, noun)
    assert theirs == sent(recorder, call.stream if streamed else call, case.prompt, **case.ours)
    one, two = recorder.requests[-2:]
    assert one.headers["content-type"] == two.headers["content-type"]
    assert theirs.path == f"/compatible-mode/v1/{resource.replace('.', '/')}"
