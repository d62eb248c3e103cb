"""Batches: a job as a bar with its counts, the list of jobs, and the results with their failures first.

Ids and times differ from run to run and are marked; `text/plain` has none.
"""

from __future__ import annotations

from qwenkit.display.files import listing
from qwenkit.display.many import outcomes
from qwenkit.display.page import Bundle, bar, escape, foot, note, page, volatile
from qwenkit.display.text import line
from qwenkit.types.batch import Batch, BatchList, BatchResults, LineError

MAX_PROBLEMS = 5
MAX_NAME = 60
MAX_ERROR = 160


def batch(value: Batch) -> Bundle:
    said, counts = progress(value), value.counts
    problems = [_problem(each) for each in value.problems[:MAX_PROBLEMS]]
    if (hidden := len(value.problems) - MAX_PROBLEMS) > 0:
        problems.append(f"… {hidden:,} more problems")
    meter = bar(counts.done, counts.total, warn=2) if counts.total else ""
    window = f"within {line(value.completion_window, MAX_NAME)}" if value.completion_window else ""
    told = [escape(line(value.endpoint, MAX_NAME)), escape(window), volatile(line(value.id, MAX_NAME))]
    level = f'<p class="qk-level">{meter} {escape(said)}</p>'
    html = page("batch", level, *(note(each, "bad") for each in problems), foot(told))
    return {"text/plain": "\n".join([said, *problems]), "text/html": html}


def progress(value: Batch) -> str:
    """`nightly: in_progress, 120 of 400 lines, 2 failed`"""
    counts = value.counts
    parts = [line(value.status, MAX_NAME)]
    parts += [f"{counts.done:,} of {counts.total:,} lines"] if counts.total else []
    parts += [f"{counts.failed:,} failed"] if counts.failed else []
    return _name(value) + ", ".join(parts)


def _name(value: Batch) -> str:
    return f"{line(value.name, MAX_NAME)}: " if value.name else ""


def _problem(each: LineError) -> str:
    at = f"line {each.line}: " if each.line else ""
    return line(f"{at}{each.message or each.code}", MAX_ERROR)


def batches(value: BatchList) -> Bundle:
    return listing(value, ("batch", "status", "lines", "failed"), _row, frozenset({2, 3}))


def _row(value: Batch) -> list[str]:
    counts = value.counts
    name, status = line(value.name, MAX_NAME) or "–", line(value.status, MAX_NAME)
    return [name, status, f"{counts.done:,} of {counts.total:,}", f"{counts.failed:,}"]


def results(value: BatchResults) -> Bundle:
    failed = len(value.failed)
    counts = f"{_name(value.batch)}{len(value) - failed:,} of {len(value):,} answered"
    return outcomes(value, counts + (f", {failed:,} failed" if failed else ""), terms=" at half price")
