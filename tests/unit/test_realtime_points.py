"""The nineteen points on which what is written about the realtime socket disagrees: each is read either way."""

from __future__ import annotations

import json
from typing import Any

import pytest
from recorded_session import OMNI, Played, answering, asked, lines, opened, played

from qwenkit.api.realtime import intake
from qwenkit.catalogue.realtime import realtime
from qwenkit.errors import ConfigError
from qwenkit.protocol.realtime.settings import session
from qwenkit.types.image import Image

DONE = {"id": "resp_1", "status": "completed"}


@pytest.mark.parametrize("name", ["finish", "finish_refused"])
def test_01_session_finish_may_be_answered_or_refused(name: str):
    told = played(name)
    assert told.machine.finished == (name == "finish")
    assert told.machine.ready
    assert not told.machine.busy


def test_02_a_cancelled_answer_ends_with_and_without_response_done():
    with_done, without = (played(name).fold.turns for name in ("cancel", "cancel_without_done"))
    assert [(turn.text, turn.ended) for turn in with_done] == [(turn.text, turn.ended) for turn in without]


@pytest.mark.parametrize("how", ["item done", "next answer", "nothing"])
def test_02_what_ends_a_cancelled_answer_when_response_done_never_comes(how: str):
    told = answering().client("response.cancel", at=2.0)
    if how == "item done":
        item = {"id": "item_a", "type": "message", "role": "assistant"}
        told.server("response.output_item.done", at=2.1, response_id="resp_1", item=item)
        told.take(told.machine.expire(2.2))
        assert told.machine.busy  # its bill may still come
        told.take(told.machine.expire(2.5))
    elif how == "next answer":
        told.server("response.created", at=2.2, response={"id": "resp_2"})
    else:
        told.take(told.machine.expire(6.9))
        assert told.machine.busy
        told.take(told.machine.expire(7.0))
    assert [(turn.text, turn.ended) for turn in told.finished] == [("Good", "cancelled")]


def test_02_a_bill_that_comes_after_the_end_is_added():
    told = answering().client("response.cancel", at=2.0).take([])
    told.take(told.machine.expire(9.0))
    usage = {"input_tokens": 3, "output_tokens": 4}
    told.server("response.done", response={"id": "resp_1", "status": "cancelled", "usage": usage})
    (turn,) = told.finished
    assert turn.usage is not None
    assert turn.usage.total == 7


def test_03_the_service_may_go_on_by_itself_after_the_results_of_tools():
    recorded = lines("function_calls")
    creates = [i for i, line in enumerate(recorded) if line["frame"]["type"] == "response.create"]
    told = Played().play(line for i, line in enumerate(recorded) if i != creates[-1])
    assert [(turn.text, turn.ended) for turn in told.fold.turns] == [("Done: hall on, attic off.", "completed")]


def test_04_typed_messages_are_answered_or_refused():
    assert played("typed_turn").turn.ended == "completed"
    error = {"type": "invalid_request_error", "code": "invalid_value", "message": "Unsupported item type: message"}
    (turn,) = asked().server("error", error=error).finished
    assert (turn.user, turn.ended, turn.error) == ("Hello?", "failed", "Unsupported item type: message")


def test_05_answers_in_the_frames_of_chat():
    told = asked()
    for content, reason in (([{"text": "Two "}], "null"), ([{"text": "cups."}, {"audio": {"data": "AAAA"}}], "stop")):
        message = {"role": "assistant", "content": content}
        told.take(told.machine.receive(json.dumps({"choices": [{"finish_reason": reason, "message": message}]}), 3.0))
    assert [(turn.text, len(turn.pcm), turn.ended) for turn in told.finished] == [("Two cups.", 3, "completed")]
    assert not told.machine.busy


