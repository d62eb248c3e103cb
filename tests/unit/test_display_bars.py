"""Shares as bars: the numbers stand in the text, the picture is drawn from the same numbers."""

from __future__ import annotations

import base64
from collections import Counter

from qwenkit.display.bars import MAX_NAMES, MAX_PANELS, REST, bars


def test_the_text_is_the_table_of_shares():
    chart = bars({"cold": Counter(Blue=199, Red=1), "hot": Counter(Blue=100, Green=60, Red=40)})
    assert [row.split() for row in chart.alt.splitlines()] == [
        ["cold", "hot"],
        ["Blue", "100%", "50%"],
        ["Green", "·", "30%"],
        ["Red", "<1%", "20%"],
    ]


def test_rare_names_become_one_row_and_nothing_is_lost():
    table = bars({"all": {f"name {n}": 1 for n in range(40)}}).alt
    assert len(table.splitlines()) == 1 + MAX_NAMES
    assert table.splitlines()[-1].split() == [REST, "78%"]


def test_more_panels_than_fit_are_left_out():
    assert bars({f"panel{n}": {"a": 1} for n in range(20)}).alt.splitlines()[0].count("panel") == MAX_PANELS


def test_nothing_measured_still_draws():
    for nothing in ({}, {"empty": {}}, {"zero": {"a": 0}}):
        assert picture(nothing).startswith(b"\x89PNG")


def test_chinese_names_draw_without_a_warning_and_twice_the_same():
    measured = {"温度 0.7": {"橘猫": 3, "": 1, "a\nb" * 40: 1}}
    assert picture(measured) == picture(measured)


def picture(measured: dict[str, dict[str, float]]) -> bytes:
    return base64.b64decode(bars(measured)._repr_mimebundle_()["image/png"])
