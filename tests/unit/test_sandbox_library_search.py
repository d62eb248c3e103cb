"""What the sandbox's library finds, in which order, and what filters leave of it."""

from __future__ import annotations

from typing import Any

import pytest

from qwenkit.sandbox.knowledge import filters
from qwenkit.sandbox.knowledge.library import Library, Settings, Wish, Wrong, rewritten
from qwenkit.sandbox.knowledge.values import Column
from qwenkit.sandbox.store import Store

DOCUMENTS = {
    "boats.md": "# Boats\n\n## Hire\n\nBoats are hired by the hour at the north pier. Pump P-4 fits the engine K2.\n\n"
    "## Ferries\n\nThe ferries to the island leave at nine and carry bicycles.",
    "animals.md": "# Animals\n\n## Dogs\n\nDogs travel on a short lead.\n\n## Cats\n\nCats stay in a closed basket.",
    "指南.md": "# 指南\n\n## 失物\n\n失物在集市码头的办公室保管六十天。\n\n## 票价\n\n成人四元，儿童两元。\n\n"
    "## 自行车\n\n自行车免费。",
}
TAGS = {"boats.md": ["water", "en"], "animals.md": ["land", "en"], "指南.md": ["zh"]}
COLUMNS = [
    Column("kind", "keywords", "boats,dogs,cats"),
    Column("name", "variable", "file_name"),
    Column("year", value="2025"),
]


class Shelf:
    """A library with one index, and what a search in it gives."""

    def __init__(self) -> None:
        self.library, self.files = Library(Store()), dict[str, str]()
        for name, text in DOCUMENTS.items():
            lease = self.library.lease("default", name, 1)
            self.library.upload(lease.id, text.encode(), 0.0)
            self.files[name] = self.library.add_file(lease.id, tags=TAGS[name]).id
        made = self.library.create_index("all", list(self.files.values()), settings=Settings(columns=COLUMNS))
        self.library.submit(made.id)
        self.library._works.wait()
        self.index = made.id

    def __call__(self, query: str, **wish: Any) -> list[str]:
        """The last headings of what is found."""
        found = self.library.search([self.index], query, Wish(**wish))
        return [node.metadata["hier_title"].split(" > ")[-1] for node in found]


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


@pytest.mark.parametrize("rerank", [True, False])
@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("How are boats hired?", "Hire"),
        ("when does the ferry leave", "Ferries"),
        ("dog lead", "Dogs"),
        ("P-4", "Hire"),
        ("K2", "Hire"),
        ("失物", "失物"),
        ("办公室保管多久", "失物"),
        ("票", "票价"),
        ("儿童", "票价"),
        ("免费的自行车", "自行车"),
    ],
)
def test_the_chunk_with_the_answer_comes_first(shelf: Shelf, query: str, first: str, rerank: bool):
    assert shelf(query, rerank=rerank)[0] == first


@pytest.mark.parametrize(
    ("query", "wish"),
    [
        ("失物", {"dense": 0}),  # two characters: the index of short words
        ("票", {"dense": 0}),
        ("K2", {"dense": 0}),
        ("办公室", {"dense": 0}),  # three: the index of trigrams
        ("bicycle", {"dense": 0}),
        ("closed baskets", {"sparse": 0}),
        ("lead short dog", {"sparse": 0}),
    ],
)
def test_words_alone_and_vectors_alone_find_too(shelf: Shelf, query: str, wish: dict[str, int]):
    homes = {"失物": "失物", "票": "票价", "K2": "Hire", "办公室": "失物", "bicycle": "Ferries"}
    first = homes.get(query, "Cats" if "basket" in query else "Dogs")
    assert shelf(query, **wish)[0] == first
    assert shelf(query, **wish, rerank=False)[0] == first


def test_a_word_search_gives_only_what_shares_a_word(shelf: Shelf):
    assert shelf("bicycles", dense=0, rerank=False) == ["Ferries"]
    assert shelf("zebra", dense=0) == []
    assert shelf("anything", dense=0, sparse=0) == []


