"""JSON answers: keys named in the prompt, schemas of every shape, values from the prompt where it has them."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwenkit.sandbox.mind import Prompt, Sampling, answer
from qwenkit.sandbox.mind.check import valid
from qwenkit.sandbox.mind.evidence import Evidence
from qwenkit.sandbox.mind.schema import Filler

TODAY = datetime.date(2026, 11, 21)
TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def text(question: str, **options: Any) -> str:
    options.setdefault("sampling", Sampling(temperature=0))
    return answer(Prompt([{"role": "user", "content": question}], today=TODAY, **options)).text


def by_schema(question: str, schema: dict[str, Any]) -> Any:
    wanted = {"type": "json_schema", "json_schema": {"name": "it", "strict": True, "schema": schema}}
    value = json.loads(text(question, response_format=wanted))
    jsonschema.validate(value, schema)
    return value


def record(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


PERSON = record(name=TEXT, age=WHOLE)


@pytest.mark.parametrize(
    ("question", "schema", "expected"),
    [
        ("Ada is 36", PERSON, {"name": "Ada", "age": 36}),
        (
            "小明今年12岁，住在杭州。",
            record(name=TEXT, age=WHOLE, city=TEXT),
            {"name": "小明", "age": 12, "city": "杭州"},
        ),
        (
            "Ada is 36 and Bob is 41.",
            record(people={"type": "array", "items": PERSON}),
            {"people": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 41}]},
        ),
        (
            "I love this film",
            record(sentiment={**TEXT, "enum": ["negative", "positive", "neutral"]}),
            {"sentiment": "positive"},
        ),
        (
            "A box with three things",
            record(sentiment={"enum": ["positive", "negative", "neutral"]}),
            {"sentiment": "neutral"},
        ),
        (
            "Book a table for 4 at 19:30 on 2026-12-01 in Paris, email ada@example.com",
            record(
                guests=WHOLE,
                time={**TEXT, "format": "time"},
                date={**TEXT, "format": "date"},
                city=TEXT,
                email={**TEXT, "format": "email"},
                note={"type": ["string", "null"], "maxLength": 3},
            ),
            {
                "guests": 4,
                "time": "19:30:00",
                "date": "2026-12-01",
                "city": "Paris",
                "email": "ada@example.com",
                "note": None,
            },
        ),
        (
            "Pancakes. Ingredients: flour, eggs and milk. Serves 4. It is not vegan.",
            record(ingredients={"type": "array", "items": TEXT}, serves=WHOLE, vegan={"type": "boolean"}),
            {"ingredients": ["flour", "eggs", "milk"], "serves": 4, "vegan": False},
        ),
        (
            "Paris, Oslo and Rome",
            record(cities={"type": "array", "items": TEXT}),
            {"cities": ["Paris", "Oslo", "Rome"]},
        ),
    ],
)
def test_schemas_are_filled_from_the_prompt(question: str, schema: dict[str, Any], expected: Any) -> None:
    assert by_schema(question, schema) == expected


def told(question: str, schema: dict[str, Any], *, system: str = "", document: str = "", spoken: bool = False) -> Any:
    """The value as a client gets it: the schema on the wire, or in words for models that take JSON mode only."""
    wire: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    if spoken:
        wire = {"type": "json_object"}
        system += "\n\nAnswer with one JSON object and nothing else. It must be valid for this JSON schema:\n"
        system += json.dumps(schema, ensure_ascii=False)
    messages = [("document", document), ("system", system), ("user", question)]
    wanted = [{"role": role, "content": content} for role, content in messages if content]
    value = json.loads(answer(Prompt(wanted, response_format=wire, today=TODAY)).text)
    jsonschema.validate(value, schema)
    return value


def wrapped(**rule: Any) -> dict[str, Any]:
    """A root that is no object, as the client wraps it."""
    return record(value=rule)


def listing(**item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item}


FIGURE, TRUTH, TEXTS = {"type": "number"}, {"type": "boolean"}, listing(type="string")
BOOL, LIST = wrapped(type="boolean"), wrapped(**TEXTS)
AGES, NAMED = ({"type": "object", "additionalProperties": rule} for rule in (WHOLE, TEXT))
MAYBE = {"type": ["string", "null"]}
ORDER = record(name=TEXT, total=FIGURE)
FARES = wrapped(**listing(**record(passenger=TEXT, price=FIGURE)))
FILM = record(title=TEXT, year=WHOLE, director=TEXT)
MOOD = wrapped(enum=["negative", "neutral", "positive"])
FAMILY = {
    "title": "Family",
    "$defs": {"Family": record(name=TEXT, age=WHOLE, kids=listing(**{"$ref": "#/$defs/Family"}))},
    "$ref": "#/$defs/Family",
}
LINK = record(value=WHOLE, next={"anyOf": [{"$ref": "#/$defs/Link"}, {"type": "null"}]})
CHAIN = {**LINK, "$defs": {"Link": LINK}}
ZOE = "Customer: Zoe Lin\nTotal: 88.20 EUR"
LETTER = "我是华为的李雷，电话13800001234，邮箱lilei@huawei.com"


@pytest.mark.parametrize("spoken", [False, True], ids=["json_schema", "in words"])
@pytest.mark.parametrize(
    ("question", "schema", "expected"),
    [
        ("Hello", record(name=TEXT, city=TEXT, email=TEXT, age=WHOLE, when=MAYBE), ["", "", "", 0, None]),
        (
            "Tell me more",
            record(price=FIGURE, pages={**WHOLE, "minimum": 3}, open=TRUTH, items=TEXTS),
            [0, 3, False, []],
        ),
        ("Hello", wrapped(**listing(**PERSON)), [[]]),
        ("Hello", AGES, []),
        ("7 guests in Oslo", record(price=FIGURE, guests=WHOLE), [0, 7]),
        ("Is 7 prime?", BOOL, [True]),
        ("9是质数吗？", BOOL, [False]),
        ("Is 7 > 5?", BOOL, [True]),
        ("Is 5 > 7?", BOOL, [False]),
        ("Is Paris the capital of France?", BOOL, [True]),
        ("Is Rome the capital of France?", BOOL, [False]),
        ("Ada is 36. Is Ada older than 30?", BOOL, [True]),
        ("Is Ada younger than 30? She is 36.", BOOL, [False]),
        ("Is this review positive? I loved it!", BOOL, [True]),
        ("Is this review positive? I hated it.", BOOL, [False]),
        ("positive? I loved it!", record(positive=TRUTH), [True]),
        ("No milk please. I like sugar.", record(milk=TRUTH, sugar=TRUTH), [False, True]),
        ("Ages: Ada is 36, Ben is 41.", AGES, {"Ada": 36, "Ben": 41}),
        ("Tea: 3\nCoffee: 5", AGES, {"Tea": 3, "Coffee": 5}),
        ("小明12岁，小红13岁", AGES, {"小明": 12, "小红": 13}),
        ("France: Paris, Japan: Tokyo", NAMED, {"France": "Paris", "Japan": "Tokyo"}),
        ("Invoice INV-42: Total 12.50 EUR", record(number=TEXT, total=FIGURE, currency=TEXT), ["INV-42", 12.5, "EUR"]),
        ("There are eight planets.", record(planets=WHOLE), [8]),
        ("What is 12*12?", wrapped(**WHOLE), [144]),
        ("What is the population of Oslo in 2020?", wrapped(**WHOLE), [0]),
        (
            "The Matrix (1999) was directed by Lana and Lilly Wachowski",
            FILM,
            ["The Matrix", 1999, "Lana and Lilly Wachowski"],
        ),
        ("Inception is a 2010 film by Christopher Nolan.", FILM, ["Inception", 2010, "Christopher Nolan"]),
        (
            LETTER,
            record(name=TEXT, company=TEXT, phone=TEXT, email=TEXT),
            ["李雷", "华为", "13800001234", "lilei@huawei.com"],
        ),
        ("订单号A1234，总价88.5元，收货人王芳", record(订单号=TEXT, 总价=FIGURE, 收货人=TEXT), ["A1234", 88.5, "王芳"]),
        (
            "Ada Park, 36, lives at 12 Harbour Street, Bergen.",
            record(street=TEXT, city=TEXT),
            ["12 Harbour Street", "Bergen"],
        ),
        ("Paris is the capital of France", record(city=TEXT, country=TEXT), ["Paris", "France"]),
        ("Steps:\n1. Boil water\n2. Add tea", LIST, [["Boil water", "Add tea"]]),
        ("I flew from Oslo to Lima via Madrid", record(cities=TEXTS), [["Oslo", "Lima", "Madrid"]]),
        ("Which cities? I flew from Oslo to Lima", LIST, [["Oslo", "Lima"]]),
        ("List the primes below 12", wrapped(**listing(**WHOLE)), [[2, 3, 5, 7, 11]]),
        ("Ada is 36 and Ben is 41", FAMILY, ["Ada", 36, []]),
        ("Ada is 36", CHAIN, [36, None]),
        ("The food was not good", MOOD, ["negative"]),
        ("It is not bad at all", MOOD, ["positive"]),
        ("Is it positive or negative? It wasn't great", MOOD, ["negative"]),
        ("我不喜欢这家店", MOOD, ["negative"]),
        ("这家店不错", MOOD, ["positive"]),
        ("Rate it: 4 stars", wrapped(enum=[1, 2, 3, 4, 5]), [4]),
    ],
)
def test_a_schema_is_filled_with_what_was_said_and_nothing_else(
    question: str, schema: dict[str, Any], expected: Any, spoken: bool
) -> None:
    value = told(question, schema, spoken=spoken)
    assert (value if isinstance(expected, dict) else list(value.values())) == expected


@pytest.mark.parametrize("spoken", [False, True], ids=["json_schema", "in words"])
@pytest.mark.parametrize("place", ["system", "document"])
@pytest.mark.parametrize(
    ("question", "schema", "text", "expected"),
    [
        ("Extract name and total", ORDER, ZOE, {"name": "Zoe Lin", "total": 88.2}),
        ("Who is the customer?", wrapped(**TEXT), ZOE, {"value": "Zoe Lin"}),
        ("What is the total?", wrapped(**FIGURE), ZOE, {"value": 88.2}),
        ("Extract the 2 fares", FARES, "A dog pays 5.50 euros.", {"value": [{"passenger": "dog", "price": 5.5}]}),
        ("What does it cost?", AGES, "Tea: 3\nCoffee: 4", {"Tea": 3, "Coffee": 4}),
        ("Name: Ben Ott. Take the total from the text", ORDER, ZOE, {"name": "Ben Ott", "total": 88.2}),
    ],
)
def test_documents_and_the_system_message_are_evidence(
    question: str, schema: dict[str, Any], text: str, expected: Any, place: str, spoken: bool
) -> None:
    assert told(question, schema, spoken=spoken, **{place: text}) == expected


def test_a_made_up_example_may_be_made_up() -> None:
    assert told("Make up a sample person", record(name=TEXT))["name"]
    assert told("Extract the person", record(name=TEXT)) == {"name": ""}


NODE = {
    "type": "object",
    "properties": {"value": WHOLE, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
    "required": ["value", "next"],
}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/node", "$defs": {"node": NODE}},
        {
            "$defs": {"tree": record(name=TEXT, children={"type": "array", "items": {"$ref": "#/$defs/tree"}})},
            "$ref": "#/$defs/tree",
        },
        {"type": "array", "minItems": 12, "uniqueItems": True, "items": {"type": "string", "maxLength": 2}},
        {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"type": "boolean"}},
        {"type": "array", "prefixItems": [WHOLE, TEXT], "items": False, "minItems": 2},
        {"oneOf": [{"type": "integer", "multipleOf": 3}, {"type": "integer", "multipleOf": 5}], "minimum": 1},
        {
            "allOf": [
                {"type": "object", "properties": {"a": WHOLE}, "required": ["a"]},
                {"type": "object", "properties": {"a": {"minimum": 7}, "b": TEXT}, "required": ["b"]},
            ]
        },
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
        {"type": "integer", "minimum": -9, "maximum": -3, "multipleOf": 4},
        {"type": "string", "pattern": "^[A-Z]{3}-\\d{4}(-[a-f]+)?$", "minLength": 10},
        {"type": "string", "pattern": "^(cat|dog)s?$"},
        {"type": "string", "minLength": 300},
        {"type": "object", "minProperties": 3, "additionalProperties": WHOLE},
        {"type": ["integer", "null"]},
        {"const": {"a": [1, None]}},
        {"enum": [3, "x", None]},
        {
            "type": "object",
            "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer", "minimum": 1}},
            "required": ["kind", "lives", "other"],
        },
        {
            "anyOf": [
                record(kind={"const": "cat"}),
                record(kind={"const": "dog"}, tricks={"type": "array", "items": TEXT, "minItems": 1}),
            ]
        },
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": True},
        {},
    ],
)
def test_whatever_the_schema_the_value_validates(schema: dict[str, Any]) -> None:
    by_schema("Make one up, please.", schema)


@pytest.mark.parametrize("kind", ["date", "date-time", "time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname"])
def test_formats_look_right_and_differ_in_a_set(kind: str) -> None:
    values = by_schema(
        "Make some up.",
        {"type": "array", "minItems": 5, "uniqueItems": True, "items": {"type": "string", "format": kind}},
    )
    shapes = {
        "date": r"\d{4}-\d\d-\d\d",
        "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "email": r"\S+@\S+\.\w+",
        "ipv4": r"(\d+\.){3}\d+",
    }
    assert all(re.fullmatch(shapes.get(kind, r"\S+"), value) for value in values)
    if kind == "date":
        assert [datetime.date.fromisoformat(value) for value in values]


names = st.sampled_from(["name", "age", "city", "items", "email", "is_open", "x", "价格"])


def scalars() -> st.SearchStrategy[dict[str, Any]]:
    low = st.integers(-20, 20)
    return st.one_of(
        st.builds(
            lambda n, more: {"type": "string", "minLength": n, "maxLength": n + more},
            st.integers(0, 30),
            st.integers(0, 9),
        ),
        st.builds(lambda n, more: {"type": "integer", "minimum": n, "maximum": n + more}, low, st.integers(0, 9)),
        st.builds(
            lambda n, more: {"type": "number", "exclusiveMinimum": n, "exclusiveMaximum": n + more},
            low,
            st.integers(1, 9),
        ),
        st.builds(lambda n, step: {"type": "integer", "minimum": n, "multipleOf": step}, low, st.integers(1, 9)),
        st.builds(
            lambda n, step: {"type": "number", "maximum": n, "multipleOf": step},
            low,
            st.sampled_from([1, 2, 0.5, 0.25]),
        ),
        st.sampled_from(
            [
                {"type": "boolean"},
                {"type": "null"},
                {"type": "string"},
                {"type": "integer"},
                {"type": "number"},
                {"type": ["string", "null"]},
            ]
        ),
        st.sampled_from(["date", "date-time", "time", "email", "uri", "uuid", "ipv4"]).map(
            lambda kind: {"type": "string", "format": kind}
        ),
        st.sampled_from(["^[a-z]{2,5}$", r"^\d{3}-\d{4}$", "^(yes|no)$", "[A-Z][a-z]+", r"^\w+@\w+\.com$"]).map(
            lambda p: {"type": "string", "pattern": p}
        ),
        st.lists(st.one_of(st.integers(), st.text(max_size=5), st.booleans(), st.none()), min_size=1, max_size=4).map(
            lambda values: {"enum": values}
        ),
        st.one_of(st.integers(), st.text(max_size=5)).map(lambda value: {"const": value}),
    )


def nested(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.builds(
        lambda properties, optional, closed: {
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name not in optional],
            **({"additionalProperties": False} if closed else {}),
        },
        st.dictionaries(names, inner, max_size=4),
        st.sets(names, max_size=2),
        st.booleans(),
    )
    arrays = st.builds(
        lambda items, low, more: {"type": "array", "items": items, "minItems": low, "maxItems": low + more},
        inner,
        st.integers(0, 3),
        st.integers(0, 3),
    )
    tuples = st.lists(inner, min_size=1, max_size=3).map(
        lambda items: {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    )
    unique = st.sampled_from([TEXT, WHOLE, {"type": "number"}]).map(
        lambda items: {"type": "array", "items": items, "uniqueItems": True, "minItems": 3}
    )
    anyof = st.lists(inner, min_size=1, max_size=3).map(lambda branches: {"anyOf": branches})
    allof = objects.map(lambda one: {"allOf": [one, {"type": "object", "minProperties": 0}]})
    referred = inner.map(lambda one: {"allOf": [one]})
    return st.one_of(objects, arrays, tuples, unique, anyof, allof, referred)


schemas = st.recursive(scalars(), nested, max_leaves=8)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    schema=schemas,
    question=st.sampled_from(
        ["Ada is 36 and lives in Paris, ada@example.com.", "小明今年12岁", "make one up", "3, 4 and 5"]
    ),
)
def test_generated_schemas_are_always_satisfied(schema: dict[str, Any], question: str) -> None:
    value = Filler(schema, Evidence(question, TODAY)).fill()
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(value)))
    assert valid(value, schema, schema)


@settings(max_examples=60, deadline=None)
@given(
    branches=st.lists(scalars(), min_size=2, max_size=3, unique_by=str),
    question=st.sampled_from(["make one up", "Ada is 36"]),
)
def test_exactly_one_branch_where_that_is_possible(branches: list[dict[str, Any]], question: str) -> None:
    schema = {
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": at}, "value": each}, "required": ["kind", "value"]}
            for at, each in enumerate(branches)
        ]
    }
    jsonschema.Draft202012Validator(schema).validate(Filler(schema, Evidence(question, TODAY)).fill())


KEYWORDS = ["type", "properties", "items", "required", "enum", "const", "anyOf", "allOf", "oneOf", "not", "minimum"]
KEYWORDS += ["multipleOf", "pattern", "minItems", "maxLength", "$ref", "format", "$defs", "description"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYWORDS) | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(schema=anything)
def test_nonsense_schemas_do_no_harm(schema: Any) -> None:
    json.dumps(Filler(schema, Evidence("Ada is 36", TODAY)).fill())
    wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
    assert answer(Prompt([{"role": "user", "content": "x"}], response_format=wanted)).text
    tools = [{"type": "function", "function": {"name": "weather", "description": schema, "parameters": schema}}]
    answer(Prompt([{"role": "user", "content": "weather in Paris?"}], tools=tools, tool_choice="required"))


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Extract name and age as JSON: Ada is 36.", {"name": "Ada", "age": 36}),
        ("Give me a JSON object with keys name and age for: Ada is 36.", {"name": "Ada", "age": 36}),
        ("请提取姓名和年龄，用JSON格式输出：小明今年12岁", {"姓名": "小明", "年龄": 12}),
        ("输出JSON，字段包括 city、date：明天去北京", {"city": "北京", "date": "2026-11-22"}),
        (
            'Fill in: {"name": "...", "age": 0, "hobbies": []} as JSON. Ada is 36. Hobbies: chess, piano and judo.',
            {"name": "Ada", "age": 36, "hobbies": ["chess", "piano", "judo"]},
        ),
        (
            "Analyse as json with keys sentiment and language: I hate waiting.",
            {"sentiment": "negative", "language": "English"},
        ),
        ("json with keys question, answer: What is 17*23?", {"question": "What is 17*23?", "answer": "391"}),
        ("JSON: what is the capital of France?", {"answer": "Paris"}),
        ("用JSON回答：法国的首都是哪里？", {"answer": "巴黎"}),
        ("Explain quantum entanglement in json", {"topic": "quantum entanglement", "answer": None}),
    ],
)
def test_json_objects_have_the_keys_that_were_asked_for(question: str, expected: Any) -> None:
    assert json.loads(text(question, response_format={"type": "json_object"})) == expected
    assert json.loads(text(question).removeprefix("```json\n").removesuffix("\n```")) == expected


def test_a_made_up_object_obeys_the_temperature() -> None:
    wish, wanted = "Return JSON describing a cat", {"type": "json_object"}
    texts = {
        text(wish, response_format=wanted, sampling=Sampling(temperature=1.2, top_p=1, seed=seed)) for seed in range(20)
    }
    assert len(texts) > 5
    assert {json.loads(each)["kind"] for each in texts} == {"cat"}


def test_asking_about_json_is_not_asking_for_json() -> None:
    assert text("What is JSON?").startswith("JSON is a text format")
