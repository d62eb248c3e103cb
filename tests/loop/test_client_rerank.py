"""Rerank against the sandbox: both paths, the order, what is refused, what is booked."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from flavours import done
from PIL import Image

import qwenkit as qk
from qwenkit.sandbox import Sandbox
from qwenkit.types.ranking import Ranking

QUERY = "How deep is the harbour?"
DOCUMENTS = [
    "A recipe for bread with yeast",
    "The harbour is nine metres deep at low water.",
    "港口水深九米",
    "The pier was built in 1901.",
]


def latest(box: Sandbox) -> Any:
    return box.requests[-1]


def uri(colour: str) -> str:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


async def test_the_best_answer_comes_first(qwen: Any, box: Sandbox):
    found = await done(qwen.rerank(QUERY, DOCUMENTS))
    assert isinstance(found, Ranking)
    assert latest(box).path == "/compatible-api/v1/reranks"
    assert latest(box).json == {"model": "qwen3-rerank", "query": QUERY, "documents": DOCUMENTS}
    assert sorted(found.indices) == [0, 1, 2, 3]
    assert (found.indices[0], found.indices[-1]) == (1, 0)
    assert found.scores == sorted(found.scores, reverse=True)
    assert all(0 < score < 1 for score in found.scores)
    assert found.texts == [DOCUMENTS[index] for index in found.indices]
    assert (found[0].index, found[0].text, len(found), found.of) == (1, DOCUMENTS[1], 4, 4)
    assert found.query == QUERY
    assert found.raw["results"][0] == {"index": 1, "relevance_score": found[0].score}
    assert found.usage.total == found.raw["usage"]["total_tokens"] > 40


async def test_a_question_finds_its_answer_in_the_other_language(qwen: Any):
    found = await done(qwen.rerank(QUERY, [DOCUMENTS[0], DOCUMENTS[3], DOCUMENTS[2]]))
    assert found.texts[0] == "港口水深九米"


async def test_top_n_keeps_the_best_and_more_than_all_means_all(qwen: Any):
    everything = await done(qwen.rerank(QUERY, DOCUMENTS))
    two = await done(qwen.rerank(QUERY, DOCUMENTS, top_n=2))
    assert (two.rows, two.of) == (everything.rows[:2], 4)
    assert (await done(qwen.rerank(QUERY, DOCUMENTS, top_n=99))).rows == everything.rows


async def test_both_paths_give_the_same_order(qwen: Any, box: Sandbox):
    flat = await done(qwen.rerank(QUERY, DOCUMENTS, top_n=3))
    native = await done(qwen.rerank(QUERY, DOCUMENTS, top_n=3, native=True))
    assert latest(box).path == "/api/v1/services/rerank/text-rerank/text-rerank"
    assert latest(box).json == {
        "model": "qwen3-rerank",
        "input": {"query": QUERY, "documents": DOCUMENTS},
        "parameters": {"top_n": 3},
    }
    assert native.rows == flat.rows
    assert native.usage == flat.usage


async def test_documents_sent_back_take_the_native_path(qwen: Any, box: Sandbox):
    found = await done(qwen.rerank(QUERY, DOCUMENTS, top_n=1, return_documents=True))
    assert latest(box).path.startswith("/api/v1/")
    assert found.raw["output"]["results"][0]["document"] == {"text": DOCUMENTS[1]}
    assert found[0].document == DOCUMENTS[1]


async def test_a_model_of_the_native_path_is_called_there(qwen: Any, box: Sandbox):
    await done(qwen.rerank(QUERY, DOCUMENTS, model="gte-rerank-v2"))
    assert latest(box).path.startswith("/api/v1/")


async def test_similar_text_is_another_question(qwen: Any, box: Sandbox):
    documents = ["depth harbour depth harbour", "the port is deep"]
    answer = await done(qwen.rerank("a deep port", documents))
    alike = await done(qwen.rerank("a deep port", documents, instruct="Retrieve semantically similar text."))
    assert latest(box).json["instruct"] == "Retrieve semantically similar text."
    assert answer.indices == alike.indices == [1, 0]
    assert (
        dict(zip(alike.indices, alike.scores, strict=True))[0]
        > dict(zip(answer.indices, answer.scores, strict=True))[0]
    )


async def test_pictures_are_ranked_beside_texts(qwen: Any, box: Sandbox):
    documents: list[Any] = [{"image": uri("blue")}, {"image": uri("red")}, "a red flag"]
    found = await done(qwen.rerank("红色", documents, model="qwen3-vl-rerank"))
    assert found.indices[-1] == 0
    assert [row.text for row in found if row.index == 1] == ["[image]"]
    assert latest(box).json["input"]["documents"] == documents


async def test_a_rerank_is_booked(qwen: Any, box: Sandbox):
    found = await done(qwen.rerank(QUERY, DOCUMENTS))
    box.fault("400", times=1)
    with pytest.raises(qk.InvalidRequest):
        await done(qwen.rerank(QUERY, DOCUMENTS))
    assert [(entry.family, entry.ok) for entry in qwen.usage] == [("rerank", True), ("rerank", False)]
    assert (qwen.usage[0].prompt, qwen.usage[0].cost) == (found.usage.total, found.cost)
    assert found.cost.amount == pytest.approx(found.usage.total * 0.5e-6)


async def test_the_query_is_billed_with_each_document(qwen: Any):
    one = await done(qwen.rerank("tide", ["harbour"]))
    three = await done(qwen.rerank("tide", ["harbour"] * 3))
    assert three.usage.total == 3 * one.usage.total


async def test_a_budget_refuses_before_anything_is_sent(box: Sandbox, flavour: str):
    client = qk.Client(api_key=box.key, base_url=box.url, budget=0.00001)
    before = len(box.requests)
    with pytest.raises(qk.BudgetExceeded):
        await done((client if flavour == "sync" else client.aio).rerank(QUERY, ["word " * 500] * 5))
    assert len(box.requests) == before
    await client.aio.close()


@pytest.mark.parametrize(
    ("query", "documents", "options", "said"),
    [
        (QUERY, [], {}, "no documents"),
        (QUERY, "one", {}, "documents cannot be str"),
        (QUERY, ["a", ""], {}, "document 1 cannot be empty"),
        (QUERY, ["a", None], {}, "document 1 cannot be NoneType"),
        ("", ["a"], {}, "the query cannot be ''"),
        (None, ["a"], {}, "the query cannot be None"),
        (QUERY, ["a"] * 501, {}, "501 documents were given; qwen3-rerank ranks 500"),
        (QUERY, ["a"], {"native": False, "return_documents": True}, "native path only"),
        (QUERY, [{"image": "dog.png"}], {"model": "qwen3-vl-rerank"}, "image cannot be sent"),
    ],
)
async def test_what_cannot_work_is_said_before_anything_is_sent(
    qwen: Any, box: Sandbox, query: Any, documents: Any, options: dict[str, Any], said: str
):
    before = len(box.requests)
    with pytest.raises(qk.ConfigError, match=said) as caught:
        await done(qwen.rerank(query, documents, **options))
    assert caught.value.hint
    assert len(box.requests) == before


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"top_n": 0}, qk.InvalidRequest, "top_n"),
        ({"model": "no-such-rerank"}, qk.NotFound, "does not exist"),
        ({"model": "qwen-plus"}, qk.InvalidRequest, "url error"),
        ({"model": "gte-rerank-v2", "extra": {"top_n": "all"}}, qk.InvalidRequest, "top_n"),
    ],
)
async def test_what_the_service_refuses_is_a_typed_error(qwen: Any, options: dict[str, Any], kind: Any, said: str):
    with pytest.raises(kind, match=said):
        await done(qwen.rerank(QUERY, DOCUMENTS, **options))


async def test_too_much_for_one_call_is_refused_and_one_long_document_is_cut(qwen: Any):
    with pytest.raises(qk.InvalidRequest, match="Range of input length"):
        await done(qwen.rerank(QUERY, ["word " * 3000] * 50))
    found = await done(qwen.rerank("tide", ["word " * 9000]))
    assert found.usage.total == 1 + 4000
