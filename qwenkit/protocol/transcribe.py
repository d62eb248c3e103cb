"""Asking a model to write down what it hears, without I/O: options in, a request body out.

There are four ways to say it. Models that answer at once take one sound in a message: on the native path, over chat
completions, or, the newer ones, natively with typed content. Models for long recordings take addresses, as a task.
A sound stands in the body as the value it is; who sends the body puts it where the service can read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, TypedDict

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.catalogue.media import MEGABYTE, MediaFacts, media
from qwenkit.errors import ConfigError
from qwenkit.protocol import options as checked
from qwenkit.protocol import spoken
from qwenkit.protocol.media import check_one, is_media
from qwenkit.protocol.native import MULTIMODAL
from qwenkit.types import recording
from qwenkit.types.audio import Audio

CHAT = "/chat/completions"
TASKS = "/services/audio/asr/transcription"
MOST_SPEAKERS = 100
_MOST_FILES = 100
_VIAS = ("native", "chat")
HEARD_HZ = 16_000  # what models hear at, whatever they are sent
_TASKED = "qwen.transcribe.submit(recording{}) does that"
ELSEWHERE = {
    **dict.fromkeys(("enable_itn", "numbers"), "it is itn=True"),
    **dict.fromkeys(("speakers", "diarization", "speaker_count"), _TASKED.format(", speakers=2")),
    **dict.fromkeys(("timestamps", "words", "times", "word_timestamps"), _TASKED.format("")),
    **dict.fromkeys(("channels", "channel_id"), _TASKED.format(", channels=[0, 1]")),
    "prompt": "names and terms that may occur go into context=…",
}
_FITTING = {
    "language": 'language="en" or "English"; for some models several: language=["en", "zh"]',
    "context": 'it is text with the names that may occur: context="Ilse Brandt, Kestrel"',
    "vocabulary": 'the id of a list of words; at once also {"Kestrel": 5} or ["Kestrel"]',
    "channels": "they are counted from 0: channels=[0, 1]",
    "speakers": f"True, or their number, 2 to {MOST_SPEAKERS}",
    "word_filter": 'word_filter={"filter_with_signed": {"word_list": ["…"]}}',
}


class TranscribeOptions(TypedDict, total=False):
    """Options of `qwen.transcribe(…)`."""

    language: str | Iterable[str]
    context: str
    itn: bool | None
    vocabulary: Mapping[str, int] | Iterable[str] | str | None
    model: str
    via: str
    timeout: float | None
    extra: Mapping[str, Any] | None


class RecordingOptions(TypedDict, total=False):
    """Options of `qwen.transcribe.submit(…)`."""

    model: str
    language: str | Iterable[str]
    speakers: bool | int | None
    words: bool
    channels: int | Iterable[int] | None
    context: str
    itn: bool | None
    vocabulary: str
    word_filter: Mapping[str, Any] | str | None
    extra: Mapping[str, Any] | None


def told(options: Mapping[str, Any], kind: type, api: str) -> dict[str, Any]:
    """The options that were given. One that nobody knows is refused."""
    checked.refuse_unknown(options, kind.__annotations__, api, ELSEWHERE)
    return {name: value for name, value in options.items() if value is not None}


def heard_by(model: str) -> Model | None:
    """The facts about a model that answers at once; one for long recordings, or one that does not write down, is
    named with the call it belongs to."""
    facts = catalogue.model(checked.model(model))
    if facts is not None and facts.endpoint == "transcription":
        raise ConfigError(f"{model} takes long recordings, as tasks", hint="use qwen.transcribe.submit(…)")
    if facts is not None and facts.family != "asr":
        hint = f'use {catalogue.DEFAULTS["transcribe"]}, or qwen.chat("…", audio=[…]) to ask about a sound'
        raise ConfigError(f"{model} does not transcribe", hint=hint)
    return facts


def place(facts: Model | None, via: str) -> tuple[str, str]:
    """Family and path a model is asked at."""
    if via not in _VIAS:
        raise ConfigError(f"via cannot be {via!r}", hint="it is native (DashScope's own protocol) or chat")
    if via == "chat" and _typed(facts):
        raise ConfigError(f"{facts and facts.name} is served natively only", hint="leave via out")
    return ("compatible", CHAT) if via == "chat" else ("native", MULTIMODAL)


def body(
    sound: Audio,
    model: str,
    facts: Model | None,
    *,
    via: str,
    language: str | Iterable[str] = "",
    context: str = "",
    itn: bool | None = None,
    vocabulary: Mapping[str, int] | Iterable[str] | str | None = None,
    stream: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The request body for one sound, on any of the three surfaces."""
    told, languages, context = checked.extra(extra), _languages(language, model), _text("context", context)
    if _typed(facts):
        if itn is not None:
            raise ConfigError(f"{model} has no option itn", hint="it belongs to " + catalogue.DEFAULTS["transcribe"])
        return _typed_body(sound, model, languages, context, vocabulary, told)
    if vocabulary:
        raise ConfigError(f"{model} takes no vocabulary", hint="name the words in context=…")
    asr = {"language": _one_of(languages, model), "enable_itn": itn}
    asr_options = {name: value for name, value in asr.items() if value is not None}
    system = [{"role": "system", "content": [{"text": context}]}] if context else []
    if via == "chat":
        part = {"type": "input_audio", "input_audio": {"data": sound}}
        wire: dict[str, Any] = {"model": model, "messages": [*system, {"role": "user", "content": [part]}]}
        wire |= {"asr_options": asr_options} if asr_options else {}
        wire |= {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        return {**wire, **told}
    messages = [*system, {"role": "user", "content": [{"audio": sound}]}]
    parameters: dict[str, Any] = {"asr_options": asr_options} if asr_options else {}
    parameters |= {"incremental_output": True} if stream else {}
    return {"model": model, "input": {"messages": messages}, "parameters": {**parameters, **told}}


def fitted(sound: Audio, model: str, facts: Model | None) -> Audio:
    """The sound as it can be sent: too long is refused, too large or of another format goes as 16 kHz mono."""
    limits = media(facts)
    if limits is None or not sound.loaded:
        return sound
    least, most, lasts = limits.audio_seconds_min or 0, limits.audio_seconds or inf, sound.duration
    if not least <= lasts <= most:
        bound = f"{least:g} s at least" if lasts < least else f"{most:g} s at most"
        hint = "qwen.transcribe.submit(…) takes recordings of up to 12 hours; audio.clip(0, 60) is a part of one"
        hint = "take a longer part of it" if lasts < least else hint
        raise ConfigError(f"{sound.called} lasts {round(lasts, 2):g} s, and {model} hears {bound}", hint=hint)
    if (limits.audio_formats and sound.format not in limits.audio_formats) or not _fits(sound, limits):
        plain = sound.mono().resampled(HEARD_HZ)
        packed = (Audio(recording.written(plain.array, HEARD_HZ, kind), **sound.meta) for kind in ("flac", "mp3"))
        sound = next(each for each in packed if each.format == "mp3" or _fits(each, limits))
    check_one(sound, "audio", limits, model)
    return sound


def _fits(sound: Audio, limits: MediaFacts) -> bool:
    """Whether it is small enough as Base64, which is a third longer."""
    most = limits.audio_inline_megabytes
    return most is None or -(-sound.byte_size // 3) * 4 + 64 <= most * MEGABYTE


def _typed(facts: Model | None) -> bool:
    return facts is not None and facts.endpoint == "recognition"


def _typed_body(
    sound: Audio, model: str, languages: list[str], context: str, vocabulary: Any, told: Mapping[str, Any]
) -> dict[str, Any]:
    before = [{"role": "user", "content": [{"type": "input_text", "text": context}]}] if context else []
    part = {"type": "input_audio", "input_audio": {"data": sound}}
    parameters: dict[str, Any] = {"format": _format(sound)}
    if isinstance(vocabulary, str):
        parameters["vocabulary_id"] = vocabulary
    elif isinstance(vocabulary, Mapping | list | tuple | set):
        parameters["vocabulary"] = dict(vocabulary) if isinstance(vocabulary, Mapping) else dict.fromkeys(vocabulary, 4)
    elif vocabulary is not None:
        raise _unfit("vocabulary", vocabulary)
    parameters |= {"language_hints": languages} if languages else {}
    messages = [*before, {"role": "user", "content": [part]}]
    return {"model": model, "input": {"messages": messages}, "parameters": {**parameters, **told}}


def _format(sound: Audio) -> str:
    """The format by its short name; of an address what its name ends in."""
    return sound.format or sound.url.partition("?")[0].rpartition(".")[2].lower()[:5] or "wav"


def _list(name: str, given: Any, kind: type) -> list[Any]:
    """One or several, as a list without the empty ones."""
    found = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    if not all(isinstance(each, kind) for each in found):
        raise _unfit(name, given)
    return [each for each in found if each != ""]


def _languages(given: Any, model: str) -> list[str]:
    """Languages as their codes."""
    found = [spoken.code(each, model) for each in _list("language", given, str)]
    return [each for each in found if each]


def _one_of(languages: list[str], model: str) -> str | None:
    if len(languages) > 1:
        raise ConfigError(f"{model} is told one language", hint="leave it out where it is not known, or mixed")
    return next(iter(languages), None)


def _text(name: str, given: Any) -> str:
    if given is None or isinstance(given, str):
        return given or ""
    raise _unfit(name, given)


def _unfit(name: str, given: Any) -> ConfigError:
    return ConfigError(f"{name} cannot be {given!r:.80}", hint=_FITTING[name])


# -- long recordings ---------------------------------------------------------------------------------------------


def for_tasks(model: str, recordings: int, many: bool, region: str) -> tuple[str, bool]:
    """The model for a task, and whether it takes one recording only; `many` asks for what only the others can do."""
    usual = catalogue.DEFAULTS["transcribe_long"]
    model = checked.model(model or (_for_many(region) if many or recordings > 1 else usual))
    facts = catalogue.model(model)
    if facts is not None and facts.endpoint != "transcription":
        raise ConfigError(f"{model} takes no tasks", hint=f"use {usual}, or qwen.transcribe(…) for an answer at once")
    most = int(facts.limits.get("files", _MOST_FILES)) if facts else 1 if "filetrans" in model else _MOST_FILES
    if recordings > most:
        hint = f"use model={_for_many(region)!r}" if most == 1 else "submit them in several tasks"
        raise ConfigError(f"{model} takes {most} recording{'s' * (most > 1)} in a task, not {recordings}", hint=hint)
    return model, most == 1


def _for_many(region: str) -> str:
    """The first listed model for many recordings that this region has."""
    tasks = [each for each in catalogue.models() if each.endpoint == "transcription"]
    found = [each for each in tasks if each.limits.get("files", 0) != 1]
    return next((each for each in found if region.capitalize() in each.notes), found[0]).name


def task_body(
    recordings: list[Any],
    region: str = "",
    *,
    model: str = "",
    language: str | Iterable[str] = "",
    speakers: bool | int | None = None,
    words: bool = True,
    channels: int | Iterable[int] | None = None,
    context: str = "",
    itn: bool | None = None,
    vocabulary: str = "",
    word_filter: Mapping[str, Any] | str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The body of a task. A model that takes one recording spells its options otherwise than one that takes many."""
    of_many = {"speakers": speakers, "vocabulary": vocabulary, "word_filter": word_filter}
    model, one = for_tasks(model, len(recordings), any(of_many.values()), region)
    for name, value in (of_many if one else {"context": context, "itn": itn}).items():
        if value or (name == "itn" and value is not None):
            other = _for_many(region) if one else catalogue.DEFAULTS["transcribe_long"]
            raise ConfigError(f"{model} has no option {name}", hint=f"leave it out, or use model={other!r}")
    limits = media(catalogue.model(model)) or MediaFacts("", [])
    for each in recordings:
        if is_media(each) and each.loaded and not each.format:
            _ = each.duration  # raises what is wrong with it
        check_one(each, "audio", limits, model)
    languages = _languages(language, model)
    told: dict[str, Any] = {} if channels is None else {"channel_id": _list("channels", channels, int)}
    if one:
        told |= {"language": _one_of(languages, model), "enable_itn": itn, "enable_words": words or None}
        told["corpus"] = {"text": context} if _text("context", context) else None
    else:
        told |= {"language_hints": languages or None, "special_word_filter": _filter(word_filter)}
        told |= {**_speakers(speakers), "vocabulary_id": _text("vocabulary", vocabulary) or None}
    parameters = {name: value for name, value in told.items() if value is not None}
    given = {"file_url": recordings[0]} if one else {"file_urls": recordings}
    return {"model": model, "input": given, "parameters": {**parameters, **checked.extra(extra)}}


def _filter(given: Any) -> str | None:
    """The words to hide, as the text the service wants."""
    try:
        return given if isinstance(given, str | None) else json.dumps(dict(given), ensure_ascii=False)
    except (TypeError, ValueError):
        raise _unfit("word_filter", given) from None


def _speakers(given: bool | int | None) -> dict[str, Any]:
    """True: tell them apart; a number: and there are about so many."""
    if given is None or given is False:
        return {}
    if not isinstance(given, int) or (given is not True and not 2 <= given <= MOST_SPEAKERS):
        raise _unfit("speakers", given)
    return {"diarization_enabled": True} | ({} if given is True else {"speaker_count": given})
