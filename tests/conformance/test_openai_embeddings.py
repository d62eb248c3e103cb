"""The official SDK's embeddings against the sandbox: its default base64 path, sizes, limits, errors, and rerank."""

from __future__ import annotations

import math
from typing import Any

import openai
import pytest
from shapes import cosine

from qwenkit.sandbox import Sandbox

TEXTS = ["The cat sat on the mat", "一只猫坐在垫子上", "Stock prices fell"]


async def embed(sdk: Any, texts: Any = TEXTS, **options: Any) -> Any:
    asked = {"model": "text-embedding-v4", "input": texts, **options}
    return await sdk.result(sdk.client.embeddings.create, **asked)


async def test_the_default_path_is_base64_and_arrives_as_floats(sdk: Any, box: Sandbox):
    found = await embed(sdk)
    assert box.requests[-1].json["encoding_format"] == "base64"
    assert [(item.index, item.object, len(item.embedding)) for item in found.data] == [
        (place, "embedding", 1024) for place in range(3)
    ]
    assert all(isinstance(number, float) for number in found.data[0].embedding)
    assert (found.object, found.model) == ("list", "text-embedding-v4")


async def test_both_encodings_are_the_same_vectors(sdk: Any):
    packed, plain = await embed(sdk), await embed(sdk, encoding_format="float")
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-7)


async def test_the_answer_names_itself_and_its_tokens(sdk: Any):
    found = await embed(sdk)
    assert len(found.id.split("-")) == 5
    assert not found.id.startswith("chatcmpl")
    assert found.usage.prompt_tokens == found.usage.total_tokens > 8


async def test_vectors_have_length_one_and_mean_something(sdk: Any):
    first, second, third = [item.embedding for item in (await embed(sdk)).data]
    assert math.sqrt(cosine(first, first)) == pytest.approx(1.0, abs=1e-6)
    assert cosine(first, second) > cosine(first, third) + 0.3


async def test_one_text_needs_no_list(sdk: Any):
    alone, listed = await embed(sdk, TEXTS[0]), await embed(sdk, TEXTS[:1])
    assert alone.data[0].embedding == listed.data[0].embedding


@pytest.mark.parametrize(
    ("model", "size"), [("text-embedding-v4", 2048), ("text-embedding-v3", 64), ("qwen3.7-text-embedding", 2560)]
)
async def test_a_size_of_the_model_is_given(sdk: Any, model: str, size: int):
    assert len((await embed(sdk, "tide", model=model, dimensions=size)).data[0].embedding) == size


async def test_the_older_models_have_one_size(sdk: Any):
    assert len((await embed(sdk, "tide", model="text-embedding-v2")).data[0].embedding) == 1536


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        (["a"] * 11, {}, "batch size is invalid, it should not be larger than 10.: input.contents"),
        (["a"] * 21, {"model": "qwen3.7-text-embedding"}, "it should not be larger than 20.: input.contents"),
        ([1, 2, 3], {}, "contents is neither str nor list of str.: input.contents"),
        ([], {}, "contents is neither str nor list of str.: input.contents"),
        ("", {}, "Range of input length should be [1, 33000]"),
        (["word " * 8000] * 5, {}, "Range of input length should be [1, 33000]"),
        ("word " * 9000, {"model": "text-embedding-v3"}, "Range of input length should be [1, 8192]"),
        ("a", {"dimensions": 100}, "dimension 100 is invalid"),
        ("a", {"model": "text-embedding-v3", "dimensions": 2048}, "dimension 2048 is invalid"),
    ],
)
async def test_a_refusal_has_the_documented_words_and_type(sdk: Any, texts: Any, options: Any, said: str):
    with pytest.raises(openai.BadRequestError) as caught:
        await embed(sdk, texts, **options)
    assert said in caught.value.body["message"]
    assert caught.value.body["message"].startswith("<400> InternalError.Algo.InvalidParameter: ")
    assert (caught.value.code, caught.value.type) == ("InvalidParameter", "InvalidParameter")
    assert caught.value.request_id


async def test_a_limit_is_not_refused_too_early(sdk: Any):
    assert len((await embed(sdk, ["word " * 3290] * 10, dimensions=64)).data) == 10


async def test_an_unknown_model_and_a_chat_model_are_not_found(sdk: Any):
    for model, code in (("text-embedding-v9", "model_not_found"), ("qwen-plus", "model_not_supported")):
        with pytest.raises(openai.NotFoundError) as caught:
            await embed(sdk, "a", model=model)
        assert caught.value.code == code


async def test_a_wrong_key_is_refused(sdk: Any):
    wrong = type(sdk)(sdk.client.with_options(api_key="sk-wrong"))
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key provided"):
        await embed(wrong)


async def test_a_throttled_call_is_retried_by_the_sdk(sdk: Any, box: Sandbox):
    box.fault("429", times=1)
    assert len((await embed(sdk.retrying(1), "tide", dimensions=64)).data) == 1


async def test_rerank_is_reached_by_the_documented_trick(sdk: Any, box: Sandbox):
    client = sdk.client.with_options(base_url=f"{box.url}/compatible-api/v1")
    body = {"model": "qwen3-rerank", "query": "harbour depth", "documents": ["Bread", "The harbour is 9 m deep"]}
    found = await sdk.result(client.post, "/reranks", body={**body, "top_n": 1}, cast_to=object)
    assert (found["object"], found["model"], found["usage"]) == ("list", "qwen3-rerank", {"total_tokens": 12})
    assert [set(row) for row in found["results"]] == [{"index", "relevance_score"}]
    assert found["results"][0]["index"] == 1
    with pytest.raises(openai.BadRequestError, match="return_documents is not supported"):
        await sdk.result(client.post, "/reranks", body={**body, "return_documents": True}, cast_to=object)
