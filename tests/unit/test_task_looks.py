"""Looking at tasks under the documented limit: many waits together, and a service that refuses for a while."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from itertools import count

import pytest

import qwenkit as qk
from qwenkit.api import tasks
from qwenkit.protocol.flow import Answer, Pause, Request

ALLOWED = 20  # looks a second, for all of an account


def played(answering: Callable[[float, int], Answer], waits: int = 1) -> list[float]:
    """When the service was asked, on a clock of our own; `answering` gets the moment and the number of the look."""
    now, looks, order = 0.0, [], count()
    with qk.Client(api_key="sk-x", base_url="http://127.0.0.1:9") as qwen:
        core = qwen._core
        core.accounts.clock = lambda: now
        flows = [tasks.ended(core, f"task-{each}", progress=False) for each in range(waits)]
        waiting = [(0.0, next(order), flow, None) for flow in flows]
        asked = dict.fromkeys(flows, 0)
        while waiting:
            now, _, flow, value = heapq.heappop(waiting)
            try:
                wanted = flow.send(value)
            except StopIteration:
                continue
            if isinstance(wanted, Pause):
                heapq.heappush(waiting, (now + wanted.seconds, next(order), flow, None))
            elif isinstance(wanted, Request):
                looks.append(now)
                asked[flow] += 1
                heapq.heappush(waiting, (now + 0.02, next(order), flow, answering(now, asked[flow])))
    return looks


def told(status: str) -> Answer:
    return Answer(200, {}, json.dumps({"output": {"task_id": "x", "task_status": status}}).encode())


def refused(code: str = "Throttling.RateQuota") -> Answer:
    return Answer(429, {}, json.dumps({"code": code, "message": "Requests rate limit exceeded"}).encode())


def test_many_waits_together_stay_under_the_limit():
    looks = played(lambda now, number: told("SUCCEEDED" if number > 4 else "RUNNING"), waits=60)
    assert len(looks) == 300
    assert all(later - first >= 1 for first, later in zip(looks, looks[ALLOWED:], strict=False))


def test_a_throttled_look_is_no_news_and_the_pauses_grow():
    looks = played(lambda now, number: told("SUCCEEDED") if now > 25 else refused())
    assert len(looks) < 25
    assert looks[-1] - looks[-2] > looks[1] - looks[0]
    with pytest.raises(qk.RateLimited):  # not for ever
        played(lambda now, number: refused())
