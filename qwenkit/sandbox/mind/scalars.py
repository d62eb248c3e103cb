"""Numbers and strings that satisfy a JSON schema; `salt` asks for another one of the same kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from .check import Schema, valid
from .cues import label
from .library import lexicon
from .meaning import split_name
from .pattern import text_for

_PADDING = "-"
_LONGEST = 100_000


def text(schema: Schema, key: str, salt: int, inventing: bool = False) -> str:
    """Nothing, or the least that a pattern, a format or a length allows; a usual value only for made-up examples."""
    low, high = int(schema.get("minLength", 0)), int(min(schema.get("maxLength", _LONGEST), _LONGEST))
    if "pattern" in schema:
        return text_for(schema["pattern"], low, high, salt) or ""
    shape = lexicon()["formats"].get(schema.get("format", ""))
    if shape:
        return str(shape.format(1 + salt % 58))
    usual = lexicon()["samples"].get(label("evidence.hints", split_name(key)), "") if inventing else ""
    return (str(salt or "") + usual).ljust(low, _PADDING)[:high]


def number(schema: Schema, whole: bool, salt: int) -> int | float:
    """The salt-th allowed multiple of the step, outwards from zero; else the lowest, or one in the middle."""
    low, high = bound(schema, "minimum", "exclusiveMinimum", max), bound(schema, "maximum", "exclusiveMaximum", min)
    least = [plain(each) for each in (Fraction(0), low) if each is not None and (each.denominator == 1 or not whole)]
    allowed = next((each for each in least if valid(each, {**schema, "type": "number"}, True)), None)
    if salt == 0 and allowed is not None:
        return allowed
    if low is not None and high is not None and not whole and not schema.get("multipleOf"):
        return float(low + (high - low) * Fraction(salt + 1, salt + 2))
    step = Fraction(str(schema.get("multipleOf") or 1))
    step = common(step, Fraction(1)) if whole else step
    centre = math.ceil(low / step) if low is not None and low > 0 else 0
    centre = math.floor(high / step) if high is not None and high < 0 else centre
    outwards = (plain((centre + (at + 1) // 2 * (1 if at % 2 else -1)) * step) for at in range(2 * salt + 12))
    fitting = [value for value in outwards if valid(value, {**schema, "type": "number"}, True)]
    return fitting[salt] if salt < len(fitting) else plain(centre * step)


def plain(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def common(left: Fraction, right: Fraction) -> Fraction:
    """The least common multiple of two steps."""
    numerators = math.lcm(left.numerator * right.denominator, right.numerator * left.denominator)
    return Fraction(numerators, left.denominator * right.denominator)


def bound(schema: Schema, closed: str, open_: str, tighter: Callable[[list[Fraction]], Fraction]) -> Fraction | None:
    given = [Fraction(str(schema[name])) for name in (closed, open_) if type(schema.get(name)) in (int, float)]
    return tighter(given) if given else None
