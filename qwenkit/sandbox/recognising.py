"""Text from speech, at once: natively, over chat completions, and natively with typed content.

One sound goes in, its words come out, with its language, how it was said and how many seconds are billed. Checks speak
the documented words; where the pages name none, those of the nearest rule. What is heard is `hearing`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit import catalogue
from qwenkit.catalogue import Model, tokens
from qwenkit.catalogue.media import MEGABYTE, media
from qwenkit.sandbox.chat import EVENT_STREAM, paced
from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.hearing import Recording, joined, listen
from qwenkit.sandbox.itn import written
from qwenkit.sandbox.native_answers import frame
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.tasks import enabled

Json = dict[str, Any]
_NAMED = "zh yue en ja de ko ru fr pt ar it es hi id th tr uk vi cs da fil fi is ms no pl sv"
LANGUAGES = _NAMED.split()
TOKENS_A_SECOND = 25
LONG = 60.0  # seconds from which a typed answer streams in several frames
_MODAL = "The item of content should be a message of a certain modal."
_ONE = "The input should contain exactly one audio."
_WEIGHTS = (1, 2, 3, 4, 5, 50)


class Heard(NamedTuple):
    """A recording, and its text as it was asked for."""

    recording: Recording
    text: str
    language: str

    @property
    def annotations(self) -> list[Json]:
        return [{"type": "audio_info", "language": self.language, "emotion": self.recording.heard.emotion}]

    def usage(self) -> Json:
        """As chat completions spell it."""
        heard, said = TOKENS_A_SECOND * self.recording.billed, tokens.count(self.text)
        return {
            "prompt_tokens": heard,
            "completion_tokens": said,
            "total_tokens": heard + said,
            "seconds": self.recording.billed,
            "prompt_tokens_details": {"audio_tokens": heard, "text_tokens": 0},
            "completion_tokens_details": {"text_tokens": said},
        }


# -- over chat completions -----------------------------------------------------------------------------------------


async def completion(service: Service, request: Request, body: Json) -> Response:
    """An order over chat completions."""
    model = _model(body)
    part = _only_sound(body.get("messages"), "input_audio")
    heard = await _heard(service, request, model, _data(part), _object(body, "asr_options"))
    stream = body.get("stream")
    if not isinstance(stream, bool | None):
        raise invalid("'stream' must be Boolean")
    id, created = f"chatcmpl-{request.state.request_id}", int(service.clock())
    if not stream:
        message = {"role": "assistant", "content": heard.text, "annotations": heard.annotations}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        told = {"id": id, "object": "chat.completion", "created": created, "model": model.name}
        return JSONResponse({**told, "choices": [choice], "usage": heard.usage()})
    whole = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model.name}
    asked = _object(body, "stream_options").get("include_usage")
    return StreamingResponse(paced(_events(whole, heard, bool(asked)), service.pace), headers=EVENT_STREAM)


def _events(whole: Json, heard: Heard, include_usage: bool) -> Iterator[bytes]:
    said = {"role": None, "annotations": heard.annotations}
    steps: list[tuple[Json, str | None]] = [({"content": "", "role": "assistant"}, None)]
    steps += [({"content": piece, **said}, None) for piece in tokens.split(heard.text)]
    choices = [{"index": 0, "delta": delta, "finish_reason": why} for delta, why in [*steps, ({"role": None}, "stop")]]
    chunks: list[Json] = [{**whole, "choices": [each], "usage": None} for each in choices]
    chunks += [{**whole, "choices": [], "usage": heard.usage()}] if include_usage else []
    for each in chunks:
        yield f"data: {json.dumps(each, ensure_ascii=False)}\n\n".encode()
    yield b"data: [DONE]\n\n"


# -- natively ------------------------------------------------------------------------------------------------------


async def generation(service: Service, request: Request, body: Json) -> Response:
    """An order on the multimodal path for one of these models."""
    model, parameters = _model(body), _object(body, "parameters")
    messages, stream = _object(body, "input").get("messages"), enabled(request, "x-dashscope-sse")
    if model.endpoint == "recognition":
        frames = await _typed(service, request, model, messages, parameters)
    else:
        sound = _only_sound(messages, "audio")["audio"]
        heard = await _heard(service, request, model, sound, _object(parameters, "asr_options"))
        frames = list(_said(heard, parameters.get("incremental_output") is True)) if stream else [_whole(heard)]
    answers = [{**each, "request_id": request.state.request_id} for each in frames]
    if not stream:
        return JSONResponse(answers[-1])
    events = (frame(number, "result", 200, each) for number, each in enumerate(answers, 1))
    return StreamingResponse(paced(events, service.pace), headers=EVENT_STREAM)


def _whole(heard: Heard, text: str | None = None, reason: str = "stop") -> Json:
    text = heard.text if text is None else text
    content = [{"text": text}] if text else []
    message = {"role": "assistant", "annotations": heard.annotations, "content": content}
    usage = {
        "input_tokens_details": {"text_tokens": 0},
        "output_tokens_details": {"text_tokens": tokens.count(heard.text)},
        "seconds": heard.recording.billed,
    }
    return {"output": {"choices": [{"finish_reason": reason, "message": message}]}, "usage": usage}


def _said(heard: Heard, incremental: bool) -> Iterator[Json]:
    """Frame after frame: what is new, or all so far."""
    pieces = tokens.split(heard.text)
    for at, piece in enumerate(pieces, 1):
        yield _whole(heard, piece if incremental else "".join(pieces[:at]), "null")
    yield _whole(heard, "" if incremental else heard.text)


async def _typed(service: Service, request: Request, model: Model, messages: Any, parameters: Json) -> list[Json]:
    """What the newer models say: one sentence that grows, with its words; the bill comes with its end."""
    part = _only_sound(messages, "input_audio", last=True)
    _check_context(messages, model)
    if not isinstance(parameters.get("format"), str):
        raise invalid("Required parameter(format) missing or invalid, please check the request parameters.")
    hints = parameters.get("language_hints") or []
    most = 1 if model.line.startswith("fun-") else 4
    if not isinstance(hints, list) or len(hints) > most:
        raise invalid(f"language_hints should be a list of at most {most} languages")
    vocabulary = parameters.get("vocabulary") or {}
    if not isinstance(vocabulary, dict) or any(weight not in _WEIGHTS for weight in vocabulary.values()):
        raise invalid("The weights in vocabulary should be 1 to 5, or 50")
    heard = await _heard(service, request, model, _data(part), {})
    said = heard.recording.said
    ends = range(1, len(said) + 1) if heard.recording.heard.seconds >= LONG else [len(said)]
    return [_sentence(heard, at, at == len(said)) for at in ends] or [_sentence(heard, 0, True)]


def _sentence(heard: Heard, upto: int, ended: bool) -> Json:
    said = heard.recording.said[:upto]
    text = joined([each.text for each in said])
    words = [
        {"begin_time": begin, "end_time": end, "text": word, "punctuation": "", "fixed": True}
        for each in said
        for word, begin, end in each.words
    ]
    span = (said[0].begin_ms, said[-1].end_ms) if said else (0, 0)
    times = dict(zip(("begin_time", "end_time"), span, strict=True))
    sentence = {"sentence_id": 1, "sentence_end": ended, "channel_id": 0, **times, "text": text, "words": words}
    bill = {"usage": {"duration": heard.recording.billed}} if ended else {}
    return {"output": {"text": text, "sentence": sentence}, **bill}


def _check_context(messages: list[Json], model: Model) -> None:
    """The turns before the sound: so many of each side, each so long."""
    turns, longest = int(model.limits["context_turns"]), int(model.limits["context_characters"])
    for role in ("user", "assistant"):
        before = [each for each in messages[:-1] if each.get("role") == role]
        if len(before) > turns:
            raise invalid(f"The context has at most {turns} messages of the {role}")
        for part in (part for each in before for part in _parts(each)):
            if len(str(part.get("text", ""))) > longest:
                raise invalid(f"Range of the length of a context message should be [0, {longest}]")


# -- what all three share ------------------------------------------------------------------------------------------


def _model(body: Json) -> Model:
    model = catalogue.model(str(body.get("model")))
    assert model is not None, "the path was chosen by the model"
    return model


def _object(body: Json, name: str) -> Json:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise invalid(f"Input should be a valid dictionary: {name}")
    return value


def _only_sound(messages: Any, kind: str, last: bool = False) -> Json:
    """The one sound in the messages: a system message may stand before it, nothing beside it."""
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise invalid("Required parameter(messages) missing or invalid, please check the request parameters.")
    asked = [each for each in messages if each.get("role") == "user"]
    if not asked:
        raise invalid("The input messages do not contain elements with the role of user.")
    if any(each.get("role") == "system" for each in messages[1:]):
        raise invalid("Role must be in [user, assistant], the system message goes first.")
    if not last and len(asked) > 1:
        raise invalid(_ONE)
    parts = _parts(asked[-1])
    sounds = [part for part in parts if part.get(kind) is not None]
    if len(parts) != 1 or len(sounds) != 1:
        raise invalid(_ONE if len(sounds) > 1 else _MODAL)
    return sounds[0]


def _parts(message: Json) -> list[Json]:
    content = message.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _data(part: Json) -> Any:
    given = part["input_audio"]
    return given.get("data") if isinstance(given, dict) else None


async def _heard(service: Service, request: Request, model: Model, url: Any, options: Json) -> Heard:
    """Fetch the sound, check it against the model's limits, and hear it."""
    from qwenkit.sandbox.media import NO_URL, RESOLVE, checked, fetch

    language, itn = options.get("language"), options.get("enable_itn")
    if language is not None and language not in LANGUAGES:
        known = ", ".join(f"'{each}'" for each in LANGUAGES)
        raise invalid(f"Input should be {known}: parameters.asr_options.language")
    if not isinstance(itn, bool | None):
        raise invalid("'enable_itn' must be Boolean")
    if not isinstance(url, str):
        raise invalid(NO_URL)
    facts = media(model)
    most = int((facts.audio_megabytes if facts else None) or 10) * MEGABYTE
    if url.startswith("data:") and len(url) > most:
        raise invalid(f"Exceeded limit on max bytes per data-uri item : {most}")
    got = await fetch(service, url, resolve=enabled(request, RESOLVE), most=most, model=model.name)
    checked(got.content, "audio", facts)
    recording = await listen(service, got.content)
    heard = language or recording.language
    text = written(recording.text) if itn and heard in ("zh", "en") else recording.text
    return Heard(recording, text, heard)


ROUTES: list[Verb] = []
