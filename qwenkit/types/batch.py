"""Batches: a job as the service tells of it, the list of jobs, and the results in the order of the prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from qwenkit.types._shown import Shown
from qwenkit.types.files import Rows
from qwenkit.types.outcomes import Outcomes

ENDED = ("completed", "failed", "expired", "cancelled")


class Counts(msgspec.Struct, frozen=True):
    """How many lines a job has, and how they fared so far."""

    total: int = 0
    completed: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        return self.completed + self.failed


class LineError(msgspec.Struct, frozen=True):
    """What was wrong with a line of the input file; lines count from 1."""

    code: str = ""
    message: str = ""
    param: str | None = None
    line: int | None = None


class LineErrors(msgspec.Struct, frozen=True):
    data: list[LineError] = []


class Batch(Shown, msgspec.Struct, frozen=True, rename={"counts": "request_counts"}):
    """One job. It goes on whether anybody looks or not; `qwen.batches.get(id)` looks again, also tomorrow."""

    id: str = ""
    status: str = ""
    endpoint: str = ""
    input_file_id: str = ""
    output_file_id: str | None = None
    error_file_id: str | None = None
    completion_window: str = ""
    counts: Counts = Counts()
    errors: LineErrors | None = None
    metadata: dict[str, Any] | None = None
    created_at: int | None = None
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    cancelled_at: int | None = None

    @property
    def name(self) -> str:
        return str((self.metadata or {}).get("ds_name") or "")

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def problems(self) -> list[LineError]:
        """What kept a failed job from beginning, line by line."""
        return self.errors.data if self.errors else []

    def __repr__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        return f"Batch({name}{self.status}, {self.counts.done} of {self.counts.total} lines)"


class BatchList(Rows[Batch]):
    """What `qwen.batches.list()` gives."""

    kinds = ("batch", "batches")


class FailedLine(msgspec.Struct, frozen=True):
    """A prompt without an answer: its place in the list, and the error, typed as if it had been a call."""

    position: int
    custom_id: str
    error: Exception


class BatchResults(Outcomes, Sequence[Any]):
    """`results[i]` answers prompt `i`: a `Reply` (for texts to embed an `Embeddings`), or the error of that line."""

    def __init__(self, batch: Batch, outcomes: dict[str, Any], *, model: str = "", sandbox: bool = False) -> None:
        self.batch = batch
        self.model = model
        self.sandbox = sandbox
        self._names = list(outcomes)
        self._outcomes = list(outcomes.values())

    def __len__(self) -> int:
        return len(self._outcomes)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._outcomes)

    def __getitem__(self, place: Any) -> Any:
        """The outcome at a position, or of a `custom_id`."""
        return self._outcomes[self._names.index(place) if isinstance(place, str) else place]

    @property
    def ok(self) -> bool:
        """Whether every line has its answer."""
        return not self.failed

    @property
    def failed(self) -> list[FailedLine]:
        rows = enumerate(zip(self._names, self._outcomes, strict=True))
        return [FailedLine(at, name, each) for at, (name, each) in rows if isinstance(each, Exception)]

    @property
    def answered(self) -> list[Any]:
        return [each for each in self if not isinstance(each, Exception)]

    def __repr__(self) -> str:
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"BatchResults({len(self)} lines{failed})"
