"""What `qwen.map(...)` gives back: every outcome in the order of the prompts, an answer or the error of that item.

The same value grows while the run is under way, so the progress line, an interrupted run and the finished card all
read it. It keeps texts, not wire bodies: beyond a bound `reply.raw` is let go, so ten thousand answers stay small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from qwenkit.types.outcomes import Outcomes
from qwenkit.types.reply import Receipt, Reply

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


class MapResults(Outcomes):
    """The outcomes of a run. `results[i]` belongs to prompt `i`; None where the run ended before it was its turn."""

    def __init__(self, prompts: Any, again: Callable[[MapResults], Any]) -> None:
        self.prompts: Sequence[Any] | None = prompts if isinstance(prompts, Sequence) else None
        self.total: int | None = len(prompts) if hasattr(prompts, "__len__") else None
        self.stopped: Exception | None = None  # the error that ended the run for all
        self.remark = ""  # how to go on after an interruption
        self.finished = self.sandbox = False
        self.answered = self.failures = 0  # how many ended in an answer, in an error
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

    def put(self, position: int, prompt: Any, outcome: Outcome) -> None:
        """Note how an item ended. A failed one may end again, better."""
        self._outcomes += [None] * (position + 1 - len(self._outcomes))
        self.failures -= isinstance(self._outcomes[position], Exception)
        self._outcomes[position] = outcome
        self._asked.pop(position, None)
        if self.prompts is None and (isinstance(outcome, Exception) or position < KEPT_PROMPTS):
            self._asked[position] = prompt
        if isinstance(outcome, Exception):
            self.failures += 1
            outcome.__traceback__ = outcome.__context__ = outcome.__cause__ = None  # frames would stay alive with it
        else:
            self.answered += 1
            self.resumed += isinstance(outcome.receipt, StoredReceipt)
            self._bodies += len(outcome.body)
            if self._bodies > KEPT_BODIES:
                outcome.body = b""

    def prompt(self, position: int) -> Any:
        """What was asked at a position, where it is known: always for a list, for failures of a generator too."""
        return self.prompts[position] if self.prompts is not None else self._asked.get(position)

    def __len__(self) -> int:
        return len(self._outcomes) if self.total is None else self.total

    def __iter__(self) -> Iterator[Outcome | None]:
        return (self[position] for position in range(len(self)))

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
        return self.answered == len(self) and self.stopped is None

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
        return len(self) - self.answered - self.failures

    def retry(self) -> Any:
        """Send what failed and what was never sent once more; gives the complete results, in the first order.

        After `aqwen.map` it is awaited.
        """
        return self._again(self)

    def __repr__(self) -> str:
        parts = [f"{len(self)} prompts", f"{self.answered} answered"]
        parts += [f"{self.failures} failed"] if self.failures else []
        parts += [f"{self.unsent} not sent"] if self.unsent else []
        return f"MapResults({', '.join(parts)})"
