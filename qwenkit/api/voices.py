"""Voices: those of the catalogue, and those of your own, cloned from a sample or designed in words.

`qwen.voices(model="…")` shows whom a model speaks with. `clone` and `design` make a voice for one model, which then
speaks with it: `qwen.speech("…", voice=mine)`. Three services of the platform make voices; here they have one face.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from qwenkit import catalogue
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.errors import ConfigError, NotFound
from qwenkit.protocol import voices as protocol
from qwenkit.protocol.flow import Answer, Flow, Request, Together
from qwenkit.protocol.options import model as checked
from qwenkit.protocol.voices import CLONE, COSY, DESIGN, MAKERS, Maker
from qwenkit.types.voices import Cast, OwnVoice, OwnVoices

_PAGE = 100
_MOST_PAGES = 20
_FIRST_WORDS = {"zh": "你好，这是我的新声音。", "en": "Hello, this is my new voice."}


_made: WeakKeyDictionary[Core, dict[str, OwnVoice]] = WeakKeyDictionary()  # in this session, by their names


def own(core: Core, voice: Any) -> Any:
    """A voice of one's own for the name it was made with in this session; anything else as it is."""
    named = isinstance(voice, str) and catalogue.voice(voice) is None
    return _made.get(core, {}).get(voice, voice) if named else voice


class VoicesCalls:
    """The calls of the voices noun, written once for both flavours."""

    _core: Core

    def __call__(self, *, model: str = "", language: str = "") -> Cast:
        """The voices a model speaks with, or all that speak a language; from the catalogue, without a call."""
        model, wanted = checked(model or catalogue.DEFAULTS["speech"]), protocol.language(language, code=False)
        spoken = [each for each in catalogue.voices(model) if wanted in ("", *each.languages, each.dialect)]
        return Cast(spoken, model)

    @call
    def clone(
        self,
        sample: Any,
        *,
        name: str,
        model: str = "",
        text: str = "",
        language: str = "",
        timeout: float | None = None,
    ) -> Flow[OwnVoice]:
        """A voice that sounds like a sample: a path, a sound or an address of clear speech, 10 to 20 seconds of it.

        `model` is what will speak with it, and nothing else will. `text` is what is said in the sample. Clone voices
        only of people who agreed to it.
        """
        from qwenkit.api.sending import placed
        from qwenkit.types.audio import Audio

        by, target = protocol.target(model, CLONE, COSY)
        language = protocol.language(language, code=True)
        sound = Audio.of(sample)
        _check(sound, by)
        fields: dict[str, Any] = {"target_model": target, **by.named(name)}
        if by is COSY:
            fields |= {"url": sound, "language_hints": [language] if language else None}
        else:
            fields |= {"audio": {"data": sound}, "text": text, "language": language}
        body, headers = yield from placed(self._core, by.body("create", **fields), by.model)
        return (yield from _make(self._core, by, body, timeout, headers))

    @call
    def design(
        self,
        prompt: str,
        *,
        preview: str = "",
        name: str = "voice",
        model: str = "",
        language: str = "en",
        timeout: float | None = None,
    ) -> Flow[OwnVoice]:
        """A voice from a description, such as "a deep, slow voice of an old man". `voice.preview` lets you hear it.

        `preview` is what it says there, in `language` (en, zh, …).
        """
        by, target = protocol.target(model, DESIGN)
        language = protocol.language(language, code=True)
        said = preview or _FIRST_WORDS.get(language, _FIRST_WORDS["en"])
        limits = getattr(catalogue.model(by.model), "limits", {})
        for what, given in (("prompt", prompt), ("preview", said)):
            most = limits.get(f"{what}_characters")
            if not isinstance(given, str) or not given.strip() or (isinstance(most, int) and len(given) > most):
                raise ConfigError(f"{what} cannot be {given!r:.40}", hint=f"it is a text of 1 to {most} characters")
        fields = {"target_model": target, **by.named(name), "language": language}
        body = by.body("create", **fields, voice_prompt=prompt, preview_text=said)
        return (yield from _make(self._core, by, body, timeout, prompt=prompt, text=said))

    @call
    def list(self) -> Flow[OwnVoices]:
        """Your own voices, of all three makers. One that does not answer in this region is left out."""
        outcomes: Any = yield Together([_list(self._core, by) for by in MAKERS])
        if all(isinstance(each, BaseException) for each in outcomes):
            raise outcomes[0]
        return OwnVoices([voice for each in outcomes if not isinstance(each, BaseException) for voice in each])

    @call
    def get(self, voice: OwnVoice | str) -> Flow[OwnVoice]:
        """One of your own voices as the service knows it."""
        by, id = protocol.maker(voice)
        if by is CLONE:  # it answers no questions about one
            found = yield from _list(self._core, by)
            mine = next((each for each in found if each.id == id), None)
            if mine is None:
                raise NotFound(f"there is no voice {id!r}", hint="qwen.voices.list() names those that are there")
            return mine
        request = _request(self._core, by.body("query", **{by.id: id}))
        answer: Answer = yield from self._core.send(request)
        return protocol.one(answer.body, by, id, request.name)

    @call
    def delete(self, voice: OwnVoice | str) -> Flow[None]:
        """Give a voice back. What it has said stays; it cannot say more."""
        by, id = protocol.maker(voice)
        yield from self._core.send(_request(self._core, by.body("delete", **{by.id: id})))
        mine = _made.get(self._core, {})
        for name in [name for name, each in mine.items() if each.id == id]:
            del mine[name]


