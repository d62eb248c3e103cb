"""Wire parity of sessions that speak, listen or translate: for the same wishes SDK and qwenkit say the same.

Where they differ on purpose, `plain` says so: the SDK repeats what is the default anyway (no voice, no model, 300 ms of
padding) and calls raw samples pcm16, which the pages of 2026 call pcm. Ids of events are each library's own.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import dashscope
import pytest
from dashscope.audio.qwen_omni.omni_realtime import TranscriptionParams, TranslationParams
from dashscope.audio.qwen_tts_realtime import QwenTtsRealtime, qwen_tts_realtime
from goodbye import hang_up
from PIL import Image
from talking import BOTH, QUIET, TEXT, Heard, Talk, hurried, omni_realtime

import qwenkit as qk
from qwenkit.sandbox import Sandbox

TTS, ASR = "qwen3-tts-flash-realtime", "qwen3-asr-flash-realtime"
SECOND, THIRD = "qwen3.5-livetranslate-flash-realtime", "qwen3.8-livetranslate-flash-realtime"
PCM = bytes(range(200)) * 4
ALL_OF_TTS = {"mode": "commit", "volume": 30, "pitch_rate": 0.9, "language_type": "English", "sample_rate": 16000}
OURS_OF_TTS = {"mode": "commit", "volume": 30, "pitch": 0.9, "language": "en", "rate_hz": 16000}
OPUS = {"audio_format": "opus", "bit_rate": 32, "speech_rate": 1.2}
Said = list[dict[str, Any]]


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (32, 24), "navy").save(out, "JPEG")
    return out.getvalue()


JPEG = picture()


def said(recorder: Sandbox) -> Said:
    """What the client of the latest session said, without the ids of its events."""
    frames = [json.loads(frame) for frame in recorder.requests[-1].frames]
    return [{name: value for name, value in frame.items() if name != "event_id"} for frame in frames]


def plain(value: Any) -> Any:
    """The same without defaults that are only repeated, and with one name for raw samples."""
    if isinstance(value, dict):
        told = {name: plain(each) for name, each in value.items()}
        dropped = {"voice": None, "model": None, "prefix_padding_ms": 300}
        return {name: each for name, each in told.items() if (name, each) not in dropped.items()}
    return "pcm" if value == "pcm16" else value


class Official:
    """The SDK's two classes for these sessions, each to its end."""

    def __init__(self, recorder: Sandbox) -> None:
        self.box = recorder

    def speech(self, asked: dict[str, Any], *steps: tuple[Any, ...]) -> Said:
        ears = Heard()
        sdk = QwenTtsRealtime(model=TTS, callback=ears, url=f"ws{self.box.url[4:]}/api-ws/v1/realtime")
        return self._said(sdk, ears, partial(sdk.update_session, **asked), steps, sdk.finish)

    def omni(self, model: str, modalities: Any, asked: dict[str, Any], *steps: tuple[Any, ...]) -> Said:
        talk = Talk(self.box, model)
        told = {"input_audio_transcription_model": ASR, "turn_detection_silence_duration_ms": 1000, **asked}
        update = partial(talk.sdk.update_session, modalities, **told)
        return self._said(talk.sdk, talk, update, steps, talk.sdk.end_session_async)

    def _said(self, sdk: Any, ears: Heard, update: Callable[[], None], steps: Any, finish: Callable[[], None]) -> Said:
        sdk.connect()
        update()
        for name, *values in steps:
            getattr(sdk, name)(*values)
        finish()
        with ears.more:
            assert ears.more.wait_for(lambda: ears.events[-1:] and ears.events[-1]["type"] == "session.finished", 10)
        hang_up(sdk)
        return said(self.box)


@pytest.fixture
def official(recorder: Sandbox, native: Any) -> Iterator[Official]:
    with hurried(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(qwen_tts_realtime, "time", omni_realtime.time)
        yield Official(recorder)


def ours(recorder: Sandbox, session: Any, *steps: tuple[Any, ...]) -> Said:
    with session:
        for name, *values in steps:
            getattr(session, name)(*values)
        try:
            session.finish()
        except qk.APIError:  # what the sandbox makes of it is not the question
            session.finish()
    return said(recorder)


SPOKEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "defaults": ({"voice": "Ethan"}, {"voice": "Ethan"}),
    "options": ({"voice": "Ethan", **ALL_OF_TTS}, {"voice": "Ethan", **OURS_OF_TTS}),
    "packed": ({"voice": "Ethan", **OPUS}, {"voice": "Ethan", "format": "opus", "bit_rate": 32, "speed": 1.2}),
}


@pytest.mark.parametrize("name", SPOKEN)
def test_settings_of_speech(name: str, recorder: Sandbox, official: Official, qwen: qk.Client):
    theirs, given = SPOKEN[name]
    mine = ours(recorder, qwen.speech.live(**given), ("write", "Hello."))
    assert mine == official.speech(theirs, ("append_text", "Hello."))


