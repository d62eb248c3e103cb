"""Batches: many prompts, half the price, some hours. `qwen.batches(prompts, model=…)` sends, waits and gives results.

    job = qwen.batches.submit(prompts, model="qwen-flash")      a Batch; close the laptop
    job = qwen.batches.wait(job)                                or tomorrow: qwen.batches.get("batch_…")
    results = qwen.batches.results(job)                         answers in the order of the prompts

The prompts become the lines of a file: every line is the body `qwen.chat` would have sent. The ledger gets one entry
for each batch, with all its tokens and half of the ordinary price, when its results are first read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Unpack
from urllib.parse import quote

import msgspec

from qwenkit import catalogue
from qwenkit.api.core import Core
from qwenkit.api.files import Files, paged
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.errors import ConfigError, NotFound, TaskFailed
from qwenkit.protocol import batches as protocol
from qwenkit.protocol.flow import Answer, Flow, Pause
from qwenkit.protocol.lenient import Lenient
from qwenkit.types.batch import Batch, BatchList, BatchResults
from qwenkit.types.embeddings import Embeddings
from qwenkit.types.options import ChatOptions
from qwenkit.types.usage import Cost, Usage

PATH = "/batches"
FAMILY = "batch"
# Seconds between two looks: soon at first, for files that are refused at once, then as rarely as the service advises.
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_NO_PAUSE = 0.005  # the embedded sandbox works while it is looked at
_GUESSED_ANSWER = 500


class _Page(msgspec.Struct):
    data: list[Batch] | None = None
    has_more: bool = False


_PAGE = Lenient.of(_Page)


class BatchCalls:
    """The calls of the batches noun, written once for both flavours."""

    _core: Core

    @call
    def __call__(
        self,
        prompts: Iterable[Any],
        *,
        model: str = "",
        system: str = "",
        name: str = "",
        window: str = "24h",
        progress: bool = True,
        poll: float | None = None,
        **options: Unpack[ChatOptions],
    ) -> Flow[BatchResults]:
        """Submit prompts, wait for the job, and give the results in the order of the prompts.

        A prompt is whatever `qwen.chat` takes; for an embedding model a text. `window` is how long the service may
        take, `24h` to `14d`, `name` what its console calls the job, `poll` the seconds between two looks. Options are
        those of `qwen.chat` and hold for every line. A line that fails becomes its typed error in the results; a file
        that is refused raises `TaskFailed`. An interrupted wait loses nothing: `qwen.batches.list()` finds the job.
        """
        asked = prompts if isinstance(prompts, str | bytes | Mapping) else [*prompts]
        made: Batch = yield from BatchCalls.submit.flow(
            self, asked, model=model, system=system, name=name, window=window, progress=progress, **options
        )
        ended: Batch = yield from BatchCalls.wait.flow(self, made, progress=progress, poll=poll)
        schema, prefix = options.get("schema"), options.get("prefix") or ""
        found: BatchResults = yield from BatchCalls.results.flow(self, ended, schema=schema, prefix=prefix)
        for text, each in zip(asked, found, strict=False):
            if isinstance(each, Embeddings):
                each.texts = [text]  # result files do not repeat what was sent
        return found

    @call
    def submit(
        self,
        prompts: Iterable[Any],
        *,
        model: str = "",
        system: str = "",
        name: str = "",
        window: str = "24h",
        progress: bool = True,
        **options: Unpack[ChatOptions],
    ) -> Flow[Batch]:
        """Build the input file, upload it and begin the job. What the service would refuse is refused before."""
        model = model or self._core.model
        endpoint = protocol.endpoint_for(model)
        lines = protocol.lines(prompts, model=model, system=system, endpoint=endpoint, options=options)
        _afford(self._core, model, lines, options.get("max_tokens") or options.get("max_completion_tokens"))
        files, data, title = Files(self._core), b"\n".join(lines) + b"\n", f"{name or 'batch'}.jsonl"
        file = yield from Files.upload.flow(files, data, purpose="batch", name=title, progress=progress)
        body: dict[str, Any] = {"input_file_id": file.id, "endpoint": endpoint, "completion_window": window}
        if name:
            body["metadata"] = {"ds_name": name}
        return (yield from self._told("POST", PATH, body))

    @call
    def get(self, batch: Batch | str) -> Flow[Batch]:
        """What the service says about a job now: one look. Jobs are known for 30 days."""
        return (yield from self._told("GET", _path(batch)))

    @call
    def wait(
        self, batch: Batch | str, *, progress: bool = True, poll: float | None = None, timeout: float | None = None
    ) -> Flow[Batch]:
        """Look until the job has ended, showing how far it is. `poll` and `timeout` are in seconds."""
        watch = import_module("qwenkit.display.batch").watch() if progress else None
        waited, looks = 0.0, 0
        while True:
            job: Batch = yield from BatchCalls.get.flow(self, batch)
            if watch:
                watch.seen(job)
            if job.ended:
                return job
            if timeout is not None and waited >= timeout:
                hint = "it goes on without you: look again with qwen.batches.wait(…)"
                raise TaskFailed(f"the batch is still {job.status} after {waited:.0f} s of waiting", hint=hint)
            pause = _NO_PAUSE if self._core.sandbox else PAUSES[min(looks, len(PAUSES) - 1)]
            pause = pause if poll is None else poll
            yield Pause(pause)
            waited, looks = waited + pause, looks + 1

    @call
    def results(self, batch: Batch | str, *, schema: Any = None, prefix: str = "") -> Flow[BatchResults]:
        """The answers of a job that has ended, in the order of its prompts, failures in their places.

        A cancelled or expired job gives what it had. `schema` and `prefix` are those the job was submitted with.
        """
        job = batch if isinstance(batch, Batch) and batch.ended else (yield from BatchCalls.get.flow(self, batch))
        if not job.ended:
            raise ConfigError(f"the batch is still {job.status}", hint="wait for it: qwen.batches.wait(batch)")
        if job.status == "failed":
            raise protocol.refused(job)
        cost = _half(self._core)
        reader = protocol.Reader(job.endpoint, cost, sandbox=self._core.sandbox, schema=schema, prefix=prefix)
        for name in (job.output_file_id, job.error_file_id):
            if name:
                reader.feed((yield from Files.content.flow(Files(self._core), name)))
        outcomes = reader.ordered(job.counts.total)
        told = next((each.model for each in outcomes.values() if getattr(each, "model", "")), "")
        found = BatchResults(job, outcomes, model=told, sandbox=self._core.sandbox)
        _book(self._core, job, found)
        return found

    @call
    def cancel(self, batch: Batch | str) -> Flow[Batch]:
        """Stop a job. Lines that were answered stay answered, and billed."""
        return (yield from self._told("POST", f"{_path(batch)}/cancel"))

    @call
    def list(
        self, *, name: str = "", status: str = "", create_after: str = "", create_before: str = "", limit: int = 100
    ) -> Flow[BatchList]:
        """The jobs of the last 30 days, newest first. `status` may name several, with commas; `name` a part of one."""
        told = {"ds_name": name, "status": status, "create_after": create_after, "create_before": create_before}
        query = {"limit": limit, **{key: value for key, value in told.items() if value}}
        rows: Any = yield from paged(self._core, PATH, query, _PAGE)
        return BatchList(rows)

    def _told(self, method: str, path: str, body: Any = None) -> Flow[Batch]:
        request = self._core.request(method, "compatible", path, body)
        answer: Answer = yield from self._core.send(request)
        return protocol.read(answer.body, request.name)


def _path(batch: Batch | str) -> str:
    name = batch.id if isinstance(batch, Batch) else batch
    if not isinstance(name, str) or not name:
        raise NotFound(f"{batch!r} names no batch", hint="pass what submit gave, or an id such as batch_…")
    return f"{PATH}/{quote(name, safe='')}"


def _half(core: Core) -> Any:
    """Prices a usage at the batch price of its model."""

    def cost(model: str, usage: Usage) -> Cost | None:
        told = catalogue.price(
            model,
            prompt=usage.prompt,
            completion=usage.completion,
            thinking=usage.reasoning > 0,
            region=core.accounts.region,
            image=usage.image,
            audio=usage.audio_in,
            batch=True,
        )
        return Cost(*told) if told else None

    return cost


def _afford(core: Core, model: str, lines: list[bytes], most: int | None) -> None:
    """`BudgetExceeded` when all lines together would pass the budget; `most` is the longest answer."""
    accounts = core.accounts
    if accounts.ledger.budget is None:
        return
    answer = most or accounts.ledger.usual_answer(model) or _GUESSED_ANSWER
    tokens = sum(map(catalogue.tokens.count, (line.decode() for line in lines)))
    each = _half(core)(model, Usage(prompt_tokens=tokens // len(lines), completion_tokens=answer))
    if each:
        whole = catalogue.convert(each.amount * len(lines), each.currency, accounts.ledger.budget.currency)
        accounts._reserve(accounts.ledger.budget, whole, model)
        accounts.release(whole)  # what it really costs is known, and booked, with the results


def _book(core: Core, job: Batch, results: BatchResults) -> None:
    """One entry for the job, once; under a name of its own, because its price and its length are of their own kind."""
    ledger, usage = core.accounts.ledger, results.usage
    if not usage.total or any(entry.request_id == job.id for entry in ledger):
        return
    ledger.add(
        family=FAMILY,
        model=f"{results.model} (batch)",
        prompt=usage.prompt,
        completion=usage.completion,
        cost=results.cost,
        request_id=job.id,
    )


class Batches(BatchCalls, SyncNoun):
    """`qwen.batches`"""


class AsyncBatches(BatchCalls, AsyncNoun):
    """`aqwen.batches`"""
