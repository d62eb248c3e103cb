"""The card of a transcript: what it shows, what it leaves out, and that it stays inert whatever a service says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
from hostile import HOSTILE
from inert import TAGS

from qwenkit.display import bundle, transcript
from qwenkit.types.audio import Audio
from qwenkit.types.reply import Choice, Receipt
from qwenkit.types.transcript import FailedRecording, Sentence, Transcript, Transcripts, Word
from qwenkit.types.usage import Cost, Usage

TALK = [
    Sentence(
        240, 1900, "Good morning, everyone.", 0, "neutral", "en", 0, [Word(240, 700, "Good"), Word(700, 1100, "x")]
    ),
    Sentence(2400, 3600, "早上好。", 1, "happy", "zh"),
]

FEW = [text for _, text in HOSTILE[::9]]
ALLOWED = TAGS | {"b", "svg", "rect", "title", "text", "path", "audio"}


def sound(seconds=4.0):
    return Audio((0.2 * np.sin(np.arange(int(seconds * 8000)) / 5)).astype("f4"), 8000)


def heard(text="早上好。", **facts):
    return Transcript(choices=[Choice(text=text, finish_reason="stop")], **facts)


def test_words_without_times():
    receipt = Receipt(model="qwen3-asr-flash", cost=Cost(0.00044), sandbox=True)
    value = heard(language="zh", emotion="happy", audio=sound(), usage=Usage(seconds=4), receipt=receipt)
    shown = bundle(value)
    assert shown["text/plain"] == "早上好。\n(zh, happy, 4 s)"
    assert repr(value) == "Transcript('早上好。', language='zh', emotion='happy', 4 s)"
    html = shown["text/html"]
    assert html.count("<audio") == html.count("qk-wave") - html.count(".qk-wave") == 1
    assert "4 s billed" in html
    assert "free (live ≈ ¥0.000440)" in html
    assert "qk-timeline" not in html
    assert str(value) == "早上好。"


def test_sentences_have_times_speakers_and_a_timeline():
    shown = bundle(heard(sentences=TALK, language="en", audio=sound(), source="talk.wav"))
    assert shown["text/plain"].splitlines() == [
        "0.2 s  Speaker 1  Good morning, everyone.",
        "2.4 s  Speaker 2  早上好。",
        "(en, 3.6 s, 2 speakers)",
    ]
    html = shown["text/html"]
    assert "<strong>talk.wav</strong>" in html
    assert html.count("<rect") == 2
    assert html.count("<b style=") == 2
    assert "happy" in html  # only what differs from the whole is said again
    assert re.search(r'<text x="36" y="18">Good</text>', html)  # 240 ms of 4 s, on 600 units


def test_without_a_sound_there_is_a_timeline_with_times():
    far = heard(sentences=TALK, audio=Audio.of("https://files.example.test/a.mp3"))
    html = bundle(far)["text/html"]
    assert "<audio" not in html
    assert "qk-timeline" in html
    assert "qk-tick" in html


def test_a_sound_nobody_here_can_play_costs_only_the_player():
    html = bundle(heard(sentences=TALK, audio=Audio.of(b"#!AMR\nnot really")))["text/html"]
    assert "<audio" not in html
    assert "早上好" in html


def test_nobody_speaks():
    shown = bundle(heard(""))
    assert shown["text/plain"] == "Nobody speaks in it."
    assert "Nobody speaks" in shown["text/html"]


def test_a_long_recording_is_bounded():
    many = [
        Sentence(at * 2000, at * 2000 + 1900, f"Sentence {at}.", at % 9, words=[Word(at * 2000, at * 2000 + 900, "w")])
        for at in range(20_000)
    ]
    shown = bundle(heard("x " * 100_000, sentences=many))
    assert "… 19,960 more sentences" in shown["text/plain"]
    assert "… 19,960 more sentences in transcript.sentences" in shown["text/html"]
    assert len(shown["text/html"]) < 120_000
    assert len(bundle(heard("word " * 50_000))["text/html"]) < 20_000


def test_words_share_the_lines_they_have_room_in():
    words = [Word(at * 100, at * 100 + 90, f"word{at}") for at in range(40)]
    svg = transcript.timeline([Sentence(0, 4000, "…", words=words)], 4.0)
    spots = [(int(x), int(y)) for x, y in re.findall(r'<text x="(\d+)" y="(\d+)">', svg)]
    assert {y for _, y in spots} <= {18, 32, 46, 60, 74, 88}
    assert f"… {40 - len(spots)} words had no room" in svg or len(spots) == 40
    for lane in (18, 32, 46, 60, 74, 88):
        places = [x for x, y in spots if y == lane]
        assert all(after - before >= 30 for before, after in pairwise(places))


def test_the_growing_card_has_only_words():
    html = transcript.card(heard("Good mor"), running=True)
    assert "Good mor" in html
    assert "<svg" not in html
    assert "broke off" in transcript.card(heard("Good mor"), remark="The stream broke off here.")


def test_several_recordings_stand_in_their_order():
    lost = FailedRecording("b.wav", "FILE_404_NOT_FOUND", "FILE_404_NOT_FOUND", "look at the address")
    several = Transcripts([heard("Hello.", source="a.wav"), lost])
    assert several.texts == ["Hello.", None]
    assert several.failures == [lost]
    assert repr(several) == "Transcripts(2 recordings, 1 failed)"
    shown = bundle(several)
    assert shown["text/plain"].splitlines() == [
        "2 recordings, 1 failed",
        "a.wav: Hello.",
        "b.wav: FILE_404_NOT_FOUND → look at the address",
    ]
    assert "<details" in shown["text/html"]
    assert bundle(Transcripts([heard("Hello.")])) == bundle(heard("Hello."))
    assert "… 80 more recordings" in bundle(Transcripts([lost] * 100))["text/plain"]


class Seen(HTMLParser):
    """The tags and the attributes of some markup."""

    def handle_starttag(self, tag, attrs):
        assert tag in ALLOWED
        assert not [name for name, _ in attrs if name.startswith("on") or (name == "src" and tag != "audio")]


def test_whatever_it_says_it_is_text():
    clip = sound(0.2)
    for _, text in HOSTILE:
        value = heard(text, language=text, emotion=text, source=text, audio=clip if text in FEW else None)
        talk = [Sentence(0, 400, text, 1, text, text, words=[Word(0, 400, text)])]
        lost = FailedRecording(text, text, text, text)
        for each in (value, heard(text, sentences=talk), Transcripts([heard(text, sentences=talk), lost]), lost):
            Seen().feed(bundle(each)["text/html"].rpartition("</style>\n")[2])
