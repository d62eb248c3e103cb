"""CosyVoice over HTTP: a path of its own, all options in `input`, streams that tell sentences and words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from qwenkit import catalogue
from qwenkit.catalogue import Model
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.native_orders import WRONG_PATH
from qwenkit.sandbox.routing import json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.speaking import Letter, Script, encoded, given_text, owned
from qwenkit.sandbox.voice import Utterance

Json = dict[str, Any]
_FORMATS = ("mp3", "wav", "pcm", "opus")
_RATES = (8000, 16000, 22050, 24000, 44100, 48000)
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
_ENGINE = "[tts:]Engine return error code: "
_RANGES: dict[str, tuple[float, float, float]] = {  # least, most, usual
    **{"volume": (0, 100, 50), "rate": (0.5, 2, 1.0), "pitch": (0.5, 2, 1.0), "bit_rate": (6, 510, 32)},
    "seed": (0, 65535, 0),
}
# Names of the house begin so, and belong to one version: those of the second end in _v2.
_HOUSE = re.compile(r"(long|loong)[a-z]+(_v\d)?$")
_LANGUAGES = {"zh": "Chinese", "en": "English", "fr": "French", "de": "German", "ja": "Japanese", "ko": "Korean"}
_LANGUAGES |= {"ru": "Russian", "pt": "Portuguese", "it": "Italian", "es": "Spanish"}
_TAG = re.compile(r"<[^>]+>")
_LONGEST_INSTRUCTION = 128


async def synthesis(service: Service, request: Request) -> Response:
    body = json_body(request)
    name, given = body.get("model"), body.get("input")
    if not isinstance(name, str) or not name:
        raise Refusal("InvalidParameter", 'Required parameter "model" missing from request.')
    model = catalogue.model(name)
    if model is None:
        raise Refusal("InvalidParameter", "Model not exist.")
    if model.endpoint != "inference" or model.family != "tts":
        raise Refusal("InvalidParameter", WRONG_PATH)
    text = given_text(given, model)
    assert isinstance(given, dict)
    format, rate = _format(given, model)
    script = _script(service, given, model, text, rate)
    letter = CosyLetter(service, request, script, format)
    letter.timed = given.get("word_timestamp_enabled") is True
    return await letter.sent(request)


def _format(given: Json, model: Model) -> tuple[str, int]:
    format, rate = given.get("format") or "mp3", given.get("sample_rate") or model.rate_hz
    if format not in _FORMATS:
        raise invalid("Input should be 'mp3', 'wav', 'pcm' or 'opus': input.format")
    if type(rate) is not int or rate not in _RATES:
        raise invalid(f"sample_rate should be one of {list(_RATES)}")
    return format, 24000 if format == "opus" and rate not in _OPUS_RATES else rate


def _script(service: Service, given: Json, model: Model, text: str, rate_hz: int) -> Script:
    told = {name: _number(given, name) for name in _RANGES}
    voice, hints, manner = given.get("voice"), given.get("language_hints") or [], given.get("instruction") or ""
    if not isinstance(voice, str) or not voice:
        raise invalid("Request voice is invalid!")
    own = owned(service, voice, model)
    if own is None and not _of_the_house(voice, model.line):
        raise invalid(f"{_ENGINE}418")
    if not isinstance(manner, str) or len(manner) > _LONGEST_INSTRUCTION:
        raise invalid(f"{_ENGINE}428")
    if not isinstance(hints, list) or not all(isinstance(each, str) for each in hints):
        raise invalid("Input should be a valid list: input.language_hints")
    language = _LANGUAGES.get(hints[0], "Auto") if hints else "Auto"
    said = _TAG.sub("", text) if given.get("enable_ssml") is True else text
    return Script(model.name, said, voice, language, manner, own, rate_hz, told["rate"], told["pitch"], told["volume"])


def _number(given: Json, name: str) -> float:
    low, high, usual = _RANGES[name]
    value = given.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise invalid(f"Range of {name} should be [{low:g}, {high:g}]")
    return value


def _of_the_house(voice: str, line: str) -> bool:
    """Whether a voice is of the model's version."""
    found, version = _HOUSE.match(voice), re.search(r"-v(\d)", line)
    if found is None or version is None:
        return False
    return (found[2] or "") in {"1": ("",), "2": ("_v2",), "3": ("", "_v3")}[version[1]]


class CosyLetter(Letter):
    """Each sentence begins, sounds and ends; the end tells its words, where they were asked for."""

    timed = False
    _begun = 0  # how far the words of the text are told

    def steps(self, clause: Utterance, index: int, sent: int) -> Iterator[tuple[Any, Json]]:
        told = {"original_text": clause.text, "sentence": {"index": index, "words": []}}
        yield clause.pcm[:0], {"type": "sentence-begin", **told}
        for bit, _ in super().steps(clause, index, sent):
            yield bit, {"type": "sentence-synthesis", **told}
        after_ms = round(sent / self.script.rate_hz * 1000)
        words = _words(clause.words, self.script.text, self._begun, after_ms) if self.timed else []
        self._begun = words[-1]["end_index"] if words else self._begun
        yield clause.pcm[:0], {"type": "sentence-end", **told, "sentence": {"index": index, "words": words}}

    def chunk(self, bit: Any, *, first: bool) -> bytes:
        """A bit of the sound: a wav has one header, in front; compressed bits stand for themselves."""
        bare = self.format == "wav" and not first
        return super().chunk(bit, first=first) if bare else encoded(bit, self.script.rate_hz, self.format)


def _words(words: Any, text: str, begin: int, after_ms: int) -> list[Json]:
    """Words with their places in the text and their times in the whole sound."""
    found: list[Json] = []
    for word, first, last in words:
        place = max(text.find(word, begin), begin)
        begin = place + len(word)
        times = {"begin_time": after_ms + first, "end_time": after_ms + last}
        found.append({"text": word, "begin_index": place, "end_index": begin, **times})
    return found
