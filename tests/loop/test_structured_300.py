"""Three hundred schemas nobody chose: the sandbox's answer is valid for each, and the client's value is that answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import qwenkit as qk
from qwenkit.protocol import schemas
from qwenkit.sandbox import Sandbox

NAMES = st.sampled_from(
    ["town", "guests", "price", "date", "email", "active", "kind", "notes", "items", "score", "名字"]
)
FORMATS = st.sampled_from(["date", "date-time", "time", "email", "uri", "uuid", "ipv4"])
PATTERNS = st.sampled_from(["^[A-Z]{3}$", r"^\d{4}-\d{2}$", "^(red|green|blue)$", "[a-z]+", "^x[0-9a-f]{2,4}$"])
WORDS = st.sampled_from(["red", "green", "blue", "是", "否", "hot", "mild", "a b"])


def spans(least: int, most: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(least, most), st.integers(least, most)).map(lambda pair: (min(pair), max(pair)))


def texts() -> st.SearchStrategy[dict[str, Any]]:
    lengths = spans(0, 12).map(lambda span: {"minLength": span[0], "maxLength": span[1]})
    more = st.one_of(st.just({}), lengths, FORMATS.map(lambda name: {"format": name}), PATTERNS.map(_pattern))
    return more.map(lambda rest: {"type": "string", **rest})


def _pattern(text: str) -> dict[str, Any]:
    return {"pattern": text}


def numbers() -> st.SearchStrategy[dict[str, Any]]:
    closed = spans(-50, 50).map(lambda span: {"minimum": span[0], "maximum": span[1]})
    open_ = spans(-50, 50).map(lambda span: {"exclusiveMinimum": span[0], "exclusiveMaximum": span[1] + 2})
    steps = st.sampled_from([{"multipleOf": 5}, {"multipleOf": 3, "minimum": 4}])
    kinds = st.sampled_from(["integer", "number"])
    return st.tuples(kinds, st.one_of(st.just({}), closed, open_, steps)).map(lambda two: {"type": two[0], **two[1]})


def choices() -> st.SearchStrategy[dict[str, Any]]:
    values = st.one_of(WORDS, st.integers(-5, 5), st.booleans(), st.none())
    return st.one_of(
        st.lists(values, min_size=1, max_size=4).map(lambda each: {"enum": each}),
        values.map(lambda value: {"const": value}),
        st.lists(WORDS, min_size=1, max_size=3, unique=True).map(lambda each: {"type": "string", "enum": each}),
    )


SCALARS = st.one_of(texts(), numbers(), choices(), st.just({"type": "boolean"}), st.just({"$ref": "#/$defs/Leaf"}))


def lists(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(inner, spans(0, 4)).map(
        lambda two: {"type": "array", "items": two[0], "minItems": two[1][0], "maxItems": two[1][1]}
    )


def objects(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    @st.composite
    def made(draw: st.DrawFn) -> dict[str, Any]:
        fields = draw(st.dictionaries(NAMES, inner, min_size=1, max_size=4))
        required = draw(st.lists(st.sampled_from(sorted(fields)), unique=True))
        closed = draw(st.sampled_from([{}, {"additionalProperties": False}]))
        return {"type": "object", "properties": fields, "required": required, **closed}

    return made()


def branches(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, min_size=1, max_size=3).map(lambda each: {"anyOf": each})
    nullable = inner.map(lambda one: {"anyOf": [one, {"type": "null"}]})
    return st.one_of(several, nullable, st.just({"type": ["string", "null"]}), st.just({"type": ["integer", "null"]}))


ANY = st.recursive(SCALARS, lambda inner: st.one_of(lists(inner), objects(inner), branches(inner)), max_leaves=8)
LEAVES = st.one_of(texts(), numbers(), objects(texts()))
SCHEMAS = st.tuples(objects(ANY), LEAVES).map(lambda two: {**two[0], "$defs": {"Leaf": two[1]}})
PROMPTS = st.sampled_from(
    [
        "Dinner for 4 guests in Oslo on 2026-05-03, vegan, 12.50 euros",
        "把这些写成 JSON：小明，8岁，喜欢红色",
        "",
        "Anything.",
    ]
)


@pytest.fixture(scope="module")
def qwen() -> Iterator[qk.Client]:
    with (
        Sandbox(key="sk-three-hundred") as box,
        qk.Client(api_key=box.key, base_url=box.url, max_retries=0, timeout=10) as client,
    ):
        yield client


@given(schema=SCHEMAS, prompt=PROMPTS, strict=st.booleans())
@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_valid_and_comes_back_as_it_was(
    schema: dict[str, Any], prompt: str, strict: bool, qwen: qk.Client
):
    reply = qwen.chat(prompt or "Fill it in.", schema=schema, model="qwen3.7-plus" if strict else "qwen-plus")
    said = json.loads(reply.text)
    jsonschema.validate(said, schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    assert schemas.misfit(said, schema) is None
    assert reply.value == said
