"""Reading transcripts: every shape of the sheets, and what no sheet names, becomes a value or a clear error."""

from __future__ import annotations

import io
import json
import os
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import soundfile

import qwenkit as qk
from qwenkit import catalogue
from qwenkit.protocol import transcribe, transcripts
from qwenkit.types.audio import Audio
from qwenkit.types.task import Task

NOTE = [{"type": "audio_info", "language": "en", "emotion": "neutral"}]
MESSAGE = {"role": "assistant", "annotations": NOTE, "content": [{"text": "Call back."}]}
BRIDGE = {"begin_time": 120, "end_time": 2740, "text": "The bridge is closed.", "sentence_id": 1, "speaker_id": 0}
WORDS = [{"begin_time": 120, "end_time": 380, "text": "The ", "punctuation": ""}]
FILE = {
    "file_url": "https://files.example.test/meeting.mp3?Expires=1",
    "properties": {"original_duration_in_milliseconds": 2950},
    "transcripts": [
        {"channel_id": 0, "text": BRIDGE["text"], "sentences": [{**BRIDGE, "words": WORDS}]},
        {
            "channel_id": 1,
            "text": "Oh.",
            "sentences": [{"begin_time": 50, "end_time": 90, "text": "Oh.", "words": None}],
        },
    ],
}


def native(output, usage=None):
    return json.dumps({"output": output, "usage": usage or {"seconds": 2}, "request_id": "r"}).encode()


def read(data, via="native"):
    return transcripts.read(data, model="m", via=via)


def test_a_native_answer():
    heard = read(native({"choices": [{"finish_reason": "stop", "message": MESSAGE}]}))
    assert (heard.text, heard.language, heard.emotion, heard.seconds) == ("Call back.", "en", "neutral", 2)
    assert heard.sentences == []
    assert heard.raw["request_id"] == "r"


@pytest.mark.parametrize("content", ["Call back.", [{"text": "Call "}, {"text": "back."}]])
def test_a_chat_answer(content):
    message = {"role": "assistant", "content": content, "annotations": NOTE}
    heard = read(json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode(), "chat")
    assert (heard.text, heard.language, heard.seconds) == ("Call back.", "en", None)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": []},
        {"role": "assistant", "content": [], "annotations": None},
        {"role": "assistant", "content": "", "annotations": [7, {"language": 3}]},
        {"content": [{"text": ""}], "annotations": {"language": "en"}},
    ],
)
def test_silence_and_odd_notes(message):
    heard = read(native({"choices": [{"message": message}]}))
    assert (heard.text, heard.language) == ("", "")


def test_a_typed_answer_has_a_sentence_with_words():
    word = {"begin_time": 310, "end_time": 700, "text": "Door", "punctuation": "", "fixed": True}
    sentence = {
        "sentence_id": 1,
        "sentence_end": True,
        "begin_time": 310,
        "end_time": 1450,
        "text": "Door.",
        "words": [word],
    }
    heard = read(native({"text": "Door.", "sentence": sentence}, {"duration": 2}))
    assert (heard.text, heard.seconds, [each.text for each in heard.words]) == ("Door.", 2, ["Door"])


def test_a_revised_stream_ends_with_its_last_text():
    fold = transcripts.NativeTranscriptFold(model="m", cumulative=True)
    for text, ended in (("Dough", False), ("Door op", False), ("Door open.", True)):
        fold.add(native({"text": text, "sentence": {"sentence_id": 1, "sentence_end": ended, "text": text}}))
        assert fold.ended is ended
        assert fold.reply().text == text
    assert [each.text for each in fold.reply().sentences] == ["Door open."]


def test_a_chat_stream_collects_text_and_notes():
    fold = transcripts.ChatTranscriptFold()
    for delta in ({"content": "", "role": "assistant"}, {"content": "Call", "role": None, "annotations": NOTE}, {}):
        fold.add(json.dumps({"choices": [{"delta": delta, "index": 0}], "usage": None}).encode())
    assert (fold.reply().text, fold.reply().emotion, fold.words()) == ("Call", "neutral", "Call")


