"""What one call says on the wire, whichever library makes it: how parity is told."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import openai

import qwenkit as qk
from qwenkit.sandbox import Sandbox

SWITCHES = ("x-dashscope-sse", "x-dashscope-async", "x-dashscope-ossresourceresolve", "x-dashscope-workspace")
SWITCHES += ("x-dashscope-session-cache",)
HI = [{"role": "user", "content": "Hi"}]
RAIN = {
    "type": "function",
    "function": {
        "name": "rain_now",
        "description": "Is it raining in a town?",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


class Case(NamedTuple):
    """One call as each library spells it."""

    official: dict[str, Any]
    prompt: Any = "Hi"
    ours: dict[str, Any] = {}  # nobody changes it


class Said(NamedTuple):
    """Where a request goes, who asks, what it says, and the headers that mean something to the service."""

    method: str
    path: str
    query: dict[str, str]
    auth: str
    json: Any
    kind: str
    switches: dict[str, str]


def sent(recorder: Sandbox, call: Callable[..., Any], *args: Any, **options: Any) -> Said:
    """What one call, read to its end, says. What the sandbox makes of it is not the question."""
    before = len(recorder.requests)
    with contextlib.suppress(openai.APIStatusError, qk.APIError, qk.SchemaMismatch):
        answer = call(*args, **options)
        if inspect.isgenerator(answer) or isinstance(answer, openai.Stream):
            list(answer)
        elif hasattr(answer, "finish"):
            answer.finish()
    return latest(recorder, before)


def latest(recorder: Sandbox, before: int) -> Said:
    """What the one request says that came after so many."""
    assert len(recorder.requests) == before + 1, "exactly one request was sent"
    seen = recorder.requests[-1]
    kind = seen.headers.get("content-type", "").partition(";")[0]
    switches = {name: seen.headers[name] for name in SWITCHES if name in seen.headers}
    return Said(seen.method, seen.path, seen.query, seen.auth, seen.json, kind, switches)
