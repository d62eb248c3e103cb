"""A run by way of the Batch API: one job for all prompts, waited for, its outcomes in the same `MapResults`.

The job's id is in the results, and in the checkpoint file, as soon as it is submitted: after an interruption `retry()`,
or the same call with the same file, waits for that job and does not pay for another. What an earlier run was answered,
either way, is not part of the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qwenkit.api.asked import Item
from qwenkit.api.batches import BatchCalls, Batches, waited
from qwenkit.errors import QwenError
from qwenkit.protocol import checkpoint
from qwenkit.types.batch import Batch

if TYPE_CHECKING:
    from qwenkit.api.many import Run


async def work(run: Run) -> None:
    """Submit, wait, and put every outcome in its place."""
    items: list[Item] = []
    try:
        for pair in run.source:
            if _belongs(run, item := Item(*pair)):
                items.append(item)
        if items:
            await _carry_out(run, items)
            items = []
    finally:
        run.leave(items)


def _belongs(run: Run, item: Item) -> bool:
    """Whether an item becomes a line of the job: it is not answered already, and can be sent."""
    try:
        if run.found(item):
            return False
        item.digest = item.digest or run.asked.digest(run.core, item.prompt)
    except QwenError as error:
        run.note(item, error)
        return False
    return True


async def _carry_out(run: Run, items: list[Item]) -> None:
    options, driver, noun = run.asked.options, run.core.async_driver, Batches(run.core)

    def seen(job: Batch) -> None:
        run.results.doing = f"batch {job.status.replace('_', ' ')}, {job.counts.done:,} of {job.counts.total:,} lines"

    job = await driver.run(waited(run.core, await _submitted(run, items, noun), seen))
    schema, prefix = options.get("schema"), options.get("prefix") or ""
    outcomes = await driver.run(BatchCalls.results.flow(noun, job, schema=schema, prefix=prefix))
    run.results.tries += len(items)
    for item, outcome in zip(items, outcomes, strict=True):
        run.note(item, outcome)


async def _submitted(run: Run, items: list[Item], noun: Batches) -> Batch:
    """The job of these very items: the one that an earlier run submitted, or a new one."""
    name = checkpoint.digest("".join(item.digest for item in items).encode())
    jobs = run.results.jobs | (run.logbook.stored.jobs if run.logbook is not None else {})
    if name in jobs:
        known: Batch = await run.core.async_driver.run(BatchCalls.get.flow(noun, jobs[name]))
        if known.status != "failed":  # nothing of a failed one was run
            return known
    asked, options = run.asked, dict[str, Any](run.asked.options)
    prompts = [item.prompt for item in items]
    flow = BatchCalls.submit.flow(noun, prompts, model=asked.model, system=asked.system, **options)
    job: Batch = await run.core.async_driver.run(flow)
    run.results.jobs[name] = job.id
    if run.logbook is not None:
        run.logbook.add(checkpoint.pack_job(name, job.id))
    return job
