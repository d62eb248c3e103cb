"""The parts of retrieval by themselves: words of any script, fusion, filters, codes of vectors, what may be added."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pytest

from qwenkit.errors import ConfigError
from qwenkit.protocol.flow import Flow
from qwenkit.retrieval import codes as coding
from qwenkit.retrieval.codes import Codes, encode, units
from qwenkit.retrieval.filters import Test as Condition
from qwenkit.retrieval.filters import tests as conditions
from qwenkit.retrieval.fusing import fused
from qwenkit.retrieval.places import store
from qwenkit.retrieval.shelves import Kind, Row
from qwenkit.retrieval.sources import Source, Splitter, sources
from qwenkit.retrieval.splitting import Piece, split
from qwenkit.retrieval.sqlite import Sqlite
from qwenkit.retrieval.words import asked, spaced, terms
from qwenkit.secret import Secret
from qwenkit.types.retrieval import Held


def done(flow: Flow[Any]) -> Any:
    with pytest.raises(StopIteration) as over:
        next(flow)
    return over.value.value


# -- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("see 看灯塔 now", ["see", "看", "灯", "塔", "看灯", "灯塔", "now"]),
        ("ＡＢＣ　灯", ["ABC", "灯"]),
        ("カナ and 한국", ["カ", "ナ", "カナ", "and", "한국"]),
        ("", []),
    ],
)
def test_what_has_no_blanks_is_spelled_out(text: str, spelled: list[str]):
    assert spaced(text).split() == spelled


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("灯塔看守人", ["灯塔", "塔看", "看守", "守人"]),
        ("塔", ["塔"]),
        ("Where is the Ferry?", ["ferry"]),
        ("the", ["the"]),  # of idle words alone, they are what is asked for
        ('a" OR x*', ["x"]),
        ("refund refund 退款 退款", ["refund", "退款"]),
        ("GPT-4o的价格", ["gpt", "4o", "的价", "价格"]),
        ("!?…", []),
    ],
)
def test_what_a_query_looks_for(query: str, words: list[str]):
    assert asked(query) == words


def test_a_long_query_is_bounded():
    assert len(asked(" ".join(f"word{place}" for place in range(500)))) == 64


def test_terms_are_folded_and_stemmed():
    assert terms("The Ferries refunded tickets; Buses, GLASS") == ["ferry", "refund", "ticket", "bus", "glass"]
    assert terms("退款 is 退") == ["退", "款", "退款", "退"]


# -- fusion ----------------------------------------------------------------------------------------------------------


def test_fusion_adds_what_ranks_are_worth():
    rows = dict(fused({"vectors": [1, 2, 3], "words": [3, 4]}, {}))
    assert rows[3] == pytest.approx(1 / 63 + 1 / 61)
    assert rows[1] == pytest.approx(1 / 61)
    assert next(iter(rows)) == 3
    assert [key for key, _ in fused({"vectors": [1, 2], "words": [2, 1]}, {"words": 2})] == [2, 1]
    assert [key for key, _ in fused({"vectors": [5], "words": [4]}, {})] == [4, 5]  # equals in an order that stays
    assert fused({}, {}) == []


# -- filters ---------------------------------------------------------------------------------------------------------


def test_conditions_are_read():
    assert conditions(None) == []
    assert conditions({"a": 1, "b": ["x", "y"], "c": {"gte": 1.5, "lt": 3}}) == [
        Condition("a", [1], {}),
        Condition("b", ["x", "y"], {}),
        Condition("c", [], {"gte": 1.5, "lt": 3}),
    ]


@pytest.mark.parametrize(
    "where", [[], "a", {"a": None}, {"a": {}}, {"a": {"gte": True}}, {"a": [{}]}, {"a": {"in": 3}}]
)
def test_what_is_no_condition_is_refused(where: Any):
    with pytest.raises(ConfigError, match="where"):
        conditions(where)


# -- codes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64, 100, 256])
def test_the_nearest_by_code_hold_the_nearest(size: int):
    chance = np.random.default_rng(size)
    rows = units(chance.standard_normal((3000, size)))
    codes = Codes()
    for start in range(0, 3000, 700):
        part = rows[start : start + 700]
        codes.add(list(range(start, start + len(part))), encode(part))
    right = 0
    for query in units(chance.standard_normal((20, size))):
        true = set(np.argsort(-(rows @ query))[:10].tolist())
        found = codes.best(query, 150)
        assert found == sorted(found)
        assert len(found) == 150
        right += len(true & set(found))
    assert right >= 196


def test_a_product_by_codes_is_nearly_the_product():
    chance = np.random.default_rng(3)
    lean = np.where(np.arange(256) < 4, 5.0, 0.2)  # models have a few large numbers, the same in all their vectors
    rows = units(chance.standard_normal((500, 256)) * chance.uniform(0.5, 2, (500, 1)) + lean)
    query = units(chance.standard_normal((1, 256)) + lean)[0]
    codes = Codes()
    codes.add(list(range(500)), encode(rows))
    true, told = rows @ query, coding._estimated(query, *codes._kept[1:])
    assert told == pytest.approx(true, abs=0.08)
    assert np.corrcoef(true, told)[0, 1] > 0.97


def test_codes_keep_to_some_and_leave_out_others():
    rows = units(np.eye(64)[:20])
    codes = Codes()
    assert codes.best(rows[0], 5) == []
    codes.add(list(range(10, 30)), encode(rows))
    assert codes.best(rows[3], 1) == [13]
    assert codes.best(rows[3], 50, only=np.array([11, 13, 99])) == [11, 13]
    assert codes.best(rows[3], 1, without=np.array([13])) != [13]


def test_odd_vectors_have_codes_too():
    rows = units(np.array([np.zeros(64), np.ones(64), np.full(64, -1e-30), np.eye(64)[0]]))
    codes = Codes()
    codes.add([1, 2, 3, 4], encode(rows))
    assert codes.best(rows[3], 4) == [1, 2, 3, 4]
    assert codes.best(np.zeros(64, np.float32), 2)


# -- the file --------------------------------------------------------------------------------------------------------


def test_a_search_by_codes_and_one_of_few_agree(monkeypatch: pytest.MonkeyPatch):
    chance = np.random.default_rng(5)
    rows = units(chance.standard_normal((400, 64)))
    kept = Sqlite(None)
    done(kept.settle(Kind("m", 64)))
    done(kept.draft(Held("a", "A", 400, "1"), True))
    done(kept.put([Row("a", place, Piece(f"row {place}", 0, 1)) for place in range(400)], rows, [Held("a")]))
    query = units(chance.standard_normal((1, 64)))[0]
    exact = [key - 1 for key, _ in done(kept.nearest(query, 10, []))]
    assert exact == np.argsort(-(rows @ query))[:10].tolist()
    monkeypatch.setattr("qwenkit.retrieval.sqlite._MEASURED", 100)
    by_code = [key - 1 for key, _ in done(kept.nearest(query, 10, []))]
    assert by_code == exact
    named = conditions({"document": "a"})
    assert [key - 1 for key, _ in done(kept.nearest(query, 10, named))] == exact
    kept.close()


def test_common_words_are_left_out_where_a_shelf_is_large(monkeypatch: pytest.MonkeyPatch):
    kept = Sqlite(None)
    done(kept.settle(Kind("m", 64)))
    done(kept.draft(Held("a", "A", 50, "1"), True))
    pieces = [Piece(f"common {'rare' if place == 7 else 'other'} line", 0, 1) for place in range(50)]
    done(kept.put([Row("a", place, each) for place, each in enumerate(pieces)], units(np.ones((50, 64))), [Held("a")]))
    assert len(done(kept.worded("common rare", 50, []))) == 50
    monkeypatch.setattr("qwenkit.retrieval.sqlite._SCORED", 20)
    assert [key for key, _ in done(kept.worded("common rare", 50, []))] == [8]
    assert len(done(kept.worded("common", 50, []))) == 50  # alone it is what is asked for
    kept.close()


# -- what may be added -----------------------------------------------------------------------------------------------


def test_a_text_is_told_from_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").write_text("x", encoding="utf-8")
    named: list[Any] = list(sources(["notes", "gone.md", "see notes.md for more", "一句话。", "a\0b"]))
    assert [each[0].partition("-")[0] for each in named] == ["notes", "gone.md", "text", "text", "text"]
    assert named[1][1] == "there is no such file"
    assert named[4].text == "ab"


LOST: list[Any] = [
    "data/town",
    "./town",
    "chgg/",
    "~/docs-that-are-not-there",
    "~",
    "handbok.pdf",
    "my notes/ab c.pdf",
    "docs/*.md",
]
LOST += [
    "a/" + "x" * 300,
    Path("a\0b"),
    "../no where",
    r"D:\notes\a b",
    r"docs\a.md",
    "Annual report.docx",
    "/gone/a b.txt",
    "/gone/a b",
    "/gone/town",
]
TEXTS = [
    "Bread and/or butter is served.",
    "see notes.md for more",
    "成人票四元/儿童半价。",
    "~5 yuan a ride",
    "a\n./b",
    "x",
]
TEXTS += [
    "<p>a/b</p>",
    '{"a":"b/c"}',
    "See https://town.example/a for more.",
    "yes/no?",
    "Hello.",
    "x" * 2000 + "/",
    "/v1/chat is old.",
]


@pytest.mark.parametrize("given", LOST)
def test_a_path_that_leads_nowhere_is_never_a_text(given: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert [each[1] for each in sources(given)] == ["there is no such file"]
    assert [each[0] for each in sources(given)] == [PurePath(os.path.normpath(given)).as_posix()]


@pytest.mark.parametrize("given", TEXTS)
def test_a_plain_text_is_never_a_path(given: str):
    assert [each.text for each in sources(given) if isinstance(each, Source)] == [given]


def test_a_path_is_named_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for folder in ("here/docs", "home/docs"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.md").write_text("x", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    here, home = tmp_path / "here", f"{tmp_path.as_posix()}/home/docs/a.md"
    given = ["docs", "./docs/", here / "docs", str(here / "docs" / "a.md"), "../here/docs", here, "."]
    assert [each[0] for each in sources(given)] == ["docs/a.md"] * 7
    assert [each[0] for each in sources([tmp_path / "home", "~/docs", Path("~/docs")])] == [home] * 3
    assert [each[0] for each in sources("../home")] == ["../home/docs/a.md"]


# -- splitting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": 9000},
        {"size": "a"},
        {"size": 10, "overlap": 6},
        {"overlap": -1},
        {"text": 3},
        {"title": 3},
    ],
)
def test_what_cannot_be_split_is_refused(wrong: Any):
    with pytest.raises(ConfigError, match=f"{[*wrong][-1]} cannot be"):
        split(**{"text": "a", **wrong})


def test_a_long_line_is_split_in_time_that_grows_with_it():
    pieces = split("word " * 300_000, size=100, overlap=0)
    assert len(pieces) == 3000
    assert len(split("a\n" * 300_000, size=2000)) > 100


def test_a_comment_in_code_is_no_heading():
    code = (
        "# One\n\n```python\n# comment\nx = 1\n~~~\n```\n\n# Two\n\n~~~~\n# a\n~~~\n# b\n~~~~\n\nend\n\n```\n# Three\n"
    )
    assert [each.title for each in split(code)] == ["One", "Two", "Three"]
    assert all(code[each.start : each.end] == each.text for each in split(code, size=4))


def test_links_that_lead_round_in_circles_are_not_followed(tmp_path: Path):
    (tmp_path / "a.md").write_text("x", encoding="utf-8")
    (tmp_path / "round").symlink_to(tmp_path)
    assert [each[0].rpartition("/")[2] for each in sources(tmp_path)] == ["a.md"]


def test_the_digest_knows_content_title_meta_and_splitting():
    one, two = Splitter(400, 40), Splitter(300, 40)
    [plain] = sources({"text": "x", "title": "t"})
    [other] = sources({"text": "x", "title": "t", "meta": {"year": 1}})
    [changed] = sources({"text": "y", "title": "t"})
    digests = {one.digest(plain), one.digest(changed), one.digest(other), two.digest(plain)}
    assert len(digests) == 4


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("http://127.0.0.1:6333/books", "http://127.0.0.1:6333/books"),
        ("https://secret-77@q.example/path/below/%E4%B9%A6", "https://q.example/path/below/书"),
    ],
)
def test_an_address_of_qdrant_is_read_and_its_key_never_shown(where: str, shown: str):
    kept, root = store(Secret(where))
    assert (kept.where, root) == (shown, shown.rpartition("/")[0])
    assert "secret-77" not in f"{kept!r} {vars(kept)}"
    assert kept._key is None or kept._key.reveal() == "secret-77"  # type: ignore[attr-defined]
