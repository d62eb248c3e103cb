"""Spoken words: `qwen.speech("The ferry leaves at nine.")` gives a sound that plays in its cell.

The service answers with an address that is dead after a day: the file is fetched at once, without the key, and kept
under `outputs/`. A text that is too long for one call is cut at its sentences, spoken in several calls and joined.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from qwenkit import catalogue
from qwenkit.api import outputs
from qwenkit.api.accounts import OpenCall
from qwenkit.api.billed import billed
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call, stream
from qwenkit.api.realtime.opening import opens
from qwenkit.api.stream import Plan
from qwenkit.api.voices import own
from qwenkit.errors import APIError, QwenError
from qwenkit.protocol import speech as protocol
from qwenkit.protocol.flow import Flow, Together
from qwenkit.protocol.realtime.live_settings import speaking
from qwenkit.protocol.sentences import characters
from qwenkit.protocol.speech import Order, Said, SpeechOptions, total
from qwenkit.protocol.speech_stream import FADE_S, Sound, SpeechFold, shifted, summed, timed

if TYPE_CHECKING:
    from qwenkit.api.realtime.live import AsyncVoice, Voice
    from qwenkit.types.reply import Reply
    from qwenkit.types.voices import SpeechPiece, Spoken

_PACKED = ("mp3", "ogg")  # formats of parts that the whole is written in again; of the others it is a wav
_CHARACTERS_PER_SECOND = 12  # of speech, for estimates only
_STREAMED = {"X-DashScope-SSE": "enable"}
_NO_SUCH_VOICE = "error code: 418"


def _voices() -> tuple[type[Voice], type[AsyncVoice]]:
    from qwenkit.api.realtime import live

    return live.Voice, live.AsyncVoice


class SpeechCalls:
    """The calls of the speech noun, written once for both flavours."""

    _core: Core
    live = opens(speaking, _voices)

    @call
    def __call__(self, text: str | Reply, **options: Unpack[SpeechOptions]) -> Flow[Spoken]:
        """Speak a text, or the text of an answer.

        `voice` is a name (`qwen.voices(model=…)` lists them), or a voice of your own; `language` (English, en, …)
        settles how numbers and mixed texts are read; `instructions` say how to speak, to the model that listens to
        them. The file is kept under `folder`, unless `save=False`. A cosyvoice model takes more: format, rate, and
        word_timestamp_enabled, for the times in `.words`.
        """
        order, folder = _ordered(self._core, text, options), _folder(options)
        flows: list[Flow[Any]] = [_say(self._core, order, part.text) for part in order.parts]
        if len(flows) == 1:
            spoken = yield from flows[0]
        else:
            spoken = _joined(order, (yield Together(_until_one_fails(flows), order.concurrency)))
        return _kept(spoken, folder)

    @stream
    def stream(self, text: str | Reply, **options: Unpack[SpeechOptions]) -> Plan[SpeechPiece, Spoken]:
        """Speak a text, and hear it while it is made: pieces of raw 16-bit PCM.

        Nothing is sent until it is entered or iterated. `stream.reply` is the sound so far, and at the end the whole;
        `qk.show(stream)` draws it. A long text goes on by itself, part by part.
        """
        order = _ordered(self._core, text, options, stream=True)
        sound = Sound(order.parts, order.rate_hz, order.facts)
        return _plan(self._core, order, sound, 0, _folder(options))


def _ordered(core: Core, text: Any, options: SpeechOptions, stream: bool = False) -> Order:
    return protocol.order(text, stream, **{**options, "voice": own(core, options.get("voice"))})


def _folder(options: SpeechOptions) -> Any:
    """The folder to keep it in, or None; one that nothing can be kept in costs no call."""
    if not options.get("save", True):
        return None
    folder = options.get("folder", "outputs")
    outputs.ready(folder)
    return folder


def _say(core: Core, order: Order, text: str) -> Flow[Spoken]:
    """One call, and the file it left."""
    from qwenkit.api.sending import fetch
    from qwenkit.types.voices import Spoken

    headers, read = (_STREAMED, timed) if order.timed else (None, protocol.read)
    request = core.request("POST", "native", order.path, order.body(text), timeout=order.timeout, headers=headers)
    said: Said = yield from billed(core, request, _open(core, order, text), read)
    content = (yield from fetch(core, said.url, "audio")) if said.url else said.data
    raw = order.input.get("format") == "pcm"
    facts = {**order.facts(text), **({"words": said.words} if said.words else {})}
    spoken = Spoken(content, order.rate_hz if raw else 0, url=said.url, **facts)
    spoken.usage, spoken.receipt, spoken.bodies = said.usage, said.receipt, said.bodies or [said.body]
    return spoken


def _open(core: Core, order: Order, text: str, fold: SpeechFold | None = None) -> OpenCall:
    """Account for a call: by its characters, or for older models by its tokens and those of its sound."""
    facts = catalogue.model(order.model)
    asked, most = characters(text), 0
    if facts is not None and "tokens" in facts.limits:
        asked, most = catalogue.tokens.count(text), max(50, 50 * asked // _CHARACTERS_PER_SECOND)
    explain = partial(_explain, order, fold)
    try:
        opened = core.accounts.open("speech", order.model, asked, most)
    except QwenError as refused:
        explain(refused)
        raise
    opened.explain = explain
    return opened


def _explain(order: Order, fold: SpeechFold | None, error: BaseException) -> None:
    """A cure where the service's words have none: its four voices are not the model's; and what was heard before."""
    if not isinstance(error, QwenError):
        return
    said = error.message if isinstance(error, APIError) else ""
    if "url error" in said:
        error.hint = f"{order.model} does not speak at {order.path}: use a model of qwen.models.search('tts')"
    elif "voice" in said or _NO_SUCH_VOICE in said:
        error.hint = f"{protocol.whom(order.model)}; a voice of your own speaks with the model it was made for only"
    if fold is not None and fold.sound.pcm:
        fold.carry(error)


def _until_one_fails(flows: list[Flow[Any]]) -> Iterator[Flow[Any]]:
    """Every call, as long as none has failed."""
    failed: list[BaseException] = []

    def guarded(flow: Flow[Any]) -> Flow[Any]:
        if failed:
            return None
        try:
            return (yield from flow)
        except BaseException as error:
            failed.append(error)
            raise

    return map(guarded, flows)


def _joined(order: Order, outcomes: list[Any]) -> Spoken:
    """The parts as one sound, with the pauses of a reader; the first error, with what could be said before it."""
    from qwenkit.types import recording
    from qwenkit.types.voices import Spoken

    error = next((each for each in outcomes if isinstance(each, BaseException)), None)
    if error is not None:
        wrong = next(place for place, each in enumerate(outcomes) if not hasattr(each, "rate_hz"))
        if isinstance(error, QwenError):
            error.reply = _joined(order, outcomes[:wrong]) if wrong else None
            there = ", error.reply has those before it" if wrong else ""
            error.hint = f"{error.hint}; part {wrong + 1} of {len(outcomes)} failed{there}".removeprefix("; ")
        raise error
    rate, takes, words, begin = outcomes[0].rate_hz, [], [], 0.0
    for each, part in zip(outcomes, order.parts, strict=False):  # those before a failure are fewer
        takes += [each, Spoken.pcm(bytes(2 * round(part.pause * rate)), rate)]
        words += shifted(each.words, begin)
        begin += each.duration + part.pause
    whole = Spoken.join(takes[:-1], fade_s=FADE_S)
    text = " ".join(each.text for each in outcomes)
    facts = {**order.facts(text), **({"words": words} if words else {})}
    sound, kind = (whole.array, whole.rate_hz), outcomes[0].format
    spoken = Spoken(recording.written(*sound, kind), **facts) if kind in _PACKED else Spoken(*sound, **facts)
    spoken.usage = total([each.usage for each in outcomes])
    spoken.receipt = summed([each.receipt for each in outcomes])
    spoken.bodies = [body for each in outcomes for body in each.bodies]
    return spoken


def _plan(core: Core, order: Order, sound: Sound, at: int, folder: Any) -> Plan[SpeechPiece, Spoken]:
    """The stream of one part, and after it that of the next."""
    text = order.parts[at].text
    asked: Any = {"stream": True, "timeout": order.timeout, "headers": _STREAMED}
    request = core.request("POST", "native", order.path, order.body(text), **asked)
    prompt = [{"role": "user", "content": text}]
    fold = SpeechFold(sound, at, request=request.name)
    then = partial(_go_on, core, order, sound, at, folder)
    return Plan(request, fold, partial(_open, core, order, text, fold), prompt, then)


def _go_on(core: Core, order: Order, sound: Sound, at: int, folder: Any, spoken: Spoken) -> Any:
    """The plan of the next part; after the last one the sum, and the file."""
    sound.receipts.append(spoken.receipt)
    sound.usages.append(spoken.usage)
    sound.events = list(spoken.bodies)
    if at + 1 < len(order.parts):
        return _next(_plan(core, order, sound, at + 1, folder))
    spoken.receipt, spoken.usage = summed(sound.receipts), total(sound.usages)
    spoken.url = sound.urls[0] if len(sound.urls) == 1 else ""
    _kept(spoken, folder)
    return None


def _next(plan: Plan[SpeechPiece, Spoken]) -> Flow[tuple[list[SpeechPiece], Plan[SpeechPiece, Spoken]]]:
    yield from ()
    return [], plan


def _kept(spoken: Spoken, folder: Any) -> Spoken:
    """The sound, in a file of its own, if there is a folder for it."""
    if folder is not None:
        made = {"seed": None, **spoken.meta, "prompt": spoken.text, "model": spoken.model, "folder": folder}
        spoken.path = outputs.keep(spoken, **{name: made[name] for name in made if name not in ("text", "words")})
    return spoken


class Speech(SpeechCalls, SyncNoun):
    """`qwen.speech("…", voice="…")`, `qwen.speech.stream("…")`."""


class AsyncSpeech(SpeechCalls, AsyncNoun):
    """`await aqwen.speech("…")`, `async with aqwen.speech.stream("…")`."""
