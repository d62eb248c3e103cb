"""Sums written in words or signs: found in a sentence, evaluated exactly (fractions, no `eval`), step by step."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import cache
from typing import NamedTuple

from .cues import compiled, table
from .library import lexicon

_SCALE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_DIGITS = {digit: at for at, digit in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_CHINESE_NUMBER = re.compile(
    r"(?!一[个下些种首句位只条样起点定段篇])[零〇一二两三四五六七八九十][零〇一二两三四五六七八九十百千万亿]*"
)
_CHINESE_SCALE = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}

_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|sqrt|fact|[-+*/%^()])")
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?|sqrt|fact|[-+*/%^() ])+")
_ENDLESS = re.compile(r"\d{100}")
_LONGEST = 300
_DEEPEST = 40
_MOST_BITS = 8000  # a result of some 2,400 digits is enough for a lesson


class NotASum(ValueError):
    """The text is no sum, or one the mind will not work out."""


class Sum(NamedTuple):
    text: str  # as understood, 17 * 23
    value: Fraction
    exact: bool
    steps: list[str]
    rest: str  # the sentence without the sum


def numerals(text: str) -> str:
    """Number words turned into digits, English and Chinese."""
    text = _number_words().sub(lambda found: str(_english(found)), text)
    return _CHINESE_NUMBER.sub(lambda found: str(_chinese(found[0])), text)


@cache
def _number_words() -> re.Pattern[str]:
    words = "|".join(lexicon()["numbers"])
    return compiled(rf"\b({words})(?:[- ]({'|'.join(_SCALE)}|{words}))?\b")


def _english(found: re.Match[str]) -> int:
    words = lexicon()["numbers"]
    first, second = words[found[1].lower()], (found[2] or "").lower()
    return int(first * _SCALE[second] if second in _SCALE else first + words.get(second, 0))


def _chinese(text: str) -> int:
    if not set(text) & set(_CHINESE_SCALE):
        return int("".join(str(_DIGITS[sign]) for sign in text))
    total = section = digit = 0
    for sign in text:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif _CHINESE_SCALE[sign] >= 10_000:
            total = (total + section + digit) * _CHINESE_SCALE[sign]
            section = digit = 0
        else:
            section += (digit or 1) * _CHINESE_SCALE[sign]
            digit = 0
    return total + section + digit


def spelled(text: str) -> str:
    """The sentence with operators as signs; one with an endless number stays as it is."""
    if _ENDLESS.search(text):
        return text
    for sign, pattern in table("expression.spellings"):
        text = pattern.sub(sign, text)
    return text


def find(text: str) -> Sum | None:
    """The longest sum in a sentence, worked out. Raises ZeroDivisionError, or OverflowError if it is too big."""
    sentence = spelled(numerals(text[:2000]))
    spans = sorted((span[0].strip() for span in _SPAN.finditer(sentence)), key=len, reverse=True)
    for span in spans[:3]:
        if len(span) <= _LONGEST and re.search(r"\d\)?\s*[-+*/%^]\s*-?[\d(sf]|sqrt|fact", span):
            try:
                value, exact, steps = evaluate(span)
            except NotASum:
                continue
            return Sum(pretty(span), value, exact, steps, sentence.replace(span, " ", 1))
    return None


def pretty(span: str) -> str:
    spaced = re.sub(r"\s*([-+*/%^])\s*", r" \1 ", span.strip())
    spaced = re.sub(r"(^|[(*/^+-] ?)- (?=\d)", r"\1-", spaced)
    spaced = (
        spaced.replace(" ^ ", "^")
        .replace("*", "×")
        .replace("/", "÷")
        .replace("sqrt(", "√(")
        .replace("fact", "factorial")
    )
    spaced = re.sub(r"√\((\d+(?:\.\d+)?)\)", r"√\1", spaced)
    return re.sub(r"\((\d+(?:\.\d+)?) ÷ 100\)|\b(\d+(?:\.\d+)?) ÷ 100(?= ×)", r"\1\2%", spaced)


def shown(value: Fraction, exact: bool = True) -> str:
    """A number as a person writes it: whole, decimal if it ends, else rounded."""
    if value.denominator == 1:
        return str(value.numerator)
    try:
        decimal = f"{float(value):.6f}".rstrip("0").rstrip(".")
    except OverflowError:
        return str(value.numerator // value.denominator)
    ends = exact and Fraction(decimal) == value
    return decimal if ends else f"{float(value):.6g}" if abs(value) < Fraction(1, 1000) else decimal


def evaluate(text: str) -> tuple[Fraction, bool, list[str]]:
    reader = _Reader(text)
    value = reader.total(0)
    if reader.tokens:
        raise NotASum(text)
    return value, reader.exact, reader.steps


class _Reader:
    """Recursive descent over the tokens of a sum."""

    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)[::-1]
        self.steps: list[str] = []
        self.exact = True

    def _next(self, *wanted: str) -> str:
        return self.tokens.pop() if self.tokens and self.tokens[-1] in wanted else ""

    def total(self, depth: int) -> Fraction:
        value = self._product(depth)
        while sign := self._next("+", "-"):
            other = self._product(depth)
            value = self._step(value, sign, other, value + other if sign == "+" else value - other)
        return value

    def _product(self, depth: int) -> Fraction:
        value = self._signed(depth)
        while sign := self._next("*", "/", "%"):
            other = self._signed(depth)
            done = value * other if sign == "*" else value / other if sign == "/" else value % other
            value = self._step(value, sign, other, done)
        return value

    def _signed(self, depth: int) -> Fraction:
        if self._next("-"):
            return -self._signed(self._deeper(depth))
        value = self._atom(depth)
        if self._next("^"):
            return self._power(value, self._signed(self._deeper(depth)))
        return value

    def _atom(self, depth: int) -> Fraction:
        if not self.tokens:
            raise NotASum("a number is missing")
        token = self.tokens.pop()
        if token == "(":
            value = self.total(self._deeper(depth))
            if not self._next(")"):
                raise NotASum("a bracket is open")
            return value
        if token in ("sqrt", "fact"):
            return self._function(token, self._atom(self._deeper(depth)))
        if not token[0].isdigit():
            raise NotASum(token)
        return Fraction(token)

    def _function(self, name: str, value: Fraction) -> Fraction:
        if name == "fact":
            if value.denominator != 1 or not 0 <= value <= 500:
                raise OverflowError
            return Fraction(math.factorial(int(value)))
        root = math.isqrt(int(value)) if value >= 0 else -1
        if root * root == value:
            return Fraction(root)
        if value < 0:
            raise NotASum("no real root")
        self.exact = False
        return Fraction(math.sqrt(value))

    def _power(self, base: Fraction, exponent: Fraction) -> Fraction:
        if exponent.denominator != 1:
            self.exact = False
            result = float(base) ** float(exponent) if base >= 0 else None
            if result is None:
                raise NotASum("no real root")
            return Fraction(result)
        if abs(exponent) * max(base.numerator.bit_length(), base.denominator.bit_length()) > _MOST_BITS:
            raise OverflowError
        return self._step(base, "^", exponent, Fraction(base ** int(exponent)))

    def _step(self, left: Fraction, sign: str, right: Fraction, value: Fraction) -> Fraction:
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
            raise OverflowError
        self.steps.append(f"{pretty(f'{shown(left)} {sign} {shown(right)}')} = {shown(value, self.exact)}")
        return value

    def _deeper(self, depth: int) -> int:
        if depth >= _DEEPEST:
            raise NotASum("too deep")
        return depth + 1
