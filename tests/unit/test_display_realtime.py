"""How a call looks: the same story in the same bytes, whoever speaks stays text, and nothing grows without end."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hostile import HOSTILE
from inert import TAGS
from test_call import MODEL, YOU, tone

from qwenkit.display import bundle
from qwenkit.display.call_drawings import STAGES
from qwenkit.display.page import MAX_HTML
from qwenkit.notebook.folding import without_volatile
from qwenkit.types.call import Call, Latency, Timeline
from qwenkit.types.realtime import AudioEvent, ErrorEvent, ResponseEvent, SpeechEvent, TextEvent
from qwenkit.types.reply import Receipt, ToolCall
from qwenkit.types.tools import ToolRun
from qwenkit.types.track import Bar
from qwenkit.types.turn import Moments, Turn
from qwenkit.types.usage import Cost, Usage

DRAWN = TAGS | {"audio", "svg", "g", "path", "rect", "circle", "text", "title", "img"}
WEATHER = ToolCall("call_1", "weather", '{"city": "Oslo"}')
SAID = (
    ("How is the weather in Oslo?", "Twelve degrees and light rain.", "completed"),
    ("And tomorrow?", "Dry at first, then clouds come in", "interrupted"),
    ("停一下，用中文说。", "好的。明天上午天气晴朗。", "completed"),
)


def turn(number: int, at: float, **told: Any) -> Turn:
    moments = Moments(began=at, speech_started=at, speech_stopped=at + 1.5, first_text=at + 1.7,
                      first_audio=at + 1.75, playing=at + 1.9, done=at + 4)  # fmt: skip
    facts: dict[str, Any] = {"usage": Usage(prompt_tokens=120, completion_tokens=80), "voice": "Tina", "spoken": True,
             "receipts": [Receipt(sandbox=True, cost=Cost(0.002))], "model": "qwen3.5-omni-plus-realtime"}  # fmt: skip
    sound = {"said": tone(1.5, YOU), "pcm": bytearray(tone(3, MODEL))}
    return Turn(**{"number": number, "moments": moments, **facts, **sound, **told})


def call(slow: float = 0.0) -> Call:
    """Three turns: a tool, an interruption, Chinese. `slow` is how much later everything came in another run."""
    made = Call(live=True)
    for number, (user, text, ended) in enumerate(SAID, 1):
        at = 1 + (number - 1) * (6 + slow)
        made.heard(tone(1.5, YOU), at)
        made.add(SpeechEvent(type="input_audio_buffer.speech_started", at=at + 0.1))
        made.add(SpeechEvent(type="input_audio_buffer.speech_stopped", at=at + 1.6))
        made.sent("response.create", at + 1.6)
        for _ in range(1 + (slow > 0)):
            made.add(AudioEvent(type="response.audio.delta", at=at + 2, source=b"{}"))
        made.spoken(tone(3, MODEL), at + 2 + slow)
        made.add(ResponseEvent(type="response.done", at=at + 3))
        told: dict[str, Any] = {"user": user, "text": text, "ended": ended}
        if number == 1:
            run = ToolRun(WEATHER.id, WEATHER.name, WEATHER.arguments, "12 degrees, light rain", seconds=0.01 + slow)
            told |= {"calls": [WEATHER], "runs": [run]}
        if number == 2:
            told["played_ms"] = round(1400 + 100 * slow)
            made.cut(at + 4)
        made.keep(turn(number, at, **told))
        made.turns[-1].moments.playing = at + 1.9 + slow
    return made


STORY = """Call of 3 turns, qwen3.5-omni-plus-realtime, Tina
1  you: How is the weather in Oslo?
   weather({"city": "Oslo"}) → 12 degrees, light rain
   model: Twelve degrees and light rain.
2  you: And tomorrow?
   model: Dry at first, then clouds come in (interrupted)
