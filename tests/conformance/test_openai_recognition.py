"""Recognition over chat completions, as the official `openai` SDK asks for it; both of its flavours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

FERRY = Path(__file__).parents[2] / "data" / "ferry.wav"
SAID = "The ferry leaves at nine from the north pier."
MODEL = "qwen3-asr-flash"


def heard(data: str, system: Any = None) -> list[dict[str, Any]]:
    before = [{"role": "system", "content": system}] if system else []
    return [*before, {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": data}}]}]


async def test_a_sound_becomes_words(sdk, ferry):
    answer = await sdk.create(heard(ferry), model=MODEL)
    message = answer.choices[0].message
    assert (message.content, message.role) == (SAID, "assistant")
    assert message.annotations[0].language == "en"
    assert answer.usage.seconds * 25 == answer.usage.prompt_tokens_details.audio_tokens == answer.usage.prompt_tokens


async def test_options_and_a_context_in_every_form(sdk, ferry):
    options = {"asr_options": {"language": "en", "enable_itn": True}}
    for system in ("Names: Ilse", [{"text": "Names: Ilse"}], [{"type": "text", "text": "Ilse"}]):
        answer = await sdk.create(heard(ferry, system), model=MODEL, extra_body=options)
        assert answer.choices[0].message.content == SAID


async def test_a_stream_of_chunks(sdk, ferry):
    chunks = await sdk.stream(heard(ferry), model=MODEL, stream_options={"include_usage": True})
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == SAID
    assert len(said) > 4
    assert chunks[1].choices[0].delta.annotations[0]["emotion"] == "neutral"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.seconds >= 2


async def test_a_stream_without_a_bill(sdk, ferry):
    chunks = await sdk.stream(heard(ferry), model=MODEL)
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


ERRORS: list[tuple[str | None, dict[str, Any], str]] = [
    ("data:audio/wav;base64,UklGRg==", {}, "The audio format is illegal and cannot be opened."),
    ("https://example.com/a.wav", {}, "outside this machine"),
    (None, {"language": "klingon"}, "parameters.asr_options.language"),
]


async def test_errors_name_what_is_wrong(sdk, ferry):
    for content, options, words in ERRORS:
        with pytest.raises(openai.BadRequestError) as caught:
            await sdk.create(heard(content or ferry), model=MODEL, extra_body={"asr_options": options})
        assert words in caught.value.message
        assert caught.value.code
    for model in ("paraformer-v2", "fun-asr-flash"):  # these are not here
        with pytest.raises(openai.NotFoundError, match="Unsupported model"):
            await sdk.create(heard(ferry), model=model)
