"""The card of many answers and the line that counts them: told in text alone, bounded, inert, without what varies."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hostile import HOSTILE
from inert import read

from qwenkit import errors
from qwenkit.display import bundle, many
from qwenkit.notebook.folding import without_volatile
from qwenkit.types.many import MapResults, StoredReceipt
from qwenkit.types.message import Message
from qwenkit.types.reply import Choice, Receipt, Reply
from qwenkit.types.usage import Cost, Usage


def reply(text: str, *, stored: bool = False) -> Reply:
    receipt = (StoredReceipt if stored else Receipt)(model="qwen-plus", cost=Cost(0.001, "CNY"))
    return Reply(choices=[Choice(text=text)], usage=Usage(3, 4, 7), model="qwen-plus", receipt=receipt)


def results(*outcomes: Any, prompts: Any = None) -> MapResults:
    found = MapResults(prompts or [f"prompt {at}" for at in range(len(outcomes))], lambda value: value)
    for at, outcome in enumerate(outcomes):
        if outcome is not None:
            found.put(at, f"prompt {at}", outcome)
            found.tries += 1
    found.finished = True
    return found


LIMITED = errors.RateLimited("slow down", status=429, code="limit_requests", hint="wait")


def test_plain_text_tells_the_story():
    value = results(*(reply(f"answer {at}") for at in range(8)))
    assert bundle(value)["text/plain"].splitlines() == [
        "8 of 8 answered, 24 + 32 tokens, ≈ ¥0.008000",
        "#  prompt    answer",
        *[f"{at}  prompt {at}  answer {at}" for at in range(5)],
        "… 3 more in results[i]",
    ]


def test_failures_are_grouped_by_kind_with_an_example():
    broken = errors.TransportError("reset", kind="reset")
    value = results(reply("a"), LIMITED, broken, LIMITED)
    plain = bundle(value)["text/plain"]
    assert plain.startswith("1 of 4 answered, 3 failed")
    assert (
        "2 failed with RateLimited 429 limit_requests, the first: [1] slow down\n1 failed with TransportError" in plain
    )
    card = bundle(value)["text/html"]
    assert card.index("RateLimited 429") < card.index("TransportError")
    assert "[1] slow down" in card


def test_kinds_of_failures_are_bounded():
    kinds = [errors.APIError("no", status=status) for status in range(400, 400 + many.MAX_KINDS + 3)]
    assert "… 3 more kinds" in bundle(results(*kinds))["text/html"]


def test_an_early_end_says_why_and_how_to_go_on():
    value = results(reply("a"), None, None)
    value.stopped = errors.AuthError("wrong key", status=401, hint="right it")
    value.remark = "Ended early: 1 answers are kept."
    shown = bundle(value)
    for text in shown.values():
        assert "AuthError: wrong key → right it" in text
        assert "1 of 3 answered, 2 not sent" in text
        assert value.remark in text


def test_times_and_second_tries_are_volatile_and_in_html_only():
    one, two = results(reply("a"), reply("b")), results(reply("a"), reply("b"))
    two.seconds, two.tries = 12.5, 9
    assert bundle(one)["text/plain"] == bundle(two)["text/plain"]
    assert "7 sent again" in bundle(two)["text/html"]
    one.seconds, one.tries = 3.1, 4
    assert without_volatile(bundle(one)["text/html"]) == without_volatile(bundle(two)["text/html"])


def test_costs_do_not_depend_on_the_order_of_arrival():
    amounts = [0.1, 0.2, 0.3, 1e-9, 0.7]
    orders = [range(5), reversed(range(5)), (2, 0, 4, 1, 3)]
    sums = set()
    for order in orders:
        found = MapResults(["p"] * 5, lambda value: value)
        for at in order:
            found.put(at, "p", Reply(receipt=Receipt(cost=Cost(amounts[at]))))
        sums.add(found.cost)
    assert len(sums) == 1


@pytest.mark.parametrize(
    ("prompt", "shown"),
    [
        ("plain", "plain"),
        ({"role": "user", "content": "in a dict"}, "in a dict"),
        ([Message.system("no"), Message.user("the last")], "the last"),
        ([{"role": "user", "content": [{"type": "text", "text": "a part"}]}], "a part"),
        (object(), "object"),
        ("x" * 1_000, "x" * (many.MAX_PROMPT - 1) + "…"),
    ],
)
def test_a_prompt_is_shown_by_its_words(prompt: Any, shown: str):
    value = results(reply("a"), prompts=[prompt])
    assert bundle(value)["text/plain"].splitlines()[-1].startswith(f"0  {shown}  ")


def test_prompts_of_a_generator_are_shown_where_they_are_kept():
    value = MapResults(iter(()), lambda value: value)
    for at in range(100):
        value.put(at, f"prompt {at}", LIMITED if at == 90 else reply(f"answer {at}"))
    value.finished = True
    assert "0  prompt 0  answer 0" in bundle(value)["text/plain"]
    assert value.failed_prompts == ["prompt 90"]
    assert value.prompt(60) is None


@pytest.mark.parametrize("text", [text for _, text in HOSTILE], ids=[name for name, _ in HOSTILE])
def test_whatever_is_said_the_card_is_inert(text: str):
    error = errors.APIError(text, status=400, code=text, hint=text)
    value = results(reply(text), error, prompts=[text, {"role": text, "content": text}])
    value.stopped, value.remark = error, text
    shown = bundle(value)
    read(shown["text/html"])
    read(many.progress(value)["text/html"])
    assert len(shown["text/html"]) < 60_000


# -- the line ---------------------------------------------------------------------------------------------------------


def plain(value: MapResults) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", many.progress(value)["text/html"]).split())


def test_the_line_counts_while_it_runs_and_ends_without_what_varies():
    value = MapResults(["a", "b", "c"], lambda value: value)
    value.width = 8
    value.put(0, "a", reply("x", stored=True))
    assert plain(value) == "1 of 3 answered, 1 of them from the checkpoint · 8 at once"
    value.put(1, "b", LIMITED)
    value.put(2, "c", reply("y"))
    value.finished = True
    assert plain(value) == "2 of 3 answered, 1 of them from the checkpoint, 1 failed"
    assert "qk-volatile" not in many.progress(value)["text/html"]


def test_a_length_nobody_knows_is_told_at_the_end():
    value = MapResults(iter("ab"), lambda value: value)
    value.put(0, "a", reply("x"))
    assert plain(value) == "1 answered"
    value.finished = True
    assert plain(value) == "1 of 1 answered"


def test_the_line_says_how_to_go_on():
    value = results(reply("x"))
    assert many.progress(value)["text/plain"] == "1 of 1 answered"
    value.remark = "Ended early."
    assert many.progress(value)["text/plain"] == "1 of 1 answered\nEnded early."
    assert plain(value) == "1 of 1 answered Ended early."
