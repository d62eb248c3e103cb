"""Sending with patience, driven by hand: no I/O, no clock, no chance."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qwenkit import errors
from qwenkit.protocol.flow import Answer, Flow, Pause, Request
from qwenkit.protocol.retry import Patience, send

REQUEST = Request("POST", "https://host.example/compatible-mode/v1/chat/completions")
GOOD = Answer(200, {}, b"{}")


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def answer(status: int, code: str = "", message: str = "…", **headers: str) -> Answer:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, told, f'{{"code": "{code}", "message": "{message}"}}'.encode())


def run(
    flow: Flow[Answer], *outcomes: Answer | errors.TransportError, clock: Clock | None = None
) -> tuple[Answer, list[float]]:
    """Answer the flow's requests one after the other; what came out, and how long it wanted to wait in between."""
    waits: list[float] = []
    step = next(flow)
    for outcome in outcomes:
        assert step is REQUEST
        try:
            step = flow.send(outcome) if isinstance(outcome, Answer) else flow.throw(outcome)
            while isinstance(step, Pause):
                waits.append(step.seconds)
                if clock:
                    clock.now += step.seconds
                step = flow.send(None)
        except StopIteration as over:
            return over.value, waits
    raise AssertionError("the flow wants another answer")


def patience(jitter: Callable[[], float] = lambda: 1.0, clock: Clock | None = None, **settings: float) -> Patience:
    return Patience(jitter=jitter, clock=clock or Clock(), **settings)  # type: ignore[arg-type]


# -- what is tried again -------------------------------------------------------------------------------------------


def test_a_good_answer_comes_back_at_once():
    got, waits = run(send(REQUEST, patience()), answer(200))
    assert (got.status, got.tries, waits) == (200, 1, [])


@pytest.mark.parametrize(
    "failed",
    [
        answer(408, "RequestTimeOut"),
        answer(409),
        answer(429, "limit_requests"),
        answer(429, "Throttling.BurstRate"),
        answer(
            429, "insufficient_quota", "You exceeded your current quota, please check your plan and billing details."
        ),
        answer(500, "internal_error"),
        answer(502),
        answer(503, "ModelUnavailable"),
        answer(504),
        answer(400, "InvalidURL.Timeout"),
        answer(400, "InvalidParameter", "File parsing in progress, please try again later."),
        errors.TransportError("refused", kind="connect"),
        errors.TransportError("reset", kind="reset"),
    ],
    ids=str,
)
def test_what_may_heal_is_tried_again(failed: Answer | errors.TransportError):
    got, waits = run(send(REQUEST, patience()), failed, GOOD)
    assert (got.status, got.tries, len(waits)) == (200, 2, 1)


@pytest.mark.parametrize(
    ("failed", "kind"),
    [
        (answer(400, "InvalidParameter", "Range of n should be [1, 4]"), errors.InvalidRequest),
        (answer(400), errors.InvalidRequest),
        (answer(400, "Arrearage"), errors.QuotaExceeded),
        (answer(400, "data_inspection_failed"), errors.ContentRejected),
        (answer(401, "invalid_api_key"), errors.AuthError),
        (answer(403, "AccessDenied"), errors.PermissionDenied),
        (answer(404, "model_not_found"), errors.NotFound),
        (answer(422), errors.InvalidRequest),
        (answer(429, "insufficient_quota", "Free allocated quota exceeded."), errors.QuotaExceeded),
        (answer(429, "PrepaidBillOverdue"), errors.QuotaExceeded),
        (answer(500, "InternalError.Algo", "Role must be in [user, assistant]"), errors.InvalidRequest),
        (errors.TransportError("slow", kind="timeout"), errors.TransportError),
        (errors.TransportError("unknown host", kind="dns"), errors.TransportError),
        (errors.TransportError("certificate", kind="tls"), errors.TransportError),
        (errors.TransportError("proxy", kind="proxy"), errors.TransportError),
    ],
)
def test_what_will_not_heal_is_raised_at_once(failed: Answer | errors.TransportError, kind: type[errors.QwenError]):
    with pytest.raises(kind) as raised:
        run(send(REQUEST, patience()), failed)
    assert raised.value.tries == 1
    assert raised.value.request == "POST /compatible-mode/v1/chat/completions"
    assert "tried" not in str(raised.value)


