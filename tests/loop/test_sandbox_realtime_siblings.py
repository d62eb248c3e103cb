"""Speaking, recognising and translating sessions of the sandbox, frame by frame, against the recorded flows too."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from socket_talk import (
    FINISH,
    Json,
    appended,
    clip,
    dial,
    errors,
    frame_of,
    of,
    read,
    silence,
    sound,
    talk,
    types,
    update,
)

from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.listening import pitch
from qwenkit.sandbox.voice import speak
from qwenkit.sandbox.waves import floats, resampled

RECORDED = Path(__file__).parents[1] / "recorded" / "realtime"
TTS, INSTRUCT, FIRST = "qwen3-tts-flash-realtime", "qwen3-tts-instruct-flash-realtime", "qwen-tts-realtime"
CLONED = "qwen3-tts-vc-realtime-2026-01-01"
ASR = "qwen3-asr-flash-realtime"
TRANSLATE = {n: f"qwen{n}-livetranslate-flash-realtime" for n in ("3", "3.5", "3.8")}
TEXT, FERRY, HELLO = (
    "The ferry leaves at nine.",
    "The ferry leaves at nine from the north pier.",
    "Hello, and welcome on board.",
)
COMMIT, CLEAR = {"type": "input_text_buffer.commit"}, {"type": "input_text_buffer.clear"}
HEARD = {"type": "input_audio_buffer.commit"}
CANCEL = {"type": "response.cancel"}
HAN = ("\u3400", "\u9fff")
OPEN = ["response.created", "response.output_item.added", "response.content_part.added", "response.audio.delta"]
SPOKEN = [*OPEN, "response.audio.done", "response.content_part.done", "response.output_item.done", "response.done"]
WAITED = ("session.updated", "response.done", "session.finished")  # before the client goes on
VARYING = ("usage", "input_audio_transcription")  # with what was asked and said
TRANSCRIBED = "conversation.item.input_audio_transcription"


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(key="sk-siblings") as running:
        yield running


def typed(text: str) -> Json:
    return {"type": "input_text_buffer.append", "text": text}


def spoken(box: Sandbox, *texts: str, model: str = TTS, **session: Any) -> list[Json]:
    return talk(box, model, update(**session), *map(typed, texts), FINISH)


def replayed(box: Sandbox, flow: str, pcm: bytes) -> tuple[list[Json], list[Json]]:
    """What was recorded, and what the sandbox says to the same commands, with speech in the place of tokens."""
    rows = [json.loads(line) for line in (RECORDED / f"{flow}.jsonl").read_text("utf-8").splitlines()]
    theirs = [row["frame"] for row in rows if row["from"] == "server"]
    speech, ours = iter(appended(pcm)), list[Json]()
    with dial(box, theirs[0]["session"]["model"]) as socket:
        for row in rows:
            frame = row["frame"]
            if row["from"] == "client":
                for each in speech if frame["type"] == "input_audio_buffer.append" else [frame]:
                    socket.send(json.dumps(each))
            elif frame["type"] in WAITED:
                ours.append(frame_of(socket))
                while ours[-1]["type"] not in (frame["type"], ""):
                    ours.append(frame_of(socket))
    return theirs, ours


def shape(value: Any) -> Any:
    """What must be there: keys, and of what kind their values are."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value[:1]] if isinstance(value, list) else type(value).__name__


def holds(ours: Any, theirs: Any) -> bool:
    """Whether a shape has everything another one has; numbers may be whole or not, details differ by what was said."""
    if isinstance(theirs, dict):
        return isinstance(ours, dict) and all(
            key in ours and holds(ours[key], each) for key, each in theirs.items() if key not in VARYING
        )
    if isinstance(theirs, list):
        return isinstance(ours, list) and all(holds(a, b) for a, b in zip(ours, theirs, strict=False))
    return ours == theirs or {ours, theirs} == {"int", "float"}


def settled(events: list[Json]) -> list[str]:
    """Types in order. Words and sound of a response come in turns and count as one; snapshots come as they like."""
    words = ("response.audio_transcript.text", "response.audio_transcript.delta", "response.audio.delta")
    told = ["words and sound" if each["type"] in words else each["type"] for each in events]
    told = [each for each in told if each != f"{TRANSCRIBED}.text"]
    return [each for n, each in enumerate(told) if n == 0 or each != told[n - 1]]


