"""A docstring, split into what a function is for and what its parameters mean.

Three spellings are read: Google ("Args:" and indented lines), numpy ("Parameters" over a row of dashes), and Sphinx
(":param town: …"). Everything else, a "Returns:" section too, stays part of the description, because a model reads it
like anybody else.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection
from itertools import takewhile

_GOOGLE = re.compile(r"(?:Args|Arguments|Parameters|Params|参数)\s*[:：]\s*")
_NUMPY = re.compile(r"(?:Other )?Parameters\s*")
_DASHES = re.compile(r"-{3,}\s*")
_SPHINX = re.compile(r":(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(?P<name>\w+)\s*:\s*(?P<text>.*)")
_TYPED = re.compile(r":type\s+\w+\s*:.*")
_GOOGLE_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+)\s*(?:\([^)]*\))?\s*[:：]\s*(?P<text>.*)")
_NUMPY_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:\s*,\s*\w+)*)\s*(?::.*)?(?P<text>)")


def split(docstring: str, parameters: Collection[str]) -> tuple[str, dict[str, str]]:
    """The description, and the meaning of each parameter that the docstring explains."""
    lines = docstring.expandtabs().splitlines()
    said: list[str] = []
    meanings: dict[str, list[str]] = {}
    while lines:
        taken, found = _section(lines, parameters)
        for name, words in found.items():
            meanings.setdefault(name, words)
        if not taken:
            said.append(lines[0])
        del lines[: taken or 1]
    described = re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in said)).strip()
    return described, {name: " ".join(" ".join(words).split()) for name, words in meanings.items()}


def _section(lines: list[str], parameters: Collection[str]) -> tuple[int, dict[str, list[str]]]:
    """How many of the first lines speak of parameters, and what they say; (0, {}) when they do not."""
    first, below = lines[0].strip(), _below(lines)
    if _GOOGLE.fullmatch(first) and any(map(str.strip, below)):
        inside = textwrap.dedent("\n".join(below)).splitlines()
        return 1 + len(below), _entries(inside, _GOOGLE_ENTRY, parameters)
    if len(lines) > 1 and _NUMPY.fullmatch(lines[0]) and _DASHES.fullmatch(lines[1]):
        end = next((at - 1 for at in range(3, len(lines)) if _DASHES.fullmatch(lines[at])), len(lines))
        return end, _entries(lines[2:end], _NUMPY_ENTRY, parameters)
    field = _SPHINX.fullmatch(first)
    if field and field["name"] in parameters:
        return 1 + len(below), {field["name"]: [field["text"], *below]}
    return int(_TYPED.fullmatch(first) is not None), {}


def _below(lines: list[str]) -> list[str]:
    """The lines after the first that are deeper than it, or empty."""
    margin = len(lines[0]) - len(lines[0].lstrip())
    return list(takewhile(lambda line: not line.strip() or line[: margin + 1].isspace(), lines[1:]))


def _entries(lines: list[str], entry: re.Pattern[str], parameters: Collection[str]) -> dict[str, list[str]]:
    """Entries that begin at the margin, each with the lines below it."""
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines:
        head = entry.fullmatch(line.rstrip()) if line[:1].strip() else None
        if head:
            names = [name.strip(" *") for name in head["names"].split(",")]
            line = head["text"]
        for name in names:
            if name in parameters:
                found.setdefault(name, []).append(line)
    return found
