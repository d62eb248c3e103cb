"""In a real kernel: `asyncio.run` as pasted, and above all that cells queued behind it are not lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from qwenkit.notebook.nbval_plugin import kernel_environment

NESTED = """
import asyncio

async def main():
    await asyncio.sleep(0.2)
    return "nested"

print(asyncio.run(main()))"""
PASTED = """
import asyncio
import qwenkit as qk

client = qk.sandbox().aio

async def task(question):
    print(f"发送问题: {question}")
    response = await client.chat(question)
    print(f"模型回复: {response.text}")

async def main():
    await asyncio.gather(*[task(f"What is {n} plus {n}?") for n in (1, 2, 3)])

if __name__ == "__main__":
    asyncio.run(main(), debug=False)"""
MAPPED = """
results = qk.sandbox().map([f"Say {n}." for n in range(40)], concurrency=8)
print(results.texts == [f"{n}." for n in range(40)])"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingKernelClient]:
    with kernel_environment(str(tmp_path_factory.mktemp("ipython"))):
        manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client: BlockingKernelClient, *cells: str) -> list[tuple[str, str]]:
    """Queue all cells at once; the status and the printed text of each, in the order the kernel finished them."""
    asked = [client.execute(cell, allow_stdin=False) for cell in cells]
    printed = dict.fromkeys(asked, "")
    ended: list[str] = []
    deadline = time.monotonic() + 30
    while len(ended) < len(asked) and time.monotonic() < deadline:
        message = client.get_iopub_msg(timeout=30)
        cell, content = message["parent_header"].get("msg_id"), message["content"]
        if cell not in printed:
            continue
        printed[cell] += content.get("text", "") + "".join(content.get("traceback", []))
        if content.get("execution_state") == "idle":
            ended.append(cell)
    assert ended == asked
    return [(reply(client, cell)["status"], printed[cell]) for cell in asked]


def reply(client: BlockingKernelClient, cell: str) -> dict[str, Any]:
    """What the kernel answered to this cell; a slow one may still be answering who asked whether it is there."""
    while True:
        message = client.get_shell_msg(timeout=30)
        if message["parent_header"].get("msg_id") == cell:
            content: dict[str, Any] = message["content"]
            return content


def test_before_it_is_allowed_a_nested_run_is_refused_as_ever(kernel: BlockingKernelClient):
    [(status, said)] = run(kernel, NESTED)
    assert status == "error"
    assert "cannot be called from a running event loop" in said


def test_three_cells_queued_at_once_all_run_though_the_first_one_nests(kernel: BlockingKernelClient):
    run(kernel, "import qwenkit as qk; qk.notebook.allow_asyncio_run(); qk.notebook.allow_asyncio_run()")
    ended = run(kernel, NESTED, "print('second')", NESTED + "\nprint('third')")
    assert ended == [("ok", "nested\n"), ("ok", "second\n"), ("ok", "nested\nthird\n")]


def test_the_official_example_runs_as_pasted_and_await_and_map_still_do(kernel: BlockingKernelClient):
    ended = run(kernel, "%load_ext qwenkit", PASTED, "print((await client.chat('What is 2 + 2?')).text)", MAPPED)
    assert [status for status, _ in ended] == ["ok"] * 4
    assert ended[1][1].count("模型回复") == 3
    assert "4" in ended[2][1]
    assert ended[3][1].endswith("True\n")


def test_an_interrupted_map_says_how_to_go_on_and_goes_on(kernel: BlockingKernelClient):
    run(kernel, "import threading\nslow = qk.sandbox(fresh=True)\nbefore = threading.active_count()")
    run(kernel, "slow.box.fault('slow:0.05', times=None)\nprompts = [f'Say {n}.' for n in range(1000)]")
    lines: list[str] = []

    def hear(message: dict[str, Any]) -> None:
        text = message["content"].get("data", {}).get("text/plain", "")
        lines.extend([text] if text else [])
        if len(lines) == 5:
            kernel.parent.interrupt_kernel()

    reply = kernel.execute_interactive("slow.map(prompts)", timeout=60, output_hook=hear, allow_stdin=False)
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    (told,) = reply["content"]["traceback"]
    assert told.startswith("KeyboardInterrupt: Ended early: ")
    assert "not sent" in lines[-1]
    [(status, said)] = run(
        kernel,
        "slow.box.clear_faults()\nprint(threading.active_count() - before, slow.map.last.remark[:11])\n"
        "print(0 < slow.map.last.answered < 1000, slow.map.last.retry().ok)",
    )
    assert status == "ok"
    assert said.endswith("0 Ended early\nTrue True\n")
