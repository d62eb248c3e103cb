"""Subtitles: times of any length, lines that can be read, Chinese, speakers, and words that look like marks."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

import qwenkit as qk
from qwenkit.protocol.subtitles import LINE, LONGEST_MS, cues, srt, vtt
from qwenkit.types.transcript import Sentence, Transcript, Word

LONG = (
    "The harbour at the end of the valley is small, but every boat that comes in from the north passes it, "
    "and nobody who has once stood there at night in winter forgets the light on the water."
)
CHINESE = "二十三条船在早上离开港口，然后在晚上回来，船长说明天的天气会很好，我们都很高兴，因为孩子们想去看海。"


def test_a_sentence_is_a_cue():
    assert srt([Sentence(40, 1310, "Good morning.")]) == "1\n00:00:00,040 --> 00:00:01,310\nGood morning.\n"
    assert vtt([Sentence(40, 1310, "Good morning.")]) == "WEBVTT\n\n00:00:00.040 --> 00:00:01.310\nGood morning.\n"


@pytest.mark.parametrize(
    ("begin", "told"),
    [(3_725_120, "01:02:05"), (35_999_999, "09:59:59"), (360_000_000, "100:00:00"), (-5, "00:00:00"), (0, "00:00:00")],
)
def test_hours_are_counted(begin, told):
    text = srt([Sentence(begin, begin + 900, "Late.")])
    assert re.search(rf"\n{told},\d\d\d --> ", text)
    assert f"\n{told}." in vtt([Sentence(begin, begin + 900, "Late.")])


@pytest.mark.parametrize(("text", "wide"), [(LONG, 1), (CHINESE, 2)], ids=["english", "chinese"])
def test_a_long_sentence_becomes_cues_that_can_be_read(text, wide):
    made = cues([Sentence(1000, 16_000, text)])
    assert len(made) >= 3
    assert "".join(cue.text for cue in made).replace(" ", "") == text.replace(" ", "")
    for before, after in pairwise(made):
        assert before.begin_ms < before.end_ms <= after.begin_ms
    assert all(cue.end_ms - cue.begin_ms <= LONGEST_MS for cue in made)
    lines = [line for line in srt([Sentence(1000, 16_000, text)]).splitlines() if line and "-->" not in line]
    assert all(len(line) * wide <= LINE for line in lines if not line.isdigit())
    assert (made[0].begin_ms, made[-1].end_ms) == (1000, 16_000)
    assert not any(cue.text.startswith(("，", "。", ",")) for cue in made)


def test_words_with_times_are_cut_at_their_times():
    words = [Word(100 + 1000 * at, 900 + 1000 * at, f" word{at}", "." if at == 19 else "") for at in range(20)]
    text = " ".join(f"word{at}" for at in range(20)) + "."
    made = cues([Sentence(100, 19_900, text, words=words)])
    assert [cue.begin_ms for cue in made] == [100, 7100, 14_100]
    assert [cue.end_ms for cue in made] == [6900, 13_900, 19_900]


def test_words_that_are_not_in_the_text_are_not_believed():
    odd = Sentence(0, 2000, "Twenty three boats.", words=[Word(5, 900, "23"), Word(900, 1500, "boats", ".")])
    assert cues([odd])[0][:2] == (0, 2000)


def test_chinese_words_are_cut_at_their_times():
    chars = [Word(200 * at, 200 * at + 200, char) for at, char in enumerate(CHINESE) if char not in "，。"]
    made = cues([Sentence(0, 200 * len(CHINESE), CHINESE, words=chars)])
    assert all(cue.begin_ms % 200 == 0 for cue in made)


def test_speakers_are_named():
    talk = [Sentence(0, 900, "Hello.", 0), Sentence(900, 1500, "Hi.", 1), Sentence(1500, 2000, "Well.", 1)]
    assert [line for line in srt(talk).splitlines() if "Speaker" in line] == ["Speaker 1: Hello.", "Speaker 2: Hi."]
    assert srt(talk, {1: "Ben"}).count("Ben: ") == 1
    assert "<v Speaker 1>Hello." in vtt(talk)
    assert vtt(talk, {0: "A <b>\n& co"}).count("<v A &lt;b&gt; &amp; co>") == 1


def test_words_that_look_like_marks_stay_words():
    odd = Sentence(0, 900, "a <i> & b --> c\n\nd")
    assert "a &lt;i&gt; &amp; b --&gt; c d" in vtt([odd])
    assert srt([odd]).splitlines()[2:] == ["a <i> & b → c d"]


def test_channels_take_turns_in_time():
    both = [Sentence(2000, 2500, "Second.", channel=0), Sentence(100, 900, "First.", channel=1)]
    assert [cue.text for cue in cues(both)] == ["First.", "Second."]


def test_without_times_there_are_no_subtitles():
    with pytest.raises(qk.ConfigError, match="no times") as caught:
        Transcript().srt()
    assert "submit" in caught.value.hint
    assert cues([Sentence(0, 0, "  ")]) == []


@pytest.mark.parametrize("names", [["Ada", "Ben"], {"0": "Ada"}])
def test_speakers_are_named_by_number(names):
    with pytest.raises(qk.ConfigError, match=r"names cannot be .*by number"):
        vtt([Sentence(0, 900, "Hello.", speaker=0)], names)


def test_a_transcript_is_saved_by_its_ending(tmp_path):
    heard = Transcript(sentences=[Sentence(0, 900, "早上好。")], body=b'{"transcripts": ["\xe6\x97\xa9"]}')
    assert heard.save(tmp_path / "a.srt").read_text("utf-8") == heard.srt()
    assert heard.save(str(tmp_path / "a.VTT")).read_text("utf-8") == heard.vtt()
    assert heard.save(tmp_path / "a.txt").read_text("utf-8") == "\n"
    assert "早" in heard.save(tmp_path / "a.json").read_text("utf-8")
    with pytest.raises(qk.ConfigError, match=r"a\.doc"):
        heard.save(tmp_path / "a.doc")
