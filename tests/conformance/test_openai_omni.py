"""Omni over chat completions, as the official SDK meets it: text and sound in one stream."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import openai
import pytest

MODEL = "qwen3-omni-flash"
SPOKEN = {"model": MODEL, "modalities": ["text", "audio"], "audio": {"voice": "Cherry", "format": "wav"}}
USAGE = {"stream_options": {"include_usage": True}}
SUM = "What is 17 * 23?"
SYNC = pytest.mark.parametrize("sdk", ["sync"], indirect=True)  # what both flavours of the SDK read alike


def sounds(chunks: list[Any]) -> list[dict[str, Any]]:
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    found = [delta.audio for delta in deltas if getattr(delta, "audio", None)]
    return [each if isinstance(each, dict) else each.to_dict() for each in found]  # newer SDKs give it a type


def text(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


async def test_the_documented_sample_joins_the_strings_and_gets_speech(sdk):
    chunks = await sdk.stream(SUM, **SPOKEN, **USAGE)
    whole = base64.b64decode("".join(each["data"] for each in sounds(chunks)))
    pcm = np.frombuffer(whole, dtype=np.int16)
    assert 0.5 < len(pcm) / 24_000 < 8
    assert np.abs(pcm).max() > 3_000
    assert "391" in text(chunks)
    played = [base64.b64decode(each["data"]) for each in sounds(chunks)]  # each piece on its own
    assert b"".join(played) == whole
    assert not any(len(each) % 2 for each in played)
    assert whole[:4] != b"RIFF"


@SYNC
async def test_words_sound_reason_and_a_bill_of_every_modality_come_in_this_order(sdk):
    chunks = await sdk.stream(SUM, **SPOKEN, **USAGE)
    kinds = []
    for chunk in chunks:
        delta = chunk.choices[0].delta if chunk.choices else None
        kind = (
            "usage" if delta is None else "sound" if getattr(delta, "audio", None) else "words" if delta.content else ""
        )
        kind = kind or ("role" if delta.role else "reason")
        kinds += [kind] if kinds[-1:] != [kind] else []
    assert kinds == ["role", "words", "sound", "reason", "usage"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert len({each["id"] for each in sounds(chunks)}) == 1
    assert sounds(chunks)[0]["id"].startswith("audio_")
    assert sounds(chunks)[0]["expires_at"] > chunks[0].created
    usage = chunks[-1].usage
    assert usage.completion_tokens_details.audio_tokens > 12
    parts = usage.completion_tokens_details
    assert usage.completion_tokens == parts.audio_tokens + parts.text_tokens
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details.text_tokens == usage.prompt_tokens
    assert usage.prompt_tokens_details.audio_tokens is None


@SYNC
async def test_words_alone_when_no_sound_is_asked_for(sdk):
    chunks = await sdk.stream(SUM, model=MODEL, modalities=["text"])
    assert sounds(chunks) == []
    assert "391" in text(chunks)


@SYNC
@pytest.mark.parametrize(
    ("options", "told"),
    [({"stream": False}, "'audio' output only support with stream=true"),
     ({"audio": {"voice": "Chery", "format": "wav"}}, "The requested voice 'Chery' is not supported."),
     ({"audio": {"voice": "Cherry", "format": "mp3"}}, "wav"), ({"model": "qwen3.8-omni-flash"}, "audio output"),
     ({"extra_body": {"enable_thinking": True}}, "enable_thinking")],
)  # fmt: skip
async def test_what_it_does_not_say_is_refused_in_the_documented_words(sdk, options, told):
    with pytest.raises(openai.BadRequestError, match=told) as caught:
        await sdk.create(SUM, **{**SPOKEN, "stream": True, **options})
    assert caught.value.status_code == 400


@SYNC
async def test_what_was_spoken_is_heard(sdk):
    said = sounds(await sdk.stream(SUM, **SPOKEN))
    pcm = base64.b64decode("".join(each["data"] for each in said))
    sound = base64.b64encode(wav(pcm)).decode()
    part = {"type": "input_audio", "input_audio": {"data": f"data:;base64,{sound}", "format": "wav"}}
    asked = [{"role": "user", "content": [part, {"type": "text", "text": "What do you hear?"}]}]
    chunks = await sdk.stream(asked, **SPOKEN, **USAGE)
    assert "391" in text(chunks)
    assert chunks[-1].usage.prompt_tokens_details.audio_tokens > 0
    assert sounds(chunks)


def wav(pcm: bytes) -> bytes:
    import io
    import wave

    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 24_000, 0, "NONE", ""))
        writer.writeframes(pcm)
    return file.getvalue()


def test_speak_is_on_the_wire_what_the_sdk_is_told_by_hand(qwen, official, recorder):
    qwen.chat(SUM, speak="Cherry")
    ours = recorder.requests[-1].json
    asked = [{"role": "user", "content": SUM}]
    list(official.chat.completions.create(messages=asked, stream=True, **SPOKEN, **USAGE))
    assert ours == recorder.requests[-1].json
