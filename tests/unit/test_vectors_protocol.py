"""Reading embedding and rerank answers: tolerant of what nobody needs, plain about what cannot be read."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit.errors import RateLimited, ServerError
from qwenkit.protocol import embeddings, rerank
from qwenkit.types.embeddings import Embeddings
from qwenkit.types.ranking import Ranking

VECTOR = [0.25, -1.5]
PACKED = base64.b64encode(struct.pack("<2f", *VECTOR)).decode()
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


ASK = rerank.ask("?", ["a", "b", "c"], "qwen3-rerank", {}, None)


def read(answer: Any, texts: int = 1) -> Embeddings:
    names = [str(place) for place in range(texts)]
    return embeddings.read(json.dumps(answer).encode(), texts=names, request="POST /embeddings", request_id="r-1")


def ranked(answer: Any) -> Ranking:
    return rerank.read(json.dumps(answer).encode(), ask=ASK, request="POST /reranks", request_id="r-1")


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [{"index": 0, "embedding": VECTOR}], "model": "m"},
        {"data": [{"index": 0, "embedding": PACKED}], "model": "m"},
        {"data": [{"embedding": VECTOR, "index": None, "brand_new": {"a": 1}}], "model": "m", "usage": None},
        {"data": [{"embedding": VECTOR, "index": "first", "type": 7}], "model": "m", "usage": "free"},
        {"output": {"embeddings": [{"text_index": 0, "embedding": VECTOR}]}, "model": "m", "request_id": "x"},
        {"output": {"embeddings": [{"index": 0, "embedding": VECTOR, "sparse_embedding": None}]}, "model": "m"},
    ],
)
def test_every_spelling_is_the_same_vector(answer: Any):
    part = read(answer, 1)
    assert struct.unpack("<2f", part.floats) == tuple(VECTOR)
    assert (part.size, part.sparse, part.model) == (2, [], "m")


def test_vectors_are_put_in_the_order_of_the_texts():
    for key in ("index", "text_index"):
        items = [{key: place, "embedding": [float(place)]} for place in (2, 0, 1)]
        assert struct.unpack("<3f", read({"output": {"embeddings": items}}, 3).floats) == (0, 1, 2)


def test_the_bill_is_read_in_both_spellings():
    item = {"data": [{"embedding": VECTOR}]}
    assert read({**item, "usage": {"prompt_tokens": 6, "total_tokens": 6}}).usage.prompt == 6  # type: ignore[union-attr]
    assert read({**item, "usage": {"total_tokens": 6}}).usage.prompt == 6  # type: ignore[union-attr]
    spent = {"input_tokens": 20, "input_tokens_details": {"image_tokens": 14, "text_tokens": 6}, "total_tokens": 21}
    usage = read({**item, "usage": spent}).usage
    assert usage is not None
    assert (usage.prompt, usage.image) == (20, 14)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"data": []}, r"not 2 embeddings of one size \(0 came\)"),
        ({"data": [{"embedding": VECTOR}]}, r"not 2 embeddings of one size \(1 came\)"),
        ({"data": [{"embedding": VECTOR}, {"embedding": [1.0]}]}, "of one size"),
        ({"data": [{"embedding": "not base64!"}] * 2}, "of one size"),
        ({"data": [{"embedding": "AAAA"}] * 2}, "of one size"),
        ([], "not embeddings"),
        ({"output": None, "data": None}, "0 came"),
    ],
)
def test_what_cannot_be_read_is_said(answer: Any, said: str):
    with pytest.raises(ServerError, match=said) as caught:
        read(answer, 2)
    assert (caught.value.request, caught.value.request_id) == ("POST /embeddings", "r-1")


@given(junk)
def test_junk_is_an_error_of_ours_or_a_value(answer: Any):
    for shape in (answer, {"data": answer}, {"data": [{"embedding": answer}]}, {"output": {"embeddings": [answer]}}):
        with contextlib.suppress(ServerError):
            assert read(shape).size >= 0
    for shape in (answer, {"results": answer}, {"results": [answer]}, {"output": {"results": [{"index": answer}]}}):
        with contextlib.suppress(ServerError):
            assert all(0 <= row.index < 3 for row in ranked(shape).rows)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": "\xff", "results": "\xff"}', b"[" * 100_000])
def test_a_body_that_is_no_answer_is_an_error_of_ours(body: bytes):
    with pytest.raises(ServerError, match="not embeddings"):
        embeddings.read(body, texts=["a"], request="POST /embeddings", request_id="r-1")
    with pytest.raises(ServerError, match="not a ranking"):
        rerank.read(body, ask=ASK, request="POST /reranks", request_id="r-1")


def test_an_error_with_a_200_is_an_error():
    refused = {"code": "Throttling.RateQuota", "message": "slow down", "request_id": "r-2"}
    for reader in (read, ranked):
        with pytest.raises(RateLimited, match="slow down"):
            reader(refused)


def test_an_empty_ranking_is_no_answer():
    for answer in ({}, {"results": []}, {"output": {"results": [{"index": 9}]}}):
        with pytest.raises(ServerError, match="not a ranking of 3"):
            ranked(answer)


def test_rows_come_best_first_with_their_documents():
    results = [
        {"index": 0, "relevance_score": 0.1},
        {"index": 2, "relevance_score": 0.9, "document": {"text": "as the service has it"}},
        {"index": 7, "relevance_score": 1.0},
    ]
    for answer in ({"results": results}, {"output": {"results": results}}):
        assert [(row.index, row.score, row.document) for row in ranked(answer).rows] == [(2, 0.9, "c"), (0, 0.1, "a")]


def test_texts_go_out_in_calls_the_model_accepts():
    def sizes(texts: list[str], model: str) -> list[int]:
        return [len(batch.texts) for batch in embeddings.batches(texts, model)]

    assert sizes(["a"] * 23, "text-embedding-v4") == [10, 10, 3]
    assert sizes(["a"] * 23, "text-embedding-v2") == [23]
    assert sizes(["a"] * 23, "a-model-nobody-knows") == [10, 10, 3]
    assert sizes(["word " * 8000] * 7, "text-embedding-v4") == [3, 3, 1]
    assert sizes(["word " * 8000] * 7, "text-embedding-v3") == [7]
    batches = embeddings.batches([str(number) for number in range(23)], "text-embedding-v4")
    assert [batch.name for batch in batches] == ["texts 0 to 9", "texts 10 to 19", "texts 20 to 22"]
    assert [text for batch in batches for text in batch.texts] == [str(number) for number in range(23)]
    assert embeddings.batches(["a"], "text-embedding-v4")[0].name == "text 0"
