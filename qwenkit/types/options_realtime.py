"""The options of a realtime conversation: friendly names, and those of the wire. One table is the specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict


class RealtimeOptions(TypedDict, total=False):
    """Keyword options of `qwen.realtime.connect(...)`; everything not named here goes through `extra={...}`."""

    # the conversation
    voice: Any
    system: str
    instructions: str
    speak: bool
    modalities: str | list[str]
    transcription: bool | str | Mapping[str, Any] | None
    max_history_turns: int
    # when it is whose turn
    turn_detection: str | Mapping[str, Any] | None
    threshold: float
    silence_ms: int
    prefix_ms: int
    idle_timeout_ms: int
    respond: bool
    interrupt: bool
    # what it may use
    tools: Any
    tool_choice: str | Mapping[str, Any]
    search: bool | Mapping[str, Any]
    # sampling
    temperature: float
    top_p: float
    top_k: int | None
    max_tokens: int
    seed: int
    repetition_penalty: float
    presence_penalty: float
    # sound and pictures
    input_format: str
    output_format: str
    input_rate_hz: int
    output_rate_hz: int
    channels: int
    compact_video: bool
    # of some models
    smooth_output: bool | None
    enable_speech_emotion: bool
    voiceprint_audio_urls: list[str]
    extra: Mapping[str, Any] | None


KNOWN = frozenset(RealtimeOptions.__annotations__)

# The wire's names for what is called otherwise here.
ALIASES = {
    "system": "instructions",
    "output_modalities": "modalities",
    "input_audio_transcription": "transcription",
    "silence_duration_ms": "silence_ms",
    "prefix_padding_ms": "prefix_ms",
    "create_response": "respond",
    "interrupt_response": "interrupt",
    "enable_search": "search",
    "input_audio_format": "input_format",
    "output_audio_format": "output_format",
}

# What users of chat and of other libraries look for.
ELSEWHERE = {
    "messages": "say things in the session: session.say(…)",
    "thinking": "realtime models answer at once",
    "n": "a session has one answer at a time",
    "images": "show pictures in the session: session.say(…, images=[…]), or session.look(picture)",
    "sample_rate": "it is input_rate_hz and output_rate_hz here",
    "audio": "formats are input_format, output_format, input_rate_hz, output_rate_hz and channels here",
    "url": "a client knows its service: qk.Client(base_url=…)",
    "stream": "a session streams; iterate it",
}
