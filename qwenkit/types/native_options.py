"""The options of a native call: those of a chat call, and a few that only the native API has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qwenkit.types.options import KNOWN, ChatOptions


class NativeOptions(ChatOptions, total=False):
    """Keyword options of `qwen.native.generate(...)` and `.multimodal(...)`; they travel as `parameters`."""

    result_format: str
    incremental_output: bool
    max_input_tokens: int
    clear_thinking: bool
    vl_enable_image_hw_output: bool
    ocr_options: Mapping[str, Any]


NATIVE_ONLY = frozenset(NativeOptions.__annotations__) - KNOWN
NATIVE = (KNOWN | NATIVE_ONLY) - {"stream_options", "modalities", "audio"}
