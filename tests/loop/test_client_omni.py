"""`speak=`: answers that are said, over real sockets, whole and as they come, in both flavours."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from flavours import done, opened, pieces

import qwenkit as qk
from qwenkit.sandbox import Sandbox
from qwenkit.types.audio import Audio
from qwenkit.types.takes import compare

SUM = "What is 17 * 23?"
SPEAKING = {"qwen3-omni-flash": 12.5, "qwen3.5-omni-plus": 12.5, "qwen3.5-omni-flash": 12.5, "qwen-omni-turbo": 25}


def loud(audio: Audio) -> bool:
    return bool(audio.envelope(10).level_db > -40)


async def test_a_plain_call_speaks_and_writes(qwen: Any, box: Sandbox):
    reply = await done(qwen.chat(SUM, speak="Cherry"))
    assert "391" in reply.text
    assert reply.model == "qwen3-omni-flash"
    assert 0.5 < reply.audio.duration < 8
    assert loud(reply.audio)
    assert (reply.audio.text, reply.audio.meta["voice"], reply.audio.rate_hz) == (reply.text, "Cherry", 24_000)
    sent = box.requests[-1].json
    assert (sent["modalities"], sent["audio"], sent["stream"]) == (
        ["text", "audio"], {"voice": "Cherry", "format": "wav"}, True)  # fmt: skip
    bundle = reply._repr_mimebundle_()
    assert bundle["text/html"].count("<audio ") == 1
    assert "Cherry" in bundle["text/html"]
    assert bundle["text/plain"] == reply.text
    assert len(bundle["text/html"]) < 60_000


async def test_a_stream_brings_words_first_then_sound_and_keeps_both(qwen: Any):
    words, sounds = [], []
    async with opened(qwen.chat.stream(SUM, speak=True)) as stream:
        async for piece in pieces(stream):
            words.append(piece.text)
            sounds.append(piece.audio)
    reply = stream.reply
    assert "".join(words) == reply.text
    assert b"".join(sounds) == reply.audio.pcm16
    first_sound = next(at for at, sound in enumerate(sounds) if sound)
    assert not any(words[first_sound:])
    assert len([sound for sound in sounds if sound]) > 1


@pytest.mark.parametrize("model", SPEAKING)
async def test_every_speaking_model_bills_its_sound_by_the_second(client: qk.Client, model: str):
    reply = client.chat(SUM, speak=True, model=model)
    seconds = -(-reply.audio.duration // 1)
    assert reply.usage.audio_out == -(-seconds * SPEAKING[model] // 1)
    assert reply.usage.completion == reply.usage.audio_out + reply.usage.completion_tokens_details.text_tokens
    quiet = client.chat(SUM, model=model)  # it answers in streams only, which are folded
    assert quiet.audio is None
    assert quiet.cost.amount < reply.cost.amount
    entry = client.usage[0]
    assert (entry.audio_out, entry.total) == (reply.usage.audio_out, reply.usage.total)
    assert "391" in quiet.text


async def test_the_same_call_gives_the_same_bytes_and_other_voices_other_ones(client: qk.Client):
    first, again, other = (client.chat(SUM, speak=voice).audio for voice in ("Cherry", "Cherry", "Ethan"))
    assert first.pcm16 == again.pcm16
    assert first.pcm16 != other.pcm16
    assert compare(first, other).labels == ["Cherry", "Ethan"]


async def test_a_conversation_speaks_and_remembers(client: qk.Client):
    talk = client.conversation(speak="Ethan")
    talk("My name is Ada.")
    reply = talk("What is my name?")
    assert "Ada" in reply.text
    assert reply.audio.meta["voice"] == "Ethan"
    streamed = talk.stream("And what is 2 + 2?").finish()
    assert "4" in streamed.text
    assert streamed.audio.duration > 0.3


async def test_it_hears_or_sees_and_speaks_in_one_call(client: qk.Client):
    asked = client.chat(SUM, speak="Cherry")
    reply = client.chat("What do you hear?", audio=[asked.audio], speak="Cherry")
    assert "391" in reply.text  # the sandbox knows its own voice
    spoken = client.speech(SUM)
    for words in ("Answer it.", "Please answer.", "What is the answer?"):
        assert "391" in client.chat(words, audio=[spoken]).text
    assert "one voice" in client.chat("How many speakers are there?", audio=[spoken]).text
    assert reply.usage.audio_in > 0
    assert reply.usage.audio_out > 0
    assert reply.usage.audio == reply.usage.audio_in + reply.usage.audio_out
    seen = client.chat("Which colour is this?", images=[np.full((120, 160, 3), (230, 0, 0), np.uint8)], speak=True)
    assert "red" in seen.text.lower()
    assert seen.usage.image > 0
    assert loud(seen.audio)


async def test_what_had_been_said_is_kept_when_a_stream_breaks(qwen: Any, box: Sandbox):
    box.fault("cut:10")
    stream = qwen.chat.stream(SUM, speak=True)
    with pytest.raises(qk.StreamBroken) as caught:
        await done(stream.finish())
    kept = caught.value.reply
    assert "391" in kept.text
    assert 0.3 < kept.audio.duration < 2.5
    assert loud(kept.audio)


async def test_many_speak_at_once(client: qk.Client):
    replies = await asyncio.gather(*[client.aio.chat(f"What is {n} * 3?", speak=True) for n in range(3)])
    assert [str(n * 3) in reply.text for n, reply in enumerate(replies)] == [True] * 3
    assert all(loud(reply.audio) for reply in replies)
    assert sum(entry.audio_out for entry in client.usage) == sum(reply.usage.audio_out for reply in replies)
