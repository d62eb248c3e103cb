"""What became of many prompts, whichever way they were sent: an answer for each, or the error it ended with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import fsum
from typing import Any

from qwenkit.types._shown import Shown
from qwenkit.types.reply import Reply
from qwenkit.types.usage import Cost, Usage


class Outcomes(Shown, ABC):
    """Iterates over the outcomes in the order of the prompts."""

    @abstractmethod
    def __iter__(self) -> Iterator[Any]: ...

    @property
    def texts(self) -> list[str | None]:
        """The answers' texts in order, None where there is no answer."""
        return [each.text if isinstance(each, Reply) else None for each in self]

    @property
    def values(self) -> list[Any]:
        """The typed values of answers to `schema=…`, None where there is no answer."""
        return [each.value if isinstance(each, Reply) and each.schema is not None else None for each in self]

    def _billed(self) -> Iterator[Any]:
        """The answers, also those that came and did not fit their schema."""
        for each in self:
            answer = getattr(each, "reply", None) if isinstance(each, Exception) else each
            if getattr(answer, "usage", None):
                yield answer

    @property
    def usage(self) -> Usage:
        """All tokens, those of answers from a checkpoint included."""
        bills = [answer.usage for answer in self._billed()]
        return Usage(*(sum(getattr(bill, count) for bill in bills) for count in ("prompt", "completion", "total")))

    @property
    def cost(self) -> Cost | None:
        """What the answers are estimated to have cost, each counted once; in a batch half of the ordinary price."""
        costs = [answer.cost for answer in self._billed() if answer.cost]
        # Summed so that the order in which they came makes no difference to the last digit.
        return Cost(fsum(cost.amount for cost in costs), costs[0].currency, costs[0].dated) if costs else None
