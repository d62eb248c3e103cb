"""How what was found, and what was answered from it, is shown: the right marks, bounded, and whole without HTML."""

from __future__ import annotations

import re

import pytest
from inert import MAP, TAGS, read

from qwenkit.display import bundle
from qwenkit.display.citations import raised
from qwenkit.display.corpus_map import MAX_DOCUMENTS
from qwenkit.display.hits import MAX_ROWS
from qwenkit.display.knowledge import marked, terms
from qwenkit.display.markdown import markdown
from qwenkit.retrieval.citing import checked
from qwenkit.types.grounded import CorpusMap, Grounded, Miss, Recall
from qwenkit.types.knowledge import Building, KnowledgeFile, KnowledgeFiles, Node, Nodes, Stage
from qwenkit.types.reply import Choice, Reply
from qwenkit.types.retrieval import Added, Chunk, Hit, Hits, Skipped
from qwenkit.types.usage import Cost

LOANS = "# Borrowing\n\nFilms and games are lent for one week."
CHUNKS = [
    Chunk("a#0", LOANS, "../data/town/library.md", "Borrowing"),
    Chunk("b#0", "抽血前 8 小时不能吃东西。", "clinic.zh.md", "化验"),
]
HITS = Hits(
    [
        Hit(CHUNKS[0], 0.033, 1, {"vectors": 1, "words": 3}, {"vectors": 0.27, "words": 7.25}),
        Hit(CHUNKS[1], 0.016, 2, {"vectors": 2}, {"vectors": 0.1}),
    ],
    "How long may I keep a film?",
    "fused",
    40,
)


def card(value: object) -> str:
    html = bundle(value)["text/html"]
    read(html, TAGS | MAP)
    return html


def words(html: str) -> str:
    return " ".join(" ".join(read(html, TAGS | MAP).text).split())


def answered(text: str) -> Grounded:
    reply = Reply(choices=[Choice(text=text)], model="qwen-plus")
    return Grounded(reply, HITS, *checked(text, HITS.chunks))


# -- an answer ------------------------------------------------------------------------------------------------------


def test_each_citation_is_marked_where_it_stands():
    html = card(answered("Films are lent for one week [1]. They cost 3.50 crowns [1]. Ask the mayor [9]. So [1, 2]."))
    kinds = re.findall(r'<sup class="qk-cite( qk-bad)?" title="([^"]*)">(\d)</sup>', html)
    borrowing, nowhere = "town/library.md · Borrowing", "there is no such passage"
    assert kinds == [
        ("", borrowing, "1"),
        (" qk-bad", borrowing, "1"),
        (" qk-bad", nowhere, "9"),
        (" qk-bad", borrowing, "1"),
        (" qk-bad", "clinic.zh.md · 化验", "2"),
    ]


def test_what_does_not_hold_is_told_in_words():
    value = answered(
        "Films are lent for one week [1]. They cost 3.50 crowns [1]. Ask [9]. Eat nothing [2]. Nobody knows."
    )
    told = words(card(value))
    assert "[1] does not say so (0% of the words; it does not have 3.50): “They cost 3.50 crowns.”" in told
    assert "[9] points nowhere: “Ask.”" in told
    assert "[2] is in another language, and no number can be checked: “Eat nothing.”" in told
    assert "Without a source: “Nobody knows.”" in told
    assert "1 of 4 citations hold" in told
    plain = bundle(value)["text/plain"]
    assert plain.startswith(
        value.text + "\n\n[1] town/library.md · Borrowing\n[9] there is no such passage\n[2] clinic"
    )
    assert "[9] points nowhere" in plain


def test_a_cited_passage_stands_under_the_answer_with_the_words_of_both_marked():
    html = card(answered("Films are lent for one week. [1]"))
    first = html.partition("passages were shown")[0]
    assert "<mark>Films</mark> and games are <mark>lent</mark> for <mark>one</mark> <mark>week</mark>." in first
    assert "# Borrowing" not in first
    assert "its citation holds" in words(html)
    assert "clinic.zh.md" not in first


@pytest.mark.parametrize(("text", "told"), [("No idea.", "nothing cited"), ("So it is [2].", "it does not hold")])
def test_the_verdict(text: str, told: str):
    assert told in words(card(answered(text)))


def test_an_answer_without_passages():
    value = Grounded(Reply(choices=[Choice(text="Yes [1].")]), Hits([]), *checked("Yes [1].", []))
    assert "No passage was found." in words(card(value))


def test_marks_in_code_and_in_addresses_are_left_alone():
    titles = {1: "a", 2: 'b" onmouseover="x'}
    text = "`x[1]` and [a](https://ok.example/[1]) and\n\n```\nrows[2] = 1\n```\n\nSo [2]."
    html = raised(markdown(text), titles, plain=True)
    assert html.count("<sup") == 1
    assert 'title="b&quot; onmouseover=&quot;x">2</sup>' in html
    read(html)


def test_a_number_that_nobody_knows_stays_text():
    assert raised("In [1984] it was [3].", {1: "a"}, plain=True) == "In [1984] it was [3]."
    assert "<sup" in raised("It was [1].", {1: "a"}, plain=True)


# -- hits -----------------------------------------------------------------------------------------------------------


