"""The sandbox's voice: text in, speech out. Really spoken, by espeak-ng in a process of its own (`voice_worker`).

`await speak(text, voice)` gives an `Utterance`; `speak_clauses` the same one piece by piece, the first as soon as it is
there. Give `service=` and the sandbox remembers what it said, so that its ears (`ears.hear`) know it again. The same
order gives the same bytes. Where espeak-ng is not installed (`pip install 'qwenkit[lab]'`) syllables are hummed, and
`Utterance.note` says so.

One worker serves every sandbox of the process. It starts with the first word, `hush()` ends it, and the next word
starts another.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import TYPE_CHECKING, Any

from qwenkit.sandbox import voice_worker
from qwenkit.sandbox.casting import Part, cast, chinese_of
from qwenkit.sandbox.phrasing import Sentence, language_of, sentences
from qwenkit.sandbox.waves import floats, levelled, resampled, samples16, trimmed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from qwenkit.sandbox.service import Service

Word = tuple[str, int, int]

LONGEST_TEXT = 20_000
LEAD_MS, TAIL_MS = 60, 60
NOT_INSTALLED = "espeak-ng is not installed (pip install 'qwenkit[lab]')"


@dataclass(frozen=True)
class Utterance:
    """Speech: 16-bit samples, and its words (text, begin_ms, end_ms). `note` is what is not as it should be."""

    pcm: NDArray[Any]
    rate_hz: int
    words: tuple[Word, ...] = ()
    text: str = ""
    voice: str = ""
    language: str = "en"
    emotion: str = "neutral"
    note: str = ""

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.rate_hz


async def speak(
    text: str, voice: str = "Cherry", language: str = "Auto", *, service: Service | None = None, **how: Any
) -> Utterance:
    """The whole text, spoken; `how` is as in `Order`. ValueError for more than LONGEST_TEXT characters."""
    import numpy as np

    pieces = [piece async for piece in speak_clauses(text, voice, language, service=service, **how)]
    words: list[Word] = []
    begin = 0.0
    for piece in pieces:
        words += [(word, round(begin + first), round(begin + last)) for word, first, last in piece.words]
        begin += piece.seconds * 1000
    pcm = np.concatenate([piece.pcm for piece in pieces])
    note = next((piece.note for piece in pieces if piece.note), "")
    return replace(pieces[0], pcm=pcm, words=tuple(words), text=text, language=language_of(text, language), note=note)


def speak_clauses(
    text: str, voice: str = "Cherry", language: str = "Auto", *, service: Service | None = None, **how: Any
) -> AsyncIterator[Utterance]:
    """The same speech sentence by sentence; each begins where the one before ended, its word times begin with it."""
    return _clauses(Order(text, voice, language, **how), service)


@dataclass(frozen=True)
class Order:
    """What is to be said, and how."""

    text: str
    voice: str
    language: str = "Auto"
    rate_hz: int = 24000
    speed: float = 1.0
    pitch: float = 1.0
    volume: float = 50
    instructions: str = ""

    def __post_init__(self) -> None:
        if len(self.text) > LONGEST_TEXT:
            raise ValueError(f"the text has {len(self.text)} characters; {LONGEST_TEXT} is the most to be said at once")


def said(text: str, voice: str, *, rate_hz: int = 24000) -> Iterator[Utterance]:
    """The sentences of a text, spoken one after the other, for callers that may wait."""
    yield from _spoken(Order(text, voice, rate_hz=rate_hz))


async def _clauses(order: Order, service: Service | None) -> AsyncIterator[Utterance]:
    pieces = _spoken(order)
    while piece := await asyncio.to_thread(next, pieces, None):
        if service is not None and piece.words:
            from qwenkit.sandbox.known_speech import Spoken

            await asyncio.to_thread(service.shelf(Spoken).keep, piece)
        yield piece


def _spoken(order: Order) -> Iterator[Utterance]:
    import numpy as np

    part = cast(order.voice, order.speed, order.pitch, order.instructions)
    pieces = (_said(order, part, each) for each in sentences(order.text, order.language, chinese_of(order.voice)))
    silence = Utterance(np.zeros(order.rate_hz // 5, "<i2"), order.rate_hz, (), order.text, order.voice)
    yield next(pieces, silence)
    yield from pieces


def _said(order: Order, part: Part, sentence: Sentence) -> Utterance:
    """One sentence: its runs one after the other, and the pause after it."""
    import numpy as np

    waves, words, note, at = [np.zeros(0, np.float32)], [], "", 0.0
    for number, (language, text) in enumerate(sentence.runs):
        said, samples = _worker().say(part.order(text, language))
        if "error" in said:
            said, samples = _hummed(part, text, said["error"])
        note = note or said.get("note", "")
        last = number == len(sentence.runs) - 1
        wave = floats(samples)
        wave, dropped = trimmed(wave, said["rate_hz"], LEAD_MS if number == 0 else 0, 0 if last else 40)
        wave = levelled(resampled(wave, said["rate_hz"], order.rate_hz), part.gain * order.volume / 50)
        length = len(wave) / order.rate_hz * 1000
        words += _words(text, said["words"], at - dropped, at + length)
        waves.append(wave)
        at += length
    waves.append(np.zeros(int(order.rate_hz * max(sentence.pause_ms - LEAD_MS, TAIL_MS) / 1000), np.float32))
    pcm = samples16(np.concatenate(waves))
    spoken = order.text[sentence.begin : sentence.begin + len(sentence.text)]
    return Utterance(
        pcm, order.rate_hz, tuple(words), spoken, order.voice, language_of(spoken, order.language), part.emotion, note
    )


def _words(text: str, events: list[list[int]], begin_ms: float, end_ms: float) -> list[Word]:
    """Words with times. espeak-ng tells where each begins; several times in a number, once for "from the"."""
    starts: dict[int, int] = {}
    for at, _, ms in events:
        if text[at : at + 1].strip():
            while at and text[at - 1 : at + 1].isascii() and text[at - 1] > " ":
                at -= 1
            starts.setdefault(at, ms)
    places = sorted(starts)
    if not places:
        return []
    edges = [0, *places[1:], len(text)]
    times = [*(max(begin_ms + starts[at], 0) for at in places), max(end_ms, 0)]
    told: list[Word] = []
    for first, last, begin, end in zip(edges, edges[1:], times, times[1:], strict=False):
        parts = text[first:last].split()  # "from the" is one word to espeak-ng
        ends = list(accumulate(map(len, parts), initial=0))
        cuts = [round(begin + (end - begin) * upto / ends[-1]) for upto in ends]
        told += zip(parts, cuts, cuts[1:], strict=False)
    return told


def _hummed(part: Part, text: str, why: str) -> tuple[dict[str, Any], bytes]:
    """A vowel for every syllable or so, at the voice's pitch; the first time the log tells why."""
    import numpy as np

    rate, syllable = 22050, int(22050 * 0.17 * 172 / part.rate)
    at = np.arange(syllable) / rate
    swell = np.sin(np.pi * np.arange(syllable) / syllable) ** 0.5
    beats = [place for place, each in enumerate(text) if each.isalnum() and (place % 3 == 0 or not each.isascii())]
    waves = [np.zeros(0)]
    for number, place in enumerate(beats):
        tone = part.pitch_hz * (1 + 0.12 * np.sin(number * 1.7 + ord(text[place])))
        waves.append(swell * sum(np.sin(2 * np.pi * tone * k * at) / k**1.5 for k in range(1, 8)))
    wave = np.concatenate(waves)
    pcm = np.round(wave / max(np.max(np.abs(wave), initial=0), 1e-9) * 16000).astype("<i2").tobytes()
    events = [[place, 1, round(number * syllable / rate * 1000)] for number, place in enumerate(beats)]
    return {"rate_hz": rate, "words": events, "note": _told(f"syllables are hummed: {why}")}, pcm


