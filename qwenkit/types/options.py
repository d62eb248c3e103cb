"""The options of a chat call: wire names, plus a handful of friendly ones.

One table is the specification. `ChatOptions` gives editors their completion, the signature in a notebook's tooltip is
built from it, and `protocol.chat` refuses what is not in it with the nearest name, so that a typo
never becomes silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class ChatOptions(TypedDict, total=False):
    """Keyword options of `qwen.chat(...)`; everything not named here goes through `extra={...}`."""

    # friendly
    thinking: bool | int | str
    schema: Any
    prefix: str
    images: list[Any]
    video: Any
    fps: float
    min_pixels: int
    max_pixels: int
    high_resolution: bool
    speak: str | bool
    extra: Mapping[str, Any]
    timeout: float
    # sampling
    temperature: float
    top_p: float
    top_k: int | None
    seed: int
    n: int
    max_tokens: int
    max_completion_tokens: int
    stop: str | list[str] | list[int] | list[list[int]]
    repetition_penalty: float
    presence_penalty: float
    logprobs: bool
    top_logprobs: int
    # shape of the answer
    response_format: Mapping[str, Any]
    tools: list[Any]
    tool_choice: str | Mapping[str, Any]
    parallel_tool_calls: bool
    tool_stream: bool
    stream_options: Mapping[str, Any]
    # thinking, as on the wire
    enable_thinking: bool
    thinking_budget: int
    reasoning_effort: str
    preserve_thinking: bool
    # search, code, skills
    enable_search: bool
    search_options: Mapping[str, Any]
    enable_text_image_mixed: bool
    enable_code_interpreter: bool
    skill: list[Mapping[str, Any]]
    # model families
    modalities: list[str]
    audio: Any
    vl_high_resolution_images: bool
    asr_options: Mapping[str, Any]
    translation_options: Mapping[str, Any]
    # accepted by the service without effect, or for accounting
    user: str
    metadata: Mapping[str, Any]


class ConversationOptions(ChatOptions, total=False):
    """Keyword options of `qwen.conversation(...)`: how it remembers and works, and chat options for every turn."""

    system: str
    model: str
    when_full: str
    context_limit: int | None
    max_rounds: int
    run_tools: bool


class NativeOptions(ChatOptions, total=False):
    """Keyword options of `qwen.native.generate(...)` and `.multimodal(...)`; they travel as `parameters`."""

    result_format: str
    incremental_output: bool
    max_input_tokens: int
    clear_thinking: bool
    vl_enable_image_hw_output: bool
    ocr_options: Mapping[str, Any]


MEDIA = frozenset({"images", "video", "fps", "min_pixels", "max_pixels", "high_resolution", "speak"})
FRIENDLY = frozenset({"thinking", "schema", "prefix", "extra", "timeout"}) | MEDIA
KNOWN = frozenset(ChatOptions.__annotations__)
NATIVE_ONLY = frozenset(NativeOptions.__annotations__) - KNOWN
NATIVE = (KNOWN | NATIVE_ONLY) - {"stream_options", "modalities", "audio", "speak"}
