"""Speech from text: the Qwen-TTS models on the multimodal path, whole or as a stream, and the path that is no more.

What is asked is really said, by the sandbox's voice; the file is kept for a day at a signed address. A stream brings
the same sound in frames of raw PCM while it is being spoken, and names the file in its last frame.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from qwenkit import catalogue
from qwenkit.catalogue import Model, tokens
from qwenkit.sandbox.casting import LANGUAGES as SPOKEN
from qwenkit.sandbox.chat import EVENT_STREAM
from qwenkit.sandbox.customizing import OwnVoice, OwnVoices
from qwenkit.sandbox.errors import Refusal, invalid
from qwenkit.sandbox.native_answers import frame
from qwenkit.sandbox.native_orders import WRONG_PATH
from qwenkit.sandbox.results import LIFE, Results
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.tasks import enabled
from qwenkit.sandbox.voice import LONGEST_TEXT, Utterance, speak, speak_clauses

if TYPE_CHECKING:
    from numpy.typing import NDArray

Json = dict[str, Any]
RATE_HZ = 24000
FRAME_S = 0.8  # the captured frames hold 0.7 to 1 s
NO_TEXT = "Please ensure input text is valid."
NO_VOICE = "Input should be 'Cherry', 'Serena', 'Ethan' or 'Chelsie': parameters.audio.voice"
LANGUAGES = ("Auto", *(name for name in SPOKEN if name != "Cantonese"))
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_TOKENS_PER_SECOND = 50
_LEAST_TOKENS = 50
_INSTRUCTED = "instruct"  # in the names of models that listen to instructions
_KINDS = {"wav": "audio/wav", "pcm": "audio/pcm", "mp3": "audio/mpeg", "opus": "audio/ogg"}


@dataclass(frozen=True)
class Script:
    """What is to be said, and how. `own` is the voice's recipe when it is no voice of the cast."""

    model: str
    text: str
    voice: str
    language: str = "Auto"
    instructions: str = ""
    own: OwnVoice | None = None
    rate_hz: int = RATE_HZ
    speed: float = 1.0
    pitch: float = 1.0
    volume: float = 50

    @property
    def options(self) -> Json:
        """How the voice is asked; a voice of one's own is one of the cast, changed."""
        told = {"rate_hz": self.rate_hz, "speed": self.speed, "volume": self.volume, "language": self.language}
        voice, pitch, manner = (self.own.base, self.own.pitch, self.own.prompt) if self.own else (self.voice, 1.0, "")
        manner = f"{manner} {self.instructions}".strip()
        return {**told, "voice": voice, "pitch": self.pitch * pitch, "instructions": manner}

    async def whole(self, service: Service) -> Utterance:
        return await speak(self.text, **self.options, service=service)

    def clauses(self, service: Service) -> AsyncIterator[Utterance]:
        return speak_clauses(self.text, **self.options, service=service)


def characters(text: str) -> int:
    """What is billed: an ideograph counts as two."""
    return len(text) + len(_HAN.findall(text))


def token_usage(text: str, seconds: float) -> Json:
    """What the first generation bills: tokens, most of them for the sound."""
    asked, made = tokens.count(text), max(round(_TOKENS_PER_SECOND * seconds), _LEAST_TOKENS)
    return {
        "total_tokens": asked + made,
        "input_tokens_details": {"text_tokens": asked},
        "output_tokens": made,
        "input_tokens": asked,
        "output_tokens_details": {"audio_tokens": made, "text_tokens": 0},
    }


def given_text(given: Any, model: Model) -> str:
    text = given.get("text") if isinstance(given, dict) else None
    if not isinstance(text, str) or not text.strip():
        raise invalid(NO_TEXT)
    counted = "tokens" in model.limits
    most = model.limits.get("tokens" if counted else "characters", LONGEST_TEXT)
    if isinstance(most, int) and (tokens.count(text) if counted else len(text)) > most:
        raise invalid(f"Range of input length should be [1, {most}]")
    return text


def owned(service: Service, name: str, model: Model) -> OwnVoice | None:
    """The recipe of a voice of one's own, which speaks with the model it was made for only."""
    own = service.shelf(OwnVoices).get(name)
    if own is None:
        return None
    home = catalogue.model(own.model)
    if home is None or home.line != model.line:
        raise Refusal("invalid_value", f"The requested voice '{name}' is not supported.")
    return own


def _script(service: Service, body: Json) -> Script:
    model, given = catalogue.model(body["model"]), body.get("input")
    assert model is not None  # or the dispatch had not come here
    text = given_text(given, model)
    assert isinstance(given, dict)
    voice = given.get("voice")
    if not isinstance(voice, str) or not voice:
        raise invalid(NO_VOICE)
    own = owned(service, voice, model)
    if own is None and voice not in [each.name for each in catalogue.voices(model.name)]:
        raise invalid(NO_VOICE)
    language = given.get("language_type") or "Auto"
    offered = ("Auto", *str(model.limits["languages"]).split()) if "languages" in model.limits else LANGUAGES
    if language not in offered:
        names = ", ".join(f"'{each}'" for each in offered[:-1])
        raise invalid(f"Input should be {names} or '{offered[-1]}': parameters.language_type")
    return Script(model.name, text, voice, language, _instructions(body, given, model), own)


