"""Sending with patience: which failures to try again, how long to wait, when to stop.

A generator around one request. Waiting grows exponentially with jitter, `Retry-After` is honoured, and a total time
budget bounds it all. What will not heal (a wrong key, a wrong request, an empty allowance) is raised at once. A read
time-out is not repeated either: the service may still be working on, and billing, the first try.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import msgspec

from qwenkit.errors import APIError, TransportError
from qwenkit.protocol import failures
from qwenkit.protocol.flow import Answer, Flow, Pause, Request

_HEALING = {"connect", "reset"}


class Patience(msgspec.Struct, frozen=True):
    """How long to keep trying. `budget` is in seconds, over all tries and pauses of one call."""

    max_retries: int = 2
    first_pause: float = 0.5
    longest_pause: float = 60.0
    budget: float = 120.0
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random

    def pause(self, retry: int, asked: float | None) -> float:
        """Seconds before retry number `retry` (0 is the first); half fixed, half chance, so that crowds disperse."""
        if asked is not None:
            return asked
        full: float = min(self.longest_pause, self.first_pause * 2.0**retry)
        return full * (0.5 + 0.5 * self.jitter())


def send(request: Request, patience: Patience) -> Flow[Answer]:
    """The answer with a 2xx status, after as many tries as make sense; else the typed error."""
    started = patience.clock()
    retry = 0
    while True:
        error: APIError | TransportError
        try:
            answer: Answer = yield (request.renew() if request.renew else request)
        except TransportError as failed:
            error = failed
            error.request = request.name
        else:
            answer.tries = retry + 1
            if 200 <= answer.status < 300:
                return answer
            error = failures.from_answer(answer, request)
        error.tries = retry + 1
        wait = patience.pause(retry, getattr(error, "retry_after", None))
        if retry >= patience.max_retries or not may_heal(error):
            raise error
        if patience.clock() - started + wait > patience.budget:
            raise error
        yield Pause(wait)
        retry += 1


def may_heal(error: APIError | TransportError) -> bool:
    """Whether the same request may work later."""
    if isinstance(error, TransportError):
        return error.kind in _HEALING
    return error.retry == "yes" and (error.most_tries is None or error.tries <= error.most_tries)