@pytest.mark.parametrize("flow", ["speech", "transcription", "translation"])
def test_a_recorded_flow_comes_again_in_the_same_order_with_the_same_fields(box: Sandbox, flow: str):
    pcm = clip("ferry") if flow == "transcription" else chinese()
    theirs, ours = replayed(box, flow, pcm + silence(1.5))
    assert settled(ours) == settled(theirs)
    assert {event["type"] for event in theirs} == {event["type"] for event in ours}
    for type_ in {event["type"] for event in theirs}:
        told = [shape(event) for event in of(ours, type_)]
        assert any(holds(each, shape(of(theirs, type_)[0])) for each in told), (type_, told[:1])


def chinese() -> bytes:
    return bytes(asyncio.run(speak("你好，欢迎上船。", "Cherry", rate_hz=16000)).pcm.tobytes())


# -- speaking ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 44100, 48000])
@pytest.mark.parametrize("format", ["pcm", "wav", "mp3", "opus"])
def test_every_format_at_every_rate_is_the_same_speech(box: Sandbox, format: str, rate: int):
    events = spoken(box, TEXT, voice="Ethan", response_format=format, sample_rate=rate)
    if format == "opus" and rate in (22050, 44100):
        assert errors(events)[0]["param"] == "session.sample_rate"
        return
    content = sound(events)
    raw = {"samplerate": rate, "channels": 1, "subtype": "PCM_16", "format": "RAW"} if format == "pcm" else {}
    wave, told = soundfile.read(io.BytesIO(content), dtype="float32", **raw)
    assert told == rate
    assert len(wave) / rate == pytest.approx(1.757, abs=0.3)
    assert 80 < pitch(resampled(wave, rate, 16000)) < 140
    assert of(events, "response.done")[0]["response"]["usage"] == {"characters": len(TEXT)}


def test_the_bit_rate_decides_how_many_bytes_there_are(box: Sandbox):
    for format in ("opus", "mp3"):
        sizes = [len(sound(spoken(box, TEXT, response_format=format, bit_rate=kbps))) for kbps in (6, 64, 128, 510)]
        assert sizes[0] < sizes[1] < sizes[2] <= sizes[3]


def test_the_server_commits_at_the_end_of_sentences_and_after_a_pause(box: Sandbox):
    with dial(box, TTS) as socket:
        events: list[Json] = []
        for text in ("Version 1.2 is he", "re. And then", " more"):
            socket.send(json.dumps(typed(text)))
        while len(of(events, "response.done")) < 2:  # the second has no end: nobody types for a while
            events.append(read(socket.recv(timeout=30)))
        socket.send(json.dumps(typed("还有。再见")))
        socket.send(json.dumps(FINISH))
        while events[-1]["type"] != "session.finished":
            events.append(read(socket.recv(timeout=30)))
    assert len(of(events, "input_text_buffer.committed")) == len(of(events, "response.done")) == 4
    billed = [event["response"]["usage"]["characters"] for event in of(events, "response.done")]
    assert billed == [len("Version 1.2 is here."), len(" And then more"), len("还有。") + 2, len("再见") + 2]
    assert len({event["response"]["id"] for event in of(events, "response.done")}) == 4


def test_in_commit_mode_nothing_is_said_until_it_is_told_to(box: Sandbox):
    told = talk(box, TTS, update(mode="commit"), typed("One. Two."), typed(" Three."), COMMIT, FINISH)
    assert types(told)[2:] == ["input_text_buffer.committed", *SPOKEN, "session.finished"]
    told = talk(box, TTS, update(mode="commit"), typed("One. "), CLEAR, COMMIT, typed("Two."), FINISH)
    assert errors(told)[0]["message"] == "Error committing input text buffer: buffer is empty."
    assert [event["response"]["usage"] for event in of(told, "response.done")] == [{"characters": 4}]
    assert of(told, "input_text_buffer.cleared")


