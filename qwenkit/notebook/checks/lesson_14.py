"""Lesson 14: two voices in a dialogue, the bill of a reading, a stream that is left when enough has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_TEXTS = {
    "The ferry leaves at nine.": (25, "Letters, blanks and marks count one each."),
    "渡轮九点开。": (11, "Five ideographs count two each, the full stop 。 counts one."),
    "はい、明日です": (9, "Kana count one; of this text only 明日 are ideographs."),
    "𠀀": (2, "Some ideographs lie beyond U+20000: ord() finds them too."),
    "": (0, "Nothing costs nothing."),
}
SECOND = 48_000


def exercise_1(dialogue: Any) -> str | None:
    """Have a question and its answer spoken by two voices, and answer with the list of the two takes."""
    takes = list(dialogue)
    if len(takes) != 2:
        return f"A question and an answer are two takes, these are {len(takes)}."
    if any(not hasattr(take, "duration") for take in takes):
        return "Each of the two is what qwen.speech gives, not its text."
    if takes[0].meta.get("voice") == takes[1].meta.get("voice"):
        return "Both speak with the same voice: pass voice=… with two names of qwen.voices()."
    if not takes[0].text.rstrip().endswith(("?", "？")):
        return "The first take asks: its text ends in a question mark."
    return None


def exercise_2(billed: Callable[[str], Any]) -> str | None:
    """Write billed(text), which gives how many characters a reading costs."""
    for text, (count, hint) in _TEXTS.items():
        said = billed(text)
        if said is None:
            return "billed returns nothing yet: give back a number."
        if said != count:
            return f"{hint} For {text!r} it gave {said!r:.20} in place of {count}."
    return None


class _Piece:
    def __init__(self, audio: bytes) -> None:
        self.audio, self.text = audio, ""


class Counting:
    """A stream of speech that counts how many pieces were taken, and knows whether it was closed."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.taken, self.closed = 0, False
        self._sizes = sizes

    def __iter__(self) -> Iterator[_Piece]:
        for number, size in enumerate(self._sizes, 1):
            if self.closed:
                return
            self.taken = number
            yield _Piece(bytes([number]) * size)

    def __enter__(self) -> Counting:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True


def exercise_3(first_second: Callable[[Any], Any]) -> str | None:
    """Write first_second(stream), which reads one second of a stream and closes it."""
    for sizes, needed in (((38_400, 38_400, 38_400), 2), ((24_000, 24_000, 24_000), 2), ((10_000, 2_000), 2)):
        stream = Counting(sizes)
        heard = first_second(stream)
        if heard is None:
            return "first_second returns nothing yet: give back the bytes."
        whole = b"".join(bytes([number]) * size for number, size in enumerate(sizes, 1))
        if heard != whole[:SECOND]:
            return f"One second is {SECOND:,} bytes, from the beginning; a short stream gives all it has."
        if stream.taken > needed:
            return "It took more pieces than it needs for one second: leave the loop when enough has come."
        if not stream.closed:
            return "The stream is still open: read it inside a with block, or call close()."
    return None
