"""Who speaks how: the catalogue's voices as espeak-ng variants, pitches and rates, languages as its languages.

`data/casting.txt` gives each voice a variant, a pitch and a rate of its own. A voice that is not in it (a cloned or
designed one) gets them from its name. Instructions change what they name (`data/moods.txt`) and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from math import log2
from typing import Any

from qwenkit.catalogue.cast import voice as find_voice
from qwenkit.sandbox.identity import digest

_SPOKEN = """Chinese:cmn English:en-us German:de Italian:it Portuguese:pt Spanish:es Japanese:ja Korean:ko French:fr
Russian:ru Cantonese:yue"""
LANGUAGES: dict[str, str] = dict(each.split(":") for each in _SPOKEN.split())
CODES = {"cmn": "zh", "en-us": "en"}
_NATIVE = {"Sonrisa": {"es": "es-419"}, "Radio Gol": {"pt": "pt-br"}}
# The median pitch of each variant when left alone, in Hz (measured), and how many of its steps make an octave.
_MIDDLES = {
    **{"m1": 92.1, "m2": 99.3, "m3": 102.5, "m4": 93.3, "m5": 102.0, "m6": 99.2, "m7": 103.7, "m8": 83.6},
    **{"f1": 177.8, "f2": 191.8, "f3": 205.7, "f4": 176.1, "f5": 202.5},
}
_STEPS_UP, _STEPS_DOWN = 63, 78


@dataclass(frozen=True)
class Part:
    """A voice's way to speak, in espeak-ng's terms but for the pitch, which is in Hz."""

    voice: str
    variant: str
    pitch_hz: float
    rate: float
    accent: str = "en-us"
    range: float = 50.0
    gain: float = 1.0
    emotion: str = "neutral"

    def order(self, text: str, language: str) -> dict[str, Any]:
        """What the worker is asked for."""
        spoken = self.accent if language == "en-us" else _NATIVE.get(self.voice, {}).get(language, language)
        octaves = log2(max(self.pitch_hz, 20) / _MIDDLES[self.variant])
        pitch = 50 + octaves * (_STEPS_UP if octaves > 0 else _STEPS_DOWN)
        return {
            "text": text,
            "voice": f"{spoken}+{self.variant}",
            "rate": round(min(max(self.rate, 80), 450)),
            "pitch": round(min(max(pitch, 0), 99)),
            "range": round(min(max(self.range, 0), 99)),
        }


def cast(voice: str, speed: float = 1.0, pitch: float = 1.0, instructions: str = "") -> Part:
    """The part of a voice, changed by what is asked for."""
    part = _parts().get(voice) or _stranger(voice)
    part = replace(part, rate=part.rate * speed, pitch_hz=part.pitch_hz * pitch)
    for emotion, changes, named in _moods():
        if named.search(instructions):
            felt = emotion if part.emotion == "neutral" and emotion else part.emotion
            part = replace(part, emotion=felt, **{name: getattr(part, name) * by for name, by in changes.items()})
    return part


@lru_cache(maxsize=1)
def _moods() -> list[tuple[str, dict[str, float], re.Pattern[str]]]:
    """Each mood with what it changes, and how it is found: English as whole words ("fast" is not in "breakfast")."""
    moods = []
    for line in _table("moods"):
        emotion, changes, words = re.split(r": ?", line)
        changed = dict(each.replace("pitch", "pitch_hz").split() for each in changes.split(", "))
        forms = [rf"\b{word}(?:er|ly|ful|ness)?\b" if word.isascii() else word for word in words.split()]
        moods.append((emotion, {name: float(by) for name, by in changed.items()}, re.compile("|".join(forms), re.I)))
    return moods


def chinese_of(voice: str) -> str:
    """The Chinese a voice speaks: Cantonese where it is its own, Mandarin for all other dialects."""
    found = find_voice(voice)
    return "yue" if found and found.dialect == "Cantonese" else "cmn"


def known_voices() -> tuple[str, ...]:
    return tuple(_parts())


@lru_cache(maxsize=1)
def _parts() -> dict[str, Part]:
    rows = [line.split("\t") for line in _table("casting")]
    return {row[0]: Part(row[0], row[1], float(row[2]), float(row[3]), row[4]) for row in rows}


def _table(name: str) -> list[str]:
    text = files("qwenkit.sandbox").joinpath(f"data/{name}.txt").read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


def _stranger(voice: str) -> Part:
    number = int(digest(voice)[:12], 16)
    variant, middle = list(_MIDDLES.items())[number % len(_MIDDLES)]
    return Part(voice, variant, middle * (0.85 + number // 16 % 40 / 100), 155 + number // 4096 % 36)
