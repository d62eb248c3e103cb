"""Functions as tools: signatures to schemas, docstrings to meanings, a model's text to arguments, results to text."""

import contextlib
import datetime
import enum
import functools
import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional, TypedDict

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit.errors import ConfigError, ToolError
from qwenkit.protocol import arguments, docstrings, results
from qwenkit.protocol.functions import Function, choice, wire_tools
from qwenkit.protocol.toolbox import Toolbox
from qwenkit.types.reply import ToolCall
from qwenkit.types.tools import ToolRun


class Unit(enum.Enum):
    C = "celsius"
    F = "fahrenheit"


@dataclass
class Point:
    x: float
    y: float = 0.0


class Trip(msgspec.Struct):
    stops: list[Point]
    name: str = ""


class Box(TypedDict):
    size: int


def schema(tool: Any) -> Any:
    return Function.of(tool).parameters


def prop(kind: Any, default: Any = ...) -> Any:
    """The schema of one parameter of a type."""

    def tool(value): ...

    def optional(value=default): ...

    made = tool if default is ... else optional
    made.__annotations__["value"] = kind
    return schema(made)["properties"]["value"]


POINT = {
    "title": "Point",
    "type": "object",
    "properties": {"x": {"type": "number"}, "y": {"type": "number", "default": 0.0}},
    "required": ["x"],
}
OLD_SPELLING = Optional[str]  # noqa: UP045 - users write it
SCHEMAS = [
    (str, ..., {"type": "string"}),
    (int, 3, {"type": "integer", "default": 3}),
    (float, ..., {"type": "number"}),
    (bool, False, {"type": "boolean", "default": False}),
    (Any, ..., {}),
    (Literal["a", "b"], "a", {"type": "string", "enum": ["a", "b"], "default": "a"}),
    (Literal[1, 2], ..., {"enum": [1, 2]}),
    (Unit, Unit.C, {"type": "string", "title": "Unit", "enum": ["celsius", "fahrenheit"], "default": "celsius"}),
    (OLD_SPELLING, None, {"type": "string"}),
    (str | None, ..., {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    (int | str | None, None, {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}),
    (Point | None, None, POINT),
    (list[str], [], {"type": "array", "items": {"type": "string"}, "default": []}),
    (list[Point], ..., {"type": "array", "items": POINT}),
    (dict[str, int], ..., {"type": "object", "additionalProperties": {"type": "integer"}}),
    (datetime.date, ..., {"type": "string", "format": "date"}),
    (Box, ..., {"title": "Box", "type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}),
    (
        Annotated[int, msgspec.Meta(description="how many", ge=1)],
        ...,
        {"type": "integer", "minimum": 1, "description": "how many"},
    ),
    (Annotated[str, "the town"], ..., {"type": "string", "description": "the town"}),
    (str, object(), {"type": "string"}),  # a default that JSON cannot hold is left out
]


@pytest.mark.parametrize(("kind", "default", "expected"), SCHEMAS)
def test_an_annotation_becomes_a_schema(kind: Any, default: Any, expected: Any):
    assert prop(kind, default) == expected


def test_a_struct_in_a_struct_is_written_out():
    assert prop(Trip)["properties"]["stops"] == {"type": "array", "items": POINT}


@dataclass
class Node:
    name: str
    kids: list["Node"] = field(default_factory=list)


def test_a_type_that_contains_itself_is_referred_to_from_the_root():
    def walk(root: Node): ...

    told = schema(walk)
    assert told["properties"]["root"]["properties"]["kids"]["items"] == {"$ref": "#/$defs/Node"}
    assert told["$defs"]["Node"]["properties"]["kids"]["items"] == {"$ref": "#/$defs/Node"}
    assert "$defs" not in told["properties"]["root"]


def test_what_has_no_default_is_required_and_what_has_no_annotation_may_be_anything():
    def tool(a, b: int, c=1, *, d: str, e: str = "x"): ...

    assert schema(tool)["required"] == ["a", "b", "d"]
    assert schema(tool)["properties"]["a"] == {}


GOOGLE = """The weather now.

    Never in the past.

    Args:
        city (str): Name of the city,
            in English.
        unit: celsius: or not

    Returns:
        What it is.
    """
NUMPY = """The weather now.

    Never in the past.

    Parameters
    ----------
    city : str
        Name of the city,
        in English.
    unit, other : str, optional
        celsius: or not

    Returns
    -------
    str
        What it is.
    """
SPHINX = """The weather now.

    Never in the past.

    :param str city: Name of the city,
        in English.
    :type city: str
    :param unit: celsius: or not
    :returns: What it is.
    """
CHINESE = "查询天气。\n\n    参数：\n        city：城市名\n        unit：单位\n    "


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX])
def test_every_kind_of_docstring_is_split(docstring: str):
    def weather(city: str, unit: str = "c") -> str: ...

    weather.__doc__ = docstring
    told = Function.of(weather)
    assert told.description.startswith("The weather now.\n\nNever in the past.")
    assert "What it is." in told.description
    assert "city" not in told.description
    assert told.parameters["properties"]["city"]["description"] == "Name of the city, in English."
    assert told.parameters["properties"]["unit"]["description"] == "celsius: or not"


def test_a_chinese_docstring_is_split_too():
    def weather(city: str, unit: str = "c") -> str: ...

    weather.__doc__ = CHINESE
    told = Function.of(weather)
    assert told.description == "查询天气。"
    assert [each["description"] for each in told.parameters["properties"].values()] == ["城市名", "单位"]


def test_words_that_only_look_like_parameters_stay_in_the_description():
    text = "Args:\nnothing is indented\n\nNote: the unit is celsius\n:param wind: no such parameter"
    assert docstrings.split(text, ["city"]) == (text, {})


@given(st.text(alphabet="Args:\n  citypram-=:(), 参数", max_size=120))
def test_no_docstring_breaks_the_reader(text: str):
    said, meanings = docstrings.split(text, ["city"])
    assert set(meanings) <= {"city"}
    assert len(said) <= len(text)


def test_no_docstring_is_no_description():
    def tool(): ...

    assert wire_tools([tool]) == [
        {
            "type": "function",
            "function": {"name": "tool", "parameters": {"type": "object", "properties": {}, "required": []}},
        }
    ]


class Station:
    """A weather station."""

    def weather(self, city: str) -> str:
        """Weather at the station."""
        return f"rain in {city}"

    def __call__(self, city: str) -> str:
        return "sun"


async def later(city: str) -> str:
    """Later."""
    return city


def scaled(city: str, factor: int, /, more: int = 1, *, last: int = 0) -> list[Any]:
    """Scaled."""
    return [city, factor, more, last]


def test_methods_objects_partials_and_async_functions_are_tools():
    told = [Function.of(tool) for tool in (Station().weather, Station(), functools.partial(scaled, "x"), later)]
    assert [(each.name, each.description) for each in told] == [
        ("weather", "Weather at the station."),
        ("Station", "A weather station."),
        ("scaled", "Scaled."),
        ("later", "Later."),
    ]
    assert [each.required for each in told] == [["city"], ["city"], ["factor"], ["city"]]


def test_wire_dicts_of_every_shape_come_in_both_shapes():
    inner = {"name": "look", "parameters": {"type": "object"}}
    nested, flat = {"type": "function", "function": inner}, {"type": "function", **inner}
    for given_ in (nested, flat, inner):
        assert wire_tools([given_]) == [nested]
        assert wire_tools([given_], flat=True) == [flat]
    built_in = {"type": "web_search"}
    assert wire_tools([built_in], flat=True) == wire_tools([built_in]) == [built_in]
    assert wire_tools([Function.of(later)], flat=True)[0]["name"] == "later"
    assert wire_tools(None) == []


def variadic(*names: str): ...
def keywords(a: int, **more: int): ...
def search(query: str): ...
def 天气(city: str): ...  # noqa: N802 - a legal name in Python
def lost(a: "Nowhere"): ...  # type: ignore[name-defined]  # noqa: F821
def odd(a: Station): ...


@pytest.mark.parametrize(
    ("tool", "message", "cure"),
    [
        (variadic, r"variadic takes \*names", "name every parameter"),
        (keywords, r"keywords takes \*\*more", "name every parameter"),
        (search, "'search'", "letters, digits"),
        (天气, "天气", "letters, digits"),
        (lambda a: a, "<lambda>", "define it with def"),
        (lost, "annotations of lost", "top level"),
        (odd, "odd, parameter a: Station has no JSON schema", "annotations JSON can hold"),
        (Station, "Station is a class", "bound method"),
        (7, "type int", "a function, or a dict"),
        ("weather", "type str", "a function, or a dict"),
        ({"name": "a b"}, "'a b'", "letters, digits"),
        ({"type": "function", "function": {"name": "x" * 65}}, "xxx", "letters, digits"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_with_the_cure(tool: Any, message: str, cure: str):
    with pytest.raises(ConfigError, match=message) as raised:
        wire_tools([tool])
    assert cure in raised.value.hint


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two tools are called later"):
        wire_tools([later, {"name": "later"}])


def test_a_choice_may_be_the_function_itself():
    assert choice(later) == {"type": "function", "function": {"name": "later"}}
    assert choice("auto") == "auto"


# -- arguments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("  \n", {}),
        ("null", {}),
        ("{}", {}),
        ('{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('Here you are:\n```\n{"a": 1}\n```', {"a": 1}),
        ('arguments: {"a": 1}.', {"a": 1}),
        ("{'a': 'it''s', }", {"a": "its"}),
        ("{'a': None, 'b': True, 'c': [1, 2,],}", {"a": None, "b": True, "c": [1, 2]}),
        ("{'a': null, 'b': true, 'c': false}", {"a": None, "b": True, "c": False}),
        (r"{'a': '\d'}", {"a": r"\d"}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('"\\"{}\\""', {}),
        ('{"城市": "杭州"}', {"城市": "杭州"}),
        ('{"a": "one\ntwo"}', {"a": "one\ntwo"}),
    ],
)
def test_what_a_model_meant_is_read(text: str, expected: Any):
    assert arguments.read(text, "look") == expected
    assert ToolCall(name="look", arguments=text).parsed == expected
    assert json.loads(arguments.strict(text)) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("Oslo", "the arguments of look are not JSON: 'Oslo'"),
        ("[1]", "the arguments of look are a list"),
        ("7", "the arguments of look are a number"),
        ("true", "the arguments of look are a truth value"),
        ('{"a": ', "not JSON"),
        ("__import__('os')", "not JSON"),
        ("{" * 5000, "not JSON"),
        ("x" * 500, "x…"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, complaint: str):
    with pytest.raises(ToolError, match=complaint.replace("[", r"\[")):
        arguments.read(text, "look")
    with pytest.raises(ToolError):
        _ = ToolCall(name="look", arguments=text).parsed
    assert arguments.strict(text) == "{}"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_json_and_pythons_own_spelling_say_the_same(value: dict[str, Any]):
    text = json.dumps(value, ensure_ascii=False)
    assert arguments.read(text) == value
    assert arguments.strict(text) == text
    assert arguments.read(json.dumps(text)) == value
    assert arguments.read(repr(value)) == value


@pytest.mark.parametrize(("text", "sent"), [('{"a": NaN}', "{}"), ("{'a': '\\ud83d'}", '{"a": "?"}')])
def test_what_no_request_can_carry_does_not_go_back_into_the_history(text: str, sent: str):
    assert arguments.strict(text) == sent


@given(st.text())
def test_no_text_breaks_the_reader(text: str):
    with contextlib.suppress(ToolError):
        assert isinstance(arguments.read(text), dict)
    assert isinstance(json.loads(arguments.strict(text)), dict)


def everything(
    n: int,
    unit: Unit = Unit.C,
    at: Point | None = None,
    trip: Trip | None = None,
    when: datetime.datetime | None = None,
    box: Box | None = None,
    flags: list[bool] | None = None,
    anything=None,
) -> Any:
    return [n, unit, at, trip, when, box, flags, anything]


def run(tool: Any, text: str) -> ToolRun:
    made: ToolRun = Toolbox([tool]).job(Function.of(tool).name, text)()
    return made


def test_arguments_arrive_as_their_types():
    text = """{"n": 3, "unit": "fahrenheit", "at": {"x": 1}, "trip": {"stops": [{"x": 2, "y": 3}]},
    "when": "2026-11-21T12:00:00", "box": {"size": 4}, "flags": [true], "anything": {"a": [1]}}"""
    assert run(everything, text).value == [
        3,
        Unit.F,
        Point(1.0),
        Trip([Point(2.0, 3.0)]),
        datetime.datetime(2026, 11, 21, 12),
        {"size": 4},
        [True],
        {"a": [1]},
    ]


def test_numbers_and_objects_in_quotes_are_taken_for_what_they_say():
    text = '{"n": "3", "at": "{\\"x\\": \\"1.5\\"}", "flags": ["true"], "anything": "3"}'
    assert run(everything, text).value == [3, Unit.C, Point(1.5), None, None, None, [True], "3"]
    assert run(everything, '{"n": 3.0}').value[0] == 3


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{}", "ToolError: everything needs n → it takes n, unit,"),
        ('{"n": 1, "m": 2, "k": 3}', "ToolError: everything has no parameter m, k → it takes"),
        ('{"m": 1}', "ToolError: everything has no parameter m; everything needs n"),
        ('{"n": "many"}', "ToolError: n: Expected `int`, got `str`"),
        ('{"n": 1, "unit": "kelvin"}', "ToolError: unit: Invalid enum value 'kelvin'"),
        ('{"n": 1, "at": {"y": 1}}', "ToolError: at: Object missing required field `x`"),
        ("n = 1", "ToolError: the arguments of everything are not JSON: 'n = 1'"),
    ],
)
def test_what_does_not_fit_is_told_to_the_model(text: str, complaint: str):
    told = run(everything, text)
    assert told.error.startswith(complaint)
    assert told.result == told.error
    assert told.value is None


def test_positional_only_parameters_may_be_left_out():
    assert run(scaled, '{"city": "x", "factor": 2, "last": 5}').value == ["x", 2, 1, 5]


def test_a_function_without_parameters_says_so():
    def now() -> str:
        return "noon"

    assert run(now, "").result == "noon"
    assert run(now, '{"x": 1}').error == "ToolError: now has no parameter x → it takes no arguments"


def test_a_job_times_the_function_and_keeps_what_it_gave():
    told = Toolbox([Station().weather]).job("weather", '{"city": "Oslo"}', "call_1")()
    assert told.seconds > 0
    told.seconds = None
    assert told == ToolRun("call_1", "weather", '{"city": "Oslo"}', "rain in Oslo", "rain in Oslo")


def test_a_toolbox_knows_what_it_can_run():
    both = Toolbox([later, {"name": "look"}])
    assert both.runs(["later"])
    assert both.runs(["later", "nobody"])
    assert not both.runs(["later", "look"])
    assert not Toolbox([{"name": "look"}]).runs(["nobody"])


# -- results -------------------------------------------------------------------------------------------------------


class Silent:
    def __str__(self) -> str:
        raise RuntimeError("no")


class Frame:
    __module__ = "pandas.core.frame"

    def tolist(self) -> list[int]:
        return [1]

    def __str__(self) -> str:
        return "   a\n0  1"


class Meta:
    def tolist(self) -> list[int]:
        raise RuntimeError("no data")

    def __str__(self) -> str:
        return "meta"


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("rain, 雨", "rain, 雨"),
        (None, "null"),
        (True, "true"),
        (3.5, "3.5"),
        ({"城市": "杭州", "n": [1, None]}, '{"城市":"杭州","n":[1,null]}'),
        ((1, "a"), '[1,"a"]'),
        (Point(1), '{"x":1,"y":0.0}'),
        (Trip([Point(1)], "x"), '{"stops":[{"x":1,"y":0.0}],"name":"x"}'),
        (Unit.F, "fahrenheit"),
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (b"\x00\x01", "(2 bytes)"),
        (np.arange(3), "[0,1,2]"),
        (np.float64(0.5), "0.5"),
        ({"mean": np.float32(0.5), "all": np.eye(2)}, '{"mean":0.5,"all":[[1.0,0.0],[0.0,1.0]]}'),
        (Frame(), "   a\n0  1"),
        ([Frame()], '["   a\\n0  1"]'),
        (ValueError("no such town"), "ValueError: no such town"),
        (Silent(), "<Silent>"),
        (Meta(), "meta"),
        (CYCLE, "[[...]]"),
        ("half \ud83d", "half ?"),
        (["half \ud83d"], "['half \\ud83d']"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_result_is_told_as_text(value: Any, text: str):
    assert results.text_of(value) == text


def test_a_foreign_object_shows_no_address():
    assert results.text_of(object()) == "<object object>"


def test_a_long_result_is_cut_and_says_so():
    told = results.text_of("x" * (results.MAX_RESULT + 1234))
    assert told.endswith("x\n… 1,234 more characters were left out")
    assert len(told) < results.MAX_RESULT + 60


def test_an_exception_is_one_line_and_never_a_traceback():
    def deep() -> None:
        raise KeyError("line one\nline two" + "!" * 1000)

    told = run(deep, "")
    assert told.error.startswith("KeyError: 'line one")
    assert "\n" not in told.error
    assert len(told.error) <= results.MAX_ERROR
    assert results.error_of(RuntimeError()) == "RuntimeError"


def test_an_interrupt_is_not_told_but_raised():
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(stop, "")
