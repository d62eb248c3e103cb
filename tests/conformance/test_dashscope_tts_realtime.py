"""Text spoken over a socket, as the official `dashscope` SDK asks for it through `QwenTtsRealtime`."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile
from dashscope.audio.qwen_tts_realtime import AudioFormat, QwenTtsRealtime, qwen_tts_realtime
from goodbye import hang_up
from talking import Heard, Talk, base64_of, kinds, pcm

from qwenkit.sandbox import Sandbox

MODEL = "qwen3-tts-flash-realtime"
FERRY = "The ferry leaves at nine. "
RESPONSE = [
    "input_text_buffer.committed",
    "response.created",
    "response.output_item.added",
    "response.content_part.added",
    "response.audio.delta",
    "response.audio.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.done",
]


class Typist(Talk):
    """One session: the SDK's synthesizer, and what came of it."""

    def __init__(self, box: Sandbox, model: str) -> None:
        Heard.__init__(self)
        url = f"ws{box.url.removeprefix('http')}/api-ws/v1/realtime"
        self.sdk: Any = QwenTtsRealtime(model=model, callback=self, url=url)
        self.place = 0

    def asked(self, **options: Any) -> dict[str, Any]:
        """The session, once it is as asked for."""
        format = options.pop("response_format", AudioFormat.PCM_24000HZ_MONO_16BIT)
        self.sdk.update_session(**{"voice": "Cherry", **options}, response_format=format)
        session: dict[str, Any] = self.until("session.updated")[-1]["session"]
        return session

    def said(self, text: str) -> list[dict[str, Any]]:
        """The response to a text that is committed."""
        self.sdk.append_text(text)
        self.sdk.commit()
        return self.until("response.done")


