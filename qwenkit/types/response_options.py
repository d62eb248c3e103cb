"""The options of a Responses call: wire names, plus a handful of friendly ones.

As with `ChatOptions` one table is the specification: editors complete from it, and what is not in it is refused with
the nearest name. The API ignores what it does not know, so a typo would otherwise never be noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class ResponseOptions(TypedDict, total=False):
    """Keyword options of `qwen.responses(...)`; everything not named here goes through `extra={...}`."""

    # friendly
    thinking: bool | str
    images: list[Any]
    video: Any
    audio: Any
    fps: float
    session_cache: bool
    extra: Mapping[str, Any]
    timeout: float
    # as on the wire
    instructions: str
    store: bool
    temperature: float
    top_p: float
    max_output_tokens: int
    tools: list[Any]
    tool_choice: str | Mapping[str, Any]
    parallel_tool_calls: bool
    reasoning: Mapping[str, Any]
    enable_thinking: bool
    ocr_options: Mapping[str, Any]
    metadata: Mapping[str, str]


FRIENDLY = frozenset({"thinking", "session_cache", "extra", "timeout", "images", "video", "audio", "fps"})
KNOWN = frozenset(ResponseOptions.__annotations__)

# What users of chat and of other libraries look for.
ELSEWHERE = {
    "stream": "to stream, call qwen.responses.stream(…)",
    "input": "the input goes first: qwen.responses(…)",
    "messages": "messages go first: qwen.responses([…])",
    "previous_response_id": "pass previous=reply, or its id",
    "run_tools": "a stream ends with the calls: send the results with previous=stream.reply",
    "extra_body": "it is called extra here: extra={…}",
    "max_tokens": "it is called max_output_tokens here",
    "thinking_budget": "this API takes an effort: thinking='low'",
    "reasoning_effort": "pass thinking='low', or reasoning={'effort': 'low'}",
    "schema": "structured output is a matter of chat: qwen.chat(…, schema=…)",
    "response_format": "structured output is a matter of chat: qwen.chat(…, schema=…)",
    "text": "this API ignores text.format; structured output is a matter of chat: qwen.chat(…, schema=…)",
    "background": "this API answers at once only; for later there is qwen.batches",
    "enable_search": "pass tools=['web_search']",
    "search_options": "pass tools=['web_search']; it takes no options here",
}
