"""What the founding documents print about speech must work: the request as it stands there, and its deprecated path."""

from __future__ import annotations

import httpx
import pytest

SYNTHESIS = "/api/v1/services/audio/tts/synthesis"
GENERATION = "/api/v1/services/aigc/multimodal-generation/generation"
PRINTED = {
    "model": "qwen-tts",
    "input": {"text": "你好，今天天气怎么样。", "voice": "Cherry", "language_type": "Chinese"},
}


@pytest.mark.parametrize("voice", ["Cherry", "Ethan", "Serena", "Chelsie"])
def test_the_printed_request_speaks_in_the_printed_voices(post, voice):
    answer = post(GENERATION, {**PRINTED, "input": {**PRINTED["input"], "voice": voice}})
    audio = answer.json()["output"]["audio"]
    assert audio["id"] == f"audio_{answer.json()['request_id']}"
    sound = httpx.get(audio["url"], verify=False)
    assert sound.headers["content-type"] == "audio/wav"
    assert sound.content[:4] == b"RIFF"
    assert audio["expires_at"] > 1_700_000_000


def test_the_deprecated_path_is_a_url_error(post):
    for model in ("qwen-tts", "qwen3-tts-flash", "nothing"):
        answer = post(SYNTHESIS, {**PRINTED, "model": model})
        told = answer.json()
        assert answer.status_code == 400
        assert told.pop("request_id")
        assert told == {"code": "InvalidParameter", "message": "url error, please check url\uff01"}
