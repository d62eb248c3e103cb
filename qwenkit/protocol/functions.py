"""Functions as tools: a typed, documented Python function becomes what a model is told about it, and can be called.

A tool is a function (plain or async), a bound method, a callable object, or a dict as on the wire. The schema of its
parameters comes from the annotations, their meanings from the docstring, and `Toolbox` finds the function of a call,
makes its arguments what the annotations say, and prepares the work. Nothing is called here: a driver does that.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qwenkit.errors import ConfigError
from qwenkit.protocol import docstrings, shapes

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RULE = "a tool's name has letters, digits, _ and -, at most 64 of them, and is not 'search'"
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Function(msgspec.Struct, frozen=True):
    """A Python function as a tool."""

    name: str
    description: str
    parameters: dict[str, Any]
    required: list[str]
    kinds: dict[str, Any]  # the type of each parameter
    call: Any
    signature: Any

    @classmethod
    def of(cls, tool: Any) -> Function:
        if isinstance(tool, cls):
            return tool
        name = check_name(_name(tool))
        signature, hints = _signature(tool, name)
        kinds = {each: hints.get(each, Any) for each in signature.parameters}
        described, meanings = docstrings.split(_docstring(tool), kinds)
        properties = {
            each.name: _property(each, kinds[each.name], meanings.get(each.name, ""), name)
            for each in signature.parameters.values()
        }
        required = [each.name for each in signature.parameters.values() if each.default is each.empty]
        schema = {"type": "object", "properties": properties, "required": required}
        defs = {key: value for each in properties.values() for key, value in each.pop("$defs", {}).items()}
        schema = {**schema, "$defs": defs} if defs else schema  # references count from the root
        return cls(name, described, schema, required, kinds, tool, signature)

    def wire(self) -> dict[str, Any]:
        told = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {key: value for key, value in told.items() if value != ""}

    def bind(self, values: Mapping[str, Any]) -> inspect.BoundArguments:
        """The values where they belong, with defaults for those that were left out."""
        bound = inspect.BoundArguments(self.signature, dict(values))
        bound.apply_defaults()
        return bound


def wire_tools(tools: Any, flat: bool = False) -> list[dict[str, Any]]:
    """Tools as the wire has them: nested as chat wants them, or `flat` as the Responses API does."""
    wire = [_wire(each, flat) for each in several(tools)]
    names = [name for each in wire if (name := wire_name(each))]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ConfigError(f"two tools are called {twice}", hint="give each tool a name of its own")
    return wire


def several(tools: Any) -> list[Any]:
    """The tools in a list, also when only one was given."""
    if tools is None:
        return []
    if isinstance(tools, Mapping | str | bytes) or callable(tools) or not isinstance(tools, Iterable):
        return [tools]
    return list(tools)


def choice(wanted: Any) -> Any:
    """A `tool_choice`; a function chooses itself."""
    if callable(wanted):
        return {"type": "function", "function": {"name": check_name(_name(wanted))}}
    return wanted


def wire_name(tool: Mapping[str, Any]) -> str:
    """The name of the function in a wire dict of either shape; empty when it is no function."""
    inner = tool.get("function") if isinstance(tool.get("function"), Mapping) else tool
    name = inner.get("name") if tool.get("type", "function") == "function" and inner else None
    return name if isinstance(name, str) else ""


def check_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name == "search":
        cure = "define it with def" if name == "<lambda>" else _RULE
        raise ConfigError(f"a tool cannot be called {name!r}", hint=cure)
    return name


def _wire(tool: Any, flat: bool) -> dict[str, Any]:
    if not isinstance(tool, Mapping):
        tool = Function.of(tool).wire()
    elif not wire_name(tool):
        return dict(tool)  # a built-in tool, or something only the service can judge
    check_name(wire_name(tool))
    nested = isinstance(tool.get("function"), Mapping)
    if flat or nested:
        return {"type": "function", **(tool["function"] if flat and nested else tool)}
    return {"type": "function", "function": {key: value for key, value in tool.items() if key != "type"}}


def _name(tool: Any) -> str:
    if not callable(tool):
        hint = "a tool is a function, or a dict as on the wire"
        raise ConfigError(f"a tool cannot be of type {type(tool).__name__}", hint=hint)
    if inspect.isclass(tool):
        raise ConfigError(f"{tool.__name__} is a class, not a function", hint="pass a function or a bound method")
    inner = getattr(tool, "func", tool)  # a functools.partial
    return str(getattr(inner, "__name__", type(inner).__name__))


def _code(tool: Any) -> Any:
    """The function that holds the annotations: behind a partial, or of a callable object."""
    inner = getattr(tool, "func", tool)
    return inner if inspect.isroutine(inner) else type(inner).__call__


def _signature(tool: Any, name: str) -> tuple[inspect.Signature, dict[str, Any]]:
    """The parameters, and the types of those that are annotated."""
    try:
        signature = inspect.signature(tool)
    except (TypeError, ValueError) as hidden:
        raise ConfigError(f"{name} does not tell its parameters", hint="wrap it in a def with annotations") from hidden
    for each in signature.parameters.values():
        if each.kind in _VARIADIC:
            hint = "name every parameter: a model can only fill in what it is told"
            raise ConfigError(f"{name} takes {str(each).split(':')[0]}", hint=hint)
    try:
        return signature, typing.get_type_hints(inspect.unwrap(_code(tool)), include_extras=True)
    except (NameError, TypeError, AttributeError) as unknown:
        hint = "define the types it names at the top level, not inside a function"
        raise ConfigError(f"the annotations of {name} cannot be read: {unknown}", hint=hint) from unknown


def _docstring(tool: Any) -> str:
    inner = getattr(tool, "func", tool)
    if inspect.isroutine(inner):
        return inspect.getdoc(inner) or ""
    return inspect.cleandoc(type(inner).__call__.__doc__ or type(inner).__doc__ or "")


def _property(parameter: inspect.Parameter, kind: Any, meaning: str, name: str) -> dict[str, Any]:
    try:
        schema = shapes.schema_of(kind)
    except ConfigError as unfit:
        raise ConfigError(f"{name}, parameter {parameter.name}: {unfit.message}", hint=unfit.hint) from unfit
    if parameter.default is None:
        schema = _without_null(schema)
    if "type" not in schema and all(isinstance(each, str) for each in schema.get("enum", [0])):
        schema = {"type": "string", **schema}
    notes = [getattr(each, "description", each) for each in getattr(kind, "__metadata__", ())]
    meaning = next((each for each in notes if each and isinstance(each, str)), meaning)
    if meaning:
        schema["description"] = meaning
    return {**schema, **_default(parameter.default)}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """An optional parameter may be left out; that it may be null as well only makes a model's choice harder."""
    others = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(others) != 1:
        return schema
    return {**others[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


def _default(value: Any) -> dict[str, Any]:
    if value is None or value is inspect.Parameter.empty:
        return {}
    try:
        return {"default": msgspec.json.decode(msgspec.json.encode(value))}
    except (TypeError, ValueError, RecursionError):
        return {}
