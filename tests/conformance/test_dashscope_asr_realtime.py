"""Sessions that only listen, or translate, as the official `dashscope` SDK holds them: `OmniRealtimeConversation` with
transcription and translation parameters, and the 2.x client for the newest translator."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import dashscope
import pytest
from dashscope.audio.qwen_omni.omni_realtime import TranscriptionParams, TranslationParams
from goodbye import hang_up
from PIL import Image
from talking import BOTH, QUIET, SECOND, TEXT, Talk, base64_of, hurried, kinds, pcm, sound

from qwenkit.sandbox import Sandbox

ASR = "qwen3-asr-flash-realtime"
FIRST, SECOND_GENERATION = "qwen3-livetranslate-flash-realtime", "qwen3.5-livetranslate-flash-realtime"
THIRD = "qwen3.8-livetranslate-flash-realtime"
FERRY, MEETING = sound("ferry.wav"), sound("meeting.wav")
WORDS = "The ferry leaves at nine from the north pier."
PAUSE = SECOND * 2
HEARD = "conversation.item.input_audio_transcription"
SPEAKING = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
ANSWER = ["response.created", "response.output_item.added", "response.content_part.added"]
Open = Callable[..., Talk]


@pytest.fixture
def talk(box: Sandbox) -> Iterator[Open]:
    """Opens sessions; all are closed behind the test."""
    opened: list[Talk] = []

    def open_(model: str = ASR, **options: Any) -> Talk:
        made = Talk(box, model, **options)
        opened.append(made)
        made.sdk.connect()
        made.until("session.created")
        return made

    with hurried(), ExitStack() as stack:
        yield open_
        for each in opened:
            stack.callback(hang_up, each.sdk)


def asked(talk: Talk, params: TranscriptionParams | None = None, **options: Any) -> dict[str, Any]:
    return talk.update(TEXT, transcription_params=params or TranscriptionParams(), **options)


def said(events: list[dict[str, Any]], name: str = "completed") -> list[str]:
    return [each["transcript"] for each in events if each["type"] == f"{HEARD}.{name}"]


def test_the_session_echoes_what_it_was_asked_for(talk: Open):
    session = asked(talk(), TranscriptionParams(language="en", corpus_text="Ilse Brandt"), turn_detection_threshold=0.0)
    assert session["modalities"] == ["text"]
    assert session["sample_rate"] == 16000
    assert session["input_audio_transcription"] == {
        "model": ASR, "language": "en", "corpus": {"text": "Ilse Brandt"}
    }  # fmt: skip
    assert session["turn_detection"]["threshold"] == 0.0


def test_speech_is_found_by_its_pauses(talk: Open):
    ears = talk()
    asked(ears)
    ears.hear(FERRY + PAUSE)
    heard = ears.until(f"{HEARD}.completed")
    order = [kind for kind in kinds(heard) if kind != f"{HEARD}.text"]
    assert order == [*SPEAKING, "conversation.item.created", f"{HEARD}.completed"]
    assert said(heard) == [WORDS]
    item = heard[0]["item_id"]
    assert {each["item_id"] for each in heard if "item_id" in each} == {item}
    assert (
        heard[0]["audio_start_ms"] < 500 < 2000 < next(e["audio_end_ms"] for e in heard if "audio_end_ms" in e) < 4000
    )
    assert (heard[-1]["language"], heard[-1]["emotion"]) == ("en", "neutral")


def test_previews_are_snapshots_that_grow(talk: Open):
    ears = talk()
    asked(ears)
    ears.hear(FERRY + PAUSE)
    shown = [each for each in ears.until(f"{HEARD}.completed") if each["type"] == f"{HEARD}.text"]
    assert shown
    assert all(WORDS.startswith((each["text"] + each["stash"])[:20]) for each in shown)
    assert shown[-1]["text"] + shown[-1]["stash"] == WORDS


def test_two_utterances_are_two_items(talk: Open):
    ears = talk()
    asked(ears, turn_detection_silence_duration_ms=400)
    ears.hear(FERRY + PAUSE + FERRY + PAUSE)
    heard = ears.until(f"{HEARD}.completed") + ears.until(f"{HEARD}.completed")
    assert said(heard) == [WORDS, WORDS]
    committed = [each for each in heard if each["type"] == "input_audio_buffer.committed"]
    assert committed[1]["previous_item_id"] == committed[0]["item_id"]


def test_by_hand_it_listens_until_told(talk: Open):
    ears = talk()
    session = asked(ears, **QUIET)
    assert session["turn_detection"] is None
    ears.hear(FERRY)
    ears.sdk.commit()
    heard = ears.until(f"{HEARD}.completed")
    assert kinds(heard)[0] == "input_audio_buffer.committed"
    assert SPEAKING[0] not in kinds(heard)
    assert said(heard) == [WORDS]


def test_an_empty_commit_is_refused(talk: Open):
    ears = talk()
    asked(ears, **QUIET)
    ears.sdk.commit()
    assert ears.refused()["message"] == "Error committing input audio buffer: buffer too small, or have no audio."
    ears.hear(FERRY)
    ears.sdk.commit()
    assert said(ears.until(f"{HEARD}.completed")) == [WORDS]


def test_what_is_cleared_is_not_heard(talk: Open):
    ears = talk()
    asked(ears, **QUIET)
    ears.hear(FERRY)
    ears.sdk.clear_appended_audio()
    ears.until("input_audio_buffer.cleared")
    ears.sdk.commit()
    assert "no audio" in ears.refused()["message"]


def test_the_end_brings_the_last_words(talk: Open):
    ears = talk()
    asked(ears)
    ears.hear(FERRY)  # and no pause
    ears.sdk.end_session(timeout=10)
    heard = ears.until("session.finished")
    assert said(heard) == [WORDS]
    assert kinds(heard)[-2:] == [f"{HEARD}.completed", "session.finished"]


def test_silence_ends_without_a_word(talk: Open):
    ears = talk()
    asked(ears)
    ears.hear(SECOND)
    ears.sdk.end_session(timeout=10)
    assert kinds(ears.until("session.finished")) == ["session.finished"]


def test_eight_kilohertz(talk: Open):
    ears = talk()
    session = asked(ears, TranscriptionParams(sample_rate=8000))
    assert session["sample_rate"] == 8000
    samples = struct.unpack(f"<{len(FERRY) // 2}h", FERRY)
    half = struct.pack(
        f"<{len(samples) // 2}h", *[(a + b) // 2 for a, b in zip(samples[::2], samples[1::2], strict=False)]
    )
    ears.hear(half + PAUSE[: len(PAUSE) // 2])
    assert said(ears.until(f"{HEARD}.completed")) == [WORDS]


def test_nobody_answers_and_nobody_minds_being_asked(talk: Open):
    ears = talk()
    asked(ears, **QUIET)
    ears.sdk.create_response()  # as an official sample does
    ears.hear(FERRY)
    ears.sdk.commit()
    ears.sdk.end_session(timeout=10)
    assert not [kind for kind in kinds(ears.events) if kind.startswith(("response.", "error"))]


WRONG: dict[str, dict[str, Any]] = {
    "a rate": {"transcription_params": TranscriptionParams(sample_rate=11025)},
    "a language": {"transcription_params": TranscriptionParams(language="tlh")},
    "a kind of detection": {"turn_detection_type": "semantic_vad"},
    "a threshold": {"turn_detection_threshold": 2.0},
    "a silence": {"turn_detection_silence_duration_ms": 100},
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_change_nothing(name: str, talk: Open):
    ears = talk()
    before = asked(ears)
    ears.sdk.update_session(TEXT, **{"transcription_params": TranscriptionParams(), **WRONG[name]})
    error = ears.refused()
    assert error["type"] == "invalid_request_error"
    assert error["event_id"].startswith("event_")
    assert asked(ears) == before


def test_a_wrong_key_is_refused_in_the_handshake(talk: Open):
    with pytest.raises(TimeoutError), hurried(40):
        talk(api_key="sk-somebody-else")


# -- translating -------------------------------------------------------------------------------------------------


def into(language: str, **phrases: str) -> dict[str, Any]:
    corpus = TranslationParams.Corpus(phrases=phrases) if phrases else None
    return {"translation_params": TranslationParams(language=language, corpus=corpus)}


@pytest.mark.parametrize("model", [FIRST, SECOND_GENERATION])
def test_a_translation_is_written_and_said(model: str, talk: Open):
    tongue = talk(model)
    session = tongue.update(BOTH, **into("zh"), input_audio_transcription_model=ASR)
    assert session["translation"]["language"] == "zh"
    tongue.hear(FERRY + PAUSE)
    heard = tongue.until("response.done")
    assert said(heard) == [WORDS]
    names = kinds(heard)
    assert [name for name in names if name in ANSWER] == ANSWER
    assert "response.audio_transcript.text" in names
    assert names[-1] == "response.done"
    done = next(each["transcript"] for each in heard if each["type"] == "response.audio_transcript.done")
    shown = [each for each in heard if each["type"] == "response.audio_transcript.text"]
    assert all(done.startswith(each["text"]) for each in shown), "snapshots of what is sure"
    assert "渡轮" in done or "船" in done
    assert len(pcm(heard)) > 48_000
    details = heard[-1]["response"]["usage"]
    assert details["input_tokens_details"]["audio_tokens"] > 0


def test_text_only_comes_as_snapshots(talk: Open):
    tongue = talk(SECOND_GENERATION)
    tongue.update(TEXT, **into("zh"))
    tongue.hear(FERRY + PAUSE)
    heard = tongue.until("response.done")
    shown = [each["text"] for each in heard if each["type"] == "response.text.text"]
    assert shown == sorted(shown, key=len)
    assert next(each["text"] for each in heard if each["type"] == "response.text.done") == shown[-1]
    assert not pcm(heard)
    assert not said(heard), "without a model for it, what is heard is not written down"


def test_phrases_hold(talk: Open):
    tongue = talk(SECOND_GENERATION)
    tongue.update(TEXT, **into("zh", ferry="渡渡船"))
    tongue.hear(FERRY + PAUSE)
    assert "渡渡船" in tongue.until("response.text.done")[-1]["text"]


def test_by_hand_the_commit_asks_for_the_translation(talk: Open):
    tongue = talk(SECOND_GENERATION)
    tongue.update(TEXT, **into("zh"), **QUIET)
    tongue.hear(FERRY)
    tongue.sdk.commit()
    names = kinds(tongue.until("response.done"))
    assert names[0] == "input_audio_buffer.committed"
    assert "response.text.done" in names


def test_pictures_come_after_sound(talk: Open):
    tongue, picture = talk(SECOND_GENERATION), io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(picture, "JPEG")
    tongue.update(TEXT, **into("zh"))
    tongue.sdk.append_video(base64_of(picture.getvalue()))
    assert tongue.refused()["message"] == "Error append image before append audio."
    tongue.hear(FERRY)
    tongue.sdk.append_video(base64_of(picture.getvalue()))
    tongue.sdk.end_session(timeout=10)
    assert "error" not in kinds(tongue.until("session.finished"))


def test_every_utterance_has_a_response_and_the_end_waits_for_all(talk: Open):
    tongue = talk(SECOND_GENERATION)
    tongue.update(TEXT, **into("zh"), turn_detection_silence_duration_ms=400)
    tongue.hear(FERRY + PAUSE + FERRY)
    tongue.sdk.end_session(timeout=10)
    names = [each["type"] for each in tongue.until("session.finished")]
    assert names.count("response.done") == 2
    assert names[-1] == "session.finished"


@pytest.mark.filterwarnings("ignore:dashscope 2.0 audio API is a preview:FutureWarning")
def test_the_third_generation_nests_its_settings_and_tells_parts(box: Sandbox):
    client = dashscope.Client(api_key=box.key, base_url=f"{box.url}/api/v1")
    where = f"ws{box.url.removeprefix('http')}/api-ws/v1/realtime"
    with client.audio.realtime.connect(model=THIRD, ws_url=where) as session:
        session.update_session(output_modalities=["text", "audio"], translation_params={"language": "zh"})
        session.append_audio(FERRY)
        session.end_session()
        events = list(session.events())
    client.close()
    echo = next(each["session"] for each in events if each["type"] == "session.updated")
    assert echo["output_modalities"] == ["text", "audio"]
    assert echo["audio"]["input"]["turn_detection"]["type"] == "speaker_detection"
    parts = [each["delta"] for each in events if each["type"] == "response.audio_transcript.delta"]
    done = next(each["transcript"] for each in events if each["type"] == "response.audio_transcript.done")
    assert "".join(parts) == done
    assert events[-1]["type"] == "session.finished"
