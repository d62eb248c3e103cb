"""Recognition on the wire: its shapes whole and streamed, every limit from both sides, tasks and their files.

What is heard is told here, so that the wire can be looked at; that the ears hear is tested elsewhere.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from threading import Thread
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from bare_sandbox import bare

from qwenkit.sandbox import Sandbox, hearing
from qwenkit.sandbox.ears import Heard, HeardSentence, Undecodable
from qwenkit.sandbox.itn import written

NATIVE = "/api/v1/services/aigc/multimodal-generation/generation"
CHAT = "/compatible-mode/v1/chat/completions"
TASKS = "/api/v1/services/audio/asr/transcription"
SSE, ASYNC = {"X-DashScope-SSE": "enable"}, {"X-DashScope-Async": "enable"}
NOWHERE = "InvalidFile.DownloadFailed"
FLASH, TYPED, FILES = "qwen3-asr-flash", "fun-asr-flash-2026-06-15", "qwen3-asr-flash-filetrans"
NOTE = [{"type": "audio_info", "language": "en", "emotion": "happy"}]

WORDS = (("Good", 40, 610), ("morning.", 650, 1310))
TALK = (
    HeardSentence(40, 1310, "Good morning.", WORDS, "Cherry", "en", "happy"),
    HeardSentence(1500, 2900, "Twenty three boats, darling.", (), "Ethan", "en", "neutral"),
    HeardSentence(3000, 3900, "Good.", (), "Cherry", "en", "happy"),
)


def wav(seconds: float = 4.0, rate: int = 8000, channels: int = 1, kind: str = "WAV", loud: float = 0.1) -> bytes:
    made = io.BytesIO()
    wave = loud * np.sin(np.arange(round(seconds * rate)) / 3)
    soundfile.write(made, np.repeat(wave[:, None], channels, 1), rate, format=kind)
    return made.getvalue()


def uri(content: bytes) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(content).decode()}"


SOUND = uri(wav())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of files on this machine, as anybody's web server would be for the service."""
    folder = tmp_path_factory.mktemp("files")
    silent, both = wav(loud=0.0), wav(channels=2)
    for name, content in {"a": wav(), "both": both, "silence": silent, "text": b"no sound at all"}.items():
        (folder / f"{name}.wav").write_bytes(content)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def say(sandbox: Sandbox) -> Iterator[Any]:
    with bare(sandbox, timeout=30, verify=False) as client:
        yield lambda path, body, **more: client.post(path, json=body, headers=more)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Decides what every sound says from now on."""

    def tell(sentences: Any = TALK, seconds: float = 4.0, segments: Any = ()) -> None:
        async def hear(service: Any, content: Any) -> Heard:
            if isinstance(content, bytes) and content.startswith(b"no sound"):
                raise Undecodable
            return Heard(seconds, 8000, 1, "wav", -20.0, 150.0, tuple(segments), "", "en", "happy", tuple(sentences))

        monkeypatch.setattr(hearing, "hear", hear)

    return tell


def native(sound: Any, model: str = FLASH, **parameters: Any) -> dict[str, Any]:
    part = {"audio": sound} if model == FLASH else {"type": "input_audio", "input_audio": {"data": sound}}
    return {"model": model, "input": {"messages": [{"role": "user", "content": [part]}]}, "parameters": parameters}


def chat(sound: Any, **more: Any) -> dict[str, Any]:
    part = {"type": "input_audio", "input_audio": {"data": sound}}
    return {"model": FLASH, "messages": [{"role": "user", "content": [part]}], **more}


def frames(text: str) -> list[Any]:
    return [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:") and "[DONE]" not in line]


def refused(answer: httpx.Response) -> str:
    assert answer.status_code == 400
    body = answer.json()
    return body.get("message") or body["error"]["message"]


# -- shapes ------------------------------------------------------------------------------------------------------------


def test_a_native_answer(say, told):
    told(TALK[:1], 1.4)
    body = say(NATIVE, native(SOUND)).json()
    message = {"role": "assistant", "annotations": NOTE, "content": [{"text": "Good morning."}]}
    assert body["output"] == {"choices": [{"finish_reason": "stop", "message": message}]}
    spent = {"input_tokens_details": {"text_tokens": 0}, "output_tokens_details": {"text_tokens": 3}, "seconds": 2}
    assert body["usage"] == spent


def test_a_chat_answer_and_its_bill(say, told):
    told(TALK[:1], 1.4)
    body = say(CHAT, chat(SOUND)).json()
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "Good morning.", "annotations": NOTE}
    assert (body["object"], body["id"][:9], choice["finish_reason"]) == ("chat.completion", "chatcmpl-", "stop")
    assert body["usage"] == {
        "prompt_tokens": 50, "completion_tokens": 3, "total_tokens": 53, "seconds": 2,
        "prompt_tokens_details": {"audio_tokens": 50, "text_tokens": 0},
        "completion_tokens_details": {"text_tokens": 3},
    }  # fmt: skip


def choices(frames: list[Any]) -> list[Any]:
    return [each["output"]["choices"][0] for each in frames]


def words(choice: Any) -> str:
    return "".join(part["text"] for part in choice["message"]["content"])


def test_native_frames_repeat_or_bring_what_is_new(say, told):
    told()
    whole, news = (
        choices(frames(say(NATIVE, native(SOUND, **how), **SSE).text)) for how in ({}, {"incremental_output": True})
    )
    texts = [words(each) for each in whole]
    assert texts[-1] == hearing.joined([each.text for each in TALK]) == "".join(words(each) for each in news)
    assert all(after.startswith(before) for before, after in pairwise(texts))
    assert [each["finish_reason"] for each in news[-2:]] == ["null", "stop"]
    assert all(each["message"]["annotations"] == NOTE for each in news)


def test_chat_chunks(say, told):
    told(TALK[:1])
    answer = say(CHAT, chat(SOUND, stream=True, stream_options={"include_usage": True}))
    assert answer.text.endswith("data: [DONE]\n\n")
    chunks = frames(answer.text)
    deltas = [each["choices"][0]["delta"] for each in chunks if each["choices"]]
    assert deltas[0] == {"content": "", "role": "assistant"}
    assert deltas[1] == {"content": "Good", "role": None, "annotations": NOTE}
    assert deltas[-1] == {"role": None}
    assert chunks[-1]["usage"]["seconds"] == 4
    assert all(each["usage"] is None for each in chunks[:-1])


def test_a_typed_answer(say, told):
    told(TALK[:1], 1.4)
    body = say(NATIVE, native(SOUND, TYPED, format="wav", sample_rate="8000")).json()
    sentence = body["output"].pop("sentence")
    assert body["output"] == {"text": "Good morning."}
    assert (sentence["begin_time"], sentence["end_time"], sentence["sentence_end"]) == (40, 1310, True)
    assert sentence["words"][0] == {"begin_time": 40, "end_time": 610, "text": "Good", "punctuation": "", "fixed": True}
    assert body["usage"] == {"duration": 2}


@pytest.mark.parametrize(("seconds", "count"), [(59.9, 1), (60.0, 3)])
def test_a_typed_stream_has_frames_from_a_minute_on(seconds, count, say, told):
    told(TALK, seconds)
    answered = frames(say(NATIVE, native(SOUND, TYPED, format="wav"), **SSE).text)
    assert len(answered) == count
    assert ["usage" in each for each in answered] == [False] * (count - 1) + [True]
    assert answered[-1]["output"]["text"].endswith("Good.")


def test_silence_says_nothing_and_unknown_speech_says_so(say, told):
    told(())
    (silent,) = choices([say(NATIVE, native(SOUND)).json()])
    assert silent["message"]["content"] == []
    told(TALK[:1], segments=[(40, 1310), (2000, 3500)])
    (heard,) = choices([say(NATIVE, native(SOUND)).json()])
    assert words(heard) == "Good morning. [unrecognised speech, 1.5 s]"


def test_options_are_obeyed(say, told):
    told()
    asked = {"asr_options": {"language": "de", "enable_itn": True, "enable_lid": True}}
    (german,) = choices([say(NATIVE, native(SOUND, **asked)).json()])
    assert german["message"]["annotations"][0]["language"] == "de"
    assert "Twenty three" in words(german)  # figures are for English and Chinese only
    (english,) = choices([say(NATIVE, native(SOUND, asr_options={"enable_itn": True})).json()])
    assert "23 boats" in words(english)
    chatted = say(CHAT, chat(SOUND, asr_options={"enable_itn": True})).json()
    assert "23 boats" in chatted["choices"][0]["message"]["content"]


FIGURES = {
    "twenty three boats": "23 boats",
    "A hundred and five years": "105 years",
    "two thousand twenty-six": "2026",
    "one of them, nine at most": "one of them, nine at most",
    "nine nine one": "nine nine one",
    "二十三条船": "23条船",
    "三万五千零四": "35004",
    "二零二六年": "2026年",
    "我们一起去": "我们一起去",
    "一亿两千万": "120000000",
    "万一三四个人来": "万一三四个人来",
    "一" + "亿" * 900: "一" + "亿" * 900,
    "hundred " * 3000: "hundred " * 3000,
}


def test_numbers_as_they_are_written():
    assert {said: written(said) for said in FIGURES} == FIGURES


# -- what is refused ---------------------------------------------------------------------------------------------------

AUDIO = {"audio": "data:audio/wav;base64,AAAA"}
USER = {"role": "user", "content": [AUDIO]}
WRONG: dict[str, tuple[Any, str]] = {
    "no messages": (None, "Required parameter(messages)"),
    "nobody asks": ([{"role": "system", "content": [{"text": "x"}]}], "role of user"),
    "two sounds": ([{"role": "user", "content": [AUDIO, AUDIO]}], "exactly one audio"),
    "two turns": ([USER, USER], "exactly one audio"),
    "words beside it": ([{"role": "user", "content": [AUDIO, {"text": "what?"}]}], "certain modal"),
    "no sound": ([{"role": "user", "content": [{"text": "what?"}]}], "certain modal"),
    "a text": ([{"role": "user", "content": "what?"}], "certain modal"),
    "a late system message": ([USER, {"role": "system", "content": [{"text": "x"}]}], "goes first"),
    "a path": ([{"role": "user", "content": [{"audio": "/tmp/a.wav"}]}], "does not appear to be valid"),
    "no text at all": ([{"role": "user", "content": [{"audio": 7}]}], "does not appear to be valid"),
}


def test_messages_that_are_refused(say):
    for name, (messages, words) in WRONG.items():
        assert words in refused(say(NATIVE, {"model": FLASH, "input": {"messages": messages}})), name


def test_a_context_is_accepted_in_either_form(say, told):
    told()
    for context in ([{"text": ""}], [{"text": "Names: Ilse"}], "Names: Ilse"):
        body = chat(SOUND)
        body["messages"][:0] = [{"role": "system", "content": context}]
        assert say(CHAT, body).status_code == 200


LENGTH = "Audio length must be between 1s and 300s."


LENGTHS: list[tuple[bytes, str]] = [
    (wav(0.99), LENGTH),
    (wav(1.0), ""),
    (wav(300.0, rate=2000), ""),
    (wav(300.01, rate=2000), LENGTH),
    (b"", "The audio is empty"),
    (b"RIFF" + bytes(200), "cannot be opened"),
    (wav()[:20], "cannot be opened"),
    (wav(kind="FLAC"), ""),
]


def test_every_limit_of_a_sound_from_both_sides(say, told):
    told()
    for sound, words in LENGTHS:
        for answer in (say(NATIVE, native(uri(sound))), say(CHAT, chat(uri(sound)))):
            assert words in refused(answer) if words else answer.status_code == 200


def test_the_most_bytes_from_both_sides(say, told):
    told()
    most = 10 * 2**20
    fitting = wav(10.0, rate=8000)
    head = "data:audio/wav;base64,"
    room = (most - len(head)) // 4 * 3
    inside = f"{head}{base64.b64encode(fitting + bytes(room - len(fitting))).decode()}"
    assert len(inside) <= most
    assert say(NATIVE, native(inside)).status_code == 200
    assert str(most) in refused(say(NATIVE, native(inside + "A" * (most + 1 - len(inside)))))


PARAMETERS: list[tuple[str, dict[str, Any], str]] = [
    (FLASH, {"asr_options": {"language": "xx"}}, "Input should be 'zh', 'yue', 'en'"),
    (FLASH, {"asr_options": {"enable_itn": "yes"}}, "must be Boolean"),
    (FLASH, {"asr_options": []}, ""),
    (FLASH, {"asr_options": 7}, "valid dictionary"),
    (TYPED, {}, "Required parameter(format)"),
    (TYPED, {"format": "wav", "language_hints": ["en"]}, ""),
    (TYPED, {"format": "wav", "language_hints": ["en", "zh"]}, "at most 1 languages"),
    ("qwen-audio-3.1-asr-flash", {"format": "wav", "language_hints": ["en", "zh", "de", "fr"]}, ""),
    (TYPED, {"format": "wav", "vocabulary": {"Kestrel": 50}}, ""),
    (TYPED, {"format": "wav", "vocabulary": {"Kestrel": 6}}, "weights"),
]


def test_parameters_from_both_sides(say, told):
    told()
    for model, parameters, words in PARAMETERS:
        answer = say(NATIVE, native(SOUND, model, **parameters))
        assert words in refused(answer) if words else answer.status_code == 200, (model, parameters)


def test_the_context_of_the_newer_models(say, told):
    told()
    for turns, letters, good in ((5, 400, True), (6, 1, False), (1, 401, False)):
        body = native(SOUND, TYPED, format="wav")
        before = [{"role": "user", "content": [{"type": "input_text", "text": "x" * letters}]}] * turns
        body["input"]["messages"][:0] = before
        assert (say(NATIVE, body).status_code == 200) is good


# -- tasks -------------------------------------------------------------------------------------------------------------


def task(say: Any, model: str, given: Any, **parameters: Any) -> dict[str, Any]:
    """A task's last look, by POST as one page has it."""
    body = {"model": model, "input": given, "parameters": parameters}
    id = say(TASKS, body, **ASYNC).json()["output"]["task_id"]
    looks = [say(f"/api/v1/tasks/{id}", {}).json() for _ in range(2)]
    assert looks[0]["output"]["task_status"] == "RUNNING"
    return looks[1]


