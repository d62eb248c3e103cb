"""Transcripts through the client, both flavours: at once, streamed, as tasks; what is sent, booked and refused."""

from __future__ import annotations

import io
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from flavours import done, opened, pieces
from msgspec.structs import replace

import qwenkit as qk
from qwenkit.display import bundle
from qwenkit.types.transcript import FailedRecording, Transcript, Transcripts

DATA = Path(__file__).parents[2] / "data"
FERRY, MEETING = DATA / "ferry.wav", DATA / "meeting.wav"
CLIP = qk.Audio.open(FERRY)
SAID = "The ferry leaves at nine from the north pier."


@pytest.fixture
def one(client):
    """The blocking client, with more patience than for words: the ears learn their sentences when they first hear."""
    client._core.config = replace(client._core.config, timeout=120)
    return client


@pytest.fixture
def qwen(one, flavour):
    """The same in either flavour."""
    return one if flavour == "sync" else one.aio


def tone(seconds: float, rate: int = 16_000) -> qk.Audio:
    """Something with the rhythm of speech that is none."""
    at = np.arange(round(seconds * rate)) / rate
    wave = 0.3 * np.sin(2 * np.pi * 160 * at) * (np.sin(2 * np.pi * 4 * at) > -0.5)
    return qk.Audio(wave.astype("f4"), rate)


def m4a(sound: qk.Audio) -> bytes:
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=sound.rate_hz, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound.array[None], format="fltp", layout="mono")
        frame.rate = sound.rate_hz
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return made.getvalue()


@pytest.mark.parametrize("via", ["native", "chat"])
async def test_a_clip_becomes_words_at_once_and_piece_by_piece(qwen, via):
    heard = await done(qwen.transcribe(FERRY, via=via))
    assert isinstance(heard, Transcript)
    assert (heard.text, heard.language, heard.emotion) == (str(heard), "en", "neutral") == (SAID, "en", "neutral")
    assert heard.seconds == heard.usage.seconds >= heard.audio.duration > heard.seconds - 1
    assert heard.request_id
    (entry,) = qwen.usage
    assert (entry.family, entry.model) == ("transcribe", "qwen3-asr-flash")
    assert entry.cost.amount == pytest.approx(0.00022 * heard.usage.seconds)
    async with opened(qwen.transcribe.stream(FERRY, via=via)) as stream:
        said = [piece.text async for piece in pieces(stream)]
    assert "".join(said) == stream.reply.text == SAID
    assert len([text for text in said if text]) > 4
    assert (stream.reply.language, stream.reply.audio.name) == ("en", "ferry.wav")
    assert qwen.usage.cost["CNY"] == pytest.approx(2 * 0.00022 * stream.reply.usage.seconds)


@pytest.mark.parametrize(
    "given",
    [str(FERRY), FERRY.read_bytes(), CLIP.data_url(), CLIP.resampled(48_000)],
    ids=["path", "bytes", "data url", "array"],
)  # fmt: skip
async def test_whatever_holds_a_sound(one, given):
    assert one.transcribe(given).text == SAID


async def test_options_travel(one, box):
    heard = one.transcribe(FERRY, language="en", context="north pier", itn=True, extra={"brand_new": 1})
    sent = box.requests[-1].json
    assert sent["parameters"] == {"asr_options": {"language": "en", "enable_itn": True}, "brand_new": 1}
    assert sent["input"]["messages"][0] == {"role": "system", "content": [{"text": "north pier"}]}
    assert heard.language == "en"


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        ({"enable_itn": True}, "itn=True"),
        ({"speakers": 2}, r"submit\(recording, speakers=2\)"),
        ({"timestamps": 1}, "submit"),
    ],
)
async def test_what_another_call_does_leads_there(one, options, cure):
    with pytest.raises(qk.ConfigError, match=f"no option .*{cure}"):
        one.transcribe(FERRY, **options)


async def test_the_newer_models_tell_the_words(one, box):
    asked: dict[str, Any] = {"model": "fun-asr-flash-2026-06-15", "vocabulary": ["pier"], "context": "A harbour."}
    heard = one.transcribe(FERRY, **asked)
    assert heard.text == SAID
    assert [word.text for word in heard.words][:2] == ["The", "ferry"]
    sent = box.requests[-1].json
    assert sent["parameters"] == {"format": "wav", "vocabulary": {"pier": 4}}
    assert sent["input"]["messages"][0]["content"] == [{"type": "input_text", "text": "A harbour."}]
    with one.transcribe.stream(FERRY, **asked) as stream:
        assert "".join([piece.text for piece in stream]) == SAID


async def test_what_is_not_known_is_said_honestly(one):
    assert one.transcribe(tone(2)).text == "[unrecognised speech, 2.0 s]"
    silence = one.transcribe(qk.Audio(np.zeros(32_000, "f4"), 16_000))
    assert (silence.text, bundle(silence)["text/plain"].splitlines()[0]) == ("", "Nobody speaks in it.")


async def test_a_format_that_is_not_read_goes_as_16_khz_mono(one, box):
    memo = qk.Audio.of(m4a(CLIP))  # as telephones record
    heard = one.transcribe(memo)
    assert (heard.text, heard.audio, memo.format) == (SAID, memo, "m4a")
    assert "audio/flac" in box.requests[-1].body.decode()[:400]


