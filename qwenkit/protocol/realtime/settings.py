"""The settings of a conversation: friendly options in, the session object out, whole, as this model wants it.

Each wish is held against what the catalogue knows of the model, and refused with a cure before anything is sent. Of a
model nobody knows everything is believed. The whole object is built each time, because whether a service patches or
replaces its settings is not settled.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.catalogue import realtime as known
from qwenkit.catalogue.realtime import RealtimeFacts
from qwenkit.errors import ConfigError
from qwenkit.protocol import options as checked
from qwenkit.protocol.functions import choice, wire_tools
from qwenkit.protocol.options import Range, one_of
from qwenkit.protocol.spoken import LANGUAGES
from qwenkit.types.options_realtime import ALIASES, ELSEWHERE, KNOWN
from qwenkit.types.voices import OwnVoice

MANUAL = (None, False, "manual")


_DETECTION = {
    "threshold": Range(*known.THRESHOLD, "lower hears softer speech"),
    "silence_ms": Range(*known.SILENCE_MS, "so long a pause ends a turn"),
    "prefix_ms": Range(0, 10_000, "so much before speech belongs to it"),
    "idle_timeout_ms": Range(*known.IDLE_TIMEOUT_MS, "after so long a silence the model speaks up"),
}
_SAMPLING = {
    "temperature": Range(0, 2, never=2),
    "top_p": Range(0, 1, never=0),
    "top_k": Range(0, 2**31 - 1, whole=True),
    "max_tokens": Range(1, 2**31 - 1, whole=True),
    "seed": Range(-1, 2**31 - 1, whole=True),
    "repetition_penalty": Range(0, 100, "1 changes nothing"),
    "presence_penalty": Range(-2, 2),
}
_HISTORY = Range(1, 50, whole=True)
_WIRE = {here: wire for wire, here in ALIASES.items()}
_SWITCHES = ("respond", "interrupt")
_ABLE: dict[str, Callable[[RealtimeFacts], Any]] = {  # wishes that not every model grants, and which do
    "tools": lambda facts: facts.functions,
    "tools of type mcp": lambda facts: facts.mcp,
    "search": lambda facts: facts.search,
    "sampling to be changed": lambda facts: not facts.fixed_sampling,
    "idle_timeout_ms": lambda facts: facts.idle_timeout,
    "compact_video": lambda facts: facts.compact_video,
    "smooth_output": lambda facts: facts.smooth_output,
    "max_history_turns": lambda facts: "smart_turn" in facts.detections,
    "enable_speech_emotion": lambda facts: "smart_turn" in facts.detections,
    "voiceprint_audio_urls": lambda facts: "smart_turn" in facts.detections,
}
_PASSED = ("compact_video", "smooth_output", "max_history_turns", "enable_speech_emotion", "voiceprint_audio_urls")
_OF_ONE = ("instructions", "modalities", "speak", "tool_choice", "conversation", "extra")
_SAMPLES = ("pcm", "pcm16", "pcm24")
_EVERY = ("server_vad", "semantic_vad", "smart_turn")
_GRANTED = ("nested", "idle_timeout", "search", "functions", "mcp", "compact_video", "smooth_output")
_ANY = msgspec.convert(
    {"group": "", "models": [], "detections": _EVERY, "channels": (1, 2, 4), **dict.fromkeys(_GRANTED, True)},
    RealtimeFacts,
)
_LAYOUTS = {1: "mono", 2: "raw_mic_array", 4: "foa_ambix"}
_MCP_CURE = '{"type": "mcp", "server_label": "notes", "server_url": "https://…"}'
_NULLS = ("turn_detection", "transcription", "top_k", "smooth_output")  # where None is a wish of its own
_SIBLINGS = {
    "tts-realtime": "qwen.speech.live(…) reads aloud",
    "asr-realtime": "qwen.transcribe.live(…) writes down",
    "livetranslate": "qwen.translate.live(…) translates",
}


def session(model: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The session object that asks for all this."""
    wish, extra = _spelled(options or {}), checked.extra((options or {}).get("extra"))
    found = catalogue.model(checked.model(model))
    if found is not None and found.family != "realtime":
        cure = _SIBLINGS.get(found.family, f"use {_who(lambda facts: True)}, or qwen.chat for this one")
        raise ConfigError(f"{model} does not converse over a socket", hint=cure)
    facts = known.realtime(model) or _ANY
    voice = "" if "voice" in extra else _voice(model, wish.get("voice"))
    wire: dict[str, Any] = {"modalities": _modalities(wish), **_formats(model, facts, wish, voice)}
    wire["input_audio_transcription"] = _transcription(facts, wish.get("transcription", True))
    wire["turn_detection"] = turn_detection(model, facts, wish)
    wire |= _told(wish) | _tools(model, facts, wish) | _sampling(model, facts, wish)
    granted = {name: _granted(model, facts, name, wish[name]) for name in _PASSED if name in wish}
    if "max_history_turns" in wish:
        _HISTORY.check("max_history_turns", wish["max_history_turns"])
    if (compact := granted.pop("compact_video", None)) is not None:
        wire["video"] = {"input": {"representation_compact": "normal" if compact else "none"}}
    return {**wire, **granted, **extra}


