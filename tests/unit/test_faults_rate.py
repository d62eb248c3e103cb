"""Faults for a share of all requests: the same ones every time, about as many as asked for, until cleared."""

from __future__ import annotations

import pytest

from qwenkit.sandbox.faults import Faults


def met(faults: Faults, requests: int, path: str = "/chat/completions") -> list[str]:
    return [fault.kind if (fault := faults.take(path)) else "" for _ in range(requests)]


def test_a_rate_is_about_kept_and_the_same_every_time():
    one, two = Faults(), Faults()
    for faults in (one, two):
        faults.add("429", rate=0.05)
        faults.add("reset", rate=0.02)
    first = met(one, 10_000)
    assert first == met(two, 10_000)
    assert 400 < first.count("status") < 600
    assert 120 < first.count("reset") < 280


def test_a_rate_is_kept_apart_by_path_and_ends_when_cleared():
    faults = Faults()
    faults.add("500", path="/files", rate=1.0)
    assert met(faults, 3) == [""] * 3
    assert met(faults, 3, "/files/x") == ["status"] * 3
    faults.clear()
    assert met(faults, 3, "/files/x") == [""] * 3


@pytest.mark.parametrize("rate", [-0.1, 1.1, 5])
def test_a_rate_is_a_share(rate: float):
    with pytest.raises(ValueError, match="such as"):
        Faults().add("429", rate=rate)