def test_a_result_file_in_the_order_of_what_was_said():
    heard = transcripts.read_file(json.dumps(FILE).encode())
    assert heard.text == "The bridge is closed.\nOh."
    assert [(each.channel, each.speaker) for each in heard.sentences] == [(1, None), (0, 0)]
    assert (heard.seconds, heard.speakers, heard.words[0].text) == (2.95, [0], "The ")
    assert heard.source == "meeting.mp3"


@pytest.mark.parametrize("data", [b"", b"[]", b"<html>", b'{"transcripts": 7}', b"\xff\xfe"])
def test_a_file_that_is_none_is_the_service_s_fault(data):
    with pytest.raises(qk.ServerError, match="transcript"):
        transcripts.read_file(data)


def test_wrong_types_are_dropped():
    odd = {"transcripts": [7, {"sentences": [None, {"begin_time": "soon", "end_time": 3.7, "text": 5, "speaker_id": "a",
                                                    "words": [{"text": None}]}]}]}  # fmt: skip
    (sentence,) = transcripts.read_file(json.dumps(odd).encode()).sentences
    assert (sentence.begin_ms, sentence.end_ms, sentence.text, sentence.speaker) == (0, 3, "", None)


def test_rows_of_both_kinds_of_tasks():
    assert transcripts.rows(Task("t", output={"result": {"transcription_url": "u"}})) == [{"transcription_url": "u"}]
    failed = {"file_url": "https://x.test/a%20b.wav?x=1", "code": "FILE_403_FORBIDDEN", "message": "no"}
    (row,) = transcripts.rows(Task("t", output={"results": [failed, 7]}))
    lost = transcripts.unheard(row, None)
    assert (lost.source, lost.code) == ("a%20b.wav", "FILE_403_FORBIDDEN")
    assert "public" in lost.hint


@pytest.mark.parametrize(
    ("recordings", "options", "region", "told"),
    [
        (1, {}, "beijing", ("qwen3-asr-flash-filetrans", "file_url")),
        (2, {}, "beijing", ("paraformer-v2", "file_urls")),
        (1, {"speakers": True}, "singapore", ("fun-asr", "file_urls")),
        (1, {"vocabulary": "vocab-1"}, "", ("paraformer-v2", "file_urls")),
        (1, {"word_filter": {}, "speakers": False}, "", ("qwen3-asr-flash-filetrans", "file_url")),
    ],
)
def test_the_model_of_a_task_follows_from_what_is_asked_for(recordings, options, region, told):
    body = transcribe.task_body(["u"] * recordings, region, **options)
    assert (body["model"], next(iter(body["input"]))) == told


def test_options_of_tasks_are_spelled_as_their_models_want():
    hidden = {"filter_with_signed": {"word_list": ["骂"]}}
    many = transcribe.task_body(["u"], model="paraformer-v2", word_filter=hidden, channels=0, speakers=3, language="zh")
    assert many["parameters"] == {
        "channel_id": [0],
        "language_hints": ["zh"],
        "special_word_filter": '{"filter_with_signed": {"word_list": ["骂"]}}',
        "diarization_enabled": True,
        "speaker_count": 3,
    }
    one = transcribe.task_body(["u"], words=False, context="Ilse", itn=False)
    assert one["parameters"] == {"corpus": {"text": "Ilse"}, "enable_itn": False}


def lasting(seconds: int) -> Audio:
    """A recording whose header says so."""
    made = io.BytesIO()
    soundfile.write(made, np.zeros(4000), 4000, format="FLAC")
    content = bytearray(made.getvalue())
    content[22:26] = (4000 * seconds).to_bytes(4, "big")  # of STREAMINFO, how many samples
    return Audio.of(bytes(content))


LONG, FLASH = 12 * 3600, "qwen3-asr-flash"
FAR = Audio.of("https://x.test/a.wav")


def at_once(model: str = FLASH, **options: Any) -> Any:
    return transcribe.body(FAR, model, transcribe.heard_by(model), via="native", **options)


def task(recordings: int = 1, **options: Any) -> Any:
    return transcribe.task_body([FAR] * recordings, **options)


