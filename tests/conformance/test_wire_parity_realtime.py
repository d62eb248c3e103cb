"""Wire parity of realtime sessions: for the same command the official `dashscope` SDK and qwenkit send the same frame.

Where they differ on purpose it stands in `DIFFERENCES`, with the reason; any other difference fails.
"""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import dashscope
import pytest
from dashscope.audio.qwen_omni import AudioFormatConfig
from PIL import Image
from talking import BOTH, MODEL, QUIET, RAIN, TEXT, base64_of, talking, typed

import qwenkit as qk
from qwenkit.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings("ignore:dashscope 2.0 audio API is a preview:FutureWarning")
OMNI38, OMNI3, AUDIO = "qwen3.8-omni-flash-realtime", "qwen3-omni-flash-realtime", "qwen-audio-3.1-realtime-plus"
ABSENT = "absent"
Flat = dict[str, Any]
SOUND = bytes(range(200)) * 8

ASR = "qwen3-asr-flash-realtime"
# What is different on purpose: of which command, where, what the SDK sends, what qwenkit sends, and why.
DIFFERENCES = [
    ("answer", "response.instructions", None, ABSENT, "nothing was said: nothing is sent"),
    ("all defaults", "session.voice", None, "Tina", "the model's own voice has a name, and the reply remembers it"),
    ("all defaults", "session.input_audio_transcription.model", None, ASR, "the documented name"),
    ("all defaults", "session.input_audio_format", "pcm16", ABSENT, "models with nested formats get those,"),
    ("all defaults", "session.output_audio_format", "pcm16", ABSENT, "because they alone obey a rate"),
    ("all defaults", "session.audio.input.format.type", ABSENT, "pcm", "and said is said: the echo can be compared"),
    ("all defaults", "session.audio.input.format.sample_rate", ABSENT, 16000, "likewise"),
    ("all defaults", "session.audio.output.format.type", ABSENT, "pcm", "likewise"),
    ("all defaults", "session.audio.output.format.sample_rate", ABSENT, 24000, "likewise"),
    ("all defaults", "session.turn_detection.threshold", 0.2, 0.5, "what is documented, not what the SDK made of it"),
    ("all defaults", "session.turn_detection.prefix_padding_ms", 300, ABSENT, "not in the table of requests"),
    ("style", "session.input_audio_format", "pcm16", "pcm", "the name that is documented since March 2026"),
    ("style", "session.output_audio_format", "pcm16", "pcm", "likewise"),
]


def jpeg() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (16, 16), "teal").save(made, "jpeg")
    return made.getvalue()


def flat(value: Any, path: str = "") -> Flat:
    if not isinstance(value, dict) or not value:
        return {path: json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else value}
    inner = [flat(each, f"{path}.{name}".lstrip(".")) for name, each in value.items()]
    return {name: leaf for each in inner for name, leaf in each.items()}