def test_scores_fall_and_stay_between_nothing_and_one(shelf: Shelf):
    for rerank in (True, False):
        found = shelf.library.search([shelf.index], "boats at the pier", Wish(rerank=rerank, top=20))
        scores = [node.score for node in found]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score <= 1 for score in scores)
        assert all(node.score == node.metadata["_score"] for node in found)


@pytest.mark.parametrize(
    "wish", [{"mode": "similar"}, {"mode": "custom", "instruct": "Find semantically similar text."}]
)
def test_what_is_only_alike_can_be_asked_for(shelf: Shelf, wish: dict[str, str]):
    def scores(**wish: Any) -> list[float]:
        return [node.score for node in shelf.library.search([shelf.index], "dogs on a lead", Wish(**wish))]

    assert scores(**wish) == scores(mode="similar") != scores(mode="qa") == scores()


def test_the_least_score_and_the_number_are_kept(shelf: Shelf):
    assert len(shelf("boats", top=2)) == 2
    assert shelf("How are boats hired?", min_score=0.5) == ["Hire"]
    assert shelf("zebra stripes", min_score=0.2) == []
    shelf.library.update_index(shelf.index, min_score=0.5)
    assert shelf("How are boats hired?") == ["Hire"]
    shelf.library.update_index(shelf.index, min_score=0.01)


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"top": 0}, "RerankTopN"),
        ({"top": 21}, "RerankTopN"),
        ({"min_score": 1.5}, "RerankMinScore"),
        ({"dense": 101}, "DenseSimilarityTopK"),
        ({"sparse": -1}, "SparseSimilarityTopK"),
        ({"mode": "best"}, "Rerank"),
        ({"filters": [{"year": {"near": 1}}]}, "SearchFilters"),
        ({"filters": ["year"]}, "SearchFilters"),
        ({"filters": [{"year": "x" * 80_000}]}, "SearchFilters"),
        ({"filters": [{"_conditions": {}}]}, "SearchFilters"),
        ({"filters": [{"year": {"gt": "old"}}]}, "SearchFilters"),
    ],
)
def test_wishes_have_their_limits(shelf: Shelf, wish: dict[str, Any], told: str):
    with pytest.raises(Wrong, match=told) as refused:
        shelf("boats", **wish)
    assert refused.value.code == "Index.InvalidParameter"
    with pytest.raises(Wrong, match="Query"):
        shelf("  ")


@pytest.mark.parametrize(
    ("wish", "left"),
    [
        ({"tags": ["zh"]}, {"失物", "票价", "自行车"}),
        ({"tags": ["zh", "land"]}, {"失物", "票价", "自行车", "Dogs", "Cats"}),
        ({"filters": [{"tags": ["en"]}, {"tags": ["land", "zh"]}]}, {"Dogs", "Cats"}),
        ({"filters": [{"tags": '["en"]'}]}, {"Dogs", "Cats", "Hire", "Ferries"}),
        ({"metadata": {"kind": "dogs"}}, {"Dogs"}),
        ({"metadata": {"kind": ["dogs", "cats"], "year": "2025"}}, {"Dogs", "Cats"}),
        ({"metadata": {"kind": "dogs", "year": "2024"}}, set()),
        ({"filters": [{"name": {"like": "bo%s"}}]}, {"Hire", "Ferries"}),
        ({"filters": [{"doc_name": "animals"}, {"kind": {"neq": "dogs"}}]}, {"Cats"}),
    ],
)
def test_filters_leave_what_fits(shelf: Shelf, wish: dict[str, Any], left: set[str]):
    assert set(shelf("boats dogs 失物", top=20, **wish)) == left


def test_a_search_can_be_kept_to_documents(shelf: Shelf):
    assert set(shelf("boats", top=20, files=[shelf.files["animals.md"]])) == {"Dogs", "Cats"}


