"""Wire parity of recognition: for the same call the official SDKs and qwenkit send the same request."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from parity import sent

import qwenkit as qk
from qwenkit.sandbox import Sandbox

FERRY = "https://files.example.test/ferry.wav"
SAID = [{"role": "user", "content": [{"audio": FERRY}]}]
NAMES = [{"role": "system", "content": [{"text": "Kestrel GmbH"}]}, *SAID]
HEARD = [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": FERRY}}]}]
ENGLISH = {"language": "en", "enable_itn": False}

# What is said natively: the messages, the options of the official SDK, and ours.
NATIVE: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "plain": (SAID, {}, {}),
    "names": (NAMES, {}, {"context": "Kestrel GmbH"}),
    "language": (SAID, {"asr_options": ENGLISH}, {"language": "en", "itn": False}),
    "a snapshot": (SAID, {"model": "qwen3-asr-flash-2026-02-10"}, {"model": "qwen3-asr-flash-2026-02-10"}),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", NATIVE)
def test_natively(name: str, streamed: bool, recorder: Sandbox, native: Any, qwen: qk.Client):
    messages, official, ours = NATIVE[name]
    asked = {"model": "qwen3-asr-flash", "messages": messages, **official}
    asked |= {"stream": True, "incremental_output": True} if streamed else {}
    call = qwen.transcribe.stream if streamed else qwen.transcribe
    assert sent(recorder, call, FERRY, **ours) == sent(recorder, native.MultiModalConversation.call, **asked)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
def test_over_chat(streamed: bool, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    asked = {"model": "qwen3-asr-flash", "messages": HEARD, "extra_body": {"asr_options": ENGLISH}}
    asked |= {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    call = qwen.transcribe.stream if streamed else qwen.transcribe
    ours = sent(recorder, call, FERRY, language="en", itn=False, via="chat")
    assert ours == sent(recorder, official.chat.completions.create, **asked)


# A task: the official class, what it is told, and what we are.
TASKS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "one": ("QwenTranscription", {"enable_words": True, "language": "en"}, {"language": "en"}),
    "many": ("Transcription", {"language_hints": ["zh", "en"]}, {"language": ["zh", "en"], "model": "paraformer-v2"}),
    "speakers": ("Transcription", {"diarization_enabled": True, "speaker_count": 2}, {"speakers": 2}),
    "channels": ("Transcription", {"channel_id": [0, 1]}, {"channels": [0, 1], "model": "paraformer-v2"}),
}


@pytest.mark.parametrize("name", TASKS)
def test_as_a_task(name: str, recorder: Sandbox, native: Any, qwen: qk.Client):
    kind, official, ours = TASKS[name]
    if kind == "QwenTranscription":
        from dashscope.audio.qwen_asr import QwenTranscription

        call, asked = QwenTranscription.async_call, {"model": "qwen3-asr-flash-filetrans", "file_url": FERRY}
    else:
        from dashscope.audio.asr import Transcription

        call, asked = Transcription.async_call, {"model": "paraformer-v2", "file_urls": [FERRY]}
    theirs = sent(recorder, call, **asked, **official)
    assert sent(recorder, qwen.transcribe.submit, FERRY, **ours) == theirs