def test_the_last_error_says_how_often_it_was_tried():
    with pytest.raises(errors.RateLimited) as raised:
        run(send(REQUEST, patience()), *[answer(429, "limit_requests")] * 3)
    assert raised.value.tries == 3
    assert "tried 3 times" in str(raised.value)


def test_the_last_error_is_the_one_that_counts():
    with pytest.raises(errors.AuthError) as raised:
        run(send(REQUEST, patience()), answer(500), errors.TransportError("gone", kind="reset"), answer(401))
    assert raised.value.tries == 3


@pytest.mark.parametrize("most", [0, 1, 5])
def test_max_retries_is_how_often_it_tries_again(most: int):
    with pytest.raises(errors.ServerError) as raised:
        run(send(REQUEST, patience(max_retries=most)), *[answer(500)] * (most + 1))
    assert raised.value.tries == most + 1


def test_codes_with_a_cap_of_their_own_stop_there():
    with pytest.raises(errors.InvalidRequest) as raised:
        run(send(REQUEST, patience(max_retries=9)), *[answer(400, "InvalidURL.Timeout")] * 10)
    assert raised.value.tries == 3  # the pages say: at most two more tries


# -- how long it waits ---------------------------------------------------------------------------------------------


def test_waits_double_up_to_a_bound():
    _, waits = run(
        send(REQUEST, patience(max_retries=6, first_pause=1.0, longest_pause=10.0)), *[answer(500)] * 6, GOOD
    )
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize(("chance", "share"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_half_of_a_wait_is_chance(chance: float, share: float):
    _, waits = run(send(REQUEST, patience(jitter=lambda: chance, first_pause=4.0)), answer(500), answer(500), GOOD)
    assert waits == [4.0 * share, 8.0 * share]


def test_the_usual_jitter_stays_within_its_bounds():
    usual = Patience()
    waits = [usual.pause(2, None) for _ in range(200)]
    assert all(1.0 <= wait <= 2.0 for wait in waits)
    assert len(set(waits)) > 100


def test_retry_after_is_obeyed_and_replaces_the_back_off():
    flow = send(REQUEST, patience())
    failing = [answer(429, "limit_requests", retry_after="7"), answer(429, "limit_requests", retry_after_ms="250")]
    assert run(flow, *failing, GOOD)[1] == [7.0, 0.25]


# -- the budget of time --------------------------------------------------------------------------------------------


def test_a_wait_that_would_pass_the_budget_is_not_begun():
    clock = Clock()
    flow = send(REQUEST, patience(clock=clock, max_retries=9, first_pause=4.0, budget=20.0))
    with pytest.raises(errors.ServerError) as raised:
        run(flow, *[answer(500)] * 9, clock=clock)
    assert clock.now == 12.0  # 4 + 8; another 16 would end at 28
    assert raised.value.tries == 3


def test_the_time_a_try_takes_counts_too():
    clock = Clock()
    flow = send(REQUEST, patience(clock=clock, budget=20.0))
    assert next(flow) is REQUEST
    clock.now = 19.9
    with pytest.raises(errors.ServerError):
        flow.send(answer(503))


@pytest.mark.parametrize("asked", ["3600", "inf"])
def test_a_retry_after_beyond_the_budget_is_not_waited_for(asked: str):
    with pytest.raises(errors.RateLimited) as raised:
        run(send(REQUEST, patience()), answer(429, "limit_requests", retry_after=asked))
    assert raised.value.retry_after == float(asked)
    assert raised.value.tries == 1


def test_what_is_no_failure_of_the_wire_passes_through():
    flow = send(REQUEST, patience())
    next(flow)
    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt())
    flow = send(REQUEST, patience())
    next(flow)
    flow.close()
