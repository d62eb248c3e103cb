"""How fast many calls may go: limits per minute, how many at once, and when to hold back.

The service counts requests and tokens a minute, and refuses a burst within one second as well, so each limit is kept
in slices of a sixtieth. When it refuses all the same, everybody waits and half as many go on (`refused`); then one more
joins after each round of answers (`answered`). Pure arithmetic over a clock that is handed in; the waiting itself is
done by `qwenkit.api.crew`.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable

_GUESSED_ANSWER = 100.0  # tokens an answer is taken to have before the first one came
_REMEMBERED = 20  # answers the guess averages over


class Window:
    """One limit per minute: at most a sixtieth of it in any second; what is larger than that goes alone, and lasts."""

    def __init__(self, per_minute: float) -> None:
        self.rate = per_minute / 60
        self.most = max(1.0, float(int(self.rate)))
        self.span = self.most / self.rate
        self._spent: deque[tuple[float, float]] = deque()  # (until when it counts, how much)
        self._sum = 0.0

    def wait(self, now: float, amount: float) -> float:
        """Seconds until `amount` fits."""
        while self._spent and self._spent[0][0] <= now:
            self._sum -= self._spent.popleft()[1]
        left, until = self._sum, now
        for ends, spent in self._spent:
            if left + amount <= self.most:
                break
            left, until = left - spent, ends
        return until - now

    def spend(self, now: float, amount: float) -> None:
        self._spent.append((now + max(self.span, amount / self.rate), amount))
        self._sum += amount


class Pace:
    """The pace of one run. `width` is how many calls may be under way now, never above `most`."""

    def __init__(
        self,
        most: int,
        *,
        rpm: float | None = None,
        tpm: float | None = None,
        first_pause: float = 0.5,
        longest_pause: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.most = self.width = most
        self.clock = clock
        self.counts_tokens = tpm is not None
        self.in_a_row = 0  # waves of refusals since the last answer
        self._pauses = first_pause, longest_pause
        self._jitter = jitter
        self._requests = Window(rpm) if rpm else None
        self._tokens = Window(tpm) if tpm else None
        self._answer, self._answers = _GUESSED_ANSWER, 0
        self._hold = self._cut = float("-inf")
        self._streak = 0

    def wait(self, prompt: int = 0) -> float:
        """Seconds until a call with so many prompt tokens may begin; 0 when it may, and then it counts as begun."""
        now = self.clock()
        costs = [(self._requests, 1.0), (self._tokens, prompt + self._answer)]
        told = [(window, amount) for window, amount in costs if window is not None]
        longest = max([self._hold - now, *(window.wait(now, amount) for window, amount in told)])
        if longest > 0:
            return longest
        for window, amount in told:
            window.spend(now, amount)
        return 0.0

    def answered(self, started: float, prompt: int = 0, total: int = 0) -> bool:
        """An answer came. True when one more call may now be under way."""
        if self._tokens is not None and total:
            self._learn(prompt, total)
        if started <= self._cut:  # begun before the last refusal: it says nothing about the pace since
            return False
        self.in_a_row = 0
        self._streak += 1
        if self.width >= self.most or self._streak < self.width:
            return False
        self.width, self._streak = self.width + 1, 0
        return True

    def _learn(self, prompt: int, total: int) -> None:
        """The bill corrects the estimate: an overrun counts from now, and the next guesses are better."""
        assert self._tokens is not None
        if (over := total - prompt - self._answer) > 0:
            self._tokens.spend(self.clock(), over)
        self._answers = min(self._answers + 1, _REMEMBERED)
        self._answer += (total - prompt - self._answer) / self._answers

    def refused(self, started: float, asked: float | None = None) -> None:
        """The service turned away a call begun at `started` for being one too many; `asked` is its Retry-After.

        Calls that were under way together are refused together: only the first of such a wave slows the run down.
        """
        now = self.clock()
        if asked is not None:
            self._hold = max(self._hold, now + asked)
        if started <= self._cut:
            return
        self._cut, self._streak = now, 0
        self.width = max(1, self.width // 2)
        self.in_a_row += 1
        if asked is None:
            first, longest = self._pauses
            pause = min(longest, first * 2.0 ** min(self.in_a_row - 1, 20))
            self._hold = max(self._hold, now + pause * (0.5 + 0.5 * self._jitter()))
