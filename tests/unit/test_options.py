"""What no call can do anything with is refused by each of them, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import qwenkit as qk

CALLS: dict[str, Callable[..., Any]] = {
    "chat": lambda qwen, **odd: qwen.chat("Hi", **odd),
    "chat.stream": lambda qwen, **odd: qwen.chat.stream("Hi", **odd),
    "native.generate": lambda qwen, **odd: qwen.native.generate("Hi", **odd),
    "native.generate.stream": lambda qwen, **odd: qwen.native.generate.stream("Hi", **odd),
    "native.multimodal": lambda qwen, **odd: qwen.native.multimodal("Hi", **odd),
    "embeddings": lambda qwen, **odd: qwen.embeddings("Hi", **odd),
    "embeddings.multimodal": lambda qwen, **odd: qwen.embeddings.multimodal(["Hi"], **odd),
    "completions": lambda qwen, **odd: qwen.completions("x =", **odd),
    "responses": lambda qwen, **odd: qwen.responses("Hi", **odd),
    "batches": lambda qwen, **odd: qwen.batches(["Hi"], **odd),
    "map": lambda qwen, **odd: qwen.map(["Hi"], progress=False, **odd),
    "rerank": lambda qwen, **odd: qwen.rerank("Hi", ["a"], **odd),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("odd", [{"model": 5}, {"model": ["qwen-plus"]}, {"extra": 5}, {"extra": [1]}])
def test_what_is_no_model_and_no_extra_is_named_with_its_cure(name: str, odd: dict[str, Any]):
    with qk.Client(api_key="sk-x", base_url="http://127.0.0.1:9") as qwen, pytest.raises(qk.ConfigError) as caught:
        CALLS[name](qwen, **odd)
    assert next(iter(odd)) in str(caught.value)
    assert caught.value.hint
