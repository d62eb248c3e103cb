"""Filling a gap in a program: brackets that are still open, and Python functions whose name says what they do.

What a name suggests stands in one table; the arguments are put in its places. Python that comes out is compiled before
it is given out. When nothing fits, a comment says so: this is the sandbox, not a coder model.
"""

from __future__ import annotations

import re

_UNKNOWN = "the qwenkit sandbox does not know what belongs here"
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_DEF = re.compile(r"^([ \t]*)(?:async )?def (\w+)\(([^)]*)\)[^:\n]*:[ \t]*$")
# What a function's name suggests, for how many arguments; %0 is the first, %s all of them with commas.
_BODIES: tuple[tuple[str, int, str], ...] = (
    (r"__init__", 1, "%="),
    (r"quick_?sort", 1, "QUICKSORT"),
    (r"fact", 1, "if %0 <= 1:\n    return 1\nreturn %0 * NAME(%0 - 1)"),
    (r"fib", 1, "if %0 < 2:\n    return %0\nreturn NAME(%0 - 1) + NAME(%0 - 2)"),
    (r"gcd", 2, "while %1:\n    %0, %1 = %1, %0 % %1\nreturn %0"),
    (r"even", 1, "return %0 % 2 == 0"),
    (r"odd", 1, "return %0 % 2 == 1"),
    (r"prime", 1, "return %0 > 1 and all(%0 % each for each in range(2, int(%0**0.5) + 1))"),
    (r"palindrome", 1, "return %0 == %0[::-1]"),
    (r"reverse", 1, "return %0[::-1]"),
    (r"celsius.*fahrenheit|c_to_f", 1, "return %0 * 9 / 5 + 32"),
    (r"fahrenheit.*celsius|f_to_c", 1, "return (%0 - 32) * 5 / 9"),
    (r"average|mean", 1, "return sum(%0) / len(%0)"),
    (r"add|plus|sum|total", 2, "return %+"),
    (r"total|sum", 1, "return sum(%0)"),
    (r"sub|minus|diff", 2, "return %0 - %1"),
    (r"mul|times|product|area", 2, "return %*"),
    (r"div|ratio|quotient", 2, "return %0 / %1"),
    (r"pow", 2, "return %0**%1"),
    (r"square", 1, "return %0 * %0"),
    (r"double|twice", 1, "return 2 * %0"),
    (r"max|largest|bigger", 1, "return max(%s)"),
    (r"min|smallest|smaller", 1, "return min(%s)"),
    (r"len|count|size", 1, "return len(%0)"),
    (r"sort", 1, "return sorted(%0)"),
    (r"greet|hello", 1, 'return f"Hello, {%0}!"'),
    (r"upper|shout", 1, "return %0.upper()"),
    (r"lower", 1, "return %0.lower()"),
    (r"words|split", 1, "return %0.split()"),
)
_QUICKSORT = """if len(%0) <= 1:
    return %0
pivot, *rest = %0
smaller = [each for each in rest if each < pivot]
larger = [each for each in rest if each >= pivot]
return NAME(smaller) + [pivot] + NAME(larger)"""


def fill(before: str, after: str) -> str:
    """What belongs between the two, as far as a table and a look at the brackets can tell."""
    middle = _function(before, after)
    middle = _brackets(before, after) if middle is None else middle
    if middle is not None:
        return middle
    other = re.search(r"[;{]\s*$|\bfunction\b|#include|\bvar\b|\blet\b", before, re.MULTILINE)
    said = (before.rstrip() or before).split("\n")[-1]
    indent = said[: len(said) - len(said.lstrip())] + ("    " if said.endswith((":", "{")) else "")
    return _indented(f"{'//' if other else '#'} {_UNKNOWN}", before, after, indent)


def _function(before: str, after: str) -> str | None:
    """The body of the function whose head is the last thing said."""
    lines = before.rstrip().split("\n")
    head = _DEF.match(lines[-1])
    if head is None and lines[-1].strip().endswith('"""') and len(lines) > 1:
        head = _DEF.match(lines[-2])  # a docstring of one line stands between
    if head is None or (after.strip() and after.startswith(head[1] + "    ")):
        return None
    names = [name.split(":")[0].split("=")[0].strip() for name in head[3].split(",")]
    body = _body(head[2], [name for name in names if name and name not in ("self", "*", "/")])
    middle = _indented(body, before, after, head[1] + "    ") if body else None
    return middle if middle and _compiles(before + middle) else None


def _body(name: str, given: list[str]) -> str | None:
    fitting = (body for pattern, least, body in _BODIES if re.search(pattern, name) and len(given) >= least)
    said = next(fitting, "").replace("QUICKSORT", _QUICKSORT).replace("NAME", name)
    for mark, words in (
        ("%=", "\n".join(f"self.{each} = {each}" for each in given)),
        ("%s", ", ".join(given)),
        ("%+", " + ".join(given)),
        ("%*", " * ".join(given)),
    ):
        said = said.replace(mark, words)
    return re.sub(r"%(\d)", lambda place: given[int(place[1])], said) or None


def _brackets(before: str, after: str) -> str | None:
    """What closes the brackets and quotes that are open at the gap and stay open after it."""
    wanted: list[str] = []
    for sign in re.sub(r"\"[^\"\n]*\"|'[^'\n]*'|#[^\n]*", "", before):
        if sign in _PAIRS:
            wanted.append(_PAIRS[sign])
        elif wanted and sign == wanted[-1]:
            wanted.pop()
    closing = "".join(reversed(wanted))
    there = "".join(re.findall(r"[)\]}]", after))
    missing = closing[: len(closing) - len(there)] if closing.endswith(there) else closing
    quoted = before.split("\n")[-1].count('"') % 2
    return ('"' if quoted else "") + missing if missing or quoted else None


def _indented(body: str, before: str, after: str, indent: str) -> str:
    """The lines at the depth of the gap, on lines of their own."""
    lines, last = "\n".join(indent + line for line in body.split("\n")), before.split("\n")[-1]
    lines = f"\n{lines}" if last.strip() else lines.removeprefix(last)
    return lines + ("" if after.startswith("\n") or not after else "\n")


def _compiles(code: str) -> bool:
    try:
        compile(code, "<gap>", "exec")
    except (SyntaxError, ValueError):
        return False
    return True
