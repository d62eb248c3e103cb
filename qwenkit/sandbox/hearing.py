"""What a recording says, for every way of asking: the known sentences in it, and honest words for the rest.

The sandbox knows the clips of `data/` and what it has spoken itself. Where the service would write the words of any
speech, it writes `[unrecognised speech, 3.2 s]`; where nobody speaks it writes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil
from typing import Any, NamedTuple

from qwenkit.sandbox.ears import Heard, HeardSentence, Undecodable, hear
from qwenkit.sandbox.ears import joined as joined
from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.service import Service

NO_SOUND = "The audio format is illegal and cannot be opened."
_CHINESE = re.compile(r"[\u3400-\u9fff\uff00-\uffef\u3000-\u303f]")
_LEAST_MS = 120  # shorter bursts beside known speech are its echo, not speech


class Recording(NamedTuple):
    """A sound, or one channel of it, and everything said in it in order."""

    heard: Heard
    said: list[HeardSentence]

    @property
    def text(self) -> str:
        return joined([each.text for each in self.said])

    @property
    def language(self) -> str:
        return self.heard.language or ("zh" if _CHINESE.search(self.text) else "en")

    @property
    def billed(self) -> int:
        """Seconds on the bill: one that has begun counts whole."""
        return max(1, ceil(self.heard.seconds - 1e-6))


def unknown(ms: int) -> str:
    """What stands for speech that the sandbox does not know."""
    return f"[unrecognised speech, {ms / 1000:.1f} s]"


async def listen(service: Service, content: bytes | tuple[Any, int]) -> Recording:
    """Hear a recording through."""
    try:
        heard = await hear(service, content)
    except Undecodable:
        raise invalid(NO_SOUND) from None
    places = [(begin, end) for begin, end in heard.segments if _is_new(begin, end, heard.sentences)]
    rest = [HeardSentence(begin, end, unknown(end - begin)) for begin, end in places]
    return Recording(heard, sorted([*heard.sentences, *rest], key=lambda each: each.begin_ms))


def _is_new(begin: int, end: int, known: Sequence[HeardSentence]) -> bool:
    """Whether most of a stretch of speech belongs to no known sentence."""
    covered = sum(max(0, min(end, each.end_ms) - max(begin, each.begin_ms)) for each in known)
    return end - begin >= _LEAST_MS and covered < (end - begin) / 2
