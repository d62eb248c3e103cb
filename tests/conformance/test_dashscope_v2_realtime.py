"""Realtime sessions, as the newer client of the official SDK holds them: `dashscope.Client(…).audio.realtime`.

It says different things to different families of models, and reads strictly: an event that is no JSON object, or an
answer that never ends, is an error of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import dashscope
import pytest
from dashscope.v2.errors import APIConnectionError, DashScopeError
from talking import RAIN, SECOND, STORY, kinds, only, pcm, picture, sound, typed, words
from websocket import WebSocketBadStatusException

from qwenkit.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings("ignore:dashscope 2.0 audio API is a preview:FutureWarning")
OMNI38, OMNI35, OMNI3 = "qwen3.8-omni-flash-realtime", "qwen3.5-omni-plus-realtime", "qwen3-omni-flash-realtime"
AUDIO3, AUDIO31 = "qwen-audio-3.0-realtime-plus", "qwen-audio-3.1-realtime-plus"
SPEAKERS = [OMNI38, OMNI35, OMNI3, AUDIO3, AUDIO31]
TRANSLATORS = ["qwen3-livetranslate-flash-realtime", "qwen3.5-livetranslate-flash-realtime"]
TRANSLATORS += ["qwen3.8-livetranslate-flash-realtime"]
FERRY = sound("ferry.wav")
WRITTEN = {"output_modalities": ["text"], "enable_turn_detection": False}


class Session:
    """The SDK's session, read up to an event of a kind."""

    def __init__(self, sdk: Any) -> None:
        self.sdk = sdk

    def until(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while not found or found[-1]["type"] != kind:
            event = self.sdk.recv_event()
            assert event is not None, (f"no {kind} before the end", kinds(found))
            found.append(event)
        return found

    def update(self, **options: Any) -> dict[str, Any]:
        self.sdk.update_session(**options)
        session: dict[str, Any] = self.until("session.updated")[-1]["session"]
        return session

    def ask(self, text: str, **options: Any) -> list[dict[str, Any]]:
        self.sdk.create_item(typed(text))
        self.until("conversation.item.created")
        self.sdk.create_response(**options)
        return self.until("response.done")

    def hear(self, content: bytes) -> None:
        for at in range(0, len(content), 3200):
            self.sdk.append_audio(content[at : at + 3200])


Open = Callable[..., Session]


@pytest.fixture
def call(box: Sandbox) -> Iterator[Open]:
    """Opens sessions that have said that they are created, and closes them."""
    with ExitStack() as stack:
        client = stack.enter_context(dashscope.Client(api_key=box.key, base_url=f"{box.url}/api/v1"))

        def open_session(model: str = OMNI38, at: Sandbox = box, **options: Any) -> Session:
            address = f"ws{at.url.removeprefix('http')}/api-ws/v1/realtime"
            given = {"ws_url": address, "timeout": 30, **options}
            session = Session(stack.enter_context(client.audio.realtime.connect(model=model, **given)))
            session.until("session.created")
            return session

        yield open_session


def frames(box: Sandbox, kind: str) -> list[dict[str, Any]]:
    """What the latest session was told, of a kind."""
    told = [json.loads(each) for each in box.requests[-1].frames if f'"{kind}"' in each]
    return [{key: value for key, value in each.items() if key != "event_id"} for each in told]


@pytest.mark.parametrize("model", SPEAKERS)
def test_every_family_holds_a_manual_turn(model, call, box):
    session = call(model)
    assert session.sdk.session_id
    told = session.update(output_modalities=["text", "audio"], enable_turn_detection=False)
    assert (told["modalities"], told["turn_detection"]) == (["text", "audio"], None)
    session.hear(FERRY)
    session.sdk.commit()
    session.until("input_audio_buffer.committed")
    session.sdk.create_response()
    events = session.until("response.done")
    assert words(events)
    assert len(pcm(events)) > 9_600
    assert events[-1]["response"]["id"] == session.sdk.last_response_id
    assert session.sdk.last_first_audio_delay >= 0
    asked = {OMNI38: {}, AUDIO3: {"response": {}}, AUDIO31: {"response": {}}}
    expected = {"type": "response.create", **asked.get(model, {"response": {"instructions": None}})}
    assert frames(box, "response.create") == [expected]


@pytest.mark.parametrize("model", SPEAKERS)
def test_speech_is_answered_in_the_way_each_family_listens(model, call):
    session = call(model)
    options = {"turn_detection_type": "smart_turn"} if model in (AUDIO3, AUDIO31) else {}
    session.update(output_modalities=["text"], enable_turn_detection=True, **options)
    session.hear(FERRY + SECOND * 2)
    events = session.until("response.done")
    assert kinds(events)[0] == "input_audio_buffer.speech_started"
    assert "nine" in only(events, "conversation.item.input_audio_transcription.completed")["transcript"]
    assert events[-1]["response"]["status"] == "completed"


@pytest.mark.parametrize("model", [OMNI38, OMNI35, OMNI3, *TRANSLATORS])
def test_a_finish_is_answered_and_ends_the_events(model, call):
    session = call(model)
    session.sdk.end_session()
    assert [event["type"] for event in session.sdk.events()][-1] == "session.finished"
    assert session.sdk.recv_event() is None


def test_a_session_of_qwen_audio_is_only_closed(call):
    session = call(AUDIO3)
    with pytest.raises(NotImplementedError):
        session.sdk.end_session()
    assert words(session.ask("Hello"))
    session.sdk.close()
    assert session.sdk.recv_event() is None


def test_a_strict_service_may_leave_a_finish_of_the_newest_unanswered(call):
    with Sandbox(key="sk-conformance", realtime={"strict_finish": True}) as strict:
        session = call(OMNI38, at=strict)
        session.sdk.end_session()
        with pytest.raises(DashScopeError):
            session.until("session.finished")


def test_settings_of_the_newest_are_nested_and_changed_one_by_one(call, box):
    session = call(OMNI38)
    told = session.update(voice="Tina", output_audio_format="pcm", instructions="Be terse.")
    assert told["instructions"] == "Be terse."
    assert told["voice"] == "Tina"
    sent = frames(box, "session.update")[0]["session"]
    assert sent["audio"]["output"] == {"format": {"type": "pcm"}, "voice": "Tina"}
    assert "modalities" not in sent
    before = session.update(input_audio_config={"type": "pcm", "sample_rate": 16000, "channels": 2})
    assert before["instructions"] == "Be terse."  # what an update does not name, it leaves
    assert before["audio"]["input"]["format"]["channels"] == 2
    assert before["turn_detection"]["type"] == "server_vad"


@pytest.mark.parametrize("model", [OMNI38, OMNI35, AUDIO3])
def test_transcription_is_switched_on_and_off(model, call):
    session = call(model)
    told = session.update(output_modalities=["text"], enable_input_audio_transcription=True)
    assert told["input_audio_transcription"]["model"]
    told = session.update(output_modalities=["text"], enable_input_audio_transcription=False)
    assert told["input_audio_transcription"] is None


@pytest.mark.parametrize("model", TRANSLATORS)
def test_speech_is_translated(model, call):
    session = call(model)
    third = model.startswith("qwen3.8")
    detection = {} if third else {"enable_turn_detection": True}
    told = session.update(output_modalities=["text", "audio"], translation_params={"language": "zh"}, **detection)
    assert told["output_modalities" if third else "modalities"] == ["text", "audio"]
    session.hear(FERRY + SECOND * 2)
    events = session.until("response.done")
    kind = "response.audio_transcript.delta" if third else "response.audio_transcript.text"
    assert kind in kinds(events)
    assert pcm(events)
    assert session.sdk.last_first_text_delay >= 0
    session.sdk.end_session()
    assert [event["type"] for event in session.sdk.events()][-1] == "session.finished"


def test_tools_are_called_and_answered(call):
    session = call(OMNI38)
    session.update(**WRITTEN, tools=[RAIN])
    done = only(session.ask("Is it raining in Oslo?"), "response.function_call_arguments.done")
    assert json.loads(done["arguments"]) == {"town": "Oslo"}
    session.sdk.create_item(
        {"type": "function_call_output", "call_id": done["call_id"], "output": '{"millimetres": 12}'}
    )
    session.sdk.create_response()
    assert "12" in words(session.until("response.done"))


def test_items_are_put_in_order_looked_up_and_deleted(call):
    session = call(AUDIO31)
    session.update(**WRITTEN)
    for name in ("first", "third"):
        session.sdk.create_item({**typed(f"This is {name}."), "id": name})
        assert session.until("conversation.item.created")[-1]["item"]["id"] == name
    session.sdk.create_item({**typed("This is second."), "id": "second"}, previous_item_id="first")
    assert session.until("conversation.item.created")[-1]["item"]["id"] == "second"
    session.sdk.retrieve_item("second")
    item = session.until("conversation.item.retrieved")[-1]["item"]
    assert item["content"][0]["text"] == "This is second."
    session.sdk.delete_item("second")
    assert session.until("conversation.item.deleted")[-1]["item_id"] == "second"
    session.sdk.retrieve_item("second")
    with pytest.raises(DashScopeError, match="'second' does not exist"):
        session.until("conversation.item.retrieved")
    session.sdk.create_item(typed("This is nowhere."), previous_item_id="nowhere")
    with pytest.raises(DashScopeError, match="'nowhere' does not exist"):
        session.until("conversation.item.created")


def test_bytes_of_sound_and_pictures_are_encoded_by_the_sdk(call):
    session = call(OMNI38)
    session.update(**WRITTEN)
    session.hear(FERRY)
    session.sdk.append_video(picture("shapes.png"))
    session.sdk.commit()
    session.until("input_audio_buffer.committed")
    session.sdk.create_response(instructions="Describe the picture.")
    assert "three red circles" in words(session.until("response.done"))
    session.sdk.append_video(picture("shapes.png"))
    with pytest.raises(DashScopeError, match="Error append image before append audio"):
        session.until("error")
    session.sdk.clear_appended_audio()
    session.until("input_audio_buffer.cleared")


def test_an_answer_has_options_of_its_own(call):
    session = call(OMNI38)
    session.update(output_modalities=["text", "audio"], enable_turn_detection=False)
    assert not pcm(session.ask("Hello", modalities=["text"], temperature=0))
    assert pcm(session.ask("Hello"))


def test_a_wrong_request_is_an_error_that_leaves_the_session_open(call):
    session = call(OMNI38)
    session.sdk.update_session(output_modalities=["audio"])
    with pytest.raises(DashScopeError, match="Supported combinations") as caught:
        session.until("session.updated")
    assert caught.value.code == "invalid_value"
    session.sdk.cancel_response()
    with pytest.raises(DashScopeError, match="Conversation has none active response"):
        session.until("response.done")
    session.update(**WRITTEN)
    assert words(session.ask("Hello"))


def test_an_answer_that_was_refused_is_not_waited_for(call):
    session = call(OMNI38)
    session.update(output_modalities=["text", "audio"], enable_turn_detection=False)
    session.sdk.create_item(typed(STORY))
    session.sdk.create_response()
    session.sdk.create_response()
    with pytest.raises(DashScopeError, match="active response"):
        session.until("response.done")
    assert session.until("response.done")[-1]["response"]["status"] == "completed"
    session.sdk.end_session()
    assert list(session.sdk.events())[-1]["type"] == "session.finished"


def test_an_answer_is_cancelled_and_says_so(call):
    with Sandbox(key="sk-conformance", speech_pace=1.0) as slow:
        session = call(AUDIO3, at=slow)
        session.update(output_modalities=["text", "audio"], enable_turn_detection=False)
        session.sdk.create_item(typed(STORY))
        session.sdk.create_response()
        session.until("response.audio.delta")
        session.sdk.cancel_response()
        response = session.until("response.done")[-1]["response"]
        assert (response["status"], response["status_details"]["reason"]) == ("cancelled", "client_cancelled")


def test_a_connection_that_breaks_in_an_answer_is_an_error(call, box):
    box.fault("ws-close:1011:6")
    session = call(OMNI38)
    session.update(**WRITTEN)
    with pytest.raises(APIConnectionError, match=r"before response\.done"):
        session.ask("Hello")


def test_a_frame_that_is_no_event_ends_the_session(call, box):
    box.fault("ws-garbage:1")
    session = call(OMNI38)
    session.sdk.update_session(**WRITTEN)
    with pytest.raises(json.JSONDecodeError):
        session.until("session.updated")


def test_a_wrong_key_is_refused_in_the_handshake(call):
    with pytest.raises(WebSocketBadStatusException) as caught:
        call(api_key="sk-wrong")
    assert caught.value.status_code == 401


def test_a_workspace_is_told_in_a_header(call, box):
    call(workspace="ws-1")
    seen = box.requests[-1]
    assert (seen.headers["x-dashscope-workspace"], seen.query) == ("ws-1", {"model": OMNI38})
    assert seen.headers["user-agent"].startswith("dashscope-v2-python/")
