"""Batches: many prompts, half the price, some hours. `qwen.batches(prompts, model=…)` sends, waits and gives results.

    job = qwen.batches.submit(prompts, model="qwen-flash")      a Batch; close the laptop
    job = qwen.batches.wait(job)                                or tomorrow: qwen.batches.get("batch_…")
    results = qwen.batches.results(job)                         answers in the order of the prompts

The prompts become the lines of a file: every line is the body `qwen.chat` would have sent. The ledger gets one entry
for each batch, with all its tokens and half of the ordinary price, when its results are first read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Unpack
from urllib.parse import quote

from qwenkit import catalogue
from qwenkit.api.core import Core
from qwenkit.api.files import Files, Page, named, paged, told
from qwenkit.api.flavour import AsyncNoun, SyncNoun, call
from qwenkit.api.waiting import until, watch
from qwenkit.errors import ConfigError, TaskFailed
from qwenkit.protocol import batches as protocol
from qwenkit.protocol.flow import Flow
from qwenkit.protocol.lenient import Lenient
from qwenkit.protocol.media import kept
from qwenkit.types.batch import Batch, BatchList, BatchResults
from qwenkit.types.embeddings import Embeddings
from qwenkit.types.options import ChatOptions
from qwenkit.types.reply import Receipt
from qwenkit.types.usage import Usage

PATH = "/batches"
# Seconds between two looks: soon at first, for files that are refused at once, then as rarely as the service advises.
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_BATCH, _PAGE = Lenient.of(Batch), Lenient.of(Page[Batch])


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
        take, `24h` to `14d`, `name` what its console calls the job, `poll` the seconds between two looks, `timeout` how
        long to wait. Other options are those of `qwen.chat` and hold for every line; as there, pictures and sounds that
        the usual model cannot take go to the default one that can, when no model is named. A line that fails becomes
        its typed error in the results; a file that is refused raises `TaskFailed`. An interrupted wait loses nothing:
        `qwen.batches.list()` finds the job.
        """
        asked = [*prompts] if isinstance(prompts, Iterator) else prompts
        timeout = options.pop("timeout", None)
        made: Batch = yield from BatchCalls.submit.flow(
            self, asked, model=model, system=system, name=name, window=window, progress=progress, **options
        )
        ended: Batch = yield from BatchCalls.wait.flow(self, made, progress=progress, poll=poll, timeout=timeout)
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
        asked, again = [*prompts] if isinstance(prompts, Iterator) else prompts, kept(options)
        model = protocol.seeing(asked, model, self._core.model, again)
        endpoint = protocol.endpoint_for(model)
        lines = protocol.lines(asked, model=model, system=system, endpoint=endpoint, options=again)
        if self._core.accounts.ledger.budget is not None:
            tokens = sum(catalogue.tokens.count(line.decode()) for line in lines)
            most = options.get("max_tokens") or options.get("max_completion_tokens")
            self._core.accounts.check(model, tokens // len(lines), most, len(lines))
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
        with watch(progress) as draw:
            job = yield from waited(self._core, batch, draw, poll=poll, timeout=timeout)
        if not job.ended:
            hint = "it goes on without you: look again with qwen.batches.wait(…)"
            raise TaskFailed(f"the batch is still {job.status} after {timeout:g} s", hint=hint, task=job)
        return job

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
        reader = protocol.Reader(job.endpoint, partial(_receipt, self._core), schema, prefix)
        for name in filter(None, (job.output_file_id, job.error_file_id)):
            reader.feed((yield from Files.content.flow(Files(self._core), name)))
        outcomes = reader.ordered(job.counts.total)
        model = next((each.model for each in outcomes.values() if getattr(each, "model", "")), "")
        found = BatchResults(job, outcomes, model=model, sandbox=self._core.sandbox)
        _book(self._core, found)
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
        return BatchList((yield from paged(self._core, PATH, _PAGE, limit, told)))

    def _told(self, method: str, path: str, body: Any = None) -> Flow[Batch]:
        return told(self._core, method, path, _BATCH, "a batch", body)


def waited(
    core: Core,
    batch: Batch | str,
    draw: Callable[[Batch], None],
    *,
    poll: float | None = None,
    timeout: float | None = None,
) -> Flow[Batch]:
    """The job when it has ended, or when the time is over."""
    look = partial(BatchCalls.get.flow, Batches(core), batch)
    pauses = PAUSES if poll is None else (poll,)
    return until(core, look, lambda job: job.ended, pauses, timeout=timeout, draw=draw)


def _path(batch: Batch | str) -> str:
    return f"{PATH}/{quote(named(batch, 'batch'), safe='')}"


def _receipt(core: Core, model: str, usage: Usage | None, request_id: str) -> Receipt:
    cost = core.accounts.cost(model, usage, batch=True) if usage else None
    return Receipt(model=model, request_id=request_id, cost=cost, sandbox=core.sandbox)


def _book(core: Core, results: BatchResults) -> None:
    """One entry for the job, once; under a name of its own, because its price and its length are of their own kind."""
    ledger, usage, job = core.accounts.ledger, results.usage, results.batch.id
    if not usage.total or any(entry.request_id == job for entry in ledger):
        return
    model = f"{results.model} (batch)"
    bill = {"prompt": usage.prompt, "completion": usage.completion, "cost": results.cost}
    ledger.add(family="batch", model=model, request_id=job, **bill)


class Batches(BatchCalls, SyncNoun):
    """`qwen.batches`"""


class AsyncBatches(BatchCalls, AsyncNoun):
    """`aqwen.batches`"""
