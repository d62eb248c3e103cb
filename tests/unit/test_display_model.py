"""One model as a card: its facts, dated prices, and nothing that could be markup."""

from __future__ import annotations

import msgspec

from qwenkit import catalogue
from qwenkit.display import bundle


def test_a_model_shows_what_it_reads_writes_and_costs():
    facts = catalogue.model("qwen-plus")
    assert facts is not None
    plain = bundle(facts)["text/plain"]
    assert plain.startswith("qwen-plus\n")
    assert "997,952 tokens" in plain
    assert "¥0.8 / 2" in plain
    assert facts.prices[0].dated in plain


def test_a_name_with_markup_stays_text():
    facts = catalogue.model("qwen-plus")
    assert facts is not None
    html = bundle(msgspec.structs.replace(facts, name="<img src=x onerror=alert(1)>"))["text/html"]
    assert "<img" not in html


def test_every_model_of_the_catalogue_has_a_card():
    for facts in catalogue.models():
        assert "text/html" in bundle(facts), facts.name
