"""One turn of a voice conversation: what was said to the model, what it answered, when, and how it ended."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.reply import Receipt, ToolCall
from qwenkit.types.tools import ToolRun
from qwenkit.types.track import Pieces
from qwenkit.types.usage import Cost, Usage

if TYPE_CHECKING:
    from qwenkit.types.audio import Audio


MOST_TURN_BYTES = 100_000_000  # of sound in the turns of a session


class Moments(msgspec.Struct, omit_defaults=True):
    """When things happened, in seconds since the session opened; None is what did not happen.

    `speech_ended` is when the last of live speech was sent, `speech_stopped` when the service was sure of that, so much
    silence later. `asked` is when the client wanted an answer, `playing` when the first of it was heard, `stopped` when
    it was cut.
    """

    began: float | None = None
    speech_started: float | None = None
    speech_ended: float | None = None
    speech_stopped: float | None = None
    committed: float | None = None
    transcribed: float | None = None
    asked: float | None = None
    created: float | None = None
    first_text: float | None = None
    first_audio: float | None = None
    done: float | None = None
    playing: float | None = None
    stopped: float | None = None

    @property
    def waiting_since(self) -> float | None:
        """The end of your speech; of what was not spoken, when an answer was asked for."""
        known = (self.speech_ended, self.speech_stopped, self.asked, self.committed, self.began)
        return next((at for at in known if at is not None), None)

    @property
    def to_text(self) -> float | None:
        """Milliseconds until the first words of the answer."""
        return self._waited(self.first_text)

    @property
    def to_audio(self) -> float | None:
        """Milliseconds until the first sound arrived."""
        return self._waited(self.first_audio)

    @property
    def to_sound(self) -> float | None:
        """Milliseconds until the first sound was heard."""
        return self._waited(self.playing)

    def _waited(self, until: float | None) -> float | None:
        since = self.waiting_since
        return None if since is None or until is None else round((until - since) * 1000, 1)


class Turn(Shown, msgspec.Struct, kw_only=True, eq=False):
    """One utterance or typed input and everything that answers it, tools included.

    `ended` is empty while it lasts, then completed, interrupted (you spoke), cancelled (by you), failed, incomplete or
    lost. `said` and `pcm` are the sound of both sides as it went over the wire; `sound` and `audio` are it as values.
    """

    number: int = 0
    user: str = ""
    spoken: bool = False
    images: list[Any] = []
    more_images: int = 0  # shown before these
    text: str = ""
    calls: list[ToolCall] = []
    runs: list[ToolRun] = []
    language: str = ""
    emotion: str = ""
    usage: Usage | None = None
    receipts: list[Receipt] = []
    ended: str = ""
    error: str = ""
    played_ms: int | None = None
    moments: Moments = msgspec.field(default_factory=Moments)
    response_ids: list[str] = []
    model: str = ""
    voice: str = ""
    said: bytes = b""
    pcm: Pieces = msgspec.field(default_factory=Pieces)
    input_hz: int = 16_000
    output_hz: int = 24_000
    kept: dict[str, tuple[int, Any]] = {}  # sounds that were made of the bytes, and of how many

    @property
    def sound(self) -> Audio | None:
        """What you said, where the session knows it."""
        made: Audio | None = self._made("said", self.said, self.input_hz, text=self.user)
        return made

    @property
    def audio(self) -> Audio | None:
        """What the model said, all that arrived of it."""
        facts = {"text": self.text, "voice": self.voice, "model": self.model}
        made: Audio | None = self._made("pcm", self.pcm, self.output_hz, **facts)
        return made

    @property
    def receipt(self) -> Receipt | None:
        """Of the last answer; a turn with tools has several in `receipts`."""
        return self.receipts[-1] if self.receipts else None

    @property
    def cost(self) -> Cost | None:
        known = [each.cost for each in self.receipts if each.cost is not None]
        return msgspec.structs.replace(known[0], amount=sum(each.amount for each in known)) if known else None

    def _made(self, which: str, data: bytes | Pieces, rate_hz: int, **facts: Any) -> Any:
        length = len(data) - len(data) % 2
        if length and self.kept.get(which, (0, None))[0] != length:
            audio = import_module("qwenkit.types.audio").Audio
            told = {name: fact for name, fact in facts.items() if fact}
            self.kept[which] = (length, audio.pcm(bytes(data)[:length], rate_hz, **told))
        return self.kept[which][1] if length else None

    def __repr__(self) -> str:
        said = self.user or ("(speech)" if self.spoken else "")
        sound = f", {len(self.pcm) / 2 / self.output_hz:.2f} s" if self.pcm else ""
        return f"Turn({self.number}, {said!r:.60} → {self.text!r:.60}{sound}, {self.ended or 'running'})"


def let_go(turns: list[Turn], most: int = MOST_TURN_BYTES) -> None:
    """Of the sound of turns so much is kept, the newest; their words stay."""
    for turn in reversed(turns):
        most -= len(turn.said) + len(turn.pcm)
        if most < 0 and turn is not turns[-1]:
            turn.said, turn.pcm, turn.kept = b"", Pieces(), {}
