"""Batches: a job as a bar with its counts, the list of jobs, and the results with their failures first.

Ids and times differ from run to run and are marked; `text/plain` has none.
"""

from __future__ import annotations

from typing import Any

from qwenkit.display.files import short
from qwenkit.display.page import Bundle, bar, escape, foot, head, note, page, table, volatile
from qwenkit.display.text import columns, line
from qwenkit.display.watching import Watch
from qwenkit.types.batch import Batch, BatchList, BatchResults, FailedLine
from qwenkit.types.reply import Reply

MAX_ROWS = 12
MAX_ANSWERS = 5
MAX_FAILURES = 8
MAX_PROBLEMS = 5
MAX_NAME = 60
MAX_TEXT = 90
MAX_ERROR = 160

_HEADS = ("batch", "status", "lines", "failed")


def batch(value: Batch) -> Bundle:
    said = progress(value)
    problems = [_problem(each) for each in value.problems[:MAX_PROBLEMS]]
    hidden = len(value.problems) - len(problems)
    more = [f"… {hidden:,} more problems"] if hidden > 0 else []
    level = f'<p class="qk-level">{_meter(value)} {escape(said)}</p>'
    html = page("batch", level, *(note(each, "bad") for each in [*problems, *more]), foot(_facts(value)))
    return {"text/plain": "\n".join([said, *problems, *more]), "text/html": html}


def progress(value: Batch) -> str:
    """`nightly: in_progress, 120 of 400 lines, 2 failed`"""
    counts = value.counts
    name = f"{line(value.name, MAX_NAME)}: " if value.name else ""
    parts = [line(value.status, MAX_NAME)]
    parts += [f"{counts.done:,} of {counts.total:,} lines"] if counts.total else []
    parts += [f"{counts.failed:,} failed"] if counts.failed else []
    return name + ", ".join(parts)


def _meter(value: Batch) -> str:
    return bar(value.counts.done, value.counts.total, warn=2) if value.counts.total else ""


def _problem(each: Any) -> str:
    at = f"line {each.line}: " if each.line else ""
    return line(f"{at}{each.message or each.code}", MAX_ERROR)


def _facts(value: Batch) -> list[str]:
    window = f"within {line(value.completion_window, MAX_NAME)}" if value.completion_window else ""
    return [escape(line(value.endpoint, MAX_NAME)), escape(window), volatile(line(value.id, MAX_NAME))]


def batches(value: BatchList) -> Bundle:
    shown = value.rows[:MAX_ROWS]
    title = "1 batch" if len(value) == 1 else f"{len(value):,} batches"
    more = f"… {len(value) - MAX_ROWS:,} more batches" if len(value) > MAX_ROWS else ""
    rows = [_row(each) for each in shown]
    ids = [f'<small class="qk-short">{volatile(line(each.id, MAX_NAME))}</small>' for each in shown]
    cells = [[*map(short, row), name] for row, name in zip(rows, ids, strict=True)]
    grid = table([*_HEADS, "id"], cells, right=frozenset({2, 3})) if cells else ""
    plain = columns([_HEADS, *rows], frozenset({2, 3})) if rows else ""
    html = page("batch", head(title), grid, note(more))
    return {"text/plain": "\n".join(part for part in (title, plain, more) if part), "text/html": html}


def _row(value: Batch) -> list[str]:
    counts = value.counts
    name, status = line(value.name, MAX_NAME) or "–", line(value.status, MAX_NAME)
    return [name, status, f"{counts.done:,} of {counts.total:,}", f"{counts.failed:,}"]


def results(value: BatchResults) -> Bundle:
    failed = value.failed
    told = [_failure(each) for each in failed[:MAX_FAILURES]]
    rest = len(failed) - len(told)
    unsaid = [f"… {rest:,} more failures in results.failed"] if rest > 0 else []
    rows = [(str(at), _said(each)) for at, each in enumerate(value) if not isinstance(each, Exception)]
    shown, hidden = rows[:MAX_ANSWERS], len(rows) - MAX_ANSWERS
    more = [f"… {hidden:,} more answers"] if hidden > 0 else []
    title = _title(value, len(failed))
    cells = [[escape(cell) for cell in row] for row in shown]
    grid = table(("#", "answer"), cells, right=frozenset({0})) if cells else ""
    html = page(
        "batch", head(title), *(note(each, "bad") for each in [*told, *unsaid]), grid, *map(note, more), _foot(value)
    )
    plain = [title, *told, *unsaid, columns(shown, frozenset({0})), *more]
    return {"text/plain": "\n".join(part for part in plain if part), "text/html": html}


def _title(value: BatchResults, failed: int) -> str:
    answered = f"{len(value) - failed:,} of {len(value):,} answered"
    name = f"{line(value.batch.name, MAX_NAME)}: " if value.batch.name else ""
    return name + answered + (f", {failed:,} failed" if failed else "")


def _failure(each: FailedLine) -> str:
    message = getattr(each.error, "message", each.error)
    return line(f"{each.position}: {type(each.error).__name__}: {message}", MAX_ERROR)


def _said(each: Any) -> str:
    return line(each.text if isinstance(each, Reply) else repr(each), MAX_TEXT)


def _foot(value: BatchResults) -> str:
    usage, cost = value.usage, value.cost
    price = f"{'free (live ≈ ' if value.sandbox else '≈ '}{cost}{')' if value.sandbox else ''}" if cost else ""
    return foot(
        [
            escape(line(value.model, MAX_NAME)),
            "sandbox" if value.sandbox else "",
            f"{usage.prompt:,} + {usage.completion:,} tokens",
            f"{escape(price)} at half price" if price else "",
        ]
    )


def watch() -> Watching:
    return Watching()


class Watching:
    """The card of a job, redrawn while somebody waits for it."""

    def __init__(self) -> None:
        self._watch = Watch()

    def seen(self, value: Batch) -> None:
        draw = self._watch.end if value.ended else self._watch.draw
        draw(batch(value))