def file(url: str) -> Any:
    return httpx.get(url, trust_env=False, verify=False).json()


def test_a_task_of_one_recording(say, told, files):
    told()
    done = task(say, FILES, {"file_url": f"{files}/a.wav"}, enable_words=True, enable_itn=True)
    assert (done["output"]["task_status"], done["usage"]) == ("SUCCEEDED", {"seconds": 4})
    written = file(done["output"]["result"]["transcription_url"])
    assert written["audio_info"] == {"format": "wav", "sample_rate": 8000}
    first, second, _ = written["transcripts"][0]["sentences"]
    assert (first["sentence_id"], first["emotion"], first["language"]) == (0, "happy", "en")
    assert [word["text"] for word in first["words"]] == ["Good", " morning"]
    assert first["words"][1]["punctuation"] == "."
    assert second["text"] == "23 boats, darling."
    assert "speaker_id" not in first


def test_a_task_of_many_recordings_where_one_is_missing(say, told, files):
    told()
    urls = [f"{files}/{name}" for name in ("a.wav", "missing.wav", "text.wav")]
    hidden = {"filter_with_signed": {"word_list": ["boats"]}, "filter_with_empty": {"word_list": [", darling"]}}
    hidden["system_reserved_filter"] = True
    asked = {"diarization_enabled": True, "speaker_count": 2, "special_word_filter": json.dumps(hidden)}
    done = task(say, "paraformer-v2", {"file_urls": urls}, **asked, disfluency_removal_enabled=True)
    output = done["output"]
    assert (output["task_status"], output["task_metrics"]) == ("SUCCEEDED", {"TOTAL": 3, "SUCCEEDED": 1, "FAILED": 2})
    assert [row.get("code") for row in output["results"]] == [None, NOWHERE, "InvalidFile.Openerror"]
    assert done["usage"] == {"duration": 4}
    written = file(output["results"][0]["transcription_url"])
    assert written["properties"]["original_duration_in_milliseconds"] == 4000
    told = written["transcripts"][0]["sentences"]
    assert [(row["sentence_id"], row["speaker_id"]) for row in told] == [(1, 0), (2, 1), (3, 0)]
    assert told[1]["text"] == "Twenty three *****."
    assert [word["text"] for word in told[0]["words"]] == ["Good ", "morning"]