@pytest.mark.parametrize(
    ("echo", "hz"),
    [
        ({"audio": {"output": {"format": {"type": "pcm", "sample_rate": 48_000}}}}, 48_000),
        ({"output_audio_format": "pcm"}, 24_000),  # what was asked for is silently ignored
        ({"response_format": "pcm", "sample_rate": 8000}, 8000),  # as sessions that read aloud have it
        ({"input_audio_format": "pcm", "sample_rate": 8000}, 24_000),  # that is the rate of what is heard
    ],
)
def test_06_the_output_rate_is_what_the_echo_says(echo: dict[str, Any], hz: int):
    told = Played(session=session(OMNI, {"output_rate_hz": 48_000}))
    told.server("session.created", session={}).server("session.updated", session=echo)
    told.server("response.created", response={"id": "r"}).server("response.audio.delta", response_id="r", delta="AAAA")
    assert told.machine.output_hz == told.turn.output_hz == hz


def test_06_a_header_in_front_of_the_sound_is_no_sound():
    told = asked().server("response.created", response={"id": "r"})
    header = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAwF0AAIC7AAACABAAZGF0YQAAAAA="
    told.server("response.audio.delta", response_id="r", delta=header[:-1] + "=")
    told.server("response.audio.delta", response_id="r", delta="AAAB")
    assert bytes(told.turn.pcm) == b"\0\0\1"


@pytest.mark.parametrize("name", ["pcm", "pcm16", "pcm24", None])
def test_07_all_names_of_pcm_mean_the_same(name: str | None):
    told = opened(input_audio_format=name, output_audio_format=name)
    assert (told.machine.input_hz, told.machine.output_hz) == (16_000, 24_000)
    asked_for = session("qwen3-omni-flash-realtime", {"input_audio_format": name, "output_audio_format": name})
    assert (asked_for["input_audio_format"], asked_for["output_audio_format"]) == ("pcm", "pcm")


@pytest.mark.parametrize("given", ["gummy-realtime-v1", {"model": None}, None, True])
def test_08_any_model_of_transcription_may_be_asked_for(given: Any):
    wire = session(OMNI, {"input_audio_transcription": given})["input_audio_transcription"]
    usual = {"model": "qwen3-asr-flash-realtime"}
    assert wire == ({"model": given} if isinstance(given, str) else usual if given is True else given)


def test_09_the_threshold_is_what_was_asked_for_else_the_documented_one():
    assert session(OMNI, {"turn_detection": "server_vad"})["turn_detection"]["threshold"] == 0.5
    assert session(OMNI, {"turn_detection": {"threshold": 0.2}})["turn_detection"]["threshold"] == 0.2


def test_10_a_voice_may_be_refused_at_once():
    error = {"message": "Voice 'Xyz' is not supported.", "type": "invalid_request_error", "code": "", "param": None}
    told = opened().server("error", error=error)
    assert told.finished == []
    assert told.events[-1].message == "Voice 'Xyz' is not supported."  # type: ignore[attr-defined]


@pytest.mark.parametrize("begun", [False, True])
def test_10_a_voice_may_be_refused_with_the_first_answer(begun: bool):
    told = asked()
    if begun:
        told.server("response.created", response={"id": "resp_1"})
    told.server("error", error={"message": "Voice 'Xyz' is not supported."})
    assert [(turn.ended, turn.error) for turn in told.finished] == [("failed", "Voice 'Xyz' is not supported.")]


def test_11_pictures_are_kept_below_the_smaller_limit():
    facts = realtime(OMNI)
    assert facts is not None
    assert (facts.image_kilobytes, facts.image_base64) == (256, True)
    import numpy as np

    noise = np.random.default_rng(5).integers(0, 255, (900, 1600, 3), dtype=np.uint8)
    made = intake.jpeg(Image.of(noise), facts)
    assert made.startswith(b"\xff\xd8")
    assert len(made) * 4 / 3 <= 256 * 1024


