"""Sessions that speak, write down or translate, without I/O: friendly options in, a session as the model spells it out.

Three families share the socket with conversation. What a model takes, the catalogue says; a wish it does not know is
refused with a cure before anything is sent. Three generations of translators spell the same wishes in three ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from qwenkit import catalogue
from qwenkit.catalogue.realtime import INPUT_HZ, OUTPUT_HZ, RealtimeFacts, realtime
from qwenkit.errors import ConfigError
from qwenkit.protocol import options as checked
from qwenkit.protocol import speech, spoken
from qwenkit.protocol.options import Range, one_of
from qwenkit.protocol.realtime import settings
from qwenkit.types.voices import OwnVoice

_SOUND = {
    "speed": Range(0.5, 2, "1.0 is the usual pace"),
    "pitch": Range(0.5, 2, "1.0 is the voice as it is"),
    "volume": Range(0, 100, "50 is the usual"),
    "bit_rate": Range(6, 510, "in kilobits a second, of opus"),
}
_UNKNOWN = RealtimeFacts("", [], ("server_vad", "speaker_detection"))
ELSEWHERE = {
    **dict.fromkeys(("rate", "speech_rate"), "how fast it speaks is speed=1.2"),
    "sample_rate": "it is rate_hz=16000",
    "target": 'it is called to here: to="English"',
    "text": "open it first: with … as voice: voice.write(text)",
}


class Asked(msgspec.Struct):
    """A session that is wanted: of which model, set up how, and what its value will remember."""

    family: str
    model: str
    session: dict[str, Any]
    about: dict[str, Any] = {}
    timeout: float | None = None  # seconds without a word from the service


def speaking(
    *,
    voice: Any = "",
    mode: str = "server_commit",
    language: str = "",
    instructions: str = "",
    format: str = "pcm",
    rate_hz: int = OUTPUT_HZ,
    speed: float | None = None,
    pitch: float | None = None,
    volume: int | None = None,
    bit_rate: int | None = None,
    model: str = "",
    timeout: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Asked:
    """Read aloud what is written, while it is written: a session to write to, and to hear.

    `mode="server_commit"` leaves it to the service when there is enough to speak, `"commit"` waits for `commit()`.
    `format` is pcm, wav, mp3 or opus; `speed` and `pitch` go from 0.5 to 2, `volume` from 0 to 100, `bit_rate` (of
    opus) is in kilobits a second. Voice, language and instructions are those of `qwen.speech`. At the end of `with` the
    rest is waited for, and `reply` is the whole.
    """
    _texts(language=language, instructions=instructions)
    usual = speech.INSTRUCTED + "-realtime" if instructions else catalogue.DEFAULTS["speech_live"]
    made_for = voice.model if isinstance(voice, OwnVoice) and "-realtime" in voice.model else ""
    model, facts = _model(model or made_for or usual, "tts-realtime", "speak", "speech_live")
    known = catalogue.model(model)
    if known is None and not voice:
        raise ConfigError(f"no model {model!r} is known here", hint=f"use {usual}, or pass its voice=… too")
    one_of("mode", mode, ("server_commit", "commit"), "the second waits for commit()")
    if facts.group:
        one_of("format", format, facts.formats, f"{model} has no other")
        one_of("rate_hz", rate_hz, facts.rates_hz, f"{model} has no other")
    if instructions and known is not None and "instruction_tokens" not in known.limits:
        raise ConfigError(f"{model} does not listen to instructions", hint=f"use model='{speech.INSTRUCTED}-realtime'")
    changed = _given(speed=speed, pitch=pitch, volume=volume, bit_rate=bit_rate)
    for name, value in changed.items():
        _SOUND[name].check(name, value)
        if facts.group and len(facts.formats) == 1:
            raise ConfigError(f"{model} has no {name}", hint=f"use {catalogue.DEFAULTS['speech_live']}")
    wire = {**checked.extra(extra)}
    who = wire.pop("voice", None) or speech.voice_of(model, known, voice)
    spoken_in = speech.language_of(model, known, language) if language else ""
    session = {"voice": who, "mode": mode, "response_format": format, "sample_rate": rate_hz}
    session |= _given(speech_rate=speed, pitch_rate=pitch, volume=volume, bit_rate=bit_rate)
    session |= _given(language_type=spoken_in, instructions=instructions)
    about = _given(model=model, voice=who, language=spoken_in, instructions=instructions)
    return Asked("speech", model, {**session, **wire}, about, timeout)


def hearing(
    *,
    language: str = "",
    context: str = "",
    turn_detection: Any = "server_vad",
    threshold: float | None = None,
    silence_ms: int | None = None,
    rate_hz: int = INPUT_HZ,
    model: str = "",
    timeout: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Asked:
    """Write down what is said, while it is said: a session to send sound to, and to read.

    `language` ("en", "Chinese") is what is spoken, detected when left out; `context` names what may occur. A sentence
    ends with a pause of `silence_ms`, or, with `turn_detection="manual"`, where you `commit()`; a lower `threshold`
    (-1 to 1) hears softer speech. `rate_hz` is that of raw samples: 16000 or 8000.
    """
    _texts(language=language, context=context)
    model, facts = _model(model or catalogue.DEFAULTS["transcribe_live"], "asr-realtime", "hear", "transcribe_live")
    if facts.group:
        one_of("rate_hz", rate_hz, facts.rates_hz, f"{model} hears no other")
    session: dict[str, Any] = {"modalities": ["text"], "input_audio_format": "pcm", "sample_rate": rate_hz}
    heard = _given(language=language and spoken.code(language, model), corpus=context and {"text": context})
    listens = _detection(model, facts, turn_detection, threshold, silence_ms)
    session |= {"input_audio_transcription": heard, "turn_detection": listens, **checked.extra(extra)}
    return Asked("transcribe", model, session, timeout=timeout)


def translating(
    *,
    to: str = "",
    source: str = "",
    voice: Any = "",
    phrases: Mapping[str, str] | None = None,
    speak: bool = True,
    turn_detection: Any = "",
    threshold: float | None = None,
    silence_ms: int | None = None,
    rate_hz: int = INPUT_HZ,
    model: str = "",
    timeout: float | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Asked:
    """Say in another language what is said, while it is said: a session to send sound and pictures to, and to hear.

    `to` and `source` are languages ("English", "zh"), `phrases` words with a fixed translation. With `speak=False` it
    only writes. The rest is as for `qwen.transcribe.live`.
    """
    _texts(to=to, source=source)
    if not to:
        raise ConfigError("translate into which language?", hint='qwen.translate.live(to="English")')
    model, facts = _model(model or catalogue.DEFAULTS["translate_live"], "livetranslate", "translate", "translate_live")
    known, target = catalogue.model(model), spoken.code(to, model)
    one_of("rate_hz", rate_hz, (8000, 16_000), "translators hear no other")
    found = facts.detections[0] if turn_detection == "" else turn_detection
    listens = _detection(model, facts, found, threshold, silence_ms)
    speaks = speak and (voice or (known and known.default_voice))
    who = _given(voice=speech.voice_of(model, known, voice) if speaks else "")
    modalities = ["text", "audio"] if speak else ["text"]
    if facts.output_modalities:  # the third generation spells the same in objects
        heard = {"format": {"type": "pcm", "sample_rate": rate_hz}, "turn_detection": listens}
        said = {"format": {"type": "pcm"}, **who}
        session: dict[str, Any] = {"output_modalities": modalities, "audio": {"input": heard, "output": said}}
    else:
        session = {"modalities": modalities, "turn_detection": listens, "sample_rate": rate_hz, **who}
        session |= {"input_audio_format": "pcm", "output_audio_format": "pcm"}
    asr = facts.transcriber or catalogue.DEFAULTS["transcribe_live"]
    session["input_audio_transcription"] = _given(model=asr, language=source and spoken.code(source, model))
    session["translation"] = _given(language=target, corpus=_corpus(phrases))
    about = {"model": model, "voice": who.get("voice", ""), "language": target}
    return Asked("translate", model, {**session, **checked.extra(extra)}, about, timeout)


def _model(name: Any, family: str, verb: str, job: str) -> tuple[str, RealtimeFacts]:
    model = checked.model(name)
    known = catalogue.model(model)
    if known is not None and known.family != family:
        usual = catalogue.DEFAULTS[job]
        raise ConfigError(f"{model} does not {verb} over a socket", hint=f"use {usual}, or leave model out")
    return model, realtime(model) or _UNKNOWN


def _detection(model: str, facts: RealtimeFacts, kind: Any, threshold: Any, silence_ms: Any) -> Any:
    """How the end of a sentence is found; None is by hand."""
    wish = {"turn_detection": kind, **_given(threshold=threshold, silence_ms=silence_ms)}
    return settings.turn_detection(model, facts, wish)


def _corpus(phrases: Any) -> dict[str, Any] | None:
    """Words with a fixed translation."""
    try:
        given = dict(phrases or {})
    except (TypeError, ValueError):
        given = {"": None}
    if not all(isinstance(each, str) for pair in given.items() for each in pair):
        raise ConfigError("phrases are texts with their translations", hint='phrases={"Kestrel": "红隼号"}')
    return {"phrases": given} if given else None


def _texts(**given: Any) -> None:
    for name, value in given.items():
        if not isinstance(value, str):
            raise ConfigError(f"{name} cannot be {value!r:.60}", hint="it is a text")


def _given(**wishes: Any) -> dict[str, Any]:
    """Those that were said."""
    return {name: value for name, value in wishes.items() if value is not None and value != ""}