REFUSED = {
    "takes long recordings": lambda: transcribe.heard_by("paraformer-v2"),
    "does not transcribe": lambda: transcribe.heard_by("qwen-plus"),
    "via cannot be": lambda: transcribe.place(catalogue.model(FLASH), "http"),
    "natively only": lambda: transcribe.place(catalogue.model("fun-asr-flash"), "chat"),
    "fun-asr-flash has no option itn": lambda: at_once("fun-asr-flash", itn=True),
    "vocabulary cannot be 7": lambda: at_once("fun-asr-flash", vocabulary=7),
    "takes no vocabulary": lambda: at_once(vocabulary=["x"]),
    "flash is told one language": lambda: at_once(language=["en", "zh"]),
    "language cannot be 7": lambda: at_once(language=7),
    "not know the language 'Englsh' → did you mean 'English'": lambda: at_once(language="Englsh"),
    "not know the language 'Klingon' → it knows Chinese": lambda: task(language="Klingon"),
    "is no sound": lambda: transcribe.task_body([Audio.of(b"junk")]),
    "context cannot be": lambda: at_once(context=["Ilse"]),
    "extra cannot be": lambda: at_once(extra=7),
    "1 recording in a task, not 2": lambda: task(2, model="qwen3-asr-flash-filetrans"),
    "100 recordings in a task, not 101": lambda: task(101),
    "takes no tasks": lambda: task(model=FLASH),
    "filetrans has no option speakers": lambda: task(model="qwen3-asr-flash-filetrans", speakers=True),
    "paraformer-v2 has no option itn": lambda: task(model="paraformer-v2", itn=False),
    "paraformer-v2 has no option context": lambda: task(2, context="Ilse"),
    "speakers cannot be 1": lambda: task(speakers=1),
    "speakers cannot be 101": lambda: task(speakers=101),
    "channels cannot be": lambda: task(channels="left"),
    "word_filter cannot be": lambda: task(word_filter={"a": {1}}),
    "filetrans is told one language": lambda: task(language=["en", "zh"]),
    "may last 43,200 s": lambda: transcribe.task_body([lasting(LONG + 1)]),
    "aiff is not read": lambda: transcribe.task_body([Audio.of(b"FORM" + bytes(4) + b"AIFF" + bytes(8))]),
}  # fmt: skip


def test_languages_go_by_code_and_by_name():
    for given, code in {"English": "en", "EN": "en", " chinese ": "zh"}.items():
        assert at_once(language=given)["parameters"]["asr_options"] == {"language": code}
    assert not at_once(language="auto")["parameters"]
    assert task(2, language=["English", "nl"])["parameters"]["language_hints"] == ["en", "nl"]


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_asked_is_not(words):
    with pytest.raises(qk.ConfigError, match=words) as caught:
        REFUSED[words]()
    assert caught.value.hint


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.0, ""), (0.99, "0.99 s, and .* 1 s"), (300, ""), (300.01, "300.01 s")]
)
def test_a_sound_lasts_from_one_second_to_five_minutes(seconds, words):
    sound, flash = Audio(np.zeros(round(seconds * 2000), "f4"), 2000), transcribe.heard_by(FLASH)
    with pytest.raises(qk.ConfigError, match=words) if words else nullcontext():
        assert transcribe.fitted(sound, FLASH, flash) is sound


def test_what_is_too_large_goes_as_16_khz_mono():
    large = Audio(np.zeros((48_000 * 14, 6), "f4"), 48_000)  # 8 MB, as Base64 more than 10
    small = transcribe.fitted(large, FLASH, transcribe.heard_by(FLASH))
    assert (small.format, small.rate_hz, small.channels, small.duration) == ("flac", 16_000, 1, 14.0)


def test_what_just_fits_is_asked():
    assert len(task(100)["input"]["file_urls"]) == 100
    assert task(speakers=100)["parameters"]["speaker_count"] == 100
    assert transcribe.task_body([lasting(LONG)])["model"] == "qwen3-asr-flash-filetrans"


def test_a_recording_has_two_gigabytes_at_most(tmp_path):
    path, most = tmp_path / "long.flac", 2048 * 2**20
    path.write_bytes(lasting(LONG).bytes)
    os.truncate(path, most)  # sparse: none of it is on the disk
    assert transcribe.task_body([Audio.open(path)])["model"]
    os.truncate(path, most + 1)
    with pytest.raises(qk.ConfigError, match="may have 2,147,483,648"):
        transcribe.task_body([Audio.open(path)])
