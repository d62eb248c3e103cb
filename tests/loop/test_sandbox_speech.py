"""The speaking sandbox over a bare HTTP client: frames byte by byte, samples really measured, addresses that expire."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from bare_sandbox import Clock

from qwenkit.catalogue import tokens
from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.listening import pitch

GENERATION = "/services/aigc/multimodal-generation/generation"
CUSTOM = "/services/audio/tts/customization"
SPEECH = "/services/audio/tts/SpeechSynthesizer"
LONG = "Welcome aboard. The ferry leaves at nine from the north pier, and the next one leaves at noon."
FRAME = re.compile(r"id:(\d+)\nevent:result\n:HTTP_STATUS/200\ndata:(\{.*\})")
VC, NOW = "qwen3-tts-vc-2026-01-22", 1_770_000_000
Post = Callable[..., httpx.Response]
get = partial(httpx.get, verify=False)  # without the time that loading certificates takes


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture(scope="module")
def post(clock: Clock) -> Iterator[Post]:
    with Sandbox(key="sk-speech", clock=clock) as box, httpx.Client(base_url=f"{box.url}/api/v1", timeout=30) as client:

        def send(path: str, body: Any, **headers: str) -> httpx.Response:
            return client.post(path, json=body, headers={"Authorization": f"Bearer {box.key}", **headers})

        yield send


def asked(text: str = LONG, voice: str = "Ethan", model: str = "qwen3-tts-flash", **more: Any) -> dict[str, Any]:
    return {"model": model, "input": {"text": text, "voice": voice, **more}}


def heard(content: bytes) -> tuple[Any, int]:
    sound, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    return sound, rate


@pytest.fixture(scope="module")
def sample(post: Post) -> bytes:
    return get(post(GENERATION, asked()).json()["output"]["audio"]["url"]).content


def clone(post: Post, content: bytes | str, **more: Any) -> httpx.Response:
    data = content if isinstance(content, str) else "data:audio/wav;base64," + base64.b64encode(content).decode()
    given = {"action": "create", "target_model": VC, "preferred_name": "pier", "audio": {"data": data}, **more}
    return post(CUSTOM, {"model": "qwen-voice-enrollment", "input": given})


def wav(samples: Any, rate: int = 24000) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, samples, rate, format="WAV", subtype="PCM_16")
    return target.getvalue()


def test_a_stream_is_framed_as_it_was_captured(post: Post):
    answer = post(GENERATION, asked(model="qwen-tts"), **{"X-DashScope-SSE": "enable"})
    assert answer.headers["content-type"] == "text/event-stream;charset=UTF-8"
    frames = [FRAME.fullmatch(each) for each in answer.text.split("\n\n")[:-1]]
    assert [int(frame[1]) for frame in frames if frame] == list(range(1, len(frames) + 1))
    told = [json.loads(frame[2]) for frame in frames if frame]
    assert len({each["request_id"] for each in told}) == 1
    assert set(told[0]["output"]["audio"]) == {"data", "expires_at", "id"}
    assert set(told[0]["usage"]) == {
        *("total_tokens", "input_tokens", "input_tokens_details", "output_tokens", "output_tokens_details")
    }
    assert told[-1]["output"]["audio"]["expires_at"] == NOW + 86400


def test_instructions_count_in_either_place_and_repeat_byte_for_byte(post: Post):
    body = asked("Good morning.", model="qwen3-tts-instruct-flash")
    in_parameters = {**body, "parameters": {"instructions": "Speak slowly."}}
    in_input = {**body, "input": {**body["input"], "instructions": "Speak slowly."}}
    urls = [post(GENERATION, each).json()["output"]["audio"]["url"] for each in (body, in_parameters, in_input)]
    plain, one, other = [get(url).content for url in urls]
    assert one == other
    assert len(one) > len(plain)


def test_the_address_is_dead_after_a_day(post: Post, clock: Clock):
    url = post(GENERATION, asked("Good morning.")).json()["output"]["audio"]["url"]
    assert get(url).status_code == 200
    assert get(re.sub("Signature=.", "Signature=x", url)).status_code == 403
    clock.now += 86401
    late = get(url)
    clock.now -= 86401
    assert (late.status_code, "expired" in late.text) == (403, True)


@pytest.mark.parametrize("voice", ["Eldric Sage", "Chelsie"])
def test_a_clone_speaks_at_the_pitch_of_its_sample(post: Post, voice: str):
    sound, rate = heard(get(post(GENERATION, asked(voice=voice)).json()["output"]["audio"]["url"]).content)
    higher = np.interp(np.arange(0, len(sound), 1.12), np.arange(len(sound)), sound)  # nobody of the cast
    made = clone(post, wav(higher, rate)).json()["output"]["voice"]
    spoken = post(GENERATION, asked(voice=made, model=VC)).json()["output"]["audio"]["url"]
    again, _ = heard(get(spoken).content)
    assert pitch(resampled(again)) == pytest.approx(pitch(resampled(higher)), rel=0.12)


def resampled(sound: Any) -> Any:
    places = np.arange(0, len(sound), 1.5)  # 24 kHz as the 16 kHz the ears work at
    return np.interp(places, np.arange(len(sound)), sound).astype(np.float32)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda sound: wav(sound * 0), "Audio.AudioSilentError"),
        (lambda sound: wav(sound[:60000]), "Audio.AudioShortError"),
        (lambda sound: wav(sound, 16000), "Audio.AudioRateError"),
        (lambda sound: wav(np.tile(sound, 12)), "Audio.DurationLimitError"),
        (lambda sound: b"no sound at all", "Audio.DecoderError"),
        (lambda sound: b"", "Audio.DecoderError"),
        (lambda sound: wav(sound)[:30], "Audio.DecoderError"),
        (lambda sound: "ftp://example.test/a.wav", "InvalidParameter"),
    ],
)
def test_a_sample_is_measured_before_it_is_a_voice(post: Post, sample: bytes, change: Any, code: str):
    answer = clone(post, change(heard(sample)[0]))
    assert (answer.status_code, answer.json()["code"]) == (400, code)


COSY = {"text": "Hi", "voice": "longanyang"}
DESIGN = {"action": "create", "target_model": "qwen3-tts-vd-2026-01-26", "voice_prompt": "deep", "preview_text": "Hi"}


@pytest.mark.parametrize(
    ("path", "model", "given", "parameters"),
    [
        (SPEECH, "cosyvoice-v2", {**COSY, "sample_rate": 16000.0}, {}),
        (SPEECH, "cosyvoice-v3-flash", {**COSY, "text": "a" * 20_001}, {}),
        (CUSTOM, "qwen-voice-design", {"action": ["create"]}, {}),
        (CUSTOM, "qwen-voice-design", DESIGN, [1]),
        (CUSTOM, "qwen-voice-design", DESIGN, {"sample_rate": 24000.0}),
    ],
)
def test_no_order_is_too_odd_to_be_refused(post: Post, path: str, model: str, given: Any, parameters: Any):
    answer = post(path, {"model": model, "input": given, "parameters": parameters})
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")


@pytest.mark.parametrize(
    "wrong",
    [
        {"target_model": "qwen-tts"},
        {"target_model": "qwen3-tts-vd-2026-01-26"},
        {"preferred_name": "x" * 17},
        {"preferred_name": "a-b"},
        {"language": "Klingon"},
        {"action": "query"},
        {"audio": "x"},
    ],
)
def test_what_is_wrong_with_an_order_for_a_voice(post: Post, wrong: dict[str, Any]):
    answer = clone(post, b"", **wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, "InvalidParameter")


LIMITS: list[tuple[str, str, dict[str, Any], str, Any, Any]] = [
    (SPEECH, "cosyvoice-v3-flash", COSY, name, inside, outside)
    for name, inside, outside in [
        *[("volume", 0, -1), ("volume", 100, 101), ("rate", 0.5, 0.49), ("rate", 2, 2.01), ("pitch", 0.5, 0.49)],
        *[("pitch", 2, 2.01), ("bit_rate", 6, 5), ("bit_rate", 510, 511), ("seed", 0, -1), ("seed", 65535, 65536)],
        *[("sample_rate", 8000, 7999), ("sample_rate", 48000, 48001)],
    ]
]
LIMITS += [
    (CUSTOM, "qwen-voice-design", DESIGN, "voice_prompt", "a" * 2048, "a" * 2049),
    (CUSTOM, "qwen-voice-design", DESIGN, "preview_text", "!" * 1024, "!" * 1025),
    (CUSTOM, "qwen-voice-design", DESIGN, "preferred_name", "a" * 16, "a" * 17),
]


@pytest.mark.parametrize(("path", "model", "given", "name", "inside", "outside"), LIMITS)
def test_what_is_at_a_limit_is_done_what_is_past_it_refused(
    post: Post, path: str, model: str, given: Any, name: str, inside: Any, outside: Any
):
    answers = [post(path, {"model": model, "input": {**given, name: value}}).status_code for value in (inside, outside)]
    assert answers == [200, 400]


def test_instructions_have_a_limit_in_tokens(post: Post):
    most = "slow" + " slow" * (1600 - tokens.count("slow"))
    assert tokens.count(most) == 1600
    told = [asked("Hi", model="qwen3-tts-instruct-flash", instructions=each) for each in (most, most + " slow")]
    assert [post(GENERATION, each).status_code for each in told] == [200, 400]


def test_an_account_holds_so_many_voices(post: Post, monkeypatch: Any):
    monkeypatch.setattr("qwenkit.sandbox.customizing.MOST", 0)
    answer = clone(post, b"")
    assert (answer.status_code, answer.json()["code"]) == (429, "Throttling.AllocationQuota")


@pytest.mark.parametrize(
    ("words", "low", "high"),
    [("A deep voice of an old man", 60, 125), ("A young woman", 150, 270), ("一个小女孩", 230, 380)],
)
def test_a_designed_voice_sounds_as_it_is_described(post: Post, words: str, low: int, high: int):
    given = {"action": "create", "target_model": "qwen3-tts-vd-2026-01-26", "voice_prompt": words, "preview_text": LONG}
    told = post(CUSTOM, {"model": "qwen-voice-design", "input": given, "parameters": {"sample_rate": 16000}}).json()
    sound, rate = heard(base64.b64decode(told["output"]["preview_audio"]["data"]))
    assert rate == 16000
    assert low < pitch(sound) < high


def test_voices_are_listed_page_by_page_latest_first(post: Post, sample: bytes):
    made = [clone(post, sample).json()["output"]["voice"] for _ in range(3)]

    def listed(page: int) -> Any:
        given = {"action": "list", "page_index": page, "page_size": 2}
        return post(CUSTOM, {"model": "qwen-voice-enrollment", "input": given}).json()["output"]

    assert [each["voice"] for each in listed(0)["voice_list"]] == [made[2], made[1]]
    assert listed(1)["voice_list"][0]["voice"] == made[0]
    assert listed(0)["total_count"] >= 3
