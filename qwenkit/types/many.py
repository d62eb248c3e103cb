"""What `qwen.map(...)` gives back: every outcome in the order of the prompts, an answer or the error of that item.

The same value grows while the run is under way, so the progress line, an interrupted run and the finished card all
read it. It keeps texts, not wire bodies: beyond a bound `reply.raw` is let go, so ten thousand answers stay small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import fsum
from typing import Any, overload

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.reply import Receipt, Reply
from qwenkit.types.usage import Cost, Usage

KEPT_BODIES = 4_000_000  # bytes of wire answers kept for `reply.raw`, over a whole run
KEPT_PROMPTS = 20  # prompts of a generator that are kept for the card; those of a list are there anyway

Outcome = Reply | Exception


class StoredReceipt(Receipt):
    """The receipt of an answer that an earlier run was given and paid for; it came from the checkpoint file."""

    resumed: bool = True


class Failure(msgspec.Struct, frozen=True):
    """One item without an answer."""

    position: int
    prompt: Any
    error: Exception


class MapResults(Shown):
    """The outcomes of a run. `results[i]` belongs to prompt `i`; None where the run ended before it was its turn."""

    def __init__(self, prompts: Any, again: Callable[[MapResults], Any]) -> None:
        self.prompts: Sequence[Any] | None = prompts if isinstance(prompts, Sequence) else None
        self.total: int | None = len(prompts) if hasattr(prompts, "__len__") else None
        self.stopped: Exception | None = None  # the error that ended the run for all
        self.remark = ""  # how to go on after an interruption
        self.finished = self.sandbox = False
        self.resumed = self.tries = 0
        self.seconds = 0.0
        self.width = 0  # how many calls may be under way
        self.doing = ""  # what is waited for, where it is something else
        self.jobs: dict[str, str] = {}  # batch jobs, by what they were asked
        self.rest: Iterator[tuple[int, Any]] = iter(())  # what was not sent
        self._outcomes: list[Outcome | None] = []
        self._asked: dict[int, Any] = {}
        self._again = again
        self._bodies = 0
        self._answered = self._failed = 0

    def put(self, position: int, prompt: Any, outcome: Outcome) -> None:
        """Note how an item ended. A failed one may end again, better."""
        self._outcomes += [None] * (position + 1 - len(self._outcomes))
        self._failed -= isinstance(self._outcomes[position], Exception)
        self._outcomes[position] = outcome
        self._asked.pop(position, None)
        if self.prompts is None and (isinstance(outcome, Exception) or position < KEPT_PROMPTS):
            self._asked[position] = prompt
        if isinstance(outcome, Exception):
            self._failed += 1
            outcome.__traceback__ = outcome.__context__ = outcome.__cause__ = None  # frames would stay alive with it
        else:
            self._answered += 1
            self.resumed += isinstance(outcome.receipt, StoredReceipt)
            self._bodies += len(outcome.body)
            if self._bodies > KEPT_BODIES:
                outcome.body = b""

    def _billed(self) -> Iterator[Reply]:
        """The answers, also those that came and did not fit their schema."""
        for outcome in self:
            reply = getattr(outcome, "reply", None) if isinstance(outcome, Exception) else outcome
            if isinstance(reply, Reply):
                yield reply

    def prompt(self, position: int) -> Any:
        """What was asked at a position, where it is known: always for a list, for failures of a generator too."""
        return self.prompts[position] if self.prompts is not None else self._asked.get(position)

    def __len__(self) -> int:
        return len(self._outcomes) if self.total is None else self.total

    def __iter__(self) -> Iterator[Outcome | None]:
        return (self[position] for position in range(len(self)))

    @overload
    def __getitem__(self, position: int) -> Any: ...
    @overload
    def __getitem__(self, position: slice) -> list[Any]: ...
    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return [self[at] for at in range(*position.indices(len(self)))]
        at = position + len(self) if position < 0 else position
        if not 0 <= at < len(self):
            raise IndexError(f"there are {len(self)} results, none at {position}")
        return self._outcomes[at] if at < len(self._outcomes) else None

    @property
    def ok(self) -> bool:
        """Whether every prompt has its answer."""
        return self._answered == len(self) and self.stopped is None

    @property
    def answered(self) -> int:
        return self._answered

    @property
    def failures(self) -> int:
        """How many ended in an error."""
        return self._failed

    @property
    def texts(self) -> list[str | None]:
        """The answers' texts in order, None where there is no answer."""
        return [outcome.text if isinstance(outcome, Reply) else None for outcome in self]

    @property
    def values(self) -> list[Any]:
        """The typed values of a run with `schema=…`, None where there is no answer."""
        return [
            outcome.value if isinstance(outcome, Reply) and outcome.schema is not None else None for outcome in self
        ]

    @property
    def failed(self) -> list[Failure]:
        """The items that ended in an error, in order."""
        ended = enumerate(self._outcomes)
        return [Failure(at, self.prompt(at), error) for at, error in ended if isinstance(error, Exception)]

    @property
    def failed_prompts(self) -> list[Any]:
        return [failure.prompt for failure in self.failed]

    @property
    def unsent(self) -> int:
        """How many prompts were never answered nor refused; of a generator only those already taken are known."""
        return len(self) - self._answered - self._failed

    @property
    def usage(self) -> Usage:
        """All tokens, those of resumed answers included."""
        bills = [reply.usage for reply in self._billed() if reply.usage]
        counts = ("prompt", "completion", "total")
        return Usage(*(sum(getattr(bill, count) for bill in bills) for count in counts))

    @property
    def cost(self) -> Cost | None:
        """What the answers are estimated to have cost, each counted once, resumed ones included."""
        costs = [reply.cost for reply in self._billed() if reply.cost]
        # Summed so that the order in which they came makes no difference to the last digit.
        return Cost(fsum(cost.amount for cost in costs), costs[0].currency, costs[0].dated) if costs else None

    def retry(self) -> Any:
        """Send what failed and what was never sent once more; gives the complete results, in the first order.

        After `aqwen.map` it is awaited.
        """
        return self._again(self)

    def to_frame(self) -> Any:
        """One row per prompt as a pandas DataFrame (pandas is not a dependency; install it to use this)."""
        try:
            import pandas
        except ImportError as missing:
            raise ImportError("to_frame() needs pandas: run  pip install pandas  in this environment") from missing
        return pandas.DataFrame([self._row(at, outcome) for at, outcome in enumerate(self)])

    def _row(self, position: int, outcome: Outcome | None) -> dict[str, Any]:
        reply = outcome if isinstance(outcome, Reply) else Reply()
        return {
            "prompt": self.prompt(position),
            "text": reply.text if outcome is reply else None,
            "error": str(outcome) if isinstance(outcome, Exception) else None,
            "prompt_tokens": reply.usage.prompt if reply.usage else None,
            "completion_tokens": reply.usage.completion if reply.usage else None,
            "cost": reply.cost.amount if reply.cost else None,
            "tries": reply.receipt.tries,
        }

    def __repr__(self) -> str:
        parts = [f"{len(self)} prompts", f"{self._answered} answered"]
        parts += [f"{self._failed} failed"] if self._failed else []
        parts += [f"{self.unsent} not sent"] if self.unsent else []
        return f"MapResults({', '.join(parts)})"