def test_manner_of_speaking_is_heard_where_the_model_has_it(box: Sandbox):
    usual = len(sound(spoken(box, TEXT)))
    assert len(sound(spoken(box, TEXT, speech_rate=2.0))) < 0.7 * usual
    assert len(sound(spoken(box, TEXT, speech_rate=0.5))) > 1.5 * usual
    high = floats(sound(spoken(box, TEXT, voice="Ethan", pitch_rate=1.5, sample_rate=16000)))
    assert pitch(high) > 140
    quiet, loud = (np.abs(floats(sound(spoken(box, TEXT, volume=volume)))).max() for volume in (10, 50))
    assert quiet < 0.4 * loud
    assert len(sound(spoken(box, TEXT, instructions="very fast", model=INSTRUCT))) < 0.95 * usual
    assert len(sound(spoken(box, TEXT, instructions="very fast"))) == usual
    first = spoken(box, TEXT, speech_rate=2.0, volume=1, model=FIRST)
    assert len(sound(first)) == usual
    usage = of(first, "response.done")[0]["response"]["usage"]
    assert usage["output_tokens_details"]["audio_tokens"] == usage["output_tokens"] == round(usual / 48000 * 50)


def test_a_response_can_be_cancelled_and_the_session_goes_on():
    with Sandbox(key="k", speech_pace=1.0) as paced, dial(paced, TTS) as socket:
        events: list[Json] = []
        socket.send(json.dumps(typed("A long sentence that goes on, and on, and on, and on. And one more. ")))
        while not of(events, "response.audio.delta"):
            events.append(read(socket.recv(timeout=30)))
        for command in (CANCEL, CANCEL, typed("Hi. "), FINISH):
            socket.send(json.dumps(command))
            while command is CANCEL and not (of(events, "response.done") or errors(events)):
                events.append(read(socket.recv(timeout=30)))
        while events[-1]["type"] != "session.finished":
            events.append(read(socket.recv(timeout=30)))
    assert [event["response"]["status"] for event in of(events, "response.done")] == ["cancelled", "completed"]
    assert [each["message"] for each in errors(events)] == ["Conversation has none active response"]
    assert len(sound(events)) < 48000 * 3


