"""Speech without I/O: words, a voice and options in, request bodies out; an answer in, where the sound is out.

Two families speak. Qwen-TTS lives on the multimodal path and has hardly an option; CosyVoice has a path of its own and
a dozen, all inside `input`. Which one, which voices, which languages and how long a text may be: the catalogue says.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, TypedDict, Unpack

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError
from qwenkit.protocol import billing, failures
from qwenkit.protocol import options as checked
from qwenkit.protocol.lenient import Lenient
from qwenkit.protocol.native import MULTIMODAL
from qwenkit.protocol.sentences import Part, characters, split
from qwenkit.types.reply import Receipt, Reply
from qwenkit.types.usage import Usage
from qwenkit.types.voices import OwnVoice

COSYVOICE = "/services/audio/tts/SpeechSynthesizer"
LANGUAGES = {  # as the models spell them, and the codes that others use
    **{"Chinese": "zh", "English": "en", "German": "de", "Italian": "it", "Portuguese": "pt", "Spanish": "es"},
    **{"Japanese": "ja", "Korean": "ko", "French": "fr", "Russian": "ru"},
}
NAMES = {alias: name for name, code in LANGUAGES.items() for alias in (name.lower(), code)}
NAMES |= {"mandarin": "Chinese", "yue": "Cantonese"}
INSTRUCTED = "qwen3-tts-instruct-flash"
_TOKENS_KNOWN = 0.9  # of a limit in tokens: ours are an estimate
_OWN = re.compile(r"[\d_-]")  # what names of the cast never have, and ids always do
_ENDPOINTS = {"speech": MULTIMODAL, "inference": COSYVOICE}


class SpeechOptions(TypedDict, total=False):
    """Options of `qwen.speech(…)`. From `format` on they are CosyVoice's, but for the last four.

    `concurrency` is of the calls for a long text.
    """

    voice: Any
    language: str
    instructions: str
    model: str
    save: bool
    folder: Any
    format: str
    sample_rate: int
    volume: int
    rate: float
    pitch: float
    bit_rate: int
    seed: int
    enable_ssml: bool
    word_timestamp_enabled: bool
    language_hints: list[str]
    hot_fix: Mapping[str, Any]
    enable_markdown_filter: bool
    enable_aigc_tag: bool
    optimize_instructions: bool
    concurrency: int
    timeout: float | None
    extra: Mapping[str, Any] | None


_OURS = ("voice", "language", "instructions", "model", "save", "folder", "concurrency", "timeout", "extra")
_COSY = tuple(name for name in SpeechOptions.__annotations__ if name not in (*_OURS, "optimize_instructions"))


class Order(msgspec.Struct, frozen=True):
    """What is to be said, by whom, in how many calls."""

    model: str
    path: str
    parts: list[Part]
    input: dict[str, Any]
    parameters: dict[str, Any] | None
    rate_hz: int
    concurrency: int = 4
    timeout: float | None = None

    def body(self, text: str) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, "input": {"text": text, **self.input}}
        return body if self.parameters is None else {**body, "parameters": self.parameters}

    @property
    def timed(self) -> bool:
        """Whether the times of its words are asked for, which only streams tell."""
        return bool(self.input.get("word_timestamp_enabled"))

    def facts(self, text: str) -> dict[str, Any]:
        """What the sound will remember."""
        known = {"voice": self.input.get("voice"), "model": self.model, "language": self.input.get("language_type")}
        known |= {"instructions": (self.parameters or {}).get("instructions") or self.input.get("instruction")}
        known |= {"seed": self.input.get("seed")}
        return {"text": text, **{name: value for name, value in known.items() if value not in (None, "")}}


def order(text: Any, stream: bool = False, **options: Unpack[SpeechOptions]) -> Order:
    """The whole order, checked: a wrong name costs no call."""
    text, voice, language = _text(text), options.get("voice") or "", options.get("language") or ""
    instructions, model = options.get("instructions") or "", options.get("model") or ""
    model = checked.model(model or home(voice) or (INSTRUCTED if instructions else catalogue.DEFAULTS["speech"]))
    facts = catalogue.model(model)
    path = _path(model, facts)
    extra = dict(checked.extra(options.get("extra")))
    cosy = path == COSYVOICE
    _refuse(options, cosy, model)
    known = {name: value for name, value in options.items() if name in _COSY and value is not None}
    spoken = language and language_of(model, facts, language)
    said: dict[str, Any] = {"voice": extra.pop("voice", None) or voice_of(model, facts, voice)}
    parameters: dict[str, Any] | None = None
    if cosy:
        said |= {"instruction": instructions} if instructions else {}
        said |= {"language_hints": [LANGUAGES.get(spoken, spoken)]} if spoken else {}
        said |= {"format": "pcm"} if stream else {}
        said |= {**known, **extra}
        if stream and said["format"] not in ("pcm", "wav"):
            raise ConfigError("a stream of speech is raw PCM", hint="leave format out, or call qwen.speech(…)")
    else:
        if instructions and facts is not None and "instruction_tokens" not in facts.limits:
            cure = f"leave them out, or use model={INSTRUCTED!r}"
            raise ConfigError(f"{model} does not listen to instructions", hint=cure)
        told = {"instructions": instructions, "optimize_instructions": options.get("optimize_instructions")}
        parameters = {name: value for name, value in told.items() if value not in (None, "")} | extra
        said |= {"language_type": spoken} if spoken else {}
    rate = said.get("sample_rate") or (facts and facts.rate_hz) or 24000
    if not isinstance(rate, int):
        raise ConfigError(f"sample_rate cannot be {rate!r:.60}", hint="it is a number of samples a second: 24000")
    concurrency = options.get("concurrency", 4)
    if not isinstance(concurrency, int) or concurrency < 1:
        raise ConfigError(f"concurrency cannot be {concurrency!r}", hint="it is how many calls run at once: 1, 2, 4 …")
    return Order(model, path, _parts(text, facts), said, parameters, rate, concurrency, options.get("timeout"))


def _text(given: Any) -> str:
    """What is to be said; of an answer, its text."""
    text = given.text if isinstance(given, Reply) else "" if given is None else given
    if not isinstance(text, str):
        cure = "speak each of them, or join them into one" if isinstance(text, list | tuple) else "pass str(…) of it"
        raise ConfigError(f"only a text can be said, not {given!r:.60} ({type(given).__name__})", hint=cure)
    if not text.strip():
        raise ConfigError("there is nothing to say", hint='pass a text: qwen.speech("The ferry leaves at nine.")')
    return text


def home(voice: Any) -> str:
    """The model a voice of one's own belongs to, from the value or as its id tells; empty where it tells none."""
    if isinstance(voice, OwnVoice):
        return voice.model
    name = voice if isinstance(voice, str) else ""
    for line in ("qwen3-tts-vc", "qwen3-tts-vd"):
        if f"{line[5:]}-" in name and (found := catalogue.model(line)) is not None:
            return found.snapshots[-1]
    lines = [each.name for each in catalogue.models() if name.startswith(f"{each.name}-")]
    return max(lines, key=len, default="")


