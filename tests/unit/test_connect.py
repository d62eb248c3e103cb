"""The first cell: what `connect` and `sandbox` refuse before anything is started."""

from __future__ import annotations

from typing import Any

import pytest

import qwenkit as qk


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({"regoin": "beijing"}, "region"),
        ({"modle": "qwen-plus"}, "model"),
        ({"region": "mars"}, "beijing"),
        ({"bogus": 1}, "api_key"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_wrong_setting_is_refused_even_without_a_key(settings: dict[str, Any], hint: str):
    with pytest.raises(qk.ConfigError) as raised:
        qk.connect(**settings)
    assert hint in raised.value.hint


def test_the_sandbox_names_what_it_knows():
    with pytest.raises(qk.ConfigError, match="no setting 'bogus'"):
        qk.sandbox(bogus=1)


def test_one_sandbox_serves_the_process_and_a_fresh_one_is_another():
    one, two, three = qk.connect(), qk.connect(), qk.sandbox(fresh=True)
    assert one.box is two.box
    assert three.box is not one.box
    three.box.stop()


@pytest.mark.parametrize("budget", [-1, "-¥5", "plenty", float("nan"), float("inf")])
def test_a_budget_is_an_amount(budget: Any):
    with pytest.raises(qk.ConfigError, match="not an amount"):
        qk.sandbox(budget=budget)


def test_a_budget_in_another_currency_than_the_prices_holds_as_well():
    generous, tight = qk.sandbox(budget="$5"), qk.sandbox(budget="$0.00001")
    assert generous.chat("Hi").cost
    with pytest.raises(qk.BudgetExceeded, match=r"\$"):
        tight.chat("Hi")


def test_a_misspelt_model_is_told_its_neighbours():
    with pytest.raises(qk.NotFound) as raised:
        qk.connect().chat("Hi", model="qwen-pluss")
    assert "did you mean qwen-plus" in raised.value.hint


def test_only_streams_can_be_shown():
    with pytest.raises(qk.ConfigError, match="of type str"):
        qk.show("Hello")


def test_values_print_as_they_would_show():
    talk = qk.connect().conversation()
    talk("My name is Ada.")
    assert "user: My name is Ada." in str(talk)
    assert "1 call" in str(qk.sandbox(fresh=True).usage) or "calls" in str(qk.sandbox(fresh=True).usage)


@pytest.mark.parametrize("timeout", [-1, 0, "soon", [1], float("nan")])
def test_a_time_out_is_a_number_of_seconds(timeout: Any):
    with pytest.raises(qk.ConfigError, match="timeout cannot be"):
        qk.connect().chat("Hi", timeout=timeout)


def test_a_turn_may_name_another_model_but_no_other_system_message():
    talk = qk.connect().conversation()
    assert talk("Hi", model="qwen-max").model == "qwen-max"
    with pytest.raises(qk.ConfigError, match="system message"):
        talk("Hi", system="Be terse.")
