"""Every flow of the realtime socket as it was recorded, and the turns it must become."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from recorded_session import RECORDED, Played, lines, played

from qwenkit.protocol.realtime.events import SPEC
from qwenkit.types.turn import Moments, Turn

LAMP = [("call_a", ' {"room": "hall", "on": true}'), ("call_b", '{"room": "attic", "on": false}')]
# What each flow comes to: of every turn what was said, what was answered, how it ended, tokens, milliseconds of sound.
FLOWS: dict[str, list[tuple[str, str, str, int | None, int]]] = {
    "open": [],
    "finish": [],
    "finish_refused": [],
    "vad_turn": [("When does the ferry leave?", "The ferry leaves at nine.", "completed", 75, 60)],
    "manual_turn": [("What is on the table?", "A blue cup.", "completed", 148, 40)],
    "text_only": [("What is two and two?", "Two and two are four.", "completed", 43, 0)],
    "typed_turn": [("Say hello.", "Hello there!", "completed", 24, 40)],
    "barge_in": [
        ("Tell me a long story.", "Once upon a time ", "interrupted", 66, 40),
        ("Stop, a short one.", "A light went out.", "completed", 93, 40),
    ],
    "cancel": [
        ("Count to one hundred.", "One, two, three, ", "cancelled", 32, 40),
        ("Thank you.", "With pleasure.", "completed", 41, 20),
    ],
    "cancel_without_done": [
        ("Count to one hundred.", "One, two, three, ", "cancelled", None, 40),
        ("Thank you.", "With pleasure.", "completed", 41, 20),
    ],
    "function_calls": [
        ("Light in the hall, dark in the attic.", "Done: hall on, attic off.", "completed", 311, 40),
    ],
    "mcp": [("What did I note about ferries?", "At nine, from pier two.", "completed", 220, 40)],
    "search_and_idle": [
        ("Is the bridge open today?", "Yes, until ten.", "completed", 228, 40),
        ("", "Anything else?", "completed", 223, 40),
    ],
    "translation": [("渡轮九点开。", "The ferry leaves at nine.", "completed", 45, 60)],
    "speech": [("", "", "completed", 0, 60), ("", "", "completed", 0, 40)],
    "transcription": [],
}


def summary(turn: Turn) -> tuple[Any, ...]:
    sound = round(turn.audio.duration * 1000) if turn.audio else 0
    return turn.user, turn.text, turn.ended, turn.usage.total if turn.usage else None, sound


def test_every_recorded_flow_is_tested():
    assert sorted(FLOWS) == sorted(path.stem for path in RECORDED.glob("*.jsonl"))


@pytest.mark.parametrize("name", FLOWS)
def test_a_recorded_flow_becomes_its_turns(name: str):
    session = played(name)
    assert [summary(turn) for turn in session.fold.turns] == FLOWS[name]
    assert session.finished == session.fold.turns
    assert [turn.number for turn in session.fold.turns] == list(range(1, len(FLOWS[name]) + 1))
    assert not session.machine.busy
    assert not [event for event in session.events if event.family == "other"]


@pytest.mark.parametrize("name", FLOWS)
def test_every_frame_of_a_flow_is_known_and_reaches_the_listener_unless_it_is_late(name: str):
    session = played(name)
    sent = [line["frame"] for line in lines(name) if line["from"] == "server"]
    assert all(type(event) is SPEC[event.type] for event in session.events if event.family != "local")
    told = [event.raw for event in session.events if event.source]
    assert all(frame in sent for frame in told)
    late = [frame for frame in sent if frame not in told]
    assert {frame["type"].rpartition(".")[2] for frame in late} <= {"delta", "speech_started"}
    assert bool(late) == (name in ("barge_in", "cancel", "cancel_without_done"))


@pytest.mark.parametrize("name", FLOWS)
def test_what_the_client_says_is_sent_as_it_was_recorded(name: str):
    frames = [msgspec.json.decode(frame) for frame in played(name).frames]
    assert frames == [line["frame"] for line in lines(name) if line["from"] == "client"]


def moments(name: str, index: int = 0) -> dict[str, float]:
    told = msgspec.structs.asdict(played(name).fold.turns[index].moments)
    return {key: round(at, 2) for key, at in told.items() if at is not None}


def test_moments_of_a_spoken_turn_are_counted_from_the_end_of_speech():
    told = moments("vad_turn")
    order = "began speech_started speech_ended speech_stopped committed transcribed created first_text first_audio done"
    assert sorted(told, key=lambda name: (told[name], order.split().index(name))) == order.split()
    turn = played("vad_turn").turn
    assert turn.moments.to_text == round((told["first_text"] - told["speech_ended"]) * 1000, 1)
    assert turn.moments.to_audio == round((told["first_audio"] - told["speech_ended"]) * 1000, 1)
    assert turn.moments.to_sound is None


def test_moments_of_a_turn_by_hand_are_counted_from_the_question():
    told = moments("manual_turn")
    assert "speech_started" not in told
    assert played("manual_turn").turn.moments.to_text == round((told["first_text"] - told["asked"]) * 1000, 1)


def test_who_spoke_waits_from_the_end_of_speech_also_where_an_answer_was_asked_for_later():
    assert Moments(speech_ended=0.5, speech_stopped=1.0, first_text=3.0).to_text == 2500.0
    assert Moments(speech_stopped=1.0, asked=2.0, committed=1.5, first_text=3.0).to_text == 2000.0
    assert Moments(asked=2.0, committed=1.5, playing=3.0).to_sound == 1000.0
    assert Moments(first_audio=3.0).to_audio is None


def test_the_speech_of_a_turn_is_the_part_of_the_sound_that_was_speech():
    first, second = played("barge_in").fold.turns
    assert first.sound is not None
    assert second.sound is not None
    assert (first.sound.duration, second.sound.duration) == (0.06, 0.06)
    assert first.said == second.said  # both are the tone, from where it began to where it stopped


def test_a_part_of_the_sound_belongs_to_the_newest_turn_with_speech_in_it():
    fold, told = played("barge_in").fold, [line["frame"] for line in lines("barge_in") if line["from"] == "server"]
    begins = [frame["audio_start_ms"] for frame in told if "audio_start_ms" in frame]
    ends = [frame["audio_end_ms"] for frame in told if "audio_end_ms" in frame]
    first, second = fold.turns
    assert fold.spoken_in(0, ends[0]) is fold.spoken_in(begins[0] + 1, ends[0] + 1) is first
    assert fold.spoken_in(0, ends[1]) is fold.spoken_in(ends[1] - 1, ends[1] + 1000) is second
    assert fold.spoken_in(ends[1], ends[1] + 1000) is None


def test_calls_are_taken_from_the_event_that_has_them_whole():
    turn = played("function_calls").turn
    assert [(call.id, call.arguments) for call in turn.calls] == LAMP
    assert turn.calls[0].parsed == {"room": "hall", "on": True}
    assert turn.response_ids == ["resp_1", "resp_2"]
    assert turn.usage is not None
    assert turn.usage.audio_out == 22


def test_calls_that_nobody_here_answers_end_the_turn():
    first, second = played("function_calls", answers=lambda names: False).fold.turns
    assert (first.text, first.ended, len(first.calls)) == ("", "completed", 2)
    assert (second.text, second.calls) == ("Done: hall on, attic off.", [])


def test_what_the_service_did_itself_is_a_run():
    first, second = played("mcp", answers=lambda names: False).fold.turns  # where nobody asks for more
    assert (first.text, second.runs) == ("", [])
    (run,) = played("mcp").fold.turns[0].runs
    assert (run.name, run.arguments, run.result) == ("find", '{"q":"ferry"}', "Nine o'clock, pier 2.")


def test_searches_are_on_the_bill():
    usage = played("search_and_idle").fold.turns[0].usage
    assert usage is not None
    assert usage.tools == {"search": 1}


def test_pictures_belong_to_the_turn_they_were_shown_in():
    assert len(played("manual_turn").turn.images) == 1


def test_an_interrupted_answer_says_when_and_nothing_comes_after():
    session = played("barge_in")
    names = [event.type for event in session.events]
    cut = names.index("local.interrupted")
    assert names[cut + 1] == "input_audio_buffer.speech_started"
    after = [e for e in session.events[cut:] if getattr(e, "response_id", "") == "resp_1"]
    assert not [e.type for e in after if e.type.endswith(".delta")]
    assert names.count("input_audio_buffer.speech_started") == 2  # three were sent
    assert session.fold.turns[0].moments.stopped == session.events[cut].at


@pytest.mark.parametrize("name", ["vad_turn", "function_calls", "barge_in"])
def test_a_session_that_breaks_at_any_frame_keeps_what_it_had(name: str):
    recorded = lines(name)
    whole = played(name).fold.turns[-1]
    for length in range(3, len(recorded)):
        session = Played().play(recorded[:length])
        before = session.fold.current
        session.fold.local("lost", 99.0, error="the socket was reset")
        if before is not None and (before.user or before.text):
            assert before.ended in ("lost", "completed")
            assert whole.text.startswith(before.text) or before.number < whole.number
        assert all(turn.ended for turn in session.fold.turns)
