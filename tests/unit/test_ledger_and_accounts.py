"""The ledger and the accounts: what calls used and cost, and the budget that refuses one before it is sent."""

from __future__ import annotations

import sys
import threading
import warnings
from typing import Any

import msgspec
import pytest

from qwenkit import catalogue
from qwenkit.api.accounts import Accounts, OpenCall
from qwenkit.errors import BudgetExceeded, BudgetWarning, ConfigError
from qwenkit.types.ledger import Ledger
from qwenkit.types.reply import Piece
from qwenkit.types.usage import CompletionDetails, Cost, PromptDetails, Usage

MODEL = "qwen-plus"
HI = [{"role": "user", "content": "Hi"}]
BIG = Usage(100_000, 10_000)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def accounts(**facts: Any) -> Accounts:
    made = Accounts(**{"region": "beijing", **facts})
    made.clock = Clock()
    return made


def finish(call: OpenCall, usage: Usage | None = BIG) -> Any:
    return call.finished(usage, model=MODEL, request_id="r-1", tries=2, streamed=True)


# -- one call -----------------------------------------------------------------------------------------------------


def test_a_finished_call_has_a_receipt_and_an_entry():
    books = accounts(sandbox=True)
    call = books.open("chat", MODEL, HI)
    books.clock.now += 0.5
    call.first(Piece(text="H"))
    books.clock.now += 0.1
    call.first(Piece(text="H"))
    books.clock.now += 0.9
    usage = Usage(100, 40, 140, PromptDetails(cached_tokens=60), CompletionDetails(reasoning_tokens=30))
    receipt = finish(call, usage)
    assert (receipt.model, receipt.request_id, receipt.tries, receipt.streamed) == (MODEL, "r-1", 2, True)
    assert receipt.sandbox
    assert receipt.first_token == pytest.approx(0.5)
    assert receipt.latency == pytest.approx(1.5)
    entry = books.ledger[0]
    assert (entry.number, entry.family, entry.model, entry.ok) == (1, "chat", MODEL, True)
    assert (entry.prompt, entry.completion, entry.reasoning, entry.cached, entry.total) == (100, 40, 30, 60, 140)
    assert (entry.cost, entry.first_token, entry.request_id) == (receipt.cost, receipt.first_token, "r-1")


def test_costs_come_from_the_catalogue_with_their_date():
    books = accounts()
    receipt = finish(books.open("chat", MODEL, HI))
    price = catalogue.price(MODEL, prompt=100_000, completion=10_000)
    assert price is not None
    assert receipt.cost == Cost(*price)
    assert receipt.cost.currency == "CNY"
    assert receipt.cost.dated


def test_thinking_is_priced_as_such():
    thought = Usage(1000, 1000, completion_tokens_details=CompletionDetails(reasoning_tokens=900))
    dear, cheap = accounts().cost(MODEL, thought), accounts().cost(MODEL, Usage(1000, 1000))
    assert dear is not None
    assert cheap is not None
    assert dear.amount > cheap.amount


def test_a_model_without_a_price_costs_nothing_known():
    books = accounts(budget="¥1")
    with pytest.warns(BudgetWarning, match="llama-of-my-own has no list price here: the budget does not count it"):
        receipt = finish(books.open("chat", "llama-of-my-own", HI))
    finish(books.open("chat", "llama-of-my-own", HI), Usage())  # said once: a second warning would be an error here
    assert receipt.cost is None
    assert (books.ledger.cost, books.ledger.tokens) == ({}, 110_000)


def test_a_call_without_usage_is_booked_with_zeros():
    books = accounts()
    receipt = finish(books.open("chat", MODEL, HI), None)
    assert (receipt.cost, books.ledger[0].total, books.ledger[0].ok) == (None, 0, True)


def test_a_failed_call_is_booked_once_with_what_was_billed():
    books = accounts()
    call = books.open("chat", MODEL, HI)
    call.failed(KeyboardInterrupt(), Usage(10, 5))
    call.failed(None)
    finish(call)
    assert [(entry.ok, entry.total) for entry in books.ledger] == [(False, 15)]


# -- the ledger ---------------------------------------------------------------------------------------------------