def _path(model: str, facts: Any) -> str:
    if facts is None:
        return COSYVOICE if model.startswith("cosyvoice") else MULTIMODAL
    if facts.endpoint not in _ENDPOINTS or facts.outputs != "A":
        line = model.removesuffix("-realtime")
        other = line if catalogue.known(line) and line != model else catalogue.DEFAULTS["speech"]
        kind = "is spoken with over a socket" if facts.endpoint == "realtime" else "does not read texts aloud"
        raise ConfigError(f"{model} {kind}", hint=f"for a text as a sound use model={other!r}")
    return _ENDPOINTS[facts.endpoint]


def _refuse(options: Mapping[str, Any], cosy: bool, model: str) -> None:
    elsewhere = {"speed": "CosyVoice calls it rate", "text": "the text goes first", "n": "one call, one take"}
    checked.refuse_unknown(options, SpeechOptions.__annotations__, "speech", elsewhere)
    mine = {*_OURS, *(_COSY if cosy else ("optimize_instructions",))}
    for name in (name for name, value in options.items() if value is not None and name not in mine):
        cure = "leave it out" if cosy else "cosyvoice models have it; how to speak goes into instructions=…"
        raise ConfigError(f"{model} has no option {name!r}", hint=cure)


def voice_of(model: str, facts: Any, voice: Any) -> str:
    """The voice's name as it is spelled. The service knows more voices than any list: ids pass, near misses do not."""
    name = voice.id if isinstance(voice, OwnVoice) else getattr(voice, "name", "" if voice is None else voice)
    if not isinstance(name, str):
        raise ConfigError(f"voice cannot be {voice!r:.60}", hint="pass a name, or a voice of qwen.voices")
    known = [each.name for each in catalogue.voices(model)]
    if not name:
        if facts is not None and facts.default_voice:
            return str(facts.default_voice)
        raise ConfigError(f"{model} needs a voice", hint=f"pass voice=…: {whom(model)}")
    other = catalogue.voice(name)
    if name in known or (not known and not (other and any("-tts" in each for each in other.models))):
        return name
    near = get_close_matches(name.title(), known, n=1, cutoff=0.75)
    if _OWN.search(name) and not near:
        return name
    where = _speaking(other) if other else ""
    told = [where, "" if known and where else whom(model)]
    meant = f"did you mean {near[0]!r}?" if near else "; ".join(filter(None, told))
    own = "" if near or where else "; a voice of your own goes by its id, which qwen.voices.list() tells"
    hint = f'{meant}{own} (extra={{"voice": "…"}} asks for any other)'
    raise ConfigError(f"{model} has no voice {name!r}", hint=hint)