def _request(core: Core, body: dict[str, Any], timeout: float | None = None, headers: Any = None) -> Request:
    return core.request("POST", "native", protocol.PATH, body, timeout=timeout, headers=headers)


def _make(core: Core, by: Maker, body: Any, timeout: float | None, headers: Any = None, **facts: Any) -> Flow[OwnVoice]:
    opened = core.accounts.open("voices", by.model, 0, 0)
    read = partial(protocol.made, by=by, **facts)
    voice: OwnVoice = yield from billed(core, _request(core, body, timeout, headers), opened, read)
    _made.setdefault(core, {})[voice.name or voice.id] = voice
    return voice


def _list(core: Core, by: Maker) -> Flow[list[OwnVoice]]:
    """Every page of one maker's list."""
    found: list[OwnVoice] = []
    for page in range(_MOST_PAGES):
        request = _request(core, by.body("list", page_index=page, page_size=_PAGE))
        answer: Answer = yield from core.send(request)
        rows = protocol.listed(answer.body, by, request.name)
        found += rows
        if len(rows) < _PAGE:
            break
    return found


def _check(sound: Any, by: Maker) -> None:
    """Raise when a sample breaks a documented rule; what is only an address the service must judge."""
    facts = catalogue.model(by.model)
    limits = facts.limits if facts is not None else {}
    if not sound.loaded:
        return
    longest, largest, rate = (limits.get(f"sample_{name}") for name in ("seconds", "megabytes", "rate_hz"))
    wrong = ""
    if largest and sound.byte_size > float(largest) * 2**20:
        wrong = f"it has {sound.byte_size:,} bytes and may have {largest} MB"
    elif longest and sound.duration > float(longest):
        wrong = f"it lasts {sound.duration:.0f} s and may last {longest} s"
    elif rate and sound.rate_hz < float(rate):
        wrong = f"its rate is {sound.rate_hz:,} Hz and must be {rate:,} Hz"
    if wrong:
        cure = "record clear speech at 24 kHz or more, 10 to 20 seconds of it"
        raise ConfigError(f"the sample {sound.name} does not suit: {wrong}; nothing was sent", hint=cure)


class Voices(VoicesCalls, SyncNoun):
    """`qwen.voices(model="…")`, `.clone(sample, name="…")`, `.design("…")`, `.list()`, `.get`, `.delete`."""


class AsyncVoices(VoicesCalls, AsyncNoun):
    """`aqwen.voices(model="…")`, `await aqwen.voices.clone(sample, name="…")`."""