async def test_what_cannot_be_asked_is_not_sent(one, box):
    before, hear = len(box.requests), one.transcribe
    for call, words in {
        lambda: hear("nowhere.wav"): "does not exist",
        lambda: hear([FERRY]): "one sound",
        lambda: hear(FERRY, lang="en"): "lang",
        lambda: hear.submit([]): "no recordings",
        lambda: hear.submit([FERRY] * 101): "100 recordings",
        lambda: hear(tone(300.1, 1000)): "lasts 300.1 s, and qwen3-asr-flash hears 300 s at most",
    }.items():
        with pytest.raises(qk.ConfigError, match=words):
            call()
    assert len(box.requests) == before
    for broken in (b"", b"RIFF" + bytes(100), b"no sound"):
        with pytest.raises((qk.ConfigError, qk.InvalidRequest)):
            hear(broken)


async def test_a_broken_stream_keeps_what_was_heard(one, box):
    box.fault("cut:5", path="generation")
    with one.transcribe.stream(FERRY) as stream, pytest.raises(qk.StreamBroken) as caught:
        stream.finish()
    assert SAID.startswith(caught.value.reply.text)


# -- tasks -------------------------------------------------------------------------------------------------------------


async def test_a_long_recording_is_uploaded_transcribed_and_fetched(qwen, box):
    task = await done(qwen.transcribe.submit(FERRY))
    assert (task.status, task.model, task.sources[0].name) == ("PENDING", "qwen3-asr-flash-filetrans", "ferry.wav")
    sent = box.requests[-1]
    assert sent.json["input"]["file_url"].startswith("oss://")
    assert sent.headers["x-dashscope-ossresourceresolve"] == "enable"
    assert (await done(qwen.transcribe.get(task))).status == "RUNNING"
    heard = await done(qwen.transcribe.wait(task))
    assert "authorization" not in box.requests[-1].headers
    assert isinstance(heard, Transcripts)
    (one,) = heard
    (sentence,) = one.sentences
    assert (one.text, one.language, sentence.text) == (SAID, "en", SAID)
    assert "".join(word.text + word.punctuation for word in sentence.words) == SAID
    assert 0 <= sentence.begin_ms < sentence.words[3].begin_ms < sentence.end_ms <= one.audio.duration * 1000 + 1
    assert one.cost.amount == pytest.approx(0.00022 * one.usage.seconds)
    (entry,) = qwen.usage
    assert (entry.family, entry.ok) == ("transcribe", True)
    for again in (await done(qwen.transcribe.wait(task.id)), await done(qwen.transcribe.get(task.id))):
        assert (again[0].text, again[0].audio) == (SAID, None)
        assert again[0].source.endswith("ferry.wav")


async def test_a_meeting_has_speakers_and_failures_stand_in_their_place(one):
    far = "https://files.example.test/far.wav"
    several = one.transcribe.wait(one.transcribe.submit([FERRY, far, MEETING], speakers=True))
    assert [type(each) for each in several] == [Transcript, FailedRecording, Transcript]
    assert (several.texts[0], several.texts[1], several[0].audio.name) == (SAID, None, "ferry.wav")
    (lost,) = several.failures
    assert (lost.source, lost.code) == ("far.wav", "InvalidFile.DownloadFailed")
    assert "public" in lost.hint
    assert several.task.metrics == {"TOTAL": 3, "SUCCEEDED": 2, "FAILED": 1}
    meeting = several[2]
    assert meeting.speakers == [0, 1]
    assert len(meeting.sentences) >= 4
    assert all(a.begin_ms < b.begin_ms for a, b in pairwise(meeting.sentences))
    assert meeting.srt().count(" --> ") >= len(meeting.sentences)
    assert "<v Speaker 2>" in meeting.vtt()
    assert "Speaker 2" in bundle(meeting)["text/plain"]
    assert bundle(meeting)["text/html"].count("<rect") >= len(meeting.sentences)
    with pytest.raises(qk.TaskFailed, match="FILE_DOWNLOAD_FAILED") as caught:
        one.transcribe.wait(one.transcribe.submit(far))
    assert caught.value.task.status == "FAILED"


async def test_words_are_hidden_and_unknown_options_travel(one, box):
    hidden = {"filter_with_signed": {"word_list": ["pier"]}}
    more = {"disfluency_removal_enabled": True}
    task = one.transcribe.submit([FERRY], model="paraformer-v2", word_filter=hidden, vocabulary="vocab-1", extra=more)
    told = {"special_word_filter": json.dumps(hidden), "vocabulary_id": "vocab-1", **more}
    assert box.requests[-1].json["parameters"] == told
    assert one.transcribe.wait(task)[0].text == SAID.replace("pier", "****")


async def test_a_transcript_that_is_gone_is_a_failure_in_its_place(one, box):
    task = one.transcribe.submit([FERRY, FERRY.read_bytes()], model="paraformer-v2")
    one.tasks.wait(task)
    box.fault("404", path="/results/", times=1)
    several = one.transcribe.wait(task)
    assert sorted(type(each).__name__ for each in several) == ["FailedRecording", "Transcript"]
    assert "24 hours" in several.failures[0].hint


async def test_a_task_that_made_something_else_says_so(one):
    words = {"url": "data:text/plain,the%20harbour"}
    path = "/services/embeddings/text-embedding/text-embedding"
    with pytest.raises(qk.ConfigError, match="transcribed nothing"):
        one.transcribe.wait(one.tasks.submit(path, model="text-embedding-async-v2", input=words))