class Side:
    """One of the two: its session, and what the sandbox heard in it."""

    def __init__(self, session: Any, recorder: Sandbox) -> None:
        self.session, self.seen = session, recorder.requests[-1]

    def says(self, act: Callable[[Any], Any], kind: str = "") -> Flat:
        """The frame that comes of a command. What the sandbox makes of it is not the question."""
        before = len(self.seen.frames)
        with contextlib.suppress(qk.QwenError):
            act(self.session)
        return self.frame(before, kind)

    def frame(self, before: int, kind: str = "") -> Flat:
        """The first after so many, or the first of a kind: a picture of ours may have silence before it."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for text in list(self.seen.frames)[before:]:
                if (frame := json.loads(text))["type"] == (kind or frame["type"]):
                    return {name: value for name, value in flat(frame).items() if name != "event_id"}
            time.sleep(0.002)
        raise AssertionError(f"no {kind} in {list(self.seen.frames)[before:]}")


@pytest.fixture(scope="module")
def sides(recorder: Sandbox, qwen: qk.Client) -> Iterator[Callable[[str], tuple[Side, Side]]]:
    """A session of each library with a model, opened once: `OmniRealtimeConversation`, or for those that only the
    newer client knows, that."""
    open_sides: dict[str, tuple[Side, Side]] = {}
    with ExitStack() as stack:
        client = stack.enter_context(dashscope.Client(api_key=recorder.key, base_url=f"{recorder.url}/api/v1"))

        def opened(model: str) -> tuple[Side, Side]:
            if model not in open_sides:
                if model in (OMNI38, AUDIO):
                    address = f"ws{recorder.url.removeprefix('http')}/api-ws/v1/realtime"
                    sdk = stack.enter_context(client.audio.realtime.connect(model=model, ws_url=address, timeout=30))
                    sdk.recv_event()
                else:
                    sdk = stack.enter_context(talking(recorder, model)).sdk
                theirs = Side(sdk, recorder)
                ours = Side(stack.enter_context(qwen.realtime.connect(model)), recorder)
                open_sides[model] = theirs, ours
            return open_sides[model]

        yield opened


ITEM = {"type": "function_call_output", "call_id": "call_1", "output": '{"rain": true}'}
VAD = {"turn_detection_threshold": 0.3, "turn_detection_silence_duration_ms": 600, "prefix_padding_ms": 200}
OUR_VAD = {"turn_detection": "server_vad", "threshold": 0.3, "silence_ms": 600, "prefix_ms": 200}
SAMPLING = {"temperature": 0.3, "top_k": 9, "max_tokens": 99, "seed": 7, "presence_penalty": 1.0}
Command = tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
COMMANDS: dict[str, Command] = {
    "append": (MODEL, lambda sdk: sdk.append_audio(base64_of(SOUND)), lambda us: us.append(SOUND)),
    "picture": (MODEL, lambda sdk: sdk.append_video(base64_of(jpeg())), lambda us: us.look(qk.Image(jpeg()))),
    "commit": (MODEL, lambda sdk: sdk.commit(), lambda us: us.commit()),
    "clear": (MODEL, lambda sdk: sdk.clear_appended_audio(), lambda us: us.clear()),
    "typed": (MODEL, lambda sdk: sdk.create_item(typed("Hello")), lambda us: us.add("Hello")),
    "item": (MODEL, lambda sdk: sdk.create_item(ITEM), lambda us: us.add(ITEM)),
    "approval": (
        OMNI38,
        lambda sdk: sdk.create_item({"type": "mcp_approval_response", "approval_request_id": "i1", "approve": True}),
        lambda us: us.approve("i1"),
    ),
    "placed item": (
        AUDIO,
        lambda sdk: sdk.create_item(typed("Hello"), previous_item_id="item_1"),
        lambda us: us.send("conversation.item.create", item=typed("Hello"), previous_item_id="item_1"),
    ),
    "retrieve": (
        AUDIO,
        lambda sdk: sdk.retrieve_item("item_1"),
        lambda us: us.send("conversation.item.retrieve", item_id="item_1"),
    ),
    "delete": (
        AUDIO,
        lambda sdk: sdk.delete_item("item_1"),
        lambda us: us.send("conversation.item.delete", item_id="item_1"),
    ),
    "finish": (OMNI3, lambda sdk: sdk.end_session_async(), lambda us: us.send("session.finish")),
    "answer": (MODEL, lambda sdk: sdk.create_response(), lambda us: us.respond()),
    "answer to order": (
        MODEL,
        lambda sdk: sdk.create_response("Be terse.", TEXT),
        lambda us: us.respond(instructions="Be terse.", modalities=["text"]),
    ),
    "newer answer": (OMNI38, lambda sdk: sdk.create_response(), lambda us: us.respond()),
    "newer answer to order": (
        OMNI38,
        lambda sdk: sdk.create_response(["text"], temperature=0),
        lambda us: us.respond(modalities=["text"], extra={"temperature": 0}),
    ),
    "cancel": (MODEL, lambda sdk: sdk.cancel_response(), lambda us: us.send("response.cancel")),
}


# What qwenkit says anyway, said to the SDK: two say it to the same effect only if both say it.
ALOUD: dict[str, dict[str, Any]] = {
    MODEL: {
        "output_modalities": BOTH,
        "voice": "Tina",
        "input_audio_config": AudioFormatConfig(),
        "output_audio_config": AudioFormatConfig(sample_rate=24000),
        "input_audio_transcription_model": ASR,
        **QUIET,
    },
    OMNI3: {"output_modalities": BOTH, "voice": "Cherry", "input_audio_transcription_model": ASR, **QUIET},
    OMNI38: {
        "output_modalities": ["text", "audio"],
        "voice": "Tina",
        "input_audio_config": {
            "type": "pcm",
            "sample_rate": 16000,
            "sample_format": "s16le",
            "channels": 1,
            "packing": "interleaved",
            "channel_layout": "mono",
        },
        "output_audio_config": {"type": "pcm", "sample_rate": 24000},
        "enable_input_audio_transcription": True,
        "enable_turn_detection": False,
    },
    AUDIO: {
        "output_modalities": ["text", "audio"],
        "voice": "longanlufeng",
        "input_audio_format": "pcm",
        "output_audio_format": "pcm",
        "input_audio_transcription_model": "fun-asr",
        "enable_turn_detection": False,
    },
}
LISTEN = {"enable_turn_detection": True}
TWO = {**ALOUD[OMNI38]["input_audio_config"], "channels": 2, "channel_layout": "raw_mic_array"}
# The model, what the SDK is told beyond that, what qwenkit is told.
SETTINGS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "manual": (MODEL, {}, {}),
    "text only": (MODEL, {"output_modalities": TEXT}, {"speak": False}),
    "a voice": (MODEL, {"voice": "Ethan"}, {"voice": "Ethan"}),
    "instructions": (MODEL, {"instructions": "Be terse."}, {"system": "Be terse."}),
    "server_vad": (MODEL, {**LISTEN, **VAD}, OUR_VAD),
    "semantic_vad": (
        MODEL,
        {**LISTEN, **VAD, "turn_detection_type": "semantic_vad"},
        {**OUR_VAD, "turn_detection": "semantic_vad"},
    ),
    "idle": (
        MODEL,
        {**LISTEN, **VAD, "turn_detection_param": {"idle_timeout_ms": 6000}},
        {**OUR_VAD, "idle_timeout_ms": 6000},
    ),
    "no answers": (
        MODEL,
        {**LISTEN, **VAD, "turn_detection_param": {"create_response": False, "interrupt_response": False}},
        {**OUR_VAD, "respond": False, "interrupt": False},
    ),
    "no transcript": (MODEL, {"enable_input_audio_transcription": False}, {"transcription": False}),
    "a transcriber": (MODEL, {"input_audio_transcription_model": "gummy"}, {"transcription": "gummy"}),
    "tools": (MODEL, {"tools": [RAIN]}, {"tools": [RAIN]}),
    "search": (
        MODEL,
        {"enable_search": True, "search_options": {"enable_source": True}},
        {"search": {"enable_source": True}},
    ),
    "sampling": (MODEL, SAMPLING, SAMPLING),
    "rates": (
        MODEL,
        {
            "input_audio_config": AudioFormatConfig(sample_rate=8000),
            "output_audio_config": AudioFormatConfig("wav", sample_rate=48000),
        },
        {"input_rate_hz": 8000, "output_rate_hz": 48000, "output_format": "wav"},
    ),
    "anything else": (MODEL, {"a_new_field": 1}, {"extra": {"a_new_field": 1}}),
    "style": (OMNI3, {"smooth_output": False}, {"smooth_output": False}),
    "newest": (OMNI38, {}, {}),
    "newest, listening": (
        OMNI38,
        {**LISTEN, "turn_detection_threshold": 0.3, "turn_detection_silence_duration_ms": 600},
        {"turn_detection": "server_vad", "threshold": 0.3, "silence_ms": 600},
    ),
    "two microphones": (OMNI38, {"input_audio_config": TWO}, {"channels": 2}),
    "fewer video tokens": (OMNI38, {"input_video_representation_compact": "normal"}, {"compact_video": True}),
    "smart_turn": (
        AUDIO,
        {**LISTEN, "turn_detection_type": "smart_turn", "max_history_turns": 9},
        {"turn_detection": "smart_turn", "voice": "longanlufeng", "max_history_turns": 9},
    ),
}


def differences(said: Flat, ours: Flat) -> Flat:
    pairs = {path: (said.get(path, ABSENT), ours.get(path, ABSENT)) for path in {**said, **ours}}
    return {path: pair for path, pair in pairs.items() if pair[0] != pair[1]}


def meant(name: str) -> Flat:
    return {path: (theirs, ours) for command, path, theirs, ours, _ in DIFFERENCES if command == name}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_the_same_frame(name: str, sides: Any):
    model, theirs, ours = COMMANDS[name]
    sdk, us = sides(model)
    said = sdk.says(theirs)
    assert differences(said, us.says(ours, said["type"])) == meant(name)


@pytest.mark.parametrize("name", [*SETTINGS, "all defaults"])
def test_settings_are_the_same_session(name: str, sides: Any, recorder: Sandbox, qwen: qk.Client):
    model, theirs, ours = SETTINGS.get(name, (MODEL, {}, {"turn_detection": "server_vad"}))
    options = {**ALOUD[model], **theirs} if name in SETTINGS else {"output_modalities": BOTH}
    said = sides(model)[0].says(lambda sdk: sdk.update_session(**options))
    with qwen.realtime.connect(model, **ours):
        we = Side(None, recorder).frame(0)
    assert said["type"] == we["type"] == "session.update"
    assert differences(said, we) == meant(name)
