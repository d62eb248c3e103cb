"""Batches: a file of requests, each really carried out by the route it names, and two files of results.

Nothing runs in the background. Every time a job is looked at it takes its next step: the file is checked line by line,
then a share of the lines is worked off, then the results are written, in an order of their own because the service
promises none. So the same calls always see the same statuses.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from qwenkit.sandbox.errors import COMPATIBLE, Refusal
from qwenkit.sandbox.files import Files, moment, page
from qwenkit.sandbox.identity import digest
from qwenkit.sandbox.lines import ENDPOINTS, TEST_URL, Line, checked
from qwenkit.sandbox.routing import Verb, json_body
from qwenkit.sandbox.service import Service
from qwenkit.sandbox.store import Store

PATH = "/compatible-mode/v1/batches"
LEAST_AT_ONCE = 50  # lines of one step; of a longer file a quarter
MOST_IDS = 20
_WINDOW = re.compile(r"(\d{1,4})([hd])")
_HOURS = range(24, 337)
_NAMES = {"ds_name": 100, "ds_description": 200}
_TIMES = ("in_progress", "expires", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
_TEST_ANSWER = {"role": "assistant", "content": "This is a test result."}
_TEST_BILL = {"prompt_tokens": 20, "completion_tokens": 6, "total_tokens": 26}

Json = dict[str, Any]


class Batches:
    """The shelf: each job as it is shown, and the result of each of its lines."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.busy: set[str] = set()  # a job takes one step at a time
        store.run("CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, job TEXT)")
        columns = "batch TEXT, id TEXT, ok INTEGER, result TEXT, PRIMARY KEY (batch, id)"
        store.run(f"CREATE TABLE IF NOT EXISTS batch_lines ({columns})")

    def keep(self, job: Json) -> Json:
        self._store.run(
            "INSERT INTO batches VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET job = excluded.job",
            *(job["id"], json.dumps(job, ensure_ascii=False)),
        )
        return job

    def get(self, name: str) -> Json:
        rows = self._store.run("SELECT job FROM batches WHERE id = ?", name)
        if not rows:
            raise Refusal("NotFound", f"No such Batch object: {name[:80]}")
        job: Json = json.loads(rows[0][0])
        return job

    def newest(self) -> list[Json]:
        return [json.loads(job) for (job,) in self._store.run("SELECT job FROM batches ORDER BY rowid DESC")]

    def note(self, name: str, ok: bool, result: Json) -> None:
        told = json.dumps(result, ensure_ascii=False)
        self._store.run("INSERT OR REPLACE INTO batch_lines VALUES (?, ?, ?, ?)", name, result["id"], ok, told)

    def results(self, name: str, ok: bool) -> list[str]:
        """In the order of their ids, which is as good as shuffled."""
        rows = self._store.run("SELECT result FROM batch_lines WHERE batch = ? AND ok = ? ORDER BY id", name, ok)
        return [result for (result,) in rows]


async def create(service: Service, request: Request) -> Response:
    """A new job; whether its lines are good is found out by the first step."""
    body, now = json_body(request), int(service.clock())
    _check(service, body)
    job = {
        "id": f"batch_{request.state.request_id}",
        "object": "batch",
        "endpoint": body["endpoint"],
        "errors": None,
        "input_file_id": body["input_file_id"],
        "completion_window": body["completion_window"],
        "status": "validating",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": now,
        **{f"{name}_at": None for name in _TIMES},
        "request_counts": {"total": 0, "completed": 0, "failed": 0},
        "metadata": body.get("metadata"),
    }
    return _shown(service.shelf(Batches).keep(job))