def test_each_channel_is_read_and_billed(say, told, files):
    told()
    for model, usage in ((FILES, {"seconds": 8}), ("paraformer-v2", {"duration": 8})):
        url = f"{files}/both.wav"
        given = {"file_url": url} if model == FILES else {"file_urls": [url]}
        done = task(say, model, given, channel_id=[0, 1, 7])
        assert done["usage"] == usage
        result = done["output"].get("result") or done["output"]["results"][0]
        assert [each["channel_id"] for each in file(result["transcription_url"])["transcripts"]] == [0, 1]


LENGTH_OF_ALL = 12 * 3600


@pytest.mark.parametrize(
    ("name", "seconds", "code", "native"),
    [
        ("missing.wav", 4, NOWHERE, "FILE_DOWNLOAD_FAILED"),
        ("silence.wav", 4, "SUCCESS_WITH_NO_VALID_FRAGMENT", "SUCCESS_WITH_NO_VALID_FRAGMENT"),
        ("data:audio/wav;base64,AAAA", 4, NOWHERE, "REQUEST_INVALID_FILE_URL_VALUE"),
        ("https://example.com/a.wav", 4, NOWHERE, "FILE_DOWNLOAD_FAILED"),
        ("a.wav", LENGTH_OF_ALL + 1, "InvalidFile.Duration", "AUDIO_DURATION_TOO_LONG"),
        ("text.wav", 4, "InvalidFile.Openerror", "DECODE_ERROR"),
    ],
)
def test_a_task_of_which_nothing_succeeds_has_failed(name, seconds, code, native, say, told, files):
    told(() if name == "silence.wav" else TALK, seconds)
    url = name if ":" in name else f"{files}/{name}"
    one = task(say, FILES, {"file_url": url})["output"]
    assert (one["task_status"], one["code"], one["message"]) == ("FAILED", native, native)
    assert "result" not in one
    many = task(say, "fun-asr", {"file_urls": [url, url]})["output"]
    assert (many["task_status"], many["code"]) == ("FAILED", code)
    assert (many["task_metrics"]["FAILED"], [row["subtask_status"] for row in many["results"]]) == (2, ["FAILED"] * 2)