def filled() -> Ledger:
    ledger = Ledger()
    ledger.add(family="chat", model="a", prompt=10, completion=4, cost=Cost(0.5))
    ledger.add(family="chat", model="b", prompt=20, completion=6, cost=Cost(0.25, "USD"))
    ledger.add(family="chat", model="a", prompt=30, completion=8, cost=Cost(1.0))
    ledger.add(family="chat", model="a", ok=False)
    return ledger


def test_a_ledger_is_a_list_of_entries_with_totals():
    ledger = filled()
    assert (len(ledger), ledger.tokens, [entry.number for entry in ledger]) == (4, 78, [1, 2, 3, 4])
    assert ledger.cost == {"CNY": 1.5, "USD": 0.25}
    assert ledger[-1].ok is False
    assert {model: len(entries) for model, entries in ledger.by_model().items()} == {"a": 3, "b": 1}


def test_the_usual_answer_of_a_model_counts_only_answers():
    ledger = filled()
    assert [ledger.usual_answer(model) for model in "abc"] == [6, 6, 0]


def test_a_ledger_says_itself_in_a_line():
    assert repr(filled()) == "Ledger(4 calls, 78 tokens, ¥1.50, $0.2500 estimated)"
    assert repr(Ledger()) == "Ledger(0 calls, 0 tokens, ¥0 estimated)"


def test_to_frame_without_pandas_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        filled().to_frame()


def test_to_frame_hands_pandas_one_row_per_call(monkeypatch: pytest.MonkeyPatch):
    class Pandas:
        DataFrame = staticmethod(list)

    monkeypatch.setitem(sys.modules, "pandas", Pandas)
    rows = filled().to_frame()
    assert len(rows) == 4
    assert (rows[1]["model"], rows[1]["cost"], rows[1]["currency"]) == ("b", 0.25, "USD")
    assert (rows[3]["cost"], rows[3]["currency"]) == (None, None)


def test_threads_may_write_at_once():
    ledger = Ledger()

    def write() -> None:
        for _ in range(200):
            ledger.add(family="chat", model="a", prompt=1, cost=Cost(0.01))

    crowd = [threading.Thread(target=write) for _ in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert [entry.number for entry in ledger] == list(range(1, 1601))
    assert ledger.cost["CNY"] == pytest.approx(16.0)


# -- the budget ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "region", "money"),
    [
        (5, "beijing", Cost(5.0, "CNY")),
        (0.5, "singapore", Cost(0.5, "USD")),
        ("¥5", "singapore", Cost(5.0, "CNY")),
        ("￥2.50", "", Cost(2.5, "CNY")),
        ("$3", "beijing", Cost(3.0, "USD")),
        (" 7 ", "", Cost(7.0, "CNY")),
        (Cost(1.0, "USD"), "beijing", Cost(1.0, "USD")),
        (None, "beijing", None),
    ],
)
def test_a_budget_is_an_amount_in_the_regions_currency_or_its_own(given: Any, region: str, money: Cost | None):
    assert accounts(budget=given, region=region).ledger.budget == money


@pytest.mark.parametrize("given", ["plenty", "", [], "¥"])
def test_what_is_no_amount_is_refused(given: Any):
    with pytest.raises(ConfigError, match="is not an amount"):
        accounts(budget=given)


def test_without_a_budget_nothing_is_refused():
    books = accounts()
    for _ in range(5):
        finish(books.open("chat", "qwen-max", HI))


def test_a_call_that_would_pass_the_budget_is_refused_before_it_is_sent():
    books = accounts(budget="¥0.2")
    for _ in range(2):
        finish(books.open("chat", MODEL, HI))  # each costs a tenth
    with pytest.raises(BudgetExceeded, match="nothing was sent") as raised:
        books.open("chat", MODEL, HI)
    assert raised.value.hint.endswith("or lower max_tokens")
    for family, cure in (("speech", "a shorter text"), ("images", "fewer pictures"), ("videos", "a shorter clip")):
        with pytest.raises(BudgetExceeded, match=cure):
            books.open(family, MODEL, HI)
    with pytest.raises(BudgetExceeded, match="a shorter clip"):
        books.open("videos", "wan2.6-t2v", 0, 0)  # priced by the second, and nobody knows yet how many
    for seconds, lines, amount in ((2, 720, 1.2), (2, 1080, 2.0), (3, 0, 1.8)):
        cost = books.cost("wan2.6-t2v", Usage(seconds=seconds, lines=lines))
        assert cost is not None
        assert round(cost.amount, 6) == amount
    assert len(books.ledger) == 2


