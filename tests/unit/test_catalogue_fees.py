"""What the service's own tools cost beside the tokens."""

from __future__ import annotations

import pytest

from qwenkit import catalogue


@pytest.mark.parametrize(
    ("region", "amount"),
    [("beijing", 0.012), ("singapore", 0.22017), ("ap-southeast-1", 0.22017), ("tokyo", 0.012), ("", 0.012)],
)
def test_searches_cost_by_region(region: str, amount: float):
    assert catalogue.fees({"web_search": 3}, region) == (pytest.approx(amount), "CNY")


def test_tools_that_are_free_or_unknown_add_nothing():
    assert catalogue.fees({"code_interpreter": 9, "web_extractor": 1, "brand_new": 5}) == (0.0, "CNY")
    assert catalogue.fees({}) == (0.0, "CNY")
    assert catalogue.fees({"web_search": 1, "code_interpreter": 9})[0] == pytest.approx(0.004)
