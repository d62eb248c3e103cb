"""A docstring, split into what a function is for and what its parameters mean.

Three spellings are read: Google ("Args:" and indented lines), numpy ("Parameters" over a row of dashes), and Sphinx
(":param town: …"). Everything else, a "Returns:" section too, stays part of the description, because a model reads it
like anybody else.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection

_GOOGLE = re.compile(r"(?:Args|Arguments|Parameters|Params|参数)\s*[:：]\s*")
_NUMPY = re.compile(r"(?:Other )?Parameters\s*")
_DASHES = re.compile(r"-{3,}\s*")
_SPHINX = re.compile(r":(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(?P<name>\w+)\s*:\s*(?P<text>.*)")
_TYPED = re.compile(r":type\s+\w+\s*:.*")
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?:\([^)]*\))?\s*[:：]\s*(?P<text>.*)")
_NUMPY_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:\s*,\s*\w+)*)\s*(?::.*)?")


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
    if _GOOGLE.fullmatch(lines[0].strip()):
        return _google(lines, parameters)
    if len(lines) > 1 and _NUMPY.fullmatch(lines[0]) and _DASHES.fullmatch(lines[1]):
        return _numpy(lines, parameters)
    if _TYPED.fullmatch(lines[0].strip()):
        return 1, {}
    field = _SPHINX.fullmatch(lines[0].strip())
    if field and field["name"] in parameters:
        end = _block(lines, 1, _indent(lines[0]) + 1)
        return end, {field["name"]: [field["text"], *lines[1:end]]}
    return 0, {}


def _google(lines: list[str], parameters: Collection[str]) -> tuple[int, dict[str, list[str]]]:
    end = _block(lines, 1, _indent(lines[0]) + 1)
    inside = textwrap.dedent("\n".join(lines[1:end])).splitlines()
    return (end, _entries(inside, _GOOGLE_ENTRY, parameters)) if any(map(str.strip, inside)) else (0, {})


def _numpy(lines: list[str], parameters: Collection[str]) -> tuple[int, dict[str, list[str]]]:
    end = next((at - 1 for at in range(3, len(lines)) if _DASHES.fullmatch(lines[at])), len(lines))
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines[2:end]:
        head = _NUMPY_ENTRY.fullmatch(line.rstrip())
        if head and line[:1].strip():
            names = [name.strip(" *") for name in head["names"].split(",")]
        for name in names if not head or not line[:1].strip() else ():
            if name in parameters:
                found.setdefault(name, []).append(line)
    return end, found


def _entries(lines: list[str], entry: re.Pattern[str], parameters: Collection[str]) -> dict[str, list[str]]:
    """Entries that begin at the margin, each with the deeper lines below it."""
    found: dict[str, list[str]] = {}
    words: list[str] = []
    for line in lines:
        head = entry.fullmatch(line) if line[:1].strip() else None
        if head:
            words = found.setdefault(head["name"], []) if head["name"] in parameters else []
            words.append(head["text"])
        else:
            words.append(line)
    return found


def _block(lines: list[str], start: int, deep: int) -> int:
    """Where the lines that are at least so deep (or empty) end."""
    for at in range(start, len(lines)):
        if lines[at].strip() and _indent(lines[at]) < deep:
            return at
    return len(lines)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
