"""How the sandbox's library cuts documents into chunks, and what metadata it takes from them."""

from __future__ import annotations

import pytest

from qwenkit.catalogue import tokens
from qwenkit.sandbox.knowledge.extracting import Columns
from qwenkit.sandbox.knowledge.limits import check_chunking
from qwenkit.sandbox.knowledge.splitting import Piece, split
from qwenkit.sandbox.knowledge.values import Column, Settings

LONG = " ".join(f"Sentence number {n} of the long part says little." for n in range(200))
BOOK = "# Book\n\nBegin.\n\n## One\n\nFirst words.\n\n### Deep\n\nDeep words.\n\n## Two\n\n" + "Last words."


def cut(text: str, ending: str = "md", **settings: object) -> list[Piece]:
    return list(split(text, ending, check_chunking(Settings(**settings))))  # type: ignore[arg-type]


def starts(text: str, **settings: object) -> list[str]:
    return [piece.text.split("\n")[0] for piece in cut(text, **settings)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "first_lines"),
    [
        ({}, ["# Book", "## One", "### Deep", "## Two"]),
        ({"mode": "h1"}, ["# Book"]),
        ({"mode": "h2"}, ["# Book", "## One", "## Two"]),
        ({"mode": "h3"}, ["# Book", "## One", "### Deep", "## Two"]),
        ({"mode": "length"}, ["# Book"]),
        ({"mode": "length", "size": 12, "overlap": 0}, ["# Book", "First words.", "## Two"]),
        ({"mode": "page"}, ["# Book"]),
        ({"mode": "regex", "separator": r"\n#+ "}, ["# Book", "One", "Deep", "Two"]),
    ],
)
def test_where_chunks_begin(settings: dict[str, object], first_lines: list[str]):
    assert starts(BOOK, **settings) == first_lines


def test_chunks_know_their_headings_and_pages():
    pages = "# Book\n\nBegin.\f## One\n\nFirst words.\fMore words."
    found = [(piece.headings, piece.page) for piece in cut(pages, mode="page")]
    assert found == [("Book", 1), ("Book > One", 2), ("Book > One", 3)]
    assert [(piece.headings, piece.page) for piece in cut(pages)] == [("Book", 1), ("Book > One", 2)]
    assert {piece.page for piece in cut(BOOK)} == {0}


def test_a_heading_without_words_goes_with_the_next():
    assert starts("# Book\n\n## One\n\nWords.\n\n## Two\n\nWords.") == ["# Book", "## Two"]
    assert cut("# Book\n\n## One\n\nWords.")[0].headings == "Book > One"


@pytest.mark.parametrize("mode", ["", "length"])
@pytest.mark.parametrize(("size", "overlap"), [(100, 0), (100, 40), (37, 0), (6000, 100)])
def test_chunks_are_no_longer_than_asked_and_nothing_is_lost(mode: str, size: int, overlap: int):
    pieces = cut(LONG, mode=mode, size=size, overlap=overlap)
    assert all(tokens.count(piece.text) <= size for piece in pieces)
    whole = " ".join(piece.text for piece in pieces)
    assert all(f"number {n} of" in whole for n in range(200))
    if not overlap:
        assert whole == LONG
    elif size == 100:
        assert pieces[1].text.split(". ")[0] in pieces[0].text


@pytest.mark.parametrize("text", ["x" * 50_000, "渡" * 20_000, "# " + "h" * 20_000, ("渡轮" * 400 + "。") * 20])
def test_what_has_no_place_to_cut_is_cut_all_the_same(text: str):
    pieces = cut(text, size=500, overlap=0)
    assert all(tokens.count(piece.text) <= 510 for piece in pieces)
    assert "".join(piece.text for piece in pieces).replace("\n", "") == text


def test_sentences_end_at_chinese_marks_too():
    pieces = cut("渡轮九点开。" * 40, mode="length", size=30, overlap=0)
    assert all(piece.text.endswith("。") for piece in pieces)


def test_modes_that_follow_the_document_cut_only_what_is_too_long():
    assert len(cut(LONG, mode="h1")) == 1
    assert len(cut(LONG * 4, mode="page")) == 2


def test_a_table_repeats_its_titles_or_is_cut_into_rows():
    rows = "\n".join(f"{n} | name {n}" for n in range(60))
    table = f"number | name\n{rows}"
    pieces = cut(table, "csv", headers=True, size=100, overlap=0)
    assert len(pieces) > 3
    assert all(piece.text.startswith("number | name\n") for piece in pieces)
    assert all(tokens.count(piece.text) <= 100 for piece in pieces)
    single = cut(f"Fares\n\n{table}", "xlsx", structure="structured")
    assert single[7].text == "number: 7\nname: name 7"
    assert (single[7].cells, single[7].headings) == ({"number": "7", "name": "name 7"}, "Fares")


def test_nothing_gives_no_chunk():
    assert cut("") == cut(" \n\f\n") == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Column("k", "constant", "always"), "always"),
        (Column("k", "variable", "file_name"), "guide"),
        (Column("k", "variable", "nothing"), None),
        (Column("k", "regular", r"pier (\w+)"), "north"),
        (Column("k", "regular", r"\d{4}"), "2025"),
        (Column("k", "regular", r"zebra"), None),
        (Column("k", "keywords", "Boats, dogs，pier"), ["Boats", "pier"]),
        (Column("k", "keywords", "cats"), None),
        (Column("k", "custom_prompt", "Who wrote this?"), None),
    ],
)
def test_columns_are_taken_from_chunk_document_and_file(column: Column, value: object):
    columns = Columns([column], "Of 2025. Boats lie at pier north.", {"file_name": "guide"})
    assert columns.of("Boats lie at pier north.").get("k") == value


def test_columns_are_said_where_they_are_wanted():
    columns = Columns([Column("a", value="one", search=True), Column("b", value="two", llm=True)], "", {})
    found = columns.of("text")
    assert (columns.said(found), columns.said(found, llm=True)) == ("a: one", "b: two")
