"""Where tasks are kept, one row each; and the list of them, page by page."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from qwenkit import catalogue
from qwenkit.sandbox.errors import invalid
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

Json = dict[str, Any]
DAY = 24 * 3600.0
_CHINA = timezone(timedelta(hours=8))
_LARGEST_PAGE = 100
_ACCOUNT = {"api_key_id": "1001", "caller_uid": "2002", "caller_parent_id": "2002"}  # there is only one


@dataclass(frozen=True)
class Task:
    """One task. `kind` is the service path it was posted to; moments are Unix seconds, 0 for not yet; `demand` is how
    it behaves while it runs (see `tasks.Demand`)."""

    id: str
    kind: str
    model: str
    request_id: str
    body: Json
    status: str = "PENDING"
    submitted: float = 0.0
    scheduled: float = 0.0
    ended: float = 0.0
    output: Json = field(default_factory=dict)
    usage: Json = field(default_factory=dict)
    demand: Json = field(default_factory=lambda: {"parts": 1})


class Tasks:
    """Every task of one sandbox."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.run(
            "CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY, submitted REAL NOT NULL, facts TEXT NOT NULL)"
        )

    def add(self, kind: str, model: str, body: Json, request_id: str, now: float, demand: Json) -> Task:
        """A new task; its id follows from the request's, so that it repeats."""
        name = str(uuid.UUID(hex=digest(f"task/{request_id}")[:32], version=4))
        task = Task(name, kind, model, request_id, body, submitted=now, demand=demand)
        self.save(task)
        return task

    def save(self, task: Task) -> None:
        put = "INSERT INTO tasks VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET facts = excluded.facts"
        self._store.run(put, task.id, task.submitted, json.dumps(asdict(task)))

    def get(self, name: str) -> Task | None:
        rows = self._store.run("SELECT facts FROM tasks WHERE id = ?", name)
        return Task(**json.loads(rows[0][0])) if rows else None

    def between(self, start: float, end: float) -> list[Task]:
        """Those submitted in a span of time, latest first."""
        order = "SELECT facts FROM tasks WHERE submitted BETWEEN ? AND ? ORDER BY submitted DESC, rowid DESC"
        return [Task(**json.loads(facts)) for (facts,) in self._store.run(order, start, end)]


def listing(service: Service, query: Mapping[str, str]) -> Json:
    """A page of the tasks of a span of at most a day, the last one if none is named."""
    now = service.clock()
    end = _moment(query, "end_time", now)
    start = _moment(query, "start_time", end - DAY)
    if not start <= end <= start + DAY:
        raise invalid("The span between start_time and end_time should be within 24 hours.")
    names = {"task_id": "id", "model_name": "model", "status": "status"}
    wanted = {field: query[name] for name, field in names.items() if query.get(name)}
    every = service.shelf(Tasks).between(start, end)
    asked = [task for task in every if all(getattr(task, field) == value for field, value in wanted.items())]
    page, size = _number(query, "page_no", 1, 1_000_000), _number(query, "page_size", 10, _LARGEST_PAGE)
    place = catalogue.region(service.region)
    rows = [_row(task, place.id if place else "") for task in asked[(page - 1) * size : page * size]]
    pages = {"total": len(asked), "total_page": -(-len(asked) // size), "page_no": page, "page_size": size}
    return {**pages, "data": rows, "tasks": rows}  # the newer official SDK looks for `tasks`


def _row(task: Task, region: str) -> Json:
    moments = {"gmt_create": task.submitted, "start_time": task.scheduled, "end_time": task.ended}
    return {
        "task_id": task.id,
        "status": task.status,
        "model_name": task.model,
        "region": region,
        **_ACCOUNT,
        "request_id": task.request_id,
        **{name: int(moment * 1000) for name, moment in moments.items() if moment},
        "user_api_unique_key": f"apikey:v1:{task.kind.replace('/', ':')}:{task.model}",
    }


def _moment(query: Mapping[str, str], name: str, usual: float) -> float:
    """A time as the query spells it, 20260203101112 in China."""
    try:
        asked = query.get(name)
        return datetime.strptime(asked, "%Y%m%d%H%M%S").replace(tzinfo=_CHINA).timestamp() if asked else usual
    except ValueError:
        raise invalid(f"{name} should be like 20260203101112") from None


def _number(query: Mapping[str, str], name: str, usual: int, most: int) -> int:
    asked = query.get(name, str(usual))
    if not (asked.isdecimal() and asked.isascii() and len(asked) < 8 and 1 <= int(asked) <= most):
        raise invalid(f"Range of {name} should be [1, {most}]")
    return int(asked)


def stamp(moment: float) -> str:
    """A moment as answers spell it: China time, to the millisecond."""
    told = datetime.fromtimestamp(moment, _CHINA)
    return f"{told:%Y-%m-%d %H:%M:%S}.{told.microsecond // 1000:03d}"
