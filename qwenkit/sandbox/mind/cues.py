"""What a question is recognised by: regular expressions kept as data, compiled when they are first needed."""

from __future__ import annotations

import re
from functools import cache

from .library import read

_ARROW = " => "
_EDGE = r"(?a:\b)"  # the edge of a Latin word, which is also there between 是 and token


@cache
def _blocks() -> dict[str, list[str]]:
    blocks: dict[str, list[str]] = {}
    name = ""
    for line in read("cues.txt").splitlines():
        if line.startswith("    "):
            blocks[name].append(line[4:])
        elif line.endswith(":"):
            name = line[:-1]
            blocks[name] = []
    return blocks


def compiled(pattern: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Pattern[str]:
    """An expression in which a word's edge is that of a Latin word."""
    return re.compile(pattern.replace(r"\b", _EDGE), flags)


@cache
def cue(name: str) -> re.Pattern[str]:
    """One expression: the lines of its block are alternatives."""
    return compiled("|".join(_blocks()[name]))


def group(found: re.Match[str]) -> str:
    """What an expression was looking for: of its groups the first that holds something."""
    held: str = next(filter(None, found.groups()))
    return held


@cache
def table(name: str) -> list[tuple[str, re.Pattern[str]]]:
    """Labelled expressions, in the order they are tried."""
    rows = [line.split(_ARROW, 1) for line in _blocks()[name]]
    return [(label.strip(), compiled(pattern)) for label, pattern in rows]


def label(name: str, text: str) -> str:
    """The label of the first expression of a table that is found in a text, or nothing."""
    return next((each for each, pattern in table(name) if pattern.search(text)), "")
