"""The task card: how it stands, what it made, what went wrong. It is redrawn while somebody waits.

Ids and times differ from run to run and are marked; `text/plain` leaves them out. Results are named, not linked.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from qwenkit.display.page import Bundle, bar, escape, facts, foot, head, note, page, price, seconds, table, volatile
from qwenkit.display.text import columns, line
from qwenkit.types.task import Task, TaskTable

MAX_URLS = 8
MAX_ROWS = 20
MAX_LINE = 120
MAX_MESSAGE = 400
_LEVELS = {"PENDING": 0.05, "RUNNING": 0.5}  # where the service counts no parts


def task(value: Task) -> Bundle:
    return {"text/plain": _plain(value), "text/html": card(value)}


def card(value: Task) -> str:
    rows = {"id": volatile(line(value.id, MAX_LINE)), "result": escape(_results(value))}
    return page(
        "task",
        head("Task", escape(value.status), escape(line(value.model, MAX_LINE))),
        "" if value.done else f'<p class="qk-level">{bar(_level(value), 1, warn=2)}</p>',
        facts(rows),
        note(_reason(value), "bad" if value.status == "FAILED" else "warn"),
        foot(_facts(value)),
    )


def _level(value: Task) -> float:
    told = value.metrics
    over, total = told.get("SUCCEEDED", 0) + told.get("FAILED", 0), told.get("TOTAL", 0)
    return max(over / total if total else 0.0, _LEVELS.get(value.status, 0.0))


def _facts(value: Task) -> list[str]:
    return [
        _parts(value),
        "sandbox" if value.receipt.sandbox else "",
        f"{value.usage.total:,} tokens" if value.usage and value.usage.total else "",
        escape(price(value.receipt.cost, value.receipt.sandbox)),
        volatile(_lasted(value)) if _lasted(value) else "",
    ]


def _parts(value: Task) -> str:
    told = value.metrics
    if told.get("TOTAL", 1) == 1:
        return ""
    bad = f", {told['FAILED']:,} failed" if told.get("FAILED") else ""
    return f"{told.get('SUCCEEDED', 0):,} of {told['TOTAL']:,} parts{bad}"


def _lasted(value: Task) -> str:
    """From its submission to its end; before that, how long somebody has waited."""
    times = value.times
    if "submitted" not in times or "ended" not in times:
        return "" if value.done or value.waited is None else f"waited {seconds(value.waited)}"
    begun, ended = _moment(times["submitted"]), _moment(times["ended"])
    return f"took {seconds((ended - begun).total_seconds())}" if begun and ended else ""


def _moment(told: str) -> datetime | None:
    try:
        return datetime.fromisoformat(told).replace(tzinfo=None)
    except ValueError:
        return None


def _results(value: Task) -> str:
    """What the results are called; their addresses are long, and dead after a day."""
    names = [line(urlsplit(url).path.rpartition("/")[2] or "a file", MAX_LINE) for url in value.urls[:MAX_URLS]]
    more = len(value.urls) - len(names)
    return ", ".join(names) + (f" and {more} more in task.urls" if more else "")


def _reason(value: Task) -> str:
    return line(f"{value.code}: {value.message}".strip(": "), MAX_MESSAGE)


def _plain(value: Task) -> str:
    told, tokens = _facts(value)[0], _facts(value)[2]
    results = f"result: {_results(value)}" if value.urls else ""
    lines = (_counts(value), results, _reason(value), ", ".join(part for part in (told, tokens) if part))
    return "\n".join(part for part in lines if part)


def _counts(value: Task) -> str:
    """`task SUCCEEDED · wan2.6-t2i`"""
    return " · ".join(part for part in (f"task {line(value.status, 40)}", line(value.model, MAX_LINE)) if part)


def tasks(value: TaskTable) -> Bundle:
    """A page of tasks as a table."""
    shown = value.rows[:MAX_ROWS]
    rest = f"… {value.total - len(shown)} more: page=2 and on" if value.total > len(shown) else ""
    html = [[escape(each.status), escape(line(each.model, MAX_LINE)), volatile(line(each.id, 40))] for each in shown]
    plain = columns([["status", "model"], *([each.status, line(each.model, MAX_LINE)] for each in shown)])
    body = table(["status", "model", "id"], html) if shown else note("No task in the last day.")
    text = "\n".join(part for part in (plain if shown else "no task in the last day", rest) if part)
    return {"text/plain": text, "text/html": page("tasks", head("Tasks"), body, note(rest))}
