"""Texts and pictures as vectors, by counting: no model is asked, nothing is learned, nothing is random.

A text becomes weighted features: its terms (stems, Chinese characters and pairs, see `retrieval`), the letter triples
of its words, so that misspellings stay near, and the senses of its words from a small English and Chinese list, so
that "kitten" meets 猫. A feature that comes often counts by its logarithm. A picture becomes the colours it shows by
name, which meet the same words, its histogram, and the directions of its edges. Each feature is hashed to a few of
`size` places with signs, and the whole is brought to length one. It knows words, not meaning: what the list does not
hold, it sees only by spelling. numpy and pillow are loaded when first needed.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

from qwenkit.sandbox.retrieval import terms
from qwenkit.sandbox.senses import FIRST_HAN, longest, senses

Features = Mapping[str, float]

_VOCABULARY = 151_643  # places of a sparse vector, as many as Qwen's tokenizer has words
_TERM, _SENSE, _PAIR, _SIGN, _TRIPLE, _MARK = 1.0, 1.6, 0.6, 0.35, 0.25, 0.1
_ASKED = 0.12  # what the text type and the instruction add, so that a query stays close to the same document
_RUN = re.compile(r"\w+|[^\w\s]")
_HAN = re.compile("[\u3400-\u9fff]")
_MIXERS = tuple(int.from_bytes(hashlib.blake2b(bytes([n]), digest_size=8).digest(), "little") | 1 for n in range(16))
_SIDE = 64  # pixels of the square a picture is measured in
_COLOURS = {"red": 0, "orange": 25, "yellow": 55, "green": 120, "blue": 220, "purple": 280, "pink": 330}


class Picture(NamedTuple):
    """What was measured of a picture."""

    features: Features
    width: int
    height: int


def of_text(text: str, *, query: bool = False, instruct: str = "") -> dict[str, float]:
    """The features of a text and their weights."""
    counts = _counted(unicodedata.normalize("NFKC", text).casefold())
    found = {name: _weight(name) * (1 + math.log(count)) for name, count in counts.items()}
    length = math.sqrt(sum(weight * weight for weight in found.values())) or 1.0
    asked = ["?query"] * query + [f"?{term}" for term in dict.fromkeys(terms(instruct))]
    return found | {name: _ASKED * length / math.sqrt(len(asked)) for name in asked}


def _counted(text: str) -> Counter[str]:
    """How often each feature comes in a folded text."""
    counts: Counter[str] = Counter()
    found = Counter(terms(text))
    for term, count in found.items():
        counts[f"t:{term}"] += count
    known = [(term, count) for term, count in found.items() if term in senses() and term[0] < FIRST_HAN]
    for word, count in [*known, *Counter(_chinese().findall(text)).items()]:
        for sense in senses()[word]:
            counts[f"#{sense}"] += count
    for run, count in Counter(_RUN.findall(text)).items():
        edged = f"<{run}>"
        if not run[0].isalnum() and run[0] != "_":
            counts[f"m:{run}"] += count
        elif not _HAN.match(run):
            for at in range(len(edged) - 2):
                counts[f"g:{edged[at : at + 3]}"] += count
    return counts


def _weight(name: str) -> float:
    """What a feature counts by its kind: a sense most, a mark of punctuation least."""
    if name[0] != "t":
        return {"#": _SENSE, "g": _TRIPLE, "m": _MARK}[name[0]]
    return _TERM if name[2] < FIRST_HAN else _PAIR if len(name) == 4 else _SIGN


@cache
def _chinese() -> re.Pattern[str]:
    return longest(list(senses()))


def of_picture(data: bytes) -> Picture:
    """What can be measured of a picture: its colours by name, its histogram, its edges. ValueError if it is none."""
    import numpy as np
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            (width, height), small = picture.size, picture.convert("RGB").resize((_SIDE, _SIDE))
    except Exception as unread:  # a broken picture makes its reader fail in any way
        raise ValueError(f"the picture cannot be read: {unread}") from unread
    shares = Counter(map(_colour, np.asarray(small.convert("HSV")).reshape(-1, 3).tolist()))
    found = {f"#{name}": _SENSE * math.sqrt(count) / _SIDE for name, count in shares.items()}
    bins = np.asarray(small).reshape(-1, 3) // 64
    for place, count in Counter((bins @ [16, 4, 1]).tolist()).items():
        found[f"h:{place}"] = 0.5 * math.sqrt(count) / _SIDE
    across, down = np.gradient(np.asarray(small.convert("L"), dtype=float))
    strength = np.hypot(across, down)
    turns = np.floor((np.arctan2(down, across) % np.pi) / np.pi * 8).astype(int) % 8
    energy = np.bincount(turns.ravel(), strength.ravel(), minlength=8) / (float(strength.sum()) or 1.0)
    edges = {f"e:{place}": 0.5 * math.sqrt(share) for place, share in enumerate(energy.tolist()) if share}
    return Picture(found | edges, width, height)


def _colour(pixel: list[int]) -> str:
    """What a hue is called, or black, grey and white where there is little of one."""
    hue, depth, light = pixel[0] * 360 / 255, pixel[1], pixel[2]
    if light < 50 or depth < 40:
        return "black" if light < 70 else "grey" if light < 200 else "white"
    return min(_COLOURS, key=lambda name: min(abs(hue - _COLOURS[name]), 360 - abs(hue - _COLOURS[name])))


def joined(parts: list[Features]) -> dict[str, float]:
    """Several things as one: each counts alike, whatever its length."""
    sums: Counter[str] = Counter()
    for part in parts:
        length = math.sqrt(sum(weight * weight for weight in part.values())) or 1.0
        for name, weight in part.items():
            sums[name] += weight / length  # type: ignore[assignment]
    return dict(sums)


def dense(features: Features, size: int) -> Any:
    """The features hashed into `size` places, several each, as a numpy vector of length one."""
    import numpy as np

    hashes = np.array([_hash(name) for name in features], np.uint64)[:, None] * np.array(_MIXERS, np.uint64)
    signed = np.fromiter(features.values(), float)[:, None] * (1.0 - 2.0 * (hashes >> np.uint64(63)))
    places = (hashes >> np.uint64(24)) % np.uint64(size)
    sums = np.bincount(places.astype(int).ravel(), signed.ravel(), minlength=size)
    length = float(np.sqrt(sums @ sums))
    if not length:  # nothing to go by, or signs that cancel
        sums[0] = length = 1.0
    return sums / length


def sparse(text: str) -> list[dict[str, Any]]:
    """The terms of a text with their weights, heaviest first: what a word search needs."""
    counts = Counter(terms(text))
    spelled = {found[0]: word for word in reversed(_RUN.findall(text)) if len(found := terms(word)) == 1}
    rows = [(round(1 + math.log(counts[term]), 4), _hash(term) % _VOCABULARY, term) for term in counts]
    rows.sort(key=lambda row: (-row[0], row[1]))
    return [{"index": index, "value": value, "token": spelled.get(term, term)} for value, index, term in rows]


def likeness(one: Features, other: Features) -> float:
    """The cosine of the angle between two, before any hashing: 0 nothing in common, 1 the same."""
    product = sum(weight * other[name] for name, weight in one.items() if name in other)
    lengths = [math.sqrt(sum(weight * weight for weight in each.values())) for each in (one, other)]
    return product / (lengths[0] * lengths[1]) if all(lengths) else 0.0


@lru_cache(maxsize=200_000)
def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
