"""How vectors and rankings look: the numbers are in every form, nothing runs away, nothing hostile comes alive."""

from __future__ import annotations

import array
import doctest
import re
from typing import Any

import pytest
from hostile import BOMBS, HOSTILE
from inert import read

from qwenkit.display import bundle
from qwenkit.display.embeddings import MAX_ROWS, MAX_SIDE
from qwenkit.display.page import MAX_HTML
from qwenkit.types import embeddings as module
from qwenkit.types.embeddings import Embeddings, SparseTerm
from qwenkit.types.ranking import Ranked, Ranking
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Cost, Usage

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
hostile = pytest.mark.parametrize("text", [text for _, text in HOSTILE], ids=[name for name, _ in HOSTILE])


def embeddings(texts: list[str], rows: list[list[float]], **facts: Any) -> Embeddings:
    floats = array.array("f", [number for row in rows for number in row]).tobytes()
    return Embeddings(texts, floats, len(rows[0]), **facts)


def three() -> Embeddings:
    receipt = Receipt(model="text-embedding-v4", request_id="r-1", latency=0.1, cost=Cost(0.00001), sandbox=True)
    return embeddings(
        ["the cat", "一只猫", "share prices"],
        [[1, 0, 0, 0], [0.6, 0.8, 0, 0], [0, -0.1, 1, 0]],
        usage=Usage(prompt_tokens=9, total_tokens=9),
        model="text-embedding-v4",
        receipts=[receipt],
    )


def test_the_example_in_the_docstring_is_true():
    tried = doctest.testmod(module)
    assert (tried.attempted, tried.failed) == (4, 0)


def test_the_plain_text_tells_every_pair():
    assert bundle(three())["text/plain"] == "\n".join(
        (
            "3 embeddings of 4 numbers",
            "                    0     1     2",
            "0  the cat       1.00   .60     0",
            "1  一只猫         .60  1.00  -.08",
            "2  share prices     0  -.08  1.00",
        )
    )


def test_the_map_is_tinted_by_likeness_and_holds_the_numbers():
    html = bundle(three())["text/html"]
    assert html.count('class="qk-k9">1.00<') == 3
    assert html.count('class="qk-k5">.60<') == 2
    assert html.count('class="qk-k0">-.08<') == 2
    assert "一只猫" in html
    assert "sandbox · 9 tokens · free (live ≈ ¥0.000010)" in html
    assert "qk-volatile" in html


def test_a_map_has_an_end():
    many = embeddings([f"text {number}" for number in range(40)], [[1.0, number] for number in range(40)])
    shown = bundle(many)
    assert shown["text/html"].count("<tr>") == MAX_SIDE + 1
    for form in shown.values():
        assert "… 16 more texts" in form
        assert "text 23" in form
        assert "text 24" not in form


def test_one_vector_shows_its_first_numbers():
    one = embeddings(["tide"], [[0.5] * 10], sparse=[[SparseTerm(7, 1.25, "tide")]])
    plain = bundle(one)["text/plain"]
    assert plain == "1 embedding of 10 numbers\n[" + "0.5000, " * 8 + "… 2 more]\nsparse: tide 1.25"


def test_what_has_no_dense_vectors_is_shown_too():
    sparse = Embeddings(["a", "b"], sparse=[[SparseTerm(1, 1.0, "a")], []])
    assert bundle(sparse)["text/plain"] == "2 embeddings of 0 numbers\nsparse: a 1.00"
    assert bundle(Embeddings([]))["text/plain"] == "0 embeddings of 0 numbers"


def test_equal_and_zero_vectors_are_drawn():
    read(bundle(embeddings(["a", "b"], [[1.0, 0.0], [1.0, 0.0]]))["text/html"])
    assert "1  b  0  0" in bundle(embeddings(["a", "b"], [[1.0, 0.0], [0.0, 0.0]]))["text/plain"].replace("     ", "  ")


def ranking(**facts: Any) -> Ranking:
    rows = [Ranked(2, 0.9134, "The harbour is deep"), Ranked(0, 0.25, {"image": "data:…"})]
    return Ranking(rows, query="how deep", of=3, **facts)


def test_a_ranking_is_a_table_with_a_bar_for_each_score():
    shown = bundle(ranking())
    assert shown["text/plain"] == "\n".join(
        (
            "2 of 3 documents, best first “how deep”",
            "   relevance  place  document",
            "1      0.913      2  The harbour is deep",
            "2      0.250      0  [image]",
        )
    )
    assert 'value="0.9134"></meter> 0.913' in shown["text/html"]
    read(shown["text/html"])


def test_neighbours_are_drawn_as_a_ranking():
    assert bundle(three().nearest("一只猫", k=2))["text/plain"].splitlines()[:2] == [
        "2 of 3 texts, best first “一只猫”",
        "   cosine  place  document",
    ]


def test_a_ranking_has_an_end():
    long = Ranking([Ranked(number, 0.5, f"document {number}") for number in range(MAX_ROWS + 7)])
    for form in bundle(long).values():
        assert "… 7 more in .rows" in form
        assert f"document {MAX_ROWS - 1}" in form
        assert f"document {MAX_ROWS}" not in form
    assert bundle(Ranking([], query="x"))["text/plain"] == "0 of 0 documents, best first “x”"


def values(text: str) -> list[Any]:
    rows = [Ranked(0, 0.5, text), Ranked(1, 2.0, {text[:20]: 1}), Ranked(2, -1.0, {"text": text})]
    receipt = Receipt(model=text, request_id=text, latency=0.1, cost=Cost(1.0, text[:50]))
    terms = [[SparseTerm(1, 1.0, text)] * 30] * 3
    return [
        embeddings(
            [text] * 3, [[1, 0], [0, 1], [1, 1]], model=text, receipts=[receipt], sparse=terms, kinds=[text] * 3
        ),
        embeddings([text], [[1, 0]], model=text),
        Ranking(rows, query=text, model=text, measure=text[:30], usage=Usage(prompt_tokens=1), receipt=receipt),
    ]


@hostile
def test_every_card_is_inert_and_bounded(text: str):
    for value in values(text):
        shown = bundle(value)
        assert "text/html" in shown, f"{type(value).__name__} fell back to its repr"
        read(shown["text/html"])
        for form in shown.values():
            assert not _UNSEEN.search(form.replace("\n", ""))
            assert len(form) < MAX_HTML


def test_the_same_value_gives_the_same_bytes():
    for name, text in HOSTILE:
        if (name, text) not in BOMBS:
            assert [bundle(value) for value in values(text)] == [bundle(value) for value in values(text)], name
