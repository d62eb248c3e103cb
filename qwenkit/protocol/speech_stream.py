"""Streamed speech is a fold over frames: each brings a bit of raw PCM, the last one says where the whole file is.

A text that was split comes as several streams, one after the other; they share one `Sound`, which grows. Chunks may
end inside a sample and may begin with a RIFF header. Between two parts stands a short silence, and the edges at it are
faded, so that nothing clicks.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import msgspec

from qwenkit.errors import QwenError
from qwenkit.protocol import billing, failures
from qwenkit.protocol.chat import ending
from qwenkit.protocol.folding import Fold, read_whole
from qwenkit.protocol.sentences import Part
from qwenkit.protocol.speech import ANSWER, Said, WireAnswer, read, sound, words
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Usage
from qwenkit.types.voices import SpeechPiece, Spoken

FADE_S = 0.005
PARTIAL = " (partial)"  # behind the text of a take that was not heard to its end
_LONGEST_HEADER = 4096


class Sound:
    """All that was heard so far, over every part, and what it cost."""

    def __init__(self, parts: list[Part], rate_hz: int, facts: Callable[[str], dict[str, Any]]) -> None:
        self.parts = parts
        self.rate_hz = rate_hz
        self.pcm = bytearray()
        self.words: list[dict[str, Any]] = []
        self.urls: list[str] = []
        self.receipts: list[Receipt] = []
        self.usages: list[Usage | None] = []
        self.events: list[bytes] = []
        self.facts = facts

    def spoken(self, said: int, *, partial: bool = False, **more: Any) -> Spoken:
        """The sound so far, as a value; `said` parts of the text have begun, the last one is perhaps partial."""
        text = " ".join(part.text for part in self.parts[:said]) + PARTIAL * partial
        return Spoken.pcm(bytes(self.pcm), self.rate_hz, **self.facts(text), **more)


class SpeechFold(Fold[SpeechPiece, Spoken]):
    """The fold of one part's stream."""

    def __init__(self, sound: Sound, at: int, *, request: str = "") -> None:
        super().__init__(request=request)
        self.sound = sound
        self.part = sound.parts[at]
        self._at = at
        self._rest = b""  # half a sample, or the end of a part that may have to be faded
        self._header: bytes | None = b""
        self._said = self._begun = self._ended = False
        self._fading = at > 0
        self._held = 2 * int(FADE_S * sound.rate_hz) if at < len(sound.parts) - 1 else 0
        self._from = len(sound.pcm)

    @property
    def begun(self) -> bool:
        return self._begun

    @property
    def ended(self) -> bool:
        return self._ended

    def words(self) -> str:
        """Nothing of it is billed as words: the text is, and that was the prompt."""
        return ""

    def add(self, data: bytes) -> list[SpeechPiece]:
        """Fold one frame in. Raises the typed error when it is one, `StreamBroken` when it is not readable."""
        if not data or data.startswith(b"[DONE]"):
            return []
        try:
            answer: WireAnswer = ANSWER.decode(data)
            output = answer.output
            pcm = sound(output.audio.data if output and output.audio else "")
        except (msgspec.DecodeError, RecursionError, ValueError) as broken:
            raise self.unreadable(data, broken) from broken
        if output is None:
            self.refuse(data)
            return []
        self._begun = True
        self.request_id = answer.request_id or self.request_id
        self.keep(data)
        self.usage = billing.usage(answer.usage) or self.usage
        timed = self._timed(words(output.sentence) if output.type in (None, "sentence-end") else [])
        reason = ending(output.finish_reason)
        bits = [self._grown(self._plain(pcm))] if pcm else []
        if reason:
            self._ended = True
            bits.append(self._last())
            self.sound.urls += [output.audio.url] if output.audio and output.audio.url else []
        return self._pieces(b"".join(bits), timed, reason)

    def _pieces(self, pcm: bytes, timed: list[dict[str, Any]], reason: str | None) -> list[SpeechPiece]:
        if not (pcm or timed or reason):
            return []
        text = "" if self._said or not pcm else self.part.text
        self._said = self._said or bool(pcm)
        self.sound.pcm += pcm
        self.sound.words += timed
        return [SpeechPiece(pcm, self.sound.rate_hz, text, timed, reason, self.usage)]

    def _timed(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Words with their times in the whole sound."""
        return shifted(found, self._from / 2 / self.sound.rate_hz)

    def _plain(self, pcm: bytes) -> bytes:
        """The samples, without the header that some streams begin with."""
        if self._header is None:
            return pcm
        self._header += pcm
        head, at = self._header, 0
        if head[:4] == b"RIFF"[: len(head)]:
            at = head.find(b"data", 12) + 8
            if not 8 <= at <= len(head) and len(head) < _LONGEST_HEADER:
                return b""
        self._header = None
        return head[at:] if at >= 8 else head

    def _grown(self, pcm: bytes) -> bytes:
        """Whole samples that nothing will change any more."""
        pcm = self._rest + pcm
        if self._fading and len(pcm) >= 2 * int(FADE_S * self.sound.rate_hz):
            pcm, self._fading = faded(pcm, 2 * int(FADE_S * self.sound.rate_hz), rising=True), False
        elif self._fading:
            self._rest = pcm
            return b""
        ready = max(len(pcm) - self._held, 0) // 2 * 2
        self._rest = pcm[ready:]
        return pcm[:ready]

    def _last(self) -> bytes:
        """What was held back, and the silence before the next part."""
        rest, self._rest = self._rest[: len(self._rest) // 2 * 2], b""
        if not self._held:
            return rest
        return faded(rest, len(rest), rising=False) + bytes(2 * round(self.part.pause * self.sound.rate_hz))

    def reply(self) -> Spoken:
        facts = {"words": list(self.sound.words)} if self.sound.words else {}
        partial = self._begun and not self._ended
        spoken = self.sound.spoken(self._at + self._begun, partial=partial, **facts)
        spoken.usage, spoken.bodies = self.usage, [*self.sound.events, *self._events]
        spoken.receipt = Receipt(model=spoken.model, request_id=self.request_id, streamed=True)
        return spoken


def shifted(found: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """Words of a part, with the times they have in the whole sound."""
    before, times = round(1000 * seconds), ("begin_time", "end_time")
    return [{**word, **{name: word[name] + before for name in times if isinstance(word.get(name), int)}}
            for word in found]  # fmt: skip


def timed(data: bytes, *, request: str = "", request_id: str = "") -> Said:
    """A stream read at once, for the times of its words: they and where the file is, whose format may be any."""
    if data.lstrip()[:1] == b"{":  # it was answered without a stream
        return read(data, request=request, request_id=request_id)
    heard = Sound([Part("")], 24000, lambda text: {})
    try:
        told = read_whole(lambda: SpeechFold(heard, 0), data, request=request, request_id=request_id)
    except QwenError as error:
        error.reply = None  # pieces of a compressed file are no sound
        raise
    if not heard.urls:
        raise failures.unreadable("one of speech", data, request=request, request_id=request_id)
    return Said(heard.urls[0], usage=told.usage, words=heard.words, bodies=list(told.bodies))


def faded(pcm: bytes, length: int, *, rising: bool) -> bytes:
    """The first `length` bytes from silence, or the last ones into it."""
    count = min(length, len(pcm)) // 2
    edge = array("h", pcm[: 2 * count] if rising else pcm[len(pcm) - 2 * count :])
    for place, value in enumerate(edge):
        edge[place] = value * (place if rising else count - 1 - place) // max(count, 1)
    return edge.tobytes() + pcm[2 * count :] if rising else pcm[: len(pcm) - 2 * count] + edge.tobytes()


def summed(receipts: list[Receipt]) -> Receipt:
    """One receipt for all parts. They ran one after the other, or together: the time is the caller's to say."""
    first = receipts[0]
    costs = [each.cost for each in receipts if each.cost]
    cost = msgspec.structs.replace(costs[0], amount=sum(each.amount for each in costs)) if costs else None
    waited = [each.latency or 0.0 for each in receipts]
    latency = sum(waited) if first.streamed else max(waited)
    return msgspec.structs.replace(first, cost=cost, latency=latency, tries=max(each.tries for each in receipts))
