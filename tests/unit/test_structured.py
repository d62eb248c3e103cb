"""Schemas and values without a service: the validator agrees with the standard's own, and says where."""

from __future__ import annotations

import json
from dataclasses import dataclass, make_dataclass
from typing import Any, Literal

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwenkit.errors import ConfigError, SchemaMismatch
from qwenkit.protocol import schemas, structured
from qwenkit.types.reply import Choice, Reply, ToolCall


@dataclass
class Guest:
    name: str
    age: int


class Node(msgspec.Struct):
    name: str
    inside: list[Node] = []


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.sampled_from([0.5, 1.0, 2.5]),
        st.sampled_from(["", "a", "ab1", "是"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6,
)
KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null", ["string", "null"]]),
    "enum": st.lists(VALUES, min_size=1, max_size=3),
    "const": VALUES,
    "minimum": st.integers(-2, 2),
    "maximum": st.integers(-2, 2),
    "exclusiveMinimum": st.integers(-2, 2),
    "exclusiveMaximum": st.integers(-2, 2),
    "multipleOf": st.sampled_from([1, 2, 0.5]),
    "minLength": st.integers(0, 3),
    "maxLength": st.integers(0, 3),
    "pattern": st.sampled_from(["^a", "1$", "[a-z]+"]),
    "minItems": st.integers(0, 3),
    "maxItems": st.integers(0, 3),
    "uniqueItems": st.booleans(),
    "required": st.lists(st.sampled_from("abc"), unique=True),
    "minProperties": st.integers(0, 2),
    "maxProperties": st.integers(0, 2),
}


def _nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    more = {
        "items": inner,
        "prefixItems": several,
        "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
        "additionalProperties": inner,
        "anyOf": several,
        "oneOf": several,
        "allOf": several,
        "not": inner,
    }
    return st.fixed_dictionaries({}, optional={**KEYWORDS, **more})


SCHEMAS = st.recursive(st.one_of(st.booleans(), st.fixed_dictionaries({}, optional=KEYWORDS)), _nested, max_leaves=5)


@given(schema=SCHEMAS, value=VALUES)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_validator_agrees_with_the_reference(schema: Any, value: Any):
    theirs = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert (schemas.misfit(value, schema) is None) is theirs


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"type": "integer"}, "4", 'at $: expected integer, got "4"'),
        (
            {"properties": {"a": {"items": {"enum": ["x", "y"]}}}},
            {"a": ["x", "z"]},
            'at $.a[1]: expected one of ["x", "y"], got "z"',
        ),
        ({"required": ["town"]}, {}, "at $: the field 'town' is missing"),
        ({"properties": {}, "additionalProperties": False}, {"b": 1}, "at $: the field 'b' is not in the schema"),
        ({"properties": {"odd key": {"minimum": 3}}}, {"odd key": 2}, 'at $["odd key"]: expected at least 3, got 2'),
        (
            {"anyOf": [{"type": "null"}, {"properties": {"a": {"type": "string"}}, "type": "object"}]},
            {"a": 1},
            "at $.a: expected string, got 1",
        ),
        (
            {"$ref": "#/$defs/N", "$defs": {"N": {"maxLength": 2}}},
            "abc",
            'at $: expected at most 2 characters, got "abc"',
        ),
        ({"type": "array", "items": {"type": "boolean"}}, [True, 1], "at $[1]: expected boolean, got 1"),
    ],
)
def test_the_place_and_the_wish_are_told_in_one_line(schema: Any, value: Any, said: str):
    assert str(schemas.misfit(value, schema)) == said


def test_a_schema_that_goes_round_in_circles_ends():
    assert schemas.misfit(1, {"$ref": "#"}) is None


