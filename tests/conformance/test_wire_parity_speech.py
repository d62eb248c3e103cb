"""Wire parity of speech: for the same call the official `dashscope` SDK and qwenkit send the same request."""

from __future__ import annotations

from typing import Any

import dashscope
import pytest
from dashscope.audio.http_tts import HttpSpeechSynthesizer
from parity import sent

import qwenkit as qk
from qwenkit.sandbox import Sandbox

FERRY = "The ferry leaves at nine."
SAMPLE = "https://files.example.test/a.wav"
QWEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "another model": ({"model": "qwen-tts"}, {"model": "qwen-tts"}),
    "a language": ({"language_type": "Chinese"}, {"language": "zh"}),
    "instructions": (
        {"model": "qwen3-tts-instruct-flash", "instructions": "Softly.", "optimize_instructions": True},
        {"model": "qwen3-tts-instruct-flash", "instructions": "Softly.", "optimize_instructions": True},
    ),
}
COSY = {"model": "cosyvoice-v3-flash", "voice": "longanyang"}
OPTIONS: list[dict[str, Any]] = [{}, {"rate": 1.2, "pitch": 0.9, "volume": 70, "seed": 7, "enable_ssml": True}]


def spoken(recorder: Sandbox, call: Any, *args: Any, **options: Any) -> Any:
    """What a call of ours says before it fetches the sound: a failure keeps it from that."""
    recorder.fault("400", times=1)
    try:
        return sent(recorder, call, *args, **options)
    finally:
        recorder.clear_faults()


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("name", QWEN)
def test_qwen_tts(name: str, streamed: bool, recorder: Sandbox, native: Any, qwen: qk.Client):
    theirs, ours = QWEN[name]
    asked = {
        "model": "qwen3-tts-flash",
        "text": FERRY,
        "voice": "Ethan",
        **theirs,
        **({"stream": True} if streamed else {}),
    }
    call = qwen.speech.stream if streamed else qwen.speech
    said = spoken(recorder, call, FERRY, voice="Ethan", **ours)
    assert said == sent(recorder, native.MultiModalConversation.call, **asked)


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "options"])
def test_cosyvoice(options: dict[str, Any], recorder: Sandbox, native: Any, qwen: qk.Client):
    ours = spoken(recorder, qwen.speech, FERRY, **COSY, format="wav", sample_rate=24000, **options)
    assert ours == sent(recorder, HttpSpeechSynthesizer.call, text=FERRY, **COSY, **options)


@pytest.mark.filterwarnings("ignore:dashscope 2.0 audio API is a preview:FutureWarning")
def test_making_and_deleting_voices(recorder: Sandbox, qwen: qk.Client):
    client = dashscope.Client(api_key=recorder.key, base_url=f"{recorder.url}/api/v1", raise_on_error=False)
    audio = client.audio
    designed = {"target_model": "qwen3-tts-vd-2026-01-26", "voice_prompt": "deep", "preview_text": "Hi"}
    pairs = [
        (
            spoken(recorder, qwen.voices.design, "deep", preview="Hi", name="pier"),
            sent(recorder, audio.voice_design.create, **designed, preferred_name="pier", language="en"),
        ),
        (
            spoken(recorder, qwen.voices.clone, SAMPLE, name="pier", model="cosyvoice-v2"),
            spoken(recorder, audio.voices.create, target_model="cosyvoice-v2", prefix="pier", url=SAMPLE),
        ),
        (
            spoken(recorder, qwen.voices.get, "cosyvoice-v2-x"),
            spoken(recorder, audio.voices.get, "cosyvoice-v2-x"),
        ),
        (
            spoken(recorder, qwen.voices.delete, "qwen-tts-vd-x-voice-1-a"),
            spoken(recorder, audio.voice_design.delete, "qwen-tts-vd-x-voice-1-a"),
        ),
    ]
    client.close()
    for ours, theirs in pairs:
        assert ours == theirs