def test_it_warns_once_at_four_fifths():
    books = accounts(budget="¥0.25")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finish(books.open("chat", MODEL, HI, 10))
    finish(books.open("chat", MODEL, HI, 10), BIG)
    with pytest.warns(BudgetWarning, match=r"80% of the budget of ¥0\.25"):
        finish(books.open("chat", MODEL, HI, 10_000), Usage(1, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finish(books.open("chat", MODEL, HI, 10), Usage(1, 1))


def test_max_tokens_makes_the_estimate_exact():
    books = accounts(budget="¥0.001")
    with pytest.raises(BudgetExceeded):
        books.open("chat", MODEL, HI, 1000)  # 1000 tokens cost twice that
    books.open("chat", MODEL, HI, 100)


def test_calls_that_run_at_once_share_what_is_left():
    books = accounts(budget="¥0.01")
    running: list[OpenCall] = []

    def until_refused() -> None:
        while True:
            running.append(books.open("chat", MODEL, HI, 500))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(BudgetExceeded):
            until_refused()
    assert 5 <= len(running) < 100
    for call in running:
        call.failed(None)
    assert books._reserved == pytest.approx(0.0)
    books.open("chat", MODEL, HI, 500)


def test_a_warning_that_is_made_an_error_leaves_no_reservation():
    books = accounts(budget="¥0.002")
    with warnings.catch_warnings():
        warnings.simplefilter("error", BudgetWarning)
        with pytest.raises(BudgetWarning):
            books.open("chat", MODEL, HI, 900)
    assert books._reserved == pytest.approx(0.0)


def test_the_warning_points_at_the_line_that_called():
    import qwenkit as qk

    qwen = qk.Client(api_key="sk-0123456789abcdef", base_url="http://127.0.0.1:9", budget="¥0.002", max_retries=0)
    with pytest.warns(BudgetWarning) as seen, pytest.raises(qk.TransportError):
        qwen.chat("Hi", max_tokens=900)
    assert seen[0].filename == __file__


# -- money and usage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (Cost(0), "¥0"),
        (Cost(12.345), "¥12.35"),
        (Cost(0.1234), "¥0.1234"),
        (Cost(0.000123), "¥0.000123"),
        (Cost(1.5, "USD"), "$1.50"),
        (Cost(1.5, "EUR"), "EUR 1.50"),
    ],
)
def test_money_is_said_with_as_many_digits_as_matter(cost: Cost, said: str):
    assert str(cost) == said


def test_usage_reads_its_details_wherever_they_are():
    usage = msgspec.json.decode(
        b'{"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 3,'
        b'"image_tokens": 1, "video_tokens": 1, "cache_creation_input_tokens": 4},'
        b'"completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 1}}',
        type=Usage,
    )
    assert (usage.prompt, usage.completion, usage.total, usage.cached) == (9, 5, 14, 2)
    assert (usage.reasoning, usage.audio, usage.image, usage.cache_created) == (2, 4, 2, 4)
    empty = Usage()
    assert (empty.total, empty.cached, empty.reasoning, empty.audio, empty.image, empty.cache_created) == (0,) * 6


def test_a_part_of_a_cost_is_a_share_of_it():
    assert Cost(0.0015) / Cost(0.002) == pytest.approx(0.75)
    with pytest.raises(TypeError):
        Cost(1.0, "CNY") / Cost(1.0, "USD")


def test_a_sum_says_whose_price_it_does_not_know():
    ledger = Ledger()
    ledger.add(family="realtime", model="live-1", prompt=5)
    assert repr(ledger).endswith("estimated, without live-1: no list price known)")
    ledger.add(family="transcribe", model="live-2", seconds=2.0)
    ledger.add(family="chat", model="unused")
    assert ", without 2 models: no list price known" in ledger._repr_mimebundle_()["text/plain"].splitlines()[0]
