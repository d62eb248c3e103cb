"""The omni sessions of the sandbox over a bare WebSocket: settings, turns, interruptions, tools, pictures, the bill."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from socket_talk import Json, dial

from qwenkit import catalogue
from qwenkit.sandbox import Sandbox
from qwenkit.sandbox.known_speech import Spoken
from qwenkit.sandbox.realtime import mouth
from qwenkit.sandbox.realtime.items import Conversation, Item, messages, wire
from qwenkit.sandbox.voice import said

PLUS, FLASH38, FLASH3 = "qwen3.5-omni-plus-realtime", "qwen3.8-omni-flash-realtime", "qwen3-omni-flash-realtime"
TURBO, AUDIO = "qwen-omni-turbo-realtime", "qwen-audio-3.0-realtime-plus"
RATE = 16_000
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
MCP = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example.com/sse", "authorization": "Bearer x"}
OPENING = ["response.created", "response.output_item.added", "conversation.item.created"]
SPOKEN = [*OPENING, "response.content_part.added", "response.audio_transcript.delta", "response.audio.delta"]
CLOSING = ["response.content_part.done", "response.output_item.done", "response.done"]
SPOKEN += ["response.audio_transcript.done", "response.audio.done", *CLOSING]
WRITTEN = [*OPENING, "response.content_part.added", "response.text.delta", "response.text.done", *CLOSING]
HEARD = ["input_audio_buffer.committed", "conversation.item.created"]
HEARD += ["conversation.item.input_audio_transcription.completed"]
STOPPED = ["response.audio_transcript.done", "response.audio.done", *CLOSING]
VAD = ["input_audio_buffer.speech_started", "conversation.item.input_audio_transcription.delta"]
VAD += ["input_audio_buffer.speech_stopped", *HEARD]
NO_VOICE = "Voice 'Xyz' is not supported."


class Talk:
    """A client that writes down everything it is told."""

    def __init__(self, box: Sandbox, model: str = PLUS, **session: Any) -> None:
        self._opening, self._session = dial(box, model), session
        self.frames: list[str | bytes] = []
        self.log: list[Json] = []

    def __enter__(self) -> Talk:
        self.ws = self._opening.__enter__()
        self.created = self.until("session.created")["session"]
        if self._session:
            self.update(**self._session)
        return self

    def __exit__(self, *problem: Any) -> None:
        self._opening.__exit__(*problem)

    def send(self, type: str, **fields: Any) -> None:
        self.ws.send(json.dumps({"type": type, **fields}))

    def recv(self) -> Json:
        self.frames.append(self.ws.recv(timeout=20))
        self.log.append(json.loads(self.frames[-1]))
        return self.log[-1]

    def until(self, *types: str) -> Json:
        while self.recv()["type"] not in (*types, "error"):
            pass
        return self.log[-1]

    def told(self) -> list[str]:
        """The types since the last look; a run of deltas and of what lies between them counts once."""
        told: list[str] = []
        for event in self.log:
            if not (event["type"].endswith("delta") and event["type"] in told[-2:]):
                told.append(event["type"])
        self.log.clear()
        return told

    def update(self, **session: Any) -> Json:
        self.send("session.update", session=session)
        return self.until("session.updated")

    def hear(self, pcm: Any, step_ms: int = 100) -> None:
        step = RATE * step_ms // 1000
        for at in range(0, len(pcm), step):
            self.send("input_audio_buffer.append", audio=encoded(pcm[at : at + step].tobytes()))

    def typed(self, text: str, **item: Any) -> Json:
        content = [{"type": "input_text", "text": text}]
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content, **item})
        return self.until("conversation.item.created")

    def output(self, call: Json, value: Any) -> None:
        item = {"type": "function_call_output", "call_id": call["call_id"], "output": json.dumps(value)}
        self.send("conversation.item.create", item=item)

    def respond(self, **response: Any) -> Json:
        self.send("response.create", response=response)
        return self.done()

    def done(self) -> Json:
        response: Json = self.until("response.done")["response"]
        return response

    def caught_up(self) -> None:
        """Until everything that was sent has been read."""
        self.send("are.you.there")
        assert "are.you.there" in self.error()["message"]

    def error(self) -> Json:
        error: Json = self.until()["error"]
        return error


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def words(response: Json) -> str:
    return "".join(part["text"] for item in response["output"] for part in item.get("content", []))


@cache
def utterances(text: str) -> list[Any]:
    return list(said(text, "Ryan", rate_hz=RATE))


def silence(seconds: float) -> Any:
    return np.zeros(int(RATE * seconds), "<i2")


def hum(seconds: float) -> Any:
    at = np.arange(int(RATE * seconds)) / RATE
    tone = sum(np.sin(2 * np.pi * 140 * k * at) / k for k in range(1, 25))
    return (tone * 5000 * np.sin(np.pi * np.arange(len(at)) / len(at)) ** 0.5).astype("<i2")


@cache
def picture(left: int = 90) -> str:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (320, 240), "white")
    ImageDraw.Draw(image).ellipse((left, 50, left + 130, 180), fill="red")
    held = io.BytesIO()
    image.save(held, "JPEG", quality=90)
    return encoded(held.getvalue())


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(key="sk-omni", seed=5) as box:
        yield box


@pytest.fixture
def box(sandbox: Sandbox) -> Sandbox:
    return sandbox


class Switched:
    """The same sandbox, behaving otherwise for one test. `held`: it pauses after a few pieces of its first answer."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self._sandbox, self._monkeypatch = sandbox, monkeypatch
        self._pieces = 0
        self.go_on = threading.Event()

    def __call__(self, held: bool = False, **switches: Any) -> Sandbox:
        usual = self._sandbox._service.realtime
        self._monkeypatch.setattr(self._sandbox._service, "realtime", replace(usual, **switches))
        if held:
            self._monkeypatch.setattr(mouth, "_until", self._until)
        return self._sandbox

    async def _until(self, stop: asyncio.Event, moment: float) -> None:
        self._pieces += 1
        while self._pieces > 6 and not (stop.is_set() or self.go_on.is_set()):
            await asyncio.sleep(0.002)
        if stop.is_set():
            self.go_on.set()