def _check(service: Service, body: Json) -> None:
    for name in ("input_file_id", "endpoint", "completion_window"):
        if not isinstance(body.get(name), str):
            raise Refusal("InvalidParameter", f"Required parameter({name}) missing or invalid.")
    if body["endpoint"] not in ENDPOINTS:
        raise Refusal("InvalidParameter", f"'endpoint' should be one of {list(ENDPOINTS)}.")
    found = _WINDOW.fullmatch(body["completion_window"])
    if not found or int(found[1]) * (24 if found[2] == "d" else 1) not in _HOURS:
        raise Refusal("InvalidParameter", "'completion_window' should be between 24h and 336h, such as 24h or 14d.")
    metadata = body.get("metadata") or {}
    for name, most in _NAMES.items():
        if not isinstance(metadata, dict) or len(str(metadata.get(name, ""))) > most:
            raise Refusal("InvalidParameter", f"'metadata.{name}' should have at most {most} characters.")
    file = service.shelf(Files).get(body["input_file_id"])
    if body["input_file_id"].startswith(("http", "oss:")):
        raise Refusal("InvalidParameter", "The sandbox reads no OSS addresses: upload the file.")
    if file is None or file.purpose != "batch":
        raise Refusal("InvalidParameter", f"No batch input file of that id: {body['input_file_id'][:80]}")


async def retrieve(service: Service, request: Request) -> Response:
    """The job, one step further."""
    shelf, name = service.shelf(Batches), request.path_params["id"]
    job = shelf.get(name)
    if name in shelf.busy:
        return _shown(job)
    shelf.busy.add(name)
    try:
        step = _STEPS.get(job["status"])
        after = await step(service, job) if step else job
        if after["status"] == "in_progress" and shelf.get(name)["status"] == "cancelling":  # asked for meanwhile
            after["status"] = "cancelling"
        return _shown(shelf.keep(after))
    finally:
        shelf.busy.discard(name)


async def _validate(service: Service, job: Json) -> Json:
    lines, errors = _lines(service, job)
    now = int(service.clock())
    if errors:
        return {**job, "status": "failed", "failed_at": now, "errors": {"object": "list", "data": errors}}
    counts = {"total": len(lines), "completed": 0, "failed": 0}
    return {**job, "status": "in_progress", "in_progress_at": job["created_at"], "request_counts": counts}


async def _work(service: Service, job: Json) -> Json:
    """The next share of the lines; after the last one the results are written."""
    lines, _ = _lines(service, job)
    counts = job["request_counts"]
    done = counts["completed"] + counts["failed"]
    share = max(LEAST_AT_ONCE, math.ceil(len(lines) / 4))
    for line in lines[done : done + share]:
        ok, result = await _carried_out(service, job, line)
        service.shelf(Batches).note(job["id"], ok, result)
        counts["completed" if ok else "failed"] += 1
        await asyncio.sleep(0)  # others get their turn
    if done + share < len(lines):
        return job
    now = int(service.clock())
    return {**_written(service, job), "status": "completed", "finalizing_at": now, "completed_at": now}


async def _carried_out(service: Service, job: Json, line: Line) -> tuple[bool, Json]:
    """One line through the route it names, as if it had come by itself."""
    name = digest(f"{job['id']}/{line.custom_id}")
    request_id = f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:32]}"
    status, error = 200, None
    try:
        body = await _CARRIERS[line.url](service, line.body, request_id)
    except Exception as wrong:  # one line that breaks the sandbox leaves the others alone
        if not isinstance(wrong, Refusal):
            traceback.print_exc(file=sys.stderr)
        failed = wrong if isinstance(wrong, Refusal) else Refusal("InternalError")
        body = json.loads(failed.body(COMPATIBLE.rstrip("/") + line.url, request_id))
        status, error = failed.status, {name: body["error"][name] for name in ("code", "message")}
    response = {"status_code": status, "request_id": request_id, "body": body}
    return error is None, {"id": request_id, "custom_id": line.custom_id, "response": response, "error": error}


async def _chat(service: Service, body: Json, request_id: str) -> Json:
    from qwenkit.sandbox.chat import completed

    return await completed(service, body, request_id)


async def _embeddings(service: Service, body: Json, request_id: str) -> Json:
    from qwenkit.sandbox import embeddings

    state = {"request_id": request_id, "body": json.dumps(body).encode()}
    head = {"type": "http", "method": "POST", "path": embeddings.COMPATIBLE, "query_string": b"", "headers": []}
    response = await embeddings.compatible(service, Request({**head, "state": state}))
    answer: Json = json.loads(bytes(response.body))
    return answer


