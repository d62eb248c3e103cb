"""Frames in and events out, commands in and frames out: every name there is, and whatever else a server may send."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from recorded_session import Played, answering, asked, opened

from qwenkit.errors import ConfigError
from qwenkit.protocol.realtime import commands
from qwenkit.protocol.realtime.events import SPEC, read
from qwenkit.types.realtime import Event
from qwenkit.types.turn import let_go
from qwenkit.types.usage import Usage

FAMILIES = {family.family for family in SPEC.values()}
PCM = bytes(range(250)) * 2


def one(**frame: Any) -> Any:
    (event,) = read(json.dumps(frame))
    return event


def test_the_table_has_a_dozen_families():
    assert len(set(SPEC.values())) == len(FAMILIES) == 12
    assert len(SPEC) == 46


@pytest.mark.parametrize("name", SPEC)
def test_a_name_is_read_as_its_family_wherever_it_stands(name: str):
    plain = {"event_id": "event_1", "type": name, "unknown": {"type": "message"}}
    other = "error" if name != "error" else "session.finished"
    nested = {"inner": {"type": other}, "item": {"type": "message"}, "filler": "x" * 300, **plain}
    for frame in (plain, nested):
        event = one(**frame)
        assert (type(event), event.type, event.event_id, event.raw) == (SPEC[name], name, "event_1", frame)


# frame, and what must be read of it
READINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "session.created", "session": {"id": "sess_1"}}, {"id": "sess_1", "family": "session"}),
    ({"type": "error", "error": {"code": "c", "message": "m", "param": "p", "type": "t", "event_id": "e"}},
     {"code": "c", "message": "m", "param": "p", "kind": "t", "about": "e"}),
    ({"type": "error", "code": "c", "message": "m"}, {"code": "c", "message": "m", "param": "", "about": ""}),
    ({"type": "error", "error": "broken"}, {"message": "broken", "code": ""}),
    ({"type": "error", "error": None}, {"message": "the service says there was an error, and no more"}),
    ({"type": "error", "error": {"code": 400, "message": None}}, {"code": "400", "message": "400"}),
    ({"type": "input_audio_buffer.speech_started", "audio_start_ms": 1840, "item_id": "i"},
     {"started": True, "at_ms": 1840, "item_id": "i"}),
    ({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 2.5, "reason": "turn_invalid"},
     {"started": False, "at_ms": 2.5, "reason": "turn_invalid", "item_id": ""}),
    ({"type": "input_text_buffer.committed", "item_id": ""}, {"committed": True, "item_id": ""}),
    ({"type": "conversation.item.deleted", "item_id": "i"}, {"id": "i", "kind": "", "yours": False, "text": ""}),
    ({"type": "conversation.item.created", "item": {"id": "i", "type": "message", "content": [{"type": "input_text",
      "text": "Hi"}]}}, {"id": "i", "kind": "message", "yours": True, "text": "Hi"}),
    ({"type": "conversation.item.created", "item": {"type": "message", "role": "user"}}, {"yours": True, "text": ""}),
    ({"type": "conversation.item.input_audio_transcription.delta", "text": "turn on", "stash": " the lamp"},
     {"text": "turn on the lamp", "final": False, "ambient": False}),
    ({"type": "conversation.item.input_audio_transcription.completed", "transcript": "Turn.", "language": "en"},
     {"text": "Turn.", "final": True, "language": "en"}),
    ({"type": "conversation.item.input_audio_transcription.failed", "error": {"code": "x"}}, {"failed": True}),
    ({"type": "conversation.item.ambient_audio_transcription.completed", "transcript": "x"}, {"ambient": True}),
    ({"type": "response.created", "response": {"id": "r", "status": "in_progress"}},
     {"id": "r", "ended": False, "status": "in_progress", "usage": None, "items": []}),
    ({"type": "response.cancelled", "response_id": "r"}, {"id": "r", "ended": True, "status": "cancelled"}),
    ({"type": "response.done", "response": {"status_details": {"reason": "turn_detected", "error": {"message": "m"}}}},
     {"reason": "turn_detected", "problem": "m", "ended": True}),
    ({"type": "response.content_part.done", "part": {"type": "audio", "text": "Hi"}}, {"text": "Hi", "done": True}),
    ({"type": "response.text.text", "text": "The", "stash": " cat"}, {"full": "The cat", "cumulative": True}),
    ({"type": "response.audio_transcript.delta", "delta": "Hi"}, {"delta": "Hi", "spoken": True, "full": ""}),
    ({"type": "response.audio.done"}, {"pcm": b"", "done": True}),
    ({"type": "response.mcp_call.failed", "error": {"code": "x"}}, {"error": {"code": "x"}, "family": "progress"}),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "meant"), READINGS, ids=range(len(READINGS)))
def test_what_a_frame_says(frame: dict[str, Any], meant: dict[str, Any]):
    event = one(**frame)
    assert {name: getattr(event, name) for name in meant} == meant


@pytest.mark.parametrize("spelling", ["input_tokens_details", "input_token_details", "prompt_tokens_details"])
def test_usage_in_every_spelling(spelling: str):
    told = {"input_tokens": 5, "output_tokens": 2, spelling: {"audio_tokens": 3, "image_tokens": 1}}
    usage: Usage = one(type="response.done", response={"usage": told}).usage
    assert (usage.total, usage.audio_in, usage.image) == (7, 3, 1)


ENCODED = base64.b64encode(PCM).decode()


@pytest.mark.parametrize(
    "text", [ENCODED, ENCODED.rstrip("="), ENCODED[:9] + "\n" + ENCODED[9:], ENCODED.translate({43: "-", 47: "_"})]
)
def test_sound_in_every_dialect_of_base64(text: str):
    assert one(type="response.audio.delta", delta=text).pcm == PCM


# What no event is, or is not as it should be: it is kept, and what can be read of it is.
ODD: list[tuple[Any, dict[str, Any]]] = [
    (b"", {"family": "other", "type": ""}),
    (b"\xff\xfe\x00", {"family": "other"}),
    ("[1, 2]", {"broken": "no JSON object but list"}),
    ("3", {"broken": "no JSON object but int"}),
    ("{}", {"family": "other", "broken": ""}),
    ('{"type": 5}', {"family": "other", "type": ""}),
    ('{"type": "response.poetry.delta", "delta": "x"}', {"family": "other", "type": "response.poetry.delta"}),
    ('{"type": "response.text.delta", "delta": "a", "event_id": null, "output_index": "0"}', {"delta": "a"}),
    ('{"type": "response.text.delta", "delta": 5, "item_id": "i"}', {"delta": "", "item_id": "i"}),
    ('{"type": "response.text.delta", "delta": "\\ud83d"}', {"family": "text", "delta": "?"}),
    ('{"type": "response.audio.delta", "delta": 7}', {"pcm": b""}),
    ('{"type": "response.audio.delta", "delta": "A"}', {"pcm": b""}),
    ('{"type": "response.done", "response": []}', {"id": "", "usage": None}),
    ('{"type": "session.updated", " at": "x", " source": 3}', {"at": 1.5}),
    ('{"choices": []}', {"broken": "an answer with nothing in it"}),
    ('{"choices": [7, {"message": {"content": [3, {"audio": "x", "text": ["y"]}]}}]}', {"family": "other"}),
    ("[" * 50_000, {"family": "other"}),
    ('{"type": "session.updated", "session": ' + '{"a":' * 5000, {"family": "other"}),
    ("\ud800", {"family": "other"}),
]


@pytest.mark.parametrize(("frame", "meant"), ODD, ids=range(len(ODD)))
def test_no_frame_is_too_odd_to_read(frame: Any, meant: dict[str, Any]):
    (event,) = read(frame, 1.5)
    assert {name: getattr(event, name) for name in meant} == meant
    assert event.at == 1.5
    assert event.raw is not None
    assert isinstance(repr(event), str)
    asked().machine.receive(frame, 2.0)


def test_a_repr_is_short_and_the_same_in_every_run():
    frame = {"type": "response.audio.delta", "event_id": "event_9", "response_id": "resp_1", "delta": ENCODED}
    (event,) = read(json.dumps(frame), 17.3)
    assert repr(event) == "AudioEvent(response.audio.delta, pcm=500 bytes)"
    assert len(repr(one(type="session.created", session={"instructions": "x" * 9999}))) < 150
    nested = {"id": "r1", "conversation_id": "c1", "output": [{"id": "i1", "call_id": "c", "status": "x"}]}
    told = repr(one(type="response.done", response_id="r1", response=nested))
    assert told == "ResponseEvent(response.done, response={'output': [{'status': 'x'}]})"


# helper, frame
COMMANDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (commands.update({"voice": None}), {"type": "session.update", "session": {"voice": None}}),
    (commands.append(PCM), {"type": "input_audio_buffer.append", "audio": ENCODED}),
    (commands.image(b"\xff\xd8"), {"type": "input_image_buffer.append", "image": "/9g="}),
    (commands.commit(), {"type": "input_audio_buffer.commit"}),
    (commands.clear(), {"type": "input_audio_buffer.clear"}),
    (commands.create(), {"type": "response.create"}),
    (commands.create(instructions=None), {"type": "response.create", "response": {"instructions": None}}),
    (commands.cancel(), {"type": "response.cancel"}),
    (commands.message("Hi"), {"type": "conversation.item.create",
     "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}}),
    (commands.output("call_1", "5"), {"type": "conversation.item.create",
     "item": {"type": "function_call_output", "call_id": "call_1", "output": "5"}}),
    (commands.approval("item_1", False), {"type": "conversation.item.create",
     "item": {"type": "mcp_approval_response", "approval_request_id": "item_1", "approve": False}}),
    (commands.item({"type": "message"}, "item_0"),
     {"type": "conversation.item.create", "previous_item_id": "item_0", "item": {"type": "message"}}),
    (commands.text_append("Hi"), {"type": "input_text_buffer.append", "text": "Hi"}),
    (commands.finish(), {"type": "session.finish"}),
    ({"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 5},
     {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 5}),
    ({"type": "session.sing", "key": [1]}, {"type": "session.sing", "key": [1]}),
]  # fmt: skip


@pytest.mark.parametrize(("command", "frame"), COMMANDS, ids=lambda told: told["type"])
def test_a_command_is_its_frame(command: dict[str, Any], frame: dict[str, Any]):
    assert json.loads(commands.encode(**command)) == frame
    assert json.loads(commands.encode(event_id='e"1', **command)) == {"event_id": 'e"1', **frame}
    needed = commands.COMMANDS.get(frame["type"], ())
    assert set(needed) <= frame.keys()


def test_what_json_cannot_hold_is_refused_in_a_line():
    with pytest.raises(ConfigError, match="cannot be sent"):
        commands.encode("session.update", session={"x": object()})


def test_event_ids_are_the_same_in_every_run():
    sessions = [opened().client("input_audio_buffer.clear").client("response.create") for _ in range(2)]
    ids = [[msgspec.json.decode(frame)["event_id"] for frame in each.frames] for each in sessions]
    assert ids[0] == ids[1] == ["event_1", "event_2"]


def test_a_request_for_an_answer_keeps_the_session_busy_until_it_is_answered_or_refused():
    assert asked().machine.busy
    assert not asked().server("error", error={"message": "No.", "event_id": "event_2"}).machine.busy
    assert asked().server("error", error={"message": "No.", "event_id": "event_1"}).machine.busy
    assert asked().server("error", error={"message": "Error append image before append audio."}).machine.busy
    done = answering().server("response.done", response={"id": "resp_1", "status": "completed"})
    assert not done.machine.busy
    other = answering().server("response.done", response={"id": "another", "status": "completed"})
    assert not other.machine.busy


def test_a_request_that_is_dropped_without_a_word_ends_its_turn():
    told = asked()
    assert told.machine.expire(10.0) == []
    told.take(told.machine.expire(60.0))
    assert [(turn.ended, turn.error) for turn in told.finished] == [("failed", "no answer came to the request for one")]


def test_an_answer_that_nobody_ended_is_over_when_the_next_begins():
    told = answering().server("response.created", response={"id": "resp_2"})
    assert [event.detail for event in told.events if event.family == "local"] == [  # type: ignore[attr-defined]
        {"response_id": "resp_1", "status": "incomplete"}
    ]
    assert [turn.ended for turn in told.finished] == ["incomplete"]


def test_late_deltas_of_a_cancelled_answer_are_dropped():
    told = answering().client("response.cancel")
    for kind, more in (("text", {"delta": "bye"}), ("audio", {"delta": "AAAA"})):
        told.server(f"response.{kind}.delta", response_id="resp_1", item_id="item_a", **more)
    told.server("response.done", response={"id": "resp_1", "status": "cancelled"})
    assert [(turn.text, bytes(turn.pcm), turn.ended) for turn in told.finished] == [("Good", b"", "cancelled")]


def test_after_a_break_the_settings_and_what_was_typed_are_said_again():
    told = asked().client("session.update", session={"voice": "Tina"})
    told.client("input_audio_buffer.append", audio=ENCODED)
    frames = [json.loads(frame) for frame in told.machine.replay()]
    assert [frame["type"] for frame in frames] == ["session.update", "conversation.item.create"]
    assert frames[0]["session"] == {"voice": "Tina"}
    assert frames[1]["item"]["content"][0]["text"] == "Hello?"
    assert not told.machine.busy
    assert len(told.machine.replay()) == 2  # and again after the next one


REFUSAL = {"type": "invalid_request_error", "code": "cannot_update_voice", "message": "The voice cannot be changed."}


@pytest.mark.parametrize("error", [REFUSAL, {**REFUSAL, "event_id": "event_2"}])
def test_settings_that_were_refused_are_forgotten(error: dict[str, Any]):
    told = opened().client("session.update", session={"voice": "Tina", "seed": 5}).server("session.updated", session={})
    told.client("session.update", session={"voice": "Serena"}).server("error", error=error)
    told.client("session.update", session={"seed": 7})
    assert told.machine.session == {"voice": "Tina", "seed": 5}
    assert json.loads(told.machine.replay()[0])["session"] == {"voice": "Tina", "seed": 7}


@pytest.mark.parametrize("about", [{}, {"event_id": "event_4"}])
def test_a_second_question_is_a_turn_of_its_own_and_fails_alone_when_it_was_too_soon(about: dict[str, str]):
    told = asked()
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And then?"}]}
    told.client("conversation.item.create", item=item).client("response.create")
    told.server("conversation.item.created", item={**item, "id": "item_1"})
    told.server("response.created", response={"id": "resp_1"})
    told.server("error", error={"message": "Conversation already has an active response", **about})
    told.server("response.done", response={"id": "resp_1", "status": "completed"})
    assert [(turn.user, turn.ended) for turn in told.fold.turns] == [("And then?", "failed"), ("Hello?", "completed")]
    assert told.fold.current is None
    assert not told.machine.busy


SPEECH: dict[str, Any] = {"type": "server_vad"}


@pytest.mark.parametrize("answered", [[1, 2, 3], [1, 3]])
def test_each_speech_is_a_turn_though_the_next_begins_before_its_answer(answered: list[int]):
    told = opened(turn_detection={**SPEECH, "interrupt_response": False})
    buffer = "input_audio_buffer."
    told.server(buffer + "speech_started", item_id="item_1")
    for number in (1, 2, 3):
        told.server(buffer + "speech_stopped", item_id=f"item_{number}").server(
            buffer + "committed", item_id=f"item_{number}"
        )
        if number < 3:
            told.server(buffer + "speech_started", item_id=f"item_{number + 1}")
        for kind in ("created", "done") if number in answered else ():
            told.server(f"response.{kind}", response={"id": f"resp_{number}", "status": "completed"})
        told.server("conversation.item.input_audio_transcription.completed", item_id=f"item_{number}", transcript="Hm.")
    assert [(turn.user, turn.response_ids) for turn in told.fold.turns] == [
        ("Hm.", [f"resp_{number}"] if number in answered else []) for number in (1, 2, 3)
    ]
    assert told.fold.current is None


def test_where_nobody_answers_by_itself_speeches_are_one_turn_until_an_answer_is_asked_for():
    told = opened(turn_detection={**SPEECH, "create_response": False})
    for number in (1, 2):
        told.server("input_audio_buffer.speech_started", item_id=f"item_{number}")
        told.server("input_audio_buffer.committed", item_id=f"item_{number}")
    told.client("response.create").server("response.created", response={"id": "resp_1"})
    assert told.turn.response_ids == ["resp_1"]


def test_what_is_sent_after_the_question_belongs_to_the_next_turn_and_word_of_it_to_the_first():
    told = opened().client("input_audio_buffer.append", audio="AAAA").client("input_audio_buffer.commit")
    told.client("response.create").client("input_audio_buffer.append", audio="AAAB")
    told.server("input_audio_buffer.committed", item_id="item_1")
    told.server("conversation.item.input_audio_transcription.completed", item_id="item_1", transcript="First.")
    told.server("response.created", response={"id": "resp_1"})
    told.server("response.done", response={"id": "resp_1", "status": "completed"})
    told.client("input_audio_buffer.commit")
    assert [(turn.user, turn.said) for turn in (*told.fold.turns, told.fold.current)] == [  # type: ignore[union-attr]
        ("First.", bytes(3)),
        ("", b"\0\0\1"),
    ]


def test_of_too_much_sound_the_oldest_is_let_go_and_the_words_stay(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(let_go, "__defaults__", (250,))
    told = opened()
    for number in (1, 2, 3):
        told.server("response.created", response={"id": f"r{number}"})
        told.server("response.text.delta", response_id=f"r{number}", delta="Hm.")
        told.server("response.audio.delta", response_id=f"r{number}", delta="AAAA" * 33)
        told.server("response.done", response={"id": f"r{number}", "status": "completed"})
    assert [(turn.text, len(turn.pcm)) for turn in told.fold.turns] == [("Hm.", 0), ("Hm.", 99), ("Hm.", 99)]


@pytest.mark.parametrize(
    ("detection", "ended"), [(SPEECH, ["interrupted"]), ({**SPEECH, "interrupt_response": False}, [])]
)
def test_speech_interrupts_unless_it_is_told_not_to(detection: dict[str, Any], ended: list[str]):
    told = answering(turn_detection=detection)
    told.server("input_audio_buffer.speech_started", item_id="item_2")
    assert [turn.ended for turn in told.finished] == ended
    told.server("response.text.delta", response_id="resp_1", item_id="item_a", delta=" day")
    told.server("response.done", response={"id": "resp_1", "status": "completed"})
    told.server("input_audio_buffer.committed", item_id="item_2")
    told.server("response.created", response={"id": "resp_2"})
    told.server("response.text.delta", response_id="resp_2", item_id="item_b", delta="Yes.")
    told.server("response.done", response={"id": "resp_2", "status": "completed"})
    first = "Good" if ended else "Good day"
    assert [turn.text for turn in told.fold.turns] == [first, "Yes."]


def test_translators_talk_over_you():
    told = Played("qwen3.5-livetranslate-flash-realtime")
    told.server("session.created", session={"turn_detection": SPEECH})
    told.server("response.created", response={"id": "resp_1"})
    told.server("input_audio_buffer.speech_started").server("response.audio.delta", response_id="resp_1", delta="AAAA")
    assert "local.interrupted" not in [event.type for event in told.events]


def test_a_turn_that_the_service_takes_back_is_none():
    told = opened(turn_detection={"type": "smart_turn"})
    told.server("input_audio_buffer.speech_started", item_id="item_1")
    told.server("input_audio_buffer.speech_stopped", item_id="item_1", reason="turn_invalid")
    assert told.fold.current is None
    assert told.fold.turns == []


def test_a_turn_knows_the_voice_of_its_session_in_either_layout():
    for session in ({"voice": "Tina"}, {"audio": {"output": {"voice": "Tina"}}}):
        assert answering(**session).turn.voice == "Tina"


def test_after_a_break_the_times_of_speech_count_from_the_new_session():
    told = opened(turn_detection=SPEECH)
    told.client("input_audio_buffer.append", audio=base64.b64encode(bytes(32_000)).decode())
    told.server("session.created", session={"id": "sess_2", "turn_detection": SPEECH})
    told.client("input_audio_buffer.append", audio=base64.b64encode(b"\1\0" * 1600).decode())
    told.server("input_audio_buffer.speech_started", item_id="item_1", audio_start_ms=50)
    told.server("input_audio_buffer.speech_stopped", item_id="item_1", audio_end_ms=100)
    assert told.turn.said == b"\1\0" * 800


def test_items_without_ids_belong_to_the_turn_that_is_being_said():
    told = opened()
    for number in (1, 2):
        told.client("input_audio_buffer.append", audio="AAAA").server("input_audio_buffer.committed", item_id="")
        told.client("response.create").server("response.created", response={"id": f"resp_{number}"})
        told.server("response.done", response={"id": f"resp_{number}", "status": "completed"})
    first, second = told.fold.turns
    assert first.moments.committed < second.moments.began <= second.moments.committed  # type: ignore[operator]


@pytest.mark.parametrize("whole", ["arguments", "item", "response", "nothing"])
def test_arguments_are_those_that_come_last_and_whole_else_the_joined_pieces(whole: str):
    item = {"type": "function_call", "id": "item_f", "call_id": "call_1", "name": "f", "arguments": ""}
    told = asked().server("response.created", response={"id": "r"})
    told.server("response.output_item.added", response_id="r", item={**item, "arguments": "{" * (whole == "arguments")})
    place = {"response_id": "r", "item_id": "item_f", "call_id": "call_1"}
    for piece in (' {"a"', ": 1}"):
        told.server("response.function_call_arguments.delta", **place, delta=piece)
    if whole == "arguments":
        told.server("response.function_call_arguments.done", **place, name="f", arguments=' {"a": 2}')
    done = {**item, "arguments": ' {"a": 2}'}
    if whole == "item":
        told.server("response.output_item.done", response_id="r", item=done)
    told.server("response.done", response={"id": "r", "output": [done] if whole == "response" else []})
    assert [(call.id, call.name, call.parsed) for call in told.turn.calls] == [
        ("call_1", "f", {"a": 1 if whole == "nothing" else 2})
    ]


def test_words_before_a_call_and_after_it_are_paragraphs_of_one_answer():
    told = answering()
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    told.server("response.done", response={"id": "resp_1", "output": [call]}).client("response.create")
    told.server("response.created", response={"id": "resp_2"})
    told.server("response.text.delta", response_id="resp_2", item_id="item_b", delta="day.")
    told.server("response.done", response={"id": "resp_2", "status": "completed"})
    assert [(turn.text, turn.response_ids) for turn in told.fold.turns] == [("Good\nday.", ["resp_1", "resp_2"])]


def test_results_may_be_sent_before_the_answer_that_asked_for_them_is_over():
    told = Played(answers=lambda names: False)
    told.client("response.create").server("response.created", response={"id": "resp_1"})
    place = {"response_id": "resp_1", "call_id": "call_1", "name": "f", "arguments": "{}"}
    told.server("response.function_call_arguments.done", **place).client("response.create")
    told.server("response.done", response={"id": "resp_1", "status": "completed"})
    told.server("response.created", response={"id": "resp_2"})
    told.server("response.done", response={"id": "resp_2", "status": "completed"})
    assert [turn.response_ids for turn in told.fold.turns] == [["resp_1", "resp_2"]]


@pytest.mark.parametrize(("reason", "ended"), [("turn_detected", "interrupted"), ("client_cancelled", "cancelled")])
def test_the_service_says_why_an_answer_was_cancelled(reason: str, ended: str):
    response = {"id": "resp_1", "status": "cancelled", "status_details": {"reason": reason}}
    assert [turn.ended for turn in answering().server("response.done", response=response).finished] == [ended]


@pytest.mark.parametrize("name", ["ambient_audio_transcription.completed", "input_audio_transcription.failed"])
def test_what_others_say_and_what_was_not_understood_are_not_your_words(name: str):
    told = opened().client("input_audio_buffer.append", audio="AAAA")
    told.server(f"conversation.item.{name}", item_id="item_1", transcript="Noise.")
    assert told.turn.user == ""


def test_a_microphone_that_is_on_is_no_turn_where_the_service_listens_for_speech():
    told = opened(turn_detection=SPEECH).client("input_audio_buffer.append", audio="AAAA")
    assert told.fold.current is None


@pytest.mark.parametrize(("then", "ended"), [([], []), (["input_audio_buffer.commit"], ["lost"])])
def test_what_was_not_said_yet_is_not_lost(then: list[str], ended: list[str]):
    told = opened().client("input_audio_buffer.append", audio="AAAA")
    for name in then:
        told.client(name)
    told.fold.local("lost", 9.0, error="reset")
    assert [turn.ended for turn in told.fold.turns] == ended


def test_words_that_arrive_after_their_turn_are_put_where_they_belong():
    told = opened(turn_detection=SPEECH)
    told.server("input_audio_buffer.speech_started", item_id="item_1")
    told.server("input_audio_buffer.committed", item_id="item_1").server("response.created", response={"id": "resp_1"})
    told.server("response.done", response={"id": "resp_1", "status": "completed"})
    told.server("conversation.item.input_audio_transcription.completed", item_id="item_1", transcript="Late.")
    (turn,) = told.finished
    assert turn.user == "Late."


def test_who_cuts_an_answer_off_after_all_of_it_came_has_interrupted_it():
    told = answering().server(
        "response.audio.delta", response_id="resp_1", delta=base64.b64encode(bytes(48_000)).decode()
    )
    told.server("response.done", response={"id": "resp_1", "status": "completed"})
    (turn,) = told.finished
    told.fold.local("playing", 1.5)
    told.fold.local("played", 2.0, played_ms=990, number=turn.number)
    assert (turn.played_ms, turn.ended, turn.moments.playing) == (990, "completed", 1.5)
    silent = answering()
    silent.fold.local("playing", 1.5)
    silent.fold.local("played", 2.0, played_ms=0)
    assert (silent.turn.played_ms, silent.turn.moments.playing) == (None, None)
    told.fold.local("played", 2.0, played_ms=400)
    assert (turn.played_ms, turn.ended, turn.moments.stopped) == (400, "interrupted", 2.0)


def test_what_a_turn_cost_is_the_sum_of_its_answers():
    from qwenkit.types.reply import Receipt
    from qwenkit.types.usage import Cost

    told = answering()
    for amount in (0.5, 0.25):
        receipt = Receipt(cost=Cost(amount, "CNY", "2026-11-01"))
        told.fold.local("billed", 2.0, receipt=receipt, response_id="resp_1")
    assert str(told.turn.cost) == "¥0.7500"
    assert told.turn.receipt is told.turn.receipts[1]


@pytest.mark.parametrize("status", ["completed", "failed", "incomplete", "cancelled", "in_progress", "new word", None])
def test_every_status_ends_a_turn(status: str | None):
    (turn,) = answering().server("response.done", response={"id": "resp_1", "status": status}).finished
    assert turn.ended == (status if status in ("failed", "incomplete", "cancelled") else "completed")


def test_an_error_of_the_server_ends_the_answer_under_way_and_a_refusal_does_not():
    refused = answering().server("error", error={"type": "invalid_request_error", "message": "Unknown parameter."})
    assert refused.finished == []
    (turn,) = answering().server("error", error={"type": "server_error", "message": "It broke."}).finished
    assert (turn.text, turn.ended, turn.error) == ("Good", "failed", "It broke.")


def test_events_of_no_family_pass_the_fold():
    assert answering().fold.add(Event(type="x")) is None
    assert answering().fold.local("nothing", 1.0) is None
