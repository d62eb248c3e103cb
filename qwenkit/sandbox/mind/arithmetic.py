"""Arithmetic: sums, comparisons, primes, lists of numbers, one unknown, and stories about apples."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice, takewhile

from . import expression
from .cues import cue, group, label
from .expression import shown
from .reading import sentences
from .scene import Draft, Scene, first

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LIST = re.compile(rf"{_NUMBER.pattern}(?:\s*(?:[,，、;；]|and|和|与|\s)+\s*{_NUMBER.pattern})+")
_EITHER = re.compile(
    rf"\W*(?:compare )?{_NUMBER.pattern}\s*(?:,|or|vs\.?|还是|和)\s*{_NUMBER.pattern}\W*", re.IGNORECASE
)
_EQUATION = re.compile(r"([\d.\s+*/()x^-]*x[\d.\s+*/()x^-]*)=([\d.\s+*/()x^-]+)", re.IGNORECASE)
_COUNTED = re.compile(r"(?<![A-Za-z0-9.])\d+(?:\.\d+)?")
_WORDS_AROUND = {"en": 9, "zh": 18}  # a sum among more words than these is not what the text is about
_LONGEST = 600
_PRIME_LIMIT = 10**12
_MOST_PRIMES, _MOST_LISTED = 10_000, 200

_FIGURES: dict[str, Callable[[list[Fraction]], Fraction]] = {
    "gcd": lambda numbers: Fraction(math.gcd(*map(int, numbers))),
    "lcm": lambda numbers: Fraction(math.lcm(*map(int, numbers))),
    "mean": lambda numbers: sum(numbers, Fraction(0)) / len(numbers),
    "median": lambda numbers: (sorted(numbers)[(len(numbers) - 1) // 2] + sorted(numbers)[len(numbers) // 2]) / 2,
    "product": lambda numbers: math.prod(numbers, start=Fraction(1)),
    "max": max,
    "min": min,
    "sum": lambda numbers: sum(numbers, Fraction(0)),
}


def arithmetic(scene: Scene) -> Draft | None:
    text = expression.numerals(scene.question) if len(scene.question) <= _LONGEST else ""
    if not re.search(r"\d", text) and not cue("arithmetic.prime_any").search(text):
        return None
    draft = first(scene, (_prime, _compare, _collection, _equation, _sum, _following, _story), text)
    if draft:
        scene.notes.insert(0, scene.book("think.arithmetic"))
    return draft


def _sum(scene: Scene, text: str) -> Draft | None:
    try:
        found = expression.find(scene.question)
    except ZeroDivisionError:
        return scene.say("arithmetic.zero")
    except OverflowError:
        return scene.say("arithmetic.huge")
    around = re.findall(r"[A-Za-z]+|[\u4e00-\u9fff]", found.rest) if found else []
    return _worked_out(scene, found) if found and len(around) <= _WORDS_AROUND[scene.language] else None


def _worked_out(scene: Scene, found: expression.Sum) -> Draft:
    value = shown(found.value)
    scene.note("think.sum", sum=found.text)
    for step in found.steps[:12]:
        scene.note("think.step", step=step)
    rule = "arithmetic.sum" if expression.exact(found.value) else "arithmetic.about"
    return scene.say(rule, sum=found.text, value=value)


def _following(scene: Scene, text: str) -> Draft | None:
    """ "Times 2", "now add 10 to that": the last number of the answer before is meant."""
    found = cue("arithmetic.following").search(text)
    before = [turn.text for turn in scene.earlier if turn.role == "assistant"]
    numbers = _NUMBER.findall(before[-1][-400:]) if before else []
    if not found or not numbers:
        return None
    sign = next(sign for sign, each in zip("+-*/", found.groups(), strict=False) if each)
    try:
        value = expression.find(f"{numbers[-1]} {sign} {found[5]}")
    except ArithmeticError:
        return scene.say("arithmetic.zero")
    return _worked_out(scene, value) if value else None


def _equation(scene: Scene, text: str) -> Draft | None:
    """One unknown, first degree: the line through x = 0 and x = 1, checked at x = 2."""
    found = _EQUATION.search(expression.spelled(text))
    if not found:
        return None
    sides = re.sub(r"(?<=[\d)])\s*(?=[x(])", "*", f"({found[1]})-({found[2]})".lower())
    try:
        at = [expression.evaluate(sides.replace("x", f"({n})")) for n in range(3)]
    except (expression.NotASum, ArithmeticError):
        return None
    slope = at[1] - at[0]
    if slope == 0 or at[2] - at[1] != slope:
        return None
    value = shown(-at[0] / slope)
    scene.note("think.equation", equation=found[0].strip(), value=value)
    return scene.say("arithmetic.equation", value=value)


def _prime(scene: Scene, text: str) -> Draft | None:
    if not cue("arithmetic.prime").search(text):
        return None
    above, place = cue("arithmetic.prime_above").search(text), cue("arithmetic.prime_place").search(text)
    if (above and int(above[1]) < _PRIME_LIMIT) or (cue("arithmetic.prime_any").search(text) and not above):
        return scene.say("arithmetic.value", value=str(next(_primes(int(above[1]) if above else 1))))
    if place and 0 < int(group(place)) <= _MOST_PRIMES:
        return scene.say("arithmetic.value", value=str(next(islice(_primes(), int(group(place)) - 1, None))))
    return _several_primes(scene, text) or _whether_prime(scene, text)


def _several_primes(scene: Scene, text: str) -> Draft | None:
    """The primes of a range, or one figure about them; a list nobody asked for is no answer."""
    below, first, between = (cue(f"arithmetic.prime_{kind}").search(text) for kind in ("below", "first", "between"))
    low, high = (int(each) for each in between.groups() if each) if between else (1, 0)
    high = int(group(below)) - (not cue("arithmetic.prime_within").search(text)) if below else high
    most = int(group(first)) if first else _MOST_PRIMES
    if not (first or high) or most > _MOST_PRIMES or high > _MOST_PRIMES:
        return None
    primes = list(islice(takewhile(lambda n: not high or n <= high, _primes(low - 1)), most))
    figure = label("arithmetic.figures", text)
    count = not figure and cue("arithmetic.how_many").search(text)
    if not primes or not (figure or count or len(primes) <= _MOST_LISTED):
        return None
    told = shown(_FIGURES[figure](list(map(Fraction, primes)))) if figure else ", ".join(map(str, primes))
    return scene.say("arithmetic.value", value=str(len(primes)) if count else told)


def _primes(above: int = 1) -> Iterator[int]:
    return (n for n in itertools.count(above + 1) if divisor(n) == n and n > 1)


def _whether_prime(scene: Scene, text: str) -> Draft | None:
    number = _NUMBER.search(text)
    asked = cue("arithmetic.prime_whether").search(text)
    if not (asked and number and number[0].isdecimal() and int(number[0]) <= _PRIME_LIMIT):
        return None
    n = int(number[0])
    by = divisor(n)
    scene.note("think.prime", n=str(n), root=str(math.isqrt(n)))
    if n < 2:
        return scene.say("arithmetic.unit", n=str(n))
    return scene.say("arithmetic.prime" if by == n else "arithmetic.composite", n=str(n), factors=f"{by} × {n // by}")


def divisor(n: int) -> int:
    """The smallest divisor above 1; a prime's is itself."""
    if n < 2:
        return 0
    return 2 if n % 2 == 0 else next((d for d in range(3, math.isqrt(n) + 1, 2) if n % d == 0), n)


