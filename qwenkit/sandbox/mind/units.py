"""Converting a few everyday units: every unit is a factor (and for temperatures an offset) of its kind's base unit."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from .expression import numerals, shown
from .library import lexicon
from .scene import Draft, Scene

_LONGEST = 300


class _Unit(NamedTuple):
    kind: str
    factor: Fraction
    offset: Fraction
    sign: str


@cache
def _units() -> dict[str, _Unit]:
    units: dict[str, _Unit] = {}
    for row in lexicon()["units"]:
        kind, factor, offset, sign, *names = row.split()
        units |= {name.lower(): _Unit(kind, Fraction(factor), Fraction(offset), sign) for name in (sign, *names)}
    return units


@cache
def _phrases() -> tuple[re.Pattern[str], re.Pattern[str]]:
    names = "|".join(sorted(map(re.escape, _units()), key=len, reverse=True))
    unit = rf"(?:degrees? )?({names})(?:e?s)?(?![A-Za-z])"
    turned = r"\b(?:in|to|into|as)\b|是多少|等于多少|等于几|换算成|换成|转换?[为成]|合|有多少|为|是|="
    return (
        re.compile(rf"(-?\d+(?:\.\d+)?)\s*{unit}.{{0,20}}?(?:{turned})\s*(?:how many |多少|几)?{unit}", re.IGNORECASE),
        re.compile(
            rf"how many {unit}.{{0,12}}?(?:in|is|are|make|equal)\s+(?:an?|one|(-?\d+(?:\.\d+)?))\s*{unit}",
            re.IGNORECASE,
        ),
    )


def units(scene: Scene) -> Draft | None:
    """10 km in miles, how many metres are in a mile, 10公里等于多少米."""
    text = numerals(scene.question[:_LONGEST])
    first, second = (phrase.search(text) for phrase in _phrases())
    if first:
        amount, source, target = Fraction(first[1]), _units()[first[2].lower()], _units()[first[3].lower()]
    elif second:
        amount, source, target = Fraction(second[2] or 1), _units()[second[3].lower()], _units()[second[1].lower()]
    else:
        return None
    if source.kind != target.kind or source == target:
        return None
    value = (amount * source.factor + source.offset - target.offset) / target.factor
    rounded = Fraction(round(float(value), 4 if abs(value) < 1 else 2)).limit_denominator(10_000)
    scene.note("think.units", kind=source.kind)
    rule = "units.is" if rounded == value else "units.about"
    return scene.say(rule, amount=f"{shown(amount)} {source.sign}", value=f"{shown(rounded)} {target.sign}")
