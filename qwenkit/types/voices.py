"""Voices and what they say: the cast of a model, voices of one's own, and speech with what it cost."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.audio import Audio
from qwenkit.types.files import Rows
from qwenkit.types.reply import Paid, Receipt
from qwenkit.types.usage import Usage

_NAMED = re.compile(r"[a-z]+-tts-v[cd]-(.+)-voice-[^-]+-[^-]+|cosyvoice-.+-([a-z0-9]+)-[0-9a-z]{16,}")


class Spoken(Paid, Audio):
    """Speech as a model gave it: a sound that knows its words, its voice and its price.

    Long texts are spoken in several calls; `receipt` and `usage` then add them up, and `bodies` has every answer.
    """

    receipt: Receipt = Receipt()
    usage: Usage | None = None
    bodies: Sequence[bytes] = ()

    @property
    def model(self) -> str:
        return str(self.meta.get("model") or "")

    @property
    def voice(self) -> str:
        return str(self.meta.get("voice") or "")

    @property
    def words(self) -> list[dict[str, Any]]:
        """Words with `begin_time` and `end_time` in ms, where they were asked for."""
        found: list[dict[str, Any]] = self.meta.get("words") or []
        return found

    @property
    def raw(self) -> Any:
        """The answer as it came; of a stream, or of several calls, the list of them."""
        told = [msgspec.json.decode(body) for body in self.bodies]
        return told[0] if len(told) == 1 else told

    def __repr__(self) -> str:
        """Without the name of its file, which depends on what else lies there."""
        return super().__repr__().replace(f"{self.name!r}, ", "")


class SpeechPiece(msgspec.Struct, gc=False, repr_omit_defaults=True):
    """A bit of streamed speech: raw 16-bit PCM, and with the first bit of a part the words it is going to say."""

    audio: bytes = b""
    rate_hz: int = 24000
    text: str = ""
    words: list[dict[str, Any]] = []
    finish_reason: str | None = None
    usage: Usage | None = None
    packed: bytes = b""  # in place of audio, where mp3 or opus was asked for: nobody can play it before it is whole
    # what pieces of other streams have, and this one never
    thinking: str = ""
    index: int = 0
    tool: None = None

    @property
    def item(self) -> bytes:
        """What makes a card worth drawing again."""
        return self.audio

    @property
    def seconds(self) -> float:
        return len(self.audio) / 2 / self.rate_hz

    def __repr__(self) -> str:
        return f"SpeechPiece({self.seconds:.2f} s, {len(self.audio):,} bytes at {self.rate_hz:,} Hz)"


class OwnVoice(Paid, Shown, msgspec.Struct, repr_omit_defaults=True, kw_only=True):
    """A voice of one's own, cloned or designed. `qwen.speech("…", voice=mine)` speaks with it, on `model`.

    `id` is what the service calls it, `name` the part of it that was asked for; `created` is the service's clock, in
    Beijing. A designed voice brings `preview`, its first words.
    """

    id: str
    model: str = ""
    maker: str = ""
    status: str = ""
    language: str = ""
    created: str = ""
    prompt: str = ""
    preview: Any = None
    receipt: Receipt = msgspec.field(default_factory=Receipt)
    usage: Usage | None = None
    body: bytes = b""

    @property
    def name(self) -> str:
        """The name it was made with, which the service keeps in the id; "" when that is written in another way."""
        found = _NAMED.fullmatch(self.id)
        return (found[1] or found[2]) if found else ""

    @property
    def usable(self) -> bool:
        """Whether it can speak already; makers that name no state give voices that can."""
        return self.status in ("", "OK")

    @property
    def raw(self) -> Any:
        return msgspec.json.decode(self.body) if self.body else None

    def __repr__(self) -> str:
        return f"OwnVoice({self.id!r}, model={self.model!r})"


class OwnVoices(Rows[OwnVoice]):
    """What `qwen.voices.list()` gives."""

    kinds = ("voice", "voices")

    def __str__(self) -> str:
        """With the ids, which a saved notebook leaves out because they are others in each run."""
        told: str = import_module("qwenkit.display.voices").listed(self)
        return told


class Cast(Rows[Any]):
    """The voices that models speak with, as the catalogue knows them."""

    kinds = ("voice", "voices")

    def __init__(self, rows: list[Any], model: str = "") -> None:
        super().__init__(rows)
        self.model = model

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.rows]