REFUSED: dict[str, tuple[Json, str]] = {
    "mode": ({"mode": "auto"}, "session.mode"),
    "format": ({"response_format": "flac"}, "session.response_format"),
    "rate": ({"sample_rate": 11025}, "session.sample_rate"),
    "language": ({"language_type": "Klingon"}, "session.language_type"),
    "fast": ({"speech_rate": 2.5}, "session.speech_rate"),
    "loud": ({"volume": 101}, "session.volume"),
    "bits": ({"bit_rate": 5}, "session.bit_rate"),
    "voice": ({"voice": 3}, "session.voice"),
    "rewrite": ({"optimize_instructions": True}, "session.optimize_instructions"),
    "instructions": ({"instructions": "calm " * 2000}, "session.instructions"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_setting_that_cannot_be_is_refused_and_nothing_changes(box: Sandbox, case: str):
    session, param = REFUSED[case]
    events = talk(box, TTS, update(**session), update(), typed("Hi."), FINISH)
    (error,) = errors(events)
    assert (error["type"], error["param"], error["event_id"]) == ("invalid_request_error", param, "event_u")
    assert of(events, "session.updated")[0]["session"] == of(events, "session.created")[0]["session"]
    assert of(events, "response.done")


def test_the_first_generation_speaks_one_format_only(box: Sandbox):
    for session in ({"response_format": "mp3"}, {"sample_rate": 16000}):
        assert errors(talk(box, FIRST, update(**session), FINISH))


def test_an_update_after_the_first_text_comes_too_late(box: Sandbox):
    late = "Session update error: session already started or finished or failed."
    for commands in ((typed("Hi. "), update(mode="commit"), FINISH), (FINISH, update())):
        (error,) = errors(talk(box, TTS, *commands, until="session.finished" if len(commands) == 3 else "error"))
        assert (error["message"], error["code"]) == (late, "invalid_value")
    events = talk(box, TTS, FINISH, typed("Too late."), until="error")
    assert errors(events)[0]["message"] == "Session has already finished."


@pytest.mark.parametrize(("model", "voice"), [(TTS, "Nobody"), (CLONED, ""), (CLONED, "Cherry")])
def test_a_voice_the_model_does_not_have_fails_where_the_switch_says(model: str, voice: str):
    told = f"Voice '{voice}' is not supported."
    for switch in ("first_reply", "update", "ignore"):
        with Sandbox(key="k", realtime={"invalid_voice": switch}) as box:
            events = spoken(box, "Hi.", voice=voice, model=model)
        assert [each["message"] for each in errors(events)] == ([] if switch == "ignore" else [told])
        if switch == "update":
            assert events[-1]["closed"][0] == 1007
        else:
            (done,) = of(events, "response.done")
            assert done["response"]["status"] == ("completed" if switch == "ignore" else "failed")


def test_the_server_closes_after_finishing_if_it_is_told_to():
    with Sandbox(key="k", realtime={"server_closes_tts": True}) as box:
        events = talk(box, TTS, typed("Hi."), FINISH, until="never")
    assert events[-2]["type"] == "session.finished"
    assert events[-1]["closed"] == [1000, ""]


# -- recognising -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8000, 16000])
def test_speech_is_written_down_utterance_by_utterance(box: Sandbox, rate: int):
    pcm = clip("hello", rate) + silence(1.2, rate) + clip("ferry", rate) + silence(1.2, rate)
    detection = {"type": "server_vad", "threshold": 0.0, "silence_duration_ms": 400}
    events = talk(box, ASR, update(sample_rate=rate, turn_detection=detection), *appended(pcm), FINISH)
    done = of(events, f"{TRANSCRIBED}.completed")
    assert [each["transcript"] for each in done] == [f"{HELLO} 你好，欢迎上船。", FERRY]
    assert {(each["language"], each["emotion"]) for each in done} == {("en", "neutral")}
    one = ["input_audio_buffer.speech_started", f"{TRANSCRIBED}.text", "input_audio_buffer.speech_stopped"]
    one += ["input_audio_buffer.committed", "conversation.item.created", f"{TRANSCRIBED}.text"]
    assert types(events)[2:] == [*one, f"{TRANSCRIBED}.completed"] * 2 + ["session.finished"]
    committed = of(events, "input_audio_buffer.committed")
    assert committed[1]["previous_item_id"] == committed[0]["item_id"] == done[0]["item_id"]
    starts, stops = ([e[k] for e in events if k in e] for k in ("audio_start_ms", "audio_end_ms"))
    assert starts == [0, pytest.approx(5800, abs=300)]
    assert stops == [pytest.approx(4700, abs=300), pytest.approx(8600, abs=300)]


def test_snapshots_never_take_back_what_is_fixed(box: Sandbox):
    events = talk(box, ASR, *appended(clip("hello") + silence(1)), FINISH)
    fixed = ""
    for each in of(events, f"{TRANSCRIBED}.text"):
        assert each["text"].startswith(fixed)
        fixed = each["text"]
    assert of(events, f"{TRANSCRIBED}.completed")[0]["transcript"].startswith(fixed)
    assert fixed


def test_by_hand_a_commit_ends_an_utterance(box: Sandbox):
    heard = {"language": "en", "corpus": {"text": "ferries"}}
    setting = update(turn_detection=None, input_audio_transcription=heard)
    events = talk(box, ASR, setting, HEARD, *appended(clip("ferry")), HEARD, *appended(silence(1)), HEARD, FINISH)
    assert [each["message"] for each in errors(events)] == [
        "Error committing input audio buffer: buffer too small, or have no audio."
    ]
    assert [each["transcript"] for each in of(events, f"{TRANSCRIBED}.completed")] == [FERRY, ""]
    assert not of(events, "conversation.item.created")
    assert of(events, "session.updated")[0]["session"]["input_audio_transcription"]["corpus"] == heard["corpus"]


def test_finishing_ends_speech_that_goes_on_and_tells_nothing_of_silence(box: Sandbox):
    events = talk(box, ASR, *appended(clip("ferry")), FINISH)
    assert [each["transcript"] for each in of(events, f"{TRANSCRIBED}.completed")] == [FERRY]
    assert types(events)[-1] == "session.finished"
    assert types(talk(box, ASR, *appended(silence(3)), FINISH)) == ["session.created", "session.finished"]
    by_hand = talk(box, ASR, update(turn_detection=None), *appended(clip("ferry")), FINISH)
    assert types(by_hand)[2:] == ["session.finished"]


@pytest.mark.parametrize("detection", [None, {"type": "server_vad"}])
def test_opus_is_heard_as_it_comes(box: Sandbox, detection: Json | None):
    target, wave = io.BytesIO(), np.frombuffer(clip("ferry") + silence(1.5), "<i2")
    soundfile.write(target, wave, 16000, format="OGG", subtype="OPUS")
    setting = update(input_audio_format="opus", turn_detection=detection)
    commit = [] if detection else [HEARD]
    events = talk(box, ASR, setting, *appended(target.getvalue(), 900), *commit, FINISH)
    assert [each["transcript"] for each in of(events, f"{TRANSCRIBED}.completed")] == [FERRY]


def test_speech_that_nobody_knows_is_told_as_such(box: Sandbox):
    strange = bytes(asyncio.run(speak("Quarks juggle seven violet umbrellas.", "Ethan", rate_hz=16000)).pcm.tobytes())
    events = talk(box, ASR, *appended(strange), FINISH)
    assert "[unrecognised speech, " in of(events, f"{TRANSCRIBED}.completed")[0]["transcript"]
    both = strange + silence(1.5) + clip("ferry")
    events = talk(box, TRANSLATE["3.5"], update(translation={"language": "zh"}), *appended(both), FINISH)
    said = [each["transcript"] for each in of(events, "response.audio_transcript.done")]
    assert said[0].startswith("[unrecognised speech, ")  # which nobody can translate
    assert said[1].startswith("渡轮")


LISTENING: dict[str, tuple[Json, str]] = {
    "silence": ({"turn_detection": {"silence_duration_ms": 100}}, "session.turn_detection.silence_duration_ms"),
    "threshold": ({"turn_detection": {"threshold": 1.5}}, "session.turn_detection.threshold"),
    "kind": ({"turn_detection": {"type": "semantic_vad"}}, "session.turn_detection.type"),
    "rate": ({"sample_rate": 24000}, "session.sample_rate"),
    "format": ({"input_audio_format": "mp3"}, "session.input_audio_format"),
    "language": ({"input_audio_transcription": {"language": "xx"}}, "session.input_audio_transcription.language"),
}


@pytest.mark.parametrize("case", LISTENING)
def test_what_cannot_be_listened_to_is_refused(box: Sandbox, case: str):
    session, param = LISTENING[case]
    for model in (ASR, TRANSLATE["3.5"]):
        (error,) = errors(talk(box, model, update(**session), FINISH))
        assert (error["code"], error["param"]) == ("invalid_value", param)


def test_sound_that_is_none_and_commits_that_cannot_be_are_refused(box: Sandbox):
    wrong = [{"type": "input_audio_buffer.append", "audio": audio} for audio in (None, "", 3, "%%%", "AAA")]
    huge = {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(15 * 2**20 + 1)).decode()}
    late = update(sample_rate=8000)
    events = talk(box, ASR, *wrong, HEARD, *appended(silence(0.2)), late, {"type": "response.create"}, huge, FINISH)
    told = [each["message"] for each in errors(events)]
    assert len(told) == len(wrong) + 3
    assert told[len(wrong) :][0] == "Internal service error: null"
    assert "15 MB" in told[-1]


# -- translating -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generation", TRANSLATE)
def test_each_generation_translates_in_its_own_dialect(box: Sandbox, generation: str):
    third, words = generation == "3.8", {"3.8": "delta"}.get(generation, "text")
    both, phrases = ["text", "audio"], {"corpus": {"phrases": {"north pier": "北码头"}}, "language": "zh"}
    session: Json = {"modalities": both, "voice": "Ethan", "translation": phrases}
    if third:
        out = {"voice": "Ethan", "format": {"type": "pcm", "sample_rate": 16000}}
        heard = {"turn_detection": {"type": "speaker_detection", "silence_duration_ms": 600}}
        session = {"output_modalities": both, "audio": {"input": heard, "output": out}, "translation": phrases}
    events = talk(box, TRANSLATE[generation], update(**session), *appended(clip("ferry") + silence(1.5)), FINISH)
    said = of(events, "response.audio_transcript.done")[0]["transcript"]
    assert all(word in said for word in ("渡轮", "北码头"))
    heard_id = of(events, f"{TRANSCRIBED}.completed")[0]["item_id"]
    assert [each["previous_item_id"] for each in of(events, "conversation.item.created")] == [heard_id]
    pieces = of(events, f"response.audio_transcript.{words}")
    snapshots = [each["text"] + each["stash"] for each in pieces] if words == "text" else []
    assert (snapshots[-1] if snapshots else "".join(each["delta"] for each in pieces)) == said
    assert not any("item_id" in each for each in events if each["type"].startswith("input_audio_buffer"))
    rate = 16000 if third else 24000
    assert 1.5 < len(sound(events)) / 2 / rate < 6
    echo = of(events, "session.updated")[0]["session"]
    assert ("output_modalities" in echo, "modalities" in echo) == (third, not third)
    usage = of(events, "response.done")[0]["response"]["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_chinese_becomes_english_and_two_utterances_two_responses(box: Sandbox):
    events = talk(box, TRANSLATE["3.5"], *appended(chinese() + silence(1.5) + chinese() + silence(1.5)), FINISH)
    texts = [each["transcript"] for each in of(events, "response.audio_transcript.done")]
    assert len(texts) == 2
    assert texts[0] == texts[1]
    assert texts[0].startswith("Hello, welcome")
    assert events[-1]["type"] == "session.finished"


def test_text_alone_by_hand_and_without_a_transcript(box: Sandbox):
    heard = {"input_audio_transcription": {"model": None}, "turn_detection": None}
    session = update(modalities=["text"], translation={"language": "zh"}, **heard)
    events = talk(box, TRANSLATE["3"], session, *appended(clip("ferry")), HEARD, FINISH)
    snapshots = [each["text"] for each in of(events, "response.text.text")]
    assert all(after.startswith(before) for before, after in pairwise(snapshots))
    assert of(events, "response.text.done")[0]["text"] == snapshots[-1]
    assert not [each for each in types(events) if "audio" in each and "buffer" not in each]
    assert of(events, "session.updated")[0]["session"]["input_audio_transcription"] is None
    assert of(events, "session.updated")[0]["session"]["turn_detection"] is None


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize("skipped", [("skip_text",), ("skip_audio",), ("skip_text", "skip_audio")])
def test_the_same_language_can_be_skipped(box: Sandbox, skipped: tuple[str, ...], above: bool):
    options = {"same_language_skip_options": dict.fromkeys(skipped, True)}
    translation = {"language": "en"} if above else {"language": "en", **options}
    session = update(translation=translation, **(options if above else {}))
    events = talk(box, TRANSLATE["3.5"], session, *appended(clip("ferry")), FINISH)
    text = [each for each in types(events) if each.startswith(("response.text", "response.audio_transcript"))]
    assert bool(text) == ("skip_text" not in skipped)
    assert bool(sound(events)) == ("skip_audio" not in skipped)
    assert len(of(events, "response.done")) == (len(skipped) < 2)


def test_pictures_are_taken_by_the_rule(box: Sandbox):
    def look(size: int) -> Json:
        return {"type": "input_image_buffer.append", "image": base64.b64encode(bytes(size)).decode()}

    events = talk(
        box, TRANSLATE["3.5"], look(100), *appended(silence(0.2)), look(500 * 1024), look(500 * 1024 + 1), FINISH
    )
    told = [each["message"] for each in errors(events)]
    assert told[0] == "Error append image before append audio."
    assert len(told) == 2


WISHES: dict[str, tuple[Json, str]] = {
    "sound alone": ({"modalities": ["audio"]}, "session.modalities"),
    "a language": ({"translation": {"language": "tlh"}}, "session.translation.language"),
    "phrases": ({"translation": {"corpus": {"phrases": []}}}, "session.translation.corpus.phrases"),
    "a clone": (
        {"enable_voice_clone": True, "voice_clone_options": {"frequency": "once"}},
        "session.voice_clone_options.frequency",
    ),
}


@pytest.mark.parametrize("case", WISHES)
def test_wishes_that_no_translator_fulfils_are_refused(box: Sandbox, case: str):
    session, param = WISHES[case]
    (error,) = errors(talk(box, TRANSLATE["3.5"], update(**session), FINISH))
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_a_clone_speaks_and_the_third_generation_needs_its_session(box: Sandbox):
    cloned = {"voice": "default", "enable_voice_clone": True, "voice_clone_options": {"frequency": "always"}}
    assert sound(talk(box, TRANSLATE["3.5"], update(**cloned), *appended(chinese()), FINISH))
    (error,) = errors(talk(box, TRANSLATE["3.8"], {"type": "session.update"}, FINISH))
    assert error["message"] == "Missing required parameter: 'session'."