@pytest.mark.parametrize("schema", [{"required": 5}, {"properties": []}, {"anyOf": 5}])
def test_a_schema_that_makes_no_sense_is_named(schema: Any):
    with pytest.raises(ConfigError, match="no JSON schema"):
        schemas.misfit({"a": 1}, schema)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Ada", "age": 36}',
        ' \n{"name": "Ada", "age": 36}\n',
        '```json\n{"name": "Ada", "age": 36}\n```',
        'Here you are:\n```\n{"name": "Ada", "age": 36}\n```\nBye.',
        'Sure: {"name": "Ada", "age": 36}. Done.',
        '\ufeff{"name": "Ada", "age": 36}',
    ],
)
def test_json_is_found_however_it_is_wrapped(text: str):
    assert structured.value(text, Guest) == Guest("Ada", 36)
    assert structured.value(text) == {"name": "Ada", "age": 36}


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ('{"name": "Ada"}', "$", "object missing required field age"),
        ('{"name": "Ada", "age": "x"}', "$.age", "expected int, got str"),
        ('{"name": "Ada", "age": NaN}', "$", "is not JSON"),
        ("I cannot say.", "$", "is not JSON"),
        ("", "$", "is not JSON"),
        ("{" * 5000, "$", "is not JSON"),
        ("[" * 100_000, "$", "is not JSON"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(text: str, path: str, said: str):
    with pytest.raises(SchemaMismatch, match=said) as raised:
        structured.value(text, Guest)
    assert (raised.value.path, raised.value.text) == (path, text)
    assert raised.value.hint


def test_a_bare_list_is_taken_where_a_wrapped_one_was_asked_for():
    assert structured.value("[1, 2]", list[int]) == structured.value('{"value": [1, 2]}', list[int]) == [1, 2]


def test_a_type_that_contains_itself_keeps_an_object_at_its_root():
    wire = structured.wire_schema(Node)
    jsonschema.validate({"name": "a", "inside": [{"name": "b"}]}, wire)
    assert structured.value('{"name": "a", "inside": [{"name": "b"}]}', Node).inside == [Node("b")]


@pytest.mark.parametrize("name", ["Guest", "a b/c", "", "är", "x" * 200, 7])
def test_the_name_on_the_wire_is_always_a_legal_one(name: Any):
    sent = structured.response_format({"type": "object", "title": name}, "qwen3.7-plus")["json_schema"]["name"]
    assert sent.isascii()
    assert 1 <= len(sent) <= 64
    assert sent.replace("_", "").replace("-", "").isalnum()


def test_the_wish_joins_a_system_message_of_either_shape_without_touching_it():
    mine = [{"role": "system", "content": [{"type": "text", "text": "Be exact."}]}, {"role": "user", "content": "Hi"}]
    body = {"model": "qwen-plus", "messages": list(mine)}
    structured.ask(body, {"type": "object"})
    assert [part["text"][:9] for part in body["messages"][0]["content"]] == ["Be exact.", "Answer wi"]
    assert mine[0]["content"] == [{"type": "text", "text": "Be exact."}]


def test_what_is_no_schema_is_refused_kindly():
    with pytest.raises(ConfigError, match="no JSON schema"):
        structured.wire_schema(Reply)


def test_a_tool_call_has_no_value_yet_and_says_so():
    reply = Reply(choices=[Choice(tool_calls=[ToolCall("1", "f", "{}")])], schema=Guest)
    with pytest.raises(SchemaMismatch, match="asks for a tool first") as raised:
        _ = reply.value
    assert raised.value.reply is reply


def card(reply: Reply) -> str:
    return reply._repr_mimebundle_()["text/html"]


def test_a_card_shows_a_value_as_a_table_and_hides_nothing_it_says():
    rows = json.dumps([{"name": f"<b>{at}</b>", "age": at} for at in range(30)])
    shown = card(Reply(choices=[Choice(text=rows)], schema=list[Guest]))
    assert '<th scope="col"' in shown
    assert "&lt;b&gt;0&lt;/b&gt;" in shown
    assert "<b>0</b>" not in shown
    assert "… 10 more rows in reply.value" in shown


def test_a_card_of_an_answer_that_does_not_fit_shows_it_and_why():
    shown = card(Reply(choices=[Choice(text='{"name": "Ada"}')], schema=Guest))
    assert "missing required field age" in shown
    assert "Ada" in shown


@pytest.mark.parametrize("text", ["{}", "[]", "1", '"x"', "null", '{"a": {"b": {"c": [1, [2]]}}}', "[[1], [2]]"])
def test_every_kind_of_value_has_a_card(text: str):
    assert "qk-reply" in card(Reply(choices=[Choice(text=text)], schema={}))


@pytest.mark.parametrize("shape", [Literal["a"], int, list[Guest], dict[str, int], Guest | None])
def test_any_type_has_an_object_on_the_wire(shape: Any):
    assert structured.wire_schema(shape)["type"] == "object"


def test_an_error_shows_what_the_model_wrote():
    with pytest.raises(SchemaMismatch) as raised:
        structured.value('{"name": "<i>Ada</i>"}', Guest)
    shown = raised.value._repr_mimebundle_()
    assert "The answer" in shown["text/html"]
    assert "&lt;i&gt;Ada" in shown["text/html"]
    assert shown["text/plain"].startswith("SchemaMismatch: the answer does not fit Guest: at $ object missing")


@pytest.mark.parametrize(
    "sketch",
    [
        {"name": str, "age": int},
        {"name": "string"},
        {},
        {"type": "objct"},
        {"type": ["string", "nul"]},
        {"type": "object", "properties": {"name": str}},
    ],
)
@pytest.mark.parametrize("model", ["qwen-plus", "qwen3.7-plus"])
def test_a_sketch_of_a_schema_is_refused_with_the_way_to_write_one(sketch, model):
    with pytest.raises(ConfigError, match=r"no JSON schema.*or pass a dataclass"):
        structured.ask({"model": model, "messages": []}, sketch)


def test_fields_may_have_chinese_names():
    names = ["".join(["订单", "号"]), "".join(["合", "计"])]  # made here: a literal could have been encoded before
    order = msgspec.defstruct("Order", [(names[0], str), (names[1], int)])
    dataclass_like = make_dataclass("Order", [("".join(["客", "户"]), str)])
    assert structured.value('{"订单号": "x", "合计": 3}', order).合计 == 3
    assert structured.value('{"客户": "Ada"}', dataclass_like).客户 == "Ada"