def test_commands_of_speech(recorder: Sandbox, official: Official, qwen: qk.Client):
    """append, commit, clear, response.cancel, finish."""
    texts = ["The ferry leaves at nine. ", "渡轮九点开。"]
    theirs = official.speech(
        {"voice": "Cherry", "mode": "commit"},
        *(("append_text", text) for text in texts), ("commit",), ("clear_appended_text",), ("cancel_response",),
    )  # fmt: skip
    steps = [*(("write", text) for text in texts), ("commit",), ("clear",), ("cancel",)]
    mine = ours(recorder, qwen.speech.live(voice="Cherry", mode="commit"), *steps)
    assert mine == theirs
    assert [each["type"].rpartition(".")[2] for each in mine] == [
        "update", "append", "append", "commit", "clear", "cancel", "finish"
    ]  # fmt: skip


HEARD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "defaults": ({"transcription_params": TranscriptionParams(), "turn_detection_silence_duration_ms": 800}, {}),
    "a language and terms": (
        {
            "transcription_params": TranscriptionParams(language="en", sample_rate=8000, corpus_text="Ilse"),
            "turn_detection_threshold": 0.0,
            "turn_detection_silence_duration_ms": 400,
        },
        {"language": "English", "context": "Ilse", "rate_hz": 8000, "threshold": 0.0, "silence_ms": 400},
    ),
    "by hand": ({"transcription_params": TranscriptionParams(), **QUIET}, {"turn_detection": "manual"}),
}


@pytest.mark.parametrize("name", HEARD)
def test_settings_of_hearing(name: str, recorder: Sandbox, official: Official, qwen: qk.Client):
    """Its sessions have no sound to give, so qwenkit names no format for it."""
    theirs, given = HEARD[name]
    expected = plain(official.omni(ASR, TEXT, theirs)[0])
    del expected["session"]["output_audio_format"]
    assert plain(ours(recorder, qwen.transcribe.live(**given), ("append", PCM))[0]) == expected


def test_commands_of_hearing(recorder: Sandbox, official: Official, qwen: qk.Client):
    """append, clear, append, commit, finish."""
    text, by_hand = base64.b64encode(PCM * 8).decode(), {"transcription_params": TranscriptionParams(), **QUIET}
    steps = [("append_audio", text[: len(text) // 8 // 4 * 4]), ("clear_appended_audio",)]
    theirs = official.omni(ASR, TEXT, by_hand, *steps, ("append_audio", base64.b64encode(PCM).decode()), ("commit",))
    first = base64.b64decode(text[: len(text) // 8 // 4 * 4])
    mine = ours(
        recorder, qwen.transcribe.live(turn_detection="manual"),
        ("append", first), ("clear",), ("append", PCM), ("commit",),
    )  # fmt: skip
    assert mine[1:] == theirs[1:]


def test_the_second_translator(recorder: Sandbox, official: Official, qwen: qk.Client):
    """update, append, image, finish. The SDK does not say how many samples there are in a second."""
    params = TranslationParams(language="zh", corpus=TranslationParams.Corpus(phrases={"ferry": "渡船"}))
    steps = [("append_audio", base64.b64encode(PCM).decode()), ("append_video", base64.b64encode(JPEG).decode())]
    asked = {"voice": "Tina", "translation_params": params}
    theirs = official.omni(SECOND, BOTH, asked, *steps)
    live = qwen.translate.live(to="Chinese", phrases={"ferry": "渡船"}, model=SECOND)
    mine = ours(recorder, live, ("append", PCM), ("look", JPEG))
    assert mine[1:] == theirs[1:]
    expected, found = plain(theirs[0])["session"], plain(mine[0])["session"]
    assert found.pop("sample_rate") == 16000
    expected["input_audio_transcription"] = {"model": ASR}
    assert found == expected


@pytest.mark.filterwarnings("ignore:dashscope 2.0 audio API is a preview:FutureWarning")
def test_the_third_translator(recorder: Sandbox, qwen: qk.Client):
    """Its settings are nested. The 2.x client sends what it is given, so it is given the same."""
    client = dashscope.Client(api_key=recorder.key, base_url=f"{recorder.url}/api/v1")
    with client.audio.realtime.connect(model=THIRD, ws_url=f"ws{recorder.url[4:]}/api-ws/v1/realtime") as session:
        session.update_session(
            output_modalities=["text", "audio"], voice="Tina", input_audio_format="pcm", output_audio_format="pcm",
            sample_rate=16000, enable_turn_detection=True, translation_params={"language": "en"},
            input_audio_transcription_model=ASR,
        )  # fmt: skip
        session.append_audio(PCM)
        session.end_session()
        list(session.events())
    client.close()
    theirs = said(recorder)
    mine = ours(recorder, qwen.translate.live(to="English", model=THIRD, extra=None, voice="Tina"), ("append", PCM))
    assert mine == theirs