def test_several_indexes_are_searched_as_one(shelf: Shelf):
    library = shelf.library
    halves = [library.create_index(name, [shelf.files[name]]).id for name in ("boats.md", "animals.md")]
    for half in halves:
        library.submit(half)
    library._works.wait()
    both = library.search(halves, "dogs on boats", Wish(top=20))
    assert {node.metadata["pipeline_id"] for node in both} == set(halves)
    assert len(library.search([halves[0]], "dogs on boats", Wish(top=20))) == 2


def test_hostile_questions_are_only_words(shelf: Shelf):
    for query in (
        '" OR 1=1 --',
        "a AND (b NEAR c)",
        "text: x*",
        "%\\_'",
        "\x00boats",
        "🦄" * 500,
        "词" * 30_000,
        "boats " * 9_000,
    ):
        assert isinstance(shelf(query), list)
    assert shelf("\x00boats hired")[0] == "Hire"


@pytest.mark.parametrize(
    ("query", "history", "leans"),
    [
        ("How long is it kept?", ["Where is lost property?"], True),
        ("它保管多久？", ["失物在哪里？"], True),
        ("And dogs?", ["What is the fare of a bicycle?"], True),
        ("Where are the boats of the harbour hired?", ["What is a fare?"], False),
        ("How long is it kept?", [], False),
    ],
)
def test_a_question_that_leans_on_the_last_one_takes_its_words(query: str, history: list[str], leans: bool):
    said = [{"role": "user", "content": text} for text in history] + [{"role": "assistant", "content": "no"}]
    told = rewritten(query, said)
    assert told == (f"{query} {history[-1]}" if leans else query)


def test_history_counts_only_where_rewriting_is_wished(shelf: Shelf):
    history = [{"role": "user", "content": "Tell me about the cats."}]
    assert shelf("And where do they stay?", history=history, rewrite=True, min_score=0.5) == ["Cats"]
    assert shelf("And where do they stay?", history=history, min_score=0.5) == []


FACTS = {"age": 21, "name": "anna", "level": "3", "tags": ["a", "b"], "none": None}


@pytest.mark.parametrize(
    ("group", "fits"),
    [
        ({"name": "anna"}, True),
        ({"name": "bob"}, False),
        ({"age": 21}, True),
        ({"age": "21"}, True),
        ({"level": 3}, True),
        ({"level": "3.0"}, True),
        ({"name": ["bob", "anna"]}, True),
        ({"name": '["bob", "carl"]'}, False),
        ({"age": {"gte": 21, "lt": 22}}, True),
        ({"age": '{"gte": 20}'}, True),
        ({"age": {"gt": 21}}, False),
        ({"age": {"lte": "21"}}, True),
        ({"level": {"gt": 2}}, True),
        ({"name": {"gt": 2}}, False),
        ({"name": {"eq": "anna"}}, True),
        ({"name": {"neq": "anna"}}, False),
        ({"missing": {"neq": "anna"}}, True),
        ({"missing": "x"}, False),
        ({"none": "None"}, False),
        ({"name": {"like": "a%a"}}, True),
        ({"name": {"like": "an%"}}, True),
        ({"name": {"like": "%nn%"}}, True),
        ({"name": {"like": "a%nna%a"}}, False),
        ({"name": {"like": "anna%anna"}}, False),
        ({"name": {"like": "anna"}}, True),
        ({"name": {"like": "ann"}}, False),
        ({"tags": "b"}, True),
        ({"tags": ["x", "b"]}, True),
        ({"tags": "c"}, False),
        ({"name": "anna", "age": 22}, False),
        ({"_operator": "OR", "_conditions": [{"age": 22}, {"name": "anna"}]}, True),
        ({"_operator": "OR", "_conditions": [{"age": 22}, '{"name": "bob"}']}, False),
        ({"_operator": "AND", "_conditions": [{"age": 21}, {"name": "anna"}]}, True),
        ({"_conditions": [{"age": 21}, {"_operator": "OR", "_conditions": [{"age": 1}, {"level": 3}]}]}, True),
        ({"name": "[not json"}, False),
        ({"name": {}}, False),
        ({}, True),
    ],
)
def test_what_fits_a_group(group: dict[str, Any], fits: bool):
    assert filters.fits(filters.check([group])[0], FACTS) is fits
