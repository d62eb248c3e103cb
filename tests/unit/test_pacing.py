"""The pace of many calls, on a clock that only these tests move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwenkit.protocol.pacing import Pace, Window


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def paced(most: int = 16, **limits: float) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(most, clock=clock, jitter=lambda: 1.0, **limits), clock  # type: ignore[arg-type]


def begun(pace: Pace, clock: Clock, calls: int, prompt: int = 0) -> list[float]:
    """When each of so many calls may begin, one after the other, as soon as it may."""
    moments = []
    for _ in range(calls):
        while (wait := pace.wait(prompt)) > 0:
            clock.now += wait
        moments.append(clock.now)
    return moments


amounts = st.lists(st.integers(1, 3_000), min_size=1, max_size=60)


@given(st.floats(1, 100_000), amounts)
def test_no_second_holds_more_than_a_sixtieth_of_the_limit(per_minute: float, spent: list[int]):
    window, now, log = Window(per_minute), 0.0, []
    for amount in spent:
        for _ in range(100):
            if (wait := window.wait(now, amount)) <= 0:
                break
            now += wait
        window.spend(now, amount)
        log.append((now, amount))
    for start, first in log:
        held = sum(amount for moment, amount in log if start <= moment < start + window.span * 0.999)
        assert held <= max(window.most, first)


@given(st.floats(1, 100_000), amounts)
def test_the_limit_is_used_up_and_not_less(per_minute: float, spent: list[int]):
    window, now = Window(per_minute), 0.0
    for amount in spent:
        while (wait := window.wait(now, amount)) > 0:
            now += wait
        window.spend(now, amount)
    fair = sum(max(window.span * amount / window.most, 0) for amount in spent)
    assert now <= 2 * fair + window.span * 2  # at worst every second slice stays half empty


def test_requests_go_in_slices_of_a_second():
    pace, clock = paced(rpm=600)
    moments = begun(pace, clock, 25)
    assert moments == [1000.0] * 10 + [1001.0] * 10 + [1002.0] * 5


def test_fewer_than_one_a_second_are_spaced():
    pace, clock = paced(rpm=30)
    assert begun(pace, clock, 3) == [1000.0, 1002.0, 1004.0]


def test_tokens_are_counted_with_the_answer_they_will_have():
    pace, clock = paced(tpm=60_000)
    assert begun(pace, clock, 6, prompt=300) == [1000.0, 1000.0, 1001.0, 1001.0, 1002.0, 1002.0]


def test_a_prompt_larger_than_a_slice_goes_alone_and_takes_its_share_of_the_minute():
    pace, clock = paced(tpm=60_000)
    assert begun(pace, clock, 2, prompt=4_900) == [1000.0, 1005.0]
    assert begun(pace, clock, 1, prompt=10)[0] == 1010.0


def test_bills_correct_the_estimate():
    pace, clock = paced(tpm=60_000)
    begun(pace, clock, 1, prompt=100)
    pace.answered(clock.now, prompt=100, total=1_100)  # 1,000 for the answer, not the 100 that were guessed
    assert begun(pace, clock, 1, prompt=100)[0] == 1001.0
    clock.now += 60
    assert begun(pace, clock, 2, prompt=100)[1] - clock.now == 0
    pace.answered(clock.now, prompt=100, total=110)
    clock.now += 60
    learnt = begun(pace, clock, 2, prompt=100)
    assert learnt[1] - learnt[0] == pytest.approx(1.0)  # (1,000 + 10) / 2 and the prompt: two do not fit a slice


def test_without_limits_nothing_waits():
    pace, clock = paced()
    assert begun(pace, clock, 1_000, prompt=1_000) == [1000.0] * 1_000
    assert not pace.counts_tokens


def test_a_refusal_halves_the_width_and_holds_everybody_back():
    pace, clock = paced(16)
    pace.refused(clock.now)
    assert pace.width == 8
    assert pace.wait() == 0.5
    clock.now += 0.5
    assert pace.wait() == 0


def test_a_wave_of_refusals_slows_down_once():
    pace, clock = paced(16)
    started = clock.now
    for _ in range(16):
        clock.now += 0.01
        pace.refused(started)
    assert pace.width == 8
    assert pace.in_a_row == 1


def test_pauses_grow_while_nothing_is_answered_and_start_anew_after_an_answer():
    pace, clock = paced(16)
    pauses = []
    for _ in range(9):
        pace.refused(clock.now)
        pauses.append(pace.wait())
        clock.now += pauses[-1]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert pace.width == 1
    pace.answered(clock.now)
    pace.refused(clock.now)
    assert pace.wait() == 0.5


def test_retry_after_is_honoured_even_within_a_wave():
    pace, clock = paced(16)
    started = clock.now
    pace.refused(started, 3.0)
    clock.now += 1
    pace.refused(started, 5.0)
    assert pace.wait() == 5.0
    assert pace.width == 8


def test_one_more_joins_after_each_round_of_answers():
    pace, clock = paced(8)
    pace.refused(clock.now)
    clock.now += 1
    grown = [pace.answered(clock.now) for _ in range(4 + 5)]
    assert grown == [False] * 3 + [True] + [False] * 4 + [True]
    assert pace.width == 6
    for _ in range(100):
        pace.answered(clock.now)
    assert pace.width == 8  # and never above what was asked for


def test_answers_to_calls_from_before_the_cut_say_nothing():
    pace, clock = paced(4)
    started = clock.now
    clock.now += 1
    pace.refused(started)
    assert not any(pace.answered(started) for _ in range(10))
    assert pace.in_a_row == 1
