"""The realtime socket of the sandbox before and around its sessions: who enters, what is refused, how it ends."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from bare_sandbox import Clock
from socket_talk import FINISH, Json, dial, errors, frame_of, of, read, talk, types, update
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from qwenkit.sandbox import Sandbox

OMNI, TTS, ASR = "qwen3.5-omni-plus-realtime", "qwen3-tts-flash-realtime", "qwen3-asr-flash-realtime"
TRANSLATE, LIMITED = "qwen3.5-livetranslate-flash-realtime", "qwen3.8-omni-flash-realtime"
FAMILIES = (OMNI, TTS, ASR, TRANSLATE, "qwen3.8-livetranslate-flash-realtime")


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def sandbox(clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(key="sk-door", workspaces=["ws-1"], clock=clock) as box:
        yield box


@pytest.fixture
def box(sandbox: Sandbox) -> Iterator[Sandbox]:
    yield sandbox
    sandbox.clear_faults()


REFUSED: dict[str, tuple[dict[str, str], int, str]] = {
    "no key": ({"Authorization": ""}, 401, "InvalidApiKey"),
    "a wrong key": ({"Authorization": "Bearer sk-other"}, 401, "InvalidApiKey"),
    "a bare key": ({"Authorization": "sk-door"}, 401, "InvalidApiKey"),
    "a foreign page": ({"Origin": "https://example.com"}, 403, "AccessDenied"),
    "a workspace of others": ({"X_DashScope_WorkSpace": "ws-2"}, 401, "NOT AUTHORIZED"),
    "another path": ({"path": "/api-ws/v1/elsewhere"}, 404, "NotFound"),
}
ADMITTED: dict[str, dict[str, str]] = {
    "a key": {},
    "a scheme in lower case": {"Authorization": "bearer sk-door"},
    "a page of this machine": {"Origin": "http://127.0.0.1:8765"},
    "a workspace of its own": {"X_DashScope_WorkSpace": "ws-1"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_who_may_not_enter_is_refused_in_the_handshake(box: Sandbox, case: str):
    headers, status, code = REFUSED[case]
    with pytest.raises(InvalidStatus) as refused, dial(box, TTS, **headers):
        pass
    answer = refused.value.response
    told = json.loads(answer.body)
    assert (answer.status_code, told["code"]) == (status, code)
    assert answer.headers["x-request-id"] == told["request_id"]
    assert "sk-door" not in str(told)


@pytest.mark.parametrize("case", ADMITTED)
def test_who_may_enter_is_greeted_at_once(box: Sandbox, case: str):
    with dial(box, TTS, **ADMITTED[case]) as socket:
        event = read(socket.recv(timeout=30))
    assert event["type"] == "session.created"
    assert event["session"]["id"].startswith("sess_")


def test_a_temporary_key_opens_the_door(box: Sandbox):
    headers = {"Authorization": f"Bearer {box.key}"}
    token = httpx.post(f"{box.url}/api/v1/tokens", headers=headers).json()["token"]
    with dial(box, TTS, Authorization=f"Bearer {token}") as socket:
        assert read(socket.recv(timeout=30))["type"] == "session.created"


@pytest.mark.parametrize("model", ["qwen-nobody-realtime", "qwen-plus", "qwen3-tts-flash", ""])
def test_a_model_that_has_no_sessions_is_greeted_and_left_without_a_word(box: Sandbox, model: str):
    events = talk(box, model)
    assert types(events) == ["session.created", ""]
    assert events[-1]["closed"] == [1000, ""]


def test_the_journal_has_the_session_and_what_was_said_in_it(box: Sandbox):
    box.clear_requests()
    talk(box, TTS, update(mode="commit"), {**FINISH, "padding": "x" * 10_000})
    (seen,) = box.requests
    assert (seen.method, seen.path, seen.query) == ("WS", "/api-ws/v1/realtime", {"model": TTS})
    assert json.loads(seen.frames[0])["session"] == {"mode": "commit"}
    assert [len(frame) < 200 for frame in seen.frames] == [True, True]
    assert "sk-door" not in str(seen)


def test_the_root_lists_the_path_of_the_socket(box: Sandbox):
    assert "WS /api-ws/v1/realtime" in httpx.get(box.url).json()["paths"]


NONSENSE: list[str | bytes] = [
    *("hello", "", "[]", "7", "null", '"text"', "{", "[" * 100_000, '{"type": 7}', '{"kind": "x"}', '{"type": null}'),
    *('{"type": "no.such.event"}', '{"type": ""}', '{"type": "response.created"}', '{"type": "x", "n": NaN}'),
    *(
        '{"type": "x", "s": "\\ud800"}',
        '{"type": "x", "n": 1e999}',
        "\ufeff{}",
        b"\x00\xff",
        b'{"type": "session.finish"}',
    ),
]


@pytest.mark.parametrize("model", FAMILIES)
def test_nonsense_is_answered_with_errors_and_the_session_goes_on(box: Sandbox, model: str):
    events = talk(box, model, *NONSENSE, {**FINISH, "event_id": "event_f"})
    told = errors(events)
    assert len(told) == len(NONSENSE)
    assert {each["type"] for each in told} == {"invalid_request_error"}
    assert all({"type", "code", "message", "param"} <= set(each) for each in told)
    assert events[-1]["type"] == "session.finished"


def test_an_error_names_the_command_that_was_wrong(box: Sandbox):
    for model in FAMILIES:
        events = talk(box, model, {"type": "no.such.event", "event_id": "event_7"}, until="error")
        assert errors(events)[0]["event_id"] == "event_7"
        assert errors(events)[0]["message"] == "Invalid event type: 'no.such.event'."


COMMANDS = ["session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear"]
COMMANDS += ["input_text_buffer.append", "input_text_buffer.commit", "input_text_buffer.clear", "response.cancel"]
COMMANDS += ["input_image_buffer.append", "conversation.item.create", "response.create", "conversation.item.delete"]
FIELDS = ["session", "audio", "text", "image", "item", "item_id", "response", "previous_item_id"]
VALUES: list[Any] = [None, 0, -1, 1.5, True, "", "abc", "AAAA", [], [1], {}, {"type": 3}, {"voice": []}, {"tools": {}}]
VALUES += [
    {path: value}
    for path in (
        "turn_detection",
        "audio",
        "modalities",
        "output_modalities",
        "translation",
        "input_audio_transcription",
    )
    for value in (3, "text", [1], {"input": 3}, {"type": [], "threshold": "x"}, {"input": {"format": 3}, "output": []})
]
VALUES += [{"translation": {"corpus": {"phrases": {"": "x", "a": None}}}}, {"instructions": {}}, {"mode": {}}]
VALUES += [{"voice_clone_options": 1}, {"same_language_skip_options": []}, {"input_audio_transcription": {"model": {}}}]


@pytest.mark.parametrize("model", FAMILIES)
def test_no_command_breaks_a_session(box: Sandbox, model: str):
    chance = random.Random(5)
    wrong = [
        {"type": chance.choice(COMMANDS), **{chance.choice(FIELDS): chance.choice(VALUES) for _ in range(2)}}
        for _ in range(300)
    ]
    wrong += [{"type": "session.update", "session": value} for value in VALUES]
    with dial(box, model) as socket:
        for command in wrong:
            socket.send(json.dumps(command))
        socket.send(json.dumps(FINISH))
        events = [read(socket.recv(timeout=30))]
        while events[-1]["type"] != "session.finished":
            events.append(read(socket.recv(timeout=30)))
    assert not [each for each in errors(events) if each["type"] != "invalid_request_error"]


FAULTS: dict[str, Callable[[list[Json]], bool]] = {
    "ws-reset:1": lambda events: events[1:] == [{"type": "", "closed": []}],
    "ws-close:1011:1": lambda events: (
        events[1:] == [{"type": "", "closed": [1011, THROTTLED]}] and THROTTLED.startswith("To many requests.")
    ),
    "ws-close:1007:0": lambda events: events[0]["closed"] == [1007, GOOD_STANDING],
    "ws-close:4001:1": lambda events: events[1]["closed"][0] == 4001,
    "ws-garbage:1": lambda events: "broken" in events[1] and events[2]["type"] == "session.finished",
    "ws-binary:1": lambda events: isinstance(events[1]["broken"], bytes) and events[2]["type"] == "session.finished",
    "ws-big:1": lambda events: len(events[1]["padding"]) == 3 * 2**20 and events[2]["type"] == "session.finished",
}
STREAMS: dict[str, Callable[[list[Json]], bool]] = {
    "cut:1": FAULTS["ws-reset:1"],
    "error:1": FAULTS["ws-close:1011:1"],
    "garbage": FAULTS["ws-garbage:1"],
}
THROTTLED = "To many requests. Your requests are being throttled, please try again later."
GOOD_STANDING = "Access denied, please make sure your account is in good standing."


@pytest.mark.parametrize("spec", FAULTS)
def test_a_fault_inside_the_next_session_happens_after_so_many_events(box: Sandbox, spec: str):
    box.fault(spec)
    httpx.get(f"{box.url}/compatible-mode/v1/models", headers={"Authorization": f"Bearer {box.key}"})  # meets none
    assert FAULTS[spec](talk(box, TTS, FINISH))
    assert types(talk(box, TTS, FINISH)) == ["session.created", "session.finished"]


@pytest.mark.parametrize("spec", STREAMS)
def test_a_fault_of_streams_has_its_like_in_a_session(box: Sandbox, spec: str):
    box.fault(spec, path="/realtime")
    assert STREAMS[spec](talk(box, TTS, FINISH))


def test_a_stalled_session_says_nothing_more_and_stays_open(box: Sandbox):
    box.fault("ws-stall:1")
    with dial(box, TTS) as socket:
        assert read(socket.recv(timeout=30))["type"] == "session.created"
        socket.send(json.dumps(FINISH))
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.3)
        assert socket.state.name == "OPEN"


@pytest.mark.parametrize("spec", ["401", "403", "429;retry-after=3", "500", "503", "html", "empty", "sse400"])
def test_a_fault_with_a_status_refuses_in_the_handshake(box: Sandbox, spec: str):
    box.fault(spec, path="/realtime")
    with pytest.raises(InvalidStatus) as refused, dial(box, TTS):
        pass
    answer = refused.value.response
    assert answer.status_code == {"html": 502, "empty": 200, "sse400": 400}.get(spec) or int(spec[:3])
    assert answer.headers.get("retry-after") == ("3" if ";" in spec else None)
    assert types(talk(box, TTS, FINISH)) == ["session.created", "session.finished"]


def test_a_reset_and_a_slow_start_reach_the_handshake_too(box: Sandbox):
    box.fault("reset", path="/realtime")
    with pytest.raises(InvalidMessage), dial(box, TTS):
        pass
    box.fault("slow:0.05", path="/realtime")
    assert types(talk(box, TTS, FINISH)) == ["session.created", "session.finished"]
    with dial(box, TTS, X_Sandbox_Fault="ws-reset:0") as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=30)


def test_faults_that_do_not_exist_are_refused_with_those_that_do(box: Sandbox):
    for spec in ("ws-reset", "ws-close:1", "ws-close:1006:1", "ws-stall:x", "ws-other:1", "ws-big:-1"):
        with pytest.raises(ValueError, match="ws-reset:5"):
            box.fault(spec)


def test_an_idle_session_is_closed_and_an_answer_starts_the_time_again(box: Sandbox, clock: Clock):
    with dial(box, TTS) as socket:
        socket.recv(timeout=30)
        clock.now += 299
        for command in ({"type": "input_text_buffer.append", "text": "One. "}, {"type": "no.such.event"}):
            socket.send(json.dumps(command))
        while read(socket.recv(timeout=30))["type"] != "response.done":
            pass
        clock.now += 299
        socket.send(json.dumps({"type": "no.such.event"}))  # an error is no answer
        assert read(socket.recv(timeout=30))["type"] == "error"
        clock.now += 1
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
    assert closed.value.rcvd is not None
    told = "Your session was closed because no response was generated for 300 seconds."
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1007, told)


def test_a_session_ends_after_two_hours_however_busy_it_is(box: Sandbox, clock: Clock):
    with dial(box, TTS) as socket:
        for _ in range(30):
            socket.send(json.dumps({"type": "input_text_buffer.append", "text": "One. "}))
            while read(socket.recv(timeout=30))["type"] != "response.done":
                pass
            clock.now += 240
        with pytest.raises(ConnectionClosed, match="the limit of 120 minutes"):
            socket.recv(timeout=30)


def test_more_responses_than_a_minute_allows_are_throttled(box: Sandbox, clock: Clock):
    create = {"type": "response.create", "response": {"modalities": ["text"]}}
    begun: list[Json] = []
    with dial(box, LIMITED) as socket:
        for _ in range(61):
            socket.send(json.dumps(create))
            while not begun or begun[-1]["type"] not in ("response.done", ""):
                begun.append(frame_of(socket))
            begun.append({"type": "next"})
    assert len(of(begun, "response.done")) == 60
    assert of(begun, "")[0]["closed"] == [1011, THROTTLED]
    clock.now += 60
    assert of(talk(box, LIMITED, create, until="response.done"), "response.done")


WRONG_SWITCHES: list[tuple[dict[str, Any], str]] = [
    ({"strict_finsh": True}, "did you mean 'strict_finish'?"),
    ({"zzz": 1}, "there are strict_finish"),
    ({"invalid_voice": "never"}, "use one of first_reply, update, ignore"),
    ({"strict_finish": 1}, "use True or False"),
    ({"idle_seconds": "long"}, "use a number"),
    ({"idle_seconds": True}, "use a number"),
    ({"session_minutes": -1}, "use a number"),
]


@pytest.mark.parametrize(("given", "cure"), WRONG_SWITCHES)
def test_a_switch_that_does_not_exist_is_refused_with_a_cure(given: dict[str, Any], cure: str):
    with pytest.raises(ValueError, match="realtime switch") as refused:
        Sandbox(realtime=given)
    assert cure in str(refused.value)


def test_switches_change_the_limits(clock: Clock):
    switched = Sandbox(key="k", clock=clock, realtime={"idle_seconds": 180, "session_minutes": 30})
    with switched as box, dial(box, ASR) as socket:
        socket.recv(timeout=30)
        clock.now += 180
        with pytest.raises(ConnectionClosed, match="for 180 seconds"):
            socket.recv(timeout=30)


def test_many_sessions_at_once_and_a_sandbox_that_stops_under_them():
    box = Sandbox(key="k").start()
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(dial(box, model)) for model in FAMILIES * 6]
        assert {read(each.recv(timeout=30))["type"] for each in sockets} == {"session.created"}
        box.stop()
        for each in sockets:
            with pytest.raises(ConnectionClosed):
                each.recv(timeout=30)


def test_ids_are_the_same_for_the_same_session():
    told = []
    for _ in range(2):
        with Sandbox(key="k", seed=3) as box:
            told.append(talk(box, TTS, {"type": "x"}, FINISH))
    assert told[0] == told[1]
