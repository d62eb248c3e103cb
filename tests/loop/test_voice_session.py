"""`qk.VoiceSession` without a browser: a recording in place of the microphone, and a page that the test plays."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from realtime_faults import Scripted, closes, served

import qwenkit as qk
from qwenkit.notebook import prompt_sockets
from qwenkit.notebook.course import lab_environment
from qwenkit.widgets.player import VIEW, script

ASKED = "What time does the museum open on Sunday?"
FACTS = "The museum opens at ten on Sunday. The blue umbrella costs twelve euros."
PIECE = 1280  # bytes: 40 ms


@pytest.fixture(scope="module")
def qwen() -> Iterator[qk.Client]:
    client = qk.sandbox(fresh=True)
    yield client
    client.close()


@pytest.fixture(scope="module")
def question(qwen: qk.Client) -> qk.Audio:
    return qwen.speech(ASKED, voice="Cherry")


@pytest.fixture
def voice(qwen: qk.Client) -> Iterator[Any]:
    """A session whose page is the test: `sent` is what it is told."""
    session = qk.VoiceSession(qwen, instructions=FACTS, pace=20.0)
    session.sent = []
    session._panel.send = lambda content, buffers=None: session.sent.append((content, buffers))
    yield session
    session.stop()


def until(found: Callable[[], Any], seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
    return value


def told(voice: Any, kind: str) -> list[Any]:
    return [(content, buffers) for content, buffers in list(voice.sent) if content["kind"] == kind]


def test_a_recording_is_a_microphone_and_leaves_a_call(qwen: qk.Client, question: qk.Audio, tmp_path: Path):
    voice = qk.VoiceSession(qwen, microphone=question, instructions=FACTS, pace=20.0, silence_ms=3000)
    assert repr(voice) == "VoiceSession(idle, 0 turns)"
    (turn,) = voice.wait(30)
    assert (turn.user, turn.text, turn.ended) == (ASKED, "The museum opens at ten on Sunday.", "completed")
    assert turn.played_ms == pytest.approx(turn.audio.duration * 1000, abs=2)
    assert VIEW in voice._repr_mimebundle_()
    voice.stop()
    assert (voice.state, repr(voice)) == ("ended", "VoiceSession(ended, 1 turn)")
    assert set(voice._repr_mimebundle_()) == {"text/plain", "text/html"}
    assert ASKED in str(voice)
    assert [message.role for message in voice.conversation] == ["user", "assistant"]
    assert {"response.created", "input_audio_buffer.speech_started"} <= {event.type for event in voice.events}
    saved = qk.Audio.open(voice.save(tmp_path / "call.wav"))
    assert (saved.channels, saved.duration > turn.audio.duration) == (2, True)
    assert [each.name for each in threading.enumerate() if each.name.startswith("qwenkit-voice")] == []
    with pytest.raises(qk.SessionClosed, match="has ended"):
        voice.start()


def test_what_a_page_sends_is_counted_answered_and_heard(voice: Any, question: qk.Audio):
    voice._heard({"kind": "hello", "page": "one"}, [])
    voice._heard({"kind": "start", "page": "one"}, [])
    pcm = question.resampled(16_000).pcm16 + bytes(16_000 * 4)
    pieces = [pcm[at : at + PIECE] for at in range(0, len(pcm), PIECE)]
    until(lambda: voice.state == "live")
    for number, piece in enumerate(pieces):
        voice._heard({"kind": "mic", "number": number}, [piece])
    until(lambda: [content for content, _ in told(voice, "audio") if content["last"]])
    assert (voice._link.received, voice._link.lost) == (len(pieces), 0)
    assert [content["number"] for content, _ in told(voice, "ack")] == list(range(0, len(pieces), 5))
    sound = b"".join(buffers[0] for _, buffers in told(voice, "audio"))
    (turn,) = until(lambda: voice.turns)
    assert sound == bytes(turn.pcm)
    assert turn.played_ms is None  # nobody has played it yet
    voice._heard({"kind": "playing", "reply": 1, "ms": 0}, [])
    voice._heard({"kind": "flushed", "reply": 1, "ms": 700}, [])
    until(lambda: turn.played_ms == 700)
    assert (turn.ended, turn.moments.to_sound is not None) == ("interrupted", True)
    until(lambda: voice._panel.past and voice._panel.past[0]["played_ms"] == 700)
    voice._heard({"kind": "mic", "number": len(pieces) + 3}, [bytes(PIECE)] * 10)
    until(lambda: voice._link.lost == 3)
    assert voice._link.received == len(pieces) + 10


def test_who_types_is_answered_and_may_read_the_events(voice: Any):
    voice._heard({"kind": "hello", "page": "one"}, [])
    voice._heard({"kind": "text", "text": "How much does the blue umbrella cost?"}, [])
    (turn,) = until(lambda: voice.turns)
    assert turn.text == "The blue umbrella costs twelve euros."
    voice._heard({"kind": "log", "from": 0}, [])
    ((content, _),) = until(lambda: told(voice, "log"))
    assert content["next"] == len(content["lines"])
    assert any("response.done" in line for line in content["lines"])
    voice._heard({"kind": "stop"}, [])
    until(lambda: voice.state == "ended")


def test_a_held_button_is_a_turn_and_hands_free_comes_back(voice: Any, question: qk.Audio):
    voice.start()
    until(lambda: voice.state == "live")
    voice._heard({"kind": "mic", "number": 0}, [bytes(PIECE)])
    voice._heard({"kind": "mode", "hands_free": False}, [])
    until(lambda: voice._link.session.manual)
    until(lambda: any(event.type == "input_audio_buffer.cleared" for event in voice.events))
    voice._heard({"kind": "mic", "number": 1}, [bytes(PIECE)])  # the page had not heard of that yet
    until(lambda: voice._link.received == 2)
    voice._link.session.update(temperature=0.5)  # a round trip behind it
    assert voice._link._engine.fold.current is None
    voice.feed(question)
    assert [turn.user for turn in voice.wait(30)] == [ASKED]
    for on in (True, False):  # a button that is only tapped asks nothing
        voice._heard({"kind": "talk", "on": on}, [])
    until(lambda: sum(event.type == "input_audio_buffer.cleared" for event in voice.events) == 2)
    assert len(voice.turns) == 1
    voice._heard({"kind": "mode", "hands_free": True}, [])
    until(lambda: not voice._link.session.manual)


def test_without_a_page_the_clock_says_what_was_heard(qwen: qk.Client, question: qk.Audio):
    """An answer plays as fast as the recording: who waits interrupts nothing, who does not hears only a part."""
    voice = qk.VoiceSession(qwen, microphone=question, instructions=FACTS, pace=20.0)
    voice._panel.send = lambda content, buffers=None: sent.append(content)
    sent: list[Any] = []
    (first,) = voice.wait(30)
    link, before = voice._link, voice._link._feed_at
    voice.feed(question)
    until(lambda: link._feed_at > before and not link._feed)
    link._pace = 0.2  # the second answer soon has arrived, and is long to hear
    until(lambda: len(voice.turns) == 2)
    link.inbox.put(("flush",))
    _, second = voice.wait(30)
    voice.stop()
    assert [turn.ended for turn in voice.turns] == ["completed", "interrupted"]
    assert first.played_ms == pytest.approx(first.audio.duration * 1000, abs=2)
    assert second.played_ms < second.audio.duration * 1000
    assert [content["reply"] for content in sent if content["kind"] == "flush"][-2:] == [1, 2]


def test_what_stands_in_for_a_microphone_is_not_mixed_with_it(voice: Any, question: qk.Audio):
    voice.start()
    until(lambda: voice.state == "live")
    voice._heard({"kind": "hello", "page": "one"}, [])
    voice._heard({"kind": "file", "name": "chart.png"}, [b"\x89PNG\r\n\x1a\n" + bytes(100)])
    until(lambda: "chart.png" in voice._panel.problem)
    voice.feed(question)
    until(lambda: voice._link._feed)
    for number in range(20):
        voice._heard({"kind": "mic", "page": "one", "number": number}, [bytes(PIECE)])
    (turn,) = until(lambda: voice.turns)
    assert turn.user == ASKED


def test_a_file_comes_in_parts_and_ends_where_one_types(voice: Any, question: qk.Audio, tmp_path: Path):
    file = question.save(tmp_path / "q.wav").read_bytes()
    voice._heard({"kind": "file", "page": "one", "name": "q.wav", "at": 0, "more": True}, [file[:5000]])
    until(lambda: told(voice, "taken"))
    voice._link._pace = 0.2
    voice._heard({"kind": "file", "page": "one", "name": "q.wav", "at": 5000}, [file[5000:]])
    until(lambda: voice._panel.playing == "q.wav")
    assert [content["page"] for content, _ in told(voice, "taken")] == ["one", "one"]
    voice._heard({"kind": "text", "text": "How much does the blue umbrella cost?"}, [])
    (turn,) = until(lambda: voice.turns)
    assert (turn.spoken, voice._panel.playing, len(voice._link._feed)) == (False, "", 0)


def test_only_the_page_that_holds_the_microphone_is_heard(voice: Any):
    voice.start()
    until(lambda: voice.state == "live")
    heard: list[bytes] = []
    voice._link._engine.append, voice._panel.owner = heard.append, "one"
    for page in ("two", "one"):
        voice._heard({"kind": "mic", "page": page, "number": 0}, [bytes(PIECE)])
    until(lambda: voice._link.received == 2)
    until(lambda: heard)
    assert heard == [bytes(PIECE)]


def test_a_silent_recording_is_told_of(qwen: qk.Client):
    voice = qk.VoiceSession(qwen, microphone=qk.Audio(bytes(16_000), rate_hz=16_000), pace=20.0)
    with pytest.raises(qk.InvalidRequest, match="heard no speech"):
        voice.wait(30)
    assert "heard no speech" in voice._panel.problem
    voice.stop()


def test_a_session_that_was_forgotten_ends(qwen: qk.Client):
    forgotten = qk.VoiceSession(qwen).start()
    until(lambda: forgotten.state == "live")
    thread, session = forgotten._thread, forgotten._link.session
    forgotten = qk.VoiceSession(qwen)  # as a cell does that is run again
    gc.collect()
    thread.join(20)
    assert (thread.is_alive(), session.closed, forgotten.state) == (False, True, "idle")


def test_a_cell_that_is_run_again_ends_what_it_showed(qwen: qk.Client, monkeypatch: pytest.MonkeyPatch):
    run = {"msg_id": "1"}
    shell = type("Shell", (), {"parent_header": {"header": run, "metadata": {"cellId": "two"}}})
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.display.display", lambda *_, **__: None)
    old, other, new = (qk.VoiceSession(qwen) for _ in range(3))
    for each in (old, other):
        each.start()
        each._ipython_display_()
    until(lambda: (old.state, other.state) == ("live", "live"))
    run["msg_id"] = "2"
    other._ipython_display_()
    new._ipython_display_()
    assert (old.state, other.state) == ("ended", "live")
    other.stop()


WRONG = [("voice", "Chery"), ("temprature", 1), ("pace", 0), ("threshold", 7), ("timeout", "x"), ("respond", False)]


@pytest.mark.parametrize(("name", "value"), [*WRONG, ("max_rounds", 0)])
def test_wrong_options_are_refused_before_anything_is_opened(qwen: qk.Client, name: str, value: Any):
    with pytest.raises(qk.ConfigError):
        qk.VoiceSession(qwen, **{name: value})


def test_a_session_that_cannot_open_says_why_and_may_be_tried_again(qwen: qk.Client):
    wrong = qk.Client(api_key="sk-0123456789abcdef", base_url=qwen.config.root)
    voice = qk.VoiceSession(wrong)
    for _ in range(2):
        with pytest.raises(qk.AuthError):
            voice.wait(20)
        assert voice.state == "failed"
        assert voice._panel.problem
    assert "0123456789" not in voice._panel.problem + repr(voice)
    wrong.close()


def test_a_session_that_the_service_ends_says_why():
    gone = closes(1007, "Access denied, please make sure your account is in good standing.")
    with served(Scripted("after append", gone)) as client:
        voice = qk.VoiceSession(client)
        voice.start()
        voice._heard({"kind": "mic", "number": 0}, [bytes(PIECE)])
        until(lambda: voice.state == "ended")
        assert "good standing" in voice._panel.problem
        with pytest.raises(qk.SessionClosed, match="good standing"):
            voice.wait(20)
        assert "good standing" in str(voice)


@pytest.mark.parametrize("nobody", [None, object(), "client"])
def test_it_needs_a_client(nobody: Any, qwen: qk.Client):
    with pytest.raises(qk.ConfigError, match="needs a client"):
        qk.VoiceSession(qwen.aio if nobody == "client" else nobody)


def test_a_handler_only_hands_over(voice: Any):
    """The kernel may call it on any thread, under any loop; nothing happens there."""
    thread = threading.Thread(target=voice._heard, args=({"kind": "mic", "number": 0}, [b""]))
    thread.start()
    thread.join()
    assert voice._link.inbox.qsize() == 1
    assert voice._thread is None


def test_the_page_never_reads_what_is_said_as_markup():
    assert "innerHTML" not in script("sound.js", "devices.js", "worklets.js", "voice.js", "panel.js")


def test_kernel_sockets_do_not_wait():
    (folder,) = (Path(each) for each in lab_environment()["JUPYTER_CONFIG_PATH"].split(":")[:1])
    enabled = json.loads((folder / "jupyter_server_config.d" / "qwenkit.json").read_text())
    assert enabled["ServerApp"]["jpserver_extensions"] == {prompt_sockets.__name__: True}
    done = []

    class Stock:
        websocket_handler = type("Handler", (), {"set_nodelay": lambda _, on: done.append(on)})()

        async def connect(self) -> str:
            return "connected"

    settings = {"kernel_websocket_connection_class": Stock}
    application = type("Application", (), {"settings": settings})
    prompt_sockets._load_jupyter_server_extension(type("Server", (), {"web_app": application}))
    assert asyncio.run(settings["kernel_websocket_connection_class"]().connect()) == "connected"
    assert done == [True]