def _instructions(body: Json, given: Json, model: Model) -> str:
    """How to speak: in `parameters` as the SDK sends it, or in `input` as the page says."""
    told = body.get("parameters") or {}
    if not isinstance(told, dict):
        raise invalid("Input should be a valid dictionary: parameters")
    both = {**given, **told}
    text, rewrite = both.get("instructions") or "", both.get("optimize_instructions")
    if not isinstance(text, str):
        raise invalid("Input should be a valid string: parameters.instructions")
    if rewrite is not None and not isinstance(rewrite, bool):
        raise invalid("'optimize_instructions' must be Boolean")
    if rewrite and not text:
        raise invalid("optimize_instructions needs instructions")
    most = model.limits.get("instruction_tokens")
    if isinstance(most, int) and tokens.count(text) > most:
        raise invalid(f"Range of instructions length should be [0, {most}]")
    return text if _INSTRUCTED in model.name else ""


async def generation(service: Service, request: Request, body: Json) -> Response:
    """An order on the multimodal path for one of these models."""
    return await Letter(service, request, _script(service, body)).sent(request)


class Letter:
    """How an answer is written: the address of the file, the bill, the frames."""

    def __init__(self, service: Service, request: Request, script: Script, format: str = "wav") -> None:
        self.service = service
        self.script = script
        self.format = format
        self.request_id: str = request.state.request_id
        self._root = str(request.base_url).rstrip("/")

    async def sent(self, request: Request) -> Response:
        """The answer, whole or as a stream."""
        if enabled(request, "x-dashscope-sse"):
            return StreamingResponse(self.frames(), headers=EVENT_STREAM)
        said = await self.script.whole(self.service)
        return JSONResponse(self.answer(await self.file(said.pcm), said.seconds))

    async def file(self, pcm: NDArray[Any]) -> str:
        """Keep the sound for a day; its address."""
        content = await asyncio.to_thread(encoded, pcm, self.script.rate_hz, self.format)
        name, kind, now = f"speech.{self.format}", _KINDS[self.format], self.service.clock()
        return self._root + self.service.shelf(Results).keep(self.request_id, name, content, kind, now)

    def answer(self, url: str, seconds: float) -> Json:
        """The whole answer, and the last frame of a stream."""
        audio = {"data": "", "url": url, "id": f"audio_{self.request_id}", "expires_at": self._until(LIFE)}
        return self._told({"finish_reason": "stop", "audio": audio}, seconds)

    def bit(self, data: bytes, seconds: float, **more: Any) -> Json:
        """A frame on the way: some sound, no address yet."""
        told = base64.b64encode(data).decode()
        audio = {"data": told, "expires_at": self._until(0), "id": f"audio_{self.request_id}"}
        return self._told({"finish_reason": "null", "audio": audio, **more}, seconds)

    def _told(self, output: Json, seconds: float) -> Json:
        return {"output": output, "usage": self._usage(seconds), "request_id": self.request_id}

    def _until(self, life: float) -> int:
        return int(self.service.clock() + life)

    def _usage(self, seconds: float) -> Json:
        model = catalogue.model(self.script.model)
        if model is None or "tokens" not in model.limits:
            none = {"input_tokens": 0, "output_tokens": 0} if model and model.endpoint == "speech" else {}
            return {"characters": characters(self.script.text), **none}
        return token_usage(self.script.text, seconds)

    async def frames(self) -> AsyncIterator[bytes]:
        """The stream: what is spoken goes out while the rest is being spoken."""
        import numpy as np

        number, sent, clauses, rate, pace = 0, 0, [], self.script.rate_hz, self.service.pace
        async for clause in self.script.clauses(self.service):
            clauses.append(clause.pcm)
            for bit, more in self.steps(clause, len(clauses) - 1, sent):
                data = self.chunk(bit, first=sent == 0) if len(bit) else b""
                number, sent = number + 1, sent + len(bit)
                yield frame(number, "result", 200, self.bit(data, sent / rate, **more))
                await asyncio.sleep(_TOKENS_PER_SECOND * len(bit) / rate / pace if pace else 0)
        url = await self.file(np.concatenate(clauses))
        yield frame(number + 1, "result", 200, self.answer(url, sent / rate))

    def steps(self, clause: Utterance, index: int, sent: int) -> Iterator[tuple[NDArray[Any], Json]]:
        """What frames a clause takes: samples, and what is told with them."""
        step = int(FRAME_S * self.script.rate_hz)
        for begin in range(0, len(clause.pcm), step):
            yield clause.pcm[begin : begin + step], {}

    def chunk(self, bit: NDArray[Any], *, first: bool) -> bytes:
        return bytes(bit.tobytes())


def encoded(pcm: NDArray[Any], rate_hz: int, format: str) -> bytes:
    """The sound as a file."""
    import soundfile

    if format == "pcm":
        return bytes(pcm.tobytes())
    target, kinds = io.BytesIO(), {"wav": ("WAV", "PCM_16"), "mp3": ("MP3", None), "opus": ("OGG", "OPUS")}
    container, coding = kinds[format]
    soundfile.write(target, pcm, rate_hz, format=container, subtype=coding)
    return target.getvalue()


async def gone(service: Service, request: Request) -> Response:
    """The deprecated path: whatever is asked there, the answer is this."""
    raise Refusal("InvalidParameter", WRONG_PATH)


async def cosyvoice(service: Service, request: Request) -> Response:
    from qwenkit.sandbox.cosyvoice import synthesis

    return await synthesis(service, request)


ROUTES: list[Verb] = [
    ("POST", "/api/v1/services/audio/tts/synthesis", gone),
    ("POST", "/api/v1/services/audio/tts/SpeechSynthesizer", cosyvoice),
]
