"""Wire parity of embeddings and rerank: both official SDKs and qwenkit send the same path, key and JSON."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from parity import sent

import qwenkit as qk
from qwenkit.sandbox import Sandbox

V4, VL = "text-embedding-v4", "qwen3-vl-embedding"
TEXTS = ["tide table", "潮汐表 🌊"]
QUERY, DOCUMENTS = "How deep?", ["The harbour is nine metres deep", "港口水深九米"]
PICTURE = {"image": "data:image/png;base64,iVBORw0KGgo="}
COMPATIBLE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({"encoding_format": "float"}, {}),
    "the SDK's default": ({}, {"encoding": "base64"}),
    "dimensions": ({"encoding_format": "float", "dimensions": 512}, {"dimensions": 512}),
    "model": ({"encoding_format": "float", "model": "text-embedding-v3"}, {"model": "text-embedding-v3"}),
    "user": ({"encoding_format": "float", "user": "u-1"}, {"extra": {"user": "u-1"}}),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_embeddings_are_asked_for_as_by_the_openai_sdk(
    name: str, recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client
):
    theirs, ours = COMPATIBLE[name]
    one = sent(recorder, official.embeddings.create, **{"model": V4, "input": TEXTS, **theirs})
    assert one == sent(recorder, qwen.embeddings, TEXTS, **ours)
    assert one.path == "/compatible-mode/v1/embeddings"


def test_rerank_is_asked_for_as_by_the_documented_trick(recorder: Sandbox, official: openai.OpenAI, qwen: qk.Client):
    client = official.with_options(base_url=f"{recorder.url}/compatible-api/v1")
    body = {"model": "qwen3-rerank", "query": QUERY, "documents": DOCUMENTS, "top_n": 1, "instruct": "Find facts."}
    one = sent(recorder, client.post, "/reranks", body=body, cast_to=object)
    assert one == sent(recorder, qwen.rerank, QUERY, DOCUMENTS, top_n=1, instruct="Find facts.")


NATIVE_TEXT: list[dict[str, Any]] = [
    {"text_type": "query"},
    {"text_type": "document", "dimensions": 64},
    {"output_type": "dense&sparse", "dimensions": 512},
    {"text_type": "query", "instruct": "Find harbour documents"},
]


@pytest.mark.parametrize("options", NATIVE_TEXT)
def test_native_embeddings_are_asked_for_as_by_the_dashscope_sdk(
    options: dict[str, Any], recorder: Sandbox, native: Any, qwen: qk.Client
):
    theirs = {"dimension" if name == "dimensions" else name: value for name, value in options.items()}
    one = sent(recorder, native.TextEmbedding.call, V4, TEXTS, **theirs)
    assert one == sent(recorder, qwen.embeddings, TEXTS, **options)


@pytest.mark.parametrize("options", [{}, {"enable_fusion": True, "dimension": 512}, {"instruct": "Find boats"}])
def test_multimodal_embeddings_are_asked_for_as_by_the_dashscope_sdk(
    options: dict[str, Any], recorder: Sandbox, native: Any, qwen: qk.Client
):
    contents = [{"text": "a boat"}, PICTURE, {"text": "船"}]
    one = sent(recorder, native.MultiModalEmbedding.call, VL, contents, **options)
    ours = {"dimensions" if name == "dimension" else name: value for name, value in options.items()}
    assert one == sent(recorder, qwen.embeddings.multimodal, ["a boat", PICTURE, {"text": "船"}], **ours)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("qwen3-rerank", {"return_documents": True, "top_n": 1}),
        ("gte-rerank-v2", {"instruct": "Retrieve semantically similar text."}),
        ("qwen3-vl-rerank", {"return_documents": False}),
    ],
)
def test_native_rerank_is_asked_for_as_by_the_dashscope_sdk(
    model: str, options: dict[str, Any], recorder: Sandbox, native: Any, qwen: qk.Client
):
    one = sent(recorder, native.TextReRank.call, model, QUERY, DOCUMENTS, **options)
    assert one == sent(recorder, qwen.rerank, QUERY, DOCUMENTS, model=model, **options)
