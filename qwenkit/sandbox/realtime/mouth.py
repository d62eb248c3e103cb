"""The mouth of a realtime session: a text as words and sound that belong together, piece by piece.

    async for piece in say(service, text, voice, rate_hz=24000, stop=hushed): piece.text, piece.pcm

Each piece is a fifth of a second of speech with the words that begin in it; the words of all pieces are the text. The
first sentence is on its way before the second is spoken. With a pace the sound comes as fast as it is heard, a little
ahead of the ear; without one as fast as it is made. Once `stop` is set nothing more is said.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from qwenkit.sandbox.service import Service

if TYPE_CHECKING:
    from qwenkit.sandbox.voice import Utterance

PIECE_MS = 200
LEAD_S = 0.3  # how far ahead of the ear the sound is sent
Got = TypeVar("Got")
_MARKS = [  # what is written for the eye: fences, links (their words stay), headings, bullets, tables, emphasis
    (re.compile(pattern, re.DOTALL | re.MULTILINE), by)
    for pattern, by in (
        (r"```.*?(?:```|\Z)", " "),
        (r"!?\[([^\]]*)\]\([^)\s]*\)", r"\1"),
        (r"https?://\S+", " "),
        (r"^[ \t|:-]*-{3,}[ \t|:-]*$|[ \t]*\|[ \t]*$", ""),
        (r"^[ \t]*(?:#{1,6}|[-*+•>]|\|)[ \t]+", ""),
        (r"[ \t]*\|[ \t]*", ", "),
        (r"(\*{1,3}|~~|`+|(?<!\w)__?)(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2"),
        (r"(?<=\S)[*`]+|[*`]+(?=\S)", ""),
        (r"[ \t]{2,}", " "),
        (r"\s*\n\s*", "\n"),
    )
]


class Piece(NamedTuple):
    """A little speech: the words that begin in it, and 16-bit mono samples."""

    text: str
    pcm: bytes


def aloud(text: str) -> str:
    """A text as it is read aloud."""
    for pattern, by in _MARKS:
        text = pattern.sub(by, text)
    return text.strip()


async def say(
    service: Service, text: str, voice: str, *, rate_hz: int = 24_000, stop: asyncio.Event | None = None, **how: Any
) -> AsyncIterator[Piece]:
    """Say a text; `how` is as in `voice.Order`. What has no sound (a line of dots) comes with what follows it."""
    from qwenkit.sandbox.voice import LONGEST_TEXT, speak_clauses

    stop = stop or asyncio.Event()
    pace, spoken, place = service.speech_pace, 0.0, 0
    text, began = text[:LONGEST_TEXT], asyncio.get_running_loop().time()
    clauses = speak_clauses(text, voice, rate_hz=rate_hz, service=service, **how)
    coming = asyncio.ensure_future(anext(clauses, None))
    try:
        while (clause := await unless(stop, coming)) is not None:
            coming = asyncio.ensure_future(anext(clauses, None))  # is spoken while this one is heard
            end = max(text.find(clause.text, place), place) + len(clause.text) if clause.words else place
            for piece in _pieces(clause, text[place:end]):
                await _until(stop, began + (spoken - LEAD_S) / pace if pace else 0.0)
                if stop.is_set():
                    return
                yield piece
                spoken += len(piece.pcm) / 2 / rate_hz
            place = end
    finally:
        coming.cancel()
    if place < len(text) and not stop.is_set():
        yield Piece(text[place:], b"")


def _pieces(clause: Utterance, text: str) -> Iterator[Piece]:
    """A clause in pieces of equal length, each with the words whose sound begins in it."""
    step, place = clause.rate_hz * PIECE_MS // 1000, 0
    marks = [*_places(clause, text), (len(text), len(clause.pcm))]
    for begin in range(0, max(len(clause.pcm), 1), step):
        upto = next((at for at, sample in marks if at >= place and sample >= begin + step), len(text))
        yield Piece(text[place:upto], clause.pcm[begin : begin + step].tobytes())
        place = upto


def _places(clause: Utterance, text: str) -> Iterator[tuple[int, int]]:
    """Where each word stands in the text, and at which sample it begins."""
    place = 0
    for word, begin, _ in clause.words:
        if (found := text.find(word, place)) >= 0:
            yield found, begin * clause.rate_hz // 1000
            place = found + len(word)


async def _until(stop: asyncio.Event, moment: float) -> None:
    """Wait for a moment of the loop's clock; others get their turn in any case."""
    await unless(stop, asyncio.sleep(max(moment - asyncio.get_running_loop().time(), 0)))


async def unless(stop: asyncio.Event, work: Awaitable[Got]) -> Got | None:
    """What the work gives, or None as soon as the stop comes; the work is then left to end by itself."""
    task, halt = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((task, halt), return_when=asyncio.FIRST_COMPLETED)
        return None if stop.is_set() else task.result()
    finally:
        halt.cancel()
        task.cancel()