@pytest.fixture
def typist(request: pytest.FixtureRequest, dash: Any, box: Sandbox) -> Iterator[Typist]:
    """An open session of the model that the test is for, closed behind it."""
    made = Typist(box, getattr(request, "param", MODEL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qwen_tts_realtime, "time", SimpleNamespace(time=time.time, sleep=lambda _: time.sleep(0.002)))
        made.sdk.connect()
        try:
            made.until("session.created")
            yield made
        finally:
            hang_up(made.sdk)


def spoken(events: list[dict[str, Any]]) -> list[str]:
    """The names in order, but for later commits: they do not wait for the response before them."""
    later = [each for each in events[1:] if each["type"] != "input_text_buffer.committed"]
    return kinds([*events[:1], *later])


def test_a_session_echoes_what_it_was_asked_for(typist: Typist):
    session = typist.asked(mode="commit", language_type="English", volume=40, speech_rate=1.5, pitch_rate=0.8)
    assert session["object"] == "realtime.session"
    assert session["model"] == MODEL
    assert {name: session[name] for name in ("voice", "mode", "response_format", "sample_rate", "language_type")} == {
        "voice": "Cherry", "mode": "commit", "response_format": "pcm", "sample_rate": 24000, "language_type": "English"
    }  # fmt: skip
    assert typist.sdk.get_session_id() == session["id"] == typist.events[0]["session"]["id"]


def test_server_commit_speaks_without_being_told(typist: Typist):
    typist.asked()
    typist.sdk.append_text(FERRY)
    typist.sdk.append_text("It comes back")
    heard = typist.until("response.done")
    assert spoken(heard) == RESPONSE
    assert heard[-1]["response"]["usage"] == {"characters": 25}
    assert len(pcm(heard)) / 48_000 == pytest.approx(1.6, abs=0.9)
    assert typist.sdk.get_first_audio_delay() > 0
    assert spoken(typist.until("response.done"))[-8:] == RESPONSE[1:]  # the rest, when nobody has gone on writing
    created = [each["response"]["id"] for each in typist.events if each["type"] == "response.created"]
    assert typist.sdk.get_last_response_id() == created[-1] != created[0]


def test_commit_speaks_only_when_told(typist: Typist):
    typist.asked(mode="commit")
    heard = typist.said(FERRY + FERRY)
    assert kinds(heard) == RESPONSE
    assert heard[-1]["response"]["usage"] == {"characters": 52}
    part = next(each["part"] for each in heard if each["type"] == "response.content_part.added")
    assert part == {"type": "audio", "text": ""}


def test_a_commit_in_server_commit_forces_it_and_the_mode_stays(typist: Typist):
    typist.asked()
    first, second = typist.said("One moment"), typist.said("please")
    assert kinds(first) == kinds(second) == RESPONSE
    assert first[1]["response"]["id"] != second[1]["response"]["id"]


def test_finish_says_the_rest_and_is_the_only_end(typist: Typist):
    typist.asked(mode="commit")
    typist.said("One.")
    typist.sdk.append_text("Two.")
    typist.sdk.finish()
    heard = typist.until("session.finished")
    assert kinds(heard) == [*RESPONSE, "session.finished"]
    assert not typist.closed, "the client closes"


def test_what_is_cleared_is_not_said(typist: Typist):
    typist.asked(mode="commit")
    typist.sdk.append_text("A secret.")
    typist.sdk.clear_appended_text()
    assert kinds(typist.until("input_text_buffer.cleared")) == ["input_text_buffer.cleared"]
    assert typist.said("Good.")[-1]["response"]["usage"] == {"characters": 5}


def test_cancelling_ends_a_response_and_not_the_session(typist: Typist):
    typist.asked(mode="commit")
    typist.sdk.append_text(FERRY * 40)
    typist.sdk.commit()
    typist.until("response.created")
    typist.sdk.cancel_response()
    cut = typist.until("response.done")
    assert cut[-1]["response"]["status"] == "cancelled"
    assert len(pcm(cut)) < 48_000 * 50
    assert typist.said("Go on.")[-1]["response"]["status"] == "completed"


@pytest.mark.parametrize(
    ("format", "rate"), [("wav", 24000), ("mp3", 24000), ("opus", 24000), ("pcm", 8000), ("pcm", 48000)]
)
def test_formats_are_what_they_are_called(format: str, rate: int, typist: Typist):
    session = typist.asked(mode="commit", audio_format=format, sample_rate=rate)
    assert (session["response_format"], session["sample_rate"]) == (format, rate)
    content = pcm(typist.said("The ferry leaves at nine."))
    if format == "pcm":
        assert len(content) / 2 / rate == pytest.approx(1.6, abs=0.8)
        return
    sound, found = soundfile.read(io.BytesIO(content))
    assert len(sound) / found == pytest.approx(1.6, abs=0.8)
    assert abs(sound).max() > 0.05


def test_speed_and_volume_are_heard(typist: Typist):
    typist.asked(mode="commit", speech_rate=2.0, volume=5)
    quick = pcm(typist.said(FERRY))
    assert len(quick) < 48_000 * 1.4
    assert max(abs(int.from_bytes(quick[at : at + 2], "little", signed=True)) for at in range(0, len(quick), 2)) < 9000


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a mode": ({"mode": "later"}, "mode"),
    "a format": ({"audio_format": "flac"}, "response_format"),
    "a rate": ({"sample_rate": 11025}, "sample_rate"),
    "a speed": ({"speech_rate": 3.0}, "speech_rate"),
    "a volume": ({"volume": 101}, "volume"),
    "a language": ({"language_type": "Klingon"}, "language_type"),
    "optimizing nothing": ({"optimize_instructions": True}, "instructions"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_change_nothing(name: str, typist: Typist):
    options, named = WRONG[name]
    before = typist.asked(mode="commit")
    typist.sdk.update_session(voice="Cherry", **options)
    error = typist.refused()
    assert error["type"] == "invalid_request_error"
    assert named in error["message"] + str(error.get("param"))
    assert typist.asked(mode="commit") == before


def test_a_voice_nobody_has_fails_at_the_first_reply(typist: Typist):
    typist.asked(voice="Nobody", mode="commit")
    typist.sdk.append_text("Hello")
    typist.sdk.commit()
    heard = typist.until("response.done")
    told = [each for each in heard if each["type"] == "error"]
    assert heard[-1]["response"]["status"] == "failed"
    assert re.search("Voice 'Nobody' is not supported", str(told or heard[-1]))


def test_an_empty_commit_is_refused_and_the_session_goes_on(typist: Typist):
    typist.asked(mode="commit")
    typist.sdk.commit()
    assert "empty" in typist.refused()["message"]
    assert kinds(typist.said("Hello.")) == RESPONSE


def test_settings_come_before_the_first_text(typist: Typist):
    typist.asked(mode="commit")
    typist.sdk.append_text("Hello")
    typist.sdk.update_session(voice="Ethan")
    assert typist.refused()["message"] == "Session update error: session already started or finished or failed."


@pytest.mark.parametrize("typist", ["qwen-tts-realtime"], indirect=True)
def test_the_first_generation_counts_tokens(typist: Typist):
    typist.asked(mode="commit", voice="Cherry")
    usage = typist.said("The ferry leaves at nine.")[-1]["response"]["usage"]
    spoken = usage["output_tokens_details"]["audio_tokens"]
    assert spoken >= 50
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


@pytest.mark.parametrize("typist", ["qwen3-tts-instruct-flash-realtime"], indirect=True)
def test_instructions_belong_to_the_model_that_has_them(typist: Typist):
    told = {"instructions": "Softly.", "optimize_instructions": True}
    session = typist.asked(mode="commit", **told)
    assert session["instructions"] == "Softly."
    assert kinds(typist.said("Hello.")) == RESPONSE


def test_what_is_no_command_is_refused(typist: Typist):
    typist.asked()
    typist.sdk.send_raw('{"type": "input_audio_buffer.append", "audio": "' + base64_of(bytes(4)) + '"}')
    assert typist.refused()["type"] == "invalid_request_error"
