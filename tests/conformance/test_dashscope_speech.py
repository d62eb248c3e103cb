"""Speech, as the official `dashscope` SDK asks for it: every class that speaks over HTTP or makes voices."""

from __future__ import annotations

import base64
import io
import urllib.request
from typing import Any

import dashscope
import pytest
import soundfile
from dashscope.audio.http_tts import HttpSpeechSynthesizer
from dashscope.audio.qwen_tts import SpeechSynthesizer
from dashscope.audio.tts_v2 import VoiceEnrollmentException, VoiceEnrollmentService

FERRY = "The ferry leaves at nine."
HELLO = "你好，今天天气怎么样。"
LONG = "Welcome aboard. The ferry leaves at nine from the north pier, and the next one leaves at noon."
MODEL = "qwen3-tts-flash"
PREVIEW = "ignore:dashscope 2.0 audio API is a preview:FutureWarning"
COSY = {"model": "cosyvoice-v3-flash", "voice": "longanyang"}


@pytest.fixture
def talk(dash: Any) -> Any:
    return dash.MultiModalConversation


def opened(url: str) -> tuple[float, int]:
    """Seconds and rate of the sound at an address, opened without a key."""
    with urllib.request.urlopen(url) as answer:
        content = answer.read()
        assert int(answer.headers["content-length"]) == len(content)
    sound, rate = soundfile.read(io.BytesIO(content))
    assert abs(sound).max() > 0.1
    return len(sound) / rate, rate


def test_a_whole_answer_has_an_address_and_a_bill(talk):
    response = talk.call(model=MODEL, text=FERRY, voice="Cherry", language_type="English")
    audio = response.output.audio
    assert (response.status_code, response.output.finish_reason, audio.data) == (200, "stop", "")
    assert audio.id == f"audio_{response.request_id}"
    seconds, rate = opened(audio.url)
    assert 1 < seconds < 4
    assert rate == 24000
    assert response.usage["characters"] == 25
    assert talk.call(model=MODEL, text=HELLO, voice="Cherry").usage["characters"] == 20  # nine ideographs count twice


def test_older_models_bill_tokens_of_sound(talk):
    response = talk.call(model="qwen-tts", text=HELLO, voice="Cherry")
    seconds, _ = opened(response.output.audio.url)
    spoken = response.usage["output_tokens_details"]["audio_tokens"]
    assert spoken == max(round(50 * seconds), 50)
    assert response.usage["total_tokens"] == response.usage["input_tokens"] + spoken


def test_a_stream_brings_pcm_and_ends_with_the_address(talk):
    *frames, last = talk.call(model="qwen-tts", text=HELLO + FERRY, voice="Cherry", stream=True)
    assert all(frame.output.finish_reason == "null" and frame.output.audio.url is None for frame in frames)
    pcm = b"".join(base64.b64decode(frame.output.audio.data) for frame in frames)
    assert (last.output.finish_reason, last.output.audio.data) == ("stop", "")
    seconds, _ = opened(last.output.audio.url)
    assert len(pcm) == round(seconds * 48000)
    bills = [frame.usage["output_tokens"] for frame in frames]
    assert bills == sorted(bills)
    assert bills[-1] == last.usage["output_tokens"]
    assert last.output.audio.expires_at > frames[0].output.audio.expires_at + 80_000


async def test_the_awaited_class_speaks_too(dash):
    response = await dash.AioMultiModalConversation.call(model=MODEL, text=FERRY, voice="Ethan")
    assert response.output.audio.url.startswith("http://")


def test_the_older_class_is_the_same_call(dash):
    response = SpeechSynthesizer.call(MODEL, FERRY, voice="Cherry")
    assert opened(response.output.audio["url"])[1] == 24000
    frames = list(SpeechSynthesizer.call(MODEL, FERRY, voice="Cherry", stream=True))
    assert frames[-1].output.finish_reason == "stop"


def test_instructions_are_heard_by_the_model_that_listens(talk):
    def seconds(model: str, **options: Any) -> float:
        return opened(talk.call(model=model, text=FERRY, voice="Cherry", **options).output.audio.url)[0]

    slowly = {"instructions": "Speak slowly."}
    assert seconds("qwen3-tts-instruct-flash", **slowly) > 1.1 * seconds("qwen3-tts-instruct-flash")
    assert seconds(MODEL, **slowly) == seconds(MODEL)


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ({"voice": "Nobody"}, "InvalidParameter", "Input should be 'Cherry', 'Serena', 'Ethan' or 'Chelsie'"),
        ({"voice": "Jada", "model": "qwen-tts"}, "InvalidParameter", "parameters.audio.voice"),
        ({"text": " "}, "InvalidParameter", "Please ensure input text is valid."),
        ({"text": "a" * 601}, "InvalidParameter", "[1, 600]"),
        ({"text": "one " * 513, "model": "qwen-tts"}, "InvalidParameter", "[1, 512]"),
        ({"language_type": "Klingon"}, "InvalidParameter", "'Auto', 'Chinese'"),
        ({"language_type": "Korean", "model": "qwen-tts"}, "InvalidParameter", "'Auto', 'Chinese' or 'English'"),
        ({"model": "qwen3-tts-flash-realtime"}, "InvalidParameter", "url error, please check url！"),
        ({"model": "cosyvoice-v2"}, "InvalidParameter", "url error, please check url！"),
        ({"optimize_instructions": True}, "InvalidParameter", "instructions"),
    ],
)
def test_what_is_wrong_is_told_in_the_documented_words(talk, asked, code, words):
    response = talk.call(**{"model": MODEL, "text": FERRY, "voice": "Cherry", **asked})
    assert (response.status_code, response.code) == (400, code)
    assert words in response.message


