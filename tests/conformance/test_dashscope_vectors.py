"""The official `dashscope` SDK's embeddings and rerank against the sandbox."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest
from shapes import cosine, png, uri

from qwenkit.sandbox import Sandbox

V4 = "text-embedding-v4"
RED, BLUE = uri(png()), uri(png(colour="blue"))
QUERY, DOCUMENTS = "How deep is the harbour?", ["A bread recipe", "The harbour is nine metres deep", "港口水深九米"]


def rows(answer: Any) -> list[list[float]]:
    assert answer.status_code == 200, answer.message
    return [item["embedding"] for item in answer.output["embeddings"]]


def refused(answer: Any, said: str, code: str = "InvalidParameter", status: int = 400) -> None:
    assert (answer.status_code, answer.code) == (status, code)
    assert said in answer.message
    assert answer.request_id


# -- text ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "texts",
    ["tide table", ["tide table", "潮汐表"], io.StringIO("tide table\n潮汐表\nbread\n")],
    ids=["str", "list", "file"],
)
def test_a_text_a_list_and_a_file_are_embedded(dash: Any, box: Sandbox, texts: Any):
    answer = dash.TextEmbedding.call(V4, texts)
    sent = box.requests[-1].json["input"]["texts"]
    assert [item["text_index"] for item in answer.output["embeddings"]] == list(range(len(sent)))
    assert all(len(row) == 1024 and math.hypot(*row) == pytest.approx(1, abs=1e-6) for row in rows(answer))
    assert answer.usage["total_tokens"] > 0
    assert len(answer.request_id.split("-")) == 5


@pytest.mark.parametrize("size", [2048, 512, 64])
def test_a_dimension_is_given(dash: Any, size: int):
    assert len(rows(dash.TextEmbedding.call(V4, "tide", dimension=size))[0]) == size


def test_both_protocols_give_the_same_vector(dash: Any, box: Sandbox):
    import openai

    with openai.OpenAI(base_url=f"{box.url}/compatible-mode/v1", api_key=box.key) as client:
        other = client.embeddings.create(model=V4, input="tide", encoding_format="float").data[0].embedding
    assert rows(dash.TextEmbedding.call(V4, "tide"))[0] == other


def test_a_query_is_close_to_the_same_document(dash: Any):
    plain, document, query, told = [
        rows(dash.TextEmbedding.call(V4, "tide table", **options))[0]
        for options in (
            {},
            {"text_type": "document"},
            {"text_type": "query"},
            {"text_type": "query", "instruct": "Find harbour documents"},
        )
    ]
    assert plain == document
    assert 0.9 < cosine(document, query) < 1
    assert 0.9 < cosine(query, told) < 1


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ("dense", {"text_index", "embedding"}),
        ("sparse", {"text_index", "sparse_embedding"}),
        ("dense&sparse", {"text_index", "embedding", "sparse_embedding"}),
    ],
)
def test_an_output_type_chooses_the_vectors(dash: Any, wanted: str, keys: set[str]):
    (found,) = dash.TextEmbedding.call(V4, "tide table, tide gauge", output_type=wanted).output["embeddings"]
    assert set(found) == keys
    for term in found.get("sparse_embedding", []):
        assert (type(term["index"]), type(term["value"]), type(term["token"])) == (int, float, str)
    assert "sparse" not in wanted or found["sparse_embedding"][0]["token"] == "tide"


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        (["a"] * 11, {}, "batch size is invalid, it should not be larger than 10.: input.contents"),
        ([1], {}, "contents is neither str nor list of str.: input.contents"),
        ("", {}, "Range of input length should be [1, 33000]"),
        ("a", {"dimension": 3}, "dimension 3 is invalid"),
        ("a", {"text_type": "answer"}, "text_type should be query or document"),
        ("a", {"output_type": "thick"}, "output_type thick is not supported"),
        ("a", {"model": "text-embedding-v1", "output_type": "sparse"}, "output_type sparse is not supported"),
        ("a", {"model": "qwen3-vl-embedding"}, "url error, please check url！"),
    ],
)
def test_a_refusal_has_the_documented_words(dash: Any, texts: Any, options: dict[str, Any], said: str):
    refused(dash.TextEmbedding.call(**{"model": V4, "input": texts, **options}), said)


def test_an_unknown_model_is_not_found(dash: Any):
    refused(dash.TextEmbedding.call("text-embedding-v9", "a"), "does not exist", "ModelNotFound", 404)


# -- texts and pictures -------------------------------------------------------------------------------------------


def test_texts_and_pictures_are_embedded_side_by_side(dash: Any):
    contents = [{"text": "a red boat"}, {"image": RED, "factor": 1}, {"image": BLUE}]
    answer = dash.MultiModalEmbedding.call("qwen3-vl-embedding", contents)
    word, red, blue = rows(answer)
    assert [(item["index"], item["type"]) for item in answer.output["embeddings"]] == [
        (0, "text"),
        (1, "image"),
        (2, "image"),
    ]
    assert len(word) == 2560
    assert cosine(word, red) > cosine(word, blue) + 0.2
    spent = answer.usage["input_tokens_details"]
    assert spent == {"image_tokens": 2 * (2 * 2 + 2), "text_tokens": 3}
    assert answer.usage["total_tokens"] == answer.usage["input_tokens"] + answer.usage["output_tokens"]


def test_contents_are_fused_on_request_and_by_models_that_only_fuse(dash: Any):
    contents = [{"text": "a red boat"}, {"image": RED}]
    call = dash.MultiModalEmbedding.call
    asked = call("qwen3-vl-embedding", contents, enable_fusion=True, dimension=256).output["embeddings"]
    always = call("qwen2.5-vl-embedding", contents).output["embeddings"]
    object_ = call("tongyi-embedding-vision-flash-2026-03-06", [{"text": "a", "image": RED}]).output["embeddings"]
    several = call("tongyi-embedding-vision-plus", [{"multi_images": [RED, BLUE]}]).output["embeddings"]
    found = [(item["type"], len(item["embedding"])) for (item,) in (asked, always, object_, several)]
    assert found == [("fusion", 256), ("vl", 1024), ("fused", 768), ("multi_images", 1152)]


@pytest.mark.parametrize(
    ("contents", "options", "said"),
    [
        ([{"text": "a"}] * 21, {}, "it should not be larger than 20"),
        ([{"image": RED}] * 11, {}, "at most 10 images"),
        ([{"text": "a"}], {"dimension": 100}, "dimension 100 is invalid"),
        ([{"text": "a"}], {"output_type": "sparse"}, "output_type should be dense"),
        ([{"text": "a"}, {"text": "b"}], {"model": "qwen2.5-vl-embedding"}, "each kind of content may come once"),
        ([{"text": "word " * 600}], {"model": "multimodal-embedding-v1"}, "Range of input length should be [1, 512]"),
        ([{"video": "https://pics.example/a.mp4"}], {}, "cannot watch a video"),
        ([{"text": "a"}], {"model": V4}, "url error, please check url！"),
    ],
)
def test_a_refusal_of_contents_is_plain(dash: Any, contents: Any, options: dict[str, Any], said: str):
    refused(dash.MultiModalEmbedding.call(**{"model": "qwen3-vl-embedding", "input": contents, **options}), said)


def test_an_address_elsewhere_is_not_fetched(dash: Any):
    answer = dash.MultiModalEmbedding.call("qwen3-vl-embedding", [{"image": "https://pics.example/a.jpg"}])
    refused(answer, "Connection to https://pics.example/a.jpg refused", "InvalidURL.ConnectionRefused")


# -- rerank -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["qwen3-rerank", "gte-rerank-v2", "qwen3.7-text-rerank", "qwen3-vl-rerank"])
def test_documents_are_ranked(dash: Any, model: str):
    answer = dash.TextReRank.call(model, QUERY, DOCUMENTS, top_n=2)
    assert [row.index for row in answer.output.results] == [1, 2]
    assert 1 > answer.output.results[0].relevance_score > answer.output.results[1].relevance_score > 0
    assert answer.usage.total_tokens > 20


def test_documents_come_back_on_request(dash: Any):
    plain = dash.TextReRank.call("qwen3-rerank", QUERY, DOCUMENTS)
    told = dash.TextReRank.call("qwen3-rerank", QUERY, DOCUMENTS, return_documents=True)
    assert plain.output.results[0]["document"] is None
    assert told.output.results[0]["document"] == {"text": DOCUMENTS[1]}  # its attribute of that name stays None


def test_the_flat_body_is_taken_at_the_native_address_too(dash: Any, box: Sandbox):
    import urllib.request

    body = b'{"model": "qwen3-rerank", "query": "harbour", "documents": ["bread", "a harbour"], "top_n": 1}'
    address = f"{box.url}/api/v1/services/rerank/text-rerank/text-rerank"
    request = urllib.request.Request(address, body, {"Authorization": f"Bearer {box.key}"})
    with urllib.request.urlopen(request) as answer:
        assert b'"index":1' in answer.read()


@pytest.mark.parametrize(
    ("documents", "options", "said"),
    [
        (["a"] * 501, {}, "it should not be larger than 500"),
        (["a"], {"top_n": 0}, "top_n should be a positive integer"),
        (["word " * 3000] * 50, {}, "Range of input length should be [1, 120000]"),
        ([{"image": RED}], {}, "documents is not list of str"),
        ([{"image": RED}] * 41, {"model": "qwen3-vl-rerank"}, "at most 40 images"),
        (["a"], {"model": "qwen-plus"}, "url error, please check url！"),
    ],
)
def test_a_refused_ranking_says_why(dash: Any, documents: Any, options: dict[str, Any], said: str):
    answer = dash.TextReRank.call(**{"model": "qwen3-rerank", "query": QUERY, "documents": documents, **options})
    refused(answer, said)


async def test_the_awaited_twins_agree(dash: Any):
    ranked = await dash.AioTextReRank.call("qwen3-rerank", QUERY, DOCUMENTS, top_n=1)
    assert ranked.output.results[0].index == 1
    seen = await dash.AioMultiModalEmbedding.call("qwen3-vl-embedding", [{"text": "a red boat"}], dimension=256)
    assert rows(seen) == rows(
        dash.MultiModalEmbedding.call("qwen3-vl-embedding", [{"text": "a red boat"}], dimension=256)
    )
