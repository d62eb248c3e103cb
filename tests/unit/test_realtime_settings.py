"""Settings of a conversation: what each model is sent for a wish, and how a wish that cannot be is refused."""

from __future__ import annotations

from typing import Any

import pytest

from qwenkit import catalogue
from qwenkit.catalogue.realtime import realtime
from qwenkit.errors import ConfigError
from qwenkit.protocol.realtime.settings import session
from qwenkit.types.options_realtime import ALIASES, KNOWN, RealtimeOptions
from qwenkit.types.voices import OwnVoice

PLUS, NEW = "qwen3.5-omni-plus-realtime", "qwen3.8-omni-flash-realtime"
OLDER, TURBO, AUDIO = "qwen3-omni-flash-realtime", "qwen-omni-turbo-realtime", "qwen-audio-3.0-realtime-plus"
UNKNOWN = "qwen9-omni-realtime"
CONVERSING = [each.name for each in catalogue.models() if each.family == "realtime"]
VAD: dict[str, Any] = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 800}
MCP = {"type": "mcp", "server_label": "notes", "server_url": "https://notes.example/mcp", "allowed_tools": []}


def clock(zone: str) -> str:
    """What time it is."""
    return zone


def test_everything_that_may_be_asked_for_is_in_the_one_table():
    assert frozenset(RealtimeOptions.__annotations__) == KNOWN
    assert set(ALIASES.values()) <= KNOWN


@pytest.mark.parametrize("model", CONVERSING)
def test_with_no_wish_a_model_is_sent_a_whole_session_by_hand(model: str):
    wire, facts, known = session(model), realtime(model), catalogue.model(model)
    assert facts is not None
    assert known is not None
    assert wire["modalities"] == ["text", "audio"]
    assert wire["turn_detection"] is None
    assert wire["input_audio_transcription"] == {"model": facts.transcriber}
    assert ("audio" in wire) == facts.nested != ("input_audio_format" in wire)
    voice = wire["audio"]["output"].get("voice") if facts.needs_session else wire.get("voice")
    assert (voice or "") == known.default_voice


# model, wish, what must be in the session
WISHES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (PLUS, {"system": "Be brief."}, {"instructions": "Be brief."}),
    (PLUS, {"instructions": "Be brief.", "voice": None, "seed": None}, {"instructions": "Be brief.", "voice": "Tina"}),
    (PLUS, {"speak": False}, {"modalities": ["text"]}),
    (PLUS, {"modalities": ["audio", "text"]}, {"modalities": ["text", "audio"]}),
    (PLUS, {"modalities": "text"}, {"modalities": ["text"]}),
    (PLUS, {"voice": "Eliška"}, {"voice": "Eliška"}),
    (PLUS, {"voice": ""}, {"voice": "Tina"}),
    (PLUS, {"voice": "qwen-omni-vc-ab12"}, {"voice": "qwen-omni-vc-ab12"}),
    (PLUS, {"voice": OwnVoice(id="qwen-omni-vc-ab12", model=PLUS)}, {"voice": "qwen-omni-vc-ab12"}),
    (PLUS, {"voice": catalogue.voice("Serena")}, {"voice": "Serena"}),
    (PLUS, {"extra": {"voice": "Nobody", "seen": 1}}, {"voice": "Nobody", "seen": 1}),
    (NEW, {"voice": "Zane"}, {"audio": {
        "input": {"format": {"type": "pcm", "sample_rate": 16000, "channels": 1, "packing": "interleaved",
                             "channel_layout": "mono", "sample_format": "s16le"}},
        "output": {"format": {"type": "pcm", "sample_rate": 24000}, "voice": "Zane"}}}),
    (PLUS, {"input_rate_hz": 8000, "output_rate_hz": 48000, "output_format": "wav"}, {"audio": {
        "input": {"format": {"type": "pcm", "sample_rate": 8000}},
        "output": {"format": {"type": "wav", "sample_rate": 48000}}}}),
    (OLDER, {"input_format": "pcm16"}, {"input_audio_format": "pcm", "output_audio_format": "pcm"}),
    (PLUS, {"turn_detection": "server_vad"}, {"turn_detection": VAD}),
    (PLUS, {"turn_detection": "manual"}, {"turn_detection": None}),
    (PLUS, {"turn_detection": "semantic_vad"}, {"turn_detection": {"type": "semantic_vad"}}),
    (AUDIO, {"turn_detection": "smart_turn", "interrupt": False},
     {"turn_detection": {"type": "smart_turn", "interrupt_response": False}}),
    (PLUS, {"turn_detection": "server_vad", "silence_ms": 400, "prefix_ms": 100, "idle_timeout_ms": 5000,
            "respond": False},
     {"turn_detection": {**VAD, "silence_duration_ms": 400, "prefix_padding_ms": 100, "idle_timeout_ms": 5000,
                         "create_response": False}}),
    (PLUS, {"turn_detection": {"type": "server_vad", "threshold": -1, "silence_duration_ms": 200, "eagerness": "low"}},
     {"turn_detection": {"type": "server_vad", "threshold": -1, "silence_duration_ms": 200, "eagerness": "low"}}),
    (PLUS, {"transcription": False}, {"input_audio_transcription": None}),
    (PLUS, {"transcription": {"language": "en"}}, {"input_audio_transcription": {"language": "en"}}),
    (PLUS, {"search": True}, {"enable_search": True}),
    (PLUS, {"enable_search": True, "search_options": {"enable_source": True}},
     {"enable_search": True, "search_options": {"enable_source": True}}),
    (NEW, {"tools": [MCP], "tool_choice": "auto"}, {"tools": [MCP], "tool_choice": "auto"}),
    (PLUS, {"temperature": 0, "top_p": 1.0, "top_k": None, "max_tokens": 9, "seed": 0, "presence_penalty": -2},
     {"temperature": 0, "top_p": 1.0, "top_k": None, "max_tokens": 9, "seed": 0, "presence_penalty": -2}),
    (NEW, {"repetition_penalty": 0, "compact_video": True},
     {"repetition_penalty": 0, "video": {"input": {"representation_compact": "normal"}}}),
    (OLDER, {"smooth_output": None}, {"smooth_output": None}),
    (AUDIO, {"max_history_turns": 50, "enable_speech_emotion": False},
     {"max_history_turns": 50, "enable_speech_emotion": False}),
    (UNKNOWN, {"voice": "Anyone", "turn_detection": "smart_turn", "channels": 2, "smooth_output": True, "search": True},
     {"voice": "Anyone", "turn_detection": {"type": "smart_turn"}, "smooth_output": True, "enable_search": True}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "wish", "part"), WISHES, ids=range(len(WISHES)))