@lru_cache
def _told(note: str) -> str:
    logging.getLogger("qwenkit.sandbox").warning("%s", note)
    return note


@dataclass
class _Worker:
    """Our end of the pipes: one order at a time, a new process when the old one is gone."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _process: subprocess.Popen[bytes] | None = None

    def say(self, order: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """The answer to an order; {"error": …} where there is none."""
        if not _espeak():
            return {"error": NOT_INSTALLED}, b""
        with self._lock:
            for _ in range(2):  # a worker that died since is found out by asking
                with contextlib.suppress(OSError, struct.error):
                    return self._ask(order)
                self._end()
        return {"error": "the voice worker does not answer"}, b""

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ask(self, order: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        if self._process is None:
            command = [sys.executable, "-I", "-S", str(Path(voice_worker.__file__)), *_espeak()]
            self._process = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        watch = threading.Timer(voice_worker.SECONDS + 5, process.kill)  # it ends one utterance itself, if it can
        watch.start()
        try:
            body = json.dumps(order).encode()
            process.stdin.write(struct.pack("<I", len(body)) + body)
            process.stdin.flush()
            facts, samples = struct.unpack("<II", process.stdout.read(8))
            said, wave = json.loads(process.stdout.read(facts)), process.stdout.read(samples)
        finally:
            watch.cancel()
        if len(wave) != samples:
            raise OSError("the voice worker broke off")
        return said, wave

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in filter(None, (process.stdin, process.stdout)):
            with contextlib.suppress(OSError):
                pipe.close()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


_WORKERS: dict[int, _Worker] = {}


def hush() -> None:
    """End the worker, when what it is saying is said. The next word starts another."""
    _worker().close()


def _worker() -> _Worker:
    """This process's worker: a forked child has no right to its parent's pipes."""
    return _WORKERS.setdefault(os.getpid(), _Worker())


@lru_cache(maxsize=1)
def _espeak() -> tuple[str, ...]:
    """Where the library and its data are; () where they are not."""
    found = find_spec("espeakng_loader")
    if found is None or not found.origin:
        return ()
    import espeakng_loader

    return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