def test_twelve_hours_are_transcribed_and_billed(say, told, files):
    told(TALK, LENGTH_OF_ALL)
    done = task(say, FILES, {"file_url": f"{files}/a.wav"})
    assert (done["output"]["task_status"], done["usage"]) == ("SUCCEEDED", {"seconds": LENGTH_OF_ALL})


FAR = "https://x.test/a"
URLS = {"file_urls": [FAR]}
MANY = "paraformer-v2"
TAKEN: list[tuple[str, Any, dict[str, Any], str]] = [
    (MANY, {}, {}, "input must contain file_urls"),
    (MANY, {"file_url": FAR}, {}, "input must contain file_urls"),
    (FILES, URLS, {}, "input must contain file_url"),
    (MANY, {"file_urls": [FAR] * 101}, {}, "[1, 100]"),
    (MANY, {"file_urls": [FAR] * 100}, {}, ""),
    *((MANY, URLS, {"speaker_count": count}, "[2, 100]") for count in (1, 101)),
    *((MANY, URLS, {"speaker_count": count}, "") for count in (2, 100)),
    (MANY, URLS, {"channel_id": 0}, "channel_id"),
    (MANY, URLS, {"special_word_filter": "{"}, "JSON"),
    ("nope", URLS, {}, "Model not exist."),
    (FLASH, URLS, {}, "url error"),
]


def test_what_is_a_task_and_what_is_none(say):
    for model, given, parameters, words in TAKEN:
        answer = say(TASKS, {"model": model, "input": given, "parameters": parameters}, **ASYNC)
        assert words in refused(answer) if words else answer.status_code == 200, (model, parameters)


def test_tasks_are_asynchronous_only_and_the_rest_is_not(say):
    answer = say(TASKS, {"model": "paraformer-v2", "input": {"file_urls": ["https://x.test/a"]}})
    assert answer.status_code == 403
    assert answer.json()["message"] == "current user api does not support synchronous calls."
    answer = say(NATIVE, native("https://x.test/a"), **ASYNC)
    assert (answer.status_code, answer.json()["code"]) == (403, "AccessDenied")
    assert "url error" in refused(say(NATIVE, native("https://x.test/a", "paraformer-v2")))
