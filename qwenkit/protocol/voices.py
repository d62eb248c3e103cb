"""Voices of one's own, without I/O: three makers answer on one path and spell the same things three ways."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError
from qwenkit.protocol import failures
from qwenkit.protocol.options import model as checked
from qwenkit.protocol.speech import LANGUAGES, home, sound, spelled
from qwenkit.types.audio import Audio
from qwenkit.types.voices import OwnVoice

PATH = "/services/audio/tts/customization"
_FIELDS = {"model": "target_model", "status": "status", "language": "language", "created": "gmt_create"}
_FIELDS |= {"prompt": "voice_prompt"}


class Maker(msgspec.Struct, frozen=True):
    """How one maker spells what all of them do; `line` begins the models it makes voices for."""

    model: str
    line: str
    mark: str
    id: str = "voice"
    suffix: str = ""
    name: str = "preferred_name"
    rule: str = "[A-Za-z0-9_]{1,16}"

    def body(self, action: str, **fields: Any) -> dict[str, Any]:
        given = {name: value for name, value in fields.items() if value not in (None, "")}
        return {"model": self.model, "input": {"action": action + self.suffix, **given}}

    def named(self, name: Any) -> dict[str, str]:
        """The name of a new voice, as it is sent."""
        if not isinstance(name, str) or not re.fullmatch(self.rule, name):
            raise ConfigError(f"a voice cannot be named {name!r:.60}", hint=f"its name fits {self.rule}: name='ferry'")
        return {self.name: name}


CLONE = Maker("qwen-voice-enrollment", "qwen3-tts-vc", "-tts-vc-")
DESIGN = Maker("qwen-voice-design", "qwen3-tts-vd", "-tts-vd-")
COSY = Maker("voice-enrollment", "cosyvoice", "cosyvoice-", "voice_id", "_voice", "prefix", "[a-z0-9]{1,10}")
MAKERS = (CLONE, DESIGN, COSY)


def maker(voice: Any) -> tuple[Maker, str]:
    """Who made a voice, given as the value or as its id, and the id."""
    id = voice.id if isinstance(voice, OwnVoice) else voice
    if not isinstance(id, str) or not id.strip():
        raise ConfigError(f"a voice cannot be {voice!r:.60}", hint="pass the voice, or its id from qwen.voices.list()")
    known = voice.maker if isinstance(voice, OwnVoice) else ""
    return next((each for each in MAKERS if each.model == known or each.mark in id), CLONE), id


def target(model: str, *makers: Maker) -> tuple[Maker, str]:
    """Who makes voices for a model, and the model as voices want it: a line by its latest snapshot."""
    model = checked(model or makers[0].line)
    found = next((each for each in makers if model.startswith(each.line)), None)
    if found is None:
        lines = " and ".join(each.line for each in makers)
        raise ConfigError(f"{model} takes no voices made like this", hint=f"models whose names begin with {lines} do")
    facts = catalogue.model(model)
    dated = facts is not None and facts.name == facts.line and facts.snapshots
    return found, facts.snapshots[-1] if facts and dated else model


def language(given: Any, *, code: bool) -> str:
    """A language by its code, or by its name as the catalogue spells it; both are taken, in any case."""
    if given is not None and not isinstance(given, str):
        raise ConfigError(f"language cannot be {given!r:.60}", hint='pass its name or its code: "en"')
    plain = (given or "").strip()
    name = spelled(plain) or plain.title()
    return LANGUAGES.get(name, plain.lower()) if code else name


def made(
    data: bytes, *, by: Maker, prompt: str = "", text: str = "", request: str = "", request_id: str = ""
) -> OwnVoice:
    """The new voice in an answer, with its first words where it brings them."""
    output = _output(data, request, request_id)
    if not output.get(by.id):
        raise failures.unreadable("a voice", data, request=request, request_id=request_id)
    voice = _voice({"voice_prompt": prompt, **output}, by, data)
    heard = output.get("preview_audio")
    if isinstance(heard, dict) and isinstance(heard.get("data"), str):
        raw = heard.get("response_format") == "pcm"
        facts: dict[str, Any] = {"text": text, "model": voice.model}
        voice.preview = Audio(sound(heard["data"]), heard.get("sample_rate") or 24000 if raw else 0, **facts)
    return voice


def listed(data: bytes, by: Maker, request: str) -> list[OwnVoice]:
    """The voices on a page of a list."""
    output = _output(data, request, "")
    rows = output.get("voice_list") or output.get("voices")
    return [_voice(row, by) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def one(data: bytes, by: Maker, id: str, request: str) -> OwnVoice:
    """The facts about one voice."""
    return _voice({by.id: id, **_output(data, request, "")}, by, data)


def _voice(row: dict[str, Any], by: Maker, body: bytes = b"") -> OwnVoice:
    id = str(row.get(by.id) or "")
    told: dict[str, Any] = {name: str(row[field]) for name, field in _FIELDS.items() if row.get(field)}
    return OwnVoice(id=id, maker=by.model, body=body, **{"model": home(id), **told})


def _output(data: bytes, request: str, request_id: str) -> dict[str, Any]:
    try:
        output = msgspec.json.decode(data)["output"]
    except (msgspec.DecodeError, RecursionError, TypeError, KeyError):
        output = None
    if not isinstance(output, dict):
        raise failures.unreadable("about voices", data, request=request, request_id=request_id)
    return output
