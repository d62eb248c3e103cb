"""The arguments of a tool call: from the text a model wrote to the values a function takes.

Models mean JSON and nearly always write it. When they do not (a code fence around it, single quotes, a comma too many,
Python's None and True, JSON inside a JSON string), what they meant is still plain, and is read. What cannot be read
raises a `ToolError` that says what is wrong, in words a model can act on.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from qwenkit.errors import ToolError

_FENCE = re.compile(r"\s*```[\w-]*\n(.*?)\n?\s*```\s*", re.S)
_CONSTANTS = {"true": True, "false": False, "null": None}
_SHOWN = 80
_UNREADABLE = (ValueError, SyntaxError, TypeError, RecursionError, MemoryError)


def read(text: str, name: str = "the function") -> dict[str, Any]:
    """The arguments as a dict; no text at all means none."""
    value = _value(text)
    if value is None:
        return {}
    if isinstance(value, dict):
        return {str(key): each for key, each in value.items()}
    if isinstance(value, str):
        short = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
        raise ToolError(f"the arguments of {name} are not JSON: {short!r}", hint="write one JSON object")
    kind = {list: "a list", bool: "a truth value"}.get(type(value), "a number")
    raise ToolError(f"the arguments of {name} are {kind}, not an object", hint="write one JSON object")


def strict(text: str) -> str:
    """The arguments as JSON that a service accepts in the history: the text as it is if it is JSON, else as read."""
    try:
        msgspec.json.decode(text, type=dict)
        return text
    except (msgspec.DecodeError, *_UNREADABLE):
        pass
    try:
        said = json.dumps(read(text), ensure_ascii=False, allow_nan=False)
        return said.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be sent
    except (ToolError, *_UNREADABLE):
        return "{}"


def fit(value: Any, kind: Any) -> Any:
    """A value as the type; a number or a JSON object written as a text is taken for what it says."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        inner = _value(value) if isinstance(value, str) else value
        return msgspec.convert(inner if isinstance(inner, dict | list) else value, kind, strict=False)


def values(given: Mapping[str, Any], kinds: Mapping[str, Any], required: list[str], name: str) -> dict[str, Any]:
    """Every argument as its parameter's type, or one `ToolError` that names all that is wrong."""
    strange = [key for key in given if key not in kinds]
    missing = [key for key in required if key not in given]
    wrong = [f"{name} has no parameter {', '.join(strange)}"] if strange else []
    wrong += [f"{name} needs {', '.join(missing)}"] if missing else []
    fitted: dict[str, Any] = {}
    for key in given:
        if key in kinds:
            try:
                fitted[key] = fit(given[key], kinds[key])
            except (msgspec.ValidationError, RecursionError) as misfit:
                wrong.append(f"{key}: {misfit}")
    if wrong:
        takes = f"it takes {', '.join(kinds)}" if kinds else "it takes no arguments"
        raise ToolError("; ".join(wrong), hint=takes if strange or missing else "")
    return fitted


def _value(text: str) -> Any:
    """What the text says; the text itself when it says nothing that can be read."""
    value: Any = text
    for _ in range(3):  # a JSON string inside a JSON string inside the text
        if not isinstance(value, str):
            break
        if not value.strip():
            return None
        for candidate in candidates(value):
            try:
                value = _loads(candidate)
                break
            except _UNREADABLE:
                continue
        else:
            break
    return value


def candidates(text: str) -> Iterator[str]:
    """The text itself, what stands in a code fence, and what stands from the first brace to the last."""
    yield text
    fenced = _FENCE.search(text)
    if fenced:
        yield fenced[1]
    begin, end = text.find("{"), text.rfind("}")
    if 0 <= begin < end:
        yield text[begin : end + 1]


def _loads(text: str) -> Any:
    try:
        return json.loads(text, strict=False)  # a line end inside a text is meant as one
    except ValueError:
        with warnings.catch_warnings():  # "\d" in a text is no concern of the user's
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval")
        return ast.literal_eval(_Constants().visit(tree))


class _Constants(ast.NodeTransformer):
    """JSON's words among Python's: true, false, null."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(_CONSTANTS[node.id]) if node.id in _CONSTANTS else node