@pytest.fixture
def switched(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Switched:
    return Switched(sandbox, monkeypatch)


def speech(box: Sandbox, text: str, after: float = 1.5) -> Any:
    """Something this sandbox has once said, so that its ears know it, between silences."""
    for utterance in utterances(text):
        box._service.shelf(Spoken).keep(utterance)
    return np.concatenate([silence(0.4), *(each.pcm for each in utterances(text)), silence(after)])


# -- the orders of events of the sheet -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [PLUS, FLASH38, TURBO, AUDIO])
def test_a_turn_by_voice_has_every_event_in_order(box: Sandbox, model: str) -> None:
    with Talk(box, model) as talk:
        assert talk.created["turn_detection"]["type"] == "server_vad"
        talk.told()
        talk.hear(speech(box, "What is two plus two?"))
        assert "4" in words(talk.done())
        heard = {event["type"]: event for event in talk.log}
        assert talk.told() == [*VAD, *SPOKEN]
        item = heard["input_audio_buffer.speech_started"]["item_id"]
        assert heard["conversation.item.input_audio_transcription.completed"]["transcript"] == "What is two plus two?"
        assert {heard[name]["item_id"] for name in (*VAD[:4], HEARD[2]) if "item_id" in heard[name]} == {item}


@pytest.mark.parametrize("preview", [15.0, 2.2])  # seconds after which a pause is no more listened to
def test_a_pause_ends_no_turn_but_shows_what_was_said(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, preview: float
) -> None:
    monkeypatch.setattr("qwenkit.sandbox.realtime.ear.PREVIEW_S", preview)
    with Talk(box, modalities=["text"]) as talk:
        talk.hear(speech(box, "My name is Ada. What is my name?"))
        assert "Ada" in words(talk.done())
        snapshots = [(each["text"], each["stash"]) for each in talk.log if each["type"] == VAD[1]]
        assert snapshots == [("", "My name is Ada."), ("My name is Ada.", " What is my name?")]
        assert talk.told().count("input_audio_buffer.speech_stopped") == 1


def test_a_greeting_is_greeted_within_a_breath_and_heard_the_same_again(box: Sandbox) -> None:
    import soundfile

    wave, rate = soundfile.read(Path(__file__).parents[2] / "data/hello.wav", dtype="int16")
    hello = np.concatenate([wave, np.zeros(rate, "<i2")])
    with Talk(box, audio={"input": {"format": {"type": "pcm", "sample_rate": rate}}}) as talk:
        for _ in range(2):
            talk.hear(hello)
            assert words(talk.done()).startswith("Hello! I am the qwenkit sandbox.")
            heard = [event["transcript"] for event in talk.log if event["type"] == HEARD[-1]]
            sound = sum(len(event["delta"]) * 3 / 4 for event in talk.log if event["type"] == "response.audio.delta")
            assert heard == ["Hello, and welcome on board. 你好，欢迎上船。"]
            assert sound / 48_000 < 6
            talk.log.clear()
            for text in ("You said: “Hello, and welcome on board. 你好，欢迎上船。”", "Why do cats purr?"):
                talk.typed(f"Say: {text}")
                talk.respond()
            talk.log.clear()


def test_a_manual_turn_waits_for_its_response(box: Sandbox) -> None:
    with Talk(box, turn_detection=None) as talk:
        talk.told()
        talk.hear(speech(box, "What is two plus two?"))
        talk.send("input_audio_buffer.commit")
        user = talk.until("conversation.item.created")["item"]
        assert (user["role"], user["content"]) == ("user", [{"type": "input_audio"}])
        talk.until("conversation.item.input_audio_transcription.completed")
        assert talk.told() == HEARD
        talk.respond(instructions=None)
        assert talk.told() == SPOKEN
        deltas: list[Json] = talk.log
        talk.send("conversation.item.retrieve", item_id=user["id"])
        assert talk.until("conversation.item.retrieved")["item"]["content"][0]["transcript"] == "What is two plus two?"
        assert deltas


def test_transcript_and_sound_come_together_and_add_up(box: Sandbox) -> None:
    with Talk(box) as talk:
        talk.typed("Who are you?")
        text = words(talk.respond())
        deltas = [each for each in talk.log if each["type"] == "response.audio_transcript.delta"]
        places = [at for at, each in enumerate(talk.log) if each["type"] == "response.audio_transcript.delta"]
        sounds = [base64.b64decode(each["delta"]) for each in talk.log if each["type"] == "response.audio.delta"]
        assert "sandbox" in text
        assert "".join(each["delta"] for each in deltas) == text
        assert len(deltas) > 10
        assert places[-1] - places[0] > len(deltas) * 1.5  # sound lies between the words
        assert {len(each) for each in sounds[:5]} == {9600}
        assert all(len(each) % 2 == 0 for each in sounds)
        assert {event["item_id"] for event in deltas} == {talk.log[-1]["response"]["output"][0]["id"]}
        assert all(event["output_index"] == event["content_index"] == 0 for event in deltas)


def test_it_speaks_first_if_it_is_told_to(box: Sandbox) -> None:
    for wish, told in ((None, "listening"), ("Greet the user.", "the qwenkit sandbox. "), (["odd"], "listening")):
        with Talk(box, turn_detection=None) as talk:
            assert told in words(talk.respond(instructions=wish))


def test_text_alone_has_no_sound(box: Sandbox) -> None:
    with Talk(box, modalities=["text"], turn_detection=None) as talk:
        talk.typed("What is two plus two?")
        talk.told()
        usage = talk.respond()["usage"]
        assert "audio_tokens" not in usage["output_tokens_details"]
        assert talk.told() == WRITTEN
        talk.respond(modalities=["audio", "text"])
        assert talk.told() == SPOKEN


def test_frames_without_a_type_for_the_models_of_2025(switched: Switched) -> None:
    with Talk(switched(choices_mode=True), FLASH3, turn_detection=None) as talk:
        talk.typed("What is two plus two?")
        talk.send("response.create")
        held, reason = [], "null"
        while reason == "null":
            choice = json.loads(talk.ws.recv(timeout=20))["choices"][0]
            held += choice["message"]["content"]
            reason = choice["finish_reason"]
        assert "4" in "".join(part.get("text", "") for part in held)
        assert any("audio" in part for part in held)


# -- settings --------------------------------------------------------------------------------------------------------

NESTED = {"input": {"format": {"type": "pcm", "sample_rate": 8000}}, "output": {"format": {"sample_rate": 48000}}}
STEREO = {"channels": 2, "channel_layout": "raw_mic_array", "packing": "interleaved"}
COMPACT = {"input": {"representation_compact": "normal"}}
DETECTION = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 800}
DETECTION |= {"create_response": True, "interrupt_response": True}
IDLE = {"threshold": -1, "idle_timeout_ms": 6000}
SEMANTIC = {"type": "semantic_vad", "idle_timeout_ms": 6000}
HEARING = {"model": "qwen3-asr-flash-realtime", "language": "en"}
ABSENT = "absent"
ECHOED: list[tuple[str, Json, Json]] = [
    (PLUS, {}, {"voice": "Tina", "temperature": 0.7, "top_p": 0.8, "top_k": 20, "presence_penalty": 1.5, "seed": -1}),
    (FLASH38, {}, {"voice": "Tina", "temperature": 0.6, "max_tokens": 65536, "repetition_penalty": 0}),
    (FLASH3, {}, {"voice": "Cherry", "temperature": 0.9, "top_k": 50, "smooth_output": True, "audio": ABSENT}),
    (TURBO, {"temperature": 0.2}, {"voice": "Chelsie", "temperature": 1.0, "top_p": 0.01, "max_tokens": 2048}),
    (AUDIO, {"max_history_turns": 3}, {"voice": "longanqian", "max_history_turns": 3, "enable_search": ABSENT}),
    (PLUS, {"modalities": ["audio", "text"], "voice": None}, {"modalities": ["audio", "text"], "voice": "Tina"}),
    (PLUS, {"audio": NESTED}, {"audio": {**NESTED, "output": {"format": {"type": "pcm", "sample_rate": 48000}}}}),
    (FLASH3, {"audio": NESTED}, {"audio": ABSENT, "input_audio_format": "pcm"}),
    (
        FLASH38,
        {"audio": {"input": {"format": STEREO}}},
        {"audio": {"input": {"format": {"type": "pcm", "sample_rate": RATE, **STEREO}}}},
    ),
    (FLASH38, {"voice": "Serena", "audio": {"output": {"voice": "Mia"}}}, {"voice": "Mia", "audio": ABSENT}),
    (PLUS, {"input_audio_format": "pcm16", "output_audio_format": "pcm24"}, {"output_audio_format": "pcm24"}),
    (
        PLUS,
        {"input_audio_transcription": {**HEARING, "model": "gummy-realtime-v1"}},
        {"input_audio_transcription": HEARING},
    ),
    (PLUS, {"input_audio_transcription": None}, {"input_audio_transcription": None}),
    (PLUS, {"turn_detection": None}, {"turn_detection": None}),
    (PLUS, {"turn_detection": IDLE}, {"turn_detection": {**DETECTION, **IDLE}}),
    (FLASH38, {"turn_detection": SEMANTIC}, {"turn_detection": {**DETECTION, "type": "semantic_vad"}}),
    (PLUS, {"top_k": None, "smooth_output": None, "new": 1}, {"top_k": None, "new": ABSENT, "smooth_output": ABSENT}),
    (FLASH38, {"video": COMPACT}, {"video": COMPACT}),
    (PLUS, {"video": COMPACT}, {"video": ABSENT}),
    (FLASH3, {"tools": [WEATHER], "enable_search": True}, {"tools": [WEATHER], "enable_search": ABSENT}),
    (FLASH38, {"tools": [WEATHER, MCP]}, {"tools": [WEATHER, {k: MCP[k] for k in MCP if k != "authorization"}]}),
    (PLUS, {"model": "other", "max_response_output_token": 3}, {"model": PLUS, "max_response_output_token": "inf"}),
]