def response(options: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of one answer, where that can be another than the session's."""
    wish = _spelled(options, _OF_ONE, "an answer", {name: f"session.update({name}=…) sets it" for name in KNOWN})
    modalities = {"modalities": _modalities(wish)} if wish.keys() & {"modalities", "speak"} else {}
    kept: dict[str, Any] = {name: wish[name] for name in ("tool_choice", "conversation") if name in wish}
    return {**_told(wish), **modalities, **kept, **checked.extra(wish.get("extra"))}


def _told(wish: Mapping[str, Any]) -> dict[str, str]:
    given = wish.get("instructions", "")
    if not isinstance(given, str):
        raise ConfigError(f"instructions cannot be {given!r:.60}", hint='system="Be brief."')
    return {"instructions": given} if given else {}


def _spelled(
    options: Mapping[str, Any], known: Collection[str] = KNOWN, api: str = "realtime", elsewhere: Any = ELSEWHERE
) -> dict[str, Any]:
    """The options under the names they have here; what is None was not said, where that is no wish of its own."""
    wish: dict[str, Any] = {}
    for name, value in options.items():
        here = ALIASES.get(name, name)
        if here in wish:
            raise ConfigError(f"{here} is given twice, once as {_WIRE[here]}", hint="pass one of them")
        if value is not None or here in _NULLS:
            wish[here] = value
    if isinstance(sources := wish.pop("search_options", None), Mapping):
        wish["search"] = sources
    checked.refuse_unknown(wish, known, api, elsewhere)
    return wish


def _modalities(wish: Mapping[str, Any]) -> list[str]:
    given = wish.get("modalities", ["text", "audio"] if wish.get("speak", True) else ["text"])
    told = [given] if isinstance(given, str) else given
    if told not in (["text"], ["text", "audio"], ["audio", "text"], ("text",), ("text", "audio"), ("audio", "text")):
        raise ConfigError(f"modalities cannot be {given!r:.60}", hint='["text", "audio"], or ["text"] to read only')
    if wish.get("speak") and "audio" not in told:
        raise ConfigError("speak=True and modalities without audio contradict each other", hint="pass one of them")
    return sorted(told, reverse=True)


def _voice(model: str, voice: Any) -> str:
    """A voice of this model; the ids of voices of one's own pass, near misses of names do not."""
    usual = (catalogue.model(model) or catalogue.Model("")).default_voice
    name = voice.id if isinstance(voice, OwnVoice) else getattr(voice, "name", voice) or usual
    if not isinstance(name, str):
        raise ConfigError(f"voice cannot be {voice!r:.60}", hint=f"qwen.voices(model={model!r}) lists them")
    names = [each.name for each in catalogue.voices(model)]
    near = {each.lower(): each for each in names}
    meant = get_close_matches(name.lower(), near, 1, 0.75)
    if not names or name in names or (not meant and re.search(r"[\d_-]", name)):
        return name
    cure = f"did you mean {near[meant[0]]!r}?" if meant else f"it has {usual}; qwen.voices(model={model!r}) lists all"
    raise ConfigError(f"{model} has no voice {name!r}", hint=f'{cure} (extra={{"voice": "…"}} asks for any other)')


def _formats(model: str, facts: RealtimeFacts, wish: Mapping[str, Any], voice: str) -> dict[str, Any]:
    """Who speaks, and in which formats: in an `audio` object where a model has one, else flat."""
    array = len(facts.channels) > 1 and bool(facts.group)  # of microphones: such a model hears one rate only
    sides: dict[str, Any] = {}
    for side, usual in (("input", known.INPUT_HZ), ("output", known.OUTPUT_HZ)):
        kind, rate_hz = wish.get(f"{side}_format", "pcm"), wish.get(f"{side}_rate_hz", usual)
        kinds = (*_SAMPLES, *(facts.formats if side == "output" else ()))
        one_of(f"{side}_format", kind, kinds, "pcm is 16-bit samples, which are made of any sound")
        fixed = not facts.nested or (array and side == "input")
        one_of(f"{side}_rate_hz", rate_hz, (usual,) if fixed else facts.rates_hz, f"{model} has no other")
        sides[side] = {"format": {"type": "pcm" if kind.startswith("pcm") else kind, "sample_rate": rate_hz}}
    channels = wish.get("channels", 1)
    one_of("channels", channels, facts.channels, f"{model} hears no other number")
    spoken = {"voice": voice} if voice else {}
    if not facts.nested:
        return {**spoken, **{f"{side}_audio_format": told["format"]["type"] for side, told in sides.items()}}
    if array or channels > 1:
        layout = {"channels": channels, "packing": "interleaved", "channel_layout": _LAYOUTS[channels]}
        sides["input"]["format"] |= {"sample_format": "s16le", **layout}
    if facts.needs_session:
        sides["output"] |= spoken
        return {"audio": sides}
    return {**spoken, "audio": sides}


def _transcription(facts: RealtimeFacts, given: Any) -> dict[str, Any] | None:
    if isinstance(given, Mapping):
        return {**given}
    if not isinstance(given, bool | str | None):
        raise ConfigError(f"transcription cannot be {given!r:.60}", hint="True, False or the name of a model")
    if isinstance(given, str) and (given.title() in LANGUAGES or given.lower() in LANGUAGES.values()):
        raise ConfigError(f"{given!r:.60} is no model that transcribes", hint="leave it out; the language is heard")
    return {"model": given if isinstance(given, str) else facts.transcriber or None} if given else None


def turn_detection(model: str, facts: RealtimeFacts, wish: Mapping[str, Any]) -> dict[str, Any] | None:
    given = wish.get("turn_detection")
    told: dict[str, Any] = {"type": given}
    if isinstance(given, Mapping):
        told = {"type": "server_vad", **{ALIASES.get(str(name), str(name)): value for name, value in given.items()}}
        named = ("type", *_DETECTION, *_SWITCHES)  # others pass, near misses do not
        checked.refuse_unknown(filter(lambda name: get_close_matches(name, named), told), named, "turn_detection", {})
    told |= {name: wish[name] for name in (*_DETECTION, *_SWITCHES) if name in wish}
    kind, said = told.pop("type"), {name: value for name, value in told.items() if value is not None}
    if kind in MANUAL:
        if said:
            cure = f'pass turn_detection="{facts.detections[0]}" too'
            raise ConfigError(f"{next(iter(said))} is for finding the end of speech", hint=cure)
        return None
    if kind not in facts.detections:
        able = _who(lambda facts: kind in facts.detections, getattr(catalogue.model(model), "family", "realtime"))
        cure = f"use {able}" if able else f"it has {', '.join(facts.detections)}, or None to commit by hand"
        raise ConfigError(f"{model} has no turn_detection {kind!r:.60}", hint=cure)
    for name, value in said.items():
        _detected(model, facts, kind, name, value)
    usual = {"threshold": facts.threshold, "silence_ms": facts.silence_ms} if kind == "server_vad" else {}
    return {"type": kind, **{_WIRE.get(name, name): value for name, value in {**usual, **said}.items()}}


def _detected(model: str, facts: RealtimeFacts, kind: str, name: str, value: Any) -> None:
    """One setting of how the end of speech is found."""
    if name in _DETECTION and kind == "smart_turn":
        raise ConfigError(f"smart_turn has no {name}", hint='its parameters are fixed; "server_vad" has them')
    if name == "idle_timeout_ms":
        _granted(model, facts, name)
        if kind != "server_vad":
            raise ConfigError(f"{kind} has no idle_timeout_ms", hint='turn_detection="server_vad" has')
    if name in _DETECTION:
        _DETECTION[name].check(name, value)
    elif name in _SWITCHES and not isinstance(value, bool):
        raise ConfigError(f"{name} cannot be {value!r:.60}", hint="it is True or False")


def _tools(model: str, facts: RealtimeFacts, wish: Mapping[str, Any]) -> dict[str, Any]:
    """What a model may call or look up: functions and servers, or the web."""
    tools, search = wire_tools(wish.get("tools")), wish.get("search")
    for each in tools:
        served = each.get("type") == "mcp"
        _granted(model, facts, "tools of type mcp" if served else "tools")
        label, url = str(each.get("server_label")), str(each.get("server_url"))
        if served and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", label):
            raise ConfigError(f"an mcp server cannot be called {label!r:.60}", hint=_MCP_CURE)
        if served and not re.fullmatch(r"https://[^@#]+", url):
            raise ConfigError(f"an mcp server cannot be at {url!r:.60}", hint=f"a public https address: {_MCP_CURE}")
    if tools and search:
        raise ConfigError("a session has tools or search, not both", hint="leave one of them out")
    if search:
        _granted(model, facts, "search")
        return {"enable_search": True, **({"search_options": {**search}} if isinstance(search, Mapping) else {})}
    chosen = choice(wish.get("tool_choice", "auto"))
    names = ["auto", "none", "required"] if tools else ["auto", "none"]
    if (isinstance(chosen, str) and chosen not in names) or not (tools or isinstance(chosen, str)):
        cure = f"it is {', '.join(names)} or one of the tools: tool_choice=weather" if tools else "pass tools=[…] too"
        raise ConfigError(f"tool_choice cannot be {chosen!r:.60}", hint=cure)
    return {"tools": tools, **({"tool_choice": chosen} if "tool_choice" in wish else {})} if tools else {}


def _sampling(model: str, facts: RealtimeFacts, wish: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: wish[name] for name in _SAMPLING if name in wish}
    for name, value in told.items():
        _granted(model, facts, "sampling to be changed")
        if value is not None:
            _SAMPLING[name].check(name, value)
    if told.get("repetition_penalty") == 0 and not facts.mcp:  # the newest generation alone takes it
        raise ConfigError("repetition_penalty cannot be 0", hint="it goes above 0; 1 changes nothing")
    most = (catalogue.model(model) or catalogue.Model("")).max_output
    if most and told.get("max_tokens", 0) > most:
        raise ConfigError(f"{model} writes at most {most:,} tokens", hint=f"max_tokens={most} or less")
    return told


def _granted(model: str, facts: RealtimeFacts, name: str, value: Any = None) -> Any:
    """The wish, if this model grants it; else the refusal names one that does."""
    if not _ABLE[name](facts):
        raise ConfigError(f"{model} has no {name}", hint=f"use {_who(_ABLE[name])}")
    return value


def _who(able: Callable[[RealtimeFacts], Any], family: str = "realtime") -> str:
    """The first model that can do something, rather one that any host has."""
    talking = [(each.name, known.realtime(each)) for each in catalogue.models() if each.family == family]
    found = [(facts.workspace_host, name) for name, facts in talking if facts is not None and able(facts)]
    return min(found, key=lambda each: each[0])[1] if found else ""
