"""A text as a vector: the sum of what `vectors` makes of its words, each by the logarithm of how often it comes.

It points nearly where `vectors` would for the whole text, and a long document repeats little of the work.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from qwenkit.sandbox import vectors
from qwenkit.sandbox.retrieval import terms
from qwenkit.sandbox.senses import FIRST_HAN, longest, senses

SIZE = 512  # as the service fixes it
KNOWN = 40_000  # words whose vectors are kept
_UNITS = re.compile(r"[^\W_\u3400-\u9fff]+|[\u3400-\u9fff]+")


def vector(text: str) -> Any:
    """Of length one, as numpy has it; nothing at all for a text without words."""
    import numpy as np

    counts = Counter(_units(folded(text)))
    total = (1 + np.log(np.fromiter(counts.values(), np.float32, len(counts)))) @ _WORDS.of(counts)
    return total / (np.linalg.norm(total) or 1.0)


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _units(text: str) -> Iterator[str]:
    """Words, pairs of Chinese characters, and longer Chinese words that mean something here."""
    for run in _UNITS.findall(text):
        if run[0] < FIRST_HAN or len(run) < 3:
            yield run
        else:
            yield from (run[at : at + 2] for at in range(len(run) - 1))
            yield from _long_words().findall(run)


@cache
def _long_words() -> re.Pattern[str]:
    return longest([word for word in senses() if word[0] >= FIRST_HAN and len(word) > 2])


class _Words:
    """The vectors of words met so far, in one matrix that begins anew when it is full. Idle words have none."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._matrix: Any = None
        self._lock = threading.Lock()

    def of(self, words: Collection[str]) -> Any:
        import numpy as np

        with self._lock:
            if self._matrix is None or len(self._places) + len(words) > len(self._matrix):
                self._places, self._matrix = {}, np.zeros((max(KNOWN, len(words)), SIZE), np.float32)
            for word in words:
                if word not in self._places:
                    self._places[word] = place = len(self._places)
                    self._matrix[place] = _alone(word)
            return self._matrix[[self._places[word] for word in words]]


def _alone(word: str) -> Any:
    found = vectors.of_text(word) if terms(word) else {}
    return vectors.dense(found, SIZE) * sum(weight**2 for weight in found.values()) ** 0.5 if found else 0.0


_WORDS = _Words()
