"""Recognition as the official `dashscope` SDK asks for it: at once, streamed, from a file of this machine, as tasks."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from dashscope.audio.asr import Transcription
from dashscope.audio.qwen_asr import QwenTranscription

from qwenkit.sandbox.results import Results

DATA = Path(__file__).parents[2] / "data"
FERRY = DATA / "ferry.wav"
SAID = "The ferry leaves at nine from the north pier."
MODEL = "qwen3-asr-flash"
FILES = "qwen3-asr-flash-filetrans"
pytestmark = pytest.mark.usefixtures("ferry")


def heard(sound: str, names: str = "") -> list[dict[str, Any]]:
    system = [{"role": "system", "content": [{"text": names}]}] if names else []
    return [*system, {"role": "user", "content": [{"audio": sound}]}]


def text(response: Any) -> str:
    assert response.status_code == 200, response
    return "".join(part["text"] for part in response.output.choices[0].message.content)


def told(url: str) -> Any:
    with urllib.request.urlopen(url) as opened:
        return json.load(opened)


# -- at once -----------------------------------------------------------------------------------------------------------


def test_a_sound_becomes_words(dash, ferry):
    response = dash.MultiModalConversation.call(model=MODEL, messages=heard(ferry), result_format="message")
    assert text(response) == SAID
    assert response.output.choices[0].message["annotations"][0]["language"] == "en"
    assert response.usage["seconds"] >= 2


def test_a_file_of_this_machine_is_uploaded_by_the_sdk(dash, box):
    response = dash.MultiModalConversation.call(model=MODEL, messages=heard(f"file://{FERRY}"))
    assert text(response) == SAID
    assert box.requests[-1].headers["x-dashscope-ossresourceresolve"] == "enable"


def test_options_of_recognition(dash, ferry):
    names = heard(ferry, "The north pier, Kestrel GmbH")
    for options in ({"language": "en"}, {"language": "en", "enable_itn": True}, {"enable_lid": True}):
        response = dash.MultiModalConversation.call(model=MODEL, messages=names, asr_options=options)
        assert text(response) == SAID


@pytest.mark.parametrize("incremental", [True, False])
def test_streams_of_both_kinds(dash, ferry, incremental):
    asked = {"model": MODEL, "messages": heard(ferry), "stream": True, "incremental_output": incremental}
    responses = list(dash.MultiModalConversation.call(**asked))
    texts = [text(each) for each in responses]
    assert ("".join(texts) if incremental else texts[-1]) == SAID
    assert len(texts) > 3
    assert responses[-1].output.choices[0].finish_reason == "stop"


async def test_awaited(dash, ferry):
    response = await dash.AioMultiModalConversation.call(model=MODEL, messages=heard(ferry))
    assert text(response) == SAID


ERRORS: list[tuple[Any, dict[str, Any], str]] = [
    (heard("data:audio/wav;base64,UklGRg=="), {}, "The audio format is illegal and cannot be opened."),
    (heard("https://example.com/a.wav"), {}, "outside this machine"),
    ([{"role": "user", "content": [{"text": "Hi"}]}], {}, "should be a message of a certain modal."),
    (None, {"language": "klingon"}, "parameters.asr_options.language"),
]


def test_errors(dash, ferry):
    for messages, options, words in ERRORS:
        response = dash.MultiModalConversation.call(model=MODEL, messages=messages or heard(ferry), asr_options=options)
        assert response.status_code == 400
        assert words in response.message


# -- as tasks ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(box: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recording by an http address, which is what the SDK's task calls take; and an SDK that polls in a hurry."""
    service, sleep = box._service, time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))
    path = service.shelf(Results).keep("ferry", "ferry.wav", FERRY.read_bytes(), "audio/wav", service.clock())
    return f"{box.url}{path}"


def test_a_task_is_awaited_in_one_call(dash, shared):
    response = Transcription.call(model="paraformer-v2", file_urls=[shared], language_hints=["en"])
    assert (response.status_code, response.output.task_status) == (200, "SUCCEEDED")
    (result,) = response.output["results"]
    written = told(result["transcription_url"])
    assert written["transcripts"][0]["text"] == SAID
    assert response.usage["duration"] >= 2


def test_a_task_is_submitted_fetched_and_awaited(dash, shared):
    asked = {"diarization_enabled": True, "speaker_count": 2, "channel_id": [0], "disfluency_removal_enabled": True}
    task = Transcription.async_call(model="fun-asr", file_urls=[shared], **asked)
    assert task.output.task_status == "PENDING"
    assert Transcription.fetch(task).output.task_status == "RUNNING"
    done = Transcription.wait(task.output.task_id).output
    (sentence,) = told(done["results"][0]["transcription_url"])["transcripts"][0]["sentences"]
    assert (sentence["sentence_id"], sentence["speaker_id"], sentence["words"][0]["text"]) == (1, 0, "The ")
    assert sentence["words"][0]["end_time"] <= sentence["words"][1]["begin_time"] + 1


def test_what_fails_stands_in_its_place(dash, shared, box):
    urls = ["https://files.example.test/missing.wav", shared]
    output = Transcription.call(model="paraformer-v2", file_urls=urls).output
    assert [row["subtask_status"] for row in output["results"]] == ["FAILED", "SUCCEEDED"]
    assert output["task_metrics"] == {"TOTAL": 2, "SUCCEEDED": 1, "FAILED": 1}
    failed = Transcription.call(model="paraformer-v2", file_urls=urls[:1]).output
    assert (failed.task_status, failed["code"]) == ("FAILED", "InvalidFile.DownloadFailed")


def test_the_class_for_one_recording(dash, shared):
    task = QwenTranscription.async_call(model=FILES, file_url=shared, enable_words=True, language="en")
    done = QwenTranscription.wait(task)
    assert (done.output.task_status, done.usage["seconds"] >= 2) == ("SUCCEEDED", True)
    (sentence,) = told(done.output["result"]["transcription_url"])["transcripts"][0]["sentences"]
    assert (sentence["sentence_id"], sentence["text"]) == (0, SAID)
    assert "".join(word["text"] + word["punctuation"] for word in sentence["words"]) == SAID


def test_a_task_without_recordings(dash):
    response = Transcription.async_call(model="paraformer-v2", file_urls=[])
    assert (response.status_code, response.code) == (400, "InvalidParameter")
    assert response.message == "input must contain file_urls"


# The newer surface of the same SDK.


PREVIEW = pytest.mark.filterwarnings("ignore:dashscope 2.0 audio API is a preview:FutureWarning")


@PREVIEW
def test_the_newer_client_transcribes(newer, shared):
    job = newer.audio.asr.transcribe([shared], poll_interval=0.01)
    assert job.succeeded
    assert told(job.results[0].transcription_url)["transcripts"][0]["text"] == SAID
    job = newer.audio.asr.jobs.create(model="paraformer-v2", file_urls=[shared], parameters={"language_hints": ["en"]})
    assert newer.audio.asr.jobs.fetch(job.task_id).status == "RUNNING"
    assert newer.audio.asr.jobs.wait(job.task_id, poll_interval=0.01).usage.duration >= 2


@PREVIEW
def test_the_newer_client_raises_when_nothing_succeeds(newer):
    with pytest.raises(Exception, match=r"cannot be downloaded|DownloadFailed"):
        newer.audio.asr.transcribe(["https://files.example.test/a.wav"], poll_interval=0.01)


def test_the_newer_client_hears_a_message(newer, ferry):
    answer = newer.multimodal.chat.create(model=MODEL, messages=heard(ferry))
    assert SAID in str(answer.choices[0].message.content)