def _compare(scene: Scene, text: str) -> Draft | None:
    """Which of two numbers is larger, or whether one is: of those in the question, the first, else the other."""
    asked = next((each for each in sentences(text) if each[-1] in "?？"), text)
    two = _NUMBER.findall(text)
    if _NUMBER.findall(asked) == two[:1]:
        two.reverse()
    bare = _EITHER.fullmatch(text)
    larger, smaller = cue("arithmetic.larger").search(text) or bare, cue("arithmetic.smaller").search(text)
    if len(two) != 2 or len(text) > 120 or not (larger or smaller) or cue("arithmetic.how_many").search(text):
        return None
    first, second = map(Fraction, two)
    scene.note("think.compare", first=two[0], second=two[1])
    if first == second:
        return scene.say("arithmetic.equal", first=two[0], second=two[1])
    large, small = two if first > second else two[::-1]
    if bare or cue("arithmetic.which").search(text):
        value, other = (large, small) if larger else (small, large)
        return scene.say("arithmetic.larger" if larger else "arithmetic.smaller", value=value, other=other)
    if not cue("tool.whether").search(asked):
        return None
    holds = (first > second) == bool(larger)
    return scene.say("arithmetic.yes" if holds else "arithmetic.no", large=large, small=small)


def _collection(scene: Scene, text: str) -> Draft | None:
    """One figure about a list of numbers, or the list in order."""
    spread = cue("arithmetic.range").search(text)
    low, high = (int(each) for each in spread.groups() if each) if spread else (1, 0)
    figure = label("arithmetic.figures", text)
    if figure and low < high <= _MOST_PRIMES:
        return scene.say("arithmetic.value", value=shown(_FIGURES[figure](list(map(Fraction, range(low, high + 1))))))
    listed = _LIST.search(text)
    written = _NUMBER.findall(listed[0]) if listed else []
    if not 2 <= len(written) <= 60 or max(map(len, written)) > 15:
        return None
    numbers = [Fraction(each) for each in written]
    if cue("arithmetic.sort").search(text):
        ordered = sorted(numbers, reverse=bool(cue("arithmetic.down").search(text)))
        return scene.say("arithmetic.value", value=", ".join(map(shown, ordered)))
    scene.note("think.list", list=", ".join(written), n=len(numbers))
    return scene.say("arithmetic.value", value=shown(_FIGURES[figure](numbers))) if figure else None


def _sign(clause: str) -> str:
    if cue("arithmetic.less").search(clause):
        return " - "
    return " + " if cue("arithmetic.more").search(clause) else ""


def _story(scene: Scene, text: str) -> Draft | None:
    """Ada has 5 apples, buys 3 and eats 2: each number counts with the sign of the verb in its clause."""
    if not cue("arithmetic.how_many").search(text):
        return None
    clauses = re.split(r"[.,;，。；!?！？]|\band\b|\bthen\b|然后|(?=[又再])", text)
    counted = [(clause, number) for clause in clauses for number in _COUNTED.findall(clause)]
    if not 2 <= len(counted) <= 6:
        return None
    if len(counted) == 2 and cue("arithmetic.per").search(text):
        sum_ = " * ".join(number for _, number in counted)
    else:
        signs = [_sign(clause) for clause, _ in counted]
        if "" in signs[1:]:
            return None
        sum_ = counted[0][1] + "".join(sign + number for sign, (_, number) in zip(signs[1:], counted[1:], strict=True))
    value = expression.find(sum_)
    return _worked_out(scene, value) if value else None