3  you: 停一下，用中文说。
   model: 好的。明天上午天气晴朗。"""


@pytest.fixture(scope="module")
def card() -> dict[str, str]:
    return bundle(call())


def test_the_card_of_a_call_tells_its_story_plays_it_and_is_small(card: dict[str, str]):
    html = card["text/html"]
    assert card["text/plain"] == STORY
    seen = ("How is the weather", "12 degrees", "You interrupted it.", "1.4 s of it were heard.", "停一下，用中文说。")
    for fact in (*seen, "free (live ≈ ¥0.006000)", "360 + 240 tokens", "3 sent, 12 received", "heard as speech"):
        assert fact in html
    assert html.count("<audio") == html.count("data:audio/mpeg;base64,") == 1
    assert len(html.encode()) <= 150_000


def test_a_reader_without_pictures_or_styles_has_all_of_it(card: dict[str, str]):
    drawings = re.findall(r"<svg[^>]*>", card["text/html"])
    assert all('role="img"' in each and re.search(r'aria-label="[^"]+"', each) for each in drawings)
    assert len(drawings) == 6
    waits = re.search(r'<div class="qk-waits">.*?</div></div>', card["text/html"], re.S)
    assert waits is not None
    rows = re.findall(r"<tr>(.*?)</tr>", waits[0], re.S)
    assert re.findall(r"<th[^>]*>([^<]+)", rows[0]) == ["turn", "from the end of your turn, in ms", *STAGES]
    figures = [re.findall(r'qk-volatile">([\d,]+)<', row) for row in rows[1:-1]]
    assert figures == [["200", "250", "400"]] * 3
    assert re.findall(r">(\d+)</text>", rows[-1]) == ["0", "100", "200", "300"]  # one scale for all of them


def test_another_run_of_the_same_story_is_the_same_to_a_comparison(card: dict[str, str]):
    again, slow = bundle(call()), bundle(call(slow=0.37))
    assert card == again
    assert slow["text/html"] != card["text/html"]
    assert without_volatile(slow["text/html"]) == without_volatile(card["text/html"])
    assert slow["text/plain"] == card["text/plain"]
    for view in ("timeline", "latency"):
        one, other = (bundle(getattr(call(late), view)()) for late in (0.0, 0.37))
        assert one["text/html"] != other["text/html"]
        assert without_volatile(one["text/html"]) == without_volatile(other["text/html"])
        assert one["text/plain"] == other["text/plain"]


def test_a_turn_has_both_sounds_its_wait_and_its_bill():
    shown = bundle(turn(2, 1.0, user="再见", text="Bye.", ended="completed", language="zh", emotion="happy"))
    assert shown["text/plain"] == "you: 再见\nmodel: Bye."
    for fact in (
        "Turn 2",
        "再见",
        "happy",
        "heard as speech",
        "3.00 s of sound",
        "120 + 80 tokens",
        "heard after 400 ms",
    ):
        assert fact in shown["text/html"]
    assert shown["text/html"].count("<audio") == 2
    cut = bundle(turn(2, 1.0, text="Bye.", ended="interrupted", played_ms=1_000))
    assert ("Sound of 4.9 s" in shown["text/html"], "Sound of 2.9 s" in cut["text/html"]) == (True, True)
    silent = bundle(turn(1, 0.0, text="", ended="completed", said=b"", pcm=bytearray(), spoken=False, user="hi"))
    assert silent["text/plain"] == "you: hi\nmodel: (nothing)"
    seen = turn(1, 0.0, user="hi", said=b"", spoken=False, images=[b"jpeg"], emotion="neutral")
    assert "typed, with silence for its pictures" in bundle(seen)["text/html"]
    assert "neutral" not in bundle(seen)["text/html"]
    assert "<audio" not in silent["text/html"]
    asked = bundle(turn(1, 0.0, user="hi", calls=[WEATHER], ended="completed", said=b"", pcm=bytearray()))
    assert 'weather({"city": "Oslo"}) (not carried out)' in asked["text/plain"]
    assert "calls <code>weather</code>" in asked["text/html"]


@pytest.mark.parametrize(
    ("ended", "told"),
    [("", "It goes on."), ("interrupted", "You interrupted it."), ("cancelled", "It was cancelled."),
     ("incomplete", "before it was complete"), ("failed", "It failed: the &lt;voice&gt; is not known."),
     ("lost", "It was cut off: the connection broke."), ("new_way", "It ended: new_way."), ("completed", None)],
)  # fmt: skip
def test_each_way_to_end_is_said(ended: str, told: str | None):
    errors = {"failed": "the <voice> is not known", "lost": "the session is over: the connection broke"}
    shown = bundle(turn(1, 0.0, text="A", ended=ended, error=errors.get(ended, ""), said=b"", pcm=bytearray()))
    if told is None:
        assert "qk-warn" not in shown["text/html"]
        assert shown["text/plain"].endswith("model: A")
    else:
        assert told in shown["text/html"]
        assert shown["text/plain"].endswith(f"({ended or 'going on'})")


def inert(html: str) -> None:
    markup = re.sub(r"^<style>.*?</style>", "", html, count=1, flags=re.S)
    found = re.findall(r"<(\w+)((?:\"[^\"]*\"|[^>\"])*)>", markup)
    assert {tag for tag, _ in found} <= DRAWN
    names = {name for _, attributes in found for name in re.findall(r"([\w-]+)=", re.sub(r'"[^"]*"', "", attributes))}
    assert not {name for name in names if name.startswith("on")}
    assert not re.search(r'(?:src|href)="(?!data:|https?://|mailto:)', markup)
    assert len(re.sub(r'"data:[^"]*"', "", markup)) <= MAX_HTML + 1_000


@pytest.mark.parametrize("text", [text for _, text in HOSTILE], ids=[name for name, _ in HOSTILE])
def test_nothing_anybody_says_runs_or_grows(text: str):
    made = Call()
    made.add(ErrorEvent(type=text[:2_000], error={"message": text}, at=1.0, source=text.encode("utf-8", "replace")))
    made.sent(text[:2_000], 1.0)
    named = ToolCall(text[:90], text, text)
    run = ToolRun(named.id, text, text, text, error=text)
    facts = {"user": text, "text": text, "error": text, "ended": text[:99] or "x", "language": text, "emotion": text}
    made.keep(turn(1, 0.0, **facts, model=text, voice=text, calls=[named], runs=[run], said=b"", pcm=bytearray()))
    for value in (made, made.timeline(), made.events[0]):
        shown = bundle(value)
        inert(shown["text/html"])
        assert len(shown["text/plain"]) <= 45_000
        assert "\x1b" not in shown["text/plain"]


def test_a_day_of_talk_fits_a_card():
    made = Call(live=True)
    run = ToolRun("1", "f", "[" + "1," * 9_000 + "1]", "word " * 9_000)
    for number in range(200):
        told = {
            "user": "long words " * 300,
            "text": "**much** more " * 300,
            "calls": [ToolCall("1", "f", run.arguments)],
        }
        made.keep(turn(number, number * 60, ended="completed", runs=[run], said=b"", pcm=bytearray(), **told))
    for number in range(20_000):
        made.add(TextEvent(type=f"response.text.{number % 90}", at=number / 2))
    shown = bundle(made)
    assert "Too much to show here" not in shown["text/html"]
    assert len(shown["text/html"]) <= MAX_HTML
    assert re.search(r"… 1\d\d earlier turns", shown["text/plain"])
    assert len(bundle(made.timeline())["text/html"]) <= 120_000
    many = Latency({"heard": [float(at % 700) for at in range(5_000)]}, list(range(5_000)))
    assert bundle(many)["text/html"].count("<circle") == 400


def test_before_anything_happened_there_is_a_card_too():
    for value, told in ((Call(), "Nothing was said yet."), (Timeline({}, {}), "Nothing has happened yet."),
                        (Latency({}, []), "No turn was answered yet.")):  # fmt: skip
        assert told in bundle(value)["text/html"]
    assert bundle(Call())["text/plain"] == "Call of 0 turns"


def test_a_session_shows_its_call():
    session = type("Session", (type("SessionCalls", (), {"__module__": "qwenkit.api.realtime.session"}),), {})()
    session.call = call()
    assert bundle(session)["text/plain"] == STORY


def test_the_timeline_has_a_row_for_each_kind_and_joins_what_cannot_be_told_apart():
    dense = [Bar(number / 1_000, number / 1_000, "response.audio.delta") for number in range(3_000)]
    listens = Bar(1, 1, "conversation.item.input_audio_transcription.failed")
    lanes = {
        "server": [*dense, listens],
        "client": [Bar(0, 2, "input_audio_buffer.append", 50)],
        "you": [Bar(0, 9, "x")],
    }
    html = bundle(Timeline(lanes, {"server": {"response.audio.delta": 3_000}}, 9.0))["text/html"]
    rows = re.findall(r'<text x="-\d+"[^>]*>([^<]+)</text>', html)
    assert rows == ["you send sound", "it listens", "it speaks", "your voice"]
    titles = re.findall(r"<title>([^<]+)</title>", html)
    assert "0.0 s response.audio.delta ×3,000" in titles
    assert len(titles) == 4
    assert html.count('fill="#d32f2f"') == 1


def test_an_event_is_a_line_and_its_frame_a_beginning():
    frame = b'{"type":"response.audio.delta","event_id":"event_7","delta":"' + b"A" * 3_000_000 + b'"}'
    event = AudioEvent(type="response.audio.delta", pcm=b"1234", source=frame, at=1.5)
    shown = bundle(event)
    assert event._repr_mimebundle_() == shown
    assert str(event) == repr(event) == shown["text/plain"]
    assert shown["text/plain"] == "AudioEvent(response.audio.delta, pcm=4 bytes)"
    assert len(shown["text/html"]) <= 12_000
    other = bundle(AudioEvent(type="response.audio.delta", pcm=b"1234", source=frame.replace(b"_7", b"_8"), at=2.5))
    assert without_volatile(other["text/html"]) == without_volatile(shown["text/html"])
