"""What a voice session leaves: sounds at their places, events counted, words kept whatever has to go."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from qwenkit.types import call as calls
from qwenkit.types import tape
from qwenkit.types import track as tracks
from qwenkit.types.audio import Audio
from qwenkit.types.call import UNHEARD, Call
from qwenkit.types.image import Image
from qwenkit.types.realtime import AudioEvent, LocalEvent, ResponseEvent, SpeechEvent, TextEvent
from qwenkit.types.reply import ToolCall
from qwenkit.types.tools import ToolRun
from qwenkit.types.turn import Moments, Turn

YOU, MODEL = 16_000, 24_000


def tone(seconds: float, rate: int, level: int = 8_000) -> bytes:
    """A square wave of 200 Hz: it is never silent, and as loud at any rate."""
    at = np.arange(round(seconds * rate))
    return (np.where(at * 400 // rate % 2, level, -level)).astype("<i2").tobytes()


def pour(call: Call, pcm: bytes, at: float, *, late: float = 0.0) -> None:
    """A microphone: chunks of 40 ms, each when it is over."""
    for number in range(0, len(pcm), 1280):
        call.heard(pcm[number : number + 1280], at + number / 2 / YOU + (late if number % 3 else 0.0))


def answer(call: Call, seconds: float, at: float) -> None:
    """An answer in pieces of 100 ms, which come in a quarter of the time they last."""
    for number in range(round(seconds * 10)):
        call.spoken(tone(0.1, MODEL), at + number * 0.025)


def loud(call: Call, column: int, begin: float, end: float) -> float:
    """The share of the time between two moments of the call in which a side is to be heard."""
    sound = call.stereo()
    part = np.abs(sound.array[round((begin - call.begin) * sound.rate_hz) : round((end - call.begin) * sound.rate_hz)])
    return float((part[:, column] > 0.05).mean())


def test_a_live_call_has_both_voices_where_they_were_and_drops_what_was_cut_off():
    call = Call(live=True)
    pour(call, tone(2, YOU), 1.0, late=0.06)
    answer(call, 4, 3.5)
    assert call.duration == pytest.approx(6.5, abs=0.01)
    assert call.cut(5.0) == pytest.approx(2.5, abs=0.01)
    answer(call, 1, 6.0)
    sound = call.stereo()
    assert (sound.channels, sound.rate_hz) == (2, MODEL)
    assert sound.duration == pytest.approx(call.duration) == pytest.approx(6.0, abs=0.01)
    assert call.begin == pytest.approx(1.0)
    heard = [loud(call, 0, *span) for span in ((1.02, 2.98), (3.1, 6.9))]
    spoken = [loud(call, 1, *span) for span in ((1.1, 3.4), (3.52, 4.98), (5.02, 5.98), (6.02, 6.98))]
    assert [round(each, 1) for each in heard + spoken] == [1, 0, 0, 1, 0, 1]


def test_silence_behind_a_question_is_nobody_s_and_what_follows_stands_where_the_figures_say():
    call, talked = Call(), []
    for at in (1.0, 3.0):
        call.heard(tone(2, YOU), at)
        call.padded(bytes(64_000), at)
        for name, place, told in (("started", 100, at + 0.2), ("stopped", 2_100, at + 0.9)):
            ms = {f"audio_{'start' if name == 'started' else 'end'}_ms": place + (4_000 if at > 2 else 0)}
            call.add(SpeechEvent(type=f"input_audio_buffer.speech_{name}", at=told, **ms))
        call.spoken(tone(1, MODEL), at + 1.0)
        talked.append(at + 1.5)
    call.sent("conversation.item.create", talked[-1])
    lanes = call.timeline().lanes
    assert [span for bar in lanes["you"] for span in (bar.begin, bar.end)] == pytest.approx([1, 3, 4.1, 6.1], abs=0.01)
    assert [bar.begin for bar in lanes["model"]] == pytest.approx([3.1, 6.2], abs=0.01)
    assert [each for span in call.speech for each in span] == pytest.approx([1.1, 3, 4.2, 6.1], abs=0.01)
    assert call.place(talked[-1]) == pytest.approx(7.2, abs=0.01)
    assert call.stereo().duration == pytest.approx(6.2, abs=0.02)


def test_what_a_script_sends_in_no_time_lies_in_the_order_of_a_talk():
    call = Call()
    for at in (1.0, 1.2):
        for _ in range(30):
            call.heard(tone(0.1, YOU), at)
        call.add(ResponseEvent(type="response.created", at=at + 0.1))
        for _ in range(20):
            call.spoken(tone(0.1, MODEL), at + 0.15)
    call.sent("conversation.item.create", 1.5)
    call.add(ResponseEvent(type="response.created", at=1.6))
    answer(call, 1, 1.7)
    lanes = call.timeline().lanes
    assert [bar.begin for bar in lanes["you"]] == pytest.approx([1, 6.05], abs=0.01)
    assert [bar.begin for bar in lanes["model"]] == pytest.approx([4.05, 9.1, 11.3], abs=0.01)
    assert lanes["client"][0].begin == pytest.approx(11.1, abs=0.01)
    assert [call.position(at) for at in (0.5, 1.0, 1.2, 1.5)] == pytest.approx([0.5, 1, 6.05, 11.1], abs=0.01)
    assert max(loud(call, 0, 4.1, 6.0), loud(call, 1, 1.1, 4.0), loud(call, 1, 6.1, 9.0)) == 0


def test_answers_that_wait_for_each_other_lie_one_after_the_other():
    call = Call(live=True)
    for at in (1.0, 2.0):
        call.add(ResponseEvent(type="response.created", at=at))
        answer(call, 3, at + 0.1)
    assert [_bar(bar) for bar in call.timeline().lanes["model"]] == [(1.1, 7.1)]


def test_bytes_may_be_split_anywhere_and_a_hole_stays_a_hole():
    call, whole, pcm = Call(live=True), Call(live=True), tone(1, YOU)
    for at in range(0, len(pcm), 333):
        call.heard(pcm[at : at + 333], 2.0 + at / 2 / YOU)
        assert call.stereo().duration == pytest.approx((at + 333) / 2 / YOU, abs=0.02)
    for each in (whole, call):
        each.heard(pcm, 2.0 if each is whole else 5.0)
    whole.heard(pcm, 5.0)
    assert [tuple(bar)[:2] for bar in map(_bar, call.timeline().lanes["you"])] == [(2, 3), (5, 6)]
    assert (call.stereo().array == whole.stereo().array).all()
    mine, its = call.outlines(100)
    assert (mine.high > 0.2).nonzero()[0].tolist() == [*range(25), *range(75, 100)]
    assert not its.high.any()
    call.rates(8_000, 48_000)
    call.spoken(tone(1, 48_000), 6.0)
    assert (call.stereo().rate_hz, call.duration) == (48_000, 5)
    assert loud(call, 0, 2, 3) == loud(call, 1, 6, 7) == pytest.approx(1, abs=0.01)


def _bar(bar: tracks.Bar) -> tuple[float, float]:
    return round(bar.begin, 3), round(bar.end, 3)


def test_speech_lies_where_the_service_counted_it_also_after_a_hole_and_a_new_socket():
    call = Call(live=True)
    call.heard(tone(1, YOU), 1.0)
    call.heard(tone(1, YOU), 10.0)
    spoke = "input_audio_buffer.speech_"
    for at, begin, end in ((1.9, 250, 750), (10.9, 800, 1500)):  # the last begins before the hole, says the service
        call.add(SpeechEvent(type=spoke + "started", audio_start_ms=begin, at=at))
        call.add(SpeechEvent(type=spoke + "stopped", audio_end_ms=end, at=at + 0.1))
    call.add(LocalEvent(type="local.reconnected", at=11.5))
    call.heard(tone(1, YOU), 12.0)
    call.add(SpeechEvent(type=spoke + "started", audio_start_ms=250, at=13.0))
    places = [(round(each.begin, 3), round(each.end, 3)) for each in call.speech]
    assert places == [(1.25, 1.75), (10, 10.5), (12.25, float("inf"))]
    assert [call.place(at) for at in (1.9, 5.0)] == [pytest.approx(1.25), 5]


def test_of_too_much_the_oldest_goes_and_what_it_meant_stays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tape, "MOST_MINUTES", 0.5)
    monkeypatch.setattr(calls, "MOST_EVENT_BYTES", 50_000)
    monkeypatch.setattr(calls, "MOST_TURN_BYTES", 300_000)
    call = Call(live=True)
    for second in range(100):
        call.heard(tone(1, YOU), second)
        call.add(AudioEvent(type="response.audio.delta", pcm=b"12", source=b"x" * 1_000, at=second))
    assert call.duration == pytest.approx(30, abs=10.1)
    assert call.duration + call.dropped_s == pytest.approx(100)
    assert (len(call.events), call.dropped_events, call.counts["response.audio.delta"]) == (50, 50, 100)
    assert sum(bar.count for bar in call.timeline().lanes["server"]) == 100
    for number in range(8):
        call.keep(Turn(number=number, user=f"words {number}", text="answer", pcm=bytearray(tone(2, MODEL)), ended="x"))
    assert [turn.audio is not None for turn in call.turns] == [False] * 5 + [True] * 3
    assert [message.text for message in call.conversation][::2] == [f"words {number}" for number in range(8)]


def test_events_are_bounded_in_number_and_close_ones_are_one_bar(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(calls, "MOST_EVENTS", 100)
    monkeypatch.setattr(tracks, "MOST_BARS", 10)
    call = Call()
    for number in range(300):
        call.add(TextEvent(type="response.text.delta", at=number / 100))
        call.sent("input_audio_buffer.append", number / 100)
    for number in range(40):
        call.add(ResponseEvent(type="response.done", at=4.0 + number))
    told, kept = call.timeline(), call.events
    call.add(ResponseEvent(type="response.done", at=44.0))
    call.sent("input_audio_buffer.append", 3.0)
    assert len(kept) == 100
    assert kept[-1] is not call.events[-1]
    assert [(bar.name, bar.count, round(bar.end, 2)) for bar in told.lanes["client"]] == [
        ("input_audio_buffer.append", 300, 2.99)
    ]
    assert len(told.lanes["server"]) == 10
    assert told.counts["server"] == {"response.text.delta": 300, "response.done": 40}
    assert told.seconds == 43


def test_a_server_that_invents_events_fills_nothing():
    call = Call()
    for number in range(2_000):
        call.add(TextEvent(type=f"{number:04}" * 1_000, at=number))
    counts = call.timeline().counts["server"]
    assert (len(counts), counts["…"]) == (501, 1_500)
    assert max(map(len, counts)) == 200


def talk() -> Call:
    call = Call()
    call.heard(tone(2, YOU), 1.0)
    call.add(ResponseEvent(type="response.created", at=1.4))
    answer(call, 3, 1.5)
    weather = ToolCall("call_1", "weather", '{"city": "Oslo"}')
    moments = Moments(began=1.0, created=1.4, speech_stopped=1.1, first_text=1.3, first_audio=1.5)
    call.keep(Turn(number=1, user="How is Oslo?", spoken=True, text="Rainy.", calls=[weather], ended="completed",
                   runs=[ToolRun("call_1", "weather", weather.arguments, "rain")], said=tone(2, YOU),
                   pcm=bytearray(tone(3, MODEL)), moments=moments))  # fmt: skip
    call.heard(tone(1, YOU), 2.0)
    call.add(ResponseEvent(type="response.created", at=2.15))
    answer(call, 1, 2.2)
    picture = Image.of(np.zeros((2, 2, 3), np.uint8))
    call.keep(Turn(number=2, spoken=True, text="再说一遍。", ended="interrupted", images=[picture],
                   moments=Moments(began=2.0, created=2.15, asked=2.1, first_audio=2.2, playing=2.35)))  # fmt: skip
    return call


def test_the_conversation_has_words_tools_pictures_and_sounds():
    said = talk().conversation
    assert [message.role for message in said] == ["user", "assistant", "tool", "assistant", "user", "assistant"]
    assert [message.text for message in said] == ["How is Oslo?", "", "rain", "Rainy.", UNHEARD, "再说一遍。"]
    assert [getattr(message.spoken, "duration", None) for message in said] == [2, None, None, 3, None, None]
    assert said[1].tool_calls == [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    ]
    assert said[4].content[0]["type"] == "image"
    ran = Turn(text="Found.", runs=[ToolRun("mcp_1", "search", "{}", "hits")], ended="completed")
    assert [message.role for message in calls.messages(ran)] == ["assistant", "tool", "assistant"]


def test_latency_is_counted_from_the_end_of_the_words():
    told = talk().latency()
    assert told.numbers == [1, 2]
    assert told.stages == {"first text": [200, None], "first audio": [400, 100], "heard": [None, 250]}


@pytest.mark.parametrize("name", ["call.wav", "deep/er/call.flac", "call.mp3"])
def test_a_call_is_saved_with_you_on_the_left(tmp_path: Path, name: str):
    path = talk().save(tmp_path / name)
    sound = Audio.open(path)
    assert (sound.channels, sound.duration) == (2, pytest.approx(7.15, abs=0.12))
    sides = np.abs(sound.array[: sound.rate_hz]).mean(axis=0)
    assert sides[0] > 0.1 > 0.01 > sides[1]


def test_a_long_call_is_made_in_blocks_without_a_seam(monkeypatch: pytest.MonkeyPatch):
    call = Call(live=True)
    call.heard((np.sin(np.arange(int(3.3 * YOU)) / 9) * 9_000).astype("<i2").tobytes(), 0.25)
    call.spoken(tone(2, MODEL), 0.7)
    whole, outlines = call.stereo().array, call.outlines(40)
    monkeypatch.setattr(tape, "BLOCK_S", 1)
    assert np.abs(call.stereo().array - whole).max() < 1e-3
    for one, other in zip(outlines, call.outlines(40), strict=True):
        assert np.allclose(one.high, other.high, atol=1e-3)
        assert np.allclose(one.low, other.low, atol=1e-3)
    assert call.stereo(1.5).duration == 1.5


def test_it_is_read_while_it_is_written():
    call, over, broken = Call(live=True), threading.Event(), []

    def write() -> None:
        try:
            for number in range(1_500):
                call.heard(tone(0.04, YOU), number * 0.04)
                call.spoken(tone(0.04, MODEL), number * 0.04)
                call.add(TextEvent(type=f"response.{number % 50}", at=number * 0.04))
                if number % 50 == 0:
                    call.cut(number * 0.04)
        except Exception as error:
            broken.append(error)
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not over.is_set() or not reads:
        assert list(call.events) or True
        call.timeline()
        call.stereo(2)
        reads += 1
    writer.join()
    assert not broken
    assert call.duration == pytest.approx(60, abs=0.1)