def test_12_a_picture_during_speech_belongs_to_the_turn_and_a_refused_one_does_not_end_it():
    told = opened(turn_detection={"type": "server_vad"})
    told.client("input_image_buffer.append", image="/9j/")
    assert told.fold.current is None
    told.server("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=0)
    told.client("input_image_buffer.append", image="/9j/")
    told.server("error", error={"type": "invalid_request_error", "message": "Error append image before append audio."})
    assert (len(told.turn.images), told.turn.ended) == (2, "")
    for number in range(20):
        told.client("input_image_buffer.append", image=number)
    assert (told.turn.images, told.turn.more_images) == (list(range(4, 20)), 6)


@pytest.mark.parametrize(("seconds", "warned"), [(300.0, 270.0), (180.0, 162.0)])
def test_13_being_idle_is_told_before_the_service_closes(seconds: float, warned: float):
    machine = opened().machine
    machine.idle_seconds = seconds
    assert machine.due(warned - 0.1) == []
    (told,) = machine.due(warned + 0.1)
    assert (told.type, told.detail) == ("local.limit", {"limit": "idle", "seconds_left": seconds * 0.1})
    assert machine.due(warned + 1) == []


def test_13_an_answer_begins_the_idle_time_anew():
    told = answering()
    assert [event.detail["limit"] for event in told.machine.due(280.0)] == ["idle"]
    told.server("response.done", at=285.0, response=DONE)
    assert told.machine.due(554.0) == []
    assert [event.detail["limit"] for event in told.machine.due(556.0)] == ["idle"]


def test_14_a_session_lasts_two_hours_and_says_so_before():
    machine = opened().machine
    machine.idle_seconds = 1e9
    assert machine.due(107 * 60) == []
    assert [(each.detail["limit"], each.detail["seconds_left"]) for each in machine.due(108 * 60 + 0.1)] == [
        ("session", 720.0)
    ]


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_15_the_users_item_is_the_users_under_either_role(role: str):
    told = opened(turn_detection={"type": "server_vad"})
    item = {"id": "item_1", "type": "message", "role": role, "content": [{"type": "input_audio"}]}
    told.server("conversation.item.created", item=item)
    told.server("conversation.item.input_audio_transcription.completed", item_id="item_1", transcript="Hi.")
    assert told.turn.user == "Hi."


@pytest.mark.parametrize("key", ["text", "transcript"])
@pytest.mark.parametrize("where", ["words", "response"])
def test_16_finished_words_are_read_under_either_key(key: str, where: str):
    told = asked().server("response.created", response={"id": "resp_1"})
    if where == "words":
        told.server("response.audio_transcript.done", response_id="resp_1", item_id="item_a", **{key: "Good day."})
    item = {"id": "item_a", "type": "message", "role": "assistant", "content": [{"type": "audio", key: "Good day."}]}
    told.server("response.done", response={**DONE, "output": [item]})
    assert told.turn.text == "Good day."


@pytest.mark.parametrize("kept", [True, False])
def test_17_an_item_keeps_the_clients_id_or_gets_another(kept: bool):
    item = {"type": "message", "id": "mine", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
    told = opened().client("conversation.item.create", item=item)
    told.server("conversation.item.created", item={**item, "id": "mine" if kept else "theirs"})
    told.client("response.create").server("response.created", response={"id": "resp_1"})
    told.server("response.done", response=DONE)
    assert (told.turn.user, told.turn.ended) == ("Hello?", "completed")


def test_18_whole_sessions_are_sent_and_a_part_in_the_echo_changes_only_that():
    first, second = session(OMNI, {"instructions": "Brief."}), session(OMNI, {"voice": "Serena"})
    assert first.keys() - {"instructions"} == second.keys()
    told = opened(voice="Tina", temperature=0.7).server("session.updated", session={"voice": "Serena"})
    assert told.machine.echo["temperature"] == 0.7
    assert told.machine.echo["voice"] == "Serena"
    told.client("session.update", session=first)
    assert json.loads(told.machine.replay()[0])["session"] == first


@pytest.mark.parametrize("closes", ["server", "client"])
def test_19_a_session_that_finished_is_over_whoever_closes(closes: str):
    told = played("speech")
    assert told.machine.finished
    if closes == "server":
        told.fold.local("lost", 9.0, error="1000")
    assert [turn.ended for turn in told.fold.turns] == ["completed", "completed"]


def test_unknown_voices_of_models_with_a_list_are_refused_before_they_are_sent():
    with pytest.raises(ConfigError, match="did you mean 'Serena'"):
        session(OMNI, {"voice": "Serina"})
