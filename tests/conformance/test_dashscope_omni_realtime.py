"""Realtime sessions, as the official `dashscope` SDK holds them through `OmniRealtimeConversation`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from dashscope.audio.qwen_omni import AudioFormatConfig
from talking import (
    BOTH,
    DATA,
    MODEL,
    QUIET,
    RAIN,
    SECOND,
    STORY,
    TEXT,
    Talk,
    base64_of,
    hurried,
    kinds,
    only,
    pcm,
    picture,
    sound,
    talking,
    typed,
    words,
)

from qwenkit.sandbox import Sandbox

OMNI = [
    MODEL,
    "qwen3.5-omni-flash-realtime",
    "qwen3.8-omni-flash-realtime",
    "qwen3-omni-flash-realtime",
    "qwen-omni-turbo-realtime",
]
HELLO, FERRY = sound("hello.wav"), sound("ferry.wav")
PAUSE = SECOND * 2
Open = Callable[..., Talk]
HEAD = ["response.created", "response.output_item.added", "conversation.item.created", "response.content_part.added"]
TAIL = ["response.content_part.done", "response.output_item.done", "response.done"]


@pytest.fixture(scope="module")
def slow() -> Iterator[Sandbox]:
    """A sandbox that speaks as slowly as people do, so that there is time to interrupt it."""
    with Sandbox(key="sk-conformance", speech_pace=1.0) as running:
        yield running


@pytest.fixture(scope="module")
def strict() -> Iterator[Sandbox]:
    """The same, and where reports about the service differ it does what is less usual."""
    switches = {"strict_finish": True, "no_done_after_cancel": True, "invalid_voice": "update"}
    with Sandbox(key="sk-conformance", speech_pace=1.0, realtime=switches) as running:
        yield running


@pytest.fixture
def call(box: Sandbox) -> Iterator[Open]:
    """Opens sessions, and closes them."""
    with ExitStack() as open_calls:
        yield lambda model=MODEL, at=box, **options: open_calls.enter_context(talking(at, model, **options))


@pytest.fixture
def talk(call: Open) -> Talk:
    return call()


@pytest.fixture
def manual(talk: Talk) -> Talk:
    talk.update(voice="Tina", **QUIET)
    return talk


@pytest.fixture
def mute(talk: Talk) -> Talk:
    """Manual, and answered in writing."""
    talk.update(TEXT, voice="Tina", **QUIET)
    return talk


# -- opening, settings and closing ---------------------------------------------------------------------------------


def test_a_session_says_that_it_is_there_before_anything_is_asked(talk):
    created = talk.events[0]
    assert created["type"] == "session.created"
    assert created["session"]["model"] == MODEL
    assert talk.sdk.get_session_id() == created["session"]["id"]
    assert talk.opened == 1
    assert created["session"]["turn_detection"]["type"] == "server_vad"


def test_the_settings_of_the_sdk_are_taken_whole_and_told_back(talk):
    session = talk.update(voice="Tina", instructions="Be terse.", temperature=0.3, prefix_padding_ms=200)
    assert session["id"] == talk.sdk.get_session_id()
    assert session["modalities"] == ["text", "audio"]
    assert (session["voice"], session["instructions"], session["temperature"]) == ("Tina", "Be terse.", 0.3)
    assert session["turn_detection"]["threshold"] == 0.2
    assert session["turn_detection"]["silence_duration_ms"] == 800
    assert session["turn_detection"]["prefix_padding_ms"] == 200
    assert session["input_audio_transcription"]["model"] == "qwen3-asr-flash-realtime"
    assert "audio" not in session


OPTIONS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "search": (MODEL, {"enable_search": True, "search_options": {"enable_source": True}}, {"enable_search": True}),
    "style": ("qwen3-omni-flash-realtime", {"smooth_output": False}, {"smooth_output": False}),
    "video": (
        "qwen3.8-omni-flash-realtime",
        {"input_video_representation_compact": "normal"},
        {"video": {"input": {"representation_compact": "normal"}}},
    ),
    "fixed sampling": ("qwen-omni-turbo-realtime", {"temperature": 0.2}, {"temperature": 1.0}),
    "tools": (MODEL, {"tools": [RAIN]}, {"tools": [RAIN]}),
    "no transcript": (MODEL, {"enable_input_audio_transcription": False}, {"input_audio_transcription": None}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_beyond_the_usual_pass_through(name, call):
    model, given, told = OPTIONS[name]
    session = call(model).update(**given)
    assert {key: session[key] for key in told} == told


def test_turn_detection_has_more_to_say(talk):
    detection = {"idle_timeout_ms": 6000, "create_response": False, "interrupt_response": False}
    session = talk.update(TEXT, turn_detection_param=detection)
    assert detection.items() <= session["turn_detection"].items()
    talk.hear(FERRY + PAUSE)
    talk.until("conversation.item.input_audio_transcription.completed")
    talk.sdk.create_response()  # the service does not answer by itself
    events = talk.until("response.done")
    assert len([each for each in talk.events if each["type"] == "response.created"]) == 1
    assert words(events)


def test_nested_formats_are_told_back_nested_and_heard(talk):
    talk.update(
        input_audio_config=AudioFormatConfig(sample_rate=16000),
        output_audio_config=AudioFormatConfig(sample_rate=8000),
        voice="Tina",
        **QUIET,
    )
    formats = talk.events[-1]["session"]["audio"]
    assert formats["input"]["format"] == {"type": "pcm", "sample_rate": 16000}
    assert formats["output"]["format"] == {"type": "pcm", "sample_rate": 8000}
    events = talk.ask("Hello")
    text = words(events)
    assert 0.02 * len(text) < len(pcm(events)) / 16_000 < 0.5 * len(text) + 1


def test_a_null_voice_is_the_models_own(talk):
    assert talk.update()["voice"] == "Tina"


def test_a_session_is_changed_while_it_lasts(mute):
    assert words(mute.ask("Hello"))
    session = mute.update(TEXT, voice="Tina", instructions="Answer in French.", **QUIET)
    assert session["instructions"] == "Answer in French."
    assert mute.update(BOTH, voice="Tina", **QUIET)["modalities"] == ["text", "audio"]
    assert pcm(mute.ask("Hello"))
    mute.sdk.update_session(BOTH, voice="Ethan", **QUIET)
    assert mute.refused()["code"] == "cannot_update_voice"
    assert mute.update(TEXT, voice="Tina")["turn_detection"]["type"] == "server_vad"


@pytest.mark.parametrize("model", OMNI)
def test_every_model_answers_with_a_voice_of_its_own(model, call):
    talk = call(model)
    default = talk.events[0]["session"]["voice"]
    assert talk.update(**QUIET)["voice"] == default
    events = talk.ask("Hello")
    assert words(events)
    assert len(pcm(events)) > 9_600
    assert events[-1]["response"]["voice"] == default


def test_a_session_ends_when_it_is_finished(manual):
    manual.ask("Hello")
    manual.sdk.end_session(timeout=30)
    assert manual.events[-1]["type"] == "session.finished"
    assert not manual.closed  # closing is the client's


def test_a_session_may_end_without_waiting(manual):
    manual.sdk.end_session_async()
    assert kinds(manual.until("session.finished"))[-1] == "session.finished"
    assert manual.sdk.thread.is_alive()  # it has said goodbye, and closes when it likes


def test_a_strict_service_does_not_know_the_finish(call, strict):
    talk = call(at=strict)
    with pytest.raises(RuntimeError, match=r"session\.finish"):
        talk.sdk.end_session(timeout=30)


def test_nothing_is_sent_after_the_clients_goodbye(manual):
    manual.sdk.close()
    with pytest.raises(ConnectionError):
        manual.sdk.commit()


# -- turns ---------------------------------------------------------------------------------------------------------


def test_a_manual_turn_is_committed_then_asked_for_then_spoken(manual):
    manual.hear(FERRY)
    manual.sdk.commit()
    committed = manual.until("conversation.item.created")
    assert "input_audio_buffer.committed" in kinds(committed)
    item = committed[-1]["item"]
    assert (item["role"], item["content"]) == ("user", [{"type": "input_audio"}])
    manual.sdk.create_response()
    events = manual.until("response.done")
    told = [kind for kind in kinds(events) if "transcription" not in kind]
    assert told[:4] == HEAD
    assert told[-3:] == TAIL
    assert set(told[4:-3]) == {
        f"response.{kind}" for kind in ("audio_transcript.delta", "audio.delta", "audio_transcript.done", "audio.done")
    }
    text = words(events)
    assert only(events, "response.audio_transcript.done")["transcript"] == text
    assert 0.3 < len(pcm(events)) / 48_000 < len(text)
    response = events[-1]["response"]
    assert (response["status"], response["output"][0]["role"]) == ("completed", "assistant")
    assert response["output"][0]["content"][0]["transcript"] == text
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_tokens_details"]["audio_tokens"] >= 7 * 2
    assert usage["output_tokens_details"]["audio_tokens"] > 0
    ids = {each["response_id"] for each in events if "response_id" in each}
    assert ids == {response["id"]} == {manual.sdk.get_last_response_id()}


def test_the_sdk_measures_how_soon_words_and_sound_come(manual):
    manual.ask("Hello")
    assert 0 <= manual.sdk.get_last_first_text_delay() < 20_000
    assert 0 <= manual.sdk.get_last_first_audio_delay() < 20_000
    assert manual.sdk.get_last_message()["type"] == "response.done"


def test_speech_is_found_transcribed_and_answered_without_being_asked(talk):
    talk.update(voice="Tina")
    talk.hear(SECOND + HELLO + PAUSE)
    events = talk.until("response.done")
    order = [kind for kind in kinds(events) if "transcription" not in kind]
    assert order[:5] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.created",
        "response.created",
    ]
    started, stopped = only(events, order[0]), only(events, order[1])
    assert 500 < started["audio_start_ms"] < 1500
    assert 1000 + len(HELLO) / 32 - 900 < stopped["audio_end_ms"] < 1000 + len(HELLO) / 32 + 1200
    heard = only(events, "conversation.item.input_audio_transcription.completed")
    assert {started["item_id"], stopped["item_id"], only(events, order[2])["item_id"]} == {heard["item_id"]}
    assert "welcome on board" in heard["transcript"]
    assert events[-1]["response"]["status"] == "completed"


def test_two_utterances_are_two_turns(talk):
    talk.update(TEXT, voice="Tina", turn_detection_silence_duration_ms=500)
    talk.hear(FERRY + PAUSE)
    first = talk.until("response.done")
    talk.hear(HELLO + PAUSE)
    second = talk.until("response.done")
    starts = [only(each, "input_audio_buffer.speech_started") for each in (first, second)]
    assert starts[0]["item_id"] != starts[1]["item_id"]
    assert starts[1]["audio_start_ms"] > len(FERRY + PAUSE) / 32 - 500


def test_meaning_decides_where_a_turn_ends_when_it_is_asked_to(talk):
    session = talk.update(TEXT, voice="Tina", turn_detection_type="semantic_vad")
    assert session["turn_detection"]["type"] == "semantic_vad"
    talk.hear(FERRY + PAUSE * 2)
    assert talk.until("response.done")[-1]["response"]["status"] == "completed"


def test_silence_and_noise_are_no_turns(talk):
    talk.update(TEXT, voice="Tina", turn_detection_threshold=0.5)
    talk.hear(PAUSE)
    talk.sdk.clear_appended_audio()
    assert kinds(talk.until("input_audio_buffer.cleared")) == ["input_audio_buffer.cleared"]


def test_an_answer_in_writing_has_no_sound(mute):
    events = mute.ask("What is 17 * 23?")
    assert kinds(events) == [*HEAD, "response.text.delta", "response.text.done", *TAIL]
    assert only(events, "response.content_part.added")["part"]["type"] == "text"
    assert "391" in words(events) == only(events, "response.text.done")["text"]
    assert "audio_tokens" not in events[-1]["response"]["usage"]["output_tokens_details"]
    assert mute.sdk.get_last_first_text_delay() is None  # the SDK counts words that are spoken


def test_one_answer_may_be_written_in_a_session_that_speaks(manual):
    events = manual.ask("What is 17 * 23?", instructions="Be terse.", output_modalities=TEXT)
    assert "391" in words(events)
    assert not pcm(events)
    assert pcm(manual.ask("And 6 * 7?"))


def test_what_was_said_before_is_remembered(mute):
    mute.ask("My name is Wanda.")
    assert "Wanda" in words(mute.ask("What is my name?"))


def test_transcription_previews_then_settles_and_can_be_off(talk):
    talk.update(TEXT, voice="Tina")
    talk.hear(HELLO + PAUSE)
    events = talk.until("response.done")
    heard = only(events, "conversation.item.input_audio_transcription.completed")
    previews = [each for each in events if each["type"] == "conversation.item.input_audio_transcription.delta"]
    assert previews
    assert all(isinstance(each["text"] + each["stash"], str) for each in previews)
    assert (previews[-1]["item_id"], previews[-1]["language"]) == (heard["item_id"], "en")
    assert talk.update(TEXT, enable_input_audio_transcription=False)["input_audio_transcription"] is None
    talk.hear(FERRY + PAUSE)
    assert not [kind for kind in kinds(talk.until("response.done")) if "transcription" in kind]


def test_what_was_appended_can_be_taken_back(manual):
    manual.hear(FERRY)
    manual.sdk.clear_appended_audio()
    manual.until("input_audio_buffer.cleared")
    manual.sdk.commit()
    error = manual.refused()
    assert error["message"] == "Error committing input audio buffer: buffer too small, or have no audio."
    assert error["type"] == "invalid_request_error"


# -- interrupting --------------------------------------------------------------------------------------------------


def telling(talk: Talk, **options: Any) -> Talk:
    """A session in the middle of a long answer."""
    talk.update(voice="Tina", **options)
    talk.sdk.create_item(typed(STORY))
    talk.sdk.create_response()
    talk.until("response.audio.delta")
    return talk


def test_a_cancelled_answer_says_so_and_the_session_goes_on(call, slow):
    talk = telling(call(at=slow), **QUIET)
    talk.sdk.cancel_response()
    events = talk.until("response.done")
    assert {"response.audio.done", "response.audio_transcript.done", "response.output_item.done"} <= set(kinds(events))
    assert events[-1]["response"]["status"] == "cancelled"
    assert talk.ask("Hello", output_modalities=TEXT)[-1]["response"]["status"] == "completed"


def test_a_cancelled_answer_may_end_without_saying_so(call, strict):
    talk = telling(call(at=strict), **QUIET)
    talk.sdk.cancel_response()
    assert "response.audio.done" in kinds(talk.until("response.output_item.done"))
    talk.sdk.create_item(typed("Hello"))
    talk.sdk.create_response(output_modalities=TEXT)
    done = [each["response"]["status"] for each in talk.until("response.done") if each["type"] == "response.done"]
    assert done == ["completed"]


def test_nothing_can_be_cancelled_when_nothing_is_said(manual):
    manual.sdk.cancel_response()
    error = manual.refused()
    assert (error["type"], error["message"]) == ("invalid_request_error", "Conversation has none active response")


def test_speaking_into_an_answer_ends_it(call, slow):
    talk = telling(call(at=slow), turn_detection_silence_duration_ms=300)
    talk.hear(FERRY + SECOND)
    events = talk.until("response.created")
    order = kinds(events)
    assert order.index("input_audio_buffer.speech_started") < order.index("response.done")
    ended = only(events, "response.done")["response"]
    assert (ended["status"], ended["status_details"]["reason"]) == ("cancelled", "turn_detected")


# -- tools ---------------------------------------------------------------------------------------------------------


def test_a_tool_is_called_and_its_result_spoken(talk):
    talk.update(voice="Tina", tools=[RAIN], **QUIET)
    events = talk.ask("Is it raining in Oslo?")
    assert kinds(events) == [
        *HEAD[:3],
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        *TAIL[1:],
    ]
    done = only(events, "response.function_call_arguments.done")
    assert (done["name"], json.loads(done["arguments"])) == ("rain_now", {"town": "Oslo"})
    item = events[-1]["response"]["output"][0]
    assert (item["type"], item["call_id"], item["status"]) == ("function_call", done["call_id"], "completed")
    assert "audio_tokens" not in events[-1]["response"]["usage"]["output_tokens_details"]
    output = {"type": "function_call_output", "call_id": done["call_id"], "output": '{"rain": true, "millimetres": 12}'}
    talk.sdk.create_item(output)
    assert talk.until("conversation.item.created")[-1]["item"]["call_id"] == done["call_id"]
    talk.sdk.create_response()
    spoken = talk.until("response.done")
    assert "12" in words(spoken)
    assert pcm(spoken)


def test_several_tools_are_called_in_one_answer(talk):
    talk.update(TEXT, tools=[RAIN], **QUIET)
    events = talk.ask("Is it raining in Oslo and in Lima?")
    done = [each for each in events if each["type"] == "response.function_call_arguments.done"]
    assert sorted(json.loads(each["arguments"])["town"] for each in done) == ["Lima", "Oslo"]
    assert len({each["call_id"] for each in done}) == len({each["output_index"] for each in done}) == 2
    for each in done:
        talk.sdk.create_item({"type": "function_call_output", "call_id": each["call_id"], "output": '{"rain": false}'})
    talk.sdk.create_response()
    assert talk.until("response.done")[-1]["response"]["output"][0]["type"] == "message"


def test_an_answer_to_a_result_waits_for_the_one_being_given(talk):
    talk.update(voice="Tina", tools=[RAIN], **QUIET)
    call_id = only(talk.ask("Is it raining in Oslo?"), "response.function_call_arguments.done")["call_id"]
    talk.sdk.create_item(typed(STORY))
    talk.sdk.create_response()
    talk.until("response.created")
    talk.sdk.create_item({"type": "function_call_output", "call_id": call_id, "output": '{"rain": true}'})
    talk.sdk.create_response(output_modalities=TEXT)
    spoken = talk.until("response.done")
    written = talk.until("response.done")
    assert pcm(spoken)
    assert words(written)
    assert not pcm(written)
    assert "error" not in kinds(talk.events)


def test_a_result_alone_is_no_question(talk):
    talk.update(TEXT, tools=[RAIN], **QUIET)
    call_id = only(talk.ask("Is it raining in Oslo?"), "response.function_call_arguments.done")["call_id"]
    talk.sdk.create_item({"type": "function_call_output", "call_id": call_id, "output": "{}"})
    talk.until("conversation.item.created")
    talk.sdk.clear_appended_audio()
    assert kinds(talk.until("input_audio_buffer.cleared")) == ["input_audio_buffer.cleared"]


# -- pictures ------------------------------------------------------------------------------------------------------


def test_pictures_are_committed_with_the_sound_and_counted(mute):
    mute.hear(FERRY)
    mute.sdk.append_video(base64_of(picture("shapes.png")))
    mute.sdk.commit()
    mute.until("conversation.item.created")
    mute.sdk.create_response(instructions="Describe the picture.")
    events = mute.until("response.done")
    assert "three red circles" in words(events)
    assert events[-1]["response"]["usage"]["input_tokens_details"]["image_tokens"] == 15 * 12  # of 32 pixels square


def test_a_picture_waits_for_sound(mute):
    mute.sdk.append_video(base64_of(picture("shapes.png")))
    assert mute.refused()["message"] == "Error append image before append audio."


def test_a_picture_must_be_small_and_a_jpeg(mute):
    mute.hear(FERRY)
    for content in (picture("shapes.png") + bytes(300_000), (DATA / "shapes.png").read_bytes()):
        mute.sdk.append_video(base64_of(content))
        assert mute.refused()["type"] == "invalid_request_error"


# -- what goes wrong -----------------------------------------------------------------------------------------------


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "modalities": (
        {"session": {"modalities": ["audio"]}},
        "Invalid modalities: ['audio']. Supported combinations are: ['text'] and ['audio', 'text'].",
        "session.modalities",
    ),
    "tools and search": ({"session": {"tools": [RAIN], "enable_search": True}}, "enable_search", "session.tools"),
    "threshold": (
        {"session": {"turn_detection": {"type": "server_vad", "threshold": 3}}},
        "[-1.0, 1.0]",
        "session.turn_detection.threshold",
    ),
    "kind of detection": (
        {"session": {"turn_detection": {"type": "loud_vad"}}},
        "loud_vad",
        "session.turn_detection.type",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_are_told_and_change_nothing(name, talk):
    wrong, told, param = WRONG[name]
    talk.sdk.send_raw(json.dumps({"event_id": "event_mine", "type": "session.update", **wrong}))
    error = talk.refused()
    assert told in error["message"]
    assert (error["type"], error["code"], error["event_id"]) == ("invalid_request_error", "invalid_value", "event_mine")
    assert error["param"] == param
    assert talk.update()["modalities"] == ["text", "audio"]


@pytest.mark.parametrize("raw", ["not json", "[1]", '{"event_id": "event_1"}', '{"type": "response.sing"}'])
def test_nonsense_is_refused_and_the_session_stays(raw, talk):
    talk.sdk.send_raw(raw)
    assert talk.refused()["type"] == "invalid_request_error"
    assert talk.update()


def test_one_answer_at_a_time(manual):
    manual.sdk.create_item(typed(STORY * 5))
    manual.sdk.create_response()
    manual.sdk.create_response()
    assert "active response" in manual.refused()["message"]
    assert manual.until("response.done")[-1]["response"]["status"] == "completed"


def test_a_voice_of_another_model_fails_the_first_answer(talk):
    assert talk.update(voice="Nobody", **QUIET)["voice"] == "Nobody"
    talk.sdk.create_item(typed("Hello"))
    talk.sdk.create_response()
    assert "Voice 'Nobody' is not supported." in talk.refused()["message"]


def test_a_voice_of_another_model_may_be_refused_at_once(call, strict):
    talk = call(at=strict)
    talk.sdk.update_session(BOTH, voice="Nobody")
    assert "Nobody" in talk.refused()["message"]


def test_a_wrong_key_is_kept_out(box):
    talk = Talk(box, api_key="sk-wrong")
    with hurried(factor=30):
        with pytest.raises(TimeoutError):
            talk.sdk.connect()
        assert talk.ended() == (None, None)
    assert not talk.events


def test_a_model_that_nobody_knows_is_greeted_and_left(box):
    talk = Talk(box, "qwen9-realtime")
    with hurried(factor=30):
        with suppress(TimeoutError):  # the SDK may look too late to see it open
            talk.sdk.connect()
        talk.ended()
    assert kinds(talk.events) == ["session.created"]


def test_a_session_without_answers_is_closed():
    now = [0.0]
    with Sandbox(key="sk-conformance", clock=lambda: 1_800_000_000 + now[0]) as box, talking(box) as talk:
        now[0] = 301
        told = "Your session was closed because no response was generated for 300 seconds."
        assert talk.ended() == (1007, told)


@pytest.mark.parametrize(("code", "reason"), [(1011, "To many requests."), (1007, "Access denied")])
def test_how_the_service_closes_reaches_the_callback(code, reason, box):
    box.fault(f"ws-close:{code}:1")
    with talking(box) as talk:
        talk.sdk.update_session(BOTH)
        got, told = talk.ended()
    assert got == code
    assert told.startswith(reason)


def test_three_megabytes_pass_both_ways(box):
    box.fault("ws-big:1")
    with talking(box) as talk:
        session = talk.update(TEXT, **QUIET)
        assert session
        assert len(talk.events[1]["padding"]) > 3_000_000
        talk.sdk.append_audio(base64_of(bytes(2_400_000)))
        talk.sdk.commit()
        assert talk.until("conversation.item.created")


@pytest.mark.parametrize("fault", ["ws-garbage:1", "ws-binary:1"])
def test_frames_that_are_no_events_do_not_end_the_session(fault, box):
    box.fault(fault)
    with talking(box) as talk:
        talk.update(TEXT, **QUIET)
        assert words(talk.ask("Hello"))


def test_who_calls_is_told_in_the_headers(call, box):
    call(workspace="ws-1", headers={"X-Mine": "1", "Authorization": "Bearer other"})
    seen = box.requests[-1]
    assert (seen.method, seen.path, seen.query) == ("WS", "/api-ws/v1/realtime", {"model": MODEL})
    assert (seen.headers["x-dashscope-workspace"], seen.headers["x-mine"]) == ("ws-1", "1")
    assert seen.auth["scheme"] == "Bearer"
