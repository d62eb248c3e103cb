"""The settings of a realtime session: what an update may say, what follows from it, and how it is echoed.

    settings = Settings.of(model, facts).updated(session, heard=False, spoke=False)
    settings.echo(id)

An update changes what it names and leaves the rest; one that is wrong changes nothing and is a `Wrong`. Nulls stand
for defaults, unknown keys are passed over, and so is what the model does not honour: the echo shows what counts.
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, NamedTuple

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.catalogue.realtime import IDLE_TIMEOUT_MS, INPUT_HZ, OUTPUT_HZ, SILENCE_MS, THRESHOLD, RealtimeFacts
from qwenkit.sandbox.realtime.tools import check_tools, shown
from qwenkit.sandbox.realtime.wrong import Wrong, unlike

Json = dict[str, Any]
Rule = str  # a type, a range, or one of several values
TEXT, YES_NO = "string", "boolean"
_FORMATS, _INT = "'pcm'|'pcm16'|'pcm24'|'wav'", "integer in [0, 2147483647]"
# What each field must be. Containers come before what they hold.
RULES = {
    **dict.fromkeys(("audio", "audio.input", "audio.input.format", "audio.output", "audio.output.format"), "object"),
    **dict.fromkeys(("video", "video.input", "turn_detection", "input_audio_transcription"), "object"),
    **dict.fromkeys(("voice", "audio.output.voice", "instructions", "input_audio_transcription.language"), "string"),
    **dict.fromkeys(("input_audio_format", "output_audio_format"), _FORMATS),
    "tools": "array",
    "tool_choice": "string or object",
    **dict.fromkeys(("enable_search", "smooth_output", "enable_speech_emotion"), "boolean"),
    **dict.fromkeys(("turn_detection.create_response", "turn_detection.interrupt_response"), "boolean"),
    "turn_detection.threshold": f"number in {list(THRESHOLD)}",
    "turn_detection.silence_duration_ms": f"integer in {list(SILENCE_MS)}",
    "turn_detection.idle_timeout_ms": f"integer in {list(IDLE_TIMEOUT_MS)}",
    "turn_detection.prefix_padding_ms": "integer in [0, 10000]",
    "search_options": "object",
    "search_options.enable_source": "boolean",
    "temperature": "number in [0, 2)",
    "top_p": "number in (0, 1]",
    "top_k": _INT,
    "presence_penalty": "number in [-2, 2]",
    "seed": "integer in [-1, 2147483647]",
    "max_history_turns": "integer in [1, 50]",
}
# And where models differ, or honour it at all.
_NESTED = {
    **dict.fromkeys(("audio.input.format.type", "audio.output.format.type"), _FORMATS),
    **dict.fromkeys(("audio.input.format.sample_rate", "audio.output.format.sample_rate"), "8000|16000|24000|48000"),
}
_SEVERAL = {
    "audio.input.format.sample_rate": str(INPUT_HZ),
    "audio.input.format.channels": "1|2|4",
    "audio.input.format.sample_format": "'s16le'",
    "audio.input.format.packing": "'interleaved'",
    "video.input.representation_compact": "'none'|'normal'",
}
_LAYOUTS = {1: "'mono'", 2: "'raw_mic_array'", 4: "'foa_ambix'"}
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "string or object": str | dict}
_RANGE = re.compile(r"(\w+) in ([\[(])(\S+), (\S+)([\])])")
_MODALITIES = "Invalid modalities: {}. Supported combinations are: ['text'] and ['audio', 'text']."
_VOICE = "Cannot update a conversation's voice if assistant audio is present."
# What cannot be changed once sound was sent, and the field it comes from.
_LATE = {"input": "audio.input.format", "output": "audio.output.format", "compact": "video"}
_SAMPLING = ("temperature", "top_p", "top_k", "max_tokens", "repetition_penalty", "presence_penalty", "seed")
_NULL = ("input_audio_transcription", "turn_detection", "top_k", "smooth_output")  # where null has a meaning


def number(low: float, high: float, *, whole: bool = False) -> Rule:
    return f"{'integer' if whole else 'number'} in [{low:g}, {high:g}]"


def one_of(*values: Any) -> Rule:
    return "|".join(map(repr, values))


def check(value: Any, rule: Rule, path: str) -> None:
    """A field against its rule; what is null or not there always passes."""
    if value is not None and not _fits(value, rule):
        raise unlike(value, rule.replace("|", " or "), f"session.{path}")


def check_modalities(wanted: Any, param: str) -> None:
    """Text alone, or text and audio in any order."""
    known = isinstance(wanted, list) and "text" in wanted and not {str(each) for each in wanted} - {"text", "audio"}
    if wanted is not None and not known:
        raise Wrong(_MODALITIES.format(wanted), param)


def dug(given: Any, path: str) -> Any:
    """What lies at a path; None where there is nothing."""
    return reduce(lambda found, key: found.get(key) if isinstance(found, dict) else None, path.split("."), given)


def _fits(value: Any, rule: str) -> bool:
    if rule in _TYPES:
        return isinstance(value, _TYPES[rule])
    if not (found := _RANGE.fullmatch(rule)):
        return repr(value) in rule.split("|")
    kind, opens, low, high, closes = found.groups()
    if isinstance(value, bool) or not isinstance(value, int if kind == "integer" else int | float):
        return False
    least, most = float(low), float(high)
    return least <= value <= most and (opens == "[" or value > least) and (closes == "]" or value < most)


class Format(NamedTuple):
    """What sound is sent as: pcm or wav, its rate, its channels."""

    type: str
    rate_hz: int
    channels: int


@dataclass(frozen=True)
class Settings:
    """What is in force. `values` are the fields as they are echoed, `nested` the sides set by an `audio` object."""

    model: Model
    facts: RealtimeFacts
    values: Json = field(default_factory=dict)
    nested: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Model, facts: RealtimeFacts) -> Settings:
        """Everything as it is before anybody asked for anything."""
        return cls(model, facts, cls(model, facts)._usual())

    def _usual(self) -> Json:
        limits = self.model.limits
        formats = {
            side: {"format": {"type": "pcm", "sample_rate": rate}}
            for side, rate in (("input", INPUT_HZ), ("output", OUTPUT_HZ))
        }
        return {
            "modalities": ["text", "audio"],
            "voice": self.model.default_voice,
            "instructions": "",
            "audio": formats,
            "video": {},
            "input_audio_format": "pcm",
            "output_audio_format": "pcm",
            "input_audio_transcription": {"model": self.facts.transcriber},
            "turn_detection": self._detection("server_vad"),
            "tools": [],
            "tool_choice": "auto",
            "enable_search": False,
            "search_options": {},
            "smooth_output": True,
            "enable_speech_emotion": True,
            "max_history_turns": int(limits.get("history_turns", 0)) or None,
            **{name: getattr(self.model, name) for name in ("temperature", "top_p", "top_k")},
            **{name: limits.get(name) for name in ("repetition_penalty", "presence_penalty")},
            "max_tokens": self.model.max_output or 16_384,
            "seed": -1,
        }

    def updated(self, session: Json, *, heard: bool = False, spoke: bool = False, again: bool = False) -> Settings:
        """The settings after an update: `heard` once sound was sent, `spoke` once some was made, `again` the second."""
        self._check(session)
        values, usual = deepcopy(self.values), self._usual()
        for name in usual.keys() & session.keys():
            values[name] = self._merged(name, session[name], usual)
        if self.facts.nested:
            values["voice"] = dug(session, "audio.output.voice") or values["voice"]
        if self.facts.fixed_sampling:
            values |= {name: usual[name] for name in _SAMPLING}
        values["enable_search"] = values["enable_search"] and self.facts.search
        if values["tools"] and values["enable_search"]:
            raise Wrong("tools and enable_search cannot be used at the same time.", "session.tools")
        sides = {side for side in ("input", "output") if self.facts.nested and dug(session, f"audio.{side}.format")}
        new = replace(self, values=values, nested=tuple(sorted({*self.nested, *sides})))
        self._check_late(new, heard=heard, spoke=spoke, again=again)
        return new

    def _check(self, session: Json) -> None:
        several, longest = len(self.facts.channels) > 1, self.model.max_output or 2**31 - 1
        least = "[" if self.model.limits.get("repetition_penalty") == 0 else "("
        rules = RULES | (_NESTED if self.facts.nested else {}) | (_SEVERAL if several else {})
        rules["turn_detection.type"] = "|".join(map(repr, self.facts.detections))
        rules["repetition_penalty"] = f"number in {least}0, 1000000]"
        rules["max_tokens"] = f"integer in [1, {longest}]"
        channels = dug(session, "audio.input.format.channels")
        if several and isinstance(channels, int) and channels in _LAYOUTS:
            rules["audio.input.format.channel_layout"] = _LAYOUTS[channels]
            rules["audio.input.format.type"] = _FORMATS if channels == 1 else "'pcm'"
        for path, rule in rules.items():
            check(dug(session, path), rule, path)
        check_modalities(session.get("modalities"), "session.modalities")
        check_tools(session.get("tools") or [], self.facts)

    def _check_late(self, new: Settings, *, heard: bool, spoke: bool, again: bool) -> None:
        """What may only be set while nothing has happened yet."""
        audio_model = self.facts.group == "qwen audio"
        if new.voice != self.voice and (spoke or (audio_model and again)):
            raise Wrong(_VOICE, "session.voice", "cannot_update_voice")
        for name, param in (_LATE | ({"detection": "turn_detection"} if audio_model else {})).items():
            if heard and getattr(new, name) != getattr(self, name):
                raise Wrong(f"Cannot update {param} after audio has been sent.", f"session.{param}")

    def _merged(self, name: str, given: Any, usual: Json) -> Any:
        """One field after an update."""
        if given is None:
            return None if name in _NULL else usual[name]
        if name == "turn_detection":
            return self._detected(given)
        if name == "input_audio_transcription":  # the model is fixed, whatever was asked for
            language = {"language": given["language"]} if given.get("language") else {}
            return {"model": self.facts.transcriber, **language}
        return _over(self.values[name], given) if isinstance(usual[name], dict) else deepcopy(given)

    def _detected(self, given: Json) -> Json:
        now = self.values["turn_detection"] or self._detection("server_vad")
        base = now if given.get("type") in (None, now["type"]) else self._detection(given["type"])
        idle = self.facts.idle_timeout and base["type"] == "server_vad"
        known = {*self._detection(""), *(["idle_timeout_ms"] if idle else [])}
        return {**base, **{name: value for name, value in given.items() if name in known and value is not None}}

    def _detection(self, name: str) -> Json:
        usual = {"threshold": self.facts.threshold, "prefix_padding_ms": 300}
        usual["silence_duration_ms"] = self.facts.silence_ms
        return {"type": name, **usual, "create_response": True, "interrupt_response": True}

    # -- what follows from it --------------------------------------------------------------------------------------

    @property
    def detection(self) -> Json:
        """How turns are taken; nothing in manual mode."""
        return self.values["turn_detection"] or {}

    @property
    def voice(self) -> str:
        return str(self.values["voice"])

    @property
    def compact(self) -> bool:
        return self.facts.compact_video and dug(self.values, "video.input.representation_compact") == "normal"

    @property
    def input(self) -> Format:
        return self._format("input", INPUT_HZ)

    @property
    def output(self) -> Format:
        return self._format("output", OUTPUT_HZ)

    def _format(self, side: str, usual_hz: int) -> Format:
        nested = self.values["audio"][side]["format"] if side in self.nested else {}
        sort = nested.get("type", self.values[f"{side}_audio_format"])
        return Format("wav" if sort == "wav" else "pcm", nested.get("sample_rate", usual_hz), nested.get("channels", 1))

    def sampling(self) -> Json:
        """The options of a chat order; 0 is no penalty, -1 no seed."""
        found = {name: self.values[name] for name in _SAMPLING if self.values[name] is not None}
        off = {"repetition_penalty": 0, "seed": -1}
        return {name: value for name, value in found.items() if off.get(name) != value}

    def knows_voice(self) -> bool:
        """Whether the model speaks with its voice; one whose voices nobody lists speaks with any."""
        names = {each.name for each in catalogue.voices(self.model.name)}
        return not names or self.voice in names

    def echo(self, id: str, *, first: bool = False) -> Json:
        """The session as the service shows it; `first` in its greeting, where less is shown."""
        named = ["modalities", "voice", "input_audio_format", "output_audio_format", "input_audio_transcription"]
        named += ["turn_detection", *(["enable_search", "search_options"] if self.facts.search else []), "tool_choice"]
        named += ["smooth_output"] if self.facts.smooth_output else []
        named += ["video"] if self.values["video"] and self.facts.compact_video else []
        named += ["max_history_turns", "enable_speech_emotion"] if self.facts.group == "qwen audio" else []
        named += [] if first else ["instructions", *_SAMPLING]
        told: Json = {"id": id, "object": "realtime.session", "model": self.model.name}
        told |= {name: self.values[name] for name in named if self.values[name] is not None or name in _NULL}
        if self.nested:
            told["audio"] = {side: {"format": self.values["audio"][side]["format"]} for side in self.nested}
        tools = [shown(each) for each in self.values["tools"]]
        return {**told, "tools": tools, "max_response_output_token": "inf"}


def _over(now: Any, given: Json) -> Json:
    """A nested object after an update; nulls change nothing."""
    now = now if isinstance(now, dict) else {}
    held = {key: value for key, value in given.items() if value is not None}
    return {**now, **{key: _over(now.get(key), at) if isinstance(at, dict) else at for key, at in held.items()}}