async def _test(service: Service, body: Json, request_id: str) -> Json:
    choice = {"finish_reason": "stop", "index": 0, "message": _TEST_ANSWER}
    head = {"created": int(service.clock()), "usage": _TEST_BILL, "model": body["model"]}
    return {**head, "id": f"chatcmpl-{request_id}", "choices": [choice], "object": "chat.completion"}


_CARRIERS: dict[str, Callable[[Service, Json, str], Awaitable[Json]]] = {
    "/v1/chat/completions": _chat,
    "/v1/embeddings": _embeddings,
    TEST_URL: _test,
}


def _written(service: Service, job: Json) -> Json:
    """The job with its two files, each only if it has a line."""
    sent = service.shelf(Files).get(job["input_file_id"])
    stem = sent.filename.removesuffix(".jsonl") if sent else "batch"
    for field, ok in (("output_file_id", True), ("error_file_id", False)):
        results = service.shelf(Batches).results(job["id"], ok)
        if results:
            name, data = f"{stem}_{'output' if ok else 'error'}.jsonl", "".join(f"{each}\n" for each in results)
            seed, now = f"{job['id']}/{field}", service.clock()
            job = {**job, field: service.shelf(Files).add(name, data.encode(), "batch_output", seed, now).id}
    return job


async def _cancelled(service: Service, job: Json) -> Json:
    """What was not done counts as failed."""
    lines, errors = _lines(service, job)
    counts = job["request_counts"]
    for line in [] if errors else lines[counts["completed"] + counts["failed"] :]:
        error = {"code": "batch_cancelled", "message": "This request was not executed: the batch was cancelled."}
        unsent = {"id": digest(f"{job['id']}/{line.custom_id}")[:32], "custom_id": line.custom_id, "response": None}
        service.shelf(Batches).note(job["id"], False, {**unsent, "error": error})
        counts["failed"] += 1
    now = int(service.clock())
    counts["total"] = counts["completed"] + counts["failed"]
    return {**_written(service, job), "status": "cancelled", "cancelling_at": now, "cancelled_at": now}


_STEPS = {"validating": _validate, "in_progress": _work, "cancelling": _cancelled}


def _lines(service: Service, job: Json) -> tuple[list[Line], list[Json]]:
    return checked(service.shelf(Files).data(job["input_file_id"]), job["endpoint"])


async def cancel(service: Service, request: Request) -> Response:
    shelf = service.shelf(Batches)
    job = shelf.get(request.path_params["id"])
    if job["status"] not in ("validating", "in_progress", "cancelling"):
        raise Refusal("InvalidParameter", f"A batch with status '{job['status']}' cannot be cancelled.")
    return _shown(shelf.keep({**job, "status": "cancelling"}))


async def listed(service: Service, request: Request) -> Response:
    """A page of jobs, the newest first; `data` is null when there is none, as recorded."""
    query = request.query_params
    found = [job for job in service.shelf(Batches).newest() if _wanted(job, query)]
    data, more = page(found, query, 20, 100)
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return JSONResponse({"object": "list", "data": data or None, **ends, "has_more": more})


def _wanted(job: Json, query: Any) -> bool:
    since, until = moment(query.get("create_after"), 0), moment(query.get("create_before"), 2**53)
    named = str((job["metadata"] or {}).get("ds_name", ""))
    files, statuses = _several(query.get("input_file_ids")), _several(query.get("status"))
    return (
        since <= job["created_at"] <= until
        and query.get("ds_name", "") in named
        and (not files or job["input_file_id"] in files)
        and (not statuses or job["status"] in statuses)
    )


def _several(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()][:MOST_IDS]


def _shown(job: Json) -> Response:
    return JSONResponse(job, media_type="application/json;charset=UTF-8")


ROUTES: list[Verb] = [
    ("POST", PATH, create),
    ("GET", PATH, listed),
    ("GET", PATH + "/{id}", retrieve),
    ("POST", PATH + "/{id}/cancel", cancel),
]