def _speaking(voice: catalogue.Voice) -> str:
    """With which models a voice of the cast speaks; those that can be called go first."""
    lines = [each for each in voice.models if (facts := catalogue.model(each)) and facts.endpoint in _ENDPOINTS]
    first = sorted(lines or voice.models, key=lambda each: each != catalogue.DEFAULTS["speech"])[:2]
    return f"it speaks with {', '.join(first)}" if first else ""


def whom(model: str) -> str:
    """Where to find who speaks with a model."""
    if catalogue.voices(model):
        return f"qwen.voices(model={model!r}) lists them"
    if model.startswith("cosyvoice"):
        return f"the catalogue lists no voices of {model}: take a name from the service's list, or clone one"
    return "it takes voices of your own, which qwen.voices.clone(…) and .design(…) make and .list() names"


def spelled(language: str) -> str:
    """A language as the catalogue spells it, of its name or its code (en, en-GB), in any case; "" when unknown."""
    plain = language.strip().lower()
    return NAMES.get(plain) or NAMES.get(re.split("[-_]", plain)[0], "")


def language_of(model: str, facts: Any, language: Any) -> str:
    """A language as the model spells it; codes and any case will do."""
    if not isinstance(language, str):
        raise ConfigError(f"language cannot be {language!r:.60}", hint="pass its English name")
    found = "Auto" if language.strip().lower() == "auto" else spelled(language)
    limited = str(facts.limits.get("languages", "")).split() if facts else []
    if found in (*(limited or LANGUAGES), "Auto"):
        return found
    if facts is None or facts.endpoint == "inference":
        return language
    offered = limited or list(LANGUAGES)
    dialect = [each.name for each in catalogue.voices(model) if each.dialect == (found or language.strip().title())]
    if dialect:
        cure = f"a dialect comes with its voice: voice={dialect[0]!r}"
        raise ConfigError(f"{model} is not told to speak {language!r}", hint=cure)
    near = get_close_matches(language.title(), offered, n=1)
    meant = f"did you mean {near[0]!r}?" if near and not found else f"it speaks {', '.join(offered)}"
    raise ConfigError(f"{model} does not speak {language!r}", hint=meant)


def _parts(text: str, facts: Any) -> list[Part]:
    """The text in as many parts as the model's limit asks for; an ideograph counts as two characters."""
    limits = facts.limits if facts else {}
    most, tokens = limits.get("characters"), limits.get("tokens")
    if isinstance(most, int):
        return split(text, lambda part: len(part) <= most and characters(part) <= most)
    if isinstance(tokens, int):
        few = int(tokens * _TOKENS_KNOWN)
        return split(text, lambda part: len(part) <= 20 * few and catalogue.tokens.count(part) <= few)
    return [Part(text.strip())]


# -- answers -----------------------------------------------------------------------------------------------------------


class WireAudio(msgspec.Struct, gc=False):
    data: str | None = None
    url: str | None = None


class WireSpeech(msgspec.Struct, gc=False):
    audio: WireAudio | None = None
    finish_reason: str | None = None
    type: str | None = None
    sentence: dict[str, Any] | None = None


class WireAnswer(msgspec.Struct, gc=False):
    output: WireSpeech | None = None
    usage: Any = None
    request_id: str | None = None


ANSWER = Lenient.of(WireAnswer)


class Said(msgspec.Struct):
    """An answer that was read: where the sound is, or the sound itself."""

    url: str = ""
    data: bytes = b""
    usage: Usage | None = None
    receipt: Receipt = msgspec.field(default_factory=Receipt)
    body: bytes = b""
    model: str = ""
    words: list[dict[str, Any]] = []
    bodies: list[bytes] = []


def read(data: bytes, *, request: str = "", request_id: str = "") -> Said:
    """Where the sound is, in a 200 body. One without a sound is an error, and says which."""
    wire: WireAnswer = ANSWER.read(data, "one of speech", request=request, request_id=request_id)
    audio = wire.output.audio if wire.output else None
    if audio is None or not (audio.url or audio.data):
        raise failures.unreadable("one of speech", data, request=request, request_id=request_id)
    return Said(audio.url or "", sound(audio.data), billing.usage(wire.usage), body=data)


def sound(data: str | None) -> bytes:
    """The bytes in an answer; ValueError when they are none."""
    try:
        return base64.b64decode(data, validate=True) if data else b""
    except binascii.Error as broken:
        raise ValueError(str(broken)) from None


def words(sentence: Any) -> list[dict[str, Any]]:
    found = sentence.get("words") if isinstance(sentence, dict) else None
    return [word for word in found if isinstance(word, dict)] if isinstance(found, list) else []


def total(usages: list[Usage | None]) -> Usage | None:
    """The bill of several calls."""
    told = [each for each in usages if each is not None]
    if len(told) < 2:
        return told[0] if told else None
    counts = ("prompt_tokens", "completion_tokens", "total_tokens", "characters")
    return Usage(**{name: sum(getattr(each, name) for each in told) for name in counts})
