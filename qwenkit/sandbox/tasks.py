"""Asynchronous tasks: submitted, looked at until they are done, cancelled while they wait, listed for a day.

A family that answers later registers a worker for its service path and hands its body to `submit`. Nothing runs in the
background: a task moves one state each time it is asked for, PENDING, RUNNING, then its end, and its work is done in
that last step. So the same polls always see the same states, and a task nobody asks for waits. Listing moves nothing.
A `Demand` keeps it RUNNING for more looks, or until so many seconds of the sandbox's clock are over, and says how many
parts it has. Times are China's, as the service writes them.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from qwenkit.sandbox import results
from qwenkit.sandbox.errors import Refusal
from qwenkit.sandbox.routing import Verb
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.task_shelf import DAY, Task, Tasks, listing, stamp

Json = dict[str, Any]
KIND = "application/json;charset=UTF-8"
NO_ASYNC = "Current user api does not support asynchronous calls."
NO_SYNC = "current user api does not support synchronous calls."
NOT_PENDING = "Failed to cancel the task, please confirm if the task is in PENDING status."
PATIENCE = 3 * 3600.0  # seconds after which a task without a result is given up


class Outcome(NamedTuple):
    """What a task's work gave: fields of `output`, and the bill; how many parts failed, and whether that is counted."""

    output: Json
    usage: Json
    failed: int = 0
    metrics: bool = True


class Demand(NamedTuple):
    """How many parts a task has, for how many more looks it runs, and for how many seconds at least."""

    parts: int = 1
    looks: int = 0
    seconds: float = 0.0


Worker = Callable[[Service, Task, str], Awaitable[Outcome]]
"""Does a task's work: the service, the task with its body, and the address results are served at."""
WORKERS: dict[str, Worker] = {}


def enabled(request: Request, header: str) -> bool:
    """Whether a switch that travels as a header is on."""
    return request.headers.get(header, "").strip().lower() == "enable"


def must_be_async(request: Request) -> None:
    if not enabled(request, "x-dashscope-async"):
        raise Refusal("AccessDenied", NO_SYNC)


def submit(service: Service, request: Request, body: Json, demand: Demand | None = None) -> Response:
    """Take a body in as a task of the path it was posted to. The asynchronous header is a must."""
    must_be_async(request)
    kind = request.url.path.partition("/services/")[2]
    asked = (demand or Demand())._asdict()
    task = service.shelf(Tasks).add(kind, str(body["model"]), body, request.state.request_id, service.clock(), asked)
    return _answer(request, output={"task_status": task.status, "task_id": task.id})


async def query(service: Service, request: Request) -> Response:
    """A task as it stands, one state further than when it was last asked for."""
    shelf, now, name = service.shelf(Tasks), service.clock(), request.path_params["task_id"]
    task = shelf.get(name)
    if task is None or (task.ended and now > task.ended + DAY):
        return _answer(request, output={"task_id": name, "task_status": "UNKNOWN"})
    if not task.ended:
        task = await _moved(service, task, str(request.base_url).rstrip("/"))
        shelf.save(task)
    times = {"submit_time": task.submitted, "scheduled_time": task.scheduled, "end_time": task.ended}
    told = {name: stamp(moment) for name, moment in times.items() if moment}
    metrics = {} if task.status == "SUCCEEDED" else _metrics(task.demand["parts"])
    output = {"task_id": task.id, "task_status": task.status, **told, **metrics, **task.output}
    return _answer(request, output=output, **({"usage": task.usage} if task.usage else {}))


async def _moved(service: Service, task: Task, root: str) -> Task:
    now, demand = service.clock(), Demand(**task.demand)
    try:
        if now > task.submitted + PATIENCE:
            raise Refusal("InternalError.Timeout", "The task timed out.")
        if task.status == "PENDING":
            return replace(task, status="RUNNING", scheduled=now)
        if demand.looks or now < task.submitted + demand.seconds:
            return replace(task, demand=demand._replace(looks=max(demand.looks - 1, 0))._asdict())
        done = await WORKERS[task.kind](service, task, root)
    except Refusal as refusal:
        told = {"code": refusal.code, "message": refusal.flat("")["message"]}
        output = {**told, **_metrics(demand.parts, failed=demand.parts)}
        return replace(task, status="FAILED", ended=now, output=output)
    counted = _metrics(demand.parts, demand.parts - done.failed, done.failed) if done.metrics else {}
    status = "FAILED" if done.failed == demand.parts else "SUCCEEDED"
    return replace(task, status=status, ended=now, output={**done.output, **counted}, usage=done.usage)


def _metrics(total: int, succeeded: int = 0, failed: int = 0) -> Json:
    return {"task_metrics": {"TOTAL": total, "SUCCEEDED": succeeded, "FAILED": failed}}


async def cancel(service: Service, request: Request) -> Response:
    shelf = service.shelf(Tasks)
    task = shelf.get(request.path_params["task_id"])
    if task is None or task.status != "PENDING":
        raise Refusal("UnsupportedOperation", NOT_PENDING, status=400)
    shelf.save(replace(task, status="CANCELED", ended=service.clock()))
    return _answer(request)


async def every(service: Service, request: Request) -> Response:
    return _answer(request, **listing(service, request.query_params))


def _answer(request: Request, **told: Any) -> Response:
    body = json.dumps({"request_id": request.state.request_id, **told}, ensure_ascii=False)
    return Response(body, headers={"content-type": KIND})


_TASK = "/api/v1/tasks/{task_id}"
ROUTES: list[Verb] = [
    *results.ROUTES,
    ("GET", "/api/v1/tasks", every),
    ("GET", "/api/v1/tasks/", every),
    ("GET", _TASK, query),
    ("GET", f"{_TASK}/", query),  # with a slash as the official SDK asks when it is awaited
    ("POST", _TASK, query),
    ("POST", f"{_TASK}/cancel", cancel),
    ("POST", f"{_TASK}/cancel/", cancel),
]