def test_the_limit_itself_is_still_spoken(talk):
    assert talk.call(model=MODEL, text="a" * 600, voice="Cherry").status_code == 200


def test_cosyvoice_has_a_path_and_options_of_its_own(dash):
    result = HttpSpeechSynthesizer.call(text=FERRY, **COSY, sample_rate=16000)
    assert opened(result.audio_url)[1] == 16000
    assert result.usage["characters"] == 25
    quick = HttpSpeechSynthesizer.call(text=FERRY, **COSY, audio_format="mp3", sample_rate=22050, rate=1.8)
    assert opened(quick.audio_url)[0] < 0.8 * opened(result.audio_url)[0]


def test_cosyvoice_streams_sentences_and_words(dash):
    *parts, last = HttpSpeechSynthesizer.call(
        text=f"{FERRY} {LONG}", **COSY, audio_format="pcm", stream=True, word_timestamp_enabled=True
    )
    assert {part.output["type"] for part in parts} == {"sentence-synthesis"}  # the SDK gives what has sound
    words = [word for sentence in last.sentences for word in sentence["words"]]
    assert [word["text"] for word in words[:3]] == ["The", "ferry", "leaves"]
    begins = [word["begin_time"] for word in words]
    assert begins == sorted(begins)
    assert len(last.audio_data) == sum(len(part.audio_data) for part in parts)
    assert last.audio_url


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"voice": "Cherry"}, "Engine return error code: 418"),
        ({"voice": "longxiaochun_v2"}, "Engine return error code: 418"),  # a voice of another version
        ({"instruction": "x" * 500}, "Engine return error code: 428"),
        ({"audio_format": "ogg"}, "input.format"),
        ({"sample_rate": 12345}, "sample_rate"),
        ({"volume": 101}, "[0, 100]"),
        ({"model": MODEL}, "url error, please check url！"),
    ],
)
def test_cosyvoice_refuses_in_its_own_words(dash, asked, words):
    result = HttpSpeechSynthesizer.call(**{**COSY, "text": FERRY, **asked})
    assert (result.status_code, result.code) == (400, "InvalidParameter")
    assert words in result.message


def test_a_voice_is_enrolled_used_changed_and_deleted(dash, talk):
    service = VoiceEnrollmentService()
    sample = HttpSpeechSynthesizer.call(text=LONG, **COSY).audio_url
    voice = service.create_voice("cosyvoice-v3-flash", "pier", sample)
    assert voice.startswith("cosyvoice-v3-flash-pier-")
    assert service.query_voice(voice)["status"] == "OK"
    assert voice in [each["voice_id"] for each in service.list_voices(prefix="pier")]
    assert opened(HttpSpeechSynthesizer.call("cosyvoice-v3-flash", FERRY, voice).audio_url)[0] > 1
    assert HttpSpeechSynthesizer.call("cosyvoice-v2", FERRY, voice).code == "invalid_value"
    service.update_voice(voice, sample)
    service.delete_voice(voice)
    with pytest.raises(VoiceEnrollmentException, match="VoiceNotFound"):
        service.query_voice(voice)


@pytest.mark.filterwarnings(PREVIEW)
def test_the_newer_client_speaks_and_streams(newer):
    http = newer.audio.tts.http
    spoken = http.synthesize(FERRY, model=MODEL, voice="Cherry", language_type="English")
    assert opened(spoken.audio_url)[1] == 24000
    assert opened(http.synthesize(FERRY, **COSY, format="wav", sample_rate=24000).audio_url)[1] == 24000
    chunks = list(http.stream(FERRY, model=MODEL, voice="Cherry"))
    assert chunks[-1].is_final
    assert sum(len(chunk.audio or b"") for chunk in chunks) > 48000
    with pytest.raises(dashscope.v2.errors.DashScopeError, match="Cherry"):
        http.synthesize(FERRY, model=MODEL, voice="Nobody")


@pytest.mark.filterwarnings(PREVIEW)
def test_the_newer_client_designs_and_clones(newer):
    told = {"voice_prompt": "A bright young woman", "preview_text": "Hello there.", "preferred_name": "bright"}
    made = newer.audio.voice_design.create(target_model="qwen3-tts-vd-2026-01-26", **told)
    assert made.voice.startswith("qwen-tts-vd-bright-voice-")
    sound, _ = soundfile.read(io.BytesIO(base64.b64decode(made.preview_audio["data"])))
    assert abs(sound).max() > 0.1
    assert newer.audio.voice_design.get(made.voice).target_model == "qwen3-tts-vd-2026-01-26"
    assert made.voice in [each["voice"] for each in newer.audio.voice_design.list().voices]
    assert newer.audio.tts.http.synthesize(FERRY, model="qwen3-tts-vd-2026-01-26", voice=made.voice).audio_url
    newer.audio.voice_design.delete(made.voice)
    sample = newer.audio.tts.http.synthesize(LONG, model=MODEL, voice="Ethan").audio_url
    assert newer.audio.voices.create(target_model="cosyvoice-v2", prefix="pier", url=sample).voice_id
