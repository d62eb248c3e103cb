"""Sums written in words or signs: found in a sentence, evaluated exactly (fractions, no `eval`), step by step."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from .cues import compiled, table
from .library import lexicon

_SCALE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_DIGITS = {digit: at for at, digit in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_CHINESE_NUMBER = re.compile(
    r"(?!一[个下些种首句位只条样起点定段篇])[零〇一二两三四五六七八九十][零〇一二两三四五六七八九十百千万亿]*"
)
_CHINESE_SCALE = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}

_SPAN = re.compile(r"(?:\d+(?:\.\d+)?|sqrt|fact|[-+*/%^() ])+")
_OPERATION = re.compile(r"\d\)?\s*[-+*/%^]\s*-?[\d(sf]|sqrt|fact")
_ENDLESS = re.compile(r"\d{100}")
_LONGEST = 300
_LARGEST_FACTORIAL = 500
_MOST_BITS = 8000  # a result of some 2,400 digits is enough for a lesson

Number = Fraction | float  # a float is a number that could not be worked out exactly


class NotASum(ValueError):
    """The text is no sum, or one the mind will not work out."""


class Sum(NamedTuple):
    text: str  # as understood, 17 × 23
    value: Number
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
        if len(span) <= _LONGEST and _OPERATION.search(span):
            steps: list[str] = []
            try:
                value = evaluate(span, steps)
            except NotASum:
                continue
            return Sum(pretty(span), value, steps, sentence.replace(span, " ", 1))
    return None


def pretty(span: str) -> str:
    """A sum as it is printed: signs spaced, × and ÷ and √, percentages as such."""
    spaced = re.sub(r"\s*([-+*/%^])\s*", r" \1 ", span.strip())
    spaced = re.sub(r"(^|[(*/^+-] ?)- (?=\d)", r"\1-", spaced)
    for plain, printed in ((" ^ ", "^"), ("*", "×"), ("/", "÷"), ("sqrt(", "√("), ("fact", "factorial")):
        spaced = spaced.replace(plain, printed)
    spaced = re.sub(r"√\((\d+(?:\.\d+)?)\)", r"√\1", spaced)
    return re.sub(r"\((\d+(?:\.\d+)?) ÷ 100\)|\b(\d+(?:\.\d+)?) ÷ 100(?= ×)", r"\1\2%", spaced)


def shown(value: Number) -> str:
    """A number as a person writes it: whole, decimal if it ends, else rounded."""
    if isinstance(value, Fraction) and value.denominator == 1:
        return str(value.numerator)
    try:
        decimal = f"{float(value):.6f}".rstrip("0").rstrip(".")
    except OverflowError:
        return str(int(value))
    return decimal if math.fabs(value) > 0.001 or Fraction(decimal) == value else f"{float(value):.6g}"


def exact(value: Number) -> bool:
    """Whether `shown` says all there is to say."""
    return isinstance(value, Fraction) and Fraction(shown(value)) == value


def evaluate(text: str, steps: list[str] | None = None) -> Number:
    """The value of a sum, by walking its syntax tree; every operation is written down as a step."""
    signs = re.sub(r"(?<=[\d)])\s*(?=sqrt|fact|\()", "*", text.replace("^", "**"))
    try:
        tree = ast.parse(re.sub(r"(?<![\d.])0+(?=\d)", "", signs).strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise NotASum(text) from None
    return _worked(tree, [] if steps is None else steps)


_OPERATORS: dict[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("^", operator.pow),
}


def _worked(node: ast.expr, steps: list[str]) -> Number:
    match node:
        case ast.Constant(value=int() | float()):
            return Fraction(str(node.value))
        case ast.UnaryOp(op=ast.USub()):
            return -_worked(node.operand, steps)
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return _function(name, _worked(argument, steps))
        case ast.BinOp() if type(node.op) in _OPERATORS:
            return _operation(node, _worked(node.left, steps), _worked(node.right, steps), steps)
    raise NotASum(ast.dump(node)[:40])


def _operation(node: ast.BinOp, left: Number, right: Number, steps: list[str]) -> Number:
    sign, apply = _OPERATORS[type(node.op)]
    if sign == "^" and isinstance(left, Fraction) and math.fabs(right) * _bits(left) > _MOST_BITS:
        raise OverflowError
    value = apply(left, right)
    if isinstance(value, complex):
        raise NotASum("no real root")
    if isinstance(value, Fraction) and _bits(value) > _MOST_BITS:
        raise OverflowError
    steps.append(f"{pretty(f'{shown(left)} {sign} {shown(right)}')} = {shown(value)}")
    return value if isinstance(value, Fraction) else float(value)


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _function(name: str, value: Number) -> Number:
    if name == "fact" and isinstance(value, Fraction) and value.denominator == 1 and value >= 0:
        if value > _LARGEST_FACTORIAL:
            raise OverflowError
        return Fraction(math.factorial(int(value)))
    if name != "sqrt" or value < 0:
        raise NotASum(name)
    root = math.isqrt(int(value))
    return Fraction(root) if root * root == value else math.sqrt(value)