def test_a_wish_becomes_what_the_model_wants(model: str, wish: dict[str, Any], part: dict[str, Any]):
    wire = session(model, wish)
    assert {name: wire.get(name, "missing") for name in part} == part


def test_a_voice_asked_for_in_extra_has_no_other_beside_it():
    wire = session(NEW, {"extra": {"voice": "Nobody"}})
    assert wire["voice"] == "Nobody"
    assert "voice" not in wire["audio"]["output"]


def test_functions_are_told_in_the_nested_shape():
    (tool,) = session(PLUS, {"tools": clock})["tools"]
    assert (tool["type"], tool["function"]["name"], tool["function"]["parameters"]["type"]) == (
        "function",
        "clock",
        "object",
    )


def test_nothing_of_a_wish_is_changed():
    wish: dict[str, Any] = {
        "turn_detection": {"type": "server_vad"},
        "extra": {"a": 1},
        "transcription": {"model": "x"},
    }
    kept = {name: dict(value) for name, value in wish.items()}
    session(PLUS, wish)
    assert wish == kept


# model, wish, what is wrong, and the cure
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    (PLUS, {"temprature": 1}, "no option 'temprature'", "did you mean 'temperature'"),
    (PLUS, {"sample_rate": 8000}, "no option 'sample_rate'", "input_rate_hz"),
    (PLUS, {"system": "a", "instructions": "b"}, "given twice", "one of them"),
    (PLUS, {"system": 3}, "instructions cannot be 3", "Be brief"),
    (PLUS, {"modalities": ["audio"]}, "modalities cannot be", "to read only"),
    (PLUS, {"modalities": ["text", "video"]}, "modalities cannot be", "to read only"),
    (PLUS, {"modalities": 5}, "modalities cannot be 5", "to read only"),
    (PLUS, {"speak": True, "modalities": ["text"]}, "contradict", "one of them"),
    (PLUS, {"voice": "tina"}, "no voice 'tina'", "did you mean 'Tina'"),
    (PLUS, {"voice": "Cherry"}, "no voice 'Cherry'", "it has Tina"),
    (NEW, {"voice": "Ethan"}, "no voice 'Ethan'", "qwen.voices"),
    (PLUS, {"voice": 5}, "voice cannot be 5", "qwen.voices"),
    (PLUS, {"turn_detection": "server_vad", "threshold": 1.5}, "threshold cannot be 1.5", "from -1 to 1"),
    (PLUS, {"turn_detection": {"silence_duration_ms": 100}}, "silence_ms cannot be 100", "from 200 to 6,000"),
    (PLUS, {"turn_detection": "server_vad", "idle_timeout_ms": 100}, "idle_timeout_ms cannot be", "5,000 to 30,000"),
    (PLUS, {"turn_detection": "server_vad", "prefix_ms": "1"}, "prefix_ms cannot be '1'", "from 0"),
    (PLUS, {"turn_detection": "server_vad", "respond": 1}, "respond cannot be 1", "True or False"),
    (PLUS, {"threshold": 0.1}, "threshold is for finding the end of speech", 'turn_detection="server_vad"'),
    (PLUS, {"turn_detection": True}, "no turn_detection True", "it has server_vad"),
    (PLUS, {"turn_detection": {"silence": 500}}, "no option 'silence'", "did you mean 'silence_ms'"),
    (PLUS, {"turn_detection": "vad"}, "no turn_detection 'vad'", "semantic_vad"),
    (OLDER, {"turn_detection": "semantic_vad"}, "no turn_detection 'semantic_vad'", PLUS),
    (PLUS, {"turn_detection": "smart_turn"}, "no turn_detection 'smart_turn'", "qwen-audio-3.0"),
    (AUDIO, {"turn_detection": "smart_turn", "silence_ms": 900}, "smart_turn has no silence_ms", "fixed"),
    (OLDER, {"turn_detection": "server_vad", "idle_timeout_ms": 5000}, "no idle_timeout_ms", PLUS),
    (PLUS, {"turn_detection": "semantic_vad", "idle_timeout_ms": 5000}, "no idle_timeout_ms", "server_vad"),
    (PLUS, {"transcription": 5}, "transcription cannot be 5", "name of a model"),
    (PLUS, {"tools": [clock], "search": True}, "tools or search, not both", "leave one"),
    (TURBO, {"tools": [clock]}, "no tools", PLUS),
    (PLUS, {"tools": [MCP]}, "no tools of type mcp", NEW),
    (NEW, {"tools": [{**MCP, "server_label": "a b"}]}, "cannot be called 'a b'", "server_label"),
    (NEW, {"tools": [{**MCP, "server_url": "http://notes.example"}]}, "cannot be at", "https"),
    (OLDER, {"search": True}, "no search", PLUS),
    (TURBO, {"temperature": 0.5}, "no sampling to be changed", PLUS),
    (PLUS, {"temperature": 2}, "temperature cannot be 2", "2 itself is none"),
    (PLUS, {"top_p": 0}, "top_p cannot be 0", "0 itself is none"),
    (PLUS, {"top_k": 1.5}, "top_k cannot be 1.5", "whole numbers"),
    (PLUS, {"seed": 2**31}, "seed cannot be", "2,147,483,647"),
    (PLUS, {"temperature": float("nan")}, "temperature cannot be nan", "from 0"),
    (PLUS, {"temperature": True}, "temperature cannot be True", "from 0"),
    (PLUS, {"repetition_penalty": 0}, "repetition_penalty cannot be 0", "above 0"),
    (OLDER, {"max_tokens": 20_000}, "at most 16,384", "max_tokens=16384"),
    (PLUS, {"channels": 2}, "channels cannot be 2", "it is 1"),
    (NEW, {"input_rate_hz": 24_000}, "input_rate_hz cannot be 24000", "16000"),
    (OLDER, {"output_rate_hz": 48_000}, "output_rate_hz cannot be 48000", "24000"),
    (PLUS, {"output_rate_hz": 44_100}, "output_rate_hz cannot be 44100", "48000"),
    (PLUS, {"input_format": "wav"}, "input_format cannot be 'wav'", "made of any sound"),
    (PLUS, {"transcription": "en"}, "'en' is no model", "leave it out"),
    (PLUS, {"transcription": "English"}, "'English' is no model", "leave it out"),
    (PLUS, {"tool_choice": "weather"}, "tool_choice cannot be 'weather'", "pass tools="),
    (PLUS, {"tool_choice": clock}, "tool_choice cannot be", "pass tools="),
    (PLUS, {"tool_choice": "clok", "tools": [clock]}, "tool_choice cannot be 'clok'", "one of the tools"),
    (PLUS, {"input_format": "mp3"}, "input_format cannot be 'mp3'", "pcm"),
    (PLUS, {"input_format": ["pcm"]}, "input_format cannot be", "pcm"),
    (PLUS, {"smooth_output": True}, "no smooth_output", OLDER),
    (PLUS, {"compact_video": True}, "no compact_video", NEW),
    (PLUS, {"max_history_turns": 10}, "no max_history_turns", "qwen-audio"),
    (AUDIO, {"max_history_turns": 51}, "max_history_turns cannot be 51", "from 1 to 50"),
    (PLUS, {"extra": 5}, "extra cannot be 5", "dict"),
    ("qwen-plus", {}, "does not converse over a socket", "qwen.chat"),
    ("qwen3-tts-flash-realtime", {}, "does not converse over a socket", "qwen.speech.live"),
]


@pytest.mark.parametrize(("model", "wish", "wrong", "cure"), REFUSED, ids=range(len(REFUSED)))
def test_a_wish_that_cannot_be_is_refused_with_a_cure(model: str, wish: dict[str, Any], wrong: str, cure: str):
    with pytest.raises(ConfigError) as refused:
        session(model, wish)
    assert wrong in refused.value.message
    assert cure in refused.value.hint
    assert "\n" not in str(refused.value)
