"""Tasks without I/O: answers in, `Task` values out, and the paths they are asked at."""

from __future__ import annotations

import gzip
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from qwenkit import catalogue
from qwenkit.errors import APIError, ConfigError, ServerError, TaskFailed
from qwenkit.protocol import billing, failures
from qwenkit.protocol.flow import Answer, Request
from qwenkit.types.task import Task, TaskTable

_STATES = ("PENDING", "RUNNING", "SUSPENDED", "SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN")
_ENDINGS = {
    "CANCELED": ("the task was cancelled", "submit it again if you still want it"),
    "UNKNOWN": ("there is no such task", "check the id; a task is forgotten a day after it ended"),
}


def path(task: Task | str, verb: str = "") -> str:
    """The path of a task, given as the value or as its id."""
    name = task.id if isinstance(task, Task) else task
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"a task cannot be {name!r}", hint="pass the task, or its id")
    return f"/tasks/{quote(name.strip(), safe='', errors='replace')}{verb}"


def listed(status: str, model: str, page: int, size: int) -> str:
    """The path of a page of the list."""
    status = str(status).upper()
    if status and status not in _STATES:
        raise ConfigError(f"status cannot be {status!r}", hint=f"use one of {', '.join(_STATES)}")
    asked = {"page_no": page, "page_size": size, "status": status, "model_name": model}
    return "/tasks?" + urlencode({name: value for name, value in asked.items() if value != ""}, errors="replace")


def read(answer: Answer, request: Request, before: Task | str = "") -> Task:
    """The task in an answer. What it does not repeat (model, family) is taken from the look before."""
    wire = _object(answer)
    output = wire.get("output")
    known = before if isinstance(before, Task) else Task(before)
    if not isinstance(output, dict) or not (output.get("task_id") or known.id):
        raise _refused(answer, request)
    output.setdefault("code", wire.get("code"))
    output.setdefault("message", wire.get("message"))
    return Task(
        str(output.get("task_id") or known.id),
        str(output.get("task_status") or "PENDING"),
        output={name: value for name, value in output.items() if value is not None},
        usage=billing.usage(wire.get("usage")),
        model=known.model,
        receipt=known.receipt,
        body=answer.body,
    )


def read_list(answer: Answer, request: Request) -> TaskTable:
    wire = _object(answer)
    rows = wire.get("data") or wire.get("tasks") or []
    if not isinstance(rows, list) or not wire:
        raise _refused(answer, request)
    tasks = [_listed(row) for row in rows if isinstance(row, dict)]
    total = wire.get("total")
    return TaskTable(tasks, total if isinstance(total, int) else len(tasks))


def _listed(row: dict[str, Any]) -> Task:
    """A row of the list spells the same facts otherwise."""
    status = row.get("status") or row.get("task_status") or "UNKNOWN"
    model = str(row.get("model_name", ""))
    return Task(str(row.get("task_id", "")), str(status), output=row, model=model, body=msgspec.json.encode(row))


def failed(task: Task) -> TaskFailed:
    """The error for a task that ended without a result."""
    message, hint = _ENDINGS.get(task.status, ("", ""))
    if not message:
        facts = catalogue.code_facts(task.code, task.message)
        told = ": ".join(dict.fromkeys(part for part in (task.code, task.message) if part))
        told = f"{facts.hint} ({told})" if facts and told == task.code and facts.hint else told  # a code alone
        message, hint = f"the task failed: {told or 'the service gives no reason'}", facts.cure if facts else ""
    return TaskFailed(message, task=task, hint=hint)


def unpacked(url: str, content: bytes) -> bytes:
    """A result's bytes; a gzipped file is opened."""
    if not url.partition("?")[0].endswith(".gz") or not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError) as broken:
        raise ServerError("the result file is damaged", hint="fetch it again") from broken


def _refused(answer: Answer, request: Request) -> APIError:
    request_id = answer.headers.get("x-request-id", "")
    return failures.unreadable("a task", answer.body, request=request.name, request_id=request_id)


def _object(answer: Answer) -> dict[str, Any]:
    """The JSON object in an answer; an empty one where there is none."""
    try:
        wire = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        wire = None
    return wire if isinstance(wire, dict) else {}
