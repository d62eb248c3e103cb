"""Spoken answers over chat: the mind's words first, then the same said by the voice, in one stream.

The text is whole before the first sound, as recorded from the service; the speech comes sentence by sentence while it
is being made. Each piece is raw 16-bit PCM at 24 kHz in base64, cut so that it can be decoded alone or joined as text.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from qwenkit import catalogue
from qwenkit.catalogue.media import media
from qwenkit.sandbox.answers import DONE, Letterhead
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.order import Order
from qwenkit.sandbox.service import Service

if TYPE_CHECKING:
    from qwenkit.catalogue import Model
    from qwenkit.sandbox.mind import Answer

Json = dict[str, Any]
RATE_HZ = 24_000
# Bytes of a piece: half a second, in samples of two and in threes for base64 without padding.
PIECE = 24_000
LIFE = 24 * 3600
_NO_AUDIO = "The model {model} does not support audio output."
_FORMAT = "Only wav is supported for audio.format"
_VOICE = "The requested voice '{voice}' is not supported."
_THINKS = "Audio output is not supported when enable_thinking is true"
# What is written for the eye is not read aloud.
_MARKS = re.compile(r"```.*?```|[*_`#>|~]+|https?://\S+", re.DOTALL)


def speaks(order: Order) -> bool:
    return "audio" in order.several("modalities")


def check_speech(order: Order) -> None:
    """Refuse what this model does not say, in the documented words where there are some."""
    model, wanted = order.model, order.body.get("audio") or {}
    if model.family != "omni" or "A" not in model.outputs:
        raise Refusal("InvalidParameter", _NO_AUDIO.format(model=model.name), reached=True)
    if order.thinking:
        raise Refusal("InvalidParameter", _THINKS, reached=True)
    if not isinstance(wanted, dict) or wanted.get("format", "wav") != "wav":
        raise Refusal("InvalidParameter", _FORMAT, reached=True)
    voice = wanted.get("voice") or model.default_voice
    if voice not in {each.name for each in catalogue.voices(model.name)}:
        raise Refusal("invalid_value", _VOICE.format(voice=str(voice)[:80]), reached=True)


async def spoken(
    service: Service, order: Order, head: Letterhead, answers: list[Answer], bill: Json
) -> AsyncIterator[bytes]:
    """The stream, event by event: words, sound, the ending, what it cost."""
    voice = (order.body.get("audio") or {}).get("voice") or order.model.default_voice
    seconds, endings = 0.0, []
    said = [list(head.steps(answer, index)) for index, answer in enumerate(answers)]
    for steps in said:
        endings.append(steps.pop())
        for step in steps:
            yield head.event([step], None)
    expires = int(service.clock()) + LIFE
    for index, answer in enumerate(answers):
        id = f"audio_{head.request_id}" + (f"-{index}" if index else "")
        async for pcm in _sound(service, answer.text, voice):
            seconds += len(pcm) / 2 / RATE_HZ
            heard = {"data": base64.b64encode(pcm).decode(), "expires_at": expires, "id": id}
            yield head.event(
                [{"delta": {"audio": heard}, "finish_reason": None, "index": index, "logprobs": None}], None
            )
    for ending in endings:
        yield head.event([ending], None)
    if order.include_usage:
        yield head.event([], with_sound(bill, seconds, order.model))
    yield DONE


async def _sound(service: Service, text: str, voice: str) -> AsyncIterator[bytes]:
    """The speech in pieces of one size; the last one is as long as is left."""
    from qwenkit.sandbox.voice import LONGEST_TEXT, speak_clauses

    words = _MARKS.sub(" ", text).strip()[:LONGEST_TEXT]
    if not words:
        return
    rest = b""
    async for clause in speak_clauses(words, voice, rate_hz=RATE_HZ, service=service):
        rest += clause.pcm.tobytes()
        while len(rest) >= PIECE:
            yield rest[:PIECE]
            rest = rest[PIECE:]
    if rest:
        yield rest


def with_sound(bill: Json, seconds: float, model: Model) -> Json:
    """The bill with what was said on it; a second that has begun counts."""
    facts = media(model)
    listed = model.limits.get("audio_tokens_per_second_out") or (facts.audio_tokens if facts else None)
    sound = math.ceil(math.ceil(seconds) * float(listed or 12.5))
    text = bill["completion_tokens"]
    parts = {"text_tokens": bill["prompt_tokens"], **(bill.get("prompt_tokens_details") or {})}
    return {
        **bill,
        "completion_tokens": text + sound,
        "total_tokens": bill["total_tokens"] + sound,
        "prompt_tokens_details": parts,
        "completion_tokens_details": {"audio_tokens": sound, "text_tokens": text},
    }