@pytest.mark.parametrize(("model", "session", "echo"), ECHOED)
def test_an_update_is_echoed_as_it_counts(box: Sandbox, model: str, session: Json, echo: Json) -> None:
    with Talk(box, model) as talk:
        assert not {"instructions", "temperature", "seed", "audio"} & talk.created.keys()
        told = talk.update(**session)["session"]
        assert told["id"] == talk.created["id"]
        assert {name: told.get(name, ABSENT) for name in echo} == echo
        assert talk.update(instructions="Be brief.")["session"] == {**told, "instructions": "Be brief."}  # a patch


REFUSED: list[tuple[str, Json, str, str]] = [
    (PLUS, {"modalities": ["audio"]}, "modalities", "['audio']. Supported combinations are: ['text'] and ['audio',"),
    (PLUS, {"modalities": ["text", "video"]}, "modalities", "Invalid modalities"),
    (PLUS, {"modalities": "text"}, "modalities", "Invalid modalities"),
    (PLUS, {"tools": [WEATHER], "enable_search": True}, "tools", "tools and enable_search"),
    (PLUS, {"turn_detection": {"threshold": 1.5}}, "turn_detection.threshold", "[-1.0, 1.0]"),
    (PLUS, {"turn_detection": {"silence_duration_ms": 1}}, "turn_detection.silence_duration_ms", "[200, 6000]"),
    (PLUS, {"turn_detection": {"idle_timeout_ms": 100}}, "turn_detection.idle_timeout_ms", "[5000, 30000]"),
    (PLUS, {"turn_detection": {"type": "smart_turn"}}, "turn_detection.type", "'server_vad' or 'semantic_vad'"),
    (PLUS, {"turn_detection": "server_vad"}, "turn_detection", "object"),
    (PLUS, {"temperature": 2}, "temperature", "[0, 2)"),
    (PLUS, {"top_p": 0}, "top_p", "(0, 1]"),
    (PLUS, {"seed": True}, "seed", "integer"),
    (PLUS, {"repetition_penalty": 0}, "repetition_penalty", "(0,"),
    (PLUS, {"max_tokens": 0}, "max_tokens", "[1,"),
    (PLUS, {"voice": 7}, "voice", "string"),
    (PLUS, {"output_audio_format": "mp3"}, "output_audio_format", "'pcm16'"),
    (PLUS, {"audio": {"output": {"format": {"sample_rate": 1}}}}, "audio.output.format.sample_rate", "8000"),
    (FLASH38, {"audio": {"input": {"format": {"sample_rate": 8000}}}}, "audio.input.format.sample_rate", "16000"),
    (FLASH38, {"audio": {"input": {"format": {"channels": [2]}}}}, "audio.input.format.channels", "1 or 2 or 4"),
    (
        FLASH38,
        {"audio": {"input": {"format": {"channels": 4, "channel_layout": "mono"}}}},
        "audio.input.format.channel_layout",
        "'foa_ambix'",
    ),
    (PLUS, {"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "function.name"),
    (PLUS, {"tools": [MCP]}, "tools[0].type", "'function'"),
    (FLASH38, {"tools": [MCP, MCP]}, "tools", "server_label"),
    (FLASH38, {"tools": [{**MCP, "server_url": "http://mcp.example.com"}]}, "tools[0].server_url", "server_url"),
]


@pytest.mark.parametrize(("model", "session", "param", "message"), REFUSED)
def test_a_wrong_update_changes_nothing(box: Sandbox, model: str, session: Json, param: str, message: str) -> None:
    with Talk(box, model) as talk:
        before = talk.update()["session"]
        error = talk.update(**{"instructions": "Changed.", **session})["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", f"session.{param}")
        assert message in error["message"]
        assert talk.update()["session"] == before


def test_what_is_fixed_once_sound_went_in_or_out(box: Sandbox) -> None:
    with Talk(box, turn_detection=None) as talk:
        talk.hear(speech(box, "What is two plus two?"))
        assert "audio.input.format" in talk.update(audio=NESTED)["error"]["message"]
        assert talk.update(voice="Ethan")["session"]["voice"] == "Ethan"
        talk.send("input_audio_buffer.commit")
        talk.respond()
        assert talk.update(voice="Tina")["error"]["code"] == "cannot_update_voice"
        assert talk.update(voice="Ethan", turn_detection={})["type"] == "session.updated"
    with Talk(box, AUDIO, voice="longanlufeng") as talk:
        assert talk.update(voice="longanqian")["error"]["code"] == "cannot_update_voice"
        talk.hear(silence(0.2))
        assert talk.update(turn_detection=None)["error"]["param"] == "session.turn_detection"


def test_an_unknown_voice_is_refused_when_it_is_to(switched: Switched) -> None:
    with Talk(switched(), voice="Xyz") as talk:
        talk.typed("Hello.")
        talk.send("response.create")
        assert talk.error()["message"] == NO_VOICE
        response = talk.done()
        assert (response["status"], response["status_details"]["error"]["message"]) == ("failed", NO_VOICE)
    with Talk(switched(invalid_voice="ignore"), voice="Xyz") as talk:
        talk.typed("What is two plus two?")
        assert talk.respond()["status"] == "completed"
    with Talk(switched(invalid_voice="update")) as talk:
        assert talk.update(voice="Xyz")["error"]["message"] == NO_VOICE
        with pytest.raises(Exception, match="1007"):
            talk.until()


@pytest.mark.parametrize(("rate", "type"), [(8000, "pcm"), (16000, "wav"), (48000, "pcm")])
def test_sound_comes_as_it_was_asked_for(box: Sandbox, rate: int, type: str) -> None:
    with Talk(box, audio={"output": {"format": {"type": type, "sample_rate": rate}}}) as talk:
        talk.typed("What is two plus two?")
        usage = talk.respond()["usage"]
        sound = b"".join(base64.b64decode(each["delta"]) for each in talk.log if each["type"] == "response.audio.delta")
        assert sound.startswith(b"RIFF") == (type == "wav")
        seconds = len(sound) / 2 / rate
        assert 1 < seconds < 9
        assert abs(usage["output_tokens_details"]["audio_tokens"] - seconds * 12.5) < 1.1


def test_mcp_servers_are_listed_and_not_reached(box: Sandbox) -> None:
    with Talk(box, FLASH38) as talk:
        talk.told()
        talk.update(tools=[MCP, WEATHER])
        failed = talk.until("mcp_list_tools.failed")
        assert "reaches no network" in failed["error"]["message"]
        assert "Bearer" not in str(talk.log)
        listed = ["session.updated", "mcp_list_tools.in_progress", "conversation.item.created", "mcp_list_tools.failed"]
        assert talk.told() == listed


# -- turns -----------------------------------------------------------------------------------------------------------


def test_speech_interrupts_and_what_was_not_said_is_forgotten(switched: Switched) -> None:
    with Talk(switched(held=True)) as talk:
        talk.typed("Who are you?")
        talk.send("response.create")
        for _ in range(6):
            talk.until("response.audio.delta")
        talk.told()
        talk.hear(speech(switched(), "What is two plus two?"))
        cut = talk.done()
        after = [each for each in talk.told() if "delta" not in each]
        assert after == ["input_audio_buffer.speech_started", *STOPPED]
        assert (cut["status"], cut["status_details"]["reason"]) == ("cancelled", "turn_detected")
        assert words(cut).startswith("I am")
        assert len(words(cut)) < 60
        assert cut["output"][0]["status"] == "incomplete"
        assert "4" in words(talk.done())
        talk.typed("Hello.")
        usage = talk.respond(modalities=["text"])["usage"]  # of the whole answer there would be more to read
        assert usage["input_tokens_details"]["text_tokens"] < 80


@pytest.mark.parametrize("create", [False, True])
def test_turns_do_what_their_settings_say(switched: Switched, create: bool) -> None:
    detection = {"type": "server_vad", "create_response": create, "interrupt_response": not create}
    with Talk(switched(held=True), turn_detection=detection) as talk:
        talk.typed("Who are you?")
        talk.send("response.create")
        talk.until("response.audio.delta")
        talk.told()
        talk.hear(speech(switched(), "What is two plus two?"))
        if create:
            talk.until(HEARD[2])
            switched.go_on.set()
            assert talk.done()["status"] == "completed"
            assert "4" in words(talk.done())
        else:
            assert talk.done()["status"] == "cancelled"
            talk.until(HEARD[2])
            talk.send("session.finish")
            talk.until("session.finished")
            assert "response.created" not in talk.told()


@pytest.mark.parametrize(
    ("model", "type", "told"),
    [
        (PLUS, "semantic_vad", []),
        (AUDIO, "smart_turn", [VAD[0], VAD[2]]),
        (PLUS, "server_vad", [VAD[0], VAD[2], HEARD[0]]),
    ],
)
def test_a_hum_is_no_turn_for_ears_that_judge_meaning(
    switched: Switched, model: str, type: str, told: list[str]
) -> None:
    box = switched(held=True)
    with Talk(box, model, turn_detection={"type": type, "silence_duration_ms": 400}) as talk:
        talk.typed("Who are you?")
        talk.send("response.create")
        talk.until("response.audio.delta")
        talk.told()
        talk.hear(np.concatenate([silence(0.5), hum(0.3), silence(0.7)]))
        if type == "server_vad":
            assert talk.done()["status"] == "cancelled"
        else:
            talk.caught_up()
            switched.go_on.set()
        assert talk.done()["status"] == "completed"
        assert [each for each in talk.told() if each.startswith("input_audio_buffer")] == told
        assert (type == "smart_turn") == any('"turn_invalid"' in str(frame) for frame in talk.frames)
        talk.hear(speech(box, "What is two plus two?"))  # and real speech is one
        talk.done()
        assert talk.told() == [*VAD, *SPOKEN]


@pytest.mark.parametrize("text", ["Yes. What is two plus two?", "Stop."])
def test_ears_that_judge_meaning_hear_a_turn_begin_before_it_ends(box: Sandbox, text: str) -> None:
    with Talk(box, turn_detection={"type": "semantic_vad", "silence_duration_ms": 6000}) as talk:
        talk.told()
        talk.hear(speech(box, text, after=0.4))
        talk.caught_up()
        assert talk.told()[0] == VAD[0]


def test_after_long_silence_the_service_speaks_by_itself(box: Sandbox) -> None:
    with Talk(box, turn_detection={"type": "server_vad", "idle_timeout_ms": 5000}) as talk:
        talk.hear(speech(box, "What is two plus two?"))
        talk.done()
        talk.told()
        talk.hear(silence(5))  # with what came after the question more than five seconds, of which it spoke one or two
        talk.send("response.cancel")
        assert talk.error()["message"] == "Conversation has none active response"
        talk.told()
        talk.hear(silence(9))
        assert words(talk.done()) == "Are you still there?"
        assert talk.told() == SPOKEN


MANUAL = {"type": "session.update", "session": {"turn_detection": None}}
SHOWN = {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": "x"}]}
APPROVAL = {"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}
WRONG: list[tuple[str, list[Json], str]] = [
    (PLUS, [{"type": "response.cancel"}], "Conversation has none active response"),
    (PLUS, [{"type": "input_audio_buffer.commit"}], "Internal service error: null"),
    (PLUS, [MANUAL, {"type": "input_audio_buffer.commit"}], "buffer too small, or have no audio."),
    (PLUS, [{"type": "input_image_buffer.append", "image": "x"}], "Error append image before append audio."),
    (PLUS, [{"type": "input_audio_buffer.append", "audio": "!"}], "Base64"),
    (PLUS, [{"type": "conversation.item.create", "item": SHOWN}], "Invalid video file."),
    (PLUS, [{"type": "conversation.item.create", "item": {"type": "function_call_output"}}], "item.call_id"),
    (PLUS, [{"type": "conversation.item.create"}], "'item'"),
    (PLUS, [{"type": "conversation.item.delete", "item_id": "item_x"}], "does not exist"),
    (FLASH38, [{"type": "conversation.item.create", "item": APPROVAL}], "does not exist"),
    (FLASH38, [{"type": "session.update"}], "'session'"),
    (PLUS, [{"type": "response.create", "response": {"modalities": ["audio"]}}], "Invalid modalities: ['audio']"),
    (PLUS, [{"type": "response.made_up"}], "Invalid event type"),
    (AUDIO, [{"type": "session.finish"}], "Invalid event type"),
    (AUDIO, [{"type": "input_image_buffer.append", "image": "x"}], "Invalid event type"),
]


@pytest.mark.parametrize(("model", "commands", "message"), WRONG)
def test_what_cannot_be_done_is_an_error_and_no_end(
    box: Sandbox, model: str, commands: list[Json], message: str
) -> None:
    with Talk(box, model) as talk:
        for command in commands:
            talk.send(**command, event_id="event_mine")
        error = talk.until("error")["error"]
        assert (error["type"], error["event_id"]) == ("invalid_request_error", "event_mine")
        assert message in error["message"]
        talk.typed("What is two plus two?")
        assert talk.respond()["status"] == "completed"


@pytest.mark.parametrize("switch", [False, True])
def test_cancel_and_create_while_there_is_an_answer(switched: Switched, switch: bool) -> None:
    with Talk(switched(held=True, no_done_after_cancel=switch)) as talk:
        talk.typed("Who are you?")
        talk.send("response.create")
        talk.until("response.audio.delta")
        talk.send("response.create")
        assert talk.error()["message"] == "Conversation already has an active response"
        talk.told()
        talk.send("response.cancel")
        talk.until("response.output_item.done")
        if not switch:
            assert talk.done()["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        assert [each for each in talk.told() if "delta" not in each] == STOPPED[: 5 - switch]
        talk.typed("What is two plus two?")
        assert "4" in words(talk.respond())
        assert "response.done" in talk.told()


def test_a_session_is_finished_when_all_is_said(switched: Switched) -> None:
    with Talk(switched()) as talk:
        talk.typed("What is two plus two?")
        talk.send("response.create")
        talk.send("session.finish")
        talk.until("session.finished")
        assert talk.told()[-2:] == ["response.done", "session.finished"]
    with Talk(switched(strict_finish=True)) as talk:
        talk.send("session.finish")
        assert "Invalid event type" in talk.error()["message"]


# -- tools, items, pictures, the bill ----------------------------------------------------------------------------------


def test_several_calls_are_streamed_and_their_results_told(box: Sandbox) -> None:
    with Talk(box, tools=[WEATHER], turn_detection=None) as talk:
        talk.typed("What is the weather in Paris and in Rome?")
        talk.told()
        response = talk.respond()
        calls = response["output"]
        deltas = [each for each in talk.log if each["type"] == "response.function_call_arguments.delta"]
        whole = [each for each in talk.log if each["type"] == "response.function_call_arguments.done"]
        one = ["response.function_call_arguments.delta", "response.function_call_arguments.done"]
        one = ["response.output_item.added", "conversation.item.created", *one, "response.output_item.done"]
        assert talk.told() == ["response.created", *one, *one, "response.done"]
        assert [json.loads(each["arguments"])["city"] for each in calls] == ["Paris", "Rome"]
        assert [each["output_index"] for each in whole] == [0, 1]
        for call, done in zip(calls, whole, strict=True):
            mine = [each["delta"] for each in deltas if each["call_id"] == call["call_id"]]
            assert len(mine) > 3
            assert "".join(mine) == done["arguments"] == call["arguments"]
        assert "audio_tokens" not in response["usage"]["output_tokens_details"]
        for call, degrees in zip(calls, (21, 27), strict=True):
            talk.output(call, {"degrees": degrees})
        text = words(talk.respond())
        assert "21" in text
        assert "27" in text
        talk.typed("And the weather in Oslo?")
        assert talk.respond(tool_choice="none")["output"][0]["type"] == "message"


def test_an_answer_to_a_call_waits_for_its_turn(switched: Switched) -> None:
    with Talk(switched(held=True), tools=[WEATHER]) as talk:
        talk.typed("What is the weather in Paris?")
        call = talk.respond()["output"][0]
        talk.typed("Who are you?")
        talk.send("response.create", response={"tool_choice": "none"})
        talk.until("response.audio.delta")
        talk.output(call, {"degrees": 21})
        talk.send("response.create")
        talk.caught_up()
        switched.go_on.set()
        assert "sandbox" in words(talk.done())
        assert talk.done()["status"] == "completed"


def test_answers_to_all_calls_go_on_by_themselves_where_that_is_so(switched: Switched) -> None:
    with Talk(switched(auto_continue_tools=True), tools=[WEATHER], modalities=["text"]) as talk:
        talk.typed("What is the weather in Paris and in Rome?")
        calls = talk.respond()["output"]
        talk.told()
        for call in calls:
            talk.output(call, {"degrees": 21})
        talk.until("response.done")
        talk.send("session.finish")
        talk.until("session.finished")
        assert talk.told() == ["conversation.item.created"] * 2 + WRITTEN + ["session.finished"]


def test_items_have_names_and_places(box: Sandbox) -> None:
    with Talk(box) as talk:
        assert talk.typed("My name is Ada.", id="item_mine")["item"]["id"] == "item_mine"
        assert talk.typed("Again.", id="item_mine")["error"]["param"] == "item.id"
        answer = talk.respond(modalities=["text"], conversation="none")["output"][0]
        talk.send("conversation.item.retrieve", item_id=answer["id"])
        assert "does not exist" in talk.error()["message"]
        talk.typed("What is my name?")
        assert "Ada" in words(talk.respond(messages=[{"role": "user", "content": "ignored"}]))
        talk.send("conversation.item.delete", item_id="item_mine")
        assert talk.until("conversation.item.deleted")["item_id"] == "item_mine"
        spoken = talk.log[-2]["response"]["output"][0]
        talk.send("conversation.item.truncate", item_id=spoken["id"], content_index=0, audio_end_ms=300)
        talk.until("conversation.item.truncated")
        talk.send("conversation.item.retrieve", item_id=spoken["id"])
        kept = talk.until("conversation.item.retrieved")["item"]["content"][0]["transcript"]
        assert spoken["content"][0]["transcript"].startswith(kept)
        assert len(kept) < len(spoken["content"][0]["transcript"])
        for name, after in (("Bo", "root"), ("Cy", "item_Bo")):
            content = [{"type": "input_text", "text": f"My name is {name}."}]
            item = {"id": f"item_{name}", "type": "message", "role": "user", "content": content}
            talk.send("conversation.item.create", item=item, previous_item_id=after)
            talk.until("conversation.item.created")
        talk.typed("What is my name?")
        assert "Cy" in words(talk.respond())


def test_pictures_are_seen_with_the_words_they_came_with(switched: Switched) -> None:
    with Talk(switched(), turn_detection=None) as talk:
        talk.hear(speech(switched(), "How many circles are there?"))
        talk.send("input_image_buffer.append", image=encoded(b"\x89PNG no jpeg"))
        assert "JPEG" in talk.error()["message"]
        talk.send("input_image_buffer.append", image="A" * 270_000)
        assert "256 KB" in talk.error()["message"]
        talk.send("input_image_buffer.append", image=picture())
        talk.send("input_audio_buffer.commit")
        response = talk.respond()
        assert "one circle" in words(response)
        seconds = len(speech(switched(), "How many circles are there?")) / RATE
        details = response["usage"]["input_tokens_details"]
        assert details["image_tokens"] == 10 * 8
        assert abs(details["audio_tokens"] - seconds * 7) < 1
        talk.send("input_image_buffer.append", image=picture())  # after the commit sound comes first again
        assert talk.error()["message"] == "Error append image before append audio."
    with Talk(switched(image_rule="lenient")) as talk:
        talk.hear(silence(0.2))
        talk.send("input_image_buffer.append", image="A" * 270_000)
        assert "JPEG" in talk.error()["message"]
    with Talk(switched()) as talk:  # and under voice activity detection before speech has stopped
        pcm = speech(switched(), "How many circles are there?")
        talk.hear(pcm[:8000])
        for left in range(60, 90, 6):  # a camera sends several of one thing
            talk.send("input_image_buffer.append", image=picture(left))
        talk.hear(pcm[8000:])
        response = talk.done()
        assert words(response).count("one circle") == 1
        assert response["usage"]["input_tokens_details"]["image_tokens"] == 5 * 10 * 8


def test_speech_that_nobody_knows_is_told_as_such(box: Sandbox) -> None:
    with Talk(box, FLASH3, modalities=["text"]) as talk:
        talk.hear(np.concatenate([silence(0.4), hum(0.7), silence(1.2)]))
        response = talk.done()
        transcript = next(each["transcript"] for each in talk.log if "transcript" in each)
        assert transcript.startswith("[unrecognised speech, 0.")
        assert "unrecognised" in words(response)
        assert response["usage"]["input_tokens_details"]["audio_tokens"] == pytest.approx(12.5 * 2, abs=5)


def test_the_bill_counts_a_second_that_has_begun(box: Sandbox) -> None:
    with Talk(box, enable_search=True, modalities=["text"], turn_detection=None) as talk:
        talk.hear(silence(0.3))
        talk.send("input_audio_buffer.commit")
        talk.typed("How much does a ticket of the Helia ferry cost?")
        usage = talk.respond()["usage"]
        assert usage["input_tokens_details"]["audio_tokens"] == 7
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["input_tokens"] == sum(
            count for name, count in usage["input_tokens_details"].items() if name != "cached_tokens"
        )


@pytest.mark.parametrize(("model", "kept"), [(FLASH3, 8), (PLUS, 100)])
def test_the_oldest_turns_are_forgotten(model: str, kept: int) -> None:
    facts = catalogue.model(model)
    assert facts is not None
    conversation = Conversation(facts)
    for at in range(120):
        conversation.put(Item(wire(f"u{at}", "message", role="user"), {"role": "user", "content": str(at)}, 1.0))
        conversation.put(Item(wire(f"a{at}", "message", role="assistant"), {"role": "assistant", "content": "…"}))
    told = [each["content"] for each in messages(conversation.kept()) if each["role"] == "user"]
    assert told == [str(at) for at in range(120 - kept, 120)]
    assert len([each["content"] for each in messages(conversation.kept(3))]) == 6


def test_what_exceeds_the_input_of_a_model_is_forgotten_from_its_beginning(box: Sandbox) -> None:
    facts = catalogue.model(TURBO)
    assert facts is not None
    assert facts.max_input
    with Talk(box, TURBO, modalities=["text"], turn_detection=None) as talk:
        talk.typed("My name is Ada." + " la" * (facts.max_input // 2))
        talk.typed("My cat is called Tom." + " la" * (facts.max_input // 2))
        talk.typed("What is my cat called?")
        response = talk.respond()
        assert response["status"] == "completed"
        assert response["usage"]["input_tokens"] <= facts.max_input


def test_the_same_session_is_the_same_bytes() -> None:
    def frames() -> list[str | bytes]:
        with Sandbox(key="sk-twin", seed=11) as box, Talk(box, tools=[WEATHER]) as talk:
            for text in ("What is two plus two?", "What is the weather in Paris?"):
                talk.hear(speech(box, text))
                response = talk.done()
            talk.output(response["output"][0], {"degrees": 21})
            talk.respond()
            return talk.frames

    first, second = frames(), frames()
    assert first == second


# -- the recorded flows ----------------------------------------------------------------------------------------------

RECORDED = Path(__file__).parents[1] / "recorded" / "realtime"
# A flow, whether its first answer is broken off, and the switches. No server is reached, so mcp is not here.
FLOWS: list[tuple[str, bool, Json]] = [
    ("open", False, {}),
    ("vad_turn", False, {}),
    ("manual_turn", False, {}),
    ("text_only", False, {}),
    ("typed_turn", False, {}),
    ("barge_in", True, {}),
    ("cancel", True, {}),
    ("cancel_without_done", True, {"no_done_after_cancel": True}),
    ("function_calls", False, {}),
    ("search_and_idle", False, {}),
    ("finish", False, {}),
    ("finish_refused", False, {"strict_finish": True}),
]
# What is said instead, so that the sandbox has as much to say, or as many functions to call.
INSTEAD = dict.fromkeys(("Tell me a long story.", "Count to one hundred."), "Who are you?")
INSTEAD["Light in the hall, dark in the attic."] = "What is the weather in Paris and in Rome?"


def kept(type: str) -> bool:
    """Whether the sheet says when this event comes; it leaves open when a transcript does, and how many deltas."""
    return "input_audio_transcription" not in type and not type.endswith("delta")


def holds(recorded: Any, sent: Any) -> bool:
    """Whether every documented field is there, and of its kind."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        free = ("status_details", "plugins", "input_tokens_details", "output_tokens_details", "obfuscation")
        return all(name in free or (name in sent and holds(value, sent[name])) for name, value in recorded.items())
    return isinstance(sent, int | float) if isinstance(recorded, int | float) else isinstance(sent, type(recorded))


class Replay:
    """The client of a recording, whose words and call ids are made to fit the sandbox."""

    def __init__(self, talk: Talk, box: Sandbox, transcripts: list[str]) -> None:
        self.talk, self.box, self.transcripts = talk, box, iter(transcripts)
        self.calls: dict[str, str] = {}
        self.fed = False

    def send(self, frame: Json) -> None:
        if frame["type"] == "input_audio_buffer.append":
            if not self.fed:
                text = next(self.transcripts)
                self.talk.hear(speech(self.box, INSTEAD.get(text, text)))
            self.fed = True
            return
        if frame["type"] == "input_image_buffer.append":
            frame = {**frame, "image": picture()}
        if frame["type"] == "session.update" and frame["session"].get("tools"):
            frame = {**frame, "session": {**frame["session"], "tools": [WEATHER]}}
        item = frame.get("item", {})
        if item.get("type") == "message":
            text = item["content"][0]["text"]
            frame = {**frame, "item": {**item, "content": [{"type": "input_text", "text": INSTEAD.get(text, text)}]}}
        if "call_id" in item:
            made = dict.fromkeys(each["call_id"] for each in self.talk.log if "call_id" in each)
            self.calls.setdefault(item["call_id"], list(made)[len(self.calls)])
            frame = {**frame, "item": {**item, "call_id": self.calls[item["call_id"]]}}
        self.talk.ws.send(json.dumps(frame))

    def wait(self, types: list[str]) -> None:
        """Until as much has been told as in the recording."""
        while not (Counter(types) <= Counter(each["type"] for each in self.talk.log)):
            self.talk.recv()


@pytest.mark.parametrize(("name", "held", "switches"), FLOWS)
def test_a_recorded_flow_has_the_same_events_and_fields(
    switched: Switched, name: str, held: bool, switches: Json
) -> None:
    lines = [json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text("utf-8").splitlines()]
    starts = [line["frame"].get("item_id") for line in lines if line["frame"]["type"].endswith("speech_started")]
    assert len(set(starts)) == len(starts) - (name == "barge_in")  # the service may say it twice, this one does not
    last = next((line for line in reversed(lines) if line["frame"]["type"].endswith("speech_started")), None)
    lines = [line for line in lines if name != "barge_in" or line is not last]
    server = [line["frame"] for line in lines if line["from"] == "server"]
    transcripts = [frame["transcript"] for frame in server if frame["type"].endswith("transcription.completed")]
    told: list[str] = []
    with Talk(switched(held, **switches)) as talk:
        client = Replay(talk, switched(), transcripts)
        for line, after in zip(lines, [*lines[1:], None], strict=True):
            if line["from"] == "client":
                client.send(line["frame"])
                continue
            client.fed = client.fed and line["frame"]["type"] != "input_audio_buffer.committed"
            told += [line["frame"]["type"]] if kept(line["frame"]["type"]) else []
            if name == "search_and_idle" and told[-1] == "response.done":
                client.wait(told)
                talk.hear(silence(16))
            if after is None or after["from"] == "client":
                client.wait(told + [line["frame"]["type"]] * (not kept(line["frame"]["type"])))
        log = talk.log
    assert [each["type"] for each in log if kept(each["type"])] == told
    for type in {frame["type"] for frame in server}:
        pairs = zip(
            [each for each in server if each["type"] == type],
            [each for each in log if each["type"] == type],
            strict=False,
        )
        for recorded, sent in pairs:
            assert holds(recorded, sent), (recorded, sent)
