"""Numbers as they are written: "twenty three" is 23, 二十三 is 23. What `enable_itn` asks for, in the simple cases.

English numbers from ten on and everything with a hundred in it; Chinese ones of at least two characters, digits alone
of at least three. "One of them" and 一起 stay words, as they should.
"""

from __future__ import annotations

import re

_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_UNITS = {word: at for at, word in enumerate(f"{_ONES} seventeen eighteen nineteen".split())}
_DECADES = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * at for at, word in enumerate(_DECADES.split(), 2)}
_SCALES = {"thousand": 1000, "million": 1_000_000}
_WORD = "|".join(sorted([*_UNITS, *_TENS, *_SCALES, "hundred"], key=len, reverse=True))
_ENGLISH = re.compile(rf"\b(?:a (?=hundred|thousand|million))?(?:{_WORD})(?:(?:[ -]| and )(?:{_WORD}))*\b", re.I)
_DIGITS = {char: at for at, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_PLACES = {"十": 10, "百": 100, "千": 1000}
_CHINESE = re.compile("[零〇一二两三四五六七八九十百千万亿]{2,}")


def written(text: str) -> str:
    """The text with its numbers as figures."""
    return _CHINESE.sub(_chinese, _ENGLISH.sub(_english, text))


def _english(found: re.Match[str]) -> str:
    words = re.split(r"[ -]", found[0].lower().removeprefix("a "))
    total = part = last = 0
    for word in words:
        if word == "and":
            continue
        value = _UNITS.get(word, _TENS.get(word, 0))
        if word == "hundred":
            part = max(part, 1) * 100
        elif word in _SCALES:
            total, part = total + max(part, 1) * _SCALES[word], 0
        elif last and not (last >= 20 and last % 10 == 0 and value < 10):
            return found[0]  # "nine nine one": no number but its digits
        else:
            part += value
        last = value
    return _figures(total + part, found[0]) if total + part >= 10 else found[0]


def _chinese(found: re.Match[str]) -> str:
    said = found[0]
    if not re.search("[十百千万亿]", said):  # 二零二六, digit by digit; but 三四 is three or four, 一一 one by one
        return "".join(str(_DIGITS[char]) for char in said) if len(said) > 2 else said
    if said[0] in "万亿":  # 万一: in case
        return said
    total = tens = part = digit = 0  # all of 亿, of 万, below
    for char in said:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _PLACES:
            part, digit = part + max(digit, 1) * _PLACES[char], 0
        elif char == "万":
            tens, part, digit = (tens + part + digit) * 10_000, 0, 0
        else:
            total, tens, part, digit = (total + tens + part + digit) * 100_000_000, 0, 0, 0
    return _figures(total + tens + part + digit, said)


def _figures(value: int, said: str) -> str:
    """The number, unless nobody counts so far."""
    return str(value) if value < 10**16 else said
