"""Tasks: what the service does later. `qwen.tasks.get(id)` looks, `.wait(task)` looks until it is done.

Nouns whose calls take long submit here (`submit`) and hand out a `Task`. A task is resumed by its id, from any session
of the same account; what a submitted task cost is booked when it is seen to be over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from qwenkit.api.accounts import OpenCall
from qwenkit.api.core import Core
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.waiting import Turns, until, watch
from qwenkit.errors import ConfigError, RateLimited, TransportError
from qwenkit.protocol import options as checked
from qwenkit.protocol import tasks as protocol
from qwenkit.protocol.flow import Answer, Flow, Pause, Request
from qwenkit.protocol.retry import may_heal
from qwenkit.types.task import Task, TaskTable

_ASYNC = {"X-DashScope-Async": "enable"}
PAUSES = (1.0, 2.0, 4.0, 5.0)  # seconds between two looks, the last one for ever
_THROTTLED = 8  # looks in a row that may be refused for their number, each tried again by itself
_OPEN: WeakKeyDictionary[Core, dict[str, OpenCall]] = WeakKeyDictionary()
_TURNS: WeakKeyDictionary[Core, Turns] = WeakKeyDictionary()


def submit(
    core: Core,
    path: str,
    body: Mapping[str, Any],
    *,
    family: str,
    headers: Mapping[str, str] | None = None,
    answers: int = 1,
    seconds: int = 0,
) -> Flow[Task]:
    """Hand a body in as a task: the first look at it. `seconds` is how long a clip is to be, for the budget."""
    model = checked.model(body["model"])
    request = core.request("POST", "native", path, body, headers={**_ASYNC, **(headers or {})})
    opened = core.accounts.open(family, model, seconds, 0, answers)
    try:
        answer: Answer = yield from core.send(request)
        task = protocol.read(answer, request)
    except BaseException as error:
        opened.failed(error)
        raise
    task.model = model
    _OPEN.setdefault(core, {})[task.id] = opened
    return task


def look(core: Core, task: Task | str) -> Flow[Task]:
    """The task as it stands. What it cost is booked the first time it is seen to be over."""
    request = core.request("GET", "native", protocol.path(task))
    pause = _TURNS.setdefault(core, Turns()).pause(core)
    if pause:
        yield Pause(pause)
    answer: Answer = yield from core.send(request)
    seen = protocol.read(answer, request, task)
    opened = _OPEN.get(core, {}).pop(seen.id, None) if seen.done else None
    if opened is not None and seen.ok:
        told = answer.headers.get("x-request-id", "")
        seen.receipt = opened.finished(
            seen.usage, model=seen.model, request_id=told, tries=answer.tries, streamed=False
        )
    elif opened is not None:
        opened.failed(protocol.failed(seen), seen.usage)
    return seen


def ended(
    core: Core,
    task: Task | str,
    *,
    timeout: float | None = None,
    progress: bool = True,
    pauses: tuple[float, ...] = PAUSES,
    noun: str = "tasks",
) -> Flow[Task]:
    """Look until a task is done, and say so if it is late or without a result. A throttled look is no news."""
    began = core.accounts.clock()
    last, throttled = task if isinstance(task, Task) else Task(task), 0

    def once() -> Flow[Task]:
        nonlocal last, throttled
        try:
            last, throttled = (yield from look(core, task)), 0
        except RateLimited as refused:
            throttled += 1
            if throttled > _THROTTLED or not may_heal(refused):
                refused.reply = last  # it goes on, and can be waited for again
                raise
        last.waited = core.accounts.clock() - began
        return last

    with watch(progress) as draw:
        seen: Task = yield from until(core, once, lambda seen: seen.done, pauses, timeout=timeout, draw=draw)
    if not seen.done:
        raise _late(seen, timeout or 0, noun)
    if not seen.ok:
        raise protocol.failed(seen)
    return seen


class TaskCalls:
    """The calls of the tasks noun, written once for both flavours."""

    _core: Core

    @call
    def submit(
        self, path: str, *, model: str, input: Mapping[str, Any], parameters: Mapping[str, Any] | None = None
    ) -> Flow[Task]:
        """Submit a task by hand: the service's path (`/services/…`), the model, and the body's two halves."""
        if not str(path).startswith("/services/"):
            hint = "it is what follows /api/v1, such as /services/embeddings/text-embedding/text-embedding"
            raise ConfigError(f"a task's path cannot be {path!r}", hint=hint)
        body = {"model": model, "input": input, "parameters": parameters or {}}
        return (yield from submit(self._core, path, body, family="task"))

    @call
    def get(self, task: Task | str) -> Flow[Task]:
        """Look at a task once. An id nobody knows gives a task whose status is UNKNOWN."""
        return (yield from look(self._core, task))

    @call
    def wait(self, task: Task | str, *, timeout: float | None = None, progress: bool = True) -> Flow[Task]:
        """Look until the task is done: a task that succeeded comes back, one that did not raises `TaskFailed`.

        Pauses grow from one second to five. `timeout` is in seconds; when it is over the task goes on without you, and
        the same call with its id resumes. `progress` redraws one card in a notebook, one line in a terminal.
        """
        return (yield from ended(self._core, task, timeout=timeout, progress=progress))

    @call
    def cancel(self, task: Task | str) -> Flow[Task]:
        """Cancel a task that still waits; one that has begun cannot be cancelled."""
        yield from self._core.send(self._core.request("POST", "native", protocol.path(task, "/cancel")))
        return (yield from look(self._core, task))

    @call
    def list(self, *, status: str = "", model: str = "", page: int = 1, size: int = 10) -> Flow[TaskTable]:
        """The tasks of the last day, latest first, a page at a time; those of one status or model."""
        request = self._core.request("GET", "native", protocol.listed(status, model, page, size))
        answer: Answer = yield from self._core.send(request)
        return protocol.read_list(answer, request)

    @call
    def download(self, task: Task | str, *, number: int = 1) -> Flow[bytes]:
        """The bytes of a task's result, the `number`th one; a gzipped file comes opened. No key is sent along."""
        seen = task if isinstance(task, Task) and task.urls else (yield from look(self._core, task))
        if number not in range(1, len(seen.urls) + 1):
            has = f"it has {len(seen.urls)}" if seen.urls else f"it is {seen.status} and has none"
            raise ConfigError(f"the task has no result number {number}", hint=has)
        url = seen.urls[number - 1]
        answer: Answer = yield from self._core.send(Request("GET", url, timeout=self._core.config.timeout))
        return protocol.unpacked(url, answer.body)


def _late(task: Task, timeout: float, noun: str) -> TransportError:
    late = TransportError(
        f"the task is still {task.status} after {timeout:g} s",
        kind="timeout",
        hint=f"it goes on without you: qwen.{noun}.wait(error.reply) resumes, as does its id",
    )
    late.reply = task
    return late


class Tasks(TaskCalls, SyncNoun):
    """`qwen.tasks`"""


class AsyncTasks(TaskCalls, AsyncNoun):
    """`aqwen.tasks`"""