def test_hits_tell_which_way_found_them():
    told = words(card(HITS))
    assert "2 of 40 chunks “How long may I keep a film?”" in told
    assert "score vectors words chunk" in told
    assert "0.033 #1 0.27 #3 7.25 town/library.md · Borrowing" in told
    assert "0.016 #2 0.10 – clinic.zh.md · 化验" in told
    lines = bundle(HITS)["text/plain"].split("\n")
    assert lines[0] == "2 of 40 chunks “How long may I keep a film?”"
    assert lines[2].startswith("1  0.033  town/library.md · Borrowing")
    assert "Nothing was found." in words(card(Hits([], "a")))


def test_reranked_hits_have_the_score_of_the_model():
    again = Hits([Hit(CHUNKS[0], 0.91, 1, {"words": 1, "rerank": 0.91})], "film", reranked="qwen3-rerank", of=3)
    told = words(card(again))
    assert "0.910 #1 0.910 town/library.md" in told
    assert "reranked by qwen3-rerank" in told


def test_many_hits_are_capped_and_counted():
    many = Hits([Hit(CHUNKS[0], 1.0, rank) for rank in range(1, 500)], "film", of=500)
    assert f"… {499 - MAX_ROWS} more in .rows" in words(card(many))
    assert bundle(many)["text/plain"].count("\n") <= MAX_ROWS + 1


def test_common_words_are_not_marked():
    assert terms("How long may I keep the film? 的 港") == {"long", "keep", "film", "的", "港"}
    assert marked("The <b>film</b> is filmed", {"film"}) == (
        "The &lt;b&gt;<mark>film</mark>&lt;/b&gt; is <mark>film</mark>ed"
    )
    assert marked("港口", {"港"}) == "<mark>港</mark>口"
    assert marked("a & b", set()) == "a &amp; b"


def test_added_tells_what_was_left_out():
    told = words(card(Added(3, 40, 900, [Skipped("a.wav", "no text in it")], unchanged=2, cost=Cost(0.001, "¥"))))
    assert "3 documents, 40 chunks, 900 tokens, 2 unchanged, 1 skipped" in told
    assert "a.wav no text in it" in told
    assert "3 of 9" in words(card(Added(1, done=3, total=9)))


# -- recall and the map ---------------------------------------------------------------------------------------------


def test_recall_is_a_table_with_what_was_missed():
    groups = {"en → en": {"vectors": 1.0, "fused": 1.0}, "en → zh": {"vectors": 0.5, "fused": 0.75}}
    misses = {"fused": [Miss("Why?", "a.md")], "vectors": [Miss(f"Who {n}?", "a.md") for n in range(20)]}
    value = Recall(5, 24, {"vectors": 0.75, "fused": 0.875}, groups, misses)
    told = words(card(value))
    assert "recall@5 of 24 questions" in told
    assert "fused 88% 100% 75%" in told
    assert told.index("vectors missed 20") < told.index("fused missed 1")
    assert "… 8 more in .misses" in told
    assert bundle(value)["text/plain"].split("\n")[1:] == [
        "         all  en → en  en → zh",
        "vectors  75%     100%      50%",
        "fused    88%     100%      75%",
    ]


def test_the_map_has_a_dot_for_every_chunk_a_ring_for_every_hit_and_the_question():
    names = [f"../data/town/{n}.md" for n in range(MAX_DOCUMENTS + 2)]
    points = [(float(n), float(-n)) for n in range(len(names))]
    value = CorpusMap(points, names, ["T"] * len(names), "a <b>", (1.0, 2.0), [0, 3], 7, 0.25)
    html = card(value)
    assert html.count("<title>") == len(names) + 1
    assert html.count('r="8"') == 2
    assert len(re.findall(r"●", html)) == MAX_DOCUMENTS
    told = words(html)
    assert "… 2 more documents in grey" in told
    assert "7 more chunks are not drawn" in told
    assert "○ found · + the question · two directions show 25% of how the chunks differ" in told
    assert bundle(value)["text/plain"].endswith("found: town/0.md · T\nfound: town/3.md · T")
    flat = card(CorpusMap([(0.0, 0.0)] * 3, ["a"] * 3, [""] * 3))
    assert "nan" not in flat
    assert "found" not in words(flat)


# -- knowledge bases ------------------------------------------------------------------------------------------------


def test_files_on_their_way_are_told_one_by_one():
    stages = [Stage("a.md", stage="ready"), Stage("b.md", stage="parsed"), Stage("c.wav", error="not taken")]
    value = Building("town", stages)
    html = card(value)
    assert html.count("<meter") == 1
    assert bundle(value)["text/plain"] == "town: 1 of 3 files ready\na.md   ready\nb.md   parsed\nc.wav  not taken"
    assert "… 160 more" in words(card(Building("town", [Stage("a.md")] * 200)))
    assert "… 10 more" in words(card(KnowledgeFiles([KnowledgeFile("1", "a.md")] * 50)))


def test_found_chunks_have_the_words_of_the_question_marked():
    html = card(
        Nodes([Node("Films for a week.", 0.26, "library", "id", "Borrowing")], "How long may I keep a film?", "town")
    )
    assert "<mark>Film</mark>s for a week." in html
    assert "1 library · Borrowing score 0.26" in words(html)
    assert "Nothing was found." in words(card(Nodes([], "film")))
